import { GateError, errorText, isGateError, type Clock, type Log, type Timer } from '../../base/index.js';

/** What a bus runs over: a port that is opened, lost and opened again. */
export interface BusPort {
  /** @param onLost called once when an open port goes away by itself */
  open(onLost: (reason: string) => void): Promise<void>;
  close(): Promise<void>;
}

/** One board on the bus. */
export interface BusUnit {
  readonly unit: number;
  /** How long it may take to answer, ms. */
  readonly timeoutMs: number;
}

/** Something read with one request. */
export interface PollGroup {
  readonly unit: number;
  /** Answers to groups of one unit and one kind look alike on the wire. */
  readonly kind: string;
  /** Least time between two readings, ms; `once`: one reading whenever the unit is heard anew. */
  readonly everyMs: number | 'once';
  /** False where no line hangs on it: then no answer does not make the unit lost. */
  readonly required: boolean;
  /** Whether its failure is told; false where the unit may well lack what is read. */
  readonly told: boolean;
  /** Asks and hands the answer on. Rejects with a `GateError`: `DEVICE_TIMEOUT` where nothing came. */
  read(timeoutMs: number): Promise<void>;
  /** What was read does not hold any more: the unit does not answer, or not often enough. */
  onUnknown(): void;
}

/** An order for a unit; goes out before any reading. */
export interface WriteOrder {
  readonly unit: number;
  send(timeoutMs: number): Promise<void>;
  /** How often it is tried; an order that must come true in the end (switching off) has no limit. */
  readonly attempts: number;
  /** An order that could not be sent by then (monotonic, ms) is refused, not sent late. */
  readonly deadlineMs?: number;
  /** Not tried again later than so long after the first try, ms. */
  readonly retryWithinMs?: number;
  /** Told the outcome. With unlimited attempts `failed` is told after every few, and it goes on. */
  done(): void;
  failed(error: GateError): void;
}

export interface BusEvents {
  onConnected(): void;
  /** Port or units changed: `health` and `reports` tell how. */
  onChange(): void;
}

/** What the bus knows of one unit. */
export interface UnitState {
  readonly unit: number;
  readonly state: 'starting' | 'ok' | 'lost';
  /** What its requests failed of, without doubles. */
  readonly faults: readonly string[];
  readonly answered: number;
  readonly failed: number;
  readonly roundTripMs: number | undefined;
}

interface Unit extends BusUnit {
  answered: number;
  failed: number;
  roundTripMs: number | undefined;
  /** Requests in a row without an answer. */
  silent: number;
  lost: boolean;
  /** A lost unit is not asked before. */
  notBeforeMs: number;
  /** Of a lost unit's next slot: an order that must come true goes first, next time a reading. */
  ordersTurn: boolean;
  readonly kinds: Map<string, Kind>;
}

/** Readings of one unit whose answers look alike. */
interface Kind {
  /** The group whose answer is overdue and may still come. */
  suspect: Poll | undefined;
  lastReadMs: number;
}

interface Poll {
  readonly group: PollGroup;
  readonly unit: Unit;
  readonly kind: Kind;
  dueMs: number;
  failures: number;
  tried: boolean;
  known: boolean;
  fault: string | undefined;
  stale: Timer | undefined;
}

interface Write {
  readonly order: WriteOrder;
  tries: number;
  firstMs: number | undefined;
  notBeforeMs: number;
}

/** A first failure is most often noise, so it is tried again at once; the second in a row is believed. */
const believedFailures = 2;
const backoffLeastMs = 100;
const backoffMostMs = 2_000;
/** What no line hangs on is asked this much more rarely when it fails. */
const sideBackoff = 30;
const writeBackoffLeastMs = 20;
const writeBackoffMostMs = 1_000;
const reopenLeastMs = 250;
const reopenMostMs = 5_000;
/** An adapter that is gone may keep its port open in silence; after so long without any answer it is opened anew. */
const deafMs = 10_000;
/** An unlimited order that keeps failing tells so this often. */
const tellEvery = 3;

/**
 * Shares one half-duplex serial line between readings and orders: one request at a time, orders first and in their order,
 * readings by the longest overdue, so that no unit is forgotten. A unit that does not answer is asked ever more rarely as
 * a whole, however many lines it has, so that it costs the others little. Opens the port again by itself when it is lost.
 */
export class SharedBus {
  readonly #port: BusPort;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #events: BusEvents;
  readonly #units = new Map<number, Unit>();
  readonly #polls: Poll[] = [];
  #writes: Write[] = [];
  #running = false;
  #connected = false;
  #portFault: string | undefined;
  #heardMs = 0;
  #reopenMs = reopenLeastMs;
  #wake: (() => void) | undefined;
  #settled: (() => void) | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(port: BusPort, units: readonly BusUnit[], clock: Clock, log: Log, events: BusEvents) {
    this.#port = port;
    this.#clock = clock;
    this.#log = log;
    this.#events = events;
    for (const { unit, timeoutMs } of units) {
      this.#units.set(unit, {
        unit,
        timeoutMs,
        answered: 0,
        failed: 0,
        roundTripMs: undefined,
        silent: 0,
        lost: false,
        notBeforeMs: 0,
        ordersTurn: true,
        kinds: new Map(),
      });
    }
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Why the port cannot be used; undefined while it can. */
  get portFault(): string | undefined {
    return this.#portFault;
  }

  /** True once everything that lines hang on was read, or found unreadable, since the port was opened. */
  get settled(): boolean {
    return this.#polls.every((poll) => poll.tried || !poll.group.required);
  }

  /** @throws GateError `DEVICE_LINE_INVALID` where there is no such unit */
  addGroup(group: PollGroup): void {
    const unit = this.#unit(group.unit);
    const kind = unit.kinds.get(group.kind) ?? { suspect: undefined, lastReadMs: Number.NEGATIVE_INFINITY };
    unit.kinds.set(group.kind, kind);
    this.#polls.push({ group, unit, kind, dueMs: 0, failures: 0, tried: false, known: false, fault: undefined, stale: undefined });
  }

  /** Resolves once every group was read or is known to be unreadable, or the port does not open. */
  async start(): Promise<void> {
    this.#running = true;
    const settled = new Promise<void>((resolve) => (this.#settled = resolve));
    this.#loop = this.#run();
    await settled;
  }

  /** Stops reading, refuses what is queued, closes the port. */
  async stop(): Promise<void> {
    this.#running = false;
    this.#wakeUp();
    await this.#port.close();
    await this.#loop;
    this.#disconnect('The bus is stopped.');
  }

  enqueue(order: WriteOrder): void {
    this.#writes.push({ order, tries: 0, firstMs: undefined, notBeforeMs: 0 });
    this.#wakeUp();
  }

  /** Takes back orders that are not being sent at this moment. They are not told. */
  withdraw(order: WriteOrder): void {
    this.#writes = this.#writes.filter((write) => write.order !== order);
  }

  /** Reads the groups of a unit and kind soon, e.g. after a board's own timer ran out; also those read only once. */
  readSoon(unit: number, kind: string): void {
    for (const poll of this.#polls) {
      const suspected = poll.kind.suspect === poll;
      if (poll.group.unit === unit && poll.group.kind === kind && !suspected) poll.dueMs = Math.min(poll.dueMs, this.#clock.monoMs());
    }
    this.#wakeUp();
  }

  /** Something came by itself: the line lives, although nothing was asked. */
  heard(): void {
    this.#heardMs = this.#clock.monoMs();
    this.#reopenMs = reopenLeastMs;
  }

  /** Closes the port and opens it again, for a line that has been silent for too long. */
  reopen(reason: string): void {
    if (!this.#connected) return;
    this.#log.warn({ reason }, 'opening a serial port anew');
    // The units' own faults stay on show: the port has none that a technician could see.
    this.#disconnect(reason, false);
    this.#wakeUp();
    // Closing is part of the reconnect; its failure means the port is gone already.
    void this.#port.close().catch((error: unknown) => this.#log.debug({ error: errorText(error) }, 'closing a deaf port failed'));
  }

  reports(): readonly UnitState[] {
    return [...this.#units.values()].map((unit) => {
      const polls = this.#polls.filter((poll) => poll.unit === unit);
      const faults = [...new Set(polls.flatMap((poll) => (poll.fault === undefined || !poll.group.told ? [] : [poll.fault])))];
      const lost = unit.lost || (this.#portFault !== undefined && this.#running);
      const starting = !polls.every((poll) => poll.tried || !poll.group.required) || unit.answered === 0 || !this.#running;
      const { answered, failed, roundTripMs } = unit;
      return { unit: unit.unit, state: lost ? 'lost' : starting ? 'starting' : 'ok', faults, answered, failed, roundTripMs };
    });
  }

  #unit(number: number): Unit {
    const unit = this.#units.get(number);
    if (unit === undefined) throw new GateError('DEVICE_LINE_INVALID', `There is no unit ${number} on this bus; list it under units.`, { unit: number });
    return unit;
  }

  #isRunning(): boolean {
    return this.#running;
  }

  #isConnected(): boolean {
    return this.#connected;
  }

  async #run(): Promise<void> {
    while (this.#isRunning()) {
      if (await this.#connect()) await this.#serve();
      this.#settleStart();
      if (!this.#isRunning()) return;
      await this.#sleep(this.#reopenMs);
      this.#reopenMs = Math.min(reopenMostMs, this.#reopenMs * 2);
    }
  }

  async #connect(): Promise<boolean> {
    try {
      await this.#port.open((reason) => {
        this.#disconnect(`The serial port was lost: ${reason}. Check the adapter and its cable.`);
        this.#wakeUp();
      });
    } catch (error) {
      this.#disconnect(errorText(error));
      return false;
    }
    if (!this.#isRunning()) {
      await this.#port.close();
      return false;
    }
    const nowMs = this.#clock.monoMs();
    this.#connected = true;
    this.#portFault = undefined;
    this.#heardMs = nowMs;
    for (const unit of this.#units.values()) {
      Object.assign(unit, { silent: 0, lost: false, notBeforeMs: 0 });
      for (const kind of unit.kinds.values()) kind.suspect = undefined;
    }
    for (const poll of this.#polls) Object.assign(poll, { dueMs: nowMs, failures: 0, tried: false });
    this.#events.onConnected();
    this.#events.onChange();
    return true;
  }

  async #serve(): Promise<void> {
    while (this.#isRunning() && this.#isConnected()) {
      if (this.settled) this.#settleStart();
      const nowMs = this.#clock.monoMs();
      const write = this.#writes.find((candidate) => this.#writeDueMs(candidate) <= nowMs);
      const poll = this.#mostOverdue();
      if (write !== undefined) await this.#send(write);
      else if (poll !== undefined && this.#pollDueMs(poll) <= nowMs) await this.#read(poll);
      else await this.#sleep(this.#nextMs(poll) - nowMs);
      this.#checkDeaf();
    }
  }

  #writeDueMs({ order, notBeforeMs }: Write): number {
    const unit = this.#unit(order.unit);
    // A person waits for an order to switch on, and it is soon given up: it does not wait for a lost unit's turn.
    if (!unit.lost || Number.isFinite(order.attempts)) return notBeforeMs;
    const asked = this.#polls.some((poll) => poll.unit === unit);
    return unit.ordersTurn || !asked ? Math.max(notBeforeMs, unit.notBeforeMs) : Number.MAX_SAFE_INTEGER;
  }

  /**
   * An answer that is overdue may still come and pass for another's that looks alike. So only the same question is asked
   * again at once; others of its kind wait until nothing of the kind was asked for a while.
   */
  #pollDueMs(poll: Poll): number {
    const { group, unit, kind, dueMs } = poll;
    if (unit.lost && !group.required) return Number.MAX_SAFE_INTEGER;
    const held = kind.suspect !== undefined && kind.suspect !== poll;
    return Math.max(dueMs, unit.lost ? unit.notBeforeMs : 0, held ? kind.lastReadMs + restMs(unit) : 0);
  }

  #mostOverdue(): Poll | undefined {
    let first: Poll | undefined;
    for (const poll of this.#polls) if (first === undefined || this.#pollDueMs(poll) < this.#pollDueMs(first)) first = poll;
    return first;
  }

  #nextMs(poll: Poll | undefined): number {
    const writes = this.#writes.map((write) => this.#writeDueMs(write));
    return Math.min(poll === undefined ? Number.MAX_SAFE_INTEGER : this.#pollDueMs(poll), this.#clock.monoMs() + 1_000, ...writes);
  }

  async #send(write: Write): Promise<void> {
    const { order } = write;
    const unit = this.#unit(order.unit);
    const askedMs = this.#clock.monoMs();
    write.firstMs ??= askedMs;
    const late = order.deadlineMs !== undefined && askedMs > order.deadlineMs;
    const lateAgain = write.tries > 0 && order.retryWithinMs !== undefined && askedMs - write.firstMs > order.retryWithinMs;
    if (late || lateAgain) {
      this.withdraw(order);
      const why = late ? 'waited too long for the bus' : 'was not confirmed in time';
      order.failed(new GateError('DEVICE_TIMEOUT', `An order for unit ${order.unit} ${why} and was dropped.`, { unit: order.unit }));
      return;
    }
    write.tries += 1;
    try {
      await order.send(unit.timeoutMs);
      this.#answer(unit, askedMs);
      this.withdraw(order);
      order.done();
    } catch (error) {
      const failure = asGateError(error);
      this.#noAnswer(unit, failure, askedMs, true);
      // While it was under way a release may have withdrawn it, or the loss of the port refused it.
      if (!this.#writes.includes(write)) return;
      write.notBeforeMs = this.#clock.monoMs() + Math.min(writeBackoffMostMs, writeBackoffLeastMs * 2 ** Math.min(write.tries - 1, 10));
      if (write.tries >= order.attempts || isGateError(error, 'DEVICE_LINE_INVALID')) {
        this.withdraw(order);
        order.failed(failure);
        return;
      }
      if (Number.isFinite(order.attempts)) return;
      // The next order of a lost unit has its turn too.
      this.#writes = [...this.#writes.filter((other) => other !== write), write];
      if (write.tries % tellEvery === 0) order.failed(failure);
    } finally {
      this.#events.onChange();
    }
  }

  async #read(poll: Poll): Promise<void> {
    const { group, unit, kind } = poll;
    const askedMs = this.#clock.monoMs();
    if (kind.suspect !== undefined && askedMs - kind.lastReadMs >= restMs(unit)) kind.suspect = undefined;
    kind.lastReadMs = askedMs;
    try {
      await group.read(unit.timeoutMs);
      const nowMs = this.#clock.monoMs();
      this.#answer(unit, askedMs);
      poll.dueMs = group.everyMs === 'once' ? Number.MAX_SAFE_INTEGER : Math.max(nowMs, poll.dueMs + group.everyMs);
      Object.assign(poll, { failures: 0, tried: true, known: true, fault: undefined });
      this.#armStale(poll);
      if (kind.suspect === poll) {
        // Its neighbours wait for the rest, so it must not keep on asking.
        if (this.#polls.some((other) => other !== poll && other.kind === kind)) poll.dueMs = Math.max(poll.dueMs, kind.lastReadMs + restMs(unit) + 1);
        else kind.suspect = undefined;
      }
    } catch (error) {
      if (!this.#isConnected()) return;
      const failure = asGateError(error);
      const nowMs = this.#clock.monoMs();
      if (failure.code === 'DEVICE_TIMEOUT') kind.suspect = poll;
      poll.failures += 1;
      poll.dueMs = nowMs + (poll.failures < believedFailures ? 0 : backoffMs(poll.failures - believedFailures) * (group.required ? 1 : sideBackoff));
      this.#noAnswer(unit, failure, askedMs, group.required);
      if (poll.failures >= believedFailures) {
        poll.tried = true;
        poll.fault = failure.message;
        if (!group.required && group.everyMs === 'once') poll.dueMs = Number.MAX_SAFE_INTEGER;
        this.#forget(poll);
      }
    }
    this.#events.onChange();
  }

  #answer(unit: Unit, askedMs: number): void {
    const nowMs = this.#clock.monoMs();
    this.heard();
    unit.answered += 1;
    unit.roundTripMs = nowMs - askedMs;
    unit.silent = 0;
    if (!unit.lost) return;
    unit.lost = false;
    for (const poll of this.#polls) if (poll.unit === unit) poll.dueMs = Math.min(poll.dueMs, nowMs);
    // Another board may have been put in its place, so what is asked only once is asked again.
    for (const poll of this.#polls) if (poll.unit === unit && poll.group.everyMs === 'once') Object.assign(poll, { dueMs: nowMs, failures: 0 });
  }

  #noAnswer(unit: Unit, error: GateError, askedMs: number, counts: boolean): void {
    // A refusal is an answer too.
    if (error.code !== 'DEVICE_TIMEOUT') {
      if (error.context['exception'] !== undefined) this.#answer(unit, askedMs);
      return;
    }
    unit.failed += 1;
    if (!counts) return;
    unit.silent += 1;
    if (unit.silent < believedFailures) return;
    unit.lost = true;
    unit.notBeforeMs = this.#clock.monoMs() + backoffMs(unit.silent - believedFailures);
    unit.ordersTurn = !unit.ordersTurn;
    for (const poll of this.#polls) {
      if (poll.unit !== unit) continue;
      poll.tried = true;
      poll.fault = error.message;
      this.#forget(poll);
    }
  }

  /** A busy bus must not let an old reading pass for the present. */
  #armStale(poll: Poll): void {
    poll.stale?.cancel();
    const { everyMs } = poll.group;
    if (everyMs === 'once') return;
    const limitMs = Math.max(1_000, 4 * everyMs + 3 * poll.unit.timeoutMs);
    poll.stale = this.#clock.after(limitMs, () => this.#forget(poll));
  }

  #forget(poll: Poll): void {
    poll.stale?.cancel();
    poll.stale = undefined;
    if (!poll.known) return;
    poll.known = false;
    poll.group.onUnknown();
  }

  #checkDeaf(): void {
    if (!this.#isConnected() || this.#polls.length === 0 || this.#clock.monoMs() - this.#heardMs < deafMs) return;
    this.reopen(`Nothing has answered on the bus for ${deafMs / 1_000} s.`);
  }

  #disconnect(fault: string, show = true): void {
    this.#connected = false;
    if (show) this.#portFault = fault;
    for (const poll of this.#polls) this.#forget(poll);
    // Orders die with the port: one that ran when the cable is back would move a boom nobody expects to move.
    // Switching off is the exception.
    const writes = this.#writes;
    this.#writes = writes.filter((write) => write.order.attempts === Number.POSITIVE_INFINITY && this.#running);
    for (const write of writes) write.order.failed(new GateError('DEVICE_LOST', fault, { unit: write.order.unit }));
    this.#events.onChange();
  }

  #settleStart(): void {
    this.#settled?.();
    this.#settled = undefined;
  }

  async #sleep(durationMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(Math.max(0, durationMs), resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#wake = undefined;
  }

  #wakeUp(): void {
    this.#wake?.();
  }
}

/** So long after a question its answer may still come. */
function restMs(unit: Unit): number {
  return 2 * unit.timeoutMs;
}

function backoffMs(steps: number): number {
  return Math.min(backoffMostMs, backoffLeastMs * 2 ** Math.min(steps, 10));
}

function asGateError(error: unknown): GateError {
  return error instanceof GateError ? error : new GateError('DEVICE_LOST', errorText(error), {}, error);
}
