import type { Database, Statement } from 'better-sqlite3';
import { GateError, isGateError, type MachineBoot } from '../base/index.js';
import { BatchBuilder } from './batch-builder.js';
import { BLOCK_EVENTS, Blocks, blockOf, firstOf, keyOfLane, keyOfPassage, keyOfType, lastOf, type WrittenText } from './blocks.js';
import { GENESIS_HASH, canonicalEvent, canonicalJson, eventId } from './canonical.js';
import { LogFile } from './database.js';
import { EpochClocks } from './epoch-clocks.js';
import { hasColumn, hasTexts } from './event-source.js';
import { Facts } from './facts.js';
import { isSound, isUntrusted, parseEvent, statedHash, withKnown, type EventText } from './event-text.js';
import type { AppendOp, Batch, Committed, Moment, WriteOp } from './protocol.js';
import { seal, sumOf, unseal } from './seal.js';
import type { BatchLimits, BatchQuery, EventBatch, EventQuery, EventType, EvidenceInfo, StoredEvent } from './types.js';

/** The one row of the table `state` and what was written with the newest event since, hashes as hex. */
export interface State {
  epoch: number;
  head: number;
  headHash: string;
  acknowledged: number;
  reserved: number;
  prunedThrough: number;
  prunedHash: string;
  wallHighMs: number;
  client: string;
  batch: number;
  batchFirst: number;
  batchCount: number;
}

export interface Gap {
  readonly first: number;
  readonly last: number;
  readonly reason: string;
}

interface RawState extends Omit<State, 'headHash' | 'prunedHash'> {
  headHash: Buffer;
  prunedHash: Buffer;
  /** Null, or undefined where there is no such column: written by a release before. */
  sum: string | null | undefined;
}

/** What a batch of events changes of the state; kept with its last event. */
type Advance = Pick<State, 'wallHighMs' | 'client' | 'batch' | 'batchFirst' | 'batchCount'>;

/** A row's place in its order, and its time. */
export interface Aged {
  readonly place: number;
  readonly wallMs: number;
  readonly clockTrusted: number;
}

export interface RawEvidence extends EvidenceInfo {
  readonly row: number;
  readonly clockTrusted: number;
}

const SAVE_STATE = `INSERT OR REPLACE INTO state (id, epoch, head, head_hash, acknowledged, reserved, pruned_through, pruned_hash, wall_high_ms, client, batch, batch_first, batch_count, sum)
  VALUES (1, @epoch, @head, @headHash, @acknowledged, @reserved, @prunedThrough, @prunedHash, @wallHighMs, @client, @batch, @batchFirst, @batchCount, @sum)`;

const EVIDENCE_COLUMNS = 'row, id, passage, kind, bytes, wall_ms AS wallMs, clock_trusted AS clockTrusted';

/** Blocks looked for at one go in a search. */
const SEARCH_BLOCKS = 50;

export const GENESIS_STATE: Readonly<State> = {
  epoch: 0,
  head: 0,
  headHash: GENESIS_HASH,
  acknowledged: 0,
  reserved: 0,
  prunedThrough: 0,
  prunedHash: GENESIS_HASH,
  wallHighMs: 0,
  client: '',
  batch: 0,
  batchFirst: 0,
  batchCount: 0,
};

/** Fact that a restored database carries until its first start; nobody else's keys begin so. */
export const RESTORED_KEY = 'journal/restored';

/** Called before numbers up to `head` are used; makes the bound durable outside the database and returns it. */
export type Reserve = (head: number) => number;

/**
 * The tables of one open database. Every method that changes something is one transaction, on the disk when it returns (a
 * batch of acknowledgements alone: see `apply`); the state held here changes only then. Where the disk refuses, the database
 * has to be opened anew: the transaction may be in it.
 */
export class JournalStore {
  readonly #db: Database;
  readonly #reserve: Reserve;
  readonly #gate: string;
  #state: State;
  readonly clocks: EpochClocks;
  readonly #blocks: Blocks;
  readonly #transact: { immediate: (run: () => void) => void };
  readonly #log: LogFile;
  readonly #insertEvent: Statement<[number, Buffer, string | null]>;
  readonly #saveState: Statement<[RawState]>;
  readonly #between: Statement<[number, number, number], EventText>;
  readonly #backwards: Statement<[number, number, number], EventText>;
  readonly #facts: Facts;
  /** The newest event of the transaction under way, not yet in the table: its last one carries what the batch changed. */
  #pending: { readonly seq: number; readonly bytes: Buffer } | undefined;
  /** Something is committed that waits for the next synchronisation. */
  #unsettled = false;

  /** @param gate id of the gate now */
  constructor(db: Database, reserve: Reserve, gate: string) {
    this.#db = db;
    this.#reserve = reserve;
    this.#gate = gate;
    this.#blocks = new Blocks(db);
    this.#transact = db.transaction((run: () => void) => run());
    this.#insertEvent = db.prepare('INSERT INTO event (seq, text, batch) VALUES (?, CAST(? AS TEXT), ?)');
    this.#saveState = db.prepare(SAVE_STATE);
    this.#between = db.prepare('SELECT seq, text FROM event WHERE seq > ? AND seq < ? ORDER BY seq LIMIT ?');
    this.#backwards = db.prepare('SELECT seq, text FROM event WHERE seq > ? AND seq < ? ORDER BY seq DESC LIMIT ?');
    this.#facts = new Facts(db);
    this.#state = { ...(readState(db) ?? GENESIS_STATE) };
    this.clocks = new EpochClocks(db);
    this.#log = new LogFile(db);
  }

  get state(): Readonly<State> {
    return this.#state;
  }

  /** Lets go of what it holds beside the database, which is closed by whom it belongs to. */
  release(): void {
    this.#log.close();
  }

  /**
   * Begins (or, after a crash of the thread, goes on with) a boot epoch.
   * @param boot run of the machine; one of its own where it is not known
   * @param event of the journal about itself, in the same transaction
   */
  beginEpoch(epoch: number, boot: MachineBoot | undefined, moment: Moment, base: Partial<State>, event?: { readonly type: EventType; readonly payloadText: string; readonly gaps: readonly Gap[] }): void {
    this.#change((state) => {
      Object.assign(state, base, { epoch });
      this.#db.prepare('INSERT OR IGNORE INTO boot (epoch, gate, wall_ms, mono_ms) VALUES (?, ?, ?, ?)').run(epoch, this.#gate, Math.round(moment.wallMs), moment.monoMs);
      const { id, aheadMs } = boot ?? { id: `epoch ${epoch}`, aheadMs: 0 };
      this.clocks.begin({ epoch, boot: id, aheadMs, startMs: moment.monoMs + aheadMs, afterMs: state.wallHighMs });
      this.#facts.drop(RESTORED_KEY);
      if (event !== undefined) this.#appendOwn(state, event.type, event.payloadText, moment, event.gaps);
    });
  }

  /**
   * Writes a batch in one transaction. A batch that is already in (same client and number) is not written again; what was
   * answered then is answered now. Acknowledgements alone wait for nobody's disk: they reach it with the next event, or with
   * `settle`, and what a power cut takes of them the platform is sent once more, which it knows by the events' ids.
   * @returns also the text of the event that says what the client had to give up, where it had to
   */
  apply(client: string, batch: Batch): { readonly committed: Committed; readonly own: string | undefined } {
    if (this.#state.client === client && this.#state.batch === batch.number) return { committed: this.#committedBefore(batch), own: batch.unstored > 0 ? this.#ownBefore() : undefined };
    const refused: { index: number; error: { code: string; message: string } }[] = [];
    const hashes: string[] = [];
    const { headHash, head } = this.#state;
    let own: string | undefined;
    const durable = batch.unstored > 0 || batch.writes.some(({ op }) => op !== 'acknowledge');
    this.#change((state) => {
      state.client = client;
      state.batch = batch.number;
      batch.writes.forEach((write, index) => {
        if (write.op === 'append') {
          hashes.push(this.#append(state, write).hash);
          return;
        }
        try {
          this.#write(state, head, write);
        } catch (error) {
          if (!isGateError(error, 'MESSAGE_INVALID')) throw error;
          refused.push({ index, error: { code: error.code, message: error.message } });
        }
      });
      state.batchFirst = hashes.length === 0 ? 0 : head + 1;
      state.batchCount = hashes.length;
      if (batch.unstored > 0) own = this.#appendOwn(state, 'journal.lost', canonicalJson({ reason: 'not-written', count: batch.unstored, gaps: [] }), batch.moment, []);
    }, durable);
    const committed: Committed = {
      number: batch.number,
      epoch: this.#state.epoch,
      first: this.#state.batchFirst,
      previousHash: headHash,
      hashes: hashes.join(''),
      refused,
      outbox: this.outbox(),
    };
    return { committed, own };
  }

  /** Waits until everything is on the disk. */
  settle(): void {
    if (!this.#unsettled) return;
    this.#log.sync();
    this.#unsettled = false;
  }

  outbox(): { head: number; acknowledged: number } {
    return { head: this.#state.head, acknowledged: this.#state.acknowledged };
  }

  /**
   * @returns each a `StoredEvent` as JSON
   * @throws GateError JOURNAL_CORRUPT at the first that is damaged
   */
  events(query: EventQuery): string[] {
    const { limit, newestFirst = false } = query;
    const [after, before] = [query.after ?? 0, query.before ?? Number.MAX_SAFE_INTEGER];
    const keys = query.passage !== undefined ? [keyOfPassage(query.passage)] : query.types !== undefined ? query.types.map(keyOfType) : query.lane !== undefined ? [keyOfLane(query.lane)] : undefined;
    const read = newestFirst ? this.#backwards : this.#between;
    if (keys === undefined) return read.all(after, before, limit).map((row) => this.#sound(row));
    const found: string[] = [];
    let [first, last] = [blockOf(after + 1), blockOf(Math.min(before - 1, this.#state.head))];
    for (;;) {
      const blocks = this.#blocks.having(keys, first, last, newestFirst, SEARCH_BLOCKS);
      for (const block of blocks) {
        for (const row of read.all(Math.max(after, firstOf(block) - 1), Math.min(before, lastOf(block) + 1), BLOCK_EVENTS)) {
          if (!mentions(row.text, query) || !fits(parseEvent(row.text), query)) continue;
          found.push(this.#sound(row));
          if (found.length >= limit) return found;
        }
      }
      const end = blocks.at(-1);
      if (blocks.length < SEARCH_BLOCKS || end === undefined) return found;
      if (newestFirst) last = end - 1;
      else first = end + 1;
    }
  }

  /** Events above `seq`, at most `limit`, as they were recorded. */
  texts(seq: number, limit: number): EventText[] {
    return this.#between.all(seq, Number.MAX_SAFE_INTEGER, limit);
  }

  /** One event as it was recorded. */
  textOf(seq: number): string | undefined {
    return this.#between.get(seq - 1, seq + 1, 1)?.text;
  }

  /**
   * Events in a row as they go out, held against their hashes, or a whole block at a time against its digest: what a failing
   * disk made of an event is no event. No batch reaches from one block into another.
   * @throws GateError JOURNAL_CORRUPT at the first that does not fit
   */
  batches({ after, before, batches: most, ...limits }: BatchQuery): EventBatch[] {
    const made: EventBatch[] = [];
    let at = after;
    while (made.length < most) {
      const block = blockOf(at + 1);
      const whole = lastOf(block) < before ? this.#blocks.messages(block, at, limits) : undefined;
      const found = whole ?? this.#batchesOf(at, before, limits, most - made.length);
      const last = found.at(-1)?.last;
      if (last === undefined) break;
      made.push(...found);
      at = last;
    }
    return made;
  }

  recall(key: string): string | undefined {
    return this.#facts.get(key);
  }

  recallAll(prefix: string): [string, string][] {
    return this.#facts.all(prefix);
  }

  addEvidence(info: EvidenceInfo, clockTrusted: boolean): void {
    const insert = this.#db.prepare('INSERT OR IGNORE INTO evidence (id, passage, kind, bytes, wall_ms, clock_trusted) VALUES (?, ?, ?, ?, ?, ?)');
    this.#commit(true, () => insert.run(info.id, info.passage, info.kind, info.bytes, info.wallMs, clockTrusted ? 1 : 0));
  }

  evidenceOf(passage: string): EvidenceInfo[] {
    return this.#db
      .prepare<[string], RawEvidence>(`SELECT ${EVIDENCE_COLUMNS} FROM evidence WHERE passage = ? ORDER BY row`)
      .all(passage)
      .map(({ id, kind, bytes, wallMs }) => ({ id, passage, kind, bytes, wallMs }));
  }

  oldestEvidence(kind: EvidenceInfo['kind'], limit: number): RawEvidence[] {
    return this.#db.prepare<[string, number], RawEvidence>(`SELECT ${EVIDENCE_COLUMNS} FROM evidence WHERE kind = ? ORDER BY row LIMIT ?`).all(kind, limit);
  }

  evidenceAges(kind: EvidenceInfo['kind'], after: number, limit: number): Aged[] {
    return this.#db
      .prepare<[string, number, number], Aged>('SELECT row AS place, wall_ms AS wallMs, clock_trusted AS clockTrusted FROM evidence WHERE kind = ? AND row > ? ORDER BY row LIMIT ?')
      .all(kind, after, limit);
  }

  /** @param through last sequence looked at */
  eventAges(after: number, through: number, limit: number): Aged[] {
    return this.#between.all(after, through + 1, limit).map(({ seq, text }) => {
      const { wallMs, clockTrusted } = parseEvent(text);
      return { place: seq, wallMs, clockTrusted: clockTrusted ? 1 : 0 };
    });
  }

  evidenceBytes(): number {
    return this.#db.prepare<[], { bytes: number }>('SELECT coalesce(sum(bytes), 0) AS bytes FROM evidence').get()?.bytes ?? 0;
  }

  /** @returns ids whose file no passage needs any more */
  dropEvidence(rows: readonly RawEvidence[]): string[] {
    const drop = this.#db.prepare('DELETE FROM evidence WHERE row = ?');
    const still = this.#db.prepare<[string], { row: number }>('SELECT row FROM evidence WHERE id = ? LIMIT 1');
    this.#commit(true, () => {
      for (const { row } of rows) drop.run(row);
    });
    return [...new Set(rows.map(({ id }) => id))].filter((id) => still.get(id) === undefined);
  }

  knowsEvidence(id: string): boolean {
    return this.#db.prepare<[string], { row: number }>('SELECT row FROM evidence WHERE id = ? LIMIT 1').get(id) !== undefined;
  }

  /**
   * Removes the oldest events up to and with `seq`; the chain's anchor moves to the last one removed.
   * @param declare event of the journal that says so, in the same transaction
   * @returns that event's text
   */
  pruneThrough(seq: number, declare?: { readonly type: EventType; readonly payloadText: string; readonly moment: Moment }): string | undefined {
    let text: string | undefined;
    this.#change((state) => {
      const last = this.#backwards.get(0, seq + 1, 1);
      if (last === undefined) return;
      this.#blocks.drop(seq);
      this.#db.prepare('DELETE FROM event WHERE seq <= ?').run(seq);
      this.#db.prepare('DELETE FROM gap WHERE last <= ?').run(seq);
      state.prunedThrough = last.seq;
      state.prunedHash = statedHash(last.text);
      if (declare !== undefined) text = this.#appendOwn(state, declare.type, declare.payloadText, declare.moment, []);
    });
    return text;
  }

  /** Wall time was vouched for up to here, though nothing happened. */
  reachWall(wallMs: number): void {
    this.#change((state) => (state.wallHighMs = Math.max(state.wallHighMs, Math.round(wallMs))));
  }

  /** Bytes the tables really use; pages freed by retention are reused before the file grows. */
  usedBytes(): number {
    return (this.#number('page_count') - this.#number('freelist_count')) * this.#number('page_size');
  }

  /** Bytes of free pages inside the file. */
  freeBytes(): number {
    return this.#number('freelist_count') * this.#number('page_size');
  }

  #number(pragma: 'page_count' | 'page_size' | 'freelist_count'): number {
    const value: unknown = this.#db.pragma(pragma, { simple: true });
    return typeof value === 'number' ? value : 0;
  }

  /** Events one at a time: of a block that is not closed or not whole, or whose events' times have to be added. */
  #batchesOf(after: number, before: number, limits: BatchLimits, most: number): EventBatch[] {
    const rows = this.#between.all(after, before, Math.min(limits.events * most, BLOCK_EVENTS));
    const batches: EventBatch[] = [];
    let open = new BatchBuilder(after, limits);
    for (const row of rows) {
      if (blockOf(row.seq) !== blockOf(rows[0]?.seq ?? row.seq)) break;
      const text = this.#sound(row);
      if (open.add(row.seq, text)) continue;
      const full = open.build(true);
      batches.push(full);
      if (batches.length >= most) return batches;
      open = new BatchBuilder(full.last, limits);
      open.add(row.seq, text);
    }
    if (open.count > 0) batches.push(open.build(true));
    return batches;
  }

  /**
   * The text with what is known by now of the time of an event whose clock was not trusted.
   * @throws GateError JOURNAL_CORRUPT where it is not what its hash says
   */
  #sound(row: EventText): string {
    if (!isSound(row)) throw new GateError('JOURNAL_CORRUPT', `event ${row.seq} is not what its hash says; it was damaged on the disk`);
    const { text } = row;
    return isUntrusted(text) ? withKnown(text, this.clocks.correct(parseEvent(text))) : text;
  }

  #change(run: (state: State) => void, durable = true): void {
    const before = this.#state;
    const next = { ...before };
    try {
      this.#commit(durable, () => {
        run(next);
        // A page less to write for each event that comes alone: what else its batch changes lies beside it.
        if (this.#pending !== undefined && onlyAdvanced(before, next)) {
          this.#flush(advanceText(next));
          return;
        }
        this.#flush(null);
        this.#saveState.run(rawState(next));
      });
    } catch (error) {
      this.#pending = undefined;
      this.#blocks.forget();
      this.clocks.forget();
      throw error;
    }
    this.#state = next;
  }

  #commit(durable: boolean, run: () => void): void {
    this.#transact.immediate(run);
    this.#unsettled = true;
    if (durable) this.settle();
  }

  #flush(batch: string | null): void {
    if (this.#pending === undefined) return;
    this.#insertEvent.run(this.#pending.seq, this.#pending.bytes, batch);
    this.#pending = undefined;
  }

  #appendOwn(state: State, type: EventType, payloadText: string, moment: Moment, gaps: readonly Gap[]): string {
    const insert = this.#db.prepare('INSERT OR REPLACE INTO gap (first, last, reason) VALUES (?, ?, ?)');
    for (const gap of gaps) if (gap.last > state.prunedThrough) insert.run(gap.first, gap.last, gap.reason);
    return this.#append(state, { op: 'append', type, lane: null, passage: null, payloadText, ...moment }).bytes.toString('utf8');
  }

  #append(state: State, op: AppendOp): WrittenText {
    const seq = state.head + 1;
    if (seq > state.reserved) state.reserved = this.#reserve(seq);
    this.#flush(null);
    const wallMs = Math.round(op.wallMs);
    const canonical = canonicalEvent({
      id: eventId(this.#gate, state.epoch, seq),
      epoch: state.epoch,
      seq,
      type: op.type,
      lane: op.lane,
      passage: op.passage,
      wallMs,
      monoMs: Math.round(op.monoMs * 1_000) / 1_000,
      clockTrusted: op.clockTrusted,
      payloadText: op.payloadText,
      previousHash: state.headHash,
    });
    const made = this.#blocks.add(seq, op, canonical);
    this.#pending = { seq, bytes: made.bytes };
    state.head = seq;
    state.headHash = made.hash;
    if (op.clockTrusted && op.clockVouched !== false) state.wallHighMs = Math.max(state.wallHighMs, wallMs);
    return made;
  }

  #write(state: State, durableHead: number, write: Exclude<WriteOp, AppendOp>): void {
    switch (write.op) {
      case 'acknowledge':
        // Against the head before this batch: nobody can have received what is not durable yet.
        if (write.seq > durableHead) {
          throw new GateError('MESSAGE_INVALID', `sequence ${write.seq} is acknowledged but the journal ends at ${durableHead}; the platform mixes up gates or the journal lost events`);
        }
        if (write.epoch !== undefined && write.seq > state.acknowledged) {
          const text = this.textOf(write.seq);
          const event = text === undefined ? undefined : parseEvent(text);
          if (event !== undefined && event.epoch !== write.epoch) {
            throw new GateError('MESSAGE_INVALID', `sequence ${write.seq} is acknowledged for epoch ${write.epoch}, and here it is of epoch ${event.epoch}: that was another journal of this gate; nothing is let go of`);
          }
        }
        state.acknowledged = Math.max(state.acknowledged, write.seq);
        return;
      case 'remember':
        this.#facts.put(write.key, write.value);
        return;
      case 'know-clock':
        this.clocks.know(state.epoch, write.known);
        return;
      case 'doubt-clock':
        this.clocks.doubt(write.wallMs);
        state.wallHighMs = Math.min(state.wallHighMs, Math.round(write.wallMs));
        return;
      case 'forget':
        this.#facts.drop(write.key);
    }
  }

  /** What a batch that is in already had to say of events that were given up: it is its last one, and may not have been told. */
  #ownBefore(): string | undefined {
    const { batchFirst, batchCount, head } = this.#state;
    return this.textOf(batchCount === 0 ? head : batchFirst + batchCount);
  }

  #committedBefore(batch: Batch): Committed {
    const { batchFirst, batchCount } = this.#state;
    const found = batchCount === 0 ? [] : this.#between.all(batchFirst - 1, batchFirst + batchCount, batchCount).map(({ text }) => parseEvent(text));
    // Written, and hurt by damage that was repaired since: what was declared lost is not told to be on record.
    const whole = found.length === batchCount;
    const rows = whole ? found : [];
    const { head } = this.#state;
    const refused = batch.writes.flatMap((write, index) => {
      if (write.op === 'append' && !whole) return [{ index, error: { code: 'JOURNAL_CORRUPT', message: 'JOURNAL_CORRUPT: the event was written and lost with a damaged database' } }];
      if (write.op !== 'acknowledge' || write.seq <= head) return [];
      return [{ index, error: { code: 'MESSAGE_INVALID', message: `MESSAGE_INVALID: sequence ${write.seq} is acknowledged but the journal ends at ${head}` } }];
    });
    return {
      number: batch.number,
      epoch: rows[0]?.epoch ?? this.#state.epoch,
      first: batchFirst,
      previousHash: rows[0]?.previousHash ?? this.#state.headHash,
      hashes: rows.map((row) => row.hash).join(''),
      refused,
      outbox: this.outbox(),
    };
  }
}

/**
 * How far the journal is: the state row, and what the newest event brought since. Undefined in a new database.
 * @throws GateError JOURNAL_CORRUPT where the newest events do not say
 */
export function readState(db: Database): State | undefined {
  const saved = readSavedState(db);
  if (saved === undefined || !hasTexts(db)) return saved;
  const newest = db.prepare<[], EventText & { batch: string | null }>('SELECT seq, text, batch FROM event ORDER BY seq DESC LIMIT 1').get();
  if (newest === undefined || newest.seq <= saved.head) return saved;
  const advance = newest.batch === null ? undefined : readAdvance(newest.batch);
  if (advance === undefined) throw new GateError('JOURNAL_CORRUPT', `event ${newest.seq}, the last one, does not say what was written with it`);
  return { ...saved, ...advance, head: newest.seq, headHash: statedHash(newest.text) };
}

/**
 * The state row alone, which may be older than the newest events.
 * @throws GateError JOURNAL_CORRUPT where it is not what was written: an outbox further on than the platform would skip events
 */
export function readSavedState(db: Database): State | undefined {
  const found = db
    .prepare<[], RawState>(
      `SELECT epoch, head, head_hash AS headHash, acknowledged, reserved, pruned_through AS prunedThrough, pruned_hash AS prunedHash,
       wall_high_ms AS wallHighMs, client, batch, batch_first AS batchFirst, batch_count AS batchCount${hasColumn(db, 'state', 'sum') ? ', sum' : ''} FROM state WHERE id = 1`,
    )
    .get();
  if (found === undefined) return undefined;
  const { sum, ...raw } = found;
  const state = { ...raw, headHash: raw.headHash.toString('hex'), prunedHash: raw.prunedHash.toString('hex') };
  if (typeof sum === 'string' && sum !== sumOfState(state)) throw new GateError('JOURNAL_CORRUPT', 'the state of the journal is not what was written; it was damaged on the disk');
  return state;
}

/** Writes the state row of a database that no gate has open. */
export function writeState(db: Database, state: State): void {
  db.prepare<[RawState]>(SAVE_STATE).run(rawState(state));
}

function rawState(state: State): RawState {
  return { ...state, headHash: Buffer.from(state.headHash, 'hex'), prunedHash: Buffer.from(state.prunedHash, 'hex'), sum: sumOfState(state) };
}

function sumOfState({ epoch, head, headHash, acknowledged, reserved, prunedThrough, prunedHash, wallHighMs, client, batch, batchFirst, batchCount }: State): string {
  return sumOf(JSON.stringify([epoch, head, headHash, acknowledged, reserved, prunedThrough, prunedHash, wallHighMs, client, batch, batchFirst, batchCount]));
}

/** What was declared lost. */
export function readGaps(db: Database): Gap[] {
  return db.prepare<[], Gap>('SELECT first, last, reason FROM gap ORDER BY first').all();
}

/** Whether nothing changed but what lies with the last event. */
function onlyAdvanced(before: State, next: State): boolean {
  return (
    before.epoch === next.epoch &&
    before.acknowledged === next.acknowledged &&
    before.reserved === next.reserved &&
    before.prunedThrough === next.prunedThrough &&
    before.prunedHash === next.prunedHash
  );
}

function advanceText({ client, batch, batchFirst, batchCount, wallHighMs }: Advance): string {
  return seal(JSON.stringify([client, batch, batchFirst, batchCount, wallHighMs]));
}

function readAdvance(sealed: string): Advance | undefined {
  const text = unseal(sealed);
  const value: unknown = text === undefined ? undefined : JSON.parse(text);
  if (!isAdvance(value)) return undefined;
  const [client, batch, batchFirst, batchCount, wallHighMs] = value;
  return { client, batch, batchFirst, batchCount, wallHighMs };
}

function isAdvance(value: unknown): value is [client: string, batch: number, batchFirst: number, batchCount: number, wallHighMs: number] {
  return Array.isArray(value) && value.length === 5 && typeof value[0] === 'string' && value.slice(1).every((number) => typeof number === 'number');
}

/** Whether a text can be of an event that is looked for: far cheaper than to read it. */
function mentions(text: string, { lane, passage, types }: EventQuery): boolean {
  return (
    (lane === undefined || text.includes(`"lane":${JSON.stringify(lane)}`)) &&
    (passage === undefined || text.includes(`"passage":${JSON.stringify(passage)}`)) &&
    (types === undefined || types.some((type) => text.includes(`"type":"${type}"`)))
  );
}

function fits(event: StoredEvent, { lane, passage, types }: EventQuery): boolean {
  return (lane === undefined || event.lane === lane) && (passage === undefined || event.passage === passage) && (types === undefined || types.includes(event.type));
}
