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
 * (`TZ=Asia/Shanghai sqlite3 ...`); `?` marks those of a clock that was not known to be right.
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

export interface Migration {
  /** Version the database has afterwards (`PRAGMA user_version`). */
  readonly version: number;
  readonly sql: string;
}

/** Numbered and forward only; one that has been released never changes again. */
export const migrations: readonly Migration[] = [
  { version: 1, sql: VERSION_1 },
  { version: 2, sql: VERSION_2 },
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
