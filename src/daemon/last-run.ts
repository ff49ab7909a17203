import { errorText, type LaneId, type Log, type PassageId } from '../base/index.js';
import type { EventType, Journal, StoredEvent } from '../journal/index.js';
import type { LearnedRunTimes } from '../lane/index.js';

/** Passage events looked through; far more than can be open at once. */
const LOOK_BACK = 500;
const RUN_TIMES = 'lane-run-times/';

export const runTimesKey = (lane: LaneId): string => `${RUN_TIMES}${lane}`;

/** What a lane goes on from. */
export interface LastRun {
  /** Passages on record as started and never ended, by lane: a power cut in the middle of them. */
  readonly unfinished: ReadonlyMap<LaneId, readonly PassageId[]>;
  readonly learned: ReadonlyMap<LaneId, LearnedRunTimes>;
}

/**
 * Newest first. A journal that opened long after the start holds events of this run above them.
 * @param epoch only events of epochs below
 * @throws GateError JOURNAL_*
 */
export async function earlierEvents(journal: Journal, epoch: number, types: readonly EventType[], most: number): Promise<readonly StoredEvent[]> {
  const found: StoredEvent[] = [];
  let before: number | undefined;
  for (;;) {
    const page = await journal.events({ types, limit: most, newestFirst: true, ...(before === undefined ? {} : { before }) });
    found.push(...page.filter((event) => event.epoch < epoch));
    before = page.at(-1)?.seq;
    if (before === undefined || page.length < most || found.length >= most) return found.slice(0, most);
  }
}

/** What cannot be looked up is logged, and counts as none. @param epoch this run's */
export async function recallLastRun(journal: Journal, epoch: number, log: Log): Promise<LastRun> {
  return { unfinished: await unfinishedPassages(journal, epoch, log), learned: await learnedRunTimes(journal, log) };
}

async function unfinishedPassages(journal: Journal, epoch: number, log: Log): Promise<LastRun['unfinished']> {
  const open = new Map<PassageId, LaneId>();
  try {
    const events = await earlierEvents(journal, epoch, ['passage.started', 'passage.ended'], LOOK_BACK);
    for (const event of [...events].reverse()) {
      if (event.passage === null || event.lane === null) continue;
      if (event.type === 'passage.started') open.set(event.passage, event.lane);
      else open.delete(event.passage);
    }
  } catch (error) {
    log.warn({ error: errorText(error) }, 'passages of the last run cannot be looked up');
  }
  const byLane = new Map<LaneId, PassageId[]>();
  for (const [passage, lane] of open) byLane.set(lane, [...(byLane.get(lane) ?? []), passage]);
  return byLane;
}

async function learnedRunTimes(journal: Journal, log: Log): Promise<LastRun['learned']> {
  const learned = new Map<LaneId, LearnedRunTimes>();
  try {
    const rows = await journal.recallAll(RUN_TIMES);
    const time = (value: unknown): number | null => (typeof value === 'number' && value > 0 ? value : null);
    for (const [key, { openMs, closeMs }] of rows) learned.set(key.slice(RUN_TIMES.length), { openMs: time(openMs), closeMs: time(closeMs) });
  } catch (error) {
    log.warn({ error: errorText(error) }, 'run times measured before the restart cannot be looked up; those configured count');
  }
  return learned;
}
