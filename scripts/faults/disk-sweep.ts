import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GateLedger, eventMessageSchema } from '../../src/uplink/index.js';
import { DiskImage, cutKinds } from './disk-image.js';
import { compileDiskShim, diskShimEnvironment, type DiskShimOptions } from './disk-shim.js';
import { seeded, whole } from './random.js';
import { saidBefore } from './telling-log.js';
import { NumberBook, SOUND_ORIGINS, addVerdicts, judge, sideBySide, type RecordVerdict } from './verdict.js';
import { buildVictim, root } from './victim.js';

export interface DiskSweepOptions {
  readonly seed: number;
  /** One of so many operations is met; 1 for each of them. */
  readonly every: number;
  /** All where omitted. */
  readonly kinds?: readonly SweepKind[];
  /** On a new gate, on one that has served; both where omitted. */
  readonly gates?: readonly ('new' | 'served')[];
  /** 3 where omitted. */
  readonly sideBySide?: number;
  /** The disk says that it has synchronised and has not: to see that the judge sees. */
  readonly liesAboutSync?: boolean;
  readonly onPoint?: (done: number) => void;
}

/** What the n-th operation of its kind meets. */
const meetings = {
  'sweep-io-error-write': (n) => ({ fail: { first: n, count: 1, error: 'EIO', kinds: ['write', 'own'] } }),
  'sweep-io-error-read': (n) => ({ fail: { first: n, count: 1, error: 'EIO', kinds: ['read', 'own'] } }),
  'sweep-io-error-sync': (n) => ({ fail: { first: n, count: 1, error: 'EIO', kinds: ['sync', 'own'] } }),
  'sweep-disk-full': (n) => ({ fullFromWrite: n }),
  'sweep-disk-full-once': (n) => ({ fail: { first: n, count: 1, error: 'ENOSPC', kinds: ['write', 'own'] } }),
} as const satisfies Readonly<Record<string, (n: number) => Omit<DiskShimOptions, 'root'>>>;
export type SweepKind = keyof typeof meetings;
const isKind = (text: string): text is SweepKind => text in meetings;
export const sweepKinds: readonly SweepKind[] = Object.keys(meetings).filter(isKind);

/** Of so many points one is followed by a power cut, the others by a kill. */
const CUT_EVERY = 3;
/** After so many operations that were never come to the work is over; how many it does depends a little on time. */
const BEYOND = 2;
const LIMIT_MS = 15_000;
const FIRST_NUMBERS = { before: 0, work: 100_000 };

/**
 * Lets the disk fail at one operation of a short, fixed piece of work after the other: the n-th write or synchronisation
 * fails, the disk is full once or from the n-th write on; on a new gate and on one that has served, and every third time the
 * power goes in the end. Then the disk is sound again, the gate drains, and its record is judged as in the rounds.
 * @returns undefined without a C compiler
 */
export async function runDiskSweep({ seed, every, kinds = sweepKinds, gates = ['new', 'served'], sideBySide: most = 3, liesAboutSync = false, onPoint }: DiskSweepOptions): Promise<RecordVerdict | undefined> {
  const directory = mkdtempSync(join(tmpdir(), 'laurel-sweep-'));
  try {
    const shim = compileDiskShim(directory);
    if (shim === undefined) return undefined;
    const program = await buildVictim('sweep-child.ts');
    const served = join(directory, 'served');
    await runVictim(program, served, 'work', FIRST_NUMBERS.before, {});
    const random = seeded(seed);
    const rows = kinds.flatMap((kind) => gates.map((gate) => ({ kind, gate, from: whole(random, 1, every) })));
    let done = 0;
    const verdicts = await sideBySide(rows, most, async ({ kind, gate, from }) => {
      const row: RecordVerdict[] = [];
      for (let n = from, beyond = 0; beyond < BEYOND; n += every) {
        const point = new SweepPoint({ directory: join(directory, `${kind}-${gate}-${n}`), program, shim, kind, n, served: gate === 'served' ? served : undefined, cut: Math.floor(n / every) % CUT_EVERY === 0, liesAboutSync, seed });
        const verdict = await point.run();
        beyond = verdict === undefined ? beyond + 1 : 0;
        if (verdict !== undefined) row.push(verdict);
        done += 1;
        onPoint?.(done);
      }
      return addVerdicts(row);
    });
    return addVerdicts(verdicts);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface PointOptions {
  readonly directory: string;
  readonly program: string;
  readonly shim: string;
  readonly kind: SweepKind;
  readonly n: number;
  /** A gate that has served, to go on with; a new one where undefined. */
  readonly served: string | undefined;
  readonly cut: boolean;
  readonly liesAboutSync: boolean;
  readonly seed: number;
}

class SweepPoint {
  readonly #options: PointOptions;
  readonly #violations: string[] = [];

  constructor(options: PointOptions) {
    this.#options = options;
  }

  /** @returns undefined where the work does not come to the n-th operation */
  async run(): Promise<RecordVerdict | undefined> {
    const { directory, program, shim, kind, n, served, cut, liesAboutSync, seed } = this.#options;
    const data = join(directory, 'data');
    const [record, hits] = [join(directory, 'record'), join(directory, 'hits')];
    const cuts = cut || liesAboutSync;
    try {
      mkdirSync(directory, { recursive: true });
      if (served !== undefined) cpSync(served, directory, { recursive: true });
      const image = new DiskImage(data);
      await this.#victim(program, 'work', diskShimEnvironment(shim, { root: data, log: record, hits, liesAboutSync, ...meetings[kind](n) }));
      if (!existsSync(hits) || readFileSync(hits).length === 0) return undefined;
      if (cuts) {
        image.play(readFileSync(record));
        const random = seeded(seed + n);
        image.cut(liesAboutSync ? 'none' : (cutKinds[whole(random, 0, cutKinds.length - 1)] ?? 'none'), random);
      }
      await this.#victim(program, 'drain', {});
      return this.#judge(cuts);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  async #victim(program: string, does: 'work' | 'drain', environment: Readonly<Record<string, string>>): Promise<void> {
    if (!(await runVictim(program, this.#options.directory, does, FIRST_NUMBERS.work, environment))) this.#violations.push(`the gate did not come to the end of its ${does}`);
  }

  #judge(cut: boolean): RecordVerdict {
    const { directory, kind, n, served, seed } = this.#options;
    const told = new Map<number, number>();
    let [lost, chainBroken, fact] = [0, 0, 0];
    let drained = false;
    // On a full disk photographs give way.
    const givesWay = kind === 'sweep-disk-full' || kind === 'sweep-disk-full-once';
    const lines = linesOf(join(directory, 'told')).map((line) => line.split(' '));
    for (const [index, [what, first = '', second = '', third = '']] of lines.entries()) {
      drained = what === 'drained';
      if (what === 'event') told.set(Number(first), Number(second));
      else if (what === 'fact') fact = Number(first);
      else if (what === 'photograph' && !givesWay && !this.#has(first)) {
        lost += 1;
        this.#violations.push('a photograph told saved is gone');
      } else if (what === 'verified' && first !== '0') {
        chainBroken += 1;
        this.#violations.push(`the gate's own chain is broken at ${first}`);
      } else if (what === 'started') {
        // What a failed synchronisation left is gone with the power from the middle of a file: that has to be noticed and mended.
        const torn = cut && kind === 'sweep-io-error-sync' && third === 'recovered';
        if (!torn && !SOUND_ORIGINS.includes(third)) this.#violations.push(`epoch ${first}: the journal is "${third}" though nothing damaged it${saidBefore(lines, index)}`);
        if (Number(second) >= fact) continue;
        lost += 1;
        this.#violations.push(`epoch ${first}: a fact told remembered (${fact}) is gone; ${second} is recalled`);
      }
    }
    if (!drained) this.#violations.push('the gate did not drain once its disk was sound again');
    const book = new NumberBook();
    const ledger = new GateLedger();
    for (const line of linesOf(join(directory, 'platform'))) {
      const { entered } = ledger.take(eventMessageSchema.parse(JSON.parse(line)));
      for (const { event } of entered) book.enter(event.payload.number, event.seq);
    }
    const { lostNumbers, swaps, ...verdict } = judge(told, book, ledger.report());
    this.#violations.push(...swaps);
    if (lostNumbers.length > 0) this.#violations.push(`${lostNumbers.length} events that were told to be on record are lost, number ${lostNumbers[0]} first`);
    const total = { ...verdict, lost: verdict.lost + lost, chainBroken: verdict.chainBroken + chainBroken };
    if (total.doubled + total.reordered + total.chainBroken + total.undeclaredLoss > 0) this.#violations.push(`doubled ${total.doubled}, reordered ${total.reordered}, chain broken ${total.chainBroken}, undeclared ${total.undeclaredLoss}`);
    const where = `${kind} at ${n} on ${served === undefined ? 'a new gate' : 'one that has served'}${cut ? ', then a power cut' : ''}`;
    return { ...total, faults: { [kind]: 1, ...(cut ? { 'sweep-power-cut': 1 } : {}) }, violations: this.#violations.map((violation) => `${where}: ${violation} (npm run faults -- --only journal --sweep --seed ${seed})`) };
  }

  #has(photograph: string): boolean {
    const path = join(this.#options.directory, 'data', 'evidence', photograph.slice(0, 2), `${photograph.slice(2)}.jpg`);
    return existsSync(path) && hash('sha256', readFileSync(path), 'hex') === photograph;
  }
}

function linesOf(path: string): readonly string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];
}

/** @returns whether it came to its own end */
async function runVictim(program: string, directory: string, does: 'work' | 'drain', firstNumber: number, environment: Readonly<Record<string, string>>): Promise<boolean> {
  mkdirSync(directory, { recursive: true });
  const settings = { directory: join(directory, 'data'), told: join(directory, 'told'), platform: join(directory, 'platform'), firstNumber, does };
  const child = spawn(process.execPath, [program, JSON.stringify(settings)], { cwd: root, env: { ...process.env, ...environment }, stdio: ['ignore', 'ignore', 'inherit'] });
  return new Promise((resolve) => {
    let late = false;
    const limit = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, LIMIT_MS);
    child.once('close', (status) => {
      clearTimeout(limit);
      resolve(!late && (status === 0 || status === null));
    });
  });
}
