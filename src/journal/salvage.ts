import type { Database, Statement } from 'better-sqlite3';
import { existsSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { GENESIS_HASH } from './canonical.js';
import type { SqlRow } from './damaged-database.js';
import { DamagedJournal, attempt } from './damaged-journal.js';
import { declaredLost, undeclared, type SequenceRange } from './declared.js';
import { hasColumn } from './event-source.js';
import { parseEvent, soundEvent, statedHash, type EventText } from './event-text.js';
import { isSoundFact } from './facts.js';
import { makeDirectory, syncDirectory, systemCode } from './files.js';
import { buildBlocks } from './schema.js';
import { readGaps, readSavedState, readState, type Gap, type State } from './store.js';

/** What became of the rows of a table. */
interface Copied {
  readonly copied: number;
  /** Rows there were and that could not be read; undefined where nothing says how many. */
  readonly lost: number | undefined;
}

/** What could be read from a damaged database. */
export interface Salvage {
  /** Undefined when not even the state row could be read. */
  readonly state: State | undefined;
  /** Sequence of the newest event, where the database can still be asked for it. */
  readonly head: number | undefined;
  /** Highest sequence that anything readable names, as an event or as lost; 0 for none. */
  readonly named: number;
  /** Highest boot epoch of any row saved; 0 for none. */
  readonly epoch: number;
  readonly events: number;
  readonly facts: Copied;
  readonly evidence: Copied;
  /** Highest sequence saved, and its hash; 0 and the genesis hash when nothing was. */
  readonly last: number;
  readonly lastHash: string;
  /** Sequences missing below `last`. */
  readonly missing: readonly Gap[];
}

export interface SalvageOptions {
  /** Events up to this sequence are left where they are. */
  readonly after?: number;
  /** Retention has removed events up to this sequence at least, whatever the database says. */
  readonly pruned?: number;
  /** Told now and then how far it is. */
  readonly progress?: (facts: { readonly events: number; readonly through: number }) => void;
}

/** Rows written in one transaction: a larger one would need room on the disk for all of it twice. */
const CHUNK_ROWS = 500;

/** A box needs some seconds for so many. */
const PROGRESS_EVENTS = 50_000;

const UNREAD: Copied = { copied: 0, lost: undefined };

/** A whole database beside the one whose place it is to take. Once that is out of the way, a start goes on with it. */
export const REBUILT_NAME = 'journal.rebuilt';
/** The same while it is not whole yet. */
export const REBUILDING_NAME = 'journal.rebuilding';

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
 * Copies every row that can still be read from a damaged database into a new, migrated and empty one. The damaged one is left
 * as it is.
 * @throws the file system's own errors, SQLite's of the new database
 */
export function salvage(damagedPath: string, into: Database, gate: string, { after = 0, pruned = 0, progress }: SalvageOptions = {}): Salvage {
  const damaged = DamagedJournal.open(damagedPath);
  try {
    const whole = attempt(() => damaged.stateWith('newest event', readState));
    const state = whole ?? attempt(() => damaged.stateWith('row alone', readSavedState));
    const copy = (table: string): Copied => copyRows(damaged, into, table, () => true);
    copy('boot');
    // Of two under one key, because an index did not lead to the first, the second was remembered later.
    const facts = copyRows(damaged, into, 'fact', isWholeFact, 'REPLACE');
    const evidence = copy('evidence');
    copy('gap');
    copy('epoch_clock');
    copy('known_clock');
    const first = Math.max(state?.prunedThrough ?? 0, pruned, after) + 1;
    const gaps = readGaps(into).filter(({ last }) => Number.isSafeInteger(last));
    const events = copyEvents(into, first, damaged.events(first - 1, gate, gaps), progress);
    buildBlocks(into);
    // Epochs never fall, so the newest event is of the highest.
    const epoch = into.prepare<[], { epoch: number }>('SELECT max(coalesce((SELECT max(epoch) FROM boot), 0), coalesce((SELECT epoch FROM event_field ORDER BY seq DESC LIMIT 1), 0)) AS epoch').get()?.epoch ?? 0;
    return { state, head: whole?.head, named: Math.max(events.last, ...gaps.map(({ last }) => last)), epoch, facts, evidence, ...events };
  } finally {
    damaged.close();
  }
}

function copyEvents(into: Database, first: number, readable: Generator<EventText>, progress: SalvageOptions['progress']): Pick<Salvage, 'events' | 'last' | 'lastHash' | 'missing'> {
  const insert = into.prepare<[number, string]>('INSERT INTO event (seq, text) VALUES (?, ?)');
  let events = 0;
  let last: EventText | undefined;
  // By the events themselves: what is declared lost in one that is lost as well has to be declared again.
  const holes: SequenceRange[] = [];
  const declared: SequenceRange[] = [];
  inChunks(into, readable, (row) => {
    // One whose hash does not fit, or that is no event, is damaged; it stays in the file that is set aside.
    if (row.seq <= (last?.seq ?? 0) || soundEvent(row) === undefined) return;
    insert.run(row.seq, row.text);
    const expected = (last?.seq ?? first - 1) + 1;
    if (row.seq > expected) holes.push({ first: expected, last: row.seq - 1 });
    declared.push(...declaredLost(row.text));
    last = row;
    events += 1;
    if (events % PROGRESS_EVENTS === 0) progress?.({ events, through: row.seq });
  });
  const missing = undeclared(holes, declared).map((range) => ({ ...range, reason: 'damaged' }));
  return { events, last: last?.seq ?? 0, lastHash: last === undefined ? GENESIS_HASH : statedHash(last.text), missing };
}

/** One that is not what was remembered is damaged; it stays in the file that is set aside. */
function isWholeFact({ key, value, sum = null }: SqlRow): boolean {
  return typeof key === 'string' && typeof value === 'string' && (sum === null || typeof sum === 'string') && isSoundFact({ key, value, sum });
}

function copyRows(damaged: DamagedJournal, into: Database, name: string, isWhole: (row: SqlRow) => boolean, other: 'IGNORE' | 'REPLACE' = 'IGNORE'): Copied {
  const table = damaged.table(name);
  if (table === undefined) return UNREAD;
  const columns = table.columns.filter((column) => hasColumn(into, name, column));
  const insert = into.prepare<[object]>(`INSERT OR ${other} INTO ${name} (${columns.join(', ')}) VALUES (${columns.map((column) => `@${column}`).join(', ')})`);
  let found = 0;
  let copied = 0;
  inChunks(into, table.rows(), (row) => {
    found += 1;
    if (isWhole(row) && inserted(insert, row)) copied += 1;
  });
  const counted = damaged.countByIndex(name);
  const known = table.whole || counted !== undefined;
  return { copied, lost: known ? Math.max(found, counted ?? 0) - copied : undefined };
}

function inChunks<T>(into: Database, rows: Generator<T>, write: (row: T) => void): void {
  const writeSome = into.transaction((): boolean => {
    for (let count = 0; count < CHUNK_ROWS; count += 1) {
      const next = rows.next();
      if (next.done === true) return false;
      write(next.value);
    }
    return true;
  });
  try {
    while (writeSome());
  } finally {
    rows.return(undefined);
  }
}

/** A row that the tables do not take is damaged; a disk that does not take it is another matter. */
function inserted(insert: Statement<[object]>, row: object): boolean {
  try {
    return insert.run(row).changes > 0;
  } catch (error) {
    if (systemCode(error).startsWith('SQLITE_CONSTRAINT') || error instanceof TypeError || error instanceof RangeError) return false;
    throw error;
  }
}

/** What the oldest event names as the hash before it. */
export function hashBefore(db: Database): string {
  const oldest = db.prepare<[], { text: string }>('SELECT text FROM event ORDER BY seq LIMIT 1').get();
  return oldest === undefined ? GENESIS_HASH : parseEvent(oldest.text).previousHash;
}

/** Name of a file for a message, without where the data directory lies. */
export function shortName(path: string): string {
  return basename(path);
}
