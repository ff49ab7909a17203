import { setImmediate as turn } from 'node:timers/promises';
import { soundEvent, statedHash, type EventText } from './event-text.js';
import type { Gap, State } from './store.js';

/** Rows checked at one go; between slices the thread writes what has come in. */
const SLICE_ROWS = 1_000;

/** What a chain is walked on. */
export interface Chain {
  readonly state: Readonly<State>;
  /** Events above `seq`, at most `limit`, as they were recorded. */
  texts(seq: number, limit: number): readonly EventText[];
  gaps(): readonly Gap[];
}

/**
 * Walks the hash chain: every hash fits its event, every event names the hash before it, no sequence is missing that is
 * not declared lost, and the last one is the head. After a declared loss the chain starts anew.
 * @param chain the journal of the moment: a repair may replace it between two slices
 */
export async function verifyChain(chain: () => Chain): Promise<{ checked: number; brokenAt: number | null }> {
  let checked = 0;
  let at = chain().state.prunedThrough;
  let hash = chain().state.prunedHash;
  for (;;) {
    const current = chain();
    if (at < current.state.prunedThrough) {
      at = current.state.prunedThrough;
      hash = current.state.prunedHash;
    }
    const rows = current.texts(at, SLICE_ROWS);
    const gaps = rows.length > 0 && rows.at(-1)?.seq === at + rows.length ? [] : current.gaps();
    for (const row of rows) {
      if (row.seq !== at + 1) {
        const missing = firstUncovered(at + 1, row.seq - 1, gaps);
        if (missing !== null) return { checked, brokenAt: missing };
      }
      const event = soundEvent(row);
      if (event === undefined || (row.seq === at + 1 && event.previousHash !== hash)) return { checked, brokenAt: row.seq };
      at = row.seq;
      hash = statedHash(row.text);
      checked += 1;
    }
    if (rows.length < SLICE_ROWS) {
      const { head, headHash } = current.state;
      if (at === head) return { checked, brokenAt: hash === headHash ? null : head };
      return { checked, brokenAt: firstUncovered(at + 1, head, current.gaps()) ?? null };
    }
    await turn();
  }
}

/** First number from `first` to `last` that no gap covers, or null. */
function firstUncovered(first: number, last: number, gaps: readonly { readonly first: number; readonly last: number }[]): number | null {
  let next = first;
  for (const gap of gaps) {
    if (gap.first > next) break;
    next = Math.max(next, gap.last + 1);
  }
  return next > last ? null : next;
}
