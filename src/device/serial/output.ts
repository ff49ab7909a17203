import { GateError, type Clock, type Log, type SignalState, type Timer } from '../../base/index.js';
import type { DigitalOutput, LineRef, LineReport } from '../contract.js';
import { OutputRecord } from '../output-record.js';
import { checkPulse, describeLine } from '../pulse-limit.js';
import type { SharedBus, WriteOrder } from './bus.js';

/** How a driver moves one contact. Both calls settle as the unit confirms, and reject with a `GateError`. */
export interface OutputDrive {
  readonly unit: number;
  /** How long the unit may take to answer, ms. */
  readonly timeoutMs: number;
  /** Energises or releases; `activeLow` is the drive's business. */
  set(active: boolean, timeoutMs: number): Promise<void>;
  /** Where the board times pulses itself, in units of its own. */
  readonly timedPulse?: TimedPulse;
  /** Reads the contact back soon; absent where it cannot be read. */
  readBackSoon?(): void;
}

export interface TimedPulse {
  readonly unitMs: number;
  readonly mostUnits: number;
  send(units: number, timeoutMs: number): Promise<void>;
}

interface Caller {
  readonly resolve: () => void;
  readonly reject: (error: GateError) => void;
}

interface Pending {
  readonly order: WriteOrder;
  readonly reject: (error: GateError) => void;
  readonly settled: Promise<void>;
  readonly holds: boolean;
}

const onAttempts = 3;
/** A board's own pulse may end a little after its time before it counts as stuck. */
const boardGraceMs = 500;
/** A repeated order has to reach the board so long before the first one's pulse ends. */
const retryMarginMs = 50;

/** Units of a board's timer for a pulse: rounded up, because a contact too short may not move the boom. */
export function pulseUnits(durationMs: number, unitMs: number, mostUnits: number): number {
  return Math.min(mostUnits, Math.max(1, Math.ceil(durationMs / unitMs)));
}

/**
 * A contact on a bus as an output. Switching on is tried a few times and then refused, never done late; switching off is
 * tried until the unit confirms it, over every loss of the bus. What the contact reads back as is compared with what it
 * should be.
 */
export class BusOutput implements DigitalOutput {
  readonly ref: LineRef;
  readonly timesPulses: boolean;
  readonly #drive: OutputDrive;
  readonly #bus: SharedBus;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #record: OutputRecord;
  #raw: string | null = null;
  #held = false;
  #preserved = false;
  /** No order came yet since the start, so what is found on may be somebody's hold. */
  #untouched = true;
  /** Until then it may be on: a pulse runs. */
  #pulseEndMs = 0;
  #end: Timer | undefined;
  /** The order on its way that switches the coil on. */
  #pending: Pending | undefined;
  /** The order that switches it off, until the unit confirmed it, and who waits for that. */
  #off: { readonly order: WriteOrder; callers: Caller[] } | undefined;

  constructor(ref: LineRef, drive: OutputDrive, bus: SharedBus, clock: Clock, log: Log) {
    this.ref = ref;
    this.timesPulses = drive.timedPulse !== undefined;
    this.#drive = drive;
    this.#bus = bus;
    this.#clock = clock;
    this.#log = log;
    this.#record = new OutputRecord(ref, clock);
  }

  async pulse(durationMs: number): Promise<void> {
    checkPulse(this.ref, durationMs);
    // A hold keeps it on anyway; a pulse must neither end nor shorten it.
    if (this.#pending?.holds === true) await this.#pending.settled;
    if (this.#held) return;
    const wantedMs = Math.max(durationMs, this.#pulseEndMs - this.#clock.monoMs());
    const timed = this.#drive.timedPulse;
    if (timed === undefined) {
      await this.#switchOn(this.#setOrder(true), {}, () => {
        this.#pulseEndMs = this.#clock.monoMs() + wantedMs;
        this.#armEnd(wantedMs, () => this.#switchOff());
      });
      return;
    }
    const units = pulseUnits(wantedMs, timed.unitMs, timed.mostUnits);
    const boardMs = units * timed.unitMs;
    // Sent again after the board's time, an order the board had obeyed without an answer would move the boom twice.
    await this.#switchOn((timeoutMs) => timed.send(units, timeoutMs), { retryWithinMs: Math.max(0, boardMs - retryMarginMs) }, () => {
      this.#pulseEndMs = this.#clock.monoMs() + boardMs;
      // The board ends it; this only looks whether it did.
      this.#armEnd(boardMs + 50, () => this.#drive.readBackSoon?.());
    });
  }

  async hold(): Promise<void> {
    await this.#switchOn(this.#setOrder(true), { holds: true }, () => {
      this.#held = true;
      this.#end?.cancel();
      this.#end = undefined;
    });
  }

  release(): Promise<void> {
    return new Promise((resolve, reject) => this.#switchOff({ resolve, reject }));
  }

  state(): SignalState {
    return this.#record.state;
  }

  preserve(): void {
    this.#preserved = true;
  }

  lineReport(): LineReport {
    const report = this.#record.report();
    return { ...report, raw: this.#raw ?? report.raw };
  }

  /**
   * What the contact was read as. One that is on for no reason is switched off, a hold that was lost is restored.
   * @param active undefined where the answer makes no sense
   * @param raw what the unit said, for a technician
   */
  onReadBack(active: boolean | undefined, raw: string): void {
    this.#raw = raw;
    if (active === undefined) {
      this.#record.set('unknown');
      return;
    }
    this.#record.set(active ? 'on' : 'off');
    if (this.#preserved && this.#untouched && active) this.#held = true;
    this.#untouched = false;
    if (!this.#bus.settled || this.#pending !== undefined || this.#off !== undefined) return;
    const mayBeOn = this.#held || this.#clock.monoMs() < this.#pulseEndMs + (this.timesPulses ? boardGraceMs : 0);
    if (active && !mayBeOn) {
      this.#log.warn({ line: this.ref }, 'an output was on without reason and is switched off');
      this.#switchOff();
    } else if (!active && this.#held) {
      this.#log.warn({ line: this.ref }, 'a held output had dropped and is switched on again');
      this.hold().catch(() => this.#log.error({ line: this.ref }, 'a held output could not be switched on again'));
    }
  }

  onUnknown(): void {
    this.#raw = null;
    this.#record.set('unknown');
  }

  /** The bus is back. A contact that cannot be read back is told again what it should be. */
  onConnected(): void {
    if (this.#drive.readBackSoon !== undefined || !this.#held || this.#pending !== undefined) return;
    this.hold().catch(() => this.#log.error({ line: this.ref }, 'a held output could not be switched on again'));
  }

  /** Switches off once more and gives up after a short time; for stopping. Resolves in any case. */
  async shutDown(): Promise<void> {
    const left = this.#preserved && this.#held;
    this.#untouched = true;
    if (left) return;
    if (!this.#bus.connected) {
      this.#log.warn({ line: this.ref }, 'an output could not be switched off at the stop: its bus is lost');
      return;
    }
    await this.release().catch((error: unknown) => this.#log.warn({ line: this.ref, error }, 'an output could not be switched off at the stop'));
    // Nothing may move it after the stop.
    this.#end?.cancel();
    this.#end = undefined;
    if (this.#off !== undefined) this.#bus.withdraw(this.#off.order);
    this.#off = undefined;
  }

  #setOrder(active: boolean): WriteOrder['send'] {
    return (timeoutMs) => this.#drive.set(active, timeoutMs);
  }

  async #switchOn(send: WriteOrder['send'], { holds = false, ...more }: { holds?: boolean; retryWithinMs?: number }, confirmed: () => void): Promise<void> {
    this.#untouched = false;
    if (!this.#bus.connected) throw new GateError('DEVICE_LOST', `The bus of ${describeLine(this.ref)} is lost; the order was not kept.`, { line: this.ref });
    this.#withdrawPending('a later order took its place');
    this.#withdrawOff();
    const { promise, resolve, reject } = withResolvers();
    const order: WriteOrder = {
      ...more,
      unit: this.#drive.unit,
      send,
      attempts: onAttempts,
      deadlineMs: this.#clock.monoMs() + 4 * this.#drive.timeoutMs,
      done: () => {
        if (this.#pending?.order !== order) return;
        this.#pending = undefined;
        this.#record.set('on');
        confirmed();
        resolve();
      },
      failed: (error) => {
        reject(error);
        if (this.#pending?.order !== order) return;
        this.#pending = undefined;
        this.#record.set('unknown');
        // The unit may have acted although its answer was lost. A hold that stood before stands on.
        if (!this.#held) this.#switchOff();
      },
    };
    const settled = promise.catch(() => undefined);
    this.#pending = { order, reject, settled, holds };
    this.#bus.enqueue(order);
    await promise;
  }

  #switchOff(caller?: Caller): void {
    this.#untouched = false;
    this.#held = false;
    this.#pulseEndMs = 0;
    this.#end?.cancel();
    this.#end = undefined;
    this.#withdrawPending('it was released');
    const lost = (): GateError => new GateError('DEVICE_LOST', `The bus of ${describeLine(this.ref)} is lost; it is released when it is back.`, { line: this.ref });
    const waits = caller !== undefined && this.#bus.connected ? [caller] : [];
    if (!this.#bus.connected) caller?.reject(lost());
    if (this.#off !== undefined) {
      // No order to switch on came since, so the one under way serves this caller too.
      this.#off.callers.push(...waits);
      return;
    }
    const order: WriteOrder = {
      unit: this.#drive.unit,
      send: this.#setOrder(false),
      attempts: Number.POSITIVE_INFINITY,
      done: () => {
        if (this.#off?.order !== order) return;
        const { callers } = this.#off;
        this.#off = undefined;
        this.#record.set('off');
        for (const waiting of callers) waiting.resolve();
      },
      failed: (error) => {
        if (this.#off?.order !== order) return;
        this.#log.warn({ line: this.ref, error: error.message }, 'an output could not be switched off yet, trying on');
        for (const waiting of this.#off.callers.splice(0)) waiting.reject(error);
        // An order the unit refuses outright is not kept by the bus.
        if (error.code === 'DEVICE_LINE_INVALID') this.#off = undefined;
      },
    };
    this.#off = { order, callers: waits };
    this.#bus.enqueue(order);
  }

  #withdrawOff(): void {
    const off = this.#off;
    if (off === undefined) return;
    this.#off = undefined;
    this.#bus.withdraw(off.order);
    const error = new GateError('DEVICE_TIMEOUT', `The release of ${describeLine(this.ref)} was dropped: a later order switched it on.`, { line: this.ref });
    for (const waiting of off.callers) waiting.reject(error);
  }

  #withdrawPending(why: string): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#pending = undefined;
    this.#bus.withdraw(pending.order);
    pending.reject(new GateError('DEVICE_TIMEOUT', `An order for ${describeLine(this.ref)} was dropped before the unit confirmed it: ${why}.`, { line: this.ref }));
  }

  #armEnd(delayMs: number, run: () => void): void {
    this.#end?.cancel();
    this.#end = this.#clock.after(delayMs, run);
  }
}

/** `Promise.withResolvers`, which Node 20 lacks. */
function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (error: GateError) => void } {
  let resolve: () => void = () => undefined;
  let reject: (error: GateError) => void = () => undefined;
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
