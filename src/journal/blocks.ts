import type { Database, Statement } from 'better-sqlite3';
import { createHash, hash } from 'node:crypto';
import { messageAround } from './batch-builder.js';
import { UNTRUSTED, isUntrusted, mostBytes, soundEvent, writeText, type EventText } from './event-text.js';
import type { BatchLimits, EventBatch } from './types.js';

/** Sequences of one block. */
export const BLOCK_EVENTS = 500;

/** The block that a sequence lies in. */
export function blockOf(seq: number): number {
  return Math.floor((seq - 1) / BLOCK_EVENTS);
}

/** First sequence of a block. */
export function firstOf(block: number): number {
  return block * BLOCK_EVENTS + 1;
}

/** Last sequence of a block. */
export function lastOf(block: number): number {
  return (block + 1) * BLOCK_EVENTS;
}

/** What events can be looked for by. */
export interface EventKeys {
  readonly type: string;
  readonly lane: string | null;
  readonly passage: string | null;
}

export const keyOfType = (type: string): string => `type ${type}`;
export const keyOfLane = (lane: string): string => `lane ${lane}`;
export const keyOfPassage = (passage: string): string => `passage ${passage}`;

function note(keys: Set<string>, { type, lane, passage }: EventKeys): void {
  keys.add(keyOfType(type));
  if (lane !== null) keys.add(keyOfLane(lane));
  if (passage !== null) keys.add(keyOfPassage(passage));
}

/** The block that the newest event lies in. */
interface OpenBlock {
  readonly block: number;
  readonly keys: Set<string>;
  events: number;
  untrusted: number;
  /** Bytes of its texts with commas between, in the memory kept for them. */
  bytes: number;
}

/** An event's text as it is written, and its hash (hex). */
export interface WrittenText {
  readonly bytes: Buffer;
  readonly hash: string;
}

interface JoinedRow {
  readonly untrusted: number | null;
  readonly bytes: Buffer | null;
}

interface PieceRow {
  readonly events: number;
  readonly bytes: Buffer<ArrayBuffer> | null;
}

interface BlockRow {
  readonly events: number;
  readonly untrusted: number;
  readonly digest: Buffer;
}

/** Memory for the texts of one block, at first and as long as they fit. */
const BLOCK_BYTES = 512 * 1024;
const COMMA = 0x2c;
/** Bytes of an event before any has been read, as the demonstration's are. */
const FIRST_EVENT_BYTES = 500;

/**
 * The table of blocks: what occurs in each 500 sequences, and a digest of them. Written once for each block, it costs an
 * event next to nothing, where an index over each event would double what it costs to write one; a search reads whole
 * blocks, and a backlog goes out a block at a time, held against one digest.
 */
export class Blocks {
  readonly #db: Database;
  readonly #texts: Statement<[number, number], EventText>;
  readonly #joined: Statement<[string, number, number], JoinedRow>;
  readonly #piece: Statement<[string, string, number, number], PieceRow>;
  readonly #row: Statement<[number], BlockRow>;
  readonly #insert: Statement<[number, number, number, Buffer, string]>;
  readonly #insertKey: Statement<[string, number]>;
  #memory = Buffer.alloc(BLOCK_BYTES);
  /** Of one event, as they were lately. */
  #eventBytes = FIRST_EVENT_BYTES;
  /** Undefined until it has been looked at. */
  #open: OpenBlock | undefined;

  constructor(db: Database) {
    this.#db = db;
    this.#texts = db.prepare('SELECT seq, text FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq');
    this.#joined = db.prepare(
      `SELECT sum(substr(text, 1, ${UNTRUSTED.length}) = ?) AS untrusted,
       CAST(group_concat(text, ',') AS BLOB) AS bytes
       FROM (SELECT text FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq)`,
    );
    this.#piece = db.prepare(
      `SELECT count(*) AS events, CAST(? || group_concat(text, ',') || ? AS BLOB) AS bytes
       FROM (SELECT text FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq)`,
    );
    this.#row = db.prepare('SELECT events, untrusted, digest FROM block WHERE block = ?');
    this.#insert = db.prepare('INSERT OR REPLACE INTO block (block, events, untrusted, digest, keys) VALUES (?, ?, ?, ?, ?)');
    this.#insertKey = db.prepare('INSERT OR IGNORE INTO block_key (key, block) VALUES (?, ?)');
  }

  /**
   * Makes the text of an event that is about to be written; part of its transaction, with all events before it in the table.
   * The first of a block closes the one before.
   * @returns bytes that are good until the next call
   */
  add(seq: number, event: EventKeys, canonical: string): WrittenText {
    const block = blockOf(seq);
    this.#open ??= this.#newest();
    if (this.#open?.block !== block) {
      if (this.#open !== undefined) this.#insertBlock(this.#open.block, this.#open, this.#memory.subarray(0, this.#open.bytes), this.#open.keys);
      if (this.#memory.byteLength > BLOCK_BYTES) this.#memory = Buffer.alloc(BLOCK_BYTES);
      this.#open = { block, keys: new Set(), events: 0, untrusted: 0, bytes: 0 };
    }
    const open = this.#open;
    this.#makeRoom(open.bytes, mostBytes(canonical) + 1);
    let at = open.bytes;
    if (at > 0) at = this.#memory.writeUInt8(COMMA, at);
    const { end, hash: made } = writeText(this.#memory, at, canonical);
    open.bytes = end;
    open.events += 1;
    if (isUntrusted(canonical)) open.untrusted += 1;
    note(open.keys, event);
    return { bytes: this.#memory.subarray(at, end), hash: made };
  }

  /** A transaction failed: what was noted of it never was. */
  forget(): void {
    this.#open = undefined;
  }

  /**
   * Closes every block but the newest that is not in the table yet, so many at one go.
   * @returns the last sequence looked at; undefined when none is left
   */
  catchUp(after: number, most: number): number | undefined {
    const newest = this.#newestSequence();
    if (newest === undefined) return undefined;
    const next = this.#db.prepare<[number], { seq: number }>('SELECT seq FROM event WHERE seq > ? ORDER BY seq LIMIT 1');
    return this.#db.transaction(() => {
      let at = after;
      for (let count = 0; count < most; count += 1) {
        const block = blockOf(next.get(at)?.seq ?? Infinity);
        if (block >= blockOf(newest)) return undefined;
        const joined = this.#row.get(block) === undefined ? this.#join(block) : undefined;
        if (joined?.bytes !== undefined && joined.bytes !== null) {
          const { keys, events } = this.#foundIn(block);
          this.#insertBlock(block, { events, untrusted: joined.untrusted ?? 0 }, joined.bytes, keys);
        }
        at = lastOf(block);
      }
      return at;
    }).immediate();
  }

  /** Blocks that hold one of the keys, and the newest, which no key leads to yet; at most `limit`, nearest first. */
  having(keys: readonly string[], first: number, last: number, newestFirst: boolean, limit: number): number[] {
    const newest = this.#newestSequence();
    const open = newest === undefined ? -1 : blockOf(newest);
    const order = newestFirst ? 'DESC' : 'ASC';
    return this.#db
      .prepare<(string | number)[], { block: number }>(
        `SELECT block FROM (SELECT ? AS block UNION SELECT block FROM block_key WHERE key IN (${keys.map(() => '?').join(',')}))
         WHERE block BETWEEN ? AND ? ORDER BY block ${order} LIMIT ?`,
      )
      .all(open, ...keys, first, last, limit)
      .map(({ block }) => block);
  }

  /**
   * The rest of a block as messages of the backlog, made in the database itself: nothing is copied but the message as it goes
   * out. Only of a block that is closed, has all its sequences, was recorded under a trusted clock throughout and fits its
   * digest; undefined of any other.
   * @param after last sequence that is not asked for, in the block or right before it
   */
  messages(block: number, after: number, limits: BatchLimits): EventBatch[] | undefined {
    const row = this.#row.get(block);
    if (row === undefined || row.events < BLOCK_EVENTS || row.untrusted > 0) return undefined;
    const last = lastOf(block);
    const { begin, end } = messageAround(true, []);
    const digest = createHash('sha256');
    if (after >= firstOf(block)) {
      const { bytes } = this.#piece.get('', '', firstOf(block), after) ?? { bytes: null };
      if (bytes === null) return undefined;
      digest.update(bytes);
    }
    const made: EventBatch[] = [];
    let most = Math.min(limits.events, Math.max(1, Math.floor(limits.bytes / this.#eventBytes)));
    for (let at = after; at < last; ) {
      // In parts alike: a small one at the end of each block would cost as much as a large one.
      const count = Math.ceil((last - at) / Math.ceil((last - at) / most));
      const { events, bytes } = this.#piece.get(begin, end, at + 1, at + count) ?? { events: 0, bytes: null };
      if (events < count || bytes === null) return undefined;
      const size = bytes.byteLength - begin.length - end.length;
      if (size + 1 > limits.bytes && count > 1) {
        most = Math.min(count - 1, Math.max(1, Math.floor((count * limits.bytes) / (size + 1))));
        continue;
      }
      this.#eventBytes = (size + 1) / count;
      if (at >= firstOf(block)) digest.update(',');
      digest.update(bytes.subarray(begin.length, -end.length));
      made.push({ first: at + 1, last: at + count, lost: [], message: bytes });
      at += count;
    }
    return digest.digest('hex') === row.digest.toString('hex') ? made : undefined;
  }

  /** Events up to `seq` are about to be deleted: blocks that lie wholly below go with them. */
  drop(seq: number): void {
    const last = blockOf(seq + 1) - 1;
    this.#db
      .prepare<[number]>('DELETE FROM block_key WHERE (key, block) IN (SELECT named.value, block.block FROM block, json_each(block.keys) AS named WHERE block.block <= ?)')
      .run(last);
    this.#db.prepare<[number]>('DELETE FROM block WHERE block <= ?').run(last);
  }

  #newestSequence(): number | undefined {
    return this.#db.prepare<[], { seq: number | null }>('SELECT max(seq) AS seq FROM event').get()?.seq ?? undefined;
  }

  #newest(): OpenBlock | undefined {
    const newest = this.#newestSequence();
    if (newest === undefined) return undefined;
    const block = blockOf(newest);
    const { bytes, untrusted } = this.#join(block) ?? { bytes: null, untrusted: 0 };
    if (bytes === null) return undefined;
    this.#makeRoom(0, bytes.byteLength);
    bytes.copy(this.#memory);
    return { block, ...this.#foundIn(block), untrusted: untrusted ?? 0, bytes: bytes.byteLength };
  }

  #makeRoom(used: number, more: number): void {
    if (used + more <= this.#memory.byteLength) return;
    const larger = Buffer.alloc(Math.max(used + more, 2 * this.#memory.byteLength));
    this.#memory.copy(larger, 0, 0, used);
    this.#memory = larger;
  }

  /**
   * What is in a block that lies on the disk. An event that was damaged there does not count: a digest over it would fit it,
   * and a block that has not all its events is read event by event, each held against its hash.
   */
  #foundIn(block: number): { readonly keys: Set<string>; readonly events: number } {
    const keys = new Set<string>();
    let events = 0;
    for (const row of this.#texts.all(firstOf(block), lastOf(block))) {
      const event = soundEvent(row);
      if (event === undefined) continue;
      note(keys, event);
      events += 1;
    }
    return { keys, events };
  }

  #insertBlock(block: number, { events, untrusted }: Pick<OpenBlock, 'events' | 'untrusted'>, bytes: Uint8Array, keys: ReadonlySet<string>): void {
    this.#insert.run(block, events, untrusted, hash('sha256', bytes, 'buffer'), JSON.stringify([...keys]));
    for (const key of keys) this.#insertKey.run(key, block);
  }

  #join(block: number): JoinedRow | undefined {
    return this.#joined.get(UNTRUSTED, firstOf(block), lastOf(block));
  }
}
