import type { Database, Statement } from 'better-sqlite3';
import { GateError, isGateError, type MachineBoot } from '../base/index.js';
import { BatchBuilder } from './batch-builder.js';
import { GENESIS_HASH, eventId, hashFields, hashText } from './canonical.js';
import { EpochClocks } from './epoch-clocks.js';
import type { AppendOp, Batch, Committed, EventRow, Moment, WriteOp } from './protocol.js';
import type { BatchQuery, EventBatch, EventQuery, EventType, EvidenceInfo } from './types.js';

/** The one row of the table `state`, hashes as hex. */
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
}

interface RawEvent {
  seq: number;
  epoch: number;
  gate: string | null;
  type: EventType;
  lane: string | null;
  passage: string | null;
  wallMs: number;
  monoMs: number;
  clockTrusted: number;
  payloadText: string;
  previousHash: Buffer;
  hash: Buffer;
}

/** Sequence, canonical form, hash, whether its clock was trusted (1), epoch and monotonic time, ms. */
type CanonicalRow = [seq: number, canonical: string, hash: string, clockTrusted: number, epoch: number, monoMs: number];

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

const EVENT_COLUMNS = `event.seq, event.epoch, boot.gate, event.type, event.lane, event.passage, event.wall_ms AS wallMs,
  event.mono_ms AS monoMs, event.clock_trusted AS clockTrusted, event.payload AS payloadText,
  event.previous_hash AS previousHash, event.hash AS hash`;
const EVENT_SOURCE = 'event LEFT JOIN boot ON boot.epoch = event.epoch';
/** `canonicalEvent` in SQL: a backlog is read several times faster than by fields. */
const CANONICAL = `'{"clockTrusted":' || iif(event.clock_trusted = 1, 'true', 'false') || ',"epoch":' || event.epoch ||
  ',"id":' || json_quote(coalesce(boot.gate, ?) || '-' || event.epoch || '-' || event.seq) || ',"lane":' || json_quote(event.lane) ||
  ',"monoMs":' || iif(event.mono_ms = CAST(event.mono_ms AS INTEGER), CAST(event.mono_ms AS INTEGER), event.mono_ms) ||
  ',"passage":' || json_quote(event.passage) || ',"payload":' || event.payload || ',"previousHash":"' || lower(hex(event.previous_hash)) ||
  '","seq":' || event.seq || ',"type":' || json_quote(event.type) || ',"wallMs":' || event.wall_ms || '}'`;
const EVIDENCE_COLUMNS = 'row, id, passage, kind, bytes, wall_ms AS wallMs, clock_trusted AS clockTrusted';

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
 * The tables of one open database. Every method that changes something is one transaction; the state held here changes
 * only after its commit.
 */
export class JournalStore {
  readonly #db: Database;
  readonly #reserve: Reserve;
  readonly #gate: string;
  #state: State;
  readonly clocks: EpochClocks;
  readonly #insertEvent: Statement<[number, number, string, string | null, string | null, number, number, number, string, Buffer, Buffer]>;
  readonly #saveState: Statement<[RawState]>;
  readonly #selectCanonical: Statement<[string, number, number, number], CanonicalRow>;
  readonly #queries = new Map<string, Statement<(string | number)[], RawEvent>>();

  /** @param gate id of the gate now; also taken for events whose boot epoch is not known any more */
  constructor(db: Database, reserve: Reserve, gate: string) {
    this.#db = db;
    this.#reserve = reserve;
    this.#gate = gate;
    this.#insertEvent = db.prepare(
      `INSERT INTO event (seq, epoch, type, lane, passage, wall_ms, mono_ms, clock_trusted, payload, previous_hash, hash)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#saveState = db.prepare(
      `INSERT OR REPLACE INTO state (id, epoch, head, head_hash, acknowledged, reserved, pruned_through, pruned_hash, wall_high_ms, client, batch, batch_first, batch_count)
       VALUES (1, @epoch, @head, @headHash, @acknowledged, @reserved, @prunedThrough, @prunedHash, @wallHighMs, @client, @batch, @batchFirst, @batchCount)`,
    );
    this.#selectCanonical = db
      .prepare<[string, number, number, number], CanonicalRow>(
        `SELECT event.seq, ${CANONICAL}, lower(hex(event.hash)), event.clock_trusted, event.epoch, event.mono_ms FROM ${EVENT_SOURCE} WHERE event.seq > ? AND event.seq < ? ORDER BY event.seq LIMIT ?`,
      )
      .raw();
    this.#state = { ...(readState(db) ?? GENESIS_STATE) };
    this.clocks = new EpochClocks(db);
  }

  get state(): Readonly<State> {
    return this.#state;
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
      this.#db.prepare('DELETE FROM fact WHERE key = ?').run(RESTORED_KEY);
      if (event !== undefined) this.#appendOwn(state, event.type, event.payloadText, moment, event.gaps);
    });
  }

  /**
   * Writes a batch in one transaction. A batch that is already in (same client and number) is not written again; what was
   * answered then is answered now.
   */
  apply(client: string, batch: Batch): Committed {
    if (this.#state.client === client && this.#state.batch === batch.number) return this.#committedBefore(batch);
    const refused: { index: number; error: { code: string; message: string } }[] = [];
    const hashes: string[] = [];
    const { headHash, head } = this.#state;
    this.#change((state) => {
      batch.writes.forEach((write, index) => {
        try {
          if (write.op === 'append') hashes.push(this.#append(state, write).hash);
          else this.#write(state, head, write);
        } catch (error) {
          if (!isGateError(error)) throw error;
          refused.push({ index, error: { code: error.code, message: error.message } });
        }
      });
      state.client = client;
      state.batch = batch.number;
      state.batchFirst = hashes.length === 0 ? 0 : head + 1;
      state.batchCount = hashes.length;
    });
    return {
      number: batch.number,
      epoch: this.#state.epoch,
      first: this.#state.batchFirst,
      previousHash: headHash,
      hashes: hashes.join(''),
      refused,
      outbox: this.outbox(),
    };
  }

  /** An event of the journal about itself, with the sequences it declares lost, in one transaction. */
  record(type: EventType, payloadText: string, moment: Moment, gaps: readonly Gap[] = []): EventRow {
    let row: EventRow | undefined;
    this.#change((state) => {
      row = this.#appendOwn(state, type, payloadText, moment, gaps);
    });
    if (row === undefined) throw new GateError('JOURNAL_WRITE_FAILED', 'an event of the journal itself was not written');
    return row;
  }

  outbox(): { head: number; acknowledged: number } {
    return { head: this.#state.head, acknowledged: this.#state.acknowledged };
  }

  events(query: EventQuery): EventRow[] {
    const where: string[] = [];
    const values: (string | number)[] = [];
    const add = (sql: string, ...bound: (string | number)[]): void => {
      where.push(sql);
      values.push(...bound);
    };
    if (query.after !== undefined) add('event.seq > ?', query.after);
    if (query.before !== undefined) add('event.seq < ?', query.before);
    if (query.lane !== undefined) add('event.lane = ?', query.lane);
    if (query.passage !== undefined) add('event.passage = ?', query.passage);
    if (query.types !== undefined) add(`event.type IN (${query.types.map(() => '?').join(',')})`, ...query.types);
    const sql = `SELECT ${EVENT_COLUMNS} FROM ${EVENT_SOURCE} ${where.length > 0 ? `WHERE ${where.join(' AND ')}` : ''}
      ORDER BY event.seq ${query.newestFirst === true ? 'DESC' : 'ASC'} LIMIT ?`;
    let statement = this.#queries.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare<(string | number)[], RawEvent>(sql);
      this.#queries.set(sql, statement);
    }
    return statement.all(...values, query.limit).map((raw) => (raw.clockTrusted === 1 ? toEventRow(raw, this.#gate) : { ...toEventRow(raw, this.#gate), ...this.clocks.correct(raw) }));
  }

  /**
   * Events in a row as they go out, each held against its hash: what a failing disk made of an event is no event.
   * @throws GateError JOURNAL_CORRUPT at the first that does not fit
   */
  batches({ after, before, batches: mostBatches, ...limits }: BatchQuery): EventBatch[] {
    const batches: EventBatch[] = [];
    let open = new BatchBuilder(after, limits);
    for (const [seq, canonical, hash, clockTrusted, epoch, monoMs] of this.#selectCanonical.all(this.#gate, after, before, limits.events * mostBatches)) {
      if (hashText(canonical) !== hash && !this.#isSound(seq)) throw new GateError('JOURNAL_CORRUPT', `event ${seq} is not what its hash says; it was damaged on the disk`);
      // Its canonical form with the hash added: an object's keys have no order, and the text is made and looked at once.
      const time = clockTrusted === 1 ? '' : JSON.stringify(this.clocks.correct({ epoch, monoMs })).slice(1, -1);
      const text = `${canonical.slice(0, -1)},"hash":"${hash}"${time === '' ? '' : `,${time}`}}`;
      if (open.add(seq, text)) continue;
      const full = open.build();
      batches.push(full);
      if (batches.length >= mostBatches) return batches;
      open = new BatchBuilder(full.last, limits);
      open.add(seq, text);
    }
    if (open.count > 0) batches.push(open.build());
    return batches;
  }

  recall(key: string): string | undefined {
    return this.#db.prepare<[string], { value: string }>('SELECT value FROM fact WHERE key = ?').get(key)?.value;
  }

  recallAll(prefix: string): [string, string][] {
    return this.#db
      .prepare<[{ prefix: string }], { key: string; value: string }>('SELECT key, value FROM fact WHERE key >= @prefix AND substr(key, 1, length(@prefix)) = @prefix ORDER BY key')
      .all({ prefix })
      .map(({ key, value }) => [key, value]);
  }

  addEvidence(info: EvidenceInfo, clockTrusted: boolean): void {
    this.#db
      .prepare('INSERT OR IGNORE INTO evidence (id, passage, kind, bytes, wall_ms, clock_trusted) VALUES (?, ?, ?, ?, ?, ?)')
      .run(info.id, info.passage, info.kind, info.bytes, info.wallMs, clockTrusted ? 1 : 0);
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
    return this.#db
      .prepare<[number, number, number], Aged>('SELECT seq AS place, wall_ms AS wallMs, clock_trusted AS clockTrusted FROM event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?')
      .all(after, through, limit);
  }

  evidenceBytes(): number {
    return this.#db.prepare<[], { bytes: number }>('SELECT coalesce(sum(bytes), 0) AS bytes FROM evidence').get()?.bytes ?? 0;
  }

  /** @returns ids whose file no passage needs any more */
  dropEvidence(rows: readonly RawEvidence[]): string[] {
    const drop = this.#db.prepare('DELETE FROM evidence WHERE row = ?');
    const still = this.#db.prepare<[string], { row: number }>('SELECT row FROM evidence WHERE id = ? LIMIT 1');
    return this.#db.transaction(() => {
      for (const { row } of rows) drop.run(row);
      return [...new Set(rows.map(({ id }) => id))].filter((id) => still.get(id) === undefined);
    }).immediate();
  }

  knowsEvidence(id: string): boolean {
    return this.#db.prepare<[string], { row: number }>('SELECT row FROM evidence WHERE id = ? LIMIT 1').get(id) !== undefined;
  }

  /**
   * Removes the oldest events up to and with `seq`; the chain's anchor moves to the last one removed.
   * @param declare event of the journal that says so, in the same transaction
   * @returns that event
   */
  pruneThrough(seq: number, declare?: { readonly type: EventType; readonly payloadText: string; readonly moment: Moment }): EventRow | undefined {
    let row: EventRow | undefined;
    this.#change((state) => {
      const last = this.#db.prepare<[number], { seq: number; hash: Buffer }>('SELECT seq, hash FROM event WHERE seq <= ? ORDER BY seq DESC LIMIT 1').get(seq);
      if (last === undefined) return;
      this.#db.prepare('DELETE FROM event WHERE seq <= ?').run(seq);
      this.#db.prepare('DELETE FROM gap WHERE last <= ?').run(seq);
      state.prunedThrough = last.seq;
      state.prunedHash = last.hash.toString('hex');
      if (declare !== undefined) row = this.#appendOwn(state, declare.type, declare.payloadText, declare.moment, []);
    });
    return row;
  }

  /** Wall time was vouched for up to here, though nothing happened. */
  reachWall(wallMs: number): void {
    this.#change((state) => (state.wallHighMs = Math.max(state.wallHighMs, Math.round(wallMs))));
  }

  gaps(): Gap[] {
    return this.#db.prepare<[], Gap>('SELECT first, last, reason FROM gap ORDER BY first').all();
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

  /** Reads an event field by field: SQLite writes a number or a name in another way than RFC 8785 in rare cases. */
  #isSound(seq: number): boolean {
    const row = pointRead(this.#db, this.#gate)(seq);
    return row !== undefined && hashFields(row) === row.hash;
  }

  #change(run: (state: State) => void): void {
    const next = { ...this.#state };
    try {
      this.#db.transaction(() => {
        run(next);
        this.#saveState.run({ ...next, headHash: Buffer.from(next.headHash, 'hex'), prunedHash: Buffer.from(next.prunedHash, 'hex') });
      }).immediate();
    } catch (error) {
      this.clocks.forget();
      throw error;
    }
    this.#state = next;
  }

  #appendOwn(state: State, type: EventType, payloadText: string, moment: Moment, gaps: readonly Gap[]): EventRow {
    const insert = this.#db.prepare('INSERT OR REPLACE INTO gap (first, last, reason) VALUES (?, ?, ?)');
    for (const gap of gaps) if (gap.last > state.prunedThrough) insert.run(gap.first, gap.last, gap.reason);
    return this.#append(state, { op: 'append', type, lane: null, passage: null, payloadText, ...moment });
  }

  #append(state: State, op: AppendOp): EventRow {
    const seq = state.head + 1;
    if (seq > state.reserved) state.reserved = this.#reserve(seq);
    const fields = {
      id: eventId(this.#gate, state.epoch, seq),
      epoch: state.epoch,
      seq,
      type: op.type,
      lane: op.lane,
      passage: op.passage,
      wallMs: Math.round(op.wallMs),
      monoMs: Math.round(op.monoMs * 1_000) / 1_000,
      clockTrusted: op.clockTrusted,
      payloadText: op.payloadText,
      previousHash: state.headHash,
    };
    const hash = hashFields(fields);
    this.#insertEvent.run(
      seq,
      fields.epoch,
      fields.type,
      fields.lane,
      fields.passage,
      fields.wallMs,
      fields.monoMs,
      fields.clockTrusted ? 1 : 0,
      fields.payloadText,
      Buffer.from(fields.previousHash, 'hex'),
      Buffer.from(hash, 'hex'),
    );
    state.head = seq;
    state.headHash = hash;
    if (op.clockTrusted && op.clockVouched !== false) state.wallHighMs = Math.max(state.wallHighMs, fields.wallMs);
    return { ...fields, hash };
  }

  #write(state: State, durableHead: number, write: Exclude<WriteOp, AppendOp>): void {
    switch (write.op) {
      case 'acknowledge':
        // Against the head before this batch: nobody can have received what is not durable yet.
        if (write.seq > durableHead) {
          throw new GateError('MESSAGE_INVALID', `sequence ${write.seq} is acknowledged but the journal ends at ${durableHead}; the platform mixes up gates or the journal lost events`);
        }
        if (write.epoch !== undefined && write.seq > state.acknowledged) {
          const event = this.#db.prepare<[number], { epoch: number }>('SELECT epoch FROM event WHERE seq = ?').get(write.seq);
          if (event !== undefined && event.epoch !== write.epoch) {
            throw new GateError('MESSAGE_INVALID', `sequence ${write.seq} is acknowledged for epoch ${write.epoch}, and here it is of epoch ${event.epoch}: that was another journal of this gate; nothing is let go of`);
          }
        }
        state.acknowledged = Math.max(state.acknowledged, write.seq);
        return;
      case 'remember':
        this.#db.prepare('INSERT INTO fact (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value').run(write.key, write.value);
        return;
      case 'know-clock':
        this.clocks.know(state.epoch, write.known);
        return;
      case 'doubt-clock':
        this.clocks.doubt(write.wallMs);
        state.wallHighMs = Math.min(state.wallHighMs, Math.round(write.wallMs));
        return;
      case 'forget':
        this.#db.prepare('DELETE FROM fact WHERE key = ?').run(write.key);
    }
  }

  #committedBefore(batch: Batch): Committed {
    const { batchFirst, batchCount } = this.#state;
    const found = batchCount === 0 ? [] : this.events({ after: batchFirst - 1, before: batchFirst + batchCount, limit: batchCount });
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

/** The state row, or undefined in a new database. */
export function readState(db: Database): State | undefined {
  const raw = db
    .prepare<[], RawState>(
      `SELECT epoch, head, head_hash AS headHash, acknowledged, reserved, pruned_through AS prunedThrough, pruned_hash AS prunedHash,
       wall_high_ms AS wallHighMs, client, batch, batch_first AS batchFirst, batch_count AS batchCount FROM state WHERE id = 1`,
    )
    .get();
  return raw === undefined ? undefined : { ...raw, headHash: raw.headHash.toString('hex'), prunedHash: raw.prunedHash.toString('hex') };
}

/**
 * Reads one event by its sequence: a point read, which often still works where a scan meets a destroyed page.
 * @param gate id taken where the event's boot epoch is not known any more
 */
export function pointRead(db: Database, gate: string): (seq: number) => EventRow | undefined {
  const statement = db.prepare<[number], RawEvent>(`SELECT ${EVENT_COLUMNS} FROM ${EVENT_SOURCE} WHERE event.seq = ?`);
  return (seq) => {
    const raw = statement.get(seq);
    return raw === undefined ? undefined : toEventRow(raw, gate);
  };
}

function toEventRow(raw: RawEvent, gate: string): EventRow {
  return {
    id: eventId(raw.gate ?? gate, raw.epoch, raw.seq),
    epoch: raw.epoch,
    seq: raw.seq,
    type: raw.type,
    lane: raw.lane,
    passage: raw.passage,
    wallMs: raw.wallMs,
    monoMs: raw.monoMs,
    clockTrusted: raw.clockTrusted === 1,
    payloadText: raw.payloadText,
    previousHash: raw.previousHash.toString('hex'),
    hash: raw.hash.toString('hex'),
  };
}

