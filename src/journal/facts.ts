import type { Database, Statement } from 'better-sqlite3';
import { GateError } from '../base/index.js';
import { sumOf } from './seal.js';

/** A row of the table `fact`. */
export interface FactRow {
  readonly key: string;
  /** JSON. */
  readonly value: string;
  /** Null, or no such column: written by a release before, which had none. */
  readonly sum?: string | null;
}

/** Nothing else would tell a fact whose bits were turned on the disk from the one that was remembered. */
export function sumOfFact(key: string, value: string): string {
  return sumOf(`${key}\n${value}`);
}

export function isSoundFact({ key, value, sum }: FactRow): boolean {
  return sum === undefined || sum === null || sum === sumOfFact(key, value);
}

/** Small durable facts of other rooms, by key. */
export class Facts {
  readonly #one: Statement<[string], FactRow>;
  readonly #all: Statement<[{ prefix: string }], FactRow>;
  readonly #put: Statement<[Required<FactRow>]>;
  readonly #drop: Statement<[string]>;

  /** @throws SQLite's own errors where the database has no such table */
  constructor(db: Database) {
    this.#one = db.prepare('SELECT key, value, sum FROM fact WHERE key = ?');
    this.#all = db.prepare('SELECT key, value, sum FROM fact WHERE key >= @prefix AND substr(key, 1, length(@prefix)) = @prefix ORDER BY key');
    this.#put = db.prepare('INSERT INTO fact (key, value, sum) VALUES (@key, @value, @sum) ON CONFLICT (key) DO UPDATE SET value = excluded.value, sum = excluded.sum');
    this.#drop = db.prepare('DELETE FROM fact WHERE key = ?');
  }

  /** @throws GateError JOURNAL_CORRUPT where it is not what was remembered */
  get(key: string): string | undefined {
    const row = this.#one.get(key);
    return row === undefined ? undefined : soundValue(row);
  }

  /** @throws GateError JOURNAL_CORRUPT at the first that is not what was remembered */
  all(prefix: string): [string, string][] {
    return this.#all.all({ prefix }).map((row) => [row.key, soundValue(row)]);
  }

  put(key: string, value: string): void {
    this.#put.run({ key, value, sum: sumOfFact(key, value) });
  }

  drop(key: string): void {
    this.#drop.run(key);
  }
}

function soundValue(row: FactRow): string {
  if (!isSoundFact(row)) throw new GateError('JOURNAL_CORRUPT', `the fact "${row.key}" is not what was remembered; it was damaged on the disk`);
  return row.value;
}
