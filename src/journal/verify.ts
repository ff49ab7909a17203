import { setImmediate as turn } from 'node:timers/promises';
import { declaredLost, undeclared, type SequenceRange } from './declared.js';
import { soundEvent, statedHash, type EventText } from './event-text.js';
import type { State } from './store.js';

/** Rows checked at one go; between slices the thread writes what has come in. */
const SLICE_ROWS = 1_000;

/** What a chain is walked on. */
export interface Chain {
  readonly state: Readonly<State>;
  /** Events above `seq`, at most `limit`, as they were recorded. */
  texts(seq: number, limit: number): readonly EventText[];
}

/** Missing sequences. */
interface Hole extends SequenceRange {
  /** Events checked before. */
  readonly checked: number;
}

/**
 * Walks the hash chain: every hash fits its event, every event names the hash before it, no sequence is missing that no
 * later event of the chain declares lost, and the last one is the head. After a declared loss the chain starts anew. What
 * tables beside the events say of losses is not asked: a row there is put in by hand as easily as an event is removed.
 * Where the chain begins, and that nothing followed its head, the database alone cannot prove.
 * @param chain the journal of the moment: a repair may replace it between two slices
 */
export async function verifyChain(chain: () => Chain): Promise<{ checked: number; brokenAt: number | null }> {
  let checked = 0;
  let at = chain().state.prunedThrough;
  let hash = chain().state.prunedHash;
  /** Those that no event has declared so far. */
  let holes: Hole[] = [];
  for (;;) {
    const current = chain();
    const { prunedThrough, prunedHash, head, headHash } = current.state;
    if (at < prunedThrough) {
      at = prunedThrough;
      hash = prunedHash;
      holes = [];
    }
    const rows = current.texts(at, SLICE_ROWS);
    for (const row of rows) {
      if (row.seq !== at + 1) holes.push({ first: at + 1, last: row.seq - 1, checked });
      const event = soundEvent(row);
      if (event === undefined || (row.seq === at + 1 && event.previousHash !== hash)) return { checked, brokenAt: row.seq };
      holes = undeclared(holes, declaredLost(row.text));
      at = row.seq;
      hash = statedHash(row.text);
      checked += 1;
    }
    if (rows.length < SLICE_ROWS) {
      const [hole] = holes;
      if (hole !== undefined) return { checked: hole.checked, brokenAt: hole.first };
      if (at !== head) return { checked, brokenAt: Math.min(at, head) + 1 };
      return { checked, brokenAt: hash === headHash ? null : head };
    }
    await turn();
  }
}
