import { GateError, type Clock, type Log, type SignalState, type Timer } from '../../base/index.js';
import type { DigitalOutput, LineRef, LineReport } from '../contract.js';
import { OutputRecord } from '../output-record.js';
import { checkPulse, describeLine } from '../pulse-limit.js';
import type { ModbusBus, WriteOrder } from './bus.js';
import { pulseUnits, type OutputMap } from './profiles.js';

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

/**
 * A coil as an output. Switching on is tried a few times and then refused, never done late; switching off is tried until
 * the unit confirms it, over every loss of the bus. What the coil reads back as is compared with what it should be.
 */
export class ModbusOutput implements DigitalOutput {
  readonly ref: LineRef;
  readonly timesPulses: boolean;
  readonly unit: number;
  readonly map: OutputMap;
  readonly #bus: ModbusBus;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #activeLow: boolean;
  readonly #record: OutputRecord;
  #held = false;
  /** Until then the coil may be on: a pulse runs. */
  #pulseEndMs = 0;
  #end: Timer | undefined;
  /** The order on its way that switches the coil on. */
  #pending: Pending | undefined;
  /** The order that switches the coil off, until the unit confirmed it, and who waits for that. */
  #off: { readonly order: WriteOrder; callers: Caller[] } | undefined;

  constructor(ref: LineRef, unit: number, map: OutputMap, bus: ModbusBus, timeoutMs: number, clock: Clock, log: Log) {
    this.ref = ref;
    this.unit = unit;
    this.map = map;
    this.timesPulses = map.timedPulse !== undefined;
    this.#bus = bus;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    this.#log = log;
    this.#activeLow = ref.activeLow ?? false;
    this.#record = new OutputRecord(ref, clock);
  }

  async pulse(durationMs: number): Promise<void> {
    checkPulse(this.ref, durationMs);
    // A hold keeps the coil on anyway; a pulse must neither end nor shorten it.
    if (this.#pending?.holds === true) await this.#pending.settled;
    if (this.#held) return;
    const wantedMs = Math.max(durationMs, this.#pulseEndMs - this.#clock.monoMs());
    const timed = this.map.timedPulse;
    if (timed === undefined) {
      await this.#switchOn(false, this.#coilOrder(true), () => {
        this.#pulseEndMs = this.#clock.monoMs() + wantedMs;
        this.#armEnd(wantedMs, () => this.#switchOff());
      });
      return;
    }
    const units = pulseUnits(wantedMs, timed.unitMs, timed.mostUnits);
    await this.#switchOn(
      false,
      (client, timeoutMs) => client.writeCoilValue(this.unit, timed.address, units, timeoutMs),
      () => {
        const boardMs = units * timed.unitMs;
        this.#pulseEndMs = this.#clock.monoMs() + boardMs;
        // The board ends it; this only looks whether it did.
        this.#armEnd(boardMs + 50, () => this.#bus.readSoon(this.unit, 'coil'));
      },
    );
  }

  async hold(): Promise<void> {
    await this.#switchOn(true, this.#coilOrder(true), () => {
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

  lineReport(): LineReport {
    return this.#record.report();
  }

  /** What the coil was read as. A coil that is on for no reason is switched off, a hold that was lost is restored. */
  onReadBack(coil: boolean | undefined): void {
    if (coil === undefined) return;
    const active = coil !== this.#activeLow;
    this.#record.set(active ? 'on' : 'off');
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
    this.#record.set('unknown');
  }

  /** Switches off once more and gives up after a short time; for stopping. Resolves in any case. */
  async shutDown(): Promise<void> {
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

  #coilOrder(active: boolean): WriteOrder['send'] {
    return (client, timeoutMs) => client.writeCoil(this.unit, this.map.coil, active !== this.#activeLow, timeoutMs);
  }

  async #switchOn(holds: boolean, send: WriteOrder['send'], confirmed: () => void): Promise<void> {
    if (!this.#bus.connected) throw new GateError('DEVICE_LOST', `The bus of ${describeLine(this.ref)} is lost; the order was not kept.`, { line: this.ref });
    this.#withdrawPending('a later order took its place');
    this.#withdrawOff();
    const { promise, resolve, reject } = withResolvers();
    const order: WriteOrder = {
      unit: this.unit,
      send,
      attempts: onAttempts,
      deadlineMs: this.#clock.monoMs() + 4 * this.#timeoutMs,
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
      unit: this.unit,
      send: this.#coilOrder(false),
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
