import { spawn } from 'node:child_process';
import { appendFileSync, copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { hash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { silentLog } from '../../src/base/index.js';
import { ReferencePlatform, type EventMessage } from '../../src/uplink/index.js';
import { ArrivalOrder } from './arrival-order.js';
import { startBroker } from './broker.js';
import { damageJournal, damages, readableEvents, type DamageKind } from './damage.js';
import { FACT, PHOTOGRAPHS_MB, UNTOLD_PHOTOGRAPHS_BYTES } from './journal-limits.js';
import { mosquittoPath } from './mosquitto.js';
import { MqttProxy } from './mqtt-proxy.js';
import { DiskImage, cutKinds } from './disk-image.js';
import { runDiskSweep } from './disk-sweep.js';
import { compileDiskShim, diskShimEnvironment, type DiskFault, type DiskShimOptions } from './disk-shim.js';
import { seeded, shuffledForEver, whole } from './random.js';
import { saidBefore } from './telling-log.js';
import { NumberBook, SOUND_ORIGINS, addVerdicts, judge, sideBySide, type RecordVerdict } from './verdict.js';
import { buildVictim, root } from './victim.js';

export interface JournalRoundsOptions {
  /** Kills. Power cuts come on top, one for every fourth kill, and disks that fail, one for every fifth. */
  readonly rounds: number;
  readonly seed: number;
  /** The disk under power cuts says that it has synchronised and has not: to see that the campaign sees. */
  readonly liesAboutSync?: boolean;
  /** Where a gate comes to know the time it tells one that is so far off: to see that the campaign sees. */
  readonly tellsTimeOffMs?: number;
  /** Of the operations of a piece of work one in so many meets a failing or a full disk; of a campaign of a whole segment or more one in 40 where omitted, else none. */
  readonly sweepEvery?: number;
  /** Folder for the files of every gate that violated something; none where omitted. */
  readonly keep?: string | undefined;
  /** Gates that are maltreated side by side; 3 where omitted: two cores are busy then. */
  readonly sideBySide?: number;
  readonly onProgress?: (done: number, of: number) => void;
}

export interface JournalRoundsResult extends RecordVerdict {
  readonly rounds: number;
  /** Kinds that were left out because this machine has no C compiler. */
  readonly leftOut: readonly string[];
}

const ROUND_MS = 60_000;
/** A process whose power is to be cut at some operation, and does not come so far, is killed. */
const CUT_MS = 8_000;
/** Cuts made in place of one, where they find nothing that was not synchronised. */
const MOST_CUTS = 3;
/** Draws of a disk's fault until it strikes; a busy machine does less in a round than the usual one. */
const MOST_DRAWS = 4;
/** Each draw aims at an earlier part of the round. */
const NEARER = 1 / 3;
/** Operations of one kind that a start does, and that a round does even on a busy machine. */
const START_OPERATIONS = 15;
const ROUND_OPERATIONS = 120;
/** Room that a round may fill, with its photographs. */
const ROUND_BYTES = 200_000;
const BALLAST_MB = 1 / 8;
/** Operations in which a start, a rebuild, the first commits and the first emptying of the log fall. */
const REBUILD_OPERATIONS = 250;
const CUT_OPERATIONS = [200, 800, 2_500] as const;
const LYING_OPERATIONS = 300;
/** For a victim that has to be killed to say where it stands. */
const LAST_WORDS_MS = 500;
const DRAIN_MS = 120_000;
/** A gate whose numbers were given out twice never drains. */
const HOPELESS_DRAIN_MS = 4_000;
/** Kills of one gate before it is drained and judged, and the next one begins. */
const SEGMENT_ROUNDS = 40;
const SWEEP_EVERY = 40;
const NEXT_SEED = 1_000_003;
/** Of so many kills one is followed by it. */
const POWER_CUT_EVERY = 4;
const DISK_EVERY = 5;
const DAMAGE_EVERY = 3;
const BROKER_KILL_EVERY = 7;
const CLOCK_EVERY = 3;
const COPY_EVERY = 10;
/** Numbers of events that were handed over but not told stay used: they may be on record. */
const NUMBERS = 100_000;
/** A run that went on for so many events after a refusal had the time to put the refusal on record. */
const SETTLED_EVENTS = 20;
/** The victim's exit status where the journal could not be opened. */
const NOT_STARTED = 3;
/**
 * Damages that leave a whole, older database: only the guard's hint tells, and a power cut may have taken that. Together they
 * are more than a gate can know of.
 */
const HINTED: readonly DamageKind[] = ['log-cut', 'log-flipped', 'log-gone', 'database-rolled-back'];

/** Between the moment taken as the true one and the journal's own lie a few statements, on a busy machine. */
const TIME_TOLERANCE_MS = 250;
const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;

const points = ['start', 'write', 'publish', 'acknowledge', 'delete', 'time'] as const;
const clockSteps = ['clock-1970', 'clock-back', 'clock-forward-a-year'] as const;
const diskFaults = ['disk-full', 'disk-full-once', 'io-error-write', 'io-error-sync', 'io-error-read', 'io-error-lasting', 'write-cut-short'] as const;

/** Kinds that a campaign of a whole segment has to have met; those of the disk need a C compiler. */
export const journalFaultKinds: readonly string[] = [...points.map((point) => `killed-at-${point}`), 'broker-killed', ...damages, ...clockSteps, 'times-corrected'];
export const journalDiskFaultKinds: readonly string[] = ['power-cut', ...cutKinds.map((kind) => `power-cut-${kind}`), ...diskFaults];

/**
 * Kills the journal and its uplink, over and over, at random points: while it opens, between write, publish,
 * acknowledge and delete, at any time; cuts the power, so that writes that were not synchronised are gone or torn; fills
 * the disk, lets its operations fail; steps the clock, kills the broker, damages the database. In the end each gate is let
 * drain, and the reference platform's ledger is held against what the writers were told. What is chosen depends on the
 * seed alone.
 */
export async function runJournalRounds({ rounds, seed, liesAboutSync = false, tellsTimeOffMs = 0, sweepEvery, keep, sideBySide: most = 3, onProgress }: JournalRoundsOptions): Promise<JournalRoundsResult> {
  const directory = mkdtempSync(join(tmpdir(), 'laurel-faults-'));
  const shim = compileDiskShim(directory);
  const segments = Array.from({ length: Math.ceil(rounds / SEGMENT_ROUNDS) }, (_, index) => ({
    seed: seed + index * NEXT_SEED,
    rounds: Math.min(SEGMENT_ROUNDS, rounds - index * SEGMENT_ROUNDS),
    directory: join(directory, String(index)),
  }));
  let done = 0;
  try {
    const program = await buildVictim('journal-child.ts');
    const verdicts = await sideBySide(segments, most, async (segment) =>
      new JournalSegment({
        ...segment,
        program,
        shim,
        liesAboutSync,
        tellsTimeOffMs,
        keep,
        onRound: () => {
          done += 1;
          onProgress?.(done, rounds);
        },
      }).run(),
    );
    const swept = rounds < SEGMENT_ROUNDS && sweepEvery === undefined ? undefined : await runDiskSweep({ seed, every: sweepEvery ?? SWEEP_EVERY, sideBySide: most });
    const verdict = addVerdicts(swept === undefined ? verdicts : [...verdicts, swept]);
    const due = rounds < SEGMENT_ROUNDS ? [] : [...journalFaultKinds, ...(shim === undefined ? [] : journalDiskFaultKinds)];
    const never = due.filter((kind) => verdict.faults[kind] === undefined && (kind !== 'broker-killed' || existsSync(mosquittoPath)));
    return {
      rounds,
      ...verdict,
      violations: [...verdict.violations, ...never.map((kind) => `${kind} never happened in a whole campaign`)],
      leftOut: shim === undefined ? journalDiskFaultKinds : [],
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface SegmentOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly directory: string;
  readonly program: string;
  readonly shim: string | undefined;
  readonly liesAboutSync: boolean;
  readonly tellsTimeOffMs: number;
  readonly keep: string | undefined;
  readonly onRound: () => void;
}

/** What the victim is given, beside where things are. */
interface Part {
  readonly point: (typeof points)[number] | 'none';
  readonly countdown: number;
  readonly delayMs: number;
  readonly burst: number;
  readonly ballastMB: number;
  readonly photographs: boolean;
  readonly clockSteps: readonly { readonly afterMs: number; readonly offsetMs: number; readonly vouched: boolean }[];
}

/** One gate, from its first start to the judgement. */
class JournalSegment {
  readonly #options: SegmentOptions;
  readonly #random: () => number;
  readonly #data: string;
  readonly #copy: string;
  readonly #record: string;
  readonly #told: string;
  readonly #gate: string;
  readonly #faults: Record<string, number> = {};
  readonly #violations: string[] = [];
  readonly #book = new NumberBook();
  readonly #order = new ArrivalOrder();
  /** Events the gate has put on record as not written, by epoch. */
  readonly #notWritten = new Map<number, number>();
  /** What each round did, for the report. */
  readonly #rounds: string[] = [];
  #broker: Awaited<ReturnType<typeof startBroker>> | undefined;
  /** Where the gate finds the broker. */
  #url = '';
  /** Sequences that a damage to the files may have taken. */
  readonly #destroyed = new Set<number>();
  /** Sequences that a rebuild said it had no room for on a full disk: they have to be in a file that was set aside. */
  readonly #noRoom: { readonly first: number; readonly last: number }[] = [];
  /** As they came to the platform, by number. */
  readonly #arrived = new Map<number, EventMessage['events'][number]>();
  /** Runs of the machine so far: each power cut begins one. */
  #boots = 1;
  #lost = 0;

  constructor(options: SegmentOptions) {
    this.#options = options;
    this.#random = seeded(options.seed);
    this.#data = join(options.directory, 'data');
    this.#copy = join(options.directory, 'older.db');
    this.#record = join(options.directory, 'record');
    this.#told = join(options.directory, 'told');
    this.#gate = 'victim';
  }

  async run(): Promise<RecordVerdict> {
    const { directory, rounds, shim, onRound } = this.#options;
    const random = this.#random;
    mkdirSync(this.#data, { recursive: true });
    appendFileSync(this.#told, '');
    const broker = await startBroker(directory);
    this.#broker = broker;
    // A broker that is killed loses what it has taken: only who sees what it was given can say that the gate kept the order.
    const proxy = broker.port === undefined ? undefined : await MqttProxy.to(broker.port);
    if (proxy !== undefined) proxy.onHandedOver = (packet, connection) => this.#order.sawPacket(packet, connection.number);
    this.#url = proxy?.url ?? broker.url;
    const platform = new ReferencePlatform({
      url: broker.url,
      log: silentLog,
      protocol: broker.protocol,
      reconnectMs: 20,
      onEvent: (_, event, historical) => {
        this.#order.arrived(event.seq, historical);
        this.#book.enter(event.payload.number, event.seq);
        if (typeof event.payload.number === 'number') this.#arrived.set(event.payload.number, event);
        if (event.type === 'journal.recovered' && typeof event.payload.noRoomFor === 'string') this.#noteNoRoom(event.payload.gaps);
        const { reason, count } = event.payload;
        if (event.type === 'journal.lost' && reason === 'not-written' && typeof count === 'number') this.#notWritten.set(event.epoch, (this.#notWritten.get(event.epoch) ?? 0) + count);
      },
    });
    const nextPoint = shuffledForEver(points, random);
    const nextDamage = shuffledForEver(damages, random);
    const nextDisk = shuffledForEver(diskFaults, random);
    const nextClock = shuffledForEver(clockSteps, random);
    const nextCut = shuffledForEver(cutKinds, random);
    const share = (round: number, every: number, at: number): boolean => round % every === at % every || (rounds < every && round === rounds);
    /** One that is due. */
    let damage: DamageKind | undefined;
    try {
      await platform.start();
      for (let round = 1; round <= rounds; round += 1) {
        const clock = share(round, CLOCK_EVERY, 1) ? nextClock.next().value : undefined;
        await this.#kill(nextPoint.next().value, round % BROKER_KILL_EVERY === 0, clock);
        if (round % COPY_EVERY === COPY_EVERY / 2 && existsSync(this.#databasePath)) copyFileSync(this.#databasePath, this.#copy);
        if (shim !== undefined && share(round, POWER_CUT_EVERY, 3)) for (let cuts = 1; cuts <= MOST_CUTS; cuts += 1) if (await this.#powerCut(shim, nextCut.next().value)) break;
        if (shim !== undefined && share(round, DISK_EVERY, 4)) {
          const kind = nextDisk.next().value;
          for (let draws = 1; draws <= MOST_DRAWS; draws += 1) if (await this.#badDisk(shim, kind, NEARER ** (draws - 1))) break;
        }
        if (round % DAMAGE_EVERY === 0 || (rounds < DAMAGE_EVERY && round === rounds)) damage ??= nextDamage.next().value;
        // The power goes, and what comes back on is damaged: nothing has been started in between.
        const afterCut = damage !== undefined && !HINTED.includes(damage) && shim !== undefined && random() < 0.3;
        if (afterCut) await this.#powerCut(shim, nextCut.next().value);
        // A start takes down in the guard, for good, how far the journal is; the round's own power cut may have taken its last word.
        if (damage !== undefined && HINTED.includes(damage)) await this.#kill('write', false, undefined);
        if (damage !== undefined && this.#damage(damage)) {
          damage = undefined;
          if (afterCut) this.#count('damaged-after-power-cut');
          // What is rebuilt may be cut off in the middle.
          if (shim !== undefined && random() < 0.5) await this.#powerCut(shim, nextCut.next().value, REBUILD_OPERATIONS);
          else if (random() < 0.5) await this.#kill('start', false, undefined);
        }
        onRound();
      }
      await this.#spawn({ point: 'none', countdown: 0, delayMs: 0, burst: 1, ballastMB: 0, photographs: false, clockSteps: [] }, {}, { limitMs: this.#options.liesAboutSync ? HOPELESS_DRAIN_MS : DRAIN_MS });
      return this.#judge(platform);
    } finally {
      await platform.stop();
      proxy?.stop();
      await broker.stop();
    }
  }

  get #boot(): string {
    return `boot-${this.#boots}`;
  }

  get #databasePath(): string {
    return join(this.#data, 'journal.db');
  }

  #count(kind: string): void {
    this.#faults[kind] = (this.#faults[kind] ?? 0) + 1;
  }

  async #kill(point: (typeof points)[number], brokerDies: boolean, clock: (typeof clockSteps)[number] | undefined): Promise<void> {
    const random = this.#random;
    const part: Part = {
      point,
      countdown: point === 'start' || point === 'delete' ? 1 : whole(random, 1, point === 'write' ? 40 : 12),
      delayMs: point === 'time' ? whole(random, 20, 400) : random() < 0.4 ? 0 : whole(random, 0, point === 'start' ? 25 : point === 'delete' ? 20 : 5),
      burst: whole(random, 1, 12),
      ballastMB: 0,
      photographs: random() < 0.3,
      clockSteps: clock === undefined ? [] : stepsOf(clock, random),
    };
    const brokerMs = whole(random, 50, 250);
    const before = this.#lines().length;
    const gone = this.#spawn(part, {});
    if (brokerDies && this.#broker?.kill !== undefined) {
      await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, brokerMs))]);
      await this.#broker.kill();
      await this.#broker.restart?.();
      this.#count('broker-killed');
    }
    await gone;
    this.#count(point === 'start' ? this.#deathAtStart(before) : `killed-at-${point}`);
    if (clock !== undefined) this.#count(clock);
  }

  /** How far a start had come that was to be killed while the journal was being opened. */
  #deathAtStart(before: number): string {
    const told = this.#lines().slice(before).map(([kind]) => kind);
    return told.includes('started') ? 'killed-after-start' : told.includes('opened') ? 'killed-at-start' : 'killed-before-start';
  }

  /**
   * The process ends in the middle of an operation, and the disk has forgotten what was not synchronised.
   * @returns whether there was anything to forget
   */
  async #powerCut(shim: string, drawn: (typeof cutKinds)[number], operations?: number): Promise<boolean> {
    const random = this.#random;
    const { liesAboutSync } = this.#options;
    // Of what a lying disk was told all is dropped, and not before there is something.
    const kind = liesAboutSync ? 'none' : drawn;
    const least = liesAboutSync ? LYING_OPERATIONS : 1;
    // Most cuts meet the start or the first commits; some come as late as the log is emptied into the database.
    const most = operations ?? CUT_OPERATIONS[whole(random, 0, CUT_OPERATIONS.length - 1)] ?? 0;
    // The page cache outlives a process: what one left unsynchronised may go with the power of the next.
    const runs = random() < 0.3 ? 2 : 1;
    const fail: DiskFault | undefined = random() < 0.3 ? { first: whole(random, 1, START_OPERATIONS), count: whole(random, 1, 4), error: 'EIO', kinds: ['sync', 'own'] } : undefined;
    const hits = this.#noHits();
    const image = new DiskImage(this.#data);
    const before = this.#lines().length;
    for (let run = 1; run <= runs; run += 1) {
      // One record for each: the last entry of one that was killed by time may be cut short.
      rmSync(this.#record, { force: true });
      const part: Part = { point: 'time', countdown: 1, delayMs: CUT_MS, burst: whole(random, 1, 30), ballastMB: 0, photographs: random() < 0.5, clockSteps: [] };
      await this.#spawn(part, this.#under(shim, { log: this.#record, cutAt: whole(random, least, Math.max(least, most)), liesAboutSync, hits, ...(fail === undefined ? {} : { fail }) }), { mayFail: fail !== undefined });
      if (existsSync(this.#record)) image.play(readFileSync(this.#record));
    }
    const dropped = image.cut(kind, random);
    this.#boots += 1;
    // One that finds nothing to drop is as a kill.
    this.#count(dropped ? 'power-cut' : 'power-cut-nothing-dropped');
    this.#count(`power-cut-${kind}`);
    if (runs > 1) this.#count('power-cut-after-kill');
    if (struck(hits)) {
      this.#count('power-cut-after-sync-error');
      // What a failed synchronisation left is gone from the middle of a file: that has to be noticed and mended, and no event with it.
      appendFileSync(this.#told, 'suspect\n');
    }
    if (operations !== undefined) this.#count('power-cut-after-damage');
    this.#checkPhotographs(before);
    return dropped;
  }

  /**
   * @param reach part of a usual round in which it begins
   * @returns whether the disk's fault met the journal; one that came to lie beside what it did is no fault, and is drawn again
   */
  async #badDisk(shim: string, kind: (typeof diskFaults)[number], reach: number): Promise<boolean> {
    const random = this.#random;
    const hits = this.#noHits();
    // A ballast, as a gate has: without one a full disk costs events at once.
    const ballastMB = kind === 'io-error-read' || kind === 'io-error-sync' ? 0 : BALLAST_MB;
    // Long enough that what the disk did not take is tried again.
    const part: Part = { point: 'time', countdown: 1, delayMs: whole(random, 600, 1_200), burst: whole(random, 1, 30), ballastMB, photographs: kind === 'disk-full' || random() < 0.3, clockSteps: [] };
    await this.#spawn(part, this.#under(shim, { ...diskOf(kind, random, reach), hits }), { mayFail: true });
    if (!struck(hits)) {
      this.#count('disk-fault-not-struck');
      return false;
    }
    this.#count(kind);
    return true;
  }

  /** A file for the disk to say in that its fault struck. */
  #noHits(): string {
    const hits = join(this.#options.directory, 'hits');
    rmSync(hits, { force: true });
    return hits;
  }

  #under(shim: string, options: Omit<DiskShimOptions, 'root'>): Readonly<Record<string, string>> {
    return diskShimEnvironment(shim, { root: this.#data, ...options });
  }

  /** @returns whether it could be done; a journal that is not whole already has to be started first */
  #damage(kind: DamageKind): boolean {
    const damage = damageJournal(kind, { directory: this.#data, older: this.#copy, factKey: FACT, random: this.#random });
    if (damage === undefined) return false;
    this.#count(kind);
    for (const seq of damage.destroyed) this.#destroyed.add(seq);
    this.#rounds.push(kind);
    appendFileSync(this.#told, `damaged ${damage.fact ?? 'untouched'}\n`);
    return true;
  }

  /**
   * Runs a victim to its end.
   * @param mayFail its disk may be one on which no journal can be opened
   */
  async #spawn(part: Part, environment: Readonly<Record<string, string>>, { limitMs = ROUND_MS, mayFail = false }: { readonly limitMs?: number; readonly mayFail?: boolean } = {}): Promise<void> {
    const broker = this.#broker;
    if (broker === undefined) return;
    const url = this.#url;
    appendFileSync(this.#told, `boot ${this.#boot}\n`);
    const number = this.#rounds.push(`${JSON.stringify(part)} ${Object.entries(environment).filter(([name]) => name.startsWith('LAUREL')).map(([name, value]) => `${name}=${value}`).join(' ')}`);
    const settings = { ...part, directory: this.#data, gate: this.#gate, told: this.#told, url, protocol: broker.protocol, boot: this.#boot, tellsTimeOffMs: this.#options.tellsTimeOffMs, firstNumber: number * NUMBERS };
    const child = spawn(process.execPath, [this.#options.program, JSON.stringify(settings)], { cwd: root, env: { ...process.env, ...environment }, stdio: ['ignore', 'ignore', 'inherit'] });
    await new Promise<void>((resolve) => {
      const limit = setTimeout(() => {
        this.#violations.push(`part ${number} had to be killed after ${limitMs} ms: ${this.#rounds[number - 1] ?? ''}`);
        child.kill('SIGUSR2');
        setTimeout(() => child.kill('SIGKILL'), LAST_WORDS_MS);
      }, limitMs);
      child.once('close', (status) => {
        clearTimeout(limit);
        if (status === NOT_STARTED && !mayFail) this.#violations.push(`part ${number}: the journal could not be opened (${this.#lines().findLast(([kind]) => kind === 'failed')?.[2] ?? ''}): ${this.#rounds[number - 1] ?? ''}`);
        else if (status !== null && status !== 0 && status !== NOT_STARTED) this.#violations.push(`part ${number} ended with status ${status}; see its error output`);
        resolve();
      });
    });
  }

  #lines(): readonly (readonly string[])[] {
    return readFileSync(this.#told, 'utf8').split('\n').slice(0, -1).map((line) => line.split(' '));
  }

  /**
   * Photographs that were told saved by the runs that ended in a power cut have to be there, as far back as the retention keeps
   * them. Those of an earlier run may have given way to a full disk.
   * @param before lines told before these runs
   */
  #checkPhotographs(before: number): void {
    let keptBytes = PHOTOGRAPHS_MB * 1e6 - UNTOLD_PHOTOGRAPHS_BYTES;
    let gone = 0;
    for (const [kind, id = '', bytes] of this.#lines().slice(before).reverse()) {
      if (kind !== 'photograph') continue;
      keptBytes -= Number(bytes);
      if (keptBytes < 0) break;
      const path = join(this.#data, 'evidence', id.slice(0, 2), `${id.slice(2)}.jpg`);
      if (existsSync(path) && hash('sha256', readFileSync(path), 'hex') === id) continue;
      gone += 1;
    }
    this.#lost += gone;
    if (gone > 0) this.#violations.push(`part ${this.#rounds.length}: photographs told saved are gone after the power cut: ${gone}`);
  }

  #noteNoRoom(gaps: unknown): void {
    for (const gap of Array.isArray(gaps) ? gaps : []) {
      const range = gapSchema.safeParse(gap);
      if (range.success) this.#noRoom.push(range.data);
    }
  }

  /** Of these sequences: those that a rebuild had no room for, and that anybody can read in the files it set aside. */
  #setAside(seqs: readonly number[]): readonly number[] {
    const wanted = seqs.filter((seq) => this.#noRoom.some(({ first, last }) => first <= seq && seq <= last));
    const folder = join(this.#data, 'damaged');
    if (wanted.length === 0 || !existsSync(folder)) return [];
    const found = readdirSync(folder).filter((name) => name.endsWith('.db')).flatMap((name) => readableEvents(join(folder, name), wanted));
    return [...new Set(found)];
  }

  /**
   * What the platform takes for the time of an event, against the true time at which it was handed over. An event under a
   * clock that was not trusted gets its time in the end, if the clock became known in that run of the machine; where a damage
   * came over the knowledge it may go without, but never with a wrong one.
   */
  #judgeTimes(platform: ReferencePlatform): void {
    const wrong: string[] = [];
    const knownBoots = new Set<string>();
    let untimed: { readonly boot: string; readonly number: number }[] = [];
    let corrected = 0;
    let boot = '';
    for (const [kind, first = '', , third = ''] of this.#lines()) {
      if (kind === 'boot') boot = first;
      else if (kind === 'known') knownBoots.add(first);
      else if (kind === 'damaged') {
        untimed = [];
        knownBoots.clear();
      } else if (kind === 'event') {
        const event = this.#arrived.get(Number(first));
        const wallMs = event === undefined ? undefined : platform.wallTimeOf('faults', this.#gate, event);
        if (event?.clockTrusted === false && wallMs !== undefined) corrected += 1;
        if (event !== undefined && wallMs === undefined) untimed.push({ boot, number: Number(first) });
        if (wallMs !== undefined && Math.abs(wallMs - Number(third)) > TIME_TOLERANCE_MS) wrong.push(`${event?.seq} by ${Math.round(wallMs - Number(third))} ms (${event?.clockTrusted === true ? 'trusted' : 'corrected'})`);
      }
    }
    if (corrected > 0) this.#faults['times-corrected'] = corrected;
    const forgotten = untimed.filter((event) => knownBoots.has(event.boot));
    if (wrong.length > 0) this.#violations.push(`the platform has ${wrong.length} events with a wrong time: ${wrong.slice(0, 3).join(', ')}`);
    if (forgotten.length > 0) this.#violations.push(`${forgotten.length} events of a run of the machine whose clock became known never got their time at the platform, number ${forgotten[0]?.number} first`);
  }

  #judge(platform: ReferencePlatform): RecordVerdict {
    const told = new Map<number, number>();
    let fact = 0;
    let undeclared = 0;
    let brokenAtGate = 0;
    let drained = false;
    // Of the run looked at.
    let epoch = 0;
    let refused: number[] = [];
    let after = 0;
    const endRun = (): void => {
      const missing = refused.filter((number) => !this.#book.numbers.has(number)).length - (this.#notWritten.get(epoch) ?? 0);
      if (after < SETTLED_EVENTS || missing <= 0) return;
      undeclared += missing;
      this.#violations.push(`epoch ${epoch}: ${missing} of ${refused.length} refused events are not on record as refused`);
    };
    // Whether the files were damaged since they were mended last, or their disk gave reason to take them for it. It may show late.
    let damaged = false;
    const lines = this.#lines();
    for (const [index, [kind = '', first = '', second = '', third = '']] of lines.entries()) {
      switch (kind) {
        case 'event':
          told.set(Number(first), Number(second));
          after += 1;
          break;
        case 'refused':
          refused.push(Number(first));
          after = 0;
          break;
        case 'fact':
          fact = Number(first);
          break;
        case 'started':
          endRun();
          epoch = Number(first);
          refused = [];
          after = 0;
          if (!SOUND_ORIGINS.includes(third)) {
            if (!damaged) this.#violations.push(`epoch ${epoch}: the journal is "${third}" though nothing damaged it${saidBefore(lines, index)}`);
            damaged = false;
          }
          if (Number(second) < fact) {
            this.#lost += 1;
            this.#violations.push(`epoch ${epoch}: a fact told remembered (${fact}) is gone; ${second} is recalled`);
          }
          break;
        case 'damaged':
          damaged = true;
          if (first !== 'untouched') fact = Math.min(fact, Number(first));
          break;
        case 'suspect':
          damaged = true;
          break;
        case 'verified':
          // A bit flipped in an old row is found by this walk: that is what the chain is for. It breaks there or at the next.
          if (second !== '0' && !this.#destroyed.has(Number(second)) && !this.#destroyed.has(Number(second) - 1)) {
            brokenAtGate += 1;
            this.#violations.push(`the gate's own chain is broken at ${second}`);
          }
          break;
        case 'drained':
          drained = true;
          break;
        default:
      }
    }
    endRun();
    this.#judgeTimes(platform);
    if (told.size === 0) this.#violations.push('no event was ever told to be on record');
    if (!drained) this.#violations.push('the last run did not drain its backlog');
    const ledger = platform.ledger('faults', this.#gate);
    const blamed = this.#order.blamed(ledger.reordered);
    if (blamed.length > 0) this.#violations.push(`${blamed.length} events came out of order: ${blamed.slice(0, 2).map((seq) => this.#order.explain(seq)).join('; ')}`);
    const elsewhere = this.#setAside([...told.values()]);
    if (elsewhere.length > 0) this.#faults['set-aside-for-room'] = elsewhere.length;
    const { lostNumbers, swaps, ...verdict } = judge(told, this.#book, { ...ledger, reordered: blamed }, new Set([...this.#destroyed, ...elsewhere]));
    this.#violations.push(...swaps);
    for (const part of new Set(lostNumbers.map((number) => Math.floor(number / NUMBERS)))) this.#violations.push(`events told in part ${part} are lost: ${this.#rounds.slice(Math.max(0, part - 2), part + 2).join(' | ')}`);
    const total = { ...verdict, lost: verdict.lost + this.#lost, chainBroken: verdict.chainBroken + brokenAtGate, undeclaredLoss: verdict.undeclaredLoss + undeclared };
    const bad = total.lost + total.doubled + total.reordered + total.chainBroken + total.undeclaredLoss;
    const replay = `npm run faults -- --only journal --seed ${this.#options.seed} --rounds ${this.#options.rounds}`;
    const { keep, directory, seed } = this.#options;
    if (keep !== undefined && bad + this.#violations.length > 0) cpSync(directory, join(keep, `journal-${seed}`), { recursive: true });
    const violations = bad > 0 && this.#violations.length === 0 ? [`lost ${total.lost}, doubled ${total.doubled}, reordered ${total.reordered}, chain broken ${total.chainBroken}, undeclared ${total.undeclaredLoss}`] : this.#violations;
    return { ...total, faults: this.#faults, violations: violations.map((violation) => `${violation} (${replay})`) };
  }
}

const gapSchema = z.object({ first: z.number(), last: z.number(), reason: z.literal('disk-full') });

function struck(hits: string): boolean {
  return existsSync(hits) && readFileSync(hits).length > 0;
}

/** A box that wakes in 1970, and may be told the time later; a clock that is set wrong, from the start or while it was trusted. Nobody stands behind a wrong time. */
function stepsOf(step: (typeof clockSteps)[number], random: () => number): Part['clockSteps'] {
  const afterMs = random() < 0.5 ? 0 : whole(random, 20, 250);
  switch (step) {
    case 'clock-1970':
      return [{ afterMs: 0, offsetMs: -Date.now(), vouched: false }, ...(afterMs === 0 ? [] : [{ afterMs, offsetMs: 0, vouched: true }])];
    case 'clock-back':
      return [{ afterMs, offsetMs: -HOUR_MS, vouched: false }];
    case 'clock-forward-a-year':
      return [{ afterMs, offsetMs: YEAR_MS, vouched: false }];
  }
}

function diskOf(kind: (typeof diskFaults)[number], random: () => number, reach: number): Omit<DiskShimOptions, 'root'> {
  const by = (most: number): number => whole(random, 1, Math.ceil(most * reach));
  const first = by(random() < 0.3 ? START_OPERATIONS : ROUND_OPERATIONS);
  switch (kind) {
    case 'disk-full':
      // What a gate deletes gives room for long: a disk that fills up at some moment strikes sooner than one that is nearly full.
      return random() < 0.6 ? { fullFromWrite: first } : { spaceBytes: by(ROUND_BYTES) + (random() < 0.5 ? 0 : BALLAST_MB * 2e6) };
    case 'disk-full-once':
      return { fail: { first, count: whole(random, 1, 6), error: 'ENOSPC', kinds: ['write', 'own'] } };
    case 'io-error-write':
      return { fail: { first, count: whole(random, 1, 3), error: 'EIO', kinds: ['write', 'own'] } };
    case 'io-error-sync':
      return { fail: { first: by(START_OPERATIONS), count: whole(random, 1, 4), error: 'EIO', kinds: ['sync', 'own'] } };
    case 'io-error-read':
      return { fail: { first, count: whole(random, 1, 3), error: 'EIO', kinds: ['read', 'own'] } };
    case 'io-error-lasting':
      return { fail: { first, count: whole(random, 20, 400), error: random() < 0.5 ? 'EIO' : 'ENOSPC', kinds: ['write', 'sync', 'own'] } };
    case 'write-cut-short':
      return { fail: { first, count: whole(random, 1, 4), error: 'ENOSPC', kinds: ['write', 'half', 'own'] } };
  }
}
