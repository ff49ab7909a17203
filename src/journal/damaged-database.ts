import SqliteDatabase from 'better-sqlite3';
import { PageFile } from './page-file.js';
import { INDEX_LEAF, INNER, PAGE_BYTES, TABLE_LEAF, pageOf, rowNumber, valuesOf, varint, type LeafKind, type Page, type SqlValue } from './page-format.js';

/** A row by the names of its columns. */
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** What the table of tables says of a table or an index. */
export interface SchemaEntry {
  readonly type: 'table' | 'index';
  readonly table: string;
  readonly root: number;
  readonly sql: string | null;
}
/** By name. */
export type Schema = ReadonlyMap<string, SchemaEntry>;

/** The first page has the file's header before its own. */
const FILE_HEADER_BYTES = 100;
const SCHEMA_ROOT = 1;
/** Far above what any row of a journal has: what is said to be longer is damaged. */
const MOST_PAYLOAD_BYTES = 4 * 1024 * 1024;

/** Rows by where they lie. */
export class Places {
  readonly #rows: number[] = [];
  readonly #pages: number[] = [];
  readonly #cells: number[] = [];

  add(row: number, page: number, cell: number): void {
    this.#rows.push(row);
    this.#pages.push(page);
    this.#cells.push(cell);
  }

  /** In order of their numbers; of several with one number, in the order in which they were added. */
  *above(after: number): Generator<{ readonly row: number; readonly page: number; readonly cell: number }> {
    const rows = this.#rows;
    const order = rows.every((row, index) => row >= (rows[index - 1] ?? row)) ? undefined : Uint32Array.from(rows.keys()).sort((one, other) => (rows[one] ?? 0) - (rows[other] ?? 0) || one - other);
    for (let index = 0; index < rows.length; index += 1) {
      const at = order?.[index] ?? index;
      const [row = 0, page = 0, cell = 0] = [rows[at], this.#pages[at], this.#cells[at]];
      if (row > after) yield { row, page, cell };
    }
  }
}

/** The pages of a table or an index that hang together. */
interface Tree {
  /** In order. */
  readonly leaves: readonly number[];
  /** All of them, and those that should be. */
  readonly pages: ReadonlySet<number>;
  /** Cells on pages that are no leaves. */
  readonly innerCells: number;
  readonly whole: boolean;
}

/**
 * Reads rows out of a database in which SQLite may find nothing more, page by page: a page that is destroyed takes nothing
 * with it but what lies on it. The file is left as it is. By SQLite's file format, https://sqlite.org/fileformat2.html,
 * sections 1.5 and 1.6.
 */
export class DamagedDatabase {
  readonly #file: PageFile;
  /** The page read last. */
  #last: { readonly number: number; readonly page: Page | undefined } | undefined;

  private constructor(file: PageFile) {
    this.#file = file;
  }

  /** @throws the file system's own errors; a file that is not there is one without pages */
  static open(path: string): DamagedDatabase {
    return new DamagedDatabase(PageFile.open(path));
  }

  close(): void {
    this.#file.close();
  }

  /** What can be read of the table of tables. */
  schema(): Schema {
    const schema = new Map<string, SchemaEntry>();
    for (const [type, name, table, root, sql] of this.#records(this.tree(SCHEMA_ROOT, TABLE_LEAF).leaves)) {
      if ((type !== 'table' && type !== 'index') || typeof name !== 'string' || typeof table !== 'string' || typeof root !== 'number' || !Number.isSafeInteger(root) || (typeof sql !== 'string' && sql !== null)) continue;
      schema.set(name, { type, table, root, sql });
    }
    return schema;
  }

  /** Walks down from a root. */
  tree(root: number, leaf: LeafKind): Tree {
    const leaves: number[] = [];
    const pages = new Set<number>();
    const due = [root];
    let innerCells = 0;
    let whole = true;
    for (let number = due.pop(); number !== undefined; number = due.pop()) {
      const page = pages.has(number) || number > this.#file.last ? undefined : this.#page(number);
      pages.add(number);
      if (page?.kind === leaf) leaves.push(number);
      else if (page?.kind === leaf - INNER) {
        const children = page.cells.map((at) => (at + 4 <= page.bytes.length ? page.bytes.readUInt32BE(at) : 0));
        innerCells += children.length;
        due.push(...[...children, page.bytes.readUInt32BE(page.header + 8)].reverse());
        whole &&= page.whole;
      } else whole = false;
    }
    return { leaves, pages, innerCells, whole };
  }

  /** Entries of an index; undefined where not all of its pages can be read. */
  entries(root: number): number | undefined {
    const { leaves, innerCells, whole } = this.tree(root, INDEX_LEAF);
    return whole ? leaves.reduce((sum, leaf) => sum + (this.#page(leaf)?.cells.length ?? 0), innerCells) : undefined;
  }

  /** @returns whether every number on these leaves of a table could be read */
  placeRows(leaves: Iterable<number>, into: Places): boolean {
    let whole = true;
    for (const number of leaves) {
      const page = this.#page(number);
      if (page?.whole !== true) whole = false;
      for (const [cell, at] of page?.cells.entries() ?? []) {
        const row = page === undefined ? undefined : rowNumber(page.bytes, at);
        if (row === undefined) whole = false;
        else into.add(row, number, cell);
      }
    }
    return whole;
  }

  /** Every leaf of any table but these, in use or not, and as it was earlier. */
  *otherLeaves(pages: ReadonlySet<number>): Generator<number> {
    for (let number = 1; number <= this.#file.count; number += 1) if (!pages.has(number) && this.#page(number)?.kind === TABLE_LEAF) yield number;
  }

  /** The values of a row, in the order of the table's columns; undefined where not all of them can be read. */
  record(number: number, cell: number): readonly SqlValue[] | undefined {
    const page = this.#page(number);
    const at = page?.cells[cell];
    return page === undefined || at === undefined ? undefined : this.#recordAt(page.bytes, at);
  }

  /** Records that can be read, as they lie. */
  *#records(leaves: readonly number[]): Generator<readonly SqlValue[]> {
    for (const number of leaves) {
      const page = this.#page(number);
      for (const at of page?.cells ?? []) {
        const record = page === undefined ? undefined : this.#recordAt(page.bytes, at);
        if (record !== undefined) yield record;
      }
    }
  }

  #page(number: number): Page | undefined {
    if (this.#last?.number === number) return this.#last.page;
    const bytes = this.#file.page(number);
    const page = bytes === undefined ? undefined : pageOf(bytes, number === SCHEMA_ROOT ? FILE_HEADER_BYTES : 0);
    this.#last = { number, page };
    return page;
  }

  #recordAt(page: Buffer, at: number): readonly SqlValue[] | undefined {
    const size = varint(page, at);
    const row = size === undefined ? undefined : varint(page, size.end);
    if (size === undefined || row === undefined) return undefined;
    const payload = this.#payload(page, row.end, size.value);
    return payload === undefined ? undefined : valuesOf(payload);
  }

  /** What of a cell's content lies on its leaf, and what on the chain of pages that hangs on it (section 1.6). */
  #payload(page: Buffer, at: number, bytes: number): Buffer | undefined {
    const most = PAGE_BYTES - 35;
    if (bytes <= most) return at + bytes <= page.length ? page.subarray(at, at + bytes) : undefined;
    if (bytes > MOST_PAYLOAD_BYTES) return undefined;
    const least = Math.floor(((PAGE_BYTES - 12) * 32) / 255) - 23;
    const fitting = least + ((bytes - least) % (PAGE_BYTES - 4));
    const local = fitting <= most ? fitting : least;
    if (at + local + 4 > page.length) return undefined;
    const parts = [page.subarray(at, at + local)];
    let next = page.readUInt32BE(at + local);
    for (let left = bytes - local; left > 0; ) {
      const more = next > this.#file.last ? undefined : this.#file.page(next);
      if (more === undefined) return undefined;
      const part = more.subarray(4, Math.min(PAGE_BYTES, 4 + left));
      parts.push(part);
      left -= part.length;
      next = more.readUInt32BE(0);
    }
    return Buffer.concat(parts);
  }
}

/** A table of a damaged database. */
export class DamagedTable {
  readonly columns: readonly string[];
  /** Pages that are its own, and those that should be. */
  readonly pages: ReadonlySet<number>;
  readonly #database: DamagedDatabase;
  readonly #places = new Places();
  /** The column that is the row's number under another name. */
  readonly #alias: string | undefined;
  #whole: boolean;

  private constructor(database: DamagedDatabase, root: number, { columns, alias }: Columns) {
    this.#database = database;
    this.columns = columns;
    this.#alias = alias;
    const tree = database.tree(root, TABLE_LEAF);
    this.pages = tree.pages;
    this.#whole = database.placeRows(tree.leaves, this.#places) && tree.whole;
  }

  /** @returns undefined where nothing is known of such a table */
  static of(database: DamagedDatabase, schema: Schema, name: string): DamagedTable | undefined {
    const entry = schema.get(name);
    const columns = entry?.type !== 'table' || entry.sql === null ? undefined : columnsOf(name, entry.sql);
    return entry === undefined || columns === undefined ? undefined : new DamagedTable(database, entry.root, columns);
  }

  /** Whether nothing had to be passed over so far. */
  get whole(): boolean {
    return this.#whole;
  }

  /** Every row above a number that can be read, in order of the numbers. */
  *rows(above = -Infinity): Generator<SqlRow> {
    for (const { row, page, cell } of this.#places.above(above)) {
      const record = this.#database.record(page, cell);
      const named = record === undefined ? undefined : this.#named(row, record);
      if (named === undefined) this.#whole = false;
      else yield named;
    }
  }

  /** One by itself; undefined where it is not there or cannot be read. */
  newest(): SqlRow | undefined {
    let newest: { readonly row: number; readonly page: number; readonly cell: number } | undefined;
    for (const place of this.#places.above(-Infinity)) newest = place;
    const record = newest === undefined ? undefined : this.#database.record(newest.page, newest.cell);
    return newest === undefined || record === undefined ? undefined : this.#named(newest.row, record);
  }

  /** A row written before its table got more columns is short of them. */
  #named(row: number, record: readonly SqlValue[]): SqlRow | undefined {
    if (record.length > this.columns.length) return undefined;
    return Object.fromEntries(this.columns.map((column, index) => [column, column === this.#alias ? row : (record[index] ?? null)]));
  }
}

interface Columns {
  readonly columns: readonly string[];
  readonly alias: string | undefined;
}

/** By SQLite itself, from the statement that made the table; undefined where it is no such statement any more. */
function columnsOf(name: string, sql: string): Columns | undefined {
  const db = new SqliteDatabase(':memory:');
  try {
    db.exec(sql);
    const columns = db.prepare<[string], { name: string; type: string; pk: number }>('SELECT name, type, pk FROM pragma_table_info(?)').all(name);
    if (columns.length === 0) return undefined;
    const key = columns.filter(({ pk }) => pk > 0);
    const alias = key.length === 1 ? key.find(({ type }) => type === 'INTEGER')?.name : undefined;
    return { columns: columns.map((column) => column.name), alias };
  } catch {
    return undefined;
  } finally {
    db.close();
  }
}
