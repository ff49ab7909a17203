import { GateError, type Clock, type Log, type SignalState, type Timer } from '../../base/index.js';
import type { DigitalOutput, LineRef, LineReport } from '../contract.js';
import { OutputRecord } from '../output-record.js';
import { checkPulse, describeLine } from '../pulse-limit.js';
import type { GpioLine } from './line.js';

/** A release that failed is tried again this often until the line obeys or is opened anew. */
const retryMs = 50;

/**
 * A GPIO output. The kernel knows no timed pulses, so the end of a pulse rests on this process: on the clock, on
 * `stop`, on the exit hook, and after SIGKILL on the safe-state command that systemd runs.
 */
export class GpioOutput implements DigitalOutput {
  readonly ref: LineRef;
  readonly timesPulses = false;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onFailure: (output: GpioOutput, error: GateError) => void;
  #line: GpioLine | undefined;
  #missing: GateError;
  readonly #record: OutputRecord;
  #held = false;
  #preserved = false;
  #drives = 0;
  #endsAtMs = 0;
  #end: Timer | undefined;

  constructor(ref: LineRef, clock: Clock, log: Log, onFailure: (output: GpioOutput, error: GateError) => void) {
    this.ref = ref;
    this.#clock = clock;
    this.#log = log;
    this.#onFailure = onFailure;
    this.#record = new OutputRecord(ref, clock);
    this.#missing = new GateError('DEVICE_LOST', `The ${describeLine(ref)} is not open: start the device first.`, { line: ref });
  }

  pulse(durationMs: number): Promise<void> {
    return this.#order(() => {
      checkPulse(this.ref, durationMs);
      this.#drive(true);
      // While held the line stays on anyway; the pulse must not end the hold.
      if (this.#held) return;
      this.#endsAtMs = Math.max(this.#end === undefined ? 0 : this.#endsAtMs, this.#clock.monoMs() + durationMs);
      this.#armEnd(this.#endsAtMs - this.#clock.monoMs());
    });
  }

  hold(): Promise<void> {
    return this.#order(() => {
      this.#drive(true);
      this.#held = true;
      this.#cancelEnd();
    });
  }

  release(): Promise<void> {
    return this.#order(() => {
      this.#held = false;
      this.#cancelEnd();
      try {
        this.#drive(false);
      } catch (error) {
        this.#armEnd(retryMs);
        throw error;
      }
    });
  }

  state(): SignalState {
    return this.#record.state;
  }

  preserve(): void {
    this.#preserved = true;
  }

  /** A line found driven is to be taken over as it is. */
  get preserved(): boolean {
    return this.#preserved;
  }

  lineReport(): LineReport {
    return this.#record.report();
  }

  /** Takes over a line that was just opened: inactive, or as it was found where that is to be preserved. */
  attach(line: GpioLine): void {
    this.#line = line;
    this.#held = line.foundActive;
    this.#record.set(line.foundActive ? 'on' : 'off');
  }

  /** At a stop: gives up the line, left exported and driven where its hold is preserved. */
  leave(error: GateError): void {
    const left = this.#preserved && this.#held;
    const line = this.detach(error);
    if (!left) line?.close();
  }

  /** Gives up the line; orders are refused with `error` from here on, and none of them is kept for later. */
  detach(error: GateError): GpioLine | undefined {
    const line = this.#line;
    this.#line = undefined;
    this.#missing = error;
    this.#record.set('unknown');
    this.#held = false;
    this.#cancelEnd();
    return line;
  }

  /** Drives inactive at once, for exit paths; says nothing where the line is gone. A hold that is preserved stays. */
  releaseNow(): void {
    if (this.#preserved && this.#held) return;
    try {
      this.#line?.drive(false);
    } catch {
      // On the way out there is nobody left to tell.
    }
  }

  /** Reads back what the pin does. @throws GateError `DEVICE_LOST` */
  async refresh(): Promise<void> {
    const line = this.#line;
    if (line === undefined) return;
    const drives = this.#drives;
    const active = await line.read();
    // An order that came meanwhile is newer than this reading.
    if (this.#line === line && drives === this.#drives) this.#record.set(active ? 'on' : 'off');
  }

  #order(run: () => void): Promise<void> {
    try {
      run();
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new GateError('DEVICE_LOST', String(error)));
    }
  }

  #drive(active: boolean): void {
    const line = this.#line;
    if (line === undefined) throw this.#missing;
    this.#drives += 1;
    try {
      line.drive(active);
      this.#record.set(active ? 'on' : 'off');
    } catch (error) {
      const failure = error instanceof GateError ? error : new GateError('DEVICE_LOST', String(error), {}, error);
      this.#onFailure(this, failure);
      throw failure;
    }
  }

  #armEnd(delayMs: number): void {
    this.#cancelEnd();
    this.#end = this.#clock.after(delayMs, () => {
      this.#end = undefined;
      try {
        this.#drive(false);
      } catch (error) {
        this.#log.error({ line: this.ref, error }, 'a pulse could not be ended, trying again');
        if (this.#line !== undefined) this.#armEnd(retryMs);
      }
    });
  }

  #cancelEnd(): void {
    this.#end?.cancel();
    this.#end = undefined;
  }
}
