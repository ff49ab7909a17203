import SqliteDatabase, { type Database } from 'better-sqlite3';
import { GateError } from '../base/index.js';
import { BLOCK_EVENTS, Blocks } from './blocks.js';
import { MOVING_TABLE, eventSource } from './event-source.js';

/**
 * The journal's tables. The comments are stored in the database too: `sqlite3 journal.db .schema` shows them.
 * Readable while the gate runs: `sqlite3 -readonly journal.db "SELECT seq, type, lane, payload FROM event ORDER BY seq DESC LIMIT 20"`.
 */
const VERSION_1 = `
CREATE TABLE state (
  id INTEGER PRIMARY KEY CHECK (id = 1),  -- one row
  epoch INTEGER NOT NULL,                 -- boot epoch; grows by one at every start of the journal
  head INTEGER NOT NULL,                  -- highest sequence used
  head_hash BLOB NOT NULL,                -- SHA-256 of the event at head (or of the last event known before a loss)
  acknowledged INTEGER NOT NULL,          -- the platform has everything up to here (outbox cursor)
  reserved INTEGER NOT NULL,              -- sequences up to here may have been used; repeated in sequence.guard
  pruned_through INTEGER NOT NULL,        -- retention has removed events up to here
  pruned_hash BLOB NOT NULL,              -- hash of the last event removed: anchor of the chain
  wall_high_ms INTEGER NOT NULL,          -- latest wall time of an event with a trusted clock
  client TEXT NOT NULL,                   -- run of the daemon that wrote the last batch ...
  batch INTEGER NOT NULL,                 -- ... its number: a batch sent again after a crash is not written twice
  batch_first INTEGER NOT NULL,           -- first sequence of that batch
  batch_count INTEGER NOT NULL            -- events in that batch
) STRICT;

CREATE TABLE boot (
  epoch INTEGER PRIMARY KEY,
  gate TEXT NOT NULL,                     -- gate's id in that epoch: an event's id is gate-epoch-seq
  wall_ms INTEGER NOT NULL,
  mono_ms REAL NOT NULL
) STRICT;

CREATE TABLE event (
  seq INTEGER PRIMARY KEY,                -- contiguous over all epochs, from 1, never reused
  epoch INTEGER NOT NULL,
  type TEXT NOT NULL,
  lane TEXT,
  passage TEXT,
  wall_ms INTEGER NOT NULL,               -- ms since 1970 as believed when handed over
  mono_ms REAL NOT NULL,                  -- ms since the boot of that epoch
  clock_trusted INTEGER NOT NULL,         -- 1: the wall time was known to be right
  payload TEXT NOT NULL,                  -- JSON, canonical (RFC 8785)
  previous_hash BLOB NOT NULL,            -- hash of the event before
  hash BLOB NOT NULL                      -- SHA-256 of this event's canonical form
) STRICT;
CREATE INDEX event_by_type ON event (type);
CREATE INDEX event_by_lane ON event (lane) WHERE lane IS NOT NULL;
CREATE INDEX event_by_passage ON event (passage) WHERE passage IS NOT NULL;

CREATE TABLE gap (                        -- sequences declared lost by a journal.recovered or journal.lost event
  first INTEGER PRIMARY KEY,
  last INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;

CREATE TABLE fact (                       -- small durable facts of other rooms
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL                     -- JSON
) STRICT;

CREATE TABLE evidence (                   -- photographs; the file is evidence/ab/cdef....jpg
  row INTEGER PRIMARY KEY,
  id TEXT NOT NULL,                       -- SHA-256 of the bytes
  passage TEXT NOT NULL,
  kind TEXT NOT NULL,                     -- frame or plate
  bytes INTEGER NOT NULL,
  wall_ms INTEGER NOT NULL,
  clock_trusted INTEGER NOT NULL,
  UNIQUE (passage, id, kind)
) STRICT;
CREATE INDEX evidence_by_id ON evidence (id);
`;

/**
 * Views for people with the sqlite3 shell; the program reads tables only. Times are those of the shell's time zone
 * (`TZ=Asia/Shanghai sqlite3 ...`); `?` marks those of a clock that was not known to be right. Version 3 makes them anew.
 */
const VERSION_2 = `
CREATE INDEX evidence_by_kind ON evidence (kind);

CREATE VIEW readable_event AS             -- every event with its time, newest last
SELECT
  seq,
  strftime('%Y-%m-%d %H:%M:%f', wall_ms / 1000.0, 'unixepoch', 'localtime') || iif(clock_trusted = 1, '', ' ?') AS time,
  type, lane, passage, payload, epoch
FROM event;

CREATE VIEW readable_passage AS           -- one row a vehicle: when, which plate, what was decided and why, how it ended
SELECT
  passage,
  max(lane) AS lane,
  strftime('%Y-%m-%d %H:%M:%S', min(wall_ms) / 1000.0, 'unixepoch', 'localtime') || iif(min(clock_trusted) = 1, '', ' ?') AS began,
  round((max(mono_ms) - min(mono_ms)) / 1000.0, 1) AS seconds,
  max(iif(type = 'passage.decided', json_extract(payload, '$.plate'), NULL)) AS plate,
  max(iif(type = 'passage.decided', json_extract(payload, '$.outcome'), NULL)) AS outcome,
  max(iif(type = 'passage.decided', json_extract(payload, '$.rule'), NULL)) AS rule,
  max(iif(type = 'passage.ended', json_extract(payload, '$.end'), NULL)) AS ended,
  (SELECT count(*) FROM evidence WHERE evidence.passage = event.passage) AS photographs,
  min(seq) AS first_seq, max(seq) AS last_seq
FROM event WHERE passage IS NOT NULL GROUP BY passage;
`;

/** What is known of wall time where the clock was not trusted, see `epoch-clocks.ts`. */
const VERSION_3 = `
CREATE TABLE epoch_clock (                -- each boot epoch on the monotonic clock of the machine
  epoch INTEGER PRIMARY KEY,
  boot TEXT NOT NULL,                     -- run of the machine (boot id of the kernel)
  ahead_ms REAL NOT NULL,                 -- the machine's monotonic time minus mono_ms of the epoch's events
  start_ms REAL NOT NULL,                 -- the machine's monotonic time when the epoch began
  after_ms INTEGER NOT NULL               -- it began after this wall time; 0: not known
) STRICT;

CREATE TABLE known_clock (                -- moments at which wall time was known
  boot TEXT NOT NULL,
  machine_ms REAL NOT NULL,               -- the machine's monotonic time
  wall_ms INTEGER NOT NULL,
  source TEXT NOT NULL,                   -- ntp, gnss, reference, service, rtc or assumed; the best of a run only
  PRIMARY KEY (boot, machine_ms)
) STRICT;

CREATE VIEW event_time AS                 -- time of every event; mark: '' known at once, '~' corrected afterwards, '?' not known
SELECT                                    -- (plain enough for the sqlite3 shell of Debian 12)
  seq,
  iif(true_ms IS NULL, wall_ms, true_ms) AS wall_ms,
  iif(clock_trusted = 1, '', iif(true_ms IS NULL, '?', '~')) AS mark
FROM (
  SELECT
    dated.seq AS seq, dated.wall_ms AS wall_ms, dated.clock_trusted AS clock_trusted,
    iif(dated.clock_trusted = 1, NULL, coalesce((
      SELECT CAST(round(known_clock.wall_ms + dated.mono_ms + epoch_clock.ahead_ms - known_clock.machine_ms) AS INTEGER)
      FROM epoch_clock JOIN known_clock ON known_clock.boot = epoch_clock.boot
      WHERE epoch_clock.epoch = dated.epoch AND known_clock.machine_ms >= dated.mono_ms + epoch_clock.ahead_ms
      ORDER BY known_clock.machine_ms LIMIT 1), (
      SELECT CAST(round(known_clock.wall_ms + dated.mono_ms + epoch_clock.ahead_ms - known_clock.machine_ms) AS INTEGER)
      FROM epoch_clock JOIN known_clock ON known_clock.boot = epoch_clock.boot
      WHERE epoch_clock.epoch = dated.epoch AND known_clock.machine_ms < dated.mono_ms + epoch_clock.ahead_ms
      ORDER BY known_clock.machine_ms DESC LIMIT 1))) AS true_ms
  FROM event AS dated);

DROP VIEW readable_event;
CREATE VIEW readable_event AS             -- every event with its time, newest last; ~ and ? as in event_time
SELECT
  event.seq,
  strftime('%Y-%m-%d %H:%M:%f', event_time.wall_ms / 1000.0, 'unixepoch', 'localtime') || iif(mark = '', '', ' ' || mark) AS time,
  type, lane, passage, payload, epoch
FROM event JOIN event_time ON event_time.seq = event.seq;

DROP VIEW readable_passage;
CREATE VIEW readable_passage AS           -- one row a vehicle: when, which plate, what was decided and why, how it ended
SELECT
  passage,
  max(lane) AS lane,
  strftime('%Y-%m-%d %H:%M:%S', min(event_time.wall_ms) / 1000.0, 'unixepoch', 'localtime') || iif(max(mark) = '', '', ' ' || iif(max(mark = '?') = 1, '?', '~')) AS began,
  round((max(mono_ms) - min(mono_ms)) / 1000.0, 1) AS seconds,
  max(iif(type = 'passage.decided', json_extract(payload, '$.plate'), NULL)) AS plate,
  max(iif(type = 'passage.decided', json_extract(payload, '$.outcome'), NULL)) AS outcome,
  max(iif(type = 'passage.decided', json_extract(payload, '$.rule'), NULL)) AS rule,
  max(iif(type = 'passage.ended', json_extract(payload, '$.end'), NULL)) AS ended,
  (SELECT count(*) FROM evidence WHERE evidence.passage = event.passage) AS photographs,
  min(event.seq) AS first_seq, max(event.seq) AS last_seq
FROM event JOIN event_time ON event_time.seq = event.seq WHERE passage IS NOT NULL GROUP BY passage;
`;

/**
 * Events as the texts that go out, and blocks of them instead of indices over each: see `event-text.ts` and `blocks.ts`.
 * Version 5 follows once the events have moved.
 */
const VERSION_4 = `
DROP VIEW readable_passage;
DROP VIEW readable_event;
DROP VIEW event_time;
DROP INDEX event_by_type;
DROP INDEX event_by_lane;
DROP INDEX event_by_passage;
ALTER TABLE event RENAME TO ${MOVING_TABLE};

CREATE TABLE event (
  seq INTEGER PRIMARY KEY,                -- contiguous over all epochs, from 1, never reused
  text TEXT NOT NULL,                     -- the event as it goes out: JSON, canonical (RFC 8785), its hash added as the last key
  batch TEXT                              -- with the last event of a batch: a checksum, and [client, batch, batch_first, batch_count, wall_high_ms] as the row of state would have them
) STRICT;

CREATE TABLE block (                      -- each ${BLOCK_EVENTS} sequences that are behind: (seq - 1) / ${BLOCK_EVENTS}
  block INTEGER PRIMARY KEY,
  events INTEGER NOT NULL,                -- how many of them there were
  untrusted INTEGER NOT NULL,             -- how many under a clock that was not trusted
  digest BLOB NOT NULL,                   -- SHA-256 of their texts with commas between
  keys TEXT NOT NULL                      -- JSON: what occurs among them, repeated in block_key
) STRICT;

CREATE TABLE block_key (                  -- where to look for a type, a lane or a passage
  key TEXT NOT NULL,                      -- such as: type passage.read
  block INTEGER NOT NULL,
  PRIMARY KEY (key, block)
) STRICT, WITHOUT ROWID;

CREATE VIEW event_field AS                -- what an event's text says
SELECT
  seq,
  json_extract(text, '$.epoch') AS epoch,                  -- boot epoch
  json_extract(text, '$.type') AS type,
  json_extract(text, '$.lane') AS lane,
  json_extract(text, '$.passage') AS passage,
  json_extract(text, '$.wallMs') AS wall_ms,               -- ms since 1970 as believed when handed over
  json_extract(text, '$.monoMs') AS mono_ms,               -- ms since the boot of that epoch
  json_extract(text, '$.clockTrusted') AS clock_trusted,   -- 1: the wall time was known to be right
  json_extract(text, '$.payload') AS payload,
  json_extract(text, '$.previousHash') AS previous_hash,   -- hash of the event before
  json_extract(text, '$.hash') AS hash                     -- SHA-256 of the text without it
FROM event;

CREATE VIEW event_dated AS                -- the same, with the true wall time where it became known afterwards
SELECT                                    -- (plain enough for the sqlite3 shell of Debian 12)
  dated.*,
  iif(dated.clock_trusted = 1, NULL, coalesce((
    SELECT CAST(round(known_clock.wall_ms + dated.mono_ms + epoch_clock.ahead_ms - known_clock.machine_ms) AS INTEGER)
    FROM epoch_clock JOIN known_clock ON known_clock.boot = epoch_clock.boot
    WHERE epoch_clock.epoch = dated.epoch AND known_clock.machine_ms >= dated.mono_ms + epoch_clock.ahead_ms
    ORDER BY known_clock.machine_ms LIMIT 1), (
    SELECT CAST(round(known_clock.wall_ms + dated.mono_ms + epoch_clock.ahead_ms - known_clock.machine_ms) AS INTEGER)
    FROM epoch_clock JOIN known_clock ON known_clock.boot = epoch_clock.boot
    WHERE epoch_clock.epoch = dated.epoch AND known_clock.machine_ms < dated.mono_ms + epoch_clock.ahead_ms
    ORDER BY known_clock.machine_ms DESC LIMIT 1))) AS true_ms
FROM event_field AS dated;

CREATE VIEW event_time AS                 -- time of every event; mark: '' known at once, '~' corrected afterwards, '?' not known
SELECT
  seq,
  iif(true_ms IS NULL, wall_ms, true_ms) AS wall_ms,
  iif(clock_trusted = 1, '', iif(true_ms IS NULL, '?', '~')) AS mark
FROM event_dated;

CREATE VIEW readable_event AS             -- every event with its time, newest last; ~ and ? as in event_time
SELECT
  seq,
  strftime('%Y-%m-%d %H:%M:%f', iif(true_ms IS NULL, wall_ms, true_ms) / 1000.0, 'unixepoch', 'localtime') || iif(clock_trusted = 1, '', iif(true_ms IS NULL, ' ?', ' ~')) AS time,
  type, lane, passage, payload, epoch
FROM event_dated;

CREATE VIEW readable_passage AS           -- one row a vehicle: when, which plate, what was decided and why, how it ended
SELECT
  passage,
  max(lane) AS lane,
  strftime('%Y-%m-%d %H:%M:%S', min(iif(true_ms IS NULL, wall_ms, true_ms)) / 1000.0, 'unixepoch', 'localtime')
    || iif(min(clock_trusted) = 1, '', iif(max(clock_trusted = 0 AND true_ms IS NULL) = 1, ' ?', ' ~')) AS began,
  round((max(mono_ms) - min(mono_ms)) / 1000.0, 1) AS seconds,
  max(iif(type = 'passage.decided', json_extract(payload, '$.plate'), NULL)) AS plate,
  max(iif(type = 'passage.decided', json_extract(payload, '$.outcome'), NULL)) AS outcome,
  max(iif(type = 'passage.decided', json_extract(payload, '$.rule'), NULL)) AS rule,
  max(iif(type = 'passage.ended', json_extract(payload, '$.end'), NULL)) AS ended,
  (SELECT count(*) FROM evidence WHERE evidence.passage = event_dated.passage) AS photographs,
  min(seq) AS first_seq, max(seq) AS last_seq
FROM event_dated WHERE passage IS NOT NULL GROUP BY passage;
`;

const VERSION_5 = `
DROP TABLE ${MOVING_TABLE};
`;

/** Rows that nothing else proves get a checksum; NULL: written by a release before, not checked. See `facts.ts` and `readSavedState`. */
const VERSION_6 = `
ALTER TABLE state ADD COLUMN sum TEXT /* beginning of the SHA-256 of the row as written; NULL: by a release before */;
ALTER TABLE fact ADD COLUMN sum TEXT /* the same of key and value */;
`;

export interface MigrationHooks {
  /** Called with the old version before the first step of a database that holds something. */
  readonly backup: (version: number) => void;
  /** Id of the gate, for events of versions that kept it apart. */
  readonly gate: string;
  /** What a long step has got done. */
  readonly progress?: (facts: { readonly moved: number; readonly through: number }) => void;
}

export interface Migration {
  /** Version the database has afterwards (`PRAGMA user_version`). */
  readonly version: number;
  /** Work before it, in transactions of its own; it goes on where it was cut off. */
  readonly prepare?: (db: Database, hooks: MigrationHooks) => void;
  readonly sql: string;
}

/**
 * Numbered and forward only; one that has been released never changes again. Each changes what the database says of a table
 * that was there, be it a comment: by that a newer release is told from a turned bit in the version.
 */
export const migrations: readonly Migration[] = [
  { version: 1, sql: VERSION_1 },
  { version: 2, sql: VERSION_2 },
  { version: 3, sql: VERSION_3 },
  { version: 4, sql: VERSION_4 },
  { version: 5, prepare: moveEvents, sql: VERSION_5 },
  { version: 6, sql: VERSION_6 },
];

/** Events moved in one transaction: the room they leave is used by the next ones, so the file hardly grows. */
const MOVED_AT_ONCE = 2_000;
const PROGRESS_EVENTS = 100_000;
const BLOCKS_AT_ONCE = 20;

/** Moves events out of the form of versions 1 to 3; one that was damaged there is as damaged afterwards. */
function moveEvents(db: Database, { gate, progress }: MigrationHooks): void {
  const source = eventSource(db, gate);
  const insert = db.prepare<[number, string]>('INSERT INTO event (seq, text) VALUES (?, ?)');
  const remove = db.prepare<[number]>(`DELETE FROM ${MOVING_TABLE} WHERE seq <= ?`);
  const newest = db.prepare<[], { seq: number | null }>('SELECT max(seq) AS seq FROM event');
  let after = newest.get()?.seq ?? 0;
  let moved = 0;
  for (;;) {
    const rows = source.after(after, MOVED_AT_ONCE);
    const last = rows.at(-1);
    if (last === undefined) break;
    db.transaction(() => {
      for (const { seq, text } of rows) insert.run(seq, text);
      remove.run(last.seq);
    }).immediate();
    after = last.seq;
    moved += rows.length;
    if (moved % PROGRESS_EVENTS < MOVED_AT_ONCE) progress?.({ moved, through: after });
  }
  buildBlocks(db);
}

/** Brings the table of blocks up to date with events that were not written one after another. */
export function buildBlocks(db: Database): void {
  const blocks = new Blocks(db);
  let at: number | undefined = 0;
  while (at !== undefined) at = blocks.catchUp(at, BLOCKS_AT_ONCE);
}

function versionOf(db: Database): number {
  const version: unknown = db.pragma('user_version', { simple: true });
  return typeof version === 'number' ? version : 0;
}

/**
 * Brings a database to the newest version, each step in a transaction of its own, after a backup of what is there.
 * @throws GateError JOURNAL_VERSION_UNKNOWN when the database was written by a newer release
 */
export function migrate(db: Database, steps: readonly Migration[], hooks: MigrationHooks): void {
  const from = versionOf(db);
  const newest = steps.at(-1)?.version ?? 0;
  if (from > newest) {
    throw new GateError('JOURNAL_VERSION_UNKNOWN', `the journal has version ${from}, this release knows ${newest}; install the newer release again`, {
      version: from,
      known: newest,
    });
  }
  const due = steps.filter((step) => step.version > from);
  if (due.length === 0) return;
  if (from > 0) hooks.backup(from);
  for (const step of due) {
    step.prepare?.(db, hooks);
    db.transaction(() => {
      db.exec(step.sql);
      db.pragma(`user_version = ${step.version}`);
    }).immediate();
  }
}

/**
 * Holds what a database says of its tables against what its version has: of a turned bit there SQLite says that there is no
 * such column, or nothing. What somebody made beside does no harm.
 * @throws GateError JOURNAL_CORRUPT with what is not as it was made
 */
export function checkTables(db: Database): void {
  const version = versionOf(db);
  const found = new Map(madeIn(db).map(({ name, sql }) => [name, sql]));
  if (version < 0 || (version === 0 && found.has('state'))) throw new GateError('JOURNAL_CORRUPT', 'the database has lost its version');
  const wrong = inMemory(Math.min(version, migrations.length), madeIn).find(({ name, sql }) => found.get(name) !== sql);
  if (version > migrations.length) {
    if (wrong === undefined) throw new GateError('JOURNAL_CORRUPT', `the database says that it has version ${version}, and has the tables of version ${migrations.length}`);
    return;
  }
  if (wrong !== undefined) throw new GateError('JOURNAL_CORRUPT', `what the database says of its "${wrong.name}" is not what it was made with`);
}

function madeIn(db: Database): { name: string; sql: string }[] {
  return db.prepare<[], { name: string; sql: string }>('SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid').all();
}

/** Looks at an empty journal of a version. */
export function inMemory<Found>(version: number, look: (db: Database) => Found): Found {
  const db = new SqliteDatabase(':memory:');
  try {
    migrate(db, migrations.slice(0, version), { backup: () => undefined, gate: '' });
    return look(db);
  } finally {
    db.close();
  }
}

/** All tables, indices and views as the newest version has them, with their comments, as SQL. */
export function schemaText(): string {
  return inMemory(
    migrations.length,
    (db) => `-- The gate's journal: journal/journal.db in the data directory. Readable while the gate runs:
--   sqlite3 -readonly journal.db "SELECT time, type, lane FROM readable_event ORDER BY seq DESC LIMIT 20"
--   sqlite3 -readonly journal.db "SELECT began, lane, plate, outcome, ended FROM readable_passage ORDER BY first_seq DESC LIMIT 20"
-- Never write to it: a changed event breaks the chain (gatectl journal verify).
-- Version ${versionOf(db)} (PRAGMA user_version).

${madeIn(db)
  .map(({ sql }) => `${sql};\n`)
  .join('\n')}`,
  );
}
