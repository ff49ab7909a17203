import { GateError, errorText, isGateError, type Clock, type Log, type Timer } from '../../base/index.js';
import type { BitClient } from './client.js';
import type { BitTable } from './rtu.js';

export interface BusTimes {
  /** Wanted time between two readings of the same bits, ms. */
  readonly pollMs: number;
  /** How long a unit may take to answer, ms. */
  readonly timeoutMs: number;
}

/** A run of bits read with one request. */
export interface PollGroup {
  readonly unit: number;
  readonly table: BitTable;
  readonly address: number;
  readonly count: number;
  /** Least time between two readings, ms. */
  readonly everyMs: number;
  onBits(bits: readonly boolean[]): void;
  /** The bits are not known any more: the unit does not answer, or not often enough. */
  onUnknown(): void;
}

/** An order for a unit; goes out before any reading. */
export interface WriteOrder {
  readonly unit: number;
  send(client: BitClient, timeoutMs: number): Promise<void>;
  /** How often it is tried; an order that must come true in the end (switching off) has no limit. */
  readonly attempts: number;
  /** An order that could not be sent by then (monotonic, ms) is refused, not sent late. */
  readonly deadlineMs?: number;
  /** Told the outcome. With unlimited attempts `failed` is told after every few, and it goes on. */
  done(): void;
  failed(error: GateError): void;
}

export interface BusEvents {
  onConnected(): void;
  /** Facts for the technician, undefined where all is well. */
  onHealth(fault: string | undefined): void;
}

interface Poll {
  readonly group: PollGroup;
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
  notBeforeMs: number;
}

/** A first failure is most often noise, so it is tried again at once; the second in a row is believed. */
const believedFailures = 2;
const unitBackoffLeastMs = 100;
const unitBackoffMostMs = 2_000;
const writeBackoffLeastMs = 20;
const writeBackoffMostMs = 1_000;
const reopenLeastMs = 250;
const reopenMostMs = 5_000;
/** An adapter that is gone may keep its port open in silence; after so long without any answer it is opened anew. */
const deafMs = 10_000;
/** An unlimited order that keeps failing tells so this often. */
const tellEvery = 3;

/**
 * Shares one half-duplex bus between readings and orders: one request at a time, orders first and in their order,
 * readings by the longest overdue, so that no unit is forgotten and one that does not answer is asked ever more rarely.
 * Opens the port again by itself when it is lost.
 */
export class ModbusBus {
  readonly #client: BitClient;
  readonly #times: BusTimes;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #events: BusEvents;
  readonly #polls: Poll[] = [];
  #writes: Write[] = [];
  #running = false;
  #connected = false;
  #portFault: string | undefined;
  #answeredMs = 0;
  #reopenMs = reopenLeastMs;
  #wake: (() => void) | undefined;
  #settled: (() => void) | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(client: BitClient, times: BusTimes, clock: Clock, log: Log, events: BusEvents) {
    this.#client = client;
    this.#times = times;
    this.#clock = clock;
    this.#log = log;
    this.#events = events;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** True once everything was read, or found unreadable, since the port was opened. */
  get settled(): boolean {
    return this.#polls.every((poll) => poll.tried);
  }

  addGroup(group: PollGroup): void {
    this.#polls.push({ group, dueMs: 0, failures: 0, tried: false, known: false, fault: undefined, stale: undefined });
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
    await this.#client.close();
    await this.#loop;
    this.#disconnect('The bus is stopped.');
  }

  enqueue(order: WriteOrder): void {
    this.#writes.push({ order, tries: 0, notBeforeMs: 0 });
    this.#wakeUp();
  }

  /** Takes back orders that are not being sent at this moment. They are not told. */
  withdraw(order: WriteOrder): void {
    this.#writes = this.#writes.filter((write) => write.order !== order);
  }

  /** Reads the groups of a unit's table soon, e.g. after a board's own timer ran out. */
  readSoon(unit: number, table: BitTable): void {
    for (const poll of this.#polls) {
      if (poll.group.unit === unit && poll.group.table === table) poll.dueMs = Math.min(poll.dueMs, this.#clock.monoMs());
    }
    this.#wakeUp();
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
      await this.#client.open((reason) => {
        this.#disconnect(`The serial port was lost: ${reason}. Check the adapter and its cable.`);
        this.#wakeUp();
      });
    } catch (error) {
      this.#disconnect(errorText(error));
      return false;
    }
    if (!this.#isRunning()) {
      await this.#client.close();
      return false;
    }
    this.#connected = true;
    this.#portFault = undefined;
    this.#answeredMs = this.#clock.monoMs();
    for (const poll of this.#polls) Object.assign(poll, { dueMs: this.#clock.monoMs(), failures: 0, tried: false });
    this.#events.onConnected();
    return true;
  }

  async #serve(): Promise<void> {
    while (this.#isRunning() && this.#isConnected()) {
      const nowMs = this.#clock.monoMs();
      const write = this.#writes.find((candidate) => candidate.notBeforeMs <= nowMs);
      const poll = this.#mostOverdue();
      if (write !== undefined) await this.#send(write);
      else if (poll !== undefined && poll.dueMs <= nowMs) await this.#read(poll);
      else await this.#sleep(this.#nextMs(poll) - nowMs);
      if (this.settled) this.#settleStart();
      this.#checkDeaf();
    }
  }

  #mostOverdue(): Poll | undefined {
    let first: Poll | undefined;
    for (const poll of this.#polls) if (first === undefined || poll.dueMs < first.dueMs) first = poll;
    return first;
  }

  #nextMs(poll: Poll | undefined): number {
    const writes = this.#writes.map((write) => write.notBeforeMs);
    return Math.min(poll?.dueMs ?? Number.MAX_SAFE_INTEGER, this.#clock.monoMs() + 1_000, ...writes);
  }

  async #send(write: Write): Promise<void> {
    const { order } = write;
    if (order.deadlineMs !== undefined && this.#clock.monoMs() > order.deadlineMs) {
      this.withdraw(order);
      order.failed(new GateError('DEVICE_TIMEOUT', `An order for unit ${order.unit} waited too long for the bus and was dropped.`, { unit: order.unit }));
      return;
    }
    write.tries += 1;
    try {
      await order.send(this.#client, this.#times.timeoutMs);
      this.#answeredMs = this.#clock.monoMs();
      this.withdraw(order);
      order.done();
    } catch (error) {
      const failure = asGateError(error);
      // While it was under way a release may have withdrawn it, or the loss of the port refused it.
      if (!this.#writes.includes(write)) return;
      write.notBeforeMs = this.#clock.monoMs() + Math.min(writeBackoffMostMs, writeBackoffLeastMs * 2 ** Math.min(write.tries - 1, 10));
      if (write.tries >= order.attempts || isGateError(error, 'DEVICE_LINE_INVALID')) {
        this.withdraw(order);
        order.failed(failure);
      } else if (order.attempts === Number.POSITIVE_INFINITY && write.tries % tellEvery === 0) {
        order.failed(failure);
      }
    }
  }

  async #read(poll: Poll): Promise<void> {
    const { group } = poll;
    try {
      const bits = await this.#client.readBits(group.unit, group.table, group.address, group.count, this.#times.timeoutMs);
      const nowMs = this.#clock.monoMs();
      this.#answeredMs = nowMs;
      this.#reopenMs = reopenLeastMs;
      poll.dueMs = Math.max(nowMs, poll.dueMs + group.everyMs);
      poll.failures = 0;
      poll.tried = true;
      poll.known = true;
      poll.fault = undefined;
      this.#armStale(poll);
      group.onBits(bits);
    } catch (error) {
      if (!this.#isConnected()) return;
      poll.failures += 1;
      poll.dueMs = this.#clock.monoMs() + this.#retryMs(poll);
      if (poll.failures >= believedFailures) {
        poll.tried = true;
        poll.fault = errorText(error);
        this.#forget(poll);
      }
    }
    this.#report();
  }

  /** Two groups of one table look alike on the wire, so a late answer must have passed before the next is asked for. */
  #retryMs(poll: Poll): number {
    const alike = this.#polls.some((other) => other !== poll && other.group.unit === poll.group.unit && other.group.table === poll.group.table);
    const leastMs = alike ? this.#times.timeoutMs : 0;
    if (poll.failures < believedFailures) return leastMs;
    return Math.max(leastMs, Math.min(unitBackoffMostMs, unitBackoffLeastMs * 2 ** Math.min(poll.failures - believedFailures, 10)));
  }

  /** A busy bus must not let an old reading pass for the present. */
  #armStale(poll: Poll): void {
    poll.stale?.cancel();
    const limitMs = Math.max(1_000, 4 * poll.group.everyMs + 3 * this.#times.timeoutMs);
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
    if (!this.#isConnected() || this.#polls.length === 0 || this.#clock.monoMs() - this.#answeredMs < deafMs) return;
    this.#log.warn({ seconds: deafMs / 1_000 }, 'nothing answers on the bus, opening its port anew');
    // The units' own faults stay on show: the port has none that a technician could see.
    this.#disconnect(`Nothing has answered on the bus for ${deafMs / 1_000} s.`, false);
    // Closing is part of the reconnect; its failure means the port is gone already.
    void this.#client.close().catch((error: unknown) => this.#log.debug({ error: errorText(error) }, 'closing a deaf port failed'));
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
    this.#report();
  }

  #report(): void {
    const faults = this.#portFault === undefined ? this.#polls.flatMap((poll) => (poll.fault === undefined ? [] : [poll.fault])) : [this.#portFault];
    if (!this.settled && this.#portFault === undefined && faults.length === 0) return;
    this.#events.onHealth(faults.length === 0 ? undefined : [...new Set(faults)].join(' '));
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

function asGateError(error: unknown): GateError {
  return error instanceof GateError ? error : new GateError('DEVICE_LOST', errorText(error), {}, error);
}
