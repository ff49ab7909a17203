import type { EvidenceStore } from './evidence-store.js';
import type { Moment, Retention } from './protocol.js';
import type { JournalStore, RawEvidence } from './store.js';

const DAY_MS = 86_400_000;
const MEGABYTE = 1_000_000;
/** Rows looked at in one slice, so that waiting events are not held up. */
const SLICE_EVENTS = 500;
const SLICE_PHOTOGRAPHS = 20;

/**
 * Removes some of the photographs that are too old, too many, or in the way of the ballast. Age counts only while the
 * clock is trusted, and only for photographs taken under a trusted clock: a clock that jumped ahead must not empty a gate.
 * @returns whether there was anything to remove
 */
export function pruneEvidence(store: JournalStore, files: EvidenceStore, retention: Retention, moment: Moment, bytesShort: number): boolean {
  let over = Math.max(store.evidenceBytes() - retention.photographsMB * MEGABYTE, bytesShort);
  const oldestMs = moment.wallMs - retention.photographsDays * DAY_MS;
  const due: RawEvidence[] = [];
  for (const row of store.oldestEvidence(SLICE_PHOTOGRAPHS)) {
    const expired = moment.clockTrusted && row.clockTrusted === 1 && row.wallMs < oldestMs;
    if (!expired && over <= 0) break;
    due.push(row);
    over -= row.bytes;
  }
  remove(store, files, due);
  return due.length > 0;
}

/**
 * Removes the oldest photographs until so many bytes are free.
 * @returns bytes freed
 */
export function room(store: JournalStore, files: EvidenceStore, bytes: number): number {
  let freed = 0;
  while (freed < bytes) {
    const oldest = store.oldestEvidence(SLICE_PHOTOGRAPHS);
    if (oldest.length === 0) break;
    // The files go first: on a full disk the rows can only be deleted once there is room to write.
    for (const row of oldest) files.remove(row.id);
    remove(store, files, oldest);
    freed += oldest.reduce((sum, row) => sum + row.bytes, 0);
  }
  return freed;
}

function remove(store: JournalStore, files: EvidenceStore, rows: readonly RawEvidence[]): void {
  if (rows.length === 0) return;
  for (const id of store.dropEvidence(rows)) files.remove(id);
}

/**
 * The sequence up to which events may go now: acknowledged by the platform, and too old or beyond the byte limit.
 * An event under an untrusted clock ages with the next trusted one after it. 0: nothing is due.
 */
export function expiredThrough(store: JournalStore, retention: Retention, moment: Moment): number {
  const { acknowledged, prunedThrough } = store.state;
  if (acknowledged <= prunedThrough) return 0;
  const rows = store.events({ after: prunedThrough, before: acknowledged + 1, limit: SLICE_EVENTS });
  if (store.usedBytes() > retention.eventsMB * MEGABYTE) return rows.at(-1)?.seq ?? 0;
  if (!moment.clockTrusted) return 0;
  const oldestMs = moment.wallMs - retention.eventsDays * DAY_MS;
  let through = 0;
  for (const row of rows) {
    if (!row.clockTrusted) continue;
    if (row.wallMs >= oldestMs) break;
    through = row.seq;
  }
  return through;
}
