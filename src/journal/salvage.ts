import SqliteDatabase, { type Database, type Statement } from 'better-sqlite3';
import { existsSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { blockOf, firstOf } from './blocks.js';
import { GENESIS_HASH } from './canonical.js';
import { declaredLost, undeclared, type SequenceRange } from './declared.js';
import { eventSource, type EventSource } from './event-source.js';
import { isSound, statedHash, type EventText } from './event-text.js';
import { makeDirectory, syncDirectory, systemCode } from './files.js';
import { buildBlocks } from './schema.js';
import { readGaps, readSavedState, readState, type Gap, type State } from './store.js';

/** What could be read from a damaged database. */
export interface Salvage {
  /** Undefined when not even the state row could be read. */
  readonly state: State | undefined;
  /** Highest boot epoch of any row saved; 0 for none. */
  readonly epoch: number;
  readonly events: number;
  readonly facts: number;
  readonly evidence: number;
  readonly boots: number;
  /** Highest sequence saved, and its hash; 0 and the genesis hash when nothing was. */
  readonly last: number;
  readonly lastHash: string;
  /** Sequences missing below `last`. */
  readonly missing: readonly Gap[];
}

/** Rows of one chunk; a chunk whose scan fails is read row by row. */
const CHUNK_ROWS = 500;
/** Rows looked for in a small table whose own end cannot be read. */
const MOST_BLIND_ROWS = 200_000;
/** Chunks of events in a row without one that can be read, before it is looked elsewhere. */
const MOST_BLIND_CHUNKS = 2_000;
/** As many where it has been looked elsewhere before. */
const LATER_BLIND_CHUNKS = 2;
/** Numbers below the highest that may have been used: the newest events lie among them. */
const END_ROWS = 10_000;
/** After so many empty chunks in a row a small table is taken to be at its end. */
const MOST_EMPTY_CHUNKS = 10;

/** A whole database beside the one whose place it is to take. Once that is out of the way, a start goes on with it. */
export const REBUILT_NAME = 'journal.rebuilt';

/** A path in `directory` that no database set aside has yet. */
export function pathAside(directory: string, label: string): string {
  const taken = (path: string): boolean => ['', '-wal'].some((suffix) => existsSync(path + suffix));
  let target = join(directory, `journal-${label}.db`);
  for (let number = 2; taken(target); number += 1) target = join(directory, `journal-${label}-${number}.db`);
  return target;
}

/**
 * Moves a database with its WAL out of the way. Nothing of it is ever deleted: a supporter may get more out of it.
 * @param target see `pathAside`
 */
export function setAside(databasePath: string, target: string): void {
  const directory = dirname(target);
  makeDirectory(directory);
  for (const suffix of ['', '-wal']) {
    if (existsSync(databasePath + suffix)) renameSync(databasePath + suffix, target + suffix);
  }
  // The shared memory index belongs to the old name; SQLite builds it again.
  if (existsSync(`${databasePath}-shm`)) renameSync(`${databasePath}-shm`, `${target}-shm-old`);
  syncDirectory(directory);
}

/**
 * Copies every row that can still be read from a damaged database into a new, migrated and empty one.
 * @param highest sequence up to which events are looked for
 */
export function salvage(damagedPath: string, into: Database, highest: number, gate: string): Salvage {
  const nothing: Salvage = { state: undefined, epoch: 0, events: 0, facts: 0, evidence: 0, boots: 0, last: 0, lastHash: GENESIS_HASH, missing: [] };
  let from: Database;
  try {
    from = new SqliteDatabase(damagedPath, { fileMustExist: true });
  } catch {
    return nothing;
  }
  try {
    const state = attempt(() => readState(from)) ?? attempt(() => readSavedState(from));
    const copy = (table: string, columns: string): number => copyTable(from, into, table, columns);
    const boots = copy('boot', 'epoch, gate, wall_ms, mono_ms');
    const facts = copy('fact', 'key, value');
    const evidence = copy('evidence', 'id, passage, kind, bytes, wall_ms, clock_trusted');
    copy('gap', 'first, last, reason');
    copy('epoch_clock', 'epoch, boot, ahead_ms, start_ms, after_ms');
    copy('known_clock', 'boot, machine_ms, wall_ms, source');
    const first = (state?.prunedThrough ?? 0) + 1;
    const events = copyEvents(from, into, first, Math.max(highest, state?.reserved ?? 0), gate);
    buildBlocks(into);
    // Epochs never fall, so the newest event is of the highest.
    const epoch = into.prepare<[], { epoch: number }>('SELECT max(coalesce((SELECT max(epoch) FROM boot), 0), coalesce((SELECT epoch FROM event_field ORDER BY seq DESC LIMIT 1), 0)) AS epoch').get()?.epoch ?? 0;
    return { state, epoch, boots, facts, evidence, ...events };
  } finally {
    attempt(() => from.close());
  }
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

function copyEvents(from: Database, into: Database, first: number, highest: number, gate: string): Pick<Salvage, 'events' | 'last' | 'lastHash' | 'missing'> {
  const source = attempt(() => eventSource(from, gate));
  if (source === undefined) return { events: 0, last: 0, lastHash: GENESIS_HASH, missing: [] };
  const insert = into.prepare<[number, string]>('INSERT INTO event (seq, text) VALUES (?, ?)');
  let events = 0;
  let last: EventText | undefined;
  // By the events themselves: what is declared lost in one that is lost as well has to be declared again.
  const holes: SequenceRange[] = [];
  const declared: SequenceRange[] = [];
  const places = new Places(from, source, highest, attempt(() => readGaps(into)) ?? []);
  let end = first - 1;
  while (end < highest) {
    const start = end + 1;
    end = Math.min(highest, start + CHUNK_ROWS - 1);
    const before = events;
    const listed = attempt(() => source.sequences(start, end));
    into.transaction(() => {
      for (const seq of listed ?? range(start, end)) {
        const row = attempt(() => source.at(seq));
        // One whose hash does not fit is damaged; it stays in the file that is set aside.
        if (row === undefined || !isSound(row)) continue;
        insert.run(row.seq, row.text);
        const expected = (last?.seq ?? first - 1) + 1;
        if (row.seq > expected) holes.push({ first: expected, last: row.seq - 1 });
        declared.push(...declaredLost(row.text));
        last = row;
        events += 1;
      }
    })();
    if (events > before) places.seen();
    else end = places.after(end);
  }
  const missing = undeclared(holes, declared).map((range) => ({ ...range, reason: 'damaged' }));
  return { events, last: last?.seq ?? 0, lastHash: last === undefined ? GENESIS_HASH : statedHash(last.text), missing };
}

/** Where to look on after a stretch without an event. A journal may have jumped over more numbers than can be looked at one by one. */
class Places {
  readonly #from: Database;
  readonly #source: EventSource;
  readonly #highest: number;
  readonly #gaps: readonly Gap[];
  #blind = 0;
  #patience = MOST_BLIND_CHUNKS;
  #lookedAtEnd = false;

  constructor(from: Database, source: EventSource, highest: number, gaps: readonly Gap[]) {
    this.#from = from;
    this.#source = source;
    this.#highest = highest;
    this.#gaps = gaps;
  }

  seen(): void {
    this.#blind = 0;
  }

  /** @returns sequence up to which nothing is looked for */
  after(end: number): number {
    const next = attempt(() => ({ seq: this.#source.next(end) }));
    if (next !== undefined) return (next.seq ?? Infinity) - 1;
    const gap = this.#gaps.find(({ first, last }) => first <= end + 1 && end < last);
    if (gap !== undefined) return gap.last;
    // What comes next lies on a destroyed page: number by number over it, as long as that has an end.
    this.#blind += 1;
    if (this.#blind < this.#patience) return end;
    this.#blind = 0;
    // A gate waits for this: a table of which next to nothing can be read is not counted over again for each block.
    this.#patience = LATER_BLIND_CHUNKS;
    const block = attempt(() => this.#from.prepare<[number], { block: number }>('SELECT block FROM block WHERE block > ? ORDER BY block LIMIT 1').get(blockOf(end)))?.block;
    if (block !== undefined) return firstOf(block) - 1;
    if (this.#lookedAtEnd) return Infinity;
    this.#lookedAtEnd = true;
    return Math.max(end, this.#highest - END_ROWS);
  }
}

function* range(first: number, last: number): Generator<number> {
  for (let value = first; value <= last; value += 1) yield value;
}

/** Copies a table by row number: a scan in chunks, point reads where a chunk fails. */
function copyTable(from: Database, into: Database, table: string, columns: string): number {
  const names = columns.split(', ');
  const insert = into.prepare(`INSERT OR IGNORE INTO ${table} (${columns}) VALUES (${names.map(() => '?').join(', ')})`);
  const top = attempt(() => from.prepare<[], { top: number | null }>(`SELECT max(rowid) AS top FROM ${table}`).get());
  const highest = top === undefined ? MOST_BLIND_ROWS : (top.top ?? 0);
  const chunk = attempt(() => from.prepare<[number, number], unknown[]>(`SELECT ${columns} FROM ${table} NOT INDEXED WHERE rowid BETWEEN ? AND ?`).raw());
  if (chunk === undefined) return 0;
  let copied = 0;
  let empty = 0;
  for (let start = 1; start <= highest && empty < MOST_EMPTY_CHUNKS; start += CHUNK_ROWS) {
    const end = Math.min(highest, start + CHUNK_ROWS - 1);
    const rows = attempt(() => chunk.all(start, end)) ?? [...range(start, end)].flatMap((row) => attempt(() => chunk.all(row, row)) ?? []);
    empty = rows.length === 0 ? empty + 1 : 0;
    into.transaction(() => {
      for (const row of rows) if (inserted(insert, row)) copied += 1;
    })();
  }
  return copied;
}

/** A row that the tables do not take is damaged; a disk that does not take it is another matter. */
function inserted(insert: Statement, row: readonly unknown[]): boolean {
  try {
    insert.run(...row);
    return true;
  } catch (error) {
    if (systemCode(error).startsWith('SQLITE_CONSTRAINT') || error instanceof TypeError || error instanceof RangeError) return false;
    throw error;
  }
}

/** Name of a file for a message, without where the data directory lies. */
export function shortName(path: string): string {
  return basename(path);
}
