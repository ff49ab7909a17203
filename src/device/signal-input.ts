import type { Clock, Log, SignalState, Timer } from '../base/index.js';
import { errorText } from '../base/index.js';
import type { DigitalInput, LineRef, LineReport, SignalChange } from './contract.js';

/**
 * The input every driver hands out: keeps the state, debounces, tells listeners.
 *
 * Only a change between `on` and `off` is debounced. `unknown` and `fault` count as occupied, so they pass at once, and
 * so does the first reading after them: waiting would only keep the lane blind for longer.
 */
export class SignalInput implements DigitalInput {
  readonly ref: LineRef;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #debounceMs: number;
  readonly #listeners = new Set<(change: SignalChange) => void>();
  #state: SignalState = 'unknown';
  #settling: Timer | undefined;
  #raw: string | null = null;
  #sinceMs: number | null = null;
  #changes = 0;

  /** @param debounceMs time a new level has to last, ms; what the reference says comes first */
  constructor(ref: LineRef, clock: Clock, log: Log, debounceMs = 0) {
    this.ref = ref;
    this.#clock = clock;
    this.#log = log;
    this.#debounceMs = ref.debounceMs ?? debounceMs;
  }

  state(): SignalState {
    return this.#state;
  }

  onChange(listener: (change: SignalChange) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** The line for a technician. */
  lineReport(): LineReport {
    return { ref: this.ref, use: 'input', state: this.#state, raw: this.#raw, sinceMs: this.#sinceMs, changes: this.#changes };
  }

  /**
   * Takes one reading of the line (logical: `activeLow` is resolved already).
   * @param raw what the hardware said, for a technician; null where it could not be read
   */
  report(reading: SignalState, raw: string | null = null): void {
    this.#raw = raw;
    if (reading === this.#state) {
      this.#stopSettling();
      return;
    }
    const bouncing = isLevel(reading) && isLevel(this.#state) && this.#debounceMs > 0;
    if (!bouncing) {
      this.#stopSettling();
      this.#commit(reading);
      return;
    }
    // With two levels a running timer can only be waiting for this very reading.
    this.#settling ??= this.#clock.after(this.#debounceMs, () => {
      this.#settling = undefined;
      this.#commit(reading);
    });
  }

  #stopSettling(): void {
    this.#settling?.cancel();
    this.#settling = undefined;
  }

  #commit(state: SignalState): void {
    if (isLevel(state) && isLevel(this.#state)) this.#changes += 1;
    this.#state = state;
    this.#sinceMs = this.#clock.monoMs();
    const change: SignalChange = { state, atMs: this.#clock.monoMs() };
    for (const listener of [...this.#listeners]) {
      try {
        listener(change);
      } catch (error) {
        // One listener's fault must not keep a change from the next lane.
        this.#log.error({ line: this.ref, error: errorText(error) }, 'a listener failed on a change of input');
      }
    }
  }
}

function isLevel(state: SignalState): boolean {
  return state === 'on' || state === 'off';
}
