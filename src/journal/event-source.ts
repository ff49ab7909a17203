import type { Database } from 'better-sqlite3';
import { canonicalEvent, eventId, type HashedFields } from './canonical.js';
import { isSound, withHash, type EventText } from './event-text.js';

/** Events of a database of any version, in order of their sequence. */
export interface EventSource {
  /** A point read, which often still works where a scan meets a destroyed page. */
  at(seq: number): EventText | undefined;
  /** Above `seq`, at most `limit`. */
  after(seq: number, limit: number): EventText[];
  /** The sequences there are from `first` to `last`. */
  sequences(first: number, last: number): number[];
  /** The first sequence there is above `seq`. */
  next(seq: number): number | undefined;
  /** The last sequence there is. */
  newest(): number | undefined;
}

/** Table that versions 1 to 3 kept events in, under the name it has while they move out of it. */
export const MOVING_TABLE = 'event_before';

/** An event as versions 1 to 3 kept it. */
interface RawColumns extends Omit<HashedFields, 'id' | 'clockTrusted' | 'previousHash'> {
  readonly gate: string | null;
  readonly clockTrusted: number;
  readonly previousHash: Buffer;
  readonly hash: Buffer;
}

/**
 * Reads events by sequence, in whichever form the database keeps them; in the middle of a migration in both.
 * @param gate id of the gate, taken where a version that kept it apart has lost it
 */
export function eventSource(db: Database, gate: string): EventSource {
  const sources: EventSource[] = [];
  // Those that have moved come first.
  if (hasTexts(db)) sources.push(textSource(db));
  else if (hasTable(db, 'event')) sources.push(columnSource(db, 'event', gate));
  if (hasTable(db, MOVING_TABLE)) sources.push(columnSource(db, MOVING_TABLE, gate));
  return {
    at: (seq) => {
      for (const source of sources) {
        const found = source.at(seq);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    after: (seq, limit) => {
      const found: EventText[] = [];
      for (const source of sources) if (found.length < limit) found.push(...source.after(found.at(-1)?.seq ?? seq, limit - found.length));
      return found;
    },
    sequences: (first, last) => sources.flatMap((source) => source.sequences(first, last)),
    next: (seq) => sources.map((source) => source.next(seq)).find((found) => found !== undefined),
    // Those that wait to be moved are the newest.
    newest: () => sources.map((source) => source.newest()).findLast((found) => found !== undefined),
  };
}

/** Whether the database keeps events as texts, and with them how far it is. */
export function hasTexts(db: Database): boolean {
  return db.prepare("SELECT 1 FROM pragma_table_info('event') WHERE name = 'text'").get() !== undefined;
}

export function hasTable(db: Database, name: string): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined;
}

function textSource(db: Database): EventSource {
  const at = db.prepare<[number], EventText>('SELECT seq, text FROM event WHERE seq = ?');
  const after = db.prepare<[number, number], EventText>('SELECT seq, text FROM event WHERE seq > ? ORDER BY seq LIMIT ?');
  return { at: (seq) => at.get(seq), after: (seq, limit) => after.all(seq, limit), sequences: sequencesIn(db, 'event'), next: nextIn(db, 'event'), newest: newestIn(db, 'event') };
}

function columnSource(db: Database, table: string, gate: string): EventSource {
  const select = `SELECT e.seq, e.epoch, boot.gate, e.type, e.lane, e.passage, e.wall_ms AS wallMs, e.mono_ms AS monoMs,
    e.clock_trusted AS clockTrusted, e.payload AS payloadText, e.previous_hash AS previousHash, e.hash AS hash
    FROM ${table} AS e LEFT JOIN boot ON boot.epoch = e.epoch`;
  const at = db.prepare<[number], RawColumns>(`${select} WHERE e.seq = ?`);
  const after = db.prepare<[number, number], RawColumns>(`${select} WHERE e.seq > ? ORDER BY e.seq LIMIT ?`);
  return {
    at: (seq) => {
      const raw = at.get(seq);
      return raw === undefined ? undefined : textOf(raw, gate);
    },
    after: (seq, limit) => after.all(seq, limit).map((raw) => textOf(raw, gate)),
    sequences: sequencesIn(db, table),
    next: nextIn(db, table),
    newest: newestIn(db, table),
  };
}

function sequencesIn(db: Database, table: string): EventSource['sequences'] {
  const select = db.prepare<[number, number], { seq: number }>(`SELECT seq FROM ${table} NOT INDEXED WHERE seq BETWEEN ? AND ? ORDER BY seq`);
  return (first, last) => select.all(first, last).map(({ seq }) => seq);
}

function nextIn(db: Database, table: string): EventSource['next'] {
  const select = db.prepare<[number], { seq: number }>(`SELECT seq FROM ${table} NOT INDEXED WHERE seq > ? ORDER BY seq LIMIT 1`);
  return (seq) => select.get(seq)?.seq;
}

function newestIn(db: Database, table: string): EventSource['newest'] {
  const select = db.prepare<[], { seq: number }>(`SELECT seq FROM ${table} NOT INDEXED ORDER BY seq DESC LIMIT 1`);
  return () => select.get()?.seq;
}

/** Where only the gate's name in the row of its boot is damaged, the event is whole. */
function textOf(raw: RawColumns, gate: string): EventText {
  const named = (name: string): EventText => ({
    seq: raw.seq,
    text: withHash(
      canonicalEvent({ ...raw, id: eventId(name, raw.epoch, raw.seq), clockTrusted: raw.clockTrusted === 1, previousHash: raw.previousHash.toString('hex') }),
      raw.hash.toString('hex'),
    ),
  });
  const own = named(raw.gate ?? gate);
  if (raw.gate === null || raw.gate === gate || isSound(own)) return own;
  const other = named(gate);
  return isSound(other) ? other : own;
}
