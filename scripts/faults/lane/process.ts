import type { Clock, Timer } from '../../../src/base/index.js';
import type { DigitalInput, DigitalOutput, SignalChange } from '../../../src/device/index.js';

/**
 * The operating system's hand on one run of the gateway: its clock, and what stands between it and the drivers. A process
 * that stalls gets nothing and then everything at once; one that died gets nothing any more and orders nothing.
 */
export class GatewayProcess {
  readonly #clock: Clock;
  #stalled = false;
  #dead = false;
  #late: (() => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get alive(): boolean {
    return !this.#dead;
  }

  readonly clock: Clock = {
    monoMs: () => this.#clock.monoMs(),
    wallMs: () => this.#clock.wallMs(),
    after: (delayMs, run): Timer => {
      let cancelled = false;
      const timer = this.#clock.after(delayMs, () =>
        this.run(() => {
          if (!cancelled) run();
        }),
      );
      return {
        cancel: () => {
          cancelled = true;
          timer.cancel();
        },
      };
    },
  };

  /** Runs something inside the process: now, after a stall, or never. */
  run(work: () => void): void {
    if (this.#dead) return;
    if (this.#stalled) this.#late.push(work);
    else work();
  }

  stall(): void {
    this.#stalled = true;
  }

  /** What fell due meanwhile comes in its order; new inputs after that, as in Node's event loop. */
  wake(): void {
    this.#stalled = false;
    const late = this.#late;
    this.#late = [];
    for (const work of late) this.run(work);
  }

  kill(): void {
    this.#dead = true;
    this.#late = [];
  }

  input(line: DigitalInput): DigitalInput {
    return {
      ref: line.ref,
      state: () => line.state(),
      onChange: (listener) => line.onChange((change: SignalChange) => this.run(() => listener(change))),
      frequencyHz: () => line.frequencyHz?.(),
    };
  }

  output(line: DigitalOutput): DigitalOutput {
    const order = (give: () => Promise<void>): Promise<void> => (this.#dead ? new Promise(() => undefined) : this.settled(give()));
    return {
      ref: line.ref,
      timesPulses: line.timesPulses,
      pulse: (durationMs) => order(() => line.pulse(durationMs)),
      hold: () => order(() => line.hold()),
      release: () => order(() => line.release()),
      state: () => line.state(),
    };
  }

  /** A promise that the process hears of only while it runs. */
  settled<Value>(promise: Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => this.run(() => resolve(value)),
        (error: unknown) => this.run(() => reject(error instanceof Error ? error : new Error(String(error)))),
      );
    });
  }
}
