import type { EvidenceStore } from './evidence-store.js';
import type { Moment, Retention } from './protocol.js';
import type { Aged, JournalStore, RawEvidence } from './store.js';
import type { EvidenceInfo } from './types.js';

const DAY_MS = 86_400_000;
const MEGABYTE = 1_000_000;
/** Rows looked at in one slice, so that waiting events are not held up. */
const SLICE_EVENTS = 500;
const SLICE_PHOTOGRAPHS = 20;
/** Whole pictures give way before the small ones of plates. */
const KINDS: readonly EvidenceInfo['kind'][] = ['frame', 'plate'];

/**
 * How far rows, which lie in order of time, are too old. A row under an untrusted clock ages with the next trusted one
 * after it: its own time says nothing, and a clock that jumped ahead must not empty a gate.
 */
class Aging {
  /** Up to here all rows are known to be under untrusted clocks. */
  #looked = 0;
  #old = 0;

  /** Up to this row all are too old. */
  get old(): number {
    return this.#old;
  }

  /**
   * Looks at one slice.
   * @param from rows up to here are gone
   * @returns whether there is more to look at
   */
  look(from: number, read: (after: number) => readonly Aged[], oldestMs: number): boolean {
    if (this.#old > from) return true;
    const rows = read(Math.max(from, this.#looked));
    const trusted = rows.filter((row) => row.clockTrusted === 1);
    for (const row of trusted) {
      if (row.wallMs >= oldestMs) return this.#old > from;
      this.#old = row.place;
    }
    if (trusted.length === 0) this.#looked = rows.at(-1)?.place ?? this.#looked;
    return rows.length > 0;
  }
}

/** Removes what has been kept long enough, a slice at a time. */
export class Retirement {
  readonly #events = new Aging();
  readonly #pictures: Readonly<Record<EvidenceInfo['kind'], Aging>> = { frame: new Aging(), plate: new Aging() };

  /**
   * Removes some of the photographs that are too old for their kind, too many, or in the way of the ballast.
   * @returns whether there may be more to remove
   */
  photographs(store: JournalStore, files: EvidenceStore, retention: Retention, moment: Moment, bytesShort: number): boolean {
    let more = false;
    let over = Math.max(store.evidenceBytes() - retention.photographsMB * MEGABYTE, bytesShort);
    for (const kind of KINDS) {
      const aging = this.#pictures[kind];
      const oldest = store.oldestEvidence(kind, SLICE_PHOTOGRAPHS);
      const first = oldest[0];
      if (first === undefined) continue;
      const days = kind === 'frame' ? retention.photographsDays : retention.platePicturesDays;
      if (moment.clockTrusted && aging.look(first.row - 1, (after) => store.evidenceAges(kind, after, SLICE_PHOTOGRAPHS), moment.wallMs - days * DAY_MS)) more = true;
      const due: RawEvidence[] = [];
      for (const row of oldest) {
        if (row.row > aging.old && over <= 0) break;
        due.push(row);
        over -= row.bytes;
      }
      remove(store, files, due);
      if (due.length > 0) more = true;
    }
    return more;
  }

  /**
   * Removes some of the oldest events: acknowledged by the platform, and too old or beyond the byte limit. All types share
   * one limit, since the hash chain runs through all of them and a hole in it could not be told from tampering.
   * @returns whether there may be more to remove
   */
  events(store: JournalStore, retention: Retention, moment: Moment): boolean {
    const { acknowledged, prunedThrough } = store.state;
    if (acknowledged <= prunedThrough) return false;
    const read = (after: number): readonly Aged[] => store.eventAges(after, acknowledged, SLICE_EVENTS);
    if (store.usedBytes() > retention.eventsMB * MEGABYTE) return prune(store, read(prunedThrough), acknowledged);
    if (!moment.clockTrusted) return false;
    const more = this.#events.look(prunedThrough, read, moment.wallMs - retention.eventsDays * DAY_MS);
    if (this.#events.old <= prunedThrough) return more;
    return prune(store, read(prunedThrough), this.#events.old);
  }
}

function prune(store: JournalStore, oldest: readonly Aged[], through: number): boolean {
  const last = oldest.findLast((row) => row.place <= through);
  if (last === undefined) return false;
  store.pruneThrough(last.place);
  return true;
}

/**
 * Removes the oldest photographs until so many bytes are free.
 * @returns bytes freed
 */
export function room(store: JournalStore, files: EvidenceStore, bytes: number): number {
  let freed = 0;
  for (const kind of KINDS) {
    while (freed < bytes) {
      const oldest = store.oldestEvidence(kind, SLICE_PHOTOGRAPHS);
      if (oldest.length === 0) break;
      // The files go first: on a full disk the rows can only be deleted once there is room to write.
      for (const row of oldest) if (files.remove(row.id)) freed += row.bytes;
      remove(store, files, oldest);
    }
  }
  return freed;
}

function remove(store: JournalStore, files: EvidenceStore, rows: readonly RawEvidence[]): void {
  if (rows.length === 0) return;
  for (const id of store.dropEvidence(rows)) files.remove(id);
}
