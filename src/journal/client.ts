import { randomUUID } from 'node:crypto';
import type { Worker } from 'node:worker_threads';
import { GateError, errorText, type Clock, type GateErrorCode, type JsonObject, type Log, type MachineBoot, type Timer } from '../base/index.js';
import type { BackupMade, BackupProgress } from './backup.js';
import type { BackupThreadOptions, FromBackupThread } from './backup-thread.js';
import { canonicalJson, eventId, parseJsonObject } from './canonical.js';
import { checkBatchQuery, checkEvent, checkKey, checkQuery, checkSequence } from './check.js';
import { asGood } from './epoch-clocks.js';
import { parseEvent } from './event-text.js';
import type { Answers, AppendOp, Ask, Batch, Committed, ExpendableBackups, FromThread, Moment, PlainError, Retention, ThreadOptions, ToThread, WriteOp } from './protocol.js';
import { startThread } from './start-thread.js';
import type { BackupOptions, BatchQuery, ClockKnowledge, EventBatch, EventQuery, EvidenceInfo, Journal, JournalStart, NewEvent, OutboxState, StoredEvent } from './types.js';

export interface SqliteJournalOptions {
  /** Directory of the journal alone, made when missing; on a local file system. */
  readonly directory: string;
  readonly gateId: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Whether the system's wall time is known to be right. Taken as trusted where omitted. */
  readonly clockTrusted?: () => boolean;
  /** Whether a time service stands behind it now: only such time moves the bound. As `clockTrusted` where omitted. */
  readonly clockVouched?: () => boolean;
  /** Run of the machine, so that epochs of one run share what is known of its clock. */
  readonly boot?: MachineBoot | undefined;
  /** `eventsMB` is 4,000 and `platePicturesDays` is `photographsDays` where omitted. */
  readonly retention: Omit<Retention, 'eventsMB' | 'platePicturesDays'> & Partial<Pick<Retention, 'eventsMB' | 'platePicturesDays'>>;
  /**
   * Epoch of a journal that begins with nothing; `one` where omitted. `unused` for a gate in service: its box may have been
   * replaced, and the platform may hold events of the journal before.
   */
  readonly firstEpoch?: 'one' | 'unused';
  /** Room kept back for deletes on a full disk; 4 MB where omitted, 0 for none. */
  readonly ballastMB?: number;
  /** Backups that give way before events do on a full disk; none where omitted. */
  readonly expendable?: ExpendableBackups;
  /** Lock the database for this process alone: only for file systems without shared memory maps. */
  readonly exclusive?: boolean;
  /** Told of each journal thread started, for supervision. */
  readonly onThread?: (thread: Worker) => void;
}

/** Writes in one transaction at most, so that a burst does not hold up the events behind it. */
const MOST_BATCH = 2_000;
/** Writes that may wait for a slow disk before new ones are refused. */
const MOST_WAITING = 50_000;
const EVENTS_MB = 4_000;
const MAINTAIN_MS = 60_000;
const MAINTAIN_AGAIN_MS = 20;
const RESTART_LEAST_MS = 50;
const RESTART_MOST_MS = 10_000;
/** A batch that a disk does not take is tried again for so long; then its events are refused. */
const HOLD_MS = 10_000;
const HOLD_AGAIN_MS = 250;
/** A batch or question on which the thread died this often is given up. */
const MOST_ATTEMPTS = 2;

const JOURNAL_CODES: readonly GateErrorCode[] = ['BACKUP_FAILED', 'EVENT_INVALID', 'JOURNAL_CLOSED', 'JOURNAL_CORRUPT', 'JOURNAL_IN_USE', 'JOURNAL_VERSION_UNKNOWN', 'MESSAGE_INVALID'];

/** A write that its caller waits for: for the event as it is on record, or for the outbox. */
type WaitingWrite =
  | { readonly op: AppendOp; readonly stored: (event: StoredEvent) => void; readonly fail: (error: GateError) => void }
  | { readonly op: Exclude<WriteOp, AppendOp>; readonly done: (outbox: OutboxState) => void; readonly fail: (error: GateError) => void };

interface InFlight {
  readonly batch: Batch;
  readonly writes: readonly WaitingWrite[];
  attempts: number;
  /** Monotonic time at which the disk refused it first. */
  refusedMs?: number;
}

interface WaitingAsk {
  readonly id: number;
  readonly ask: Ask;
  readonly done: (value: Answers[keyof Answers]) => void;
  readonly fail: (error: GateError) => void;
  attempts: number;
}

type Phase = 'new' | 'starting' | 'open' | 'stopping' | 'closed';

/**
 * The journal's client in the main process. Calls cost a message to the journal thread; whatever is handed over while a
 * commit runs goes into the next one (group commit). A thread that dies is started again, and what it had not confirmed is
 * sent once more; the thread knows by number which batch it had written.
 */
export class SqliteJournal implements Journal {
  readonly #options: SqliteJournalOptions;
  #phase: Phase = 'new';
  #client = '';
  #epoch: number | undefined;
  /** The last moment at which wall time was known. */
  #clockKnown: ClockKnowledge | null = null;
  #worker: Worker | undefined;
  #ready = false;
  #batchNumber = 0;
  #askNumber = 0;
  #unstored = 0;
  #restarts = 0;
  #threadError = 'no error given';
  #waiting: WaitingWrite[] = [];
  #inFlight: InFlight | undefined;
  /** Questions behind waiting writes, in order. */
  #heldAsks: WaitingAsk[] = [];
  /** A list: under a flow of questions a `Map` that grows anew keeps the answers of the one before it from the collector. */
  readonly #openAsks: WaitingAsk[] = [];
  readonly #listeners = new Set<(events: readonly StoredEvent[]) => void>();
  #started: { resolve: (value: JournalStart) => void; reject: (error: GateError) => void } | undefined;
  #closed: (() => void) | undefined;
  #drained: (() => void) | undefined;
  /** 1 ends a backup under way; seen by all of the journal's threads. */
  readonly #endBackup = new Int32Array(new SharedArrayBuffer(4));
  #backup: Promise<BackupMade> | undefined;
  #maintain: Timer | undefined;
  #restart: Timer | undefined;
  #again: Timer | undefined;

  constructor(options: SqliteJournalOptions) {
    this.#options = options;
  }

  /**
   * @throws GateError JOURNAL_IN_USE (another process has it), JOURNAL_VERSION_UNKNOWN (written by a newer release),
   * JOURNAL_WRITE_FAILED (the disk refuses), JOURNAL_CLOSED (started twice)
   */
  start(): Promise<JournalStart> {
    if (this.#phase !== 'new') return Promise.reject(new GateError('JOURNAL_CLOSED', 'the journal was started before; make a new one'));
    this.#phase = 'starting';
    this.#client = randomUUID();
    return new Promise((resolve, reject) => {
      this.#started = { resolve, reject };
      this.#startThread();
    });
  }

  async stop(): Promise<void> {
    if (this.#phase === 'new' || this.#phase === 'closed' || this.#phase === 'stopping') return;
    this.#phase = 'stopping';
    this.#maintain?.cancel();
    Atomics.store(this.#endBackup, 0, 1);
    await this.#backup?.catch(() => undefined);
    // The last try of what the disk has not taken yet.
    if (this.#again !== undefined && this.#inFlight !== undefined) this.#tryAgain(this.#inFlight);
    if (!this.#idle()) await new Promise<void>((resolve) => (this.#drained = resolve));
    this.#restart?.cancel();
    const worker = this.#worker;
    if (worker !== undefined) {
      await new Promise<void>((resolve) => {
        this.#closed = resolve;
        this.#post({ kind: 'close' });
      });
      this.#phase = 'closed';
      await worker.terminate();
    }
    this.#phase = 'closed';
    this.#worker = undefined;
  }

  append(event: NewEvent): Promise<StoredEvent> {
    let op: AppendOp;
    try {
      const { lane, passage, payloadText } = checkEvent(event);
      const { wallMs, monoMs, clockTrusted, clockVouched } = this.#moment();
      op = { op: 'append', type: event.type, lane, passage, payloadText, wallMs, monoMs, clockTrusted, ...(clockVouched === false ? { clockVouched } : {}) };
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
    return this.#append(op);
  }

  onStored(listener: (events: readonly StoredEvent[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async events(query: EventQuery): Promise<readonly StoredEvent[]> {
    return (await this.#ask<'events'>({ ask: 'events', query: checkQuery(query) })).map(parseEvent);
  }

  async eventBatches(query: BatchQuery): Promise<readonly EventBatch[]> {
    return await this.#ask<'eventBatches'>({ ask: 'eventBatches', query: checkBatchQuery(query) });
  }

  outbox(): Promise<OutboxState> {
    return this.#ask<'outbox'>({ ask: 'outbox' });
  }

  acknowledge(seq: number, epoch?: number): Promise<OutboxState> {
    return this.#write(() => ({ op: 'acknowledge', seq: checkSequence(seq), ...(epoch === undefined ? {} : { epoch }) }));
  }

  async remember(key: string, value: JsonObject): Promise<void> {
    await this.#write(() => ({ op: 'remember', key: checkKey(key), value: canonicalJson(value) }));
  }

  async forget(key: string): Promise<void> {
    await this.#write(() => ({ op: 'forget', key: checkKey(key) }));
  }

  async knowClock(known: ClockKnowledge): Promise<void> {
    if (asGood(known, this.#clockKnown)) this.#clockKnown = known;
    await this.#write(() => ({ op: 'know-clock', known: { ...known, wallMs: Math.round(known.wallMs) } }));
  }

  async doubtClock(wallMs: number): Promise<void> {
    if (this.#clockKnown !== null && this.#clockKnown.wallMs > wallMs) this.#clockKnown = null;
    await this.#write(() => ({ op: 'doubt-clock', wallMs }));
  }

  corrected(event: StoredEvent): StoredEvent {
    const known = this.#clockKnown;
    if (event.clockTrusted || known === null || event.epoch !== this.#epoch) return event;
    return { ...event, correctedWallMs: Math.round(known.wallMs + event.monoMs - known.monoMs) };
  }

  async recall(key: string): Promise<JsonObject | undefined> {
    const text = await this.#ask<'recall'>({ ask: 'recall', key: checkKey(key) });
    return text === undefined ? undefined : parseJsonObject(text);
  }

  async recallAll(prefix: string): Promise<ReadonlyMap<string, JsonObject>> {
    const rows = await this.#ask<'recallAll'>({ ask: 'recallAll', prefix });
    return new Map(rows.map(([key, text]) => [key, parseJsonObject(text)]));
  }

  async saveEvidence(passage: string, kind: EvidenceInfo['kind'], jpeg: Uint8Array): Promise<EvidenceInfo> {
    return this.#ask<'saveEvidence'>({ ask: 'saveEvidence', passage: checkKey(passage), kind, jpeg });
  }

  evidence(passage: string): Promise<readonly EvidenceInfo[]> {
    return this.#ask<'evidence'>({ ask: 'evidence', passage });
  }

  readEvidence(id: string): Promise<Uint8Array | undefined> {
    return this.#ask<'readEvidence'>({ ask: 'readEvidence', id });
  }

  verify(): Promise<{ readonly checked: number; readonly brokenAt: number | null }> {
    return this.#ask<'verify'>({ ask: 'verify' });
  }

  backup(options: BackupOptions, onProgress: (progress: BackupProgress) => void = () => undefined): Promise<BackupMade> {
    if (this.#phase !== 'open') return Promise.reject(closedError());
    if (this.#backup !== undefined) return Promise.reject(new GateError('BACKUP_FAILED', 'a backup is being made already; wait until it is done'));
    const { directory, gateId } = this.#options;
    const { wallMs, clockTrusted } = this.#moment();
    Atomics.store(this.#endBackup, 0, 0);
    const making = backupInThread({ request: { ...options, journal: directory, gateId, wallMs, clockTrusted, pace: true }, end: this.#endBackup }, onProgress);
    this.#backup = making.finally(() => (this.#backup = undefined));
    return this.#backup;
  }

  #moment(): Moment {
    const { clock, clockTrusted, clockVouched } = this.#options;
    return { wallMs: clock.wallMs(), monoMs: clock.monoMs(), clockTrusted: clockTrusted?.() ?? true, clockVouched: clockVouched?.() ?? true };
  }

  /** Apart from what is handed over, which need not be kept while the event waits for the disk. */
  #append(op: AppendOp): Promise<StoredEvent> {
    return new Promise((stored, fail) => {
      const refused = this.#handOver({ op, stored, fail });
      if (refused !== undefined) fail(refused);
    });
  }

  #write(make: () => Exclude<WriteOp, AppendOp>): Promise<OutboxState> {
    return new Promise((done, fail) => {
      const refused = this.#handOver({ op: make(), done, fail });
      if (refused !== undefined) fail(refused);
    });
  }

  #handOver(write: WaitingWrite): GateError | undefined {
    if (this.#phase !== 'open' && this.#phase !== 'starting') return closedError();
    if (this.#waiting.length >= MOST_WAITING) {
      if (write.op.op === 'append') this.#unstored += 1;
      return new GateError('JOURNAL_WRITE_FAILED', `${MOST_WAITING} writes wait for the disk already; check it (df -h, dmesg)`);
    }
    this.#waiting.push(write);
    this.#pump();
    return undefined;
  }

  #ask<K extends keyof Answers>(ask: Ask & { ask: K }): Promise<Answers[K]> {
    if (this.#phase !== 'open' && this.#phase !== 'starting') return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      const done = (value: Answers[keyof Answers]): void => {
        if (answers(ask.ask, value)) resolve(value);
      };
      this.#askNumber += 1;
      const waiting: WaitingAsk = { id: this.#askNumber, ask, done, fail: reject, attempts: 0 };
      this.#openAsks.push(waiting);
      if (this.#ready && this.#waiting.length === 0) this.#postAsk(waiting);
      else this.#heldAsks.push(waiting);
    });
  }

  /** Sends what waits, one batch at a time: what comes meanwhile shares the next transaction. */
  #pump(): void {
    if (!this.#ready || this.#inFlight !== undefined) return;
    if (this.#waiting.length > 0) {
      const writes = this.#waiting.length <= MOST_BATCH ? this.#waiting : this.#waiting.slice(0, MOST_BATCH);
      this.#waiting = this.#waiting.length <= MOST_BATCH ? [] : this.#waiting.slice(MOST_BATCH);
      this.#batchNumber += 1;
      const batch: Batch = { number: this.#batchNumber, moment: this.#moment(), unstored: this.#unstored, writes: writes.map((write) => write.op) };
      this.#unstored = 0;
      this.#inFlight = { batch, writes, attempts: 0 };
      this.#postBatch(this.#inFlight);
    }
    if (this.#waiting.length > 0) return;
    for (const ask of this.#heldAsks) this.#postAsk(ask);
    this.#heldAsks = [];
  }

  #postBatch(inFlight: InFlight): void {
    inFlight.attempts += 1;
    this.#post({ kind: 'batch', batch: inFlight.batch, moment: this.#moment() });
  }

  #postAsk(waiting: WaitingAsk): void {
    waiting.attempts += 1;
    this.#post({ kind: 'ask', id: waiting.id, moment: this.#moment(), ask: waiting.ask });
  }

  #post(message: ToThread): void {
    this.#worker?.postMessage(message);
  }

  #startThread(): void {
    const { directory, gateId, retention, ballastMB, expendable, exclusive, firstEpoch, boot } = this.#options;
    const options: ThreadOptions = {
      directory,
      gateId,
      client: this.#client,
      epoch: this.#epoch,
      moment: this.#moment(),
      boot,
      firstEpoch: firstEpoch ?? 'one',
      retention: { ...retention, eventsMB: retention.eventsMB ?? EVENTS_MB, platePicturesDays: retention.platePicturesDays ?? retention.photographsDays },
      ballastBytes: (ballastMB ?? 4) * 1024 * 1024,
      expendable,
      endBackup: this.#endBackup,
      exclusive: exclusive ?? false,
    };
    const worker = startThread('thread', options);
    this.#worker = worker;
    worker.on('message', (message: unknown) => {
      if (worker === this.#worker && isFromThread(message)) this.#receive(message);
    });
    worker.on('error', (error) => {
      this.#threadError = errorText(error);
      this.#options.log.error({ error: this.#threadError }, 'journal: the thread failed');
    });
    worker.on('exit', () => {
      if (worker === this.#worker) this.#threadGone();
    });
    this.#options.onThread?.(worker);
  }

  #receive(message: FromThread): void {
    switch (message.kind) {
      case 'ready':
        { this.#opened(message); return; }
      case 'failed':
        { this.#failedToOpen(message.error); return; }
      case 'committed':
        { this.#committed(message.committed, message.own); return; }
      case 'rejected':
        { this.#rejected(message.number, toGateError(message.error), message.again); return; }
      case 'own':
        { this.#tell(message.events.map(parseEvent)); return; }
      case 'answer':
        { this.#answered(message.id, (ask) => ask.done(message.value)); return; }
      case 'refusal':
        { this.#answered(message.id, (ask) => ask.fail(toGateError(message.error))); return; }
      case 'log':
        { this.#options.log[message.level](message.facts, message.message); return; }
      case 'closed':
        this.#closed?.();
    }
  }

  #opened({ epoch, origin, wallHighMs, clockKnown, sameBoot }: Extract<FromThread, { kind: 'ready' }>): void {
    this.#epoch = epoch;
    this.#clockKnown ??= clockKnown;
    this.#ready = true;
    this.#restarts = 0;
    if (this.#phase === 'starting') this.#phase = 'open';
    this.#started?.resolve({ gateId: this.#options.gateId, epoch, origin, wallHighMs, clockKnown, sameBoot });
    this.#started = undefined;
    if (this.#inFlight !== undefined) this.#postBatch(this.#inFlight);
    this.#pump();
    this.#armMaintenance(MAINTAIN_MS / 6);
    // A stop may have been waiting for the start to end.
    this.#checkDrained();
  }

  #failedToOpen(error: PlainError): void {
    const started = this.#started;
    if (started === undefined) {
      this.#options.log.error({ error: error.message }, 'journal: could not be opened again; trying on');
      return;
    }
    this.#started = undefined;
    this.#giveUp(toGateError(error));
    started.reject(toGateError(error));
  }

  #giveUp(error: GateError): void {
    this.#phase = 'closed';
    this.#worker = undefined;
    const writes = [...(this.#inFlight?.writes ?? []), ...this.#waiting];
    this.#inFlight = undefined;
    this.#waiting = [];
    for (const write of writes) write.fail(error);
    for (const ask of this.#openAsks.splice(0)) ask.fail(error);
    this.#heldAsks = [];
    this.#drained?.();
  }

  #committed(committed: Committed, own: readonly string[]): void {
    const inFlight = this.#inFlight;
    if (inFlight?.batch.number !== committed.number) return;
    this.#inFlight = undefined;
    const stored: StoredEvent[] = own.map(parseEvent);
    const refused = new Map(committed.refused.map(({ index, error }) => [index, error]));
    let { previousHash } = committed;
    let count = 0;
    this.#pump();
    inFlight.writes.forEach((write, index) => {
      const error = refused.get(index);
      if (error !== undefined) {
        write.fail(toGateError(error));
      } else if ('stored' in write) {
        const hash = committed.hashes.slice(count * 64, count * 64 + 64);
        const event = this.corrected(storedFrom(write.op, this.#options.gateId, committed.epoch, committed.first + count, previousHash, hash));
        previousHash = hash;
        count += 1;
        stored.push(event);
        write.stored(event);
      } else {
        write.done(committed.outbox);
      }
    });
    if (own.length > 0) stored.sort((one, other) => one.seq - other.seq);
    this.#tell(stored);
    this.#checkDrained();
  }

  #rejected(number: number, error: GateError, again: boolean): void {
    const inFlight = this.#inFlight;
    if (inFlight?.batch.number !== number) return;
    const { clock } = this.#options;
    inFlight.attempts = 0;
    inFlight.refusedMs ??= clock.monoMs();
    if (again && this.#phase !== 'stopping' && clock.monoMs() - inFlight.refusedMs < HOLD_MS) {
      this.#again = clock.after(HOLD_AGAIN_MS, () => this.#tryAgain(inFlight));
      return;
    }
    this.#inFlight = undefined;
    this.#unstored += inFlight.batch.unstored + appended(inFlight);
    for (const write of inFlight.writes) write.fail(error);
    this.#pump();
    this.#checkDrained();
  }

  #tryAgain(inFlight: InFlight): void {
    this.#again?.cancel();
    this.#again = undefined;
    // A thread that has to be started again is given what is in flight by then.
    if (this.#ready && this.#inFlight === inFlight) this.#postBatch(inFlight);
  }

  #answered(id: number, settle: (ask: WaitingAsk) => void): void {
    const at = this.#openAsks.findIndex((ask) => ask.id === id);
    const [ask] = at < 0 ? [] : this.#openAsks.splice(at, 1);
    if (ask !== undefined) settle(ask);
    this.#checkDrained();
  }

  #tell(events: readonly StoredEvent[]): void {
    if (events.length === 0) return;
    for (const listener of this.#listeners) {
      try {
        listener(events);
      } catch (error) {
        this.#options.log.error({ error: errorText(error) }, 'journal: a listener failed');
      }
    }
  }

  #threadGone(): void {
    this.#ready = false;
    this.#worker = undefined;
    this.#maintain?.cancel();
    this.#again?.cancel();
    this.#again = undefined;
    if (this.#phase === 'closed') return;
    if (this.#started !== undefined) { this.#failedToOpen({ code: 'JOURNAL_WRITE_FAILED', message: `JOURNAL_WRITE_FAILED: the journal thread ended while it started (${this.#threadError})` }); return; }
    if (this.#closed !== undefined) { this.#closed(); return; }
    this.#giveUpPoison();
    const delayMs = Math.min(RESTART_MOST_MS, RESTART_LEAST_MS * 2 ** Math.min(this.#restarts, 10));
    this.#restarts += 1;
    this.#options.log.error({ delayMs, waiting: this.#waiting.length }, 'journal: the thread ended; starting it again');
    this.#restart = this.#options.clock.after(delayMs, () => this.#startThread());
  }

  /** A batch or question the thread died on twice would kill it for ever. */
  #giveUpPoison(): void {
    const error = new GateError('JOURNAL_WRITE_FAILED', 'the journal thread ended twice while it worked on this; see the log');
    const inFlight = this.#inFlight;
    if (inFlight !== undefined && inFlight.attempts >= MOST_ATTEMPTS) {
      this.#inFlight = undefined;
      this.#unstored += inFlight.batch.unstored + appended(inFlight);
      for (const write of inFlight.writes) write.fail(error);
    }
    const held = new Set(this.#heldAsks);
    for (const ask of [...this.#openAsks]) {
      if (held.has(ask)) continue;
      if (ask.attempts >= MOST_ATTEMPTS) {
        this.#openAsks.splice(this.#openAsks.indexOf(ask), 1);
        ask.fail(error);
      } else {
        this.#heldAsks.push(ask);
      }
    }
  }

  #armMaintenance(delayMs: number): void {
    if (this.#phase !== 'open') return;
    this.#maintain?.cancel();
    this.#maintain = this.#options.clock.after(delayMs, () => {
      this.#ask<'maintain'>({ ask: 'maintain' }).then(
        (more) => this.#armMaintenance(more ? MAINTAIN_AGAIN_MS : MAINTAIN_MS),
        (error: unknown) => {
          this.#options.log.error({ error: errorText(error) }, 'journal: tidying failed');
          this.#armMaintenance(MAINTAIN_MS);
        },
      );
    });
  }

  #idle(): boolean {
    return this.#inFlight === undefined && this.#waiting.length === 0 && this.#openAsks.length === 0 && this.#started === undefined;
  }

  #checkDrained(): void {
    if (this.#idle()) this.#drained?.();
  }
}

function appended({ writes }: InFlight): number {
  return writes.filter((write) => write.op.op === 'append').length;
}

/** Makes a backup in a thread of its own. */
function backupInThread(options: BackupThreadOptions, onProgress: (progress: BackupProgress) => void): Promise<BackupMade> {
  return new Promise((resolve, reject) => {
    const worker = startThread('backup-thread', options);
    worker.on('message', (message: FromBackupThread) => {
      if (message.kind === 'progress') onProgress(message.progress);
      else if (message.kind === 'made') resolve(message.made);
      else reject(toGateError(message.error));
    });
    worker.once('error', (error) => reject(new GateError('BACKUP_FAILED', `the backup broke off: ${errorText(error)}`, {}, error)));
    // After what it had to say; a promise that is settled stays so.
    worker.once('exit', () => reject(new GateError('BACKUP_FAILED', 'the backup broke off; see the log')));
  });
}

function closedError(): GateError {
  return new GateError('JOURNAL_CLOSED', 'the journal is not open; start it first, and hand nothing over after its stop');
}

function toGateError(error: PlainError): GateError {
  const code = JOURNAL_CODES.find((known) => known === error.code) ?? 'JOURNAL_WRITE_FAILED';
  return new GateError(code, error.message.startsWith(`${code}: `) ? error.message.slice(code.length + 2) : error.message);
}

function isFromThread(value: unknown): value is FromThread {
  return typeof value === 'object' && value !== null && 'kind' in value;
}

/** The thread answers each kind of question with its own kind of answer; only a mix-up of versions could break that. */
function answers<K extends keyof Answers>(kind: K, value: Answers[keyof Answers]): value is Answers[K] {
  return kind === 'recall' || kind === 'readEvidence' || value !== undefined;
}

function storedFrom(op: AppendOp, gateId: string, epoch: number, seq: number, previousHash: string, hash: string): StoredEvent {
  return {
    id: eventId(gateId, epoch, seq),
    epoch,
    seq,
    type: op.type,
    lane: op.lane,
    passage: op.passage,
    wallMs: Math.round(op.wallMs),
    monoMs: Math.round(op.monoMs * 1_000) / 1_000,
    clockTrusted: op.clockTrusted,
    payload: parseJsonObject(op.payloadText),
    previousHash,
    hash,
  };
}
