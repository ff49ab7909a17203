import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { Mosquitto } from '../../scripts/faults/mosquitto.js';
import { silentLog, type JsonObject } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { SqliteJournal, type NewEvent } from '../../src/journal/index.js';
import { ReferencePlatform, Uplink, type CommandOutcome, type GateCommand, type ReferencePlatformOptions, type UplinkOptions, type UplinkSettings } from '../../src/uplink/index.js';
import { until as waitUntil } from '../support/until.js';

const cleanups: (() => void | Promise<void>)[] = [];

/** Patient: the machine that runs the tests may be busy. */
export const until = <T>(condition: () => T | Promise<T>, { timeoutMs = 20_000, what }: { readonly timeoutMs?: number; readonly what: string }): Promise<T> => waitUntil(condition, { timeoutMs, what });

export function atEnd(run: () => void | Promise<void>): void {
  cleanups.push(run);
}

afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'laurel-uplink-'));
  atEnd(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Debian's mosquitto, gone when the test ends. */
export async function startMosquitto(lines?: readonly string[], listenerLines?: readonly string[]): Promise<Mosquitto> {
  const broker = await Mosquitto.start({ directory: freshDirectory(), ...(lines === undefined ? {} : { lines }), ...(listenerLines === undefined ? {} : { listenerLines }) });
  atEnd(() => broker.kill());
  return broker;
}

export const settings = (url: string, more: Partial<UplinkSettings> = {}, broker: Partial<UplinkSettings['brokers'][number]> = {}): UplinkSettings => ({
  brokers: [{ url, ...broker }],
  protocol: '5',
  keepAliveS: 30,
  batch: 20,
  window: 10,
  telemetryS: 1,
  platformAcknowledges: true,
  ...more,
});

export async function openJournal(directory = freshDirectory()): Promise<{ journal: SqliteJournal; epoch: number }> {
  const journal = new SqliteJournal({
    directory,
    gateId: 'east',
    clock: systemClock,
    log: silentLog,
    retention: { eventsDays: 365, photographsDays: 30, photographsMB: 100 },
    ballastMB: 0,
  });
  const { epoch } = await journal.start();
  atEnd(() => journal.stop());
  return { journal, epoch };
}

export interface Gate {
  readonly journal: SqliteJournal;
  readonly uplink: Uplink;
  readonly commands: GateCommand[];
}

export const quick = { backoffMs: 30, backoffMostMs: 200, stableMs: 500, resendMs: 1_000, connectTimeoutMs: 2_000 };

/** @param more.opened a journal that is open already, where a test needs many gates one after the other */
export async function startGate(config: UplinkSettings, more: Partial<UplinkOptions> & { directory?: string; outcome?: CommandOutcome; status?: () => JsonObject; opened?: { journal: SqliteJournal; epoch: number } } = {}): Promise<Gate> {
  const { journal, epoch } = more.opened ?? (await openJournal(more.directory));
  const commands: GateCommand[] = [];
  const uplink = new Uplink({
    config,
    site: 'laurel',
    gate: 'east',
    journal,
    epoch,
    clock: systemClock,
    log: silentLog,
    random: Math.random,
    status: () => ({ version: '0.1.0', lanes: [{ id: 'entry', boom: 'closed' }] }),
    telemetry: () => ({ load: 0.5 }),
    command: (command) => {
      commands.push(command);
      return Promise.resolve(more.outcome ?? { outcome: 'done' });
    },
    timing: quick,
    ...more,
  });
  await uplink.start();
  atEnd(() => uplink.stop());
  return { journal, uplink, commands };
}

export async function startPlatform(options: Omit<ReferencePlatformOptions, 'log'>): Promise<ReferencePlatform> {
  const platform = new ReferencePlatform({ log: silentLog, reconnectMs: 50, ...options });
  await platform.start();
  atEnd(() => platform.stop());
  return platform;
}

export const online = (gate: Gate): Promise<boolean> => until(() => gate.uplink.state().connection === 'online', { what: 'the uplink online' });
export const drained = (gate: Gate, timeoutMs = 20_000): Promise<boolean> =>
  until(() => gate.uplink.state().backlog === 0, { timeoutMs, what: `the backlog drained (${JSON.stringify(gate.uplink.state())})` });

export const passage = (number: number): NewEvent => ({ type: 'passage.ended', lane: number % 2 === 0 ? 'entry' : 'exit', passage: `p-${number}`, payload: { number, plate: '京QM86H8', end: 'entered' } });

/** A self-signed certificate for 127.0.0.1. */
export function selfSigned(): { key: string; certificate: string } {
  const directory = freshDirectory();
  const key = join(directory, 'key.pem');
  const certificate = join(directory, 'certificate.pem');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  return { key, certificate };
}

export const errorCode = (gate: Gate): string | undefined => gate.uplink.state().lastError?.code;
export const errorMessage = (gate: Gate): string => gate.uplink.state().lastError?.message ?? '';
export const failed = (gate: Gate): Promise<boolean> => until(() => gate.uplink.state().lastError !== null, { what: 'the trouble in the state' });
export const duplicatesOf = (gate: Gate, type: 'uplink.duplicate-client' | 'uplink.recovered') => gate.journal.events({ types: [type], limit: 10 });
