import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fdatasyncSync, fsyncSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { AccessRepository, type AccessRequest, type AccessRules } from '../../src/access/index.js';
import { threadBeside } from '../../src/base/entry.js';
import { GateError } from '../../src/base/index.js';
import { lookAlikesOf, tryParsePlate, type Plate } from '../../src/plate/index.js';
import { compileDiskShim, diskShimEnvironment } from '../faults/disk-shim.js';
import { BenchProcess } from './load/child.js';
import { appendAhead, eventOf, openedAt } from './load/journal-events.js';
import { quantile, round } from './load/probe.js';
import type { BenchOptions } from './options.js';

const usualRows = 1_000_000;
const usualRounds = 20;
/** Events, or syncs, in a row before another kind has its turn: whatever else the disk does then hits all of them. */
const blockLength = 50;
/** Between two events that wait for each other the disk has nothing to do for about so long. */
const pauseMs = 0.2;
const groupLength = 20_000;
/** Events on their way to the disk all the time, when many are: what one transaction takes, and as many behind it. */
const groupAhead = 4_000;
/** Bytes of one record of the reference: an event with its hash. */
const recordBytes = 512;
const kills = 3;
const mostFillMs = 600_000;
const plates = 100_000;
const lookups = 20_000;

type Progress = (text: string) => void;

/** How long `run` took, as so many per second. */
async function rate(count: number, run: () => void | Promise<void>): Promise<number> {
  const from = performance.now();
  await run();
  return (count * 1_000) / (performance.now() - from);
}

/** Keeps the processor until so much time is over. @returns how long it was, ms */
function spin(lengthMs: number): number {
  const from = performance.now();
  let now = from;
  while (now - from < lengthMs) now = performance.now();
  return now - from;
}

/** What the disk itself can do: a record written and synced, again and again. */
class SyncFile {
  readonly #handle: number;
  readonly #record = Buffer.alloc(recordBytes, 'laurel ');
  #at = 0;

  /** @param records room made before; 0 for a file that grows with each record */
  constructor(path: string, records: number) {
    this.#handle = openSync(path, 'wx');
    if (records > 0) writeSync(this.#handle, Buffer.alloc(records * recordBytes));
    fsyncSync(this.#handle);
  }

  block(): void {
    for (let count = 0; count < blockLength; count += 1) this.#one();
  }

  /** A block with a pause before each, which is not counted. @returns so many a second */
  pausingBlock(): number {
    let ms = 0;
    for (let count = 0; count < blockLength; count += 1) {
      spin(pauseMs);
      const at = performance.now();
      this.#one();
      ms += performance.now() - at;
    }
    return (blockLength * 1_000) / ms;
  }

  #one(): void {
    writeSync(this.#handle, this.#record, 0, recordBytes, this.#at);
    fdatasyncSync(this.#handle);
    this.#at += recordBytes;
  }

  close(): void {
    closeSync(this.#handle);
  }
}

/** The same, asked for one by one from a loop that must not wait for the disk, as the gate's must not. */
class SyncThread {
  readonly #thread: Worker;

  private constructor(thread: Worker) {
    this.#thread = thread;
  }

  static async start(path: string, records: number): Promise<SyncThread> {
    writeFileSync(path, Buffer.alloc(records * recordBytes), { flush: true });
    const thread = threadBeside(import.meta.url, './load/sync-thread', { workerData: { path, bytes: recordBytes }, name: 'sync' });
    await once(thread, 'message');
    return new SyncThread(thread);
  }

  async block(): Promise<void> {
    for (let count = 0; count < blockLength; count += 1) {
      const written = once(this.#thread, 'message');
      this.#thread.postMessage('write');
      await written;
    }
  }

  async close(): Promise<void> {
    const ended = once(this.#thread, 'exit');
    this.#thread.postMessage('close');
    await ended;
  }
}

interface Rates {
  readonly single: number[];
  readonly grouped: number[];
  readonly growing: number[];
  readonly preallocated: number[];
  readonly thread: number[];
  readonly pausing: number[];
}

/** Events and bare syncs in turn, in one directory. */
async function writeRates(directory: string, rounds: number, progress: Progress): Promise<Rates> {
  const rates: Rates = { single: [], grouped: [], growing: [], preallocated: [], thread: [], pausing: [] };
  const journal = openedAt(join(directory, 'rates'));
  await journal.start();
  const growing = new SyncFile(join(directory, 'growing'), 0);
  const preallocated = new SyncFile(join(directory, 'preallocated'), (rounds + 1) * blockLength);
  const pausing = new SyncFile(join(directory, 'pausing'), (rounds + 1) * blockLength);
  const thread = await SyncThread.start(join(directory, 'thread'), (rounds + 1) * blockLength);
  let number = 0;
  const single = async (): Promise<void> => {
    for (let count = 0; count < blockLength; count += 1) await journal.append(eventOf(number + count));
    number += blockLength;
  };
  const grouped = async (): Promise<void> => {
    await appendAhead(journal, number, number + groupLength, groupAhead);
    number += groupLength;
  };
  try {
    // Not counted: what runs for the first time is compiled, and files take their shape.
    await grouped();
    await single();
    growing.block();
    preallocated.block();
    pausing.pausingBlock();
    await thread.block();
    for (let round = 0; round < rounds; round += 1) {
      const turns = [
        async () => rates.growing.push(await rate(blockLength, () => growing.block())),
        async () => rates.single.push(await rate(blockLength, single)),
        async () => rates.preallocated.push(await rate(blockLength, () => preallocated.block())),
        () => Promise.resolve(rates.pausing.push(pausing.pausingBlock())),
        async () => rates.thread.push(await rate(blockLength, () => thread.block())),
      ];
      for (const turn of round % 2 === 0 ? turns : turns.reverse()) await turn();
      rates.grouped.push(await rate(groupLength, grouped));
    }
  } finally {
    growing.close();
    preallocated.close();
    pausing.close();
    await thread.close();
    await journal.stop();
  }
  progress(`${rounds} rounds of writes`);
  return rates;
}

const paired = (values: readonly number[], others: readonly number[]): number => quantile(values.map((value, at) => value / (others[at] ?? NaN)), 0.5);

/** Takes a directory's files out of the page cache, as they are after a power cut. */
async function forget(directory: string): Promise<void> {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (statSync(path).isFile()) await promisify(execFile)('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none']);
  }
}

interface Reopening {
  readonly ms: readonly number[];
  /** A journal that was never there. */
  readonly emptyMs: readonly number[];
  readonly rows: number;
  readonly megabytes: number;
}

const openedSchema = z.object({ ms: z.number(), head: z.number(), last: z.number() });

/** Opens a journal in a fresh process, as installed. */
async function openInProcess(directory: string): Promise<z.output<typeof openedSchema>> {
  const program = fileURLToPath(new URL('./load/journal-opener.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, directory]);
  return openedSchema.parse(JSON.parse(stdout));
}

/** Kills a journal's owner while it writes, several times, and opens the journal after each. */
async function reopen(parent: string, rows: number, progress: Progress): Promise<Reopening> {
  const directory = join(parent, 'large');
  const [ms, emptyMs]: [number[], number[]] = [[], []];
  let end = 0;
  // Also under `npx`, where the build leaves what is there as it is.
  await promisify(execFile)(process.execPath, [fileURLToPath(new URL('../build.mjs', import.meta.url))], { env: { ...process.env, npm_command: '' } });
  for (let kill = 0; kill < kills; kill += 1) {
    const owner = new BenchProcess('journal-writer', [directory, String(rows)], { priority: getPriority() });
    try {
      await owner.next(z.object({ filled: z.number() }), mostFillMs);
      // Anywhere in what it writes: alone, at once, while the log goes into the database.
      await sleep(300 + 170 * kill);
    } finally {
      await owner.kill();
    }
    await forget(directory);
    const opened = await openInProcess(directory);
    if (opened.head <= rows || opened.last !== opened.head) {
      throw new GateError('JOURNAL_CORRUPT', `after the kill the journal ends at ${opened.head} and its last event is ${opened.last}; at least ${rows} events were on record`);
    }
    ms.push(opened.ms);
    emptyMs.push((await openInProcess(join(parent, `empty-${kill}`))).ms);
    end = opened.head;
    progress(`killed and opened again, ${end} events, ${round(opened.ms)} ms`);
  }
  return { ms, emptyMs, rows: end, megabytes: round(statSync(join(directory, 'journal.db')).size / 1e6) };
}

/** The plates of a small country: one province, all its cities, one letter among four digits at any of five places. */
function* listed(count: number): Generator<Plate> {
  const letters = 'ABCDEFGHJKLMNPQRSTUVWXYZ';
  // A prime walks through all numbers in no order.
  for (let at = 0, made = 0; made < count; at += 1) {
    const mixed = (at * 7_919_117) % (24 * 24 * 50_000);
    const digits = String(mixed % 10_000).padStart(4, '0');
    const place = Math.floor(mixed / 10_000) % 5;
    const city = letters[Math.floor(mixed / 50_000) % 24];
    const letter = letters[Math.floor(mixed / 1_200_000)];
    const plate = tryParsePlate(`闽${city}${digits.slice(0, place)}${letter}${digits.slice(place)}`);
    if (plate === undefined) continue;
    made += 1;
    yield plate;
  }
}

interface LookUps {
  readonly exactP99Ms: number;
  readonly lookAlikeP99Ms: number;
  readonly exactP50Ms: number;
  readonly lookAlikeP50Ms: number;
  /** p99 of a bare loop that takes as long as the median look-alike: what waiting for a processor alone adds. */
  readonly bareLoopP99Ms: number;
  /** Share of the look-alike reads that were let in as the listed plate; another listed plate may be as near. */
  readonly forgiven: number;
  readonly plates: number;
}

/** p99 of a loop that only waits until so much time is over. */
function spinP99(lengthMs: number): number {
  return quantile(Array.from({ length: lookups }, () => spin(lengthMs)), 0.99);
}

/** A decision on a plate among 100,000 listed ones: read as it is, and read a little wrong. */
function lookUps(): LookUps {
  const all = [...listed(plates)];
  const texts = new Set(all.map(({ text }) => text));
  const rules: AccessRules = {
    openingConfidence: 0.9,
    lookAlike: { enabled: true, leastConfidence: 0.9 },
    spaces: plates,
    outside: { policy: 'refuse' },
    exit: 'listed',
    antiPassback: false,
    households: Array.from({ length: plates / 2 }, (_, at) => ({ id: `h${at}`, spaces: 2, plates: all.slice(2 * at, 2 * at + 2).map(({ text }) => text) })),
    visitors: [],
    blocked: [],
  };
  const nothing = { remember: () => Promise.resolve(), recallAll: () => Promise.resolve(new Map()), forget: () => Promise.resolve() };
  const repository = new AccessRepository({ rules, timezone: 'Asia/Shanghai', store: nothing });
  const requests: { readonly exact: AccessRequest[]; readonly lookAlike: AccessRequest[] } = { exact: [], lookAlike: [] };
  const step = plates / lookups;
  for (let at = 0; at < lookups; at += 1) {
    const plate = all[at * step];
    if (plate === undefined) continue;
    const request = (read: Plate): AccessRequest => ({ laneId: 'entry', direction: 'entry', wallMs: 1_782_871_200_000 + at * 1_000, plate: { ...read, colour: 'blue', confidence: 0.99 } });
    requests.exact.push(request(plate));
    const wrong = [...lookAlikesOf(plate.text)].map(({ text }) => text).find((text) => !texts.has(text) && tryParsePlate(text) !== undefined);
    const read = wrong === undefined ? undefined : tryParsePlate(wrong);
    if (read !== undefined) requests.lookAlike.push(request(read));
  }
  const time = (asked: readonly AccessRequest[], matched: 'exact' | 'look-alike'): { p50Ms: number; p99Ms: number; share: number } => {
    let count = 0;
    const ms = asked.map((request) => {
      const from = performance.now();
      const decision = repository.decide(request);
      const took = performance.now() - from;
      if (decision.matched === matched && decision.outcome === 'admit') count += 1;
      return took;
    });
    return { p50Ms: quantile(ms, 0.5), p99Ms: quantile(ms, 0.99), share: count / asked.length };
  };
  const exact = time(requests.exact, 'exact');
  const lookAlike = time(requests.lookAlike, 'look-alike');
  if (exact.share < 1 || !(lookAlike.share > 0.5)) throw new GateError('ACCESS_LIST_INVALID', `of the listed plates ${exact.share} were let in, of their look-alikes ${lookAlike.share}`);
  return { exactP50Ms: exact.p50Ms, exactP99Ms: exact.p99Ms, lookAlikeP50Ms: lookAlike.p50Ms, lookAlikeP99Ms: lookAlike.p99Ms, bareLoopP99Ms: spinP99(lookAlike.p50Ms), forgiven: round(lookAlike.share), plates };
}

/**
 * The bench in a process whose disk takes so long for each synchronisation, the journal's and the references' alike.
 * @throws GateError CLI_USAGE where this machine has no C compiler
 */
async function onSlowDisk(parent: string, ms: number): Promise<object> {
  const directory = mkdtempSync(join(parent, 'laurel-bench-'));
  try {
    const shim = compileDiskShim(directory);
    if (shim === undefined) throw new GateError('CLI_USAGE', '--sync-ms needs a C compiler (cc) and Linux');
    const root = join(directory, 'disk');
    const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1), '--directory', root], {
      env: { ...process.env, ...diskShimEnvironment(shim, { root, syncMs: ms }) },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said = await text(child.stdout);
    return z.looseObject({ name: z.literal('journal') }).parse(JSON.parse(said));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Microseconds in ms. */
const fine = (ms: number): number => Math.round(ms * 10_000) / 10_000;

/**
 * How fast events become durable, beside the disk's own syncs in the same directory; how soon a large journal is open again
 * after a kill; how long a decision on a plate takes among 100,000. `fdatasyncPerSecond` is the faster of the two files:
 * one that grows, and one whose room was made before. With `syncMs` all of it is measured on a disk made so slow.
 */
export async function run(options: BenchOptions): Promise<object> {
  const progress: Progress = (what) => void process.stderr.write(`journal: ${what}\n`);
  const rows = options.rows ?? usualRows;
  const rounds = options.rounds ?? usualRounds;
  const parent = options.directory ?? tmpdir();
  mkdirSync(parent, { recursive: true });
  // In that process it is set.
  if (options.syncMs !== undefined && process.env['LAUREL_DISK_SLOW'] === undefined) return onSlowDisk(parent, options.syncMs);
  const directory = mkdtempSync(join(parent, 'laurel-bench-'));
  try {
    const rates = await writeRates(directory, rounds, progress);
    const access = lookUps();
    progress(`${lookups} decisions of each kind`);
    const median = (values: readonly number[]): number => round(quantile(values, 0.5));
    const again = await reopen(directory, rows, progress);
    const file = median(rates.preallocated) > median(rates.growing) ? 'preallocated' : 'growing';
    return {
      name: 'journal',
      figures: {
        singlePerSecond: median(rates.single),
        groupedPerSecond: median(rates.grouped),
        fdatasyncPerSecond: median(rates[file]),
        reopenMs: round(Math.max(...again.ms)),
        lookupMs: fine(Math.max(access.exactP99Ms, access.lookAlikeP99Ms)),
      },
      reference: {
        what: `${recordBytes} bytes written and fdatasync, in the same directory, in blocks of ${blockLength} in turn with the journal's; fdatasyncPerSecond is of the file that is ${file}. threadPerSecond: the same on a preallocated file by a thread that a loop asks one by one, since the gate's own must not wait for a disk. pausingPerSecond: the bare loop on a preallocated file, each time ${pauseMs} ms after the last, the pauses not counted. Grouped: ${groupAhead} events on their way all the time`,
        growingPerSecond: median(rates.growing),
        preallocatedPerSecond: median(rates.preallocated),
        threadPerSecond: median(rates.thread),
        pausingPerSecond: median(rates.pausing),
        rounds,
        ...(options.syncMs === undefined ? {} : { syncMs: options.syncMs }),
        singleToGrowing: round(paired(rates.single, rates.growing)),
        singleToPreallocated: round(paired(rates.single, rates.preallocated)),
        singleToThread: round(paired(rates.single, rates.thread)),
        singleBesideFdatasyncUs: round(1e6 / median(rates.single) - 1e6 / median(rates[file])),
        groupedToFdatasync: round(paired(rates.grouped, rates[file])),
      },
      reopen: {
        what: 'start() in a fresh process, as installed, after SIGKILL of the owner while it wrote, files out of the page cache; the worst of all. Beside it a journal that begins with nothing',
        rows: again.rows,
        megabytes: again.megabytes,
        ms: again.ms.map(round),
        emptyMs: again.emptyMs.map(round),
      },
      lookup: { what: `p99 of ${lookups} decisions; beside it that of a bare loop as long as the median look-alike`, plates: access.plates, exactP50Ms: fine(access.exactP50Ms), exactP99Ms: fine(access.exactP99Ms), lookAlikeP50Ms: fine(access.lookAlikeP50Ms), lookAlikeP99Ms: fine(access.lookAlikeP99Ms), bareLoopP99Ms: fine(access.bareLoopP99Ms), forgiven: access.forgiven },
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
