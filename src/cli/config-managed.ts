import { readFile } from 'node:fs/promises';
import * as z from 'zod/mini';
import { GateError, errorText, isGateError } from '../base/index.js';
import { systemClock } from '../base/system-clock.js';
import { configPath, controlClient, exitStatus, type GlobalOptions } from './context.js';
import type { ControlClient } from './control-client.js';
import { localTime, print, table } from './output.js';

const version = z.nullable(z.number());
const outcomeSchema = z.looseObject({
  number: z.number(),
  version,
  id: z.string(),
  issuer: z.string(),
  outcome: z.enum(['applied', 'refused', 'returned']),
  code: z.nullable(z.string()),
  reasons: z.array(z.string()),
  faults: z.array(z.object({ path: z.string(), code: z.string(), text: z.string() })),
  atMs: z.number(),
});
const stateSchema = z.looseObject({
  file: z.string(),
  active: z.looseObject({ source: z.enum(['file', 'managed']), version, id: z.nullable(z.string()) }),
  trial: z.nullable(z.looseObject({ version, id: z.string(), state: z.enum(['staged', 'deferred', 'trying', 'returning']) })),
  outcomes: z.array(outcomeSchema),
  changes: z.array(z.object({ path: z.string(), value: z.json(), file: z.json() })),
  reported: z.record(z.string(), z.json()),
});
type State = z.output<typeof stateSchema>;
type Outcome = z.output<typeof outcomeSchema>;

const address = '/api/configuration';
const lookMs = 500;
/** A gate that restarts for its configuration is away for some seconds. */
const awayMs = 120_000;

/** What the running gate says; from its files where none runs. */
async function stateOf(globals: GlobalOptions): Promise<{ readonly state: State; readonly running: boolean }> {
  try {
    const client = await controlClient(globals);
    return { state: await client.get(stateSchema, address), running: true };
  } catch (error) {
    if (!isGateError(error, 'CONTROL_UNREACHABLE')) throw error;
    const path = configPath(globals);
    const [{ loadEffective }, { Configuration }, { silentLog }] = await Promise.all([import('../config/index.js'), import('../daemon/configuration.js'), import('../base/index.js')]);
    const effective = await loadEffective(path).catch(() => {
      throw error;
    });
    return { state: stateSchema.parse(new Configuration({ effective, clock: systemClock, log: silentLog }).state()), running: false };
  }
}

function named({ version: number, id }: { readonly version: number | null; readonly id: string | null }): string {
  return number === null ? `${id ?? '?'} (applied on the box)` : `version ${number} (${id ?? '?'})`;
}

const trials: Readonly<Record<NonNullable<State['trial']>['state'], string>> = {
  staged: 'is right, and waits for quiet lanes',
  deferred: 'still waits for quiet lanes',
  trying: 'is in force on trial',
  returning: 'has not proved itself; the one before returns as soon as the lanes are quiet',
};

function ended({ outcome, code, reasons, faults }: Outcome): string {
  return [`${outcome}${code === null ? '' : ` [${code}]`}`, ...reasons, ...faults.map(({ path, text }) => `${path === '' ? 'the whole' : path}: ${text}`)].join('; ');
}

function short(value: unknown): string {
  const text = value === null || value === undefined ? '-' : typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** `gatectl config show`: what is in force, and which values are not the file's. */
export async function showConfiguration(globals: GlobalOptions, { all, json }: { readonly all: boolean; readonly json: boolean }): Promise<void> {
  const { state, running } = await stateOf(globals);
  if (json) {
    print(JSON.stringify({ ...state, running }));
    return;
  }
  const { active, trial, outcomes, changes, file } = state;
  const last = outcomes.at(-1);
  const lines = [
    `${running ? 'In force' : 'In force at the next start (no gate runs)'}: ${file}${active.source === 'file' ? ' alone.' : ` and ${named(active)} over it.`}`,
    ...(trial === null ? [] : [`Under way: ${named(trial)} ${trials[trial.state]}.`]),
    ...(last === undefined ? [] : [`Last: ${named(last)} of ${last.issuer}, ${localTime(last.atMs)}: ${ended(last)}`]),
  ];
  print(lines.join('\n'));
  if (changes.length > 0) print(`\nNot as in the file:\n${table([['', 'value', 'in force', 'in the file'], ...changes.map(({ path, value, file: own }) => ['', path, short(value), short(own)])])}`);
  if (!all) return;
  const { stringify } = await import('yaml');
  print(`\n${stringify(state.reported).trimEnd()}`);
}

/** `gatectl config history`: how configurations ended, the newest first. */
export async function showHistory(globals: GlobalOptions, json: boolean): Promise<void> {
  const { outcomes } = (await stateOf(globals)).state;
  if (json) {
    for (const outcome of [...outcomes].reverse()) print(JSON.stringify(outcome));
    return;
  }
  if (outcomes.length === 0) print('No configuration but the file has been here.');
  else print(table([...outcomes].reverse().map((outcome) => [localTime(outcome.atMs), named(outcome), outcome.issuer, ended(outcome)])));
}

async function settingsOf(path: string): Promise<Record<string, unknown>> {
  const { parse } = await import('yaml');
  let value: unknown;
  try {
    value = parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new GateError('CONFIG_UNREADABLE', `${path}: ${errorText(cause)}`, { path }, cause);
  }
  const parsed = z.record(z.string(), z.unknown()).safeParse(value);
  if (!parsed.success) throw new GateError('CONFIG_INVALID', `${path} holds no settings; write sections and keys as in the configuration file, e.g. access: {spaces: 120}`, { path });
  return parsed.data;
}

export interface ApplyOptions {
  readonly whole: boolean;
  readonly wait: boolean;
  readonly json: boolean;
}

/** `gatectl config apply`: settings over the file, checked and staged; with `wait` until they are proved or given back. */
export async function applyConfiguration(globals: GlobalOptions, path: string, options: ApplyOptions): Promise<number> {
  const config = await settingsOf(path);
  const client = await controlClient(globals);
  const state = await client.post(stateSchema, address, { whole: options.whole, config });
  return followed(client, state, options);
}

/** `gatectl config return`: ends a trial, or goes back to what was in force before. */
export async function returnConfiguration(globals: GlobalOptions, options: Omit<ApplyOptions, 'whole'>): Promise<number> {
  const client = await controlClient(globals);
  const before = await client.get(stateSchema, address);
  const trying = before.trial?.state === 'trying';
  const state = await client.post(stateSchema, `${address}/return`, {});
  if (trying) {
    print(options.json ? JSON.stringify(state) : 'The trial is ended; what was in force before returns as soon as the lanes are quiet.');
    return exitStatus.ok;
  }
  return followed(client, state, options);
}

/** @param begun as the gate answered when it was staged: what ended until then, or under another id later, was another */
async function followed(client: ControlClient, begun: State, { wait, json }: Omit<ApplyOptions, 'whole'>): Promise<number> {
  const known = begun.outcomes.at(-1)?.number ?? 0;
  let told = '';
  const tell = (state: State): void => {
    const text = state.trial === null ? '' : `${named(state.trial)} ${trials[state.trial.state]}.`;
    if (text === told || text === '') return;
    told = text;
    print(json ? JSON.stringify(state) : text);
  };
  tell(begun);
  if (!wait) {
    if (!json) print('gatectl config show says how it goes on.');
    return exitStatus.ok;
  }
  let heardMs = systemClock.monoMs();
  for (;;) {
    await new Promise<void>((resolve) => void systemClock.after(lookMs, resolve));
    let state: State;
    try {
      state = await client.get(stateSchema, address);
      heardMs = systemClock.monoMs();
    } catch (error) {
      if (!isGateError(error, 'CONTROL_UNREACHABLE') || systemClock.monoMs() - heardMs > awayMs) throw error;
      continue;
    }
    const outcome = state.outcomes.find(({ number, id }) => number > known && id === begun.trial?.id);
    if (outcome === undefined) {
      tell(state);
      continue;
    }
    print(json ? JSON.stringify(outcome) : `${named(outcome)}: ${ended(outcome)}`);
    return outcome.outcome === 'applied' ? exitStatus.ok : exitStatus.failed;
  }
}
