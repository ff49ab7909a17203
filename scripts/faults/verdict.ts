import type { LedgerReport } from '../../src/uplink/index.js';

/** What a part of the campaign found of the record; all but `told` and `faults` have to be 0. */
export interface RecordVerdict {
  /** Events a writer was told are on record: how many. */
  readonly told: number;
  /** Told and not at the platform, whatever the gate declares, unless a damage to its files took them and it says so; facts and photographs count too. */
  readonly lost: number;
  /** One event under two numbers, or two events under one. */
  readonly doubled: number;
  readonly reordered: number;
  readonly chainBroken: number;
  /** Holes in the platform's ledger that nobody declared, and refused events that were not put on record as refused. */
  readonly undeclaredLoss: number;
  readonly faults: Readonly<Record<string, number>>;
  /** What was violated, with what is needed to play it again. */
  readonly violations: readonly string[];
}

/** How a journal may come to be at a start when nobody damaged its files. */
export const SOUND_ORIGINS: readonly string[] = ['new', 'continued'];

/** The platform's own book of what the load wrote: the events' own numbers, in order of arrival per sequence. */
export class NumberBook {
  readonly numbers = new Map<number, number>();
  doubled = 0;

  enter(number: unknown, seq: number): void {
    if (typeof number !== 'number') return;
    if (this.numbers.has(number)) this.doubled += 1;
    this.numbers.set(number, seq);
  }
}

/**
 * Holds a platform's ledger against what the writers were told: number of an event, and its sequence.
 * @param destroyed sequences that a damage to the gate's files may have taken. A gate that declares one of them lost is
 * excused; no kill, no power cut, no full and no failing disk takes what was told, so it is excused for no other. The same
 * holds for what a rebuild on a full disk had no room for, and anybody can read in the file it set aside.
 */
export function judge(told: ReadonlyMap<number, number>, book: NumberBook, ledger: LedgerReport, destroyed: ReadonlySet<number> = new Set()): Omit<RecordVerdict, 'faults' | 'violations'> & { readonly lostNumbers: readonly number[]; readonly swaps: readonly string[] } {
  const { numbers } = book;
  const declared = (seq: number): boolean => ledger.declared.some(({ first, last }) => first <= seq && seq <= last);
  const lostNumbers = [...told].filter(([number, seq]) => numbers.get(number) !== seq && !(destroyed.has(seq) && declared(seq))).map(([number]) => number);
  const bySequence = [...numbers].sort(([, one], [, other]) => one - other).map(([number]) => number);
  const swapped = bySequence.filter((number, index) => number < (bySequence[index - 1] ?? 0));
  return {
    told: told.size,
    lost: lostNumbers.length,
    doubled: book.doubled + ledger.conflicting.length,
    reordered: swapped.length + ledger.reordered.length,
    chainBroken: ledger.chainBroken.length,
    undeclaredLoss: ledger.missing.reduce((sum, { first, last }) => sum + last - first + 1, 0),
    lostNumbers,
    swaps: swapped.length === 0 ? [] : [`${swapped.length} events have a higher sequence than one that was handed over after them, number ${swapped[0]} first`],
  };
}

export function addVerdicts(verdicts: readonly RecordVerdict[]): RecordVerdict {
  const faults: Record<string, number> = {};
  for (const verdict of verdicts) for (const [kind, count] of Object.entries(verdict.faults)) faults[kind] = (faults[kind] ?? 0) + count;
  const sum = (of: (verdict: RecordVerdict) => number): number => verdicts.reduce((total, verdict) => total + of(verdict), 0);
  return {
    told: sum(({ told }) => told),
    lost: sum(({ lost }) => lost),
    doubled: sum(({ doubled }) => doubled),
    reordered: sum(({ reordered }) => reordered),
    chainBroken: sum(({ chainBroken }) => chainBroken),
    undeclaredLoss: sum(({ undeclaredLoss }) => undeclaredLoss),
    faults,
    violations: verdicts.flatMap(({ violations }) => violations),
  };
}

/**
 * Runs jobs, so many side by side; results in order.
 * @throws what the first that failed threw, once those under way have ended
 */
export async function sideBySide<Job, Result>(jobs: readonly Job[], most: number, run: (job: Job) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const failed: unknown[] = [];
  const worker = async (): Promise<void> => {
    while (failed.length === 0) {
      const index = next;
      next += 1;
      const job = jobs[index];
      if (job === undefined) return;
      await run(job).then(
        (result) => (results[index] = result),
        (error: unknown) => failed.push(error),
      );
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, jobs.length) }, worker));
  if (failed.length > 0) throw failed[0];
  return results;
}
