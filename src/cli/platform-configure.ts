import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { GateError, errorText } from '../base/index.js';
import { ReferencePlatform, configReportSchema, desiredConfigSchema, type ConfigReport, type GateName } from '../uplink/index.js';
import { exitStatus } from './context.js';
import { print } from './output.js';
import { heard, lineOptions, type LineOptions } from './platform-line.js';

export interface ConfigureOptions extends LineOptions {
  readonly version?: number | undefined;
  readonly whole: boolean;
  readonly retain: boolean;
  readonly issuer: string;
  /** Seconds. */
  readonly timeout: number;
  readonly json: boolean;
}

const REPORT_MS = 10_000;

/** A configuration as a file holds it; YAML, which JSON is too. @throws GateError CONFIG_UNREADABLE */
export async function readSettings(path: string): Promise<unknown> {
  try {
    return parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new GateError('CONFIG_UNREADABLE', `${path}: ${errorText(cause)}`, { path }, cause);
  }
}

/** `gatectl platform configure`: a desired configuration, the reports it brings, and the exit status that says how it ended. */
export async function configureGate(name: GateName, path: string, options: ConfigureOptions): Promise<number> {
  const settings = await readSettings(path);
  const platform = new ReferencePlatform({ ...(await lineOptions(options)), takes: [] });
  try {
    await platform.start();
    const hear = (tell: (report: ConfigReport) => void): (() => void) =>
      platform.hear('config/report', (from, message) => {
        if (from.site === name.site && from.gate === name.gate) tell(configReportSchema.parse(message));
      });
    const before = await heard<ConfigReport>(name, 'config/report', REPORT_MS, hear);
    const version = options.version ?? before.highest + 1;
    const desired = desiredConfigSchema.safeParse({ version, id: randomUUID(), issuer: options.issuer, whole: options.whole, config: settings });
    if (!desired.success) throw new GateError('CONFIG_INVALID', `${path}: ${desired.error.issues.map(({ path: at, message }) => `${at.join('.')}: ${message}`).join('; ')}`, { path });
    let told = '';
    const ended = await heard<ConfigReport>(name, 'outcome of the configuration; it goes on by itself', options.timeout * 1_000, (done) => {
      const stop = hear((report) => {
        const { outcome } = report;
        const over = outcome !== null && outcome.id === desired.data.id;
        const words = over ? outcomeWords(outcome) : trialWords(report, version);
        if (words !== '' && words !== told) print(options.json ? JSON.stringify(report) : `${name.site}/${name.gate}  ${words}`);
        told = words;
        if (over) done(report);
      });
      platform.configure(name.site, name.gate, desired.data, { retain: options.retain });
      return stop;
    });
    return ended.outcome?.outcome === 'applied' ? exitStatus.ok : exitStatus.failed;
  } finally {
    await platform.stop();
  }
}

const trials: Readonly<Record<NonNullable<ConfigReport['trial']>['state'], string>> = {
  staged: 'is right, and waits for quiet lanes',
  deferred: 'still waits for quiet lanes',
  trying: 'is in force on trial',
  returning: 'has not proved itself; the one before returns',
};

function trialWords({ trial }: ConfigReport, version: number): string {
  return trial === null || trial.version !== version ? '' : `version ${version} ${trials[trial.state]}`;
}

function outcomeWords({ version, outcome, code, reasons, faults }: NonNullable<ConfigReport['outcome']>): string {
  return [`version ${String(version)} ${outcome}${code === null ? '' : ` [${code}]`}`, ...reasons.map((reason) => `  ${reason}`), ...faults.map(({ path, text }) => `  ${path === '' ? 'the whole' : path}: ${text}`)].join('\n');
}
