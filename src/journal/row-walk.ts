import type { Database, Statement } from 'better-sqlite3';

/** A row by its number in its table. */
export interface Numbered {
  readonly row: number;
}

export interface WalkedTable {
  /** Name, and alias where the columns need one. */
  readonly table: string;
  /** Column that numbers the rows: the rowid under any of its names. */
  readonly number: string;
  readonly columns: string;
  /** What is read beside the table itself. */
  readonly join?: string;
}

/** Above every number of a row. */
const TOP = Number.MAX_SAFE_INTEGER;
/** Places looked at between two rows for another one that can be read. */
const MOST_PLACES = 256;
/** As many in one table. */
const MOST_LOOKS = 20_000;

/**
 * Reads a table of a damaged database in order of its row numbers, from row to row, however far their numbers lie apart. A
 * destroyed page ends a scan: the next row that can be read is looked for further and further away, and from there back, so
 * that a page takes nothing with it but its own rows.
 */
export class RowWalk<Row extends Numbered> {
  readonly #rows: Statement<[number, number], Row>;
  readonly #row: Statement<[number], Row>;
  readonly #downwards: Statement<[number, number], number>;
  readonly #from: Statement<[number, number], number>;
  readonly #downFrom: Statement<[number, number], number>;
  #looks = MOST_LOOKS;
  #whole = true;

  /** @throws SQLite's own errors where there is no such table */
  constructor(db: Database, { table, number, columns, join = '' }: WalkedTable) {
    const rows = `SELECT ${number} AS row, ${columns} FROM ${table} NOT INDEXED ${join}`;
    const numbers = `SELECT ${number} AS row FROM ${table} NOT INDEXED`;
    this.#rows = db.prepare(`${rows} WHERE ${number} > ? AND ${number} < ? ORDER BY ${number}`);
    this.#row = db.prepare(`${rows} WHERE ${number} = ?`);
    this.#downwards = db.prepare<[number, number], number>(`${numbers} WHERE ${number} > ? AND ${number} < ? ORDER BY ${number} DESC`).pluck();
    this.#from = db.prepare<[number, number], number>(`${numbers} WHERE ${number} >= ? AND ${number} < ? ORDER BY ${number} LIMIT 1`).pluck();
    this.#downFrom = db.prepare<[number, number], number>(`${numbers} WHERE ${number} > ? AND ${number} <= ? ORDER BY ${number} DESC LIMIT 1`).pluck();
  }

  /** Whether nothing had to be passed over. */
  get whole(): boolean {
    return this.#whole;
  }

  /** Every row above `after` that can be read. */
  *above(after: number): Generator<Row> {
    let at = after;
    for (;;) {
      const end = yield* this.#upwards(at, TOP);
      if (end === undefined) return;
      this.#whole = false;
      const next = this.#beyond(end);
      if (next === undefined) return;
      yield* this.#between(end, next);
      yield* this.#read(next);
      at = next;
    }
  }

  /** @returns the last row number before a destroyed page; undefined where there was none */
  *#upwards(above: number, below: number): Generator<Row, number | undefined> {
    let at = above;
    for (let again = true; ; ) {
      try {
        for (const row of this.#rows.iterate(at, below)) {
          again ||= row.row > at;
          // A damaged number may be any, and the walk goes up.
          at = Math.max(at, row.row);
          yield row;
        }
        return undefined;
      } catch {
        // The device may only not have given the page this once.
        if (!again) return at;
        again = false;
      }
    }
  }

  /** Rows between two of which the lower one is the last before a destroyed page. */
  *#between(low: number, high: number): Generator<Row> {
    const back: number[] = [];
    try {
      for (const row of this.#downwards.iterate(low, high)) back.push(row);
    } catch {
      const top = back.at(-1) ?? high;
      const middle = this.#somewhere(low, top);
      if (middle !== undefined) {
        yield* this.#between(low, middle);
        yield* this.#read(middle);
        const end = yield* this.#upwards(middle, top);
        if (end !== undefined) yield* this.#between(end, top);
      }
    }
    for (const row of back.reverse()) yield* this.#read(row);
  }

  /** Nothing where what the row has beside its page is destroyed. */
  *#read(row: number): Generator<Row> {
    const found = attempt(() => this.#row.get(row));
    if (found !== undefined) yield found;
  }

  /** A row above a destroyed page, the nearer the sooner. */
  #beyond(low: number): number | undefined {
    for (let step = 1; low + step < TOP; step *= 2) {
      const found = this.#beside(low + step, low, TOP);
      if (found !== undefined) return found;
    }
    const last = this.#beside(TOP, low, TOP);
    if (last !== undefined) return last;
    // The end is destroyed too, and what lies before it may be shorter than the steps are.
    for (let step = 1; low + step < TOP; step *= 2) {
      const found = this.#somewhere(low + step, Math.min(low + 2 * step, TOP));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** A row between two that can be read, looked for in ever smaller steps. */
  #somewhere(low: number, high: number): number | undefined {
    for (let parts = 2; parts <= MOST_PLACES && parts <= 2 * (high - low); parts *= 2) {
      for (let part = 1; part < parts; part += 2) {
        if (this.#looks <= 0) return undefined;
        this.#looks -= 1;
        const found = this.#beside(Math.floor(low + ((high - low) * part) / parts), low, high);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  /** The row at a place or next to it, where that is between two. */
  #beside(place: number, low: number, high: number): number | undefined {
    const inside = (row: number | undefined): row is number => row !== undefined && row > low && row < high;
    const up = attempt(() => this.#from.get(place, high));
    if (inside(up)) return up;
    const down = attempt(() => this.#downFrom.get(low, place));
    return inside(down) ? down : undefined;
  }
}

/** What can be had of a damaged database; undefined where it cannot. */
export function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
