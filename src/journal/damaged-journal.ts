import SqliteDatabase, { type Database } from 'better-sqlite3';
import { DamagedDatabase, DamagedTable, Places, type Schema, type SqlRow } from './damaged-database.js';
import { Ranges, declaredLost, mayDeclare, type SequenceRange } from './declared.js';
import { MOVING_TABLE, textOfRow } from './event-source.js';
import { isSound, soundEvent, type EventText } from './event-text.js';
import { inMemory, migrations } from './schema.js';
import { readSavedState, type State } from './store.js';

/** The tables of a damaged journal, of whatever version. */
export class DamagedJournal {
  readonly #damaged: DamagedDatabase;
  readonly #schema: Schema;
  readonly #tables = new Map<string, DamagedTable | undefined>();

  private constructor(damaged: DamagedDatabase) {
    this.#damaged = damaged;
    this.#schema = this.#schemaOf();
  }

  /** @throws the file system's own errors; a file that is not there is one without rows */
  static open(path: string): DamagedJournal {
    const damaged = DamagedDatabase.open(path);
    try {
      return new DamagedJournal(damaged);
    } catch (error) {
      damaged.close();
      throw error;
    }
  }

  close(): void {
    this.#damaged.close();
  }

  table(name: string): DamagedTable | undefined {
    if (!this.#tables.has(name)) this.#tables.set(name, DamagedTable.of(this.#damaged, this.#schema, name));
    return this.#tables.get(name);
  }

  /** Rows of a table by the first of its indices that is whole: other pages may be spared than those of the rows. */
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
      if (mayDeclare(event.text) && isSound(event)) declared.push(...declaredLost(event.text));
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
    let found = 0;
    for (const { row, page, cell } of candidates.above(removed)) {
      const event = row === found ? undefined : this.#eventAt(row, page, cell);
      if (event === undefined) continue;
      found = row;
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

/** What can be had of something damaged; undefined where it cannot. */
export function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
