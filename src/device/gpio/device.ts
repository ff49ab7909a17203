import { GateError, errorText, type Clock, type Log, type Timer } from '../../base/index.js';
import { Claims } from '../claims.js';
import type { Device, DeviceHealth, DigitalInput, DigitalOutput, LineRef, LineReport } from '../contract.js';
import { HealthSource } from '../health-source.js';
import { openBackend } from './backend.js';
import { GpioInput } from './input.js';
import type { GpioBackend, GpioInterface, GpioLine } from './line.js';
import { GpioOutput } from './output.js';

export interface GpioOptions {
  readonly id: string;
  /** Which of the kernel's interfaces; `auto` (default) takes the character device where the line's chip has a usable one. */
  readonly interface?: GpioInterface | undefined;
}

/** Relay contacts of loop detectors chatter for a few milliseconds. */
const defaultDebounceMs = 5;
/** Every line is read this often besides its edges, so that a missed edge or a chip that vanished is noticed. */
const refreshMs = 100;
/** Lines without interrupt are polled. */
const pollMs = 10;
const reopenLeastMs = 500;
const reopenMostMs = 30_000;

/** One line that a reference asked for, and what it takes to have it open. */
interface Slot {
  readonly ref: LineRef;
  readonly use: 'input' | 'output';
  readonly attach: (line: GpioLine) => void;
  readonly detach: (error: GateError) => GpioLine | undefined;
  /** Gives the line back at the stop. */
  readonly leave: (error: GateError) => void;
  readonly preserve: () => boolean;
  readonly refresh: () => Promise<void>;
  readonly hasEdges: () => boolean;
  /** What is wrong with the circuit while the line itself works. */
  readonly trouble: () => GateError | undefined;
  fault: GateError | undefined;
  open: boolean;
}

/**
 * GPIO lines of this machine through the character device or sysfs. Hardware that is missing does not make `start` fail: health says
 * what is wrong, inputs are `unknown`, orders are rejected, and the driver keeps trying line by line, so that one bad pin
 * never stops another lane.
 */
export class GpioDevice implements Device {
  readonly id: string;
  readonly #interface: GpioInterface;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #health: HealthSource;
  readonly #claims = new Claims<GpioInput, GpioOutput>();
  readonly #slots: Slot[] = [];
  readonly #timers = new Set<Timer>();
  #running = false;
  #reopenMs = reopenLeastMs;
  #reopening = false;
  #opening: Promise<void> = Promise.resolve();
  readonly #exitHook = (): void => {
    for (const output of this.#claims.outputs) output.releaseNow();
  };

  constructor(options: GpioOptions, clock: Clock, log: Log) {
    this.id = options.id;
    this.#interface = options.interface ?? 'auto';
    this.#clock = clock;
    this.#log = log;
    this.#health = new HealthSource(options.id, log);
  }

  input(ref: LineRef): DigitalInput {
    this.#checkRef(ref);
    return this.#claims.input(keyOf(ref), ref, () => {
      const input = new GpioInput(ref, this.#clock, this.#log, defaultDebounceMs, () => this.#report());
      this.#slots.push({
        ref,
        use: 'input',
        attach: (line) => input.attach(line),
        detach: () => input.detach(),
        leave: () => input.detach()?.close(),
        preserve: () => false,
        refresh: () => input.refresh(),
        hasEdges: () => input.hasEdges,
        trouble: () => input.chattering,
        fault: undefined,
        open: false,
      });
      return input;
    });
  }

  output(ref: LineRef): DigitalOutput {
    this.#checkRef(ref);
    return this.#claims.output(keyOf(ref), ref, () => {
      const slot: { current?: Slot } = {};
      const output = new GpioOutput(ref, this.#clock, this.#log, (_, error) => {
        if (slot.current !== undefined) this.#fail(slot.current, error, false);
      });
      slot.current = {
        ref,
        use: 'output',
        attach: (line) => output.attach(line),
        detach: (error) => output.detach(error),
        leave: (error) => output.leave(error),
        preserve: () => output.preserved,
        refresh: () => output.refresh(),
        hasEdges: () => true,
        trouble: () => undefined,
        fault: undefined,
        open: false,
      };
      this.#slots.push(slot.current);
      return output;
    });
  }

  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.#claims.close();
    this.#health.set({ state: 'starting' });
    process.on('exit', this.#exitHook);
    this.#opening = this.#openAll();
    await this.#opening;
    if (this.#isRunning()) this.#scheduleRefresh(refreshMs, (slot) => slot.hasEdges());
    if (this.#isRunning() && this.#slots.some((slot) => !slot.hasEdges())) this.#scheduleRefresh(pollMs, (slot) => !slot.hasEdges());
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    // Outputs first, without waiting for anything: a stop in the middle of a pulse must end it now.
    this.#exitHook();
    await this.#opening;
    const stopped = new GateError('DEVICE_LOST', `Device ${this.id} is stopped.`, { device: this.id });
    this.#exitHook();
    for (const slot of this.#slots) {
      slot.open = false;
      slot.leave(stopped);
    }
    process.removeListener('exit', this.#exitHook);
    this.#health.set({ state: 'stopped' });
  }

  health(): DeviceHealth {
    return this.#health.get();
  }

  onHealth(listener: (health: DeviceHealth) => void): () => void {
    return this.#health.onChange(listener);
  }

  lines(): readonly LineReport[] {
    return [...this.#claims.inputs, ...this.#claims.outputs].map((line) => line.lineReport());
  }

  #checkRef(ref: LineRef): void {
    if (typeof ref.line === 'number' && ref.unit === undefined && ref.table === undefined && ref.bit === undefined) return;
    throw new GateError(
      'DEVICE_LINE_INVALID',
      `Device ${this.id} has GPIO lines: give the offset as a number, with chip where there are several, and neither unit, table nor bit.`,
      { line: ref },
    );
  }

  /** Asked anew after every wait, since `stop` may have come meanwhile. */
  #isRunning(): boolean {
    return this.#running;
  }

  async #openAll(): Promise<void> {
    let backend: GpioBackend | undefined;
    let missing: GateError | undefined;
    try {
      backend = await openBackend(this.#interface);
    } catch (error) {
      missing = asGateError(error);
    }
    // Inputs before outputs: nothing may move before the gate knows what it sees.
    for (const use of ['input', 'output'] as const) {
      for (const slot of this.#slots) {
        if (slot.use !== use || slot.open || !this.#isRunning()) continue;
        try {
          if (backend === undefined) throw missing ?? new GateError('DEVICE_LOST', 'No GPIO chips were found.');
          await this.#open(slot, backend);
        } catch (error) {
          this.#fail(slot, asGateError(error), true);
        }
      }
    }
    this.#report();
    if (this.#isRunning() && this.#slots.some((slot) => !slot.open)) this.#scheduleReopen();
  }

  async #open(slot: Slot, backend: GpioBackend): Promise<void> {
    const line = await backend.open({ ref: slot.ref, use: slot.use, preserve: slot.preserve(), onFailure: (error) => this.#fail(slot, error, true) }, this.#clock);
    if (!this.#isRunning()) {
      line.close();
      return;
    }
    slot.attach(line);
    slot.open = true;
    slot.fault = undefined;
    if (slot.use === 'input') await slot.refresh();
    this.#log.debug({ device: this.id, line: slot.ref }, 'GPIO line opened');
  }

  /**
   * A line failed. An output whose order failed keeps its line (`close` false): it may still obey the release that is
   * tried again; the next refresh decides whether it is lost.
   */
  #fail(slot: Slot, error: GateError, close: boolean): void {
    slot.fault = error;
    if (close) {
      slot.open = false;
      // Input listeners hear of it at once; the descriptor is closed after the poller is out of its callback.
      const line = slot.detach(error);
      queueMicrotask(() => line?.close());
      if (this.#running) this.#scheduleReopen();
    }
    this.#report();
  }

  #report(): void {
    if (!this.#running) return;
    const faults = this.#slots.flatMap((slot) => [slot.fault, slot.trouble()].flatMap((error) => error?.message ?? []));
    if (faults.length === 0) this.#health.set({ state: 'ok' });
    else this.#health.set({ state: 'lost', detail: [...new Set(faults)].join(' ') });
  }

  #scheduleReopen(): void {
    if (this.#reopening) return;
    this.#reopening = true;
    const delayMs = this.#reopenMs;
    this.#reopenMs = Math.min(reopenMostMs, this.#reopenMs * 2);
    this.#later(delayMs, () => {
      this.#reopening = false;
      this.#opening = this.#opening
        .then(() => this.#openAll())
        .then(() => {
          if (this.#slots.every((slot) => slot.open)) this.#reopenMs = reopenLeastMs;
        });
    });
  }

  #scheduleRefresh(everyMs: number, picks: (slot: Slot) => boolean): void {
    this.#later(everyMs, () => {
      void this.#refresh(picks).then(() => {
        if (this.#isRunning()) this.#scheduleRefresh(everyMs, picks);
      });
    });
  }

  async #refresh(picks: (slot: Slot) => boolean): Promise<void> {
    for (const slot of this.#slots) {
      if (!slot.open || !picks(slot)) continue;
      try {
        await slot.refresh();
        if (this.#isRunning() && slot.fault !== undefined) {
          slot.fault = undefined;
          this.#report();
        }
      } catch (error) {
        if (this.#isRunning()) this.#fail(slot, asGateError(error), true);
      }
    }
  }

  #later(delayMs: number, run: () => void): void {
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
  }
}

function keyOf(ref: LineRef): string {
  return `${ref.chip ?? ''}/${ref.line}`;
}

function asGateError(error: unknown): GateError {
  return error instanceof GateError ? error : new GateError('DEVICE_LOST', errorText(error), {}, error);
}
