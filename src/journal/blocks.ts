import type { Database, Statement } from 'better-sqlite3';
import { hash } from 'node:crypto';
import { UNTRUSTED, isUntrusted, mostBytes, parseEvent, writeText } from './event-text.js';

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

/** The events of a block with all its sequences, as UTF-8. */
export interface WholeBlock {
  readonly first: number;
  /** Texts with commas between. */
  readonly bytes: Buffer;
  /** Bytes of each text. */
  readonly lengths: readonly number[];
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
  readonly events: number;
  readonly untrusted: number | null;
  readonly bytes: Buffer | null;
  readonly lengths: string | null;
}

interface BlockRow {
  readonly events: number;
  readonly untrusted: number;
  readonly digest: Buffer;
}

/** Memory for the texts of one block, at first and as long as they fit. */
const BLOCK_BYTES = 512 * 1024;
const COMMA = 0x2c;

/**
 * The table of blocks: what occurs in each 500 sequences, and a digest of them. Written once for each block, it costs an
 * event next to nothing, where an index over each event would double what it costs to write one; a search reads whole
 * blocks, and a backlog goes out a block at a time, held against one digest.
 */
export class Blocks {
  readonly #db: Database;
  readonly #texts: Statement<[number, number], { text: string }>;
  readonly #joined: Statement<[string, number, number], JoinedRow>;
  readonly #row: Statement<[number], BlockRow>;
  readonly #insert: Statement<[number, number, number, Buffer, string]>;
  readonly #insertKey: Statement<[string, number]>;
  #memory = Buffer.alloc(BLOCK_BYTES);
  /** Undefined until it has been looked at. */
  #open: OpenBlock | undefined;

  constructor(db: Database) {
    this.#db = db;
    this.#texts = db.prepare('SELECT text FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq');
    this.#joined = db.prepare(
      `SELECT count(*) AS events, sum(substr(text, 1, ${UNTRUSTED.length}) = ?) AS untrusted,
       CAST(group_concat(text, ',') AS BLOB) AS bytes, group_concat(octet_length(text), ',') AS lengths
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
        if (joined?.bytes !== undefined && joined.bytes !== null) this.#insertBlock(block, joined, joined.bytes, this.#keysOf(block));
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

  /** A block that is closed and has all its sequences, trusted clock throughout, held against its digest; or undefined. */
  whole(block: number): WholeBlock | undefined {
    const row = this.#row.get(block);
    if (row === undefined || row.events < BLOCK_EVENTS || row.untrusted > 0) return undefined;
    const joined = this.#join(block);
    if (joined === undefined) return undefined;
    const { bytes, lengths } = joined;
    if (bytes === null || lengths === null || hash('sha256', bytes, 'hex') !== row.digest.toString('hex')) return undefined;
    return { first: firstOf(block), bytes, lengths: lengths.split(',').map(Number) };
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
    const { bytes, events, untrusted } = this.#join(block) ?? { bytes: null, events: 0, untrusted: 0 };
    if (bytes === null) return undefined;
    this.#makeRoom(0, bytes.byteLength);
    bytes.copy(this.#memory);
    return { block, keys: this.#keysOf(block), events, untrusted: untrusted ?? 0, bytes: bytes.byteLength };
  }

  #makeRoom(used: number, more: number): void {
    if (used + more <= this.#memory.byteLength) return;
    const larger = Buffer.alloc(Math.max(used + more, 2 * this.#memory.byteLength));
    this.#memory.copy(larger, 0, 0, used);
    this.#memory = larger;
  }

  #keysOf(block: number): Set<string> {
    const keys = new Set<string>();
    for (const { text } of this.#texts.all(firstOf(block), lastOf(block))) note(keys, parseEvent(text));
    return keys;
  }

  #insertBlock(block: number, { events, untrusted }: Pick<JoinedRow, 'events' | 'untrusted'>, bytes: Uint8Array, keys: ReadonlySet<string>): void {
    this.#insert.run(block, events, untrusted ?? 0, hash('sha256', bytes, 'buffer'), JSON.stringify([...keys]));
    for (const key of keys) this.#insertKey.run(key, block);
  }

  #join(block: number): JoinedRow | undefined {
    return this.#joined.get(UNTRUSTED, firstOf(block), lastOf(block));
  }
}
