import type { Database } from 'better-sqlite3';
import { GateError } from '../base/index.js';

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

export interface Migration {
  /** Version the database has afterwards (`PRAGMA user_version`). */
  readonly version: number;
  readonly sql: string;
}

/** Numbered and forward only; one that has been released never changes again. */
export const migrations: readonly Migration[] = [
  { version: 1, sql: VERSION_1 },
  { version: 2, sql: VERSION_2 },
  { version: 3, sql: VERSION_3 },
];

function versionOf(db: Database): number {
  const version: unknown = db.pragma('user_version', { simple: true });
  return typeof version === 'number' ? version : 0;
}

/**
 * Brings a database to the newest version, each step in a transaction of its own, after a backup of what is there.
 * @param backup called with the old version before the first step of a database that holds something
 * @throws GateError JOURNAL_VERSION_UNKNOWN when the database was written by a newer release
 */
export function migrate(db: Database, steps: readonly Migration[], backup: (version: number) => void): void {
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
  if (from > 0) backup(from);
  for (const step of due) {
    db.transaction(() => {
      db.exec(step.sql);
      db.pragma(`user_version = ${step.version}`);
    }).immediate();
  }
}

/** All tables, indices and views as the newest version has them, with their comments, as SQL. */
export function schemaText(): string {
  return `-- The gate's journal: journal/journal.db in the data directory. Readable while the gate runs:
--   sqlite3 -readonly journal.db "SELECT time, type, lane FROM readable_event ORDER BY seq DESC LIMIT 20"
--   sqlite3 -readonly journal.db "SELECT began, lane, plate, outcome, ended FROM readable_passage ORDER BY first_seq DESC LIMIT 20"
-- Never write to it: a changed event breaks the chain (gatectl journal verify).
-- Version ${migrations.at(-1)?.version ?? 0} (PRAGMA user_version).
${withoutReplaced(migrations.map(({ sql }) => sql).join('')).trimEnd()}`;
}

/** Leaves out views that a later version makes anew. */
function withoutReplaced(sql: string): string {
  return [...sql.matchAll(/^DROP VIEW (\w+);\n/gmu)].reduce((text, [drop, name]) => text.replace(new RegExp(`^CREATE VIEW ${name} [^;]*;\\n\\n?`, 'mu'), '').replace(drop, ''), sql);
}
