import SqliteDatabase, { type Database, type Statement } from 'better-sqlite3';
import { existsSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { GENESIS_HASH } from './canonical.js';
import { DamagedDatabase, DamagedTable, Places, type Schema, type SqlRow } from './damaged-database.js';
import { Ranges, declaredLost, undeclared, type SequenceRange } from './declared.js';
import { MOVING_TABLE, hasColumn, textOfRow } from './event-source.js';
import { isSound, soundEvent, statedHash, type EventText } from './event-text.js';
import { isSoundFact } from './facts.js';
import { makeDirectory, syncDirectory, systemCode } from './files.js';
import { buildBlocks, inMemory, migrations } from './schema.js';
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
export function salvage(damagedPath: string, into: Database, gate: string, { after = 0, progress }: SalvageOptions = {}): Salvage {
  const damaged = DamagedDatabase.open(damagedPath);
  try {
    const tables = new Tables(damaged);
    const whole = attempt(() => tables.stateWith('newest event', readState));
    const state = whole ?? attempt(() => tables.stateWith('row alone', readSavedState));
    const copy = (table: string): Copied => copyRows(tables, into, table, () => true);
    copy('boot');
    // Of two under one key, because an index did not lead to the first, the second was remembered later.
    const facts = copyRows(tables, into, 'fact', isWholeFact, 'REPLACE');
    const evidence = copy('evidence');
    copy('gap');
    copy('epoch_clock');
    copy('known_clock');
    const first = Math.max(state?.prunedThrough ?? 0, after) + 1;
    const gaps = readGaps(into).filter(({ last }) => Number.isSafeInteger(last));
    const events = copyEvents(into, first, tables.events(first - 1, gate, gaps), progress);
    buildBlocks(into);
    // Epochs never fall, so the newest event is of the highest.
    const epoch = into.prepare<[], { epoch: number }>('SELECT max(coalesce((SELECT max(epoch) FROM boot), 0), coalesce((SELECT epoch FROM event_field ORDER BY seq DESC LIMIT 1), 0)) AS epoch').get()?.epoch ?? 0;
    return { state, head: whole?.head, named: Math.max(events.last, ...gaps.map(({ last }) => last)), epoch, facts, evidence, ...events };
  } finally {
    damaged.close();
  }
}

/** The tables of a damaged journal, of whatever version. */
class Tables {
  readonly #damaged: DamagedDatabase;
  readonly #schema: Schema;
  readonly #tables = new Map<string, DamagedTable | undefined>();

  constructor(damaged: DamagedDatabase) {
    this.#damaged = damaged;
    this.#schema = this.#schemaOf();
  }

  table(name: string): DamagedTable | undefined {
    if (!this.#tables.has(name)) this.#tables.set(name, DamagedTable.of(this.#damaged, this.#schema, name));
    return this.#tables.get(name);
  }

  /** Rows of a table by the smallest of its indices, which another page than that of the rows may have spared. */
  countByIndex(table: string): number | undefined {
    const counts = [...this.#schema.values()].filter((entry) => entry.type === 'index' && entry.table === table).map(({ root }) => this.#damaged.entries(root));
    return counts.find((count) => count !== undefined);
  }

  /**
   * Reads the state of the journal out of a database of its own.
   * @param given whether with the newest event, of which there is none where a page of the events is destroyed
   * @throws SQLite's own errors and GateError JOURNAL_CORRUPT, where it is not there or not whole
   */
  stateWith(given: 'newest event' | 'row alone', read: (db: Database) => State | undefined): State | undefined {
    return this.#stateBy(this.#schema, given, read);
  }

  /**
   * Every event above a sequence that can be read, in order of the sequences; several with one where one of them is damaged.
   * @param gaps declared lost
   */
  *events(after: number, gate: string, gaps: readonly SequenceRange[]): Generator<EventText> {
    const table = this.table('event');
    if (table === undefined || table.columns.includes('text')) yield* inOrder(textsOf(table, after), this.#looseEvents(table, after, gaps));
    else yield* this.#columnEvents(table, after, gate);
    // Those that have moved come first.
    const before = this.table(MOVING_TABLE);
    if (before !== undefined) yield* this.#columnEvents(before, after, gate);
  }

  *#columnEvents(table: DamagedTable, after: number, gate: string): Generator<EventText> {
    const gates = new Map([...(this.table('boot')?.rows() ?? [])].map(({ epoch = null, gate: name }) => [epoch, name]));
    for (const row of table.rows(after)) {
      const text = textOfRow(row, gates.get(row.epoch ?? null), gate);
      if (text !== undefined) yield text;
    }
  }

  /**
   * Events on pages to which no way leads any more, because a page above them is destroyed or what says where they are is not
   * true. What lies on a page out of use is as good: an event never changes. But one that was declared lost has no place in
   * the chain, and what retention removed stays removed.
   */
  *#looseEvents(table: DamagedTable | undefined, after: number, gaps: readonly SequenceRange[]): Generator<EventText> {
    const declared = [...gaps];
    const note = (event: EventText): void => {
      if (isSound(event)) declared.push(...declaredLost(event.text));
    };
    let least: number | undefined;
    for (const event of textsOf(table, after)) {
      note(event);
      least ??= event.seq;
    }
    const candidates = new Places();
    this.#damaged.placeRows(this.#damaged.otherLeaves(table?.pages ?? new Set()), candidates);
    const sound = new Places();
    // Where nothing says what retention removed: it was what is older than all that is left.
    const removed = after === 0 && table?.whole === true ? (least ?? 1) - 1 : after;
    for (const { row, page, cell } of candidates.above(removed)) {
      const event = this.#eventAt(row, page, cell);
      if (event === undefined) continue;
      sound.add(row, page, cell);
      note(event);
    }
    const lost = new Ranges(declared);
    for (const { row, page, cell } of sound.above(after)) {
      const event = lost.has(row) ? undefined : this.#eventAt(row, page, cell);
      if (event !== undefined) yield event;
    }
  }

  #eventAt(seq: number, page: number, cell: number): EventText | undefined {
    const text = this.#damaged.record(page, cell)?.[1];
    return typeof text === 'string' && soundEvent({ seq, text }) !== undefined ? { seq, text } : undefined;
  }

  #stateBy(schema: Schema, given: 'newest event' | 'row alone', read: (db: Database) => State | undefined): State | undefined {
    const db = new SqliteDatabase(':memory:');
    try {
      const put = (name: string, row: SqlRow | undefined): void => {
        db.exec(schema.get(name)?.sql ?? '');
        if (row === undefined) return;
        const names = Object.keys(row);
        db.prepare<[object]>(`INSERT INTO ${name} (${names.join(', ')}) VALUES (${names.map((column) => `@${column}`).join(', ')})`).run(row);
      };
      for (const row of DamagedTable.of(this.#damaged, schema, 'state')?.rows() ?? []) put('state', row);
      if (given === 'newest event') {
        const events = this.table('event');
        if (events === undefined || (events.columns.includes('text') && !events.whole)) return undefined;
        put('event', events.columns.includes('text') ? events.newest() : undefined);
      }
      return read(db);
    } finally {
      db.close();
    }
  }

  /**
   * What the table of tables says, as far as that is what it says in a new journal. Where it is destroyed: what it says there,
   * if what lies where it says so is a state whose checksum fits. Of tables that lie elsewhere, because an older release made
   * the journal, nothing fits.
   */
  #schemaOf(): Schema {
    const read = this.#damaged.schema();
    const usual = new Map([...usualSchema()].map(([name, entry]) => [name, { ...entry, root: read.get(name)?.root ?? entry.root }]));
    const sealed = (db: Database): State | undefined => (db.prepare('SELECT 1 FROM state WHERE sum IS NOT NULL').get() === undefined ? undefined : readSavedState(db));
    return attempt(() => this.#stateBy(usual, 'row alone', sealed)) === undefined ? read : new Map([...read, ...usual]);
  }
}

function usualSchema(): Schema {
  const entries = inMemory(migrations.length, (db) =>
    db.prepare<[], { type: 'table' | 'index'; name: string; table: string; root: number; sql: string | null }>("SELECT type, name, tbl_name AS 'table', rootpage AS root, sql FROM sqlite_schema WHERE type IN ('table', 'index')").all(),
  );
  return new Map(entries.map(({ name, ...entry }) => [name, entry]));
}

function* textsOf(table: DamagedTable | undefined, after: number): Generator<EventText> {
  for (const { seq, text } of table?.rows(after) ?? []) if (typeof seq === 'number' && typeof text === 'string') yield { seq, text };
}

/** Merges two that are in order; of two with one sequence that of the first comes first. */
function* inOrder(one: Generator<EventText>, other: Generator<EventText>): Generator<EventText> {
  let [left, right] = [one.next(), other.next()];
  while (left.done !== true || right.done !== true) {
    if (left.done !== true && (right.done === true || left.value.seq <= right.value.seq)) {
      yield left.value;
      left = one.next();
    } else if (right.done !== true) {
      yield right.value;
      right = other.next();
    }
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

function copyRows(tables: Tables, into: Database, name: string, isWhole: (row: SqlRow) => boolean, other: 'IGNORE' | 'REPLACE' = 'IGNORE'): Copied {
  const table = tables.table(name);
  if (table === undefined) return UNREAD;
  const columns = table.columns.filter((column) => hasColumn(into, name, column));
  const insert = into.prepare<[object]>(`INSERT OR ${other} INTO ${name} (${columns.join(', ')}) VALUES (${columns.map((column) => `@${column}`).join(', ')})`);
  let found = 0;
  let copied = 0;
  inChunks(into, table.rows(), (row) => {
    found += 1;
    if (isWhole(row) && inserted(insert, row)) copied += 1;
  });
  const counted = tables.countByIndex(name);
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

/** What can be had of something damaged; undefined where it cannot. */
function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

/** Name of a file for a message, without where the data directory lies. */
export function shortName(path: string): string {
  return basename(path);
}
