import { existsSync, rmSync } from 'node:fs';
import SqliteDatabase, { type Database } from 'better-sqlite3';
import { migrate, migrations, type MigrationHooks } from '../../src/journal/schema.js';
import { readState } from '../../src/journal/store.js';

/** Migrating without a copy before it. */
export const hooks: MigrationHooks = { backup: () => undefined, gate: 'east-gate' };

/** Tables that each version brought, beside state and event. */
const TABLES: Readonly<Record<number, readonly string[]>> = { 1: ['boot', 'gap', 'fact', 'evidence'], 3: ['epoch_clock', 'known_clock'] };

/** Turns a journal that no gate has open into what a release before would have left: its rows in its tables. */
export function asVersion(path: string, version: 1 | 2 | 3): void {
  const now = new SqliteDatabase(path);
  const state = readState(now);
  now.close();
  const oldPath = `${path}.old`;
  const old = new SqliteDatabase(oldPath);
  migrate(old, migrations.slice(0, version), hooks);
  old.prepare('ATTACH ? AS new').run(path);
  for (let step = 1; step <= version; step += 1) for (const table of TABLES[step] ?? []) take(old, table);
  old.exec(`INSERT INTO main.event (seq, epoch, type, lane, passage, wall_ms, mono_ms, clock_trusted, payload, previous_hash, hash)
    SELECT seq, epoch, type, lane, passage, wall_ms, mono_ms, clock_trusted, payload, unhex(previous_hash), unhex(hash) FROM new.event_field`);
  take(old, 'state');
  // Those releases wrote that row with every event.
  old
    .prepare('UPDATE state SET head = @head, head_hash = unhex(@headHash), wall_high_ms = @wallHighMs, client = @client, batch = @batch, batch_first = @batchFirst, batch_count = @batchCount')
    .run({ ...state });
  old.exec('DETACH new');
  old.close();
  for (const suffix of ['', '-wal', '-shm']) if (existsSync(path + suffix)) rmSync(path + suffix);
  const copy = new SqliteDatabase(oldPath);
  copy.prepare('VACUUM INTO ?').run(path);
  copy.close();
  rmSync(oldPath);
}

/** The columns that the release before had. */
function take(old: Database, table: string): void {
  const columns = old.prepare<[string], string>("SELECT name FROM pragma_table_info(?, 'main')").pluck().all(table).join(', ');
  old.exec(`INSERT INTO main.${table} (${columns}) SELECT ${columns} FROM new.${table}`);
}
