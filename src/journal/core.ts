import type { Database } from 'better-sqlite3';
import { closeSync, existsSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { GateError, errorText, isGateError, type JsonObject } from '../base/index.js';
import { automaticBackups } from './backup-list.js';
import { Ballast, REFILL_FACTOR, freeBytes } from './ballast.js';
import { canonicalJson, parseJsonObject } from './canonical.js';
import { checkFiles, checkPages, drainLog, emptyLog, failureKind, lockJournal, mayBeUnread, openDatabase, renewLog, type FailureKind } from './database.js';
import { isRange } from './declared.js';
import { eventSource } from './event-source.js';
import { isSound, statedHash } from './event-text.js';
import { EVIDENCE_NAME, EvidenceStore } from './evidence-store.js';
import { Facts } from './facts.js';
import { FILE_MODE, makeDirectory, syncDirectory, syncFile, systemCode } from './files.js';
import { hasServed, unusedEpoch, unusedSequence } from './numbering.js';
import { MOST_ROWS, type Answers, type Ask, type Batch, type Committed, type Moment, type ThreadOptions } from './protocol.js';
import { Retirement, room } from './retention.js';
import { REBUILDING_NAME, REBUILT_NAME, hashBefore, pathAside, salvage, setAside, shortName } from './salvage.js';
import { checkTables, migrate, migrations } from './schema.js';
import { SequenceGuard } from './sequence-guard.js';
import { GENESIS_STATE, JournalStore, RESTORED_KEY, readSavedState, readState, type Gap, type State } from './store.js';
import type { JournalOrigin, JournalStart } from './types.js';
import { verifyChain } from './verify.js';

/** Numbers reserved at a time: one sync of the guard for so many events. */
const RESERVE = 4_096;
/** A database up to this is checked whole at the start; larger ones by their last row and their facts, and their events when they go out. */
const WHOLE_CHECK_BYTES = 16 * 1024 * 1024;
/** The bound of wall time is at most so far behind a clock that is vouched for. */
const REACH_WALL_MS = 600_000;
const EVIDENCE_FOLDERS = 256;
/** Events removed in one go on a full disk: the delete itself is written to the log, in the room the ballast left. */
const PRUNE_EVENTS = 200;
const LEAST_SLACK_BYTES = 256 * 1024;
/** A journal of no more than this gives up no event that the platform does not have: with so little room new ones are refused. */
const UNSENT_BYTES = 8 * 1024 * 1024;

/** Looks at a database that seems damaged before it is taken for it, and the wait between two. */
const LOOKS = 4;
const LOOK_AGAIN_MS = 50;

export type CoreLog = (level: 'info' | 'warn' | 'error', facts: object, message: string) => void;

interface Opened {
  readonly db: Database;
  readonly state: State | undefined;
}

/** What is wrong with the database found at the start, or met while running. */
type Damage = 'empty' | 'missing' | 'corrupt';

/**
 * What is taken over from a damaged database: all that can be read, or, where the disk has no room for that beside the
 * damaged one, no events that the platform has, or none at all. What is left out stays in the damaged one.
 */
type Keep = 'all' | 'unsent' | 'nothing';

/** A rebuild that failed is tried again after so long, each time twice as long: it reads the whole of a damaged database. */
const REBUILD_LEAST_MS = 1_000;
const REBUILD_MOST_MS = 60_000;
/** Room that a rebuild needs beside as much as the damaged database takes: for its log. */
const REBUILD_LOG_BYTES = 4 * 1024 * 1024;

/** What is done about trouble in one write, each once. */
const REMEDIES: readonly FailureKind[] = ['corrupt', 'io', 'full', 'full'];

/**
 * The journal itself, without a thread around it: opens, repairs, writes batches, answers questions, tidies up.
 * Everything but photographs and the walk of the chain is synchronous.
 */
export class JournalCore {
  readonly #options: ThreadOptions;
  readonly #log: CoreLog;
  #own: string[] = [];
  readonly #databasePath: string;
  /** A database being built out of a damaged one. It is whole once the damaged one is out of the way. */
  readonly #rebuiltPath: string;
  /** The same while it is not whole yet. */
  readonly #rebuildingPath: string;
  readonly #evidence: EvidenceStore;
  readonly #ballast: Ballast;
  readonly #lock: Database;
  readonly #guard: SequenceGuard;
  readonly #retirement = new Retirement();
  #db: Database;
  #store: JournalStore;
  #origin: JournalOrigin = 'continued';
  /** Why the database is not in use at the moment; it is opened anew, or rebuilt, before anything else. */
  #trouble: 'corrupt' | 'io' | undefined;
  /** The last rebuild failed; until `againMs` of monotonic time none is tried. */
  #rebuildFailed: { readonly error: GateError; readonly againMs: number; readonly waitMs: number } | undefined;
  #hintFailed = false;
  #sweepFolder = 0;
  /** The disk is full and the ballast given up. */
  #tight = false;

  constructor(options: ThreadOptions, log: CoreLog) {
    this.#options = options;
    this.#log = log;
    const { directory } = options;
    makeDirectory(directory);
    this.#databasePath = join(directory, 'journal.db');
    this.#rebuiltPath = join(directory, REBUILT_NAME);
    this.#rebuildingPath = join(directory, REBUILDING_NAME);
    this.#lock = lockJournal(join(directory, 'lock.db'));
    try {
      this.#guard = SequenceGuard.open(join(directory, 'sequence.guard'));
      this.#evidence = new EvidenceStore(join(directory, EVIDENCE_NAME));
      this.#ballast = new Ballast(join(directory, 'ballast'), options.ballastBytes);
      ({ db: this.#db, store: this.#store } = this.#open());
      this.#ballast.refill();
    } catch (error) {
      this.#lock.close();
      throw error;
    }
  }

  /** On a full disk room is made for it, once. */
  #open(): { db: Database; store: JournalStore } {
    const { epoch, moment } = this.#options;
    this.#finishRebuild();
    for (let again = true; ; again = false) {
      try {
        const damage = this.#foundDamage();
        const opened = damage === undefined ? this.#tryOpen() : undefined;
        // Left by what was cut off before this one was set aside; it must not come back in its stead one day.
        if (opened !== undefined) this.#removeRebuilt();
        return opened === undefined ? this.#rebuild(damage ?? 'corrupt', epoch, moment) : this.#begin(opened, moment);
      } catch (error) {
        if (failureKind(error) !== 'full' || !again) throw error;
        this.#log('warn', { error: errorText(error) }, 'journal: the disk is full; the ballast is given up');
        this.#makeRoomByFile(this.#enoughBytes);
      }
    }
  }

  get epoch(): number {
    return this.#store.state.epoch;
  }

  get origin(): JournalOrigin {
    return this.#origin;
  }

  /** What is on record of wall time, for the start. */
  get clock(): Pick<JournalStart, 'wallHighMs' | 'clockKnown' | 'sameBoot'> {
    const { clocks, state } = this.#store;
    return { wallHighMs: state.wallHighMs, clockKnown: clocks.last(state.epoch), sameBoot: clocks.sameBoot(state.epoch) };
  }

  /** Events the journal wrote about itself since this was asked last, in order, each as JSON. */
  takeOwn(): string[] {
    const own = this.#own;
    this.#own = [];
    return own;
  }

  /**
   * Writes a batch with one fsync. Trouble is met once: room is made on a full disk, a damaged database is salvaged into a
   * new one, a failed device opened anew; then the batch is tried again.
   * @throws GateError JOURNAL_WRITE_FAILED when nothing helped, `again` in its context telling whether a later try may; the
   * batch may have been written all the same, and is recognised by its number
   * @param moment now
   */
  commit(batch: Batch, moment: Moment = batch.moment): Committed {
    const remedies = [...REMEDIES];
    for (const looks = new Looks(); ; ) {
      try {
        this.#heal(moment);
        this.#keepSlack(moment);
        const { committed, own } = this.#store.apply(this.#options.client, batch);
        if (own !== undefined) this.#own.push(own);
        // Before anybody is told: killed in between, a log lost after that would take told events unnoticed, and their numbers be given out again.
        this.#hint();
        return committed;
      } catch (error) {
        const kind = failureKind(error);
        this.#log('error', { error: errorText(error), kind }, 'journal: a batch was not written');
        if (looks.again(error)) {
          this.#leave('io');
          continue;
        }
        const index = remedies.indexOf(kind);
        if (index >= 0) remedies.splice(index, 1);
        if (this.#remedy(kind, moment) && index >= 0) continue;
        throw isGateError(error) && kind === 'other' ? error : writeFailed(error, kind);
      }
    }
  }

  /** Answers a question; a damaged database met on the way is repaired and the question put again. */
  async answer(ask: Ask, moment: Moment): Promise<Answers[keyof Answers]> {
    const looks = new Looks();
    for (let helped = false; ; ) {
      try {
        this.#heal(moment);
        return await this.#answer(ask, moment);
      } catch (error) {
        const found = failureKind(error);
        const kind = helped || found === 'corrupt' ? found : (this.#trouble ?? found);
        if (kind === 'other') throw error;
        this.#log('error', { error: errorText(error), kind, ask: ask.ask }, 'journal: a question was not answered');
        if (looks.again(error)) {
          this.#leave('io');
          continue;
        }
        if (this.#remedy(kind, moment) && !helped) {
          helped = true;
          continue;
        }
        throw isGateError(error) ? error : writeFailed(error, kind);
      }
    }
  }

  close(): void {
    const { state } = this.#store;
    if (this.#trouble !== undefined) {
      this.#guard.close();
      this.#lock.close();
      return;
    }
    this.#guard.bound({ epoch: state.epoch, reserved: state.head, used: state.head, acknowledged: state.acknowledged, pruned: state.prunedThrough });
    emptyLog(this.#db);
    this.#store.release();
    this.#db.close();
    this.#guard.close();
    this.#lock.close();
  }

  async #answer(ask: Ask, moment: Moment): Promise<Answers[keyof Answers]> {
    switch (ask.ask) {
      case 'events':
        return this.#store.events(ask.query);
      case 'eventBatches':
        return this.#store.batches(ask.query);
      case 'outbox':
        return this.#store.outbox();
      case 'recall':
        return this.#store.recall(ask.key);
      case 'recallAll':
        return this.#store.recallAll(ask.prefix);
      case 'evidence':
        return this.#store.evidenceOf(ask.passage);
      case 'readEvidence':
        return this.#evidence.read(ask.id);
      case 'saveEvidence': {
        const id = await this.#evidence.save(ask.jpeg);
        const info = { id, passage: ask.passage, kind: ask.kind, bytes: ask.jpeg.byteLength, wallMs: Math.round(moment.wallMs) };
        this.#store.addEvidence(info, moment.clockTrusted);
        return info;
      }
      case 'verify':
        return verifyChain(() => this.#store);
      case 'maintain':
        return this.#maintain(moment);
    }
  }

  /** One slice of tidying; true when another is due at once. */
  async #maintain(moment: Moment): Promise<boolean> {
    const { retention } = this.#options;
    this.#store.settle();
    if (moment.clockTrusted && moment.clockVouched !== false && moment.wallMs - this.#store.state.wallHighMs >= REACH_WALL_MS) this.#store.reachWall(moment.wallMs);
    const photographs = this.#retirement.photographs(this.#store, this.#evidence, retention, moment, this.#ballastShort());
    const events = this.#retirement.events(this.#store, retention, moment);
    if (this.#sweepFolder < EVIDENCE_FOLDERS && moment.clockTrusted) {
      const oldestMs = moment.wallMs - Math.max(retention.photographsDays, retention.platePicturesDays) * 86_400_000;
      await this.#evidence.sweep(this.#sweepFolder, oldestMs, (id) => this.#store.knowsEvidence(id));
      this.#sweepFolder += 1;
      return true;
    }
    this.#ballast.refill();
    this.#tight &&= !this.#ballast.held;
    return photographs || events;
  }

  /** Bytes missing on the disk before the ballast could be filled again; 0 while it is there. */
  #ballastShort(): number {
    return this.#ballast.held ? 0 : Math.max(0, this.#options.ballastBytes * REFILL_FACTOR - freeBytes(this.#options.directory));
  }

  /**
   * What helps against trouble, as far as it can be done at once.
   * @returns whether another try makes sense
   */
  #remedy(kind: FailureKind, moment: Moment): boolean {
    switch (kind) {
      case 'corrupt':
      case 'io':
        this.#leave(kind);
        return true;
      case 'full':
        try {
          this.#makeRoom(moment);
          return true;
        } catch (error) {
          this.#log('error', { error: errorText(error) }, 'journal: no room could be made');
          const met = failureKind(error);
          if (met === 'corrupt' || met === 'io') this.#leave(met);
          return false;
        }
      case 'other':
        return false;
    }
  }

  /** Stops using the database: after an I/O error nothing is known of what reached the disk. */
  #leave(trouble: 'corrupt' | 'io'): void {
    // A damaged database does not become whole because its device failed in between.
    if (this.#trouble !== 'corrupt') this.#trouble = trouble;
    try {
      this.#hint();
      // Closing empties the log into the database. Cut off before the log's file is gone, it has to be whole.
      if (trouble === 'io' && this.#db.open) renewLog(this.#db);
    } catch (error) {
      this.#log('warn', { error: errorText(error) }, 'journal: what the log holds is not on the disk yet');
    }
    try {
      this.#db.close();
      this.#store.release();
    } catch (error) {
      this.#log('warn', { error: errorText(error) }, 'journal: the database did not close cleanly');
    }
  }

  /** Opens the database anew, or rebuilds it, after trouble; what fails is tried again with the next write or question. */
  #heal(moment: Moment): void {
    if (this.#trouble === undefined) return;
    const { epoch } = this.#store.state;
    if (this.#trouble === 'corrupt') this.#rebuild('corrupt', epoch, moment);
    else this.#reopen(epoch, moment);
    this.#trouble = undefined;
  }

  /**
   * On a full disk: gives the ballast up, empties the log into the database, removes automatic backups but the newest, then
   * the oldest photographs, then that backup. Where that does not bring the ballast back, the database is kept from growing
   * (see #keepSlack) until it does.
   */
  #makeRoom(moment: Moment): void {
    if (this.#trouble !== undefined) {
      this.#makeRoomByFile(this.#enoughBytes);
      return;
    }
    this.#ballast.release();
    this.#endBackup();
    this.#removeBackups(1);
    const bytes = this.#isShort() ? room(this.#store, this.#evidence, this.#enoughBytes) : 0;
    if (this.#isShort()) this.#removeBackups(0);
    this.#emptyLog();
    this.#log('warn', { bytes }, 'journal: the disk is full; the oldest photographs were removed as far as needed');
    this.#ballast.refill();
    this.#tight = !this.#ballast.held;
    this.#keepSlack(moment);
  }

  /** Makes room in the same order where no database is open, so the oldest photographs by their files; retention takes their rows. */
  #makeRoomByFile(bytes: number): void {
    this.#ballast.release();
    this.#endBackup();
    this.#removeBackups(1, bytes);
    let freed = 0;
    for (const picture of this.#isShort(bytes) ? this.#evidence.oldestFirst() : []) {
      if (!this.#isShort(bytes)) break;
      rmSync(picture.path, { force: true });
      freed += picture.bytes;
    }
    if (freed > 0) this.#log('warn', { bytes: freed }, 'journal: the disk is full; the oldest photographs were removed as far as needed');
    this.#removeBackups(0, bytes);
  }

  /** Free bytes at which the disk is not called full any more. */
  get #enoughBytes(): number {
    return this.#options.ballastBytes * (REFILL_FACTOR + 1);
  }

  #isShort(bytes = this.#enoughBytes): boolean {
    return freeBytes(this.#options.directory) < bytes;
  }

  /** What is on this disk twice goes before what is there once. @param leave so many of the newest stay */
  #removeBackups(leave: number, bytes = this.#enoughBytes): void {
    const { expendable, directory } = this.#options;
    if (expendable === undefined || !this.#isShort(bytes)) return;
    try {
      // A backup on another disk gives no room here.
      if (statSync(expendable.directory).dev !== statSync(directory).dev) return;
      const oldestFirst = automaticBackups(expendable).reverse();
      for (const path of oldestFirst.slice(0, Math.max(0, oldestFirst.length - leave))) {
        if (!this.#isShort(bytes)) return;
        rmSync(path, { recursive: true, force: true });
        this.#log('warn', { backup: shortName(path) }, 'journal: the disk is full; an automatic backup was removed');
      }
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') this.#log('warn', { error: errorText(error) }, 'journal: automatic backups could not be removed');
    }
  }

  /** While the disk is full: free pages inside the database for what comes, from its oldest events. */
  #keepSlack(moment: Moment): void {
    const slack = Math.max(LEAST_SLACK_BYTES, this.#options.ballastBytes / 4);
    while (this.#tight && this.#store.freeBytes() < slack) {
      const { acknowledged, prunedThrough, head } = this.#store.state;
      // Those the platform does not have go only when no other is left. By rows: a jump over numbers holds none.
      const sent = acknowledged > prunedThrough ? this.#store.eventAges(prunedThrough, acknowledged, PRUNE_EVENTS) : [];
      // A journal that small gives no room, and each that is given up would make one more that says so.
      const unsentMayGo = sent.length === 0 && this.#store.usedBytes() > UNSENT_BYTES;
      const oldest = unsentMayGo ? this.#store.eventAges(prunedThrough, head - PRUNE_EVENTS, PRUNE_EVENTS) : sent;
      const [first, last] = [oldest[0], oldest.at(-1)];
      if (first === undefined || last === undefined) return;
      this.#endBackup();
      if (sent.length > 0) {
        this.#store.pruneThrough(last.place);
        this.#emptyLog();
        continue;
      }
      const gap = { first: first.place, last: last.place, reason: 'disk-full' };
      // In one transaction: cut between the two, the loss would never be declared.
      const row = this.#store.pruneThrough(last.place, { type: 'journal.lost', payloadText: canonicalJson({ reason: 'disk-full', gaps: [gap] }), moment });
      if (row !== undefined) this.#own.push(row);
      this.#hint();
      this.#log('error', gap, 'journal: the disk is full; events the platform does not have were given up');
      this.#emptyLog();
    }
  }

  /** Room that a reader keeps is not there: whoever makes room by hand has to know. */
  #emptyLog(): void {
    if (!emptyLog(this.#db)) this.#log('warn', {}, 'journal: somebody reads the database and keeps its log from being emptied; end the backup, gatectl or sqlite3 that does');
  }

  /** A reader keeps the log from being emptied, and what a backup has written so far is room too. */
  #endBackup(): void {
    Atomics.store(this.#options.endBackup, 0, 1);
  }

  /** Says in the guard how far it is. Where that fails, what is on disk already is no less so. */
  #hint(): void {
    const { epoch, head, acknowledged, reserved, prunedThrough } = this.#store.state;
    try {
      this.#guard.hint({ epoch, reserved, used: head, acknowledged, pruned: prunedThrough });
      this.#hintFailed = false;
    } catch (error) {
      if (!this.#hintFailed) this.#log('error', { error: errorText(error) }, 'journal: the guard file cannot be written; a database that goes back would show only at its next bound');
      this.#hintFailed = true;
    }
  }

  #reserve(epoch: number, head: number): number {
    const mark = this.#guard.mark;
    const reserved = Math.max(mark?.reserved ?? 0, head + RESERVE - 1);
    this.#guard.bound({ epoch, reserved, used: mark?.used ?? 0, acknowledged: mark?.acknowledged ?? 0, pruned: mark?.pruned ?? 0 });
    return reserved;
  }

  #foundDamage(): Damage | undefined {
    const size = statSync(this.#databasePath, { throwIfNoEntry: false })?.size ?? 0;
    // SQLite opens a zero-byte file as an empty database without a word.
    if (size > 0 || (this.#guard.mark === undefined && !hasServed(this.#options.directory))) return undefined;
    return existsSync(this.#databasePath) ? 'empty' : 'missing';
  }

  /** Opens and checks what is there; undefined when it is damaged, and so a while later too where the device may be the reason. */
  #tryOpen(): Opened | undefined {
    for (const looks = new Looks(); ; ) {
      try {
        return this.#openOnce();
      } catch (error) {
        if (failureKind(error) !== 'corrupt') throw error;
        this.#log('error', { error: errorText(error) }, 'journal: the database is damaged');
        if (!looks.again(error)) return undefined;
      }
    }
  }

  #openOnce(): Opened {
    checkFiles(this.#databasePath);
    let db: Database | undefined;
    try {
      db = openDatabase(this.#databasePath, this.#options.exclusive);
      const opened = db;
      checkTables(opened);
      migrate(opened, migrations, {
        backup: (version) => this.#backup(opened, version),
        gate: this.#options.gateId,
        progress: (facts) => this.#log('info', facts, 'journal: events move into the form of this release'),
      });
      const state = readState(opened);
      this.#check(opened, state);
      return { db: opened, state };
    } catch (error) {
      try {
        db?.close();
      } catch (closing) {
        this.#log('warn', { error: errorText(closing) }, 'journal: the damaged database did not close cleanly');
      }
      throw error;
    }
  }

  #check(db: Database, state: State | undefined): void {
    const pages: unknown = db.pragma('page_count', { simple: true });
    const pageBytes: unknown = db.pragma('page_size', { simple: true });
    // Where a reader keeps pages in the log, the file is short of them and whole all the same.
    const drained = drainLog(db);
    const { size } = statSync(this.#databasePath);
    if (drained && typeof pages === 'number' && typeof pageBytes === 'number' && size < pages * pageBytes) {
      throw new GateError('JOURNAL_CORRUPT', `the database has ${size} bytes where its header names ${pages * pageBytes}`);
    }
    if (state === undefined) {
      // Also what a kill in the middle of a repair leaves.
      const held = db.prepare<[], { seq: number }>('SELECT seq FROM event LIMIT 1').get() !== undefined;
      if ((this.#guard.mark?.reserved ?? 0) > 0 || held || (this.#guard.mark === undefined && hasServed(this.#options.directory))) throw new GateError('JOURNAL_CORRUPT', 'the database has lost its state');
      return;
    }
    if (state.head > state.prunedThrough) {
      const last = eventSource(db, this.#options.gateId).at(state.head);
      if (last === undefined || !isSound(last) || statedHash(last.text) !== state.headHash) throw new GateError('JOURNAL_CORRUPT', `event ${state.head}, the last one, is missing or damaged`);
    }
    checkPages(db, size <= WHOLE_CHECK_BYTES ? undefined : 'fact');
  }

  /** A copy beside, before the tables change: one whole, checked file; of each version the newest one. */
  #backup(db: Database, version: number): void {
    // What a first start left that was cut off between two steps is no journal yet, and a copy of it would look like the trace of one.
    if (readSavedState(db) === undefined && eventSource(db, this.#options.gateId).after(0, 1).length === 0) return;
    const directory = join(this.#options.directory, 'backup');
    makeDirectory(directory);
    const prefix = `journal-version-${version}-`;
    const name = `${prefix}${Math.round(this.#options.moment.wallMs)}.db`;
    const temporary = join(directory, '.copy.tmp');
    rmSync(temporary, { force: true });
    try {
      closeSync(openSync(temporary, 'wx', FILE_MODE));
      db.prepare('VACUUM INTO ?').run(temporary);
      syncFile(temporary);
      renameSync(temporary, join(directory, name));
      syncDirectory(directory);
    } catch (error) {
      rmSync(temporary, { force: true });
      if (failureKind(error) !== 'full') throw error;
      // Each step is one transaction. A gate that keeps no record until somebody makes room loses more than the copy is worth.
      this.#log('error', { version }, 'journal: the disk has no room for a copy before the tables change; they are changed without');
      return;
    }
    for (const other of readdirSync(directory)) if (other.startsWith(prefix) && other !== name) rmSync(join(directory, other), { force: true });
    this.#log('info', { file: name }, 'journal: backed up before its tables change');
  }

  /**
   * @param known highest epoch on record
   * @param certain whether no later one can have been used
   */
  #nextEpoch(known: number, certain: boolean, moment: Moment): number {
    return certain ? known + 1 : Math.max(known + 1, unusedEpoch(moment.wallMs));
  }

  #begin(opened: Opened, moment: Moment): { db: Database; store: JournalStore } {
    try {
      return this.#beginOn(opened, moment);
    } catch (error) {
      if (this.#db === opened.db) this.#store.release();
      opened.db.close();
      throw error;
    }
  }

  #beginOn(opened: Opened, moment: Moment): { db: Database; store: JournalStore } {
    const mark = this.#guard.mark;
    const { state } = opened;
    const restored = restoredFrom(opened.db);
    const fresh = state === undefined;
    // A database alone may be a copy of any age, put there by hand.
    const uncertain = restored !== undefined || (!fresh && mark === undefined);
    const certain = fresh ? this.#options.firstEpoch === 'one' : !uncertain;
    const epoch = this.#options.epoch ?? this.#nextEpoch(Math.max(state?.epoch ?? 0, mark?.epoch ?? 0), certain, moment);
    const store = new JournalStore(opened.db, (head) => this.#reserve(epoch, head), this.#options.gateId);
    const head = state?.head ?? 0;
    const used = mark?.used ?? 0;
    const bound = Math.max(mark?.reserved ?? 0, state?.reserved ?? 0, head);
    const reserved = uncertain ? unusedSequence(bound, moment.wallMs) : bound;
    this.#db = opened.db;
    this.#store = store;
    if (uncertain || used > head) {
      // Where the guard has seen later events than the database holds, the database was replaced or rolled back.
      const reason = restored !== undefined ? 'restored' : uncertain ? 'guard-lost' : 'rolled-back';
      const gap = { first: head + 1, last: reserved, reason };
      const { missing, ...backup } = restored ?? {};
      const gaps: Gap[] = [...(Array.isArray(missing) ? missing.filter(isRange).map(({ first, last }) => ({ first, last, reason: 'damaged' })) : []), gap];
      const about = { reason, gaps, lastKnown: Math.max(used, head), ...(restored === undefined ? {} : { backup }) };
      store.beginEpoch(epoch, this.#options.boot, moment, { head: reserved, reserved: reserved + RESERVE }, { type: 'journal.lost', payloadText: canonicalJson(about), gaps });
      // After the jump is durable: before it, a kill must leave things as they were found, so that it is done again.
      this.#guard.bound({ epoch, reserved: store.state.reserved, used: store.state.head, acknowledged: store.state.acknowledged, pruned: store.state.prunedThrough });
      this.#own.push(...store.events({ after: reserved, limit: 1 }));
      this.#origin = reason;
      this.#log('error', gap, `journal: ${reason}; the events that may be missing are declared lost`);
    } else {
      this.#guard.bound({ epoch, reserved, used: Math.max(used, head), acknowledged: state?.acknowledged ?? mark?.acknowledged ?? 0, pruned: state?.prunedThrough ?? mark?.pruned ?? 0 });
      store.beginEpoch(epoch, this.#options.boot, moment, { reserved });
      if (fresh) this.#origin = 'new';
    }
    return { db: opened.db, store };
  }

  /** A rebuild, or `gatectl restore`, that was cut off between its last two renames. */
  #finishRebuild(): void {
    if (existsSync(this.#databasePath) || !existsSync(this.#rebuiltPath)) return;
    // A log without its database was read when the database was; SQLite would take it for the new one's.
    if (existsSync(`${this.#databasePath}-wal`)) setAside(this.#databasePath, pathAside(join(this.#options.directory, 'damaged'), 'rest'));
    renameSync(this.#rebuiltPath, this.#databasePath);
    syncDirectory(this.#options.directory);
  }

  /**
   * Salvages what can be read of a damaged database into a new one, which says what was lost, and sets the damaged one
   * aside. Whenever it is cut off, it can be done again from the damaged one, or is done. What failed is not tried again at
   * once.
   */
  #rebuild(damage: Damage, going: number | undefined, moment: Moment): { db: Database; store: JournalStore } {
    const before = this.#rebuildFailed;
    if (before !== undefined && moment.monoMs < before.againMs) throw before.error;
    try {
      const made = this.#rebuildWithRoom(damage, going, moment);
      this.#rebuildFailed = undefined;
      return made;
    } catch (error) {
      const kind = failureKind(error);
      const again = kind === 'full' || kind === 'io';
      const waitMs = Math.min(REBUILD_MOST_MS, before === undefined ? REBUILD_LEAST_MS : before.waitMs * 2);
      const advice = kind === 'full' ? 'the disk is full and nothing is left to give up: make room' : 'check the disk (df -h, dmesg)';
      const told = new GateError('JOURNAL_WRITE_FAILED', `the journal is damaged and could not be rebuilt (${errorText(error)}); ${advice}`, { again }, error);
      this.#rebuildFailed = { error: told, againMs: moment.monoMs + waitMs, waitMs };
      this.#log('error', { error: errorText(error), waitMs }, `journal: nothing can be recorded: it is damaged and could not be rebuilt; ${advice}`);
      // What could be done about these is done.
      if (again) throw told;
      throw error;
    }
  }

  /** On a full disk: room is made for all of it where that can be had; else less of it is taken over. */
  #rebuildWithRoom(damage: Damage, going: number | undefined, moment: Moment): { db: Database; store: JournalStore } {
    const bytes = ['', '-wal'].reduce((sum, suffix) => sum + (statSync(this.#databasePath + suffix, { throwIfNoEntry: false })?.size ?? 0), Math.max(this.#enoughBytes, REBUILD_LOG_BYTES));
    const attempts: readonly { readonly keep: Keep; readonly due: () => boolean }[] = [
      { keep: 'all', due: () => true },
      { keep: 'all', due: () => this.#canMakeRoom(bytes) },
      { keep: 'unsent', due: () => (this.#guard.mark?.acknowledged ?? 0) > 1 },
      {
        keep: 'unsent',
        due: () => {
          this.#makeRoomByFile(bytes);
          return true;
        },
      },
      { keep: 'nothing', due: () => true },
    ];
    let full: unknown;
    for (const { keep, due } of attempts) {
      if (!due()) continue;
      try {
        return this.#rebuildOnce(damage, keep, going, moment);
      } catch (error) {
        if (failureKind(error) !== 'full') throw error;
        full = error;
        this.#log('warn', { error: errorText(error), neededBytes: bytes, freeBytes: freeBytes(this.#options.directory), keep }, 'journal: the disk has no room to rebuild the damaged database');
      }
    }
    throw full;
  }

  /** Makes so much room, or none where photographs would go and it would not be enough. */
  #canMakeRoom(bytes: number): boolean {
    this.#removeBackups(1, bytes);
    const pictures = this.#evidence.oldestFirst().reduce((sum, picture) => sum + picture.bytes, 0);
    const held = this.#ballast.held ? this.#options.ballastBytes : 0;
    if (freeBytes(this.#options.directory) + held + pictures < bytes) return false;
    this.#makeRoomByFile(bytes);
    return true;
  }

  #rebuildOnce(damage: Damage, keep: Keep, going: number | undefined, moment: Moment): { db: Database; store: JournalStore } {
    this.#finishRebuild();
    const { directory, gateId, exclusive } = this.#options;
    const mark = this.#guard.mark;
    const aside = ['', '-wal'].some((suffix) => existsSync(this.#databasePath + suffix)) ? pathAside(join(directory, 'damaged'), `epoch-${going ?? mark?.epoch ?? 0}-${Math.round(moment.wallMs)}`) : undefined;
    this.#removeRebuilt();
    let epoch: number;
    try {
      const rebuilt = openDatabase(this.#rebuildingPath, exclusive);
      try {
        migrate(rebuilt, migrations, { backup: () => undefined, gate: gateId });
        epoch = this.#salvageInto(rebuilt, damage, keep, aside, going, moment);
        emptyLog(rebuilt);
      } finally {
        rebuilt.close();
      }
      renameSync(this.#rebuildingPath, this.#rebuiltPath);
      syncDirectory(directory);
    } catch (error) {
      // Half of one is only in the way of what is tried next.
      this.#removeRebuilt();
      throw error;
    }
    if (aside !== undefined) setAside(this.#databasePath, aside);
    renameSync(this.#rebuiltPath, this.#databasePath);
    syncDirectory(directory);
    const db = openDatabase(this.#databasePath, exclusive);
    const store = new JournalStore(db, (head) => this.#reserve(epoch, head), gateId);
    const { state } = store;
    try {
      this.#guard.bound({ epoch, reserved: state.reserved, used: state.head, acknowledged: state.acknowledged, pruned: state.prunedThrough });
    } catch (error) {
      store.release();
      db.close();
      throw error;
    }
    this.#db = db;
    this.#store = store;
    this.#own.push(...store.events({ after: state.head - 1, limit: 1 }));
    return { db, store };
  }

  #removeRebuilt(): void {
    for (const path of [this.#rebuiltPath, this.#rebuildingPath]) for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  }

  /** @returns the epoch that begins, or goes on */
  #salvageInto(db: Database, damage: Damage, keep: Keep, aside: string | undefined, going: number | undefined, moment: Moment): number {
    const { gateId } = this.#options;
    const mark = this.#guard.mark;
    // The newest that the platform has stays: the chain goes on from it.
    const sent = keep === 'all' ? 0 : Math.max(0, (mark?.acknowledged ?? 0) - 1);
    const saved = aside === undefined ? undefined : salvage(this.#databasePath, db, gateId, { after: keep === 'nothing' ? Infinity : sent, pruned: mark?.pruned ?? 0, progress: (facts) => this.#log('info', facts, 'journal: events are taken over from the damaged database') });
    const old = saved?.state;
    const floor = Math.max(sent, mark?.pruned ?? 0);
    const last = saved?.last ?? 0;
    const used = Math.max(mark?.used ?? 0, old?.head ?? 0, last);
    // Without a guard nothing bounds the numbers that were used.
    const certain = mark !== undefined && restoredFrom(db) === undefined;
    const epoch = going ?? this.#nextEpoch(Math.max(mark?.epoch ?? 0, old?.epoch ?? 0, saved?.epoch ?? 0), certain, moment);
    const known = Math.max(mark?.reserved ?? 0, old?.reserved ?? 0, saved?.named ?? 0);
    const reserved = certain ? known : unusedSequence(known, moment.wallMs);
    const gaps: Gap[] = [...(saved?.missing ?? [])];
    // The guard's hint may be older than the newest events, or gone with the power: the database itself has to say that it ends here.
    const whole = last === saved?.head && last === used && certain;
    const end = Math.max(last, floor);
    if (!whole && reserved > end) gaps.push({ first: end + 1, last: reserved, reason: keep === 'nothing' ? 'disk-full' : damage });
    const store = new JournalStore(db, (head) => this.#reserve(epoch, head), gateId);
    const head = whole ? last : reserved;
    const acknowledged = Math.min(head, Math.max(mark?.acknowledged ?? 0, old?.acknowledged ?? 0));
    const kept = { events: saved?.events ?? 0, facts: saved?.facts.copied ?? 0, photographs: saved?.evidence.copied ?? 0 };
    const lost = { facts: saved?.facts.lost ?? null, photographs: saved?.evidence.lost ?? null };
    const file = aside === undefined ? null : shortName(aside);
    const about = { reason: damage, gaps, kept, lost, damagedFile: file, lastKnown: used === 0 ? null : used, ...(keep === 'all' ? {} : { noRoomFor: keep === 'unsent' ? 'events the platform has' : 'events' }) };
    const base = {
      head,
      headHash: saved?.lastHash ?? GENESIS_STATE.headHash,
      // No number is used, and none bounded in the guard, before this database is in its place: cut off before, all is as it was found.
      reserved: reserved + RESERVE,
      acknowledged,
      ...(floor > (old?.prunedThrough ?? 0) ? { prunedThrough: floor, prunedHash: hashBefore(db) } : { prunedThrough: old?.prunedThrough ?? 0, prunedHash: old?.prunedHash ?? GENESIS_STATE.prunedHash }),
      wallHighMs: old?.wallHighMs ?? 0,
      client: old?.client ?? '',
      batch: old?.batch ?? 0,
      batchFirst: old?.batchFirst ?? 0,
      batchCount: old?.batchCount ?? 0,
    };
    // In the transaction that puts it in force: cut between the two, what is missing would never be declared.
    store.beginEpoch(epoch, this.#options.boot, moment, base, { type: 'journal.recovered', payloadText: canonicalJson(about), gaps });
    store.release();
    this.#origin = mark === undefined && used === 0 ? 'record-lost' : 'recovered';
    this.#log('error', { damage, kept, lost, gaps, file }, keep === 'all' ? 'journal: rebuilt from what could be read' : 'journal: rebuilt without events for which the disk has no room; they are in the damaged file: make room, and copy that file away');
    return epoch;
  }

  /** Lets SQLite recover what it finds; all of it is on the disk then, see `renewLog`, and what comes after it lasts. */
  #reopen(epoch: number, moment: Moment): void {
    const told = this.#store.state;
    if (this.#foundDamage() !== undefined) throw new GateError('JOURNAL_CORRUPT', 'the database is gone or empty');
    checkFiles(this.#databasePath);
    const db = openDatabase(this.#databasePath, this.#options.exclusive);
    let store: JournalStore | undefined;
    try {
      store = new JournalStore(db, (head) => this.#reserve(epoch, head), this.#options.gateId);
      if (store.state.head < told.head) throw new GateError('JOURNAL_CORRUPT', `the journal ends at ${store.state.head}; it was told to be on the disk up to ${told.head}`);
      store.beginEpoch(epoch, this.#options.boot, moment, {});
      const { batch, client } = store.state;
      // What the journal wrote about itself when the disk refused; what a batch wrote is told when it comes again.
      if (batch === told.batch && client === told.client) this.#own.push(...store.events({ after: told.head, limit: MOST_ROWS }));
      this.#db = db;
      this.#store = store;
    } catch (error) {
      store?.release();
      db.close();
      throw error;
    }
  }
}

/** How often what seems damaged is looked at anew, because its device may only not have given it. */
class Looks {
  #left = LOOKS - 1;

  /** After a while in which the device may have come to itself. */
  again(error: unknown): boolean {
    if (!mayBeUnread(error) || this.#left === 0) return false;
    this.#left -= 1;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_AGAIN_MS);
    return true;
  }
}

/** What `gatectl restore` left in a database for its first start, see `backup.ts`. */
function restoredFrom(db: Database): JsonObject | undefined {
  const value = new Facts(db).get(RESTORED_KEY);
  return value === undefined ? undefined : parseJsonObject(value);
}

function writeFailed(error: unknown, kind: FailureKind): GateError {
  return new GateError('JOURNAL_WRITE_FAILED', `the journal could not be written (${errorText(error)}); check the disk (df -h, dmesg)`, { again: kind === 'io' || kind === 'full' }, error);
}
