import SqliteDatabase, { type Database } from 'better-sqlite3';
import { z } from 'zod';
import { GateError, errorText, isGateError } from '../base/index.js';
import { openDatabase } from '../journal/index.js';
import { editSubjects, type ListEntry } from '../lists/index.js';
import { GateLedger, listEntrySchema, statusMessageSchema, type GateName, type JournalState, type KeptList, type LedgerBooks, type LedgerEntry, type LedgerReport, type ListBooks, type StatusMessage, type Taken, type TakenEdit } from '../uplink/index.js';

/** Readable beside a running platform: `sqlite3 -readonly FILE "SELECT * FROM event ORDER BY received_ms DESC LIMIT 20"`. */
const TABLES = `
CREATE TABLE gate (
  number INTEGER PRIMARY KEY,
  site TEXT NOT NULL,
  gate TEXT NOT NULL,
  status TEXT,                            -- JSON, the last message on its status topic
  seen_ms INTEGER,                        -- ms since 1970 of the last message of any kind
  UNIQUE (site, gate)
) STRICT;

CREATE TABLE journal (                    -- a gate has several when its memory card was changed
  gate INTEGER NOT NULL,
  number INTEGER NOT NULL,                -- from 0, in order of epochs
  state TEXT NOT NULL,                    -- JSON: how far it came, and what was found
  PRIMARY KEY (gate, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  gate INTEGER NOT NULL,
  journal INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  id TEXT NOT NULL,
  type TEXT NOT NULL,
  lane TEXT,
  passage TEXT,
  wall_ms INTEGER NOT NULL,               -- as the gate believed
  clock_trusted INTEGER NOT NULL,
  payload TEXT NOT NULL,                  -- JSON
  hash TEXT NOT NULL,
  previous_hash TEXT NOT NULL,
  historical INTEGER NOT NULL,            -- 1: came as backlog
  received_ms INTEGER NOT NULL,
  PRIMARY KEY (gate, journal, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE list (                       -- lists sent, for changes from them
  gate INTEGER NOT NULL,
  version INTEGER NOT NULL,
  digest TEXT NOT NULL,
  entries TEXT NOT NULL,                  -- JSON
  PRIMARY KEY (gate, version)
) STRICT, WITHOUT ROWID;
`;
/** Since version 2. */
const EDITS = `
CREATE TABLE edit (                       -- of a plate and subject the newest change made at the gate that its list has taken in
  gate INTEGER NOT NULL,
  subject TEXT NOT NULL,
  plate TEXT NOT NULL,                    -- in normal form
  id TEXT NOT NULL,
  at_ms INTEGER NOT NULL,                 -- as the gate believed
  epoch INTEGER,                          -- of its event, with seq; null: only a report has told of it
  seq INTEGER,
  version INTEGER NOT NULL,               -- first one of the list that speaks for the plate again
  PRIMARY KEY (gate, subject, plate)
) STRICT, WITHOUT ROWID;
`;
const VERSION = 2;
/** Lists remembered of a gate. */
const MOST_LISTS = 8;
/** Edits remembered of a gate, the newest of a plate and subject each. */
const MOST_EDITS = 10_000;
const BUSY_MS = 10_000;

const found = z.array(z.object({ seq: z.number(), epoch: z.number() }));
const stateSchema = z.object({
  began: z.number(),
  lowestEpoch: z.number(),
  events: z.number(),
  repeated: z.number(),
  through: z.number(),
  throughEpoch: z.number(),
  throughHash: z.string().nullable(),
  highest: z.number(),
  lastLive: z.number(),
  lastHistorical: z.number(),
  conflicting: found,
  reordered: found,
  badHash: found,
  badLink: found,
  reduced: found,
  declared: z.array(z.object({ first: z.number(), last: z.number() })),
}) satisfies z.ZodType<JournalState>;
const editRows = z.array(z.object({ subject: z.enum(editSubjects), plate: z.string(), id: z.string(), atMs: z.number(), epoch: z.number().nullable(), seq: z.number().nullable(), version: z.number() }));
const entrySchema = z.object({ seq: z.number(), id: z.string(), epoch: z.number(), hash: z.string(), previousHash: z.string() });
const ENTRY = 'seq, id, epoch, hash, previous_hash AS previousHash';

export interface GateRecord extends GateName {
  readonly status: StatusMessage | null;
  /** ms since 1970 of the last message of any kind. */
  readonly seenMs: number | null;
  readonly ledger: LedgerReport;
}

/**
 * A small platform's ledger on disk: every event, with what was found amiss. What `keep` was given is on disk when it
 * returns (WAL, synchronous FULL), so that an acknowledgement sent after it holds whatever happens to this machine.
 */
export class LedgerFile implements LedgerBooks {
  readonly #db: Database;
  readonly #path: string;
  readonly #wallMs: () => number;

  private constructor(db: Database, path: string, wallMs: () => number) {
    this.#db = db;
    this.#path = path;
    this.#wallMs = wallMs;
  }

  /**
   * Opens a ledger, or makes one.
   * @param wallMs ms since 1970
   * @throws GateError LEDGER_UNREADABLE
   */
  static open(path: string, wallMs: () => number): LedgerFile {
    return LedgerFile.#attempt(path, () => {
      const db = openDatabase(path, false);
      db.pragma(`busy_timeout = ${BUSY_MS}`);
      db.transaction(() => {
        const version: unknown = db.pragma('user_version', { simple: true });
        if (version === 0) db.exec(TABLES);
        if (version === 0 || version === 1) {
          db.exec(EDITS);
          db.pragma(`user_version = ${VERSION}`);
        }
      }).immediate();
      return new LedgerFile(LedgerFile.#checked(db, path), path, wallMs);
    });
  }

  /** Opens one to look at, also while a platform writes it. @throws GateError LEDGER_UNREADABLE */
  static look(path: string): LedgerFile {
    return LedgerFile.#attempt(path, () => new LedgerFile(LedgerFile.#checked(new SqliteDatabase(path, { readonly: true, fileMustExist: true }), path), path, () => 0));
  }

  static #checked(db: Database, path: string): Database {
    const version: unknown = db.pragma('user_version', { simple: true });
    // What is looked at is the same in all of them; what is opened to be written has been brought to the newest.
    if (typeof version === 'number' && version >= 1 && version <= VERSION) return db;
    db.close();
    throw new GateError('LEDGER_UNREADABLE', `${path} is no ledger of this gatectl (version ${String(version)}, not ${VERSION}); give --ledger FILE of another, or use the gatectl that made it`, { path });
  }

  static #attempt<Value>(path: string, run: () => Value): Value {
    try {
      return run();
    } catch (cause) {
      if (isGateError(cause)) throw cause;
      throw new GateError('LEDGER_UNREADABLE', `The ledger ${path} cannot be used: ${errorText(cause)}. Give --ledger FILE of a platform on this machine; gatectl platform run makes one.`, { path }, cause);
    }
  }

  close(): void {
    this.#db.close();
  }

  open({ site, gate }: GateName): GateLedger {
    const number = this.#numberOf({ site, gate });
    // A gate first met gets its number with the first of its events.
    const select = this.#db.prepare(`SELECT ${ENTRY} FROM event WHERE gate = (SELECT number FROM gate WHERE site = ? AND gate = ?) AND journal = ? AND seq = ?`);
    return new GateLedger({
      exact: false,
      recall: (journal, seq) => entrySchema.optional().parse(select.get(site, gate, journal, seq)),
      from: number === undefined ? [] : this.#states(number).map((state, journal) => ({ state, kept: this.#kept(number, journal, state.through) })),
    });
  }

  keep(name: GateName, ledger: GateLedger, { entered, notes }: Taken, historical: boolean): void {
    const insert = this.#db.prepare('INSERT INTO event (gate, journal, seq, epoch, id, type, lane, passage, wall_ms, clock_trusted, payload, hash, previous_hash, historical, received_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
    const nowMs = Math.round(this.#wallMs());
    this.#db
      .transaction(() => {
        const gate = this.#make(name);
        for (const note of notes) {
          if (note.kind !== 'anew') continue;
          // Events of the new journal that came before its first one were taken for the old one's.
          const journal = ledger.states.findLastIndex(({ began }) => began <= note.epoch);
          this.#db.prepare('UPDATE event SET journal = ? WHERE gate = ? AND journal = ? AND epoch >= ?').run(journal, gate, journal - 1, note.epoch);
        }
        for (const { journal, event } of entered) {
          const { seq, epoch, id, type, lane, passage, wallMs, clockTrusted, payload, hash, previousHash } = event;
          insert.run(gate, journal, seq, epoch, id, type, lane, passage, wallMs, clockTrusted ? 1 : 0, JSON.stringify(payload), hash, previousHash, historical ? 1 : 0, nowMs);
        }
        const put = this.#db.prepare('INSERT INTO journal (gate, number, state) VALUES (?, ?, ?) ON CONFLICT (gate, number) DO UPDATE SET state = excluded.state');
        for (const [journal, state] of ledger.states.entries()) put.run(gate, journal, JSON.stringify(state));
        this.#db.prepare('UPDATE gate SET seen_ms = ? WHERE number = ?').run(nowMs, gate);
      })
      .immediate();
  }

  /** What a gate says on its status topic. */
  status(name: GateName, status: StatusMessage): void {
    this.#db.prepare('UPDATE gate SET status = ?, seen_ms = ? WHERE number = ?').run(JSON.stringify(status), Math.round(this.#wallMs()), this.#make(name));
  }

  /** A gate is alive. */
  seen(name: GateName): void {
    this.#db.prepare('UPDATE gate SET seen_ms = ? WHERE number = ?').run(Math.round(this.#wallMs()), this.#make(name));
  }

  /** Numbers up to `seq` of a gate are with another platform. @throws GateError LEDGER_UNREADABLE where the ledger has events of it */
  beginAfter(name: GateName, seq: number): void {
    const ledger = this.open(name);
    const [state] = ledger.states;
    if (state?.through === seq) return;
    if (state !== undefined && (state.events > 0 || state.through > 0)) throw new GateError('LEDGER_UNREADABLE', `${this.#path} has events of ${name.site}/${name.gate} already, up to ${state.through}; --after is for a gate it has never met`, { ...name });
    ledger.beginAfter(seq);
    this.keep(name, ledger, { entered: [], notes: [] }, false);
  }

  /** Every gate, in order of site and gate. */
  gates(only?: GateName): readonly GateRecord[] {
    const rows = z.array(z.object({ site: z.string(), gate: z.string(), status: z.string().nullable(), seenMs: z.number().nullable() })).parse(this.#db.prepare('SELECT site, gate, status, seen_ms AS seenMs FROM gate ORDER BY site, gate').all());
    return rows
      .filter(({ site, gate }) => only === undefined || (only.site === site && only.gate === gate))
      .map(({ site, gate, status, seenMs }) => ({ site, gate, seenMs, status: status === null ? null : statusMessageSchema.parse(JSON.parse(status)), ledger: this.open({ site, gate }).report() }));
  }

  /** A list that was sent, of this version and digest. */
  list(name: GateName, held: { readonly version: number; readonly digest: string }): readonly ListEntry[] | undefined {
    const number = this.#numberOf(name);
    const row = number === undefined ? undefined : this.#db.prepare('SELECT entries FROM list WHERE gate = ? AND version = ? AND digest = ?').get(number, held.version, held.digest);
    return row === undefined ? undefined : z.array(listEntrySchema).parse(JSON.parse(z.object({ entries: z.string() }).parse(row).entries));
  }

  keepList(name: GateName, list: { readonly version: number; readonly digest: string }, entries: readonly ListEntry[]): void {
    this.#db.transaction(() => this.#putList(this.#make(name), { ...list, entries })).immediate();
  }

  /** Lists and edits of guards, for a platform that takes them in. */
  get lists(): ListBooks {
    return {
      open: (name) => {
        const number = this.#numberOf(name);
        return number === undefined ? { list: undefined, edits: [] } : { list: this.#newestList(number), edits: this.#edits(number) };
      },
      keep: (name, { list, edits }) => {
        this.#db
          .transaction(() => {
            const gate = this.#make(name);
            if (list !== undefined) this.#putList(gate, list);
            this.#putEdits(gate, edits);
          })
          .immediate();
      },
    };
  }

  #putList(gate: number, { version, digest, entries }: KeptList): void {
    this.#db.prepare('INSERT OR REPLACE INTO list (gate, version, digest, entries) VALUES (?, ?, ?, ?)').run(gate, version, digest, JSON.stringify(entries));
    this.#db.prepare('DELETE FROM list WHERE gate = ? AND version NOT IN (SELECT version FROM list WHERE gate = ? ORDER BY version DESC LIMIT ?)').run(gate, gate, MOST_LISTS);
  }

  #newestList(gate: number): KeptList | undefined {
    const row = z.object({ version: z.number(), digest: z.string(), entries: z.string() }).optional().parse(this.#db.prepare('SELECT version, digest, entries FROM list WHERE gate = ? ORDER BY version DESC LIMIT 1').get(gate));
    return row === undefined ? undefined : { ...row, entries: z.array(listEntrySchema).parse(JSON.parse(row.entries)) };
  }

  #putEdits(gate: number, edits: readonly TakenEdit[]): void {
    const put = this.#db.prepare('INSERT OR REPLACE INTO edit (gate, subject, plate, id, at_ms, epoch, seq, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    for (const { subject, plate, id, atMs, event, version } of edits) put.run(gate, subject, plate, id, atMs, event?.epoch ?? null, event?.seq ?? null, version);
    this.#db.prepare('DELETE FROM edit WHERE gate = ? AND (subject, plate) IN (SELECT subject, plate FROM edit WHERE gate = ? ORDER BY version DESC LIMIT -1 OFFSET ?)').run(gate, gate, MOST_EDITS);
  }

  #edits(gate: number): readonly TakenEdit[] {
    const rows = editRows.parse(this.#db.prepare('SELECT subject, plate, id, at_ms AS atMs, epoch, seq, version FROM edit WHERE gate = ? ORDER BY version').all(gate));
    return rows.map(({ epoch, seq, ...edit }) => ({ ...edit, event: epoch === null || seq === null ? null : { epoch, seq } }));
  }

  #numberOf({ site, gate }: GateName): number | undefined {
    return z.object({ number: z.number() }).optional().parse(this.#db.prepare('SELECT number FROM gate WHERE site = ? AND gate = ?').get(site, gate))?.number;
  }

  #make(name: GateName): number {
    const known = this.#numberOf(name);
    if (known !== undefined) return known;
    return Number(this.#db.prepare('INSERT INTO gate (site, gate) VALUES (?, ?)').run(name.site, name.gate).lastInsertRowid);
  }

  #states(gate: number): readonly JournalState[] {
    const rows = z.array(z.object({ state: z.string() })).parse(this.#db.prepare('SELECT state FROM journal WHERE gate = ? ORDER BY number').all(gate));
    return rows.map(({ state }) => stateSchema.parse(JSON.parse(state)));
  }

  /** Everything above the first hole, for going on; what is below it is recalled when it comes again. */
  #kept(gate: number, journal: number, through: number): readonly LedgerEntry[] {
    return z.array(entrySchema).parse(this.#db.prepare(`SELECT ${ENTRY} FROM event WHERE gate = ? AND journal = ? AND seq > ?`).all(gate, journal, through));
  }
}
