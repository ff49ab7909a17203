import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { GateError, silentLog } from '../../src/base/index.js';
import { EmbeddedBroker, ReferencePlatform } from '../../src/uplink/index.js';
import { Mosquitto, mosquittoPath } from './mosquitto.js';

export interface JournalRoundsOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly onProgress?: (done: number) => void;
}

export interface JournalRoundsResult {
  readonly rounds: number;
  /** Events a writer was told are on record: how many. */
  readonly told: number;
  /** Told and neither at the platform nor declared lost. */
  readonly lost: number;
  /** One event under two numbers, or two events under one. */
  readonly doubled: number;
  readonly reordered: number;
  readonly chainBroken: number;
  /** Holes in the platform's ledger that nobody declared, counted in sequences. */
  readonly undeclaredLoss: number;
  readonly faults: Readonly<Record<string, number>>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const ROUND_MS = 30_000;
const DRAIN_MS = 120_000;
/** Of this many rounds one damages the database while the victim is down, and one kills the broker. */
const DAMAGE_EVERY = 16;
const BROKER_KILL_EVERY = 7;
const COPY_EVERY = 10;
const POINTS = ['start', 'write', 'publish', 'acknowledge', 'time', 'time'] as const;
const DAMAGES = ['database-truncated', 'database-flipped', 'database-empty', 'database-rolled-back'] as const;

/** mulberry32: small, seeded, good enough to choose faults with. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * Kills the journal and its uplink, over and over, at random points: while it opens, between write, publish and
 * acknowledge, at any time; kills the broker; damages the database. In the end it is let drain, and the reference
 * platform's ledger is held against what the writers were told.
 * @throws GateError when the campaign itself cannot run: no drain within two minutes, a victim that hangs
 */
export async function runJournalRounds({ rounds, seed, onProgress }: JournalRoundsOptions): Promise<JournalRoundsResult> {
  const random = seeded(seed);
  const directory = mkdtempSync(join(tmpdir(), 'laurel-faults-'));
  const broker = await startBroker(directory);
  const numbers = new Map<number, number>();
  let doubled = 0;
  const platform = new ReferencePlatform({
    url: broker.url,
    log: silentLog,
    protocol: broker.protocol,
    reconnectMs: 20,
    onEvent: (_, event) => {
      const { number } = event.payload;
      if (typeof number !== 'number') return;
      if (numbers.has(number)) doubled += 1;
      numbers.set(number, event.seq);
    },
  });
  const told = new Map<number, number>();
  const faults: Record<string, number> = {};
  const count = (kind: string): void => {
    faults[kind] = (faults[kind] ?? 0) + 1;
  };
  const data = join(directory, 'data');
  const copy = join(directory, 'older.db');
  const book = join(directory, 'told');
  let nextNumber = 1;
  try {
    const program = await buildVictim();
    await platform.start();
    for (let round = 1; round <= rounds; round += 1) {
      const point = POINTS[Math.floor(random() * POINTS.length)] ?? 'time';
      const settings = {
        directory: data,
        told: book,
        url: broker.url,
        protocol: broker.protocol,
        firstNumber: nextNumber,
        point,
        countdown: 1 + Math.floor(random() * (point === 'start' ? 1 : 40)),
        delayMs: point === 'time' ? 20 + Math.floor(random() * 500) : random() < 0.4 ? 0 : Math.floor(random() * (point === 'start' ? 60 : 6)),
        burst: 1 + Math.floor(random() * 12),
      };
      const victim = spawn(process.execPath, [program, JSON.stringify(settings)], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
      const brokerDies = round % BROKER_KILL_EVERY === 0 && broker.kill !== undefined;
      const gone = goneOf(victim);
      if (brokerDies) {
        await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, 100 + random() * 200))]);
        await broker.kill();
        await broker.restart?.();
        count('broker-killed');
      }
      await gone;
      count(`killed-at-${point}`);
      // Numbers of events that were handed over but not told stay used: they may be on record.
      nextNumber += 100_000;
      if (round % COPY_EVERY === 0 && existsSync(join(data, 'journal.db'))) copyFileSync(join(data, 'journal.db'), copy);
      if (round % DAMAGE_EVERY === 0 && existsSync(join(data, 'journal.db'))) {
        const damage = DAMAGES[Math.floor(random() * DAMAGES.length)] ?? 'database-empty';
        if (applyDamage(damage, join(data, 'journal.db'), copy, random)) count(damage);
      }
      onProgress?.(round);
    }
    const drain = { directory: data, told: book, url: broker.url, protocol: broker.protocol, firstNumber: 0, point: 'none', countdown: 0, delayMs: 0, burst: 1 };
    const last = spawn(process.execPath, [program, JSON.stringify(drain)], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
    await goneOf(last, DRAIN_MS);
    const lines = readFileSync(book, 'utf8').split('\n').slice(0, -1);
    if (lines.pop() !== 'drained') throw new GateError('BROKER_UNREACHABLE', 'the last run did not drain its backlog; see its error output');
    for (const line of lines) {
      const [number = '', seq = ''] = line.split(' ');
      told.set(Number(number), Number(seq));
    }
    const ledger = platform.ledger('faults', 'victim');
    const declared = (seq: number): boolean => ledger.declared.some(({ first, last: end }) => first <= seq && seq <= end);
    const lost = [...told].filter(([number, seq]) => numbers.get(number) !== seq && !declared(seq)).length;
    const bySequence = [...numbers].sort(([, one], [, other]) => one - other).map(([number]) => number);
    const outOfOrder = bySequence.filter((number, index) => number < (bySequence[index - 1] ?? 0)).length;
    return {
      rounds,
      told: told.size,
      lost,
      doubled: doubled + ledger.conflicting.length,
      reordered: outOfOrder + ledger.reordered.length,
      chainBroken: ledger.chainBroken.length,
      undeclaredLoss: ledger.missing.reduce((sum, { first, last: end }) => sum + end - first + 1, 0),
      faults,
    };
  } finally {
    await platform.stop();
    await broker.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** One file each for the victim and its journal thread: a start from the sources would take most of a round. */
async function buildVictim(): Promise<string> {
  const outdir = join(root, '.cache', `faults-${process.pid}`);
  mkdirSync(outdir, { recursive: true });
  await build({
    entryPoints: { victim: join(root, 'scripts/faults/journal-child.ts'), thread: join(root, 'src/journal/thread.ts') },
    outdir,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'error',
  });
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }));
  return join(outdir, 'victim.js');
}

/** Resolves when a process is gone; one that does not end by itself is killed. */
function goneOf(child: ChildProcess, limitMs = ROUND_MS): Promise<void> {
  return new Promise((resolve) => {
    const limit = setTimeout(() => child.kill('SIGKILL'), limitMs);
    child.once('close', () => {
      clearTimeout(limit);
      resolve();
    });
  });
}

function applyDamage(kind: (typeof DAMAGES)[number], path: string, older: string, random: () => number): boolean {
  const pages = Math.max(1, Math.floor(statSync(path).size / 4096));
  switch (kind) {
    case 'database-truncated':
      truncateSync(path, Math.floor(random() * pages) * 4096);
      return true;
    case 'database-empty':
      truncateSync(path, 0);
      return true;
    case 'database-flipped': {
      const handle = openSync(path, 'r+');
      for (let hit = 0; hit < 3; hit += 1) writeSync(handle, Buffer.from([Math.floor(random() * 256)]), 0, 1, Math.floor(random() * pages * 4096));
      closeSync(handle);
      return true;
    }
    case 'database-rolled-back':
      if (!existsSync(older)) return false;
      for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
      copyFileSync(older, path);
      return true;
  }
}

interface Broker {
  readonly url: string;
  readonly protocol: '5' | '3.1.1';
  readonly stop: () => Promise<void>;
  readonly kill?: () => Promise<void>;
  readonly restart?: () => Promise<void>;
}

/** mosquitto where it is installed, else the embedded broker, which cannot be killed apart. */
async function startBroker(directory: string): Promise<Broker> {
  if (!existsSync(mosquittoPath)) {
    const embedded = new EmbeddedBroker();
    const { url } = await embedded.start();
    return { url, protocol: '3.1.1', stop: () => embedded.stop() };
  }
  const broker = await Mosquitto.start({ directory });
  return { url: broker.url, protocol: '5', stop: () => broker.kill(), kill: () => broker.kill(), restart: () => broker.start() };
}
