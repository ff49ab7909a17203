import type { Database } from 'better-sqlite3';
import { canonicalEvent, eventId, type HashedFields } from './canonical.js';
import { isSound, withHash, type EventText } from './event-text.js';
import type { SqlValue } from './page-format.js';
import type { SqlRow } from './damaged-database.js';

/** Events of a database of any version, in order of their sequence. */
export interface EventSource {
  /** A point read, which often still works where a scan meets a destroyed page. */
  at(seq: number): EventText | undefined;
  /** Above `seq`, at most `limit`. */
  after(seq: number, limit: number): EventText[];
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
  };
}

/** Whether the database keeps events as texts, and with them how far it is. */
export function hasTexts(db: Database): boolean {
  return hasColumn(db, 'event', 'text');
}

export function hasColumn(db: Database, table: string, column: string): boolean {
  return db.prepare('SELECT 1 FROM pragma_table_info(?) WHERE name = ?').get(table, column) !== undefined;
}

export function hasTable(db: Database, name: string): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined;
}

function textSource(db: Database): EventSource {
  const at = db.prepare<[number], EventText>('SELECT seq, text FROM event WHERE seq = ?');
  const after = db.prepare<[number, number], EventText>('SELECT seq, text FROM event WHERE seq > ? ORDER BY seq LIMIT ?');
  return {
    at: (seq) => at.get(seq),
    after: (seq, limit) => after.all(seq, limit),
  };
}

function columnSource(db: Database, table: string, gate: string): EventSource {
  const columns = `e.seq, e.epoch, boot.gate, e.type, e.lane, e.passage, e.wall_ms AS wallMs, e.mono_ms AS monoMs,
    e.clock_trusted AS clockTrusted, e.payload AS payloadText, e.previous_hash AS previousHash, e.hash AS hash`;
  const join = 'LEFT JOIN boot ON boot.epoch = e.epoch';
  const select = `SELECT ${columns} FROM ${table} AS e ${join}`;
  const at = db.prepare<[number], RawColumns>(`${select} WHERE e.seq = ?`);
  const after = db.prepare<[number, number], RawColumns>(`${select} WHERE e.seq > ? ORDER BY e.seq LIMIT ?`);
  return {
    at: (seq) => {
      const raw = at.get(seq);
      return raw === undefined ? undefined : textOf(raw, gate);
    },
    after: (seq, limit) => after.all(seq, limit).map((raw) => textOf(raw, gate)),
  };
}

/** An event of versions 1 to 3 as it was read from a damaged database; undefined where it is none. */
export function textOfRow(row: SqlRow, named: SqlValue | undefined, gate: string): EventText | undefined {
  const { seq, epoch, type, lane = null, passage = null, wall_ms: wallMs, mono_ms: monoMs, clock_trusted: clockTrusted, payload: payloadText, previous_hash: previousHash, hash } = row;
  if (typeof seq !== 'number' || typeof epoch !== 'number' || typeof type !== 'string' || typeof wallMs !== 'number' || typeof monoMs !== 'number' || typeof clockTrusted !== 'number') return undefined;
  if (!isText(lane) || !isText(passage) || typeof payloadText !== 'string' || !Buffer.isBuffer(previousHash) || !Buffer.isBuffer(hash)) return undefined;
  return textOf({ seq, epoch, gate: typeof named === 'string' ? named : null, type, lane, passage, wallMs, monoMs, clockTrusted, payloadText, previousHash, hash }, gate);
}

function isText(value: SqlValue): value is string | null {
  return value === null || typeof value === 'string';
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
