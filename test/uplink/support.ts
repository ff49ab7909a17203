import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
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

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectSocket(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Debian's mosquitto with a configuration and a port of its own. */
export class Mosquitto {
  readonly port: number;
  readonly #config: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, config: string) {
    this.port = port;
    this.#config = config;
  }

  static async start(lines: readonly string[] = ['allow_anonymous true'], listenerLines: readonly string[] = []): Promise<Mosquitto> {
    const port = await freePort();
    const config = join(freshDirectory(), 'mosquitto.conf');
    writeFileSync(config, [`listener ${port} 127.0.0.1`, ...listenerLines, 'persistence false', ...lines, ''].join('\n'));
    const broker = new Mosquitto(port, config);
    await broker.start();
    atEnd(() => broker.kill());
    return broker;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const child = spawn('/usr/sbin/mosquitto', ['-c', this.#config], { stdio: 'ignore' });
    this.#process = child;
    await until(() => answers(this.port), { timeoutMs: 10_000, what: 'mosquitto' });
  }

  /** SIGKILL: nothing is said to anybody. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
}

export const settings = (url: string, more: Partial<UplinkSettings> = {}, broker: Partial<UplinkSettings['broker']> = {}): UplinkSettings => ({
  broker: { url, ...broker },
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

export async function startGate(config: UplinkSettings, more: Partial<UplinkOptions> & { directory?: string; outcome?: CommandOutcome; status?: () => JsonObject } = {}): Promise<Gate> {
  const { journal, epoch } = await openJournal(more.directory);
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
