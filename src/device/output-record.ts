import type { Clock, SignalState } from '../base/index.js';
import type { LineRef, LineReport } from './contract.js';

/** What is known of one output, kept for `state` and for a technician. */
export class OutputRecord {
  readonly #ref: LineRef;
  readonly #clock: Clock;
  #state: SignalState = 'unknown';
  #sinceMs: number | null = null;
  #changes = 0;

  constructor(ref: LineRef, clock: Clock) {
    this.#ref = ref;
    this.#clock = clock;
  }

  get state(): SignalState {
    return this.#state;
  }

  set(state: SignalState): void {
    if (state === this.#state) return;
    if (this.#state !== 'unknown' && state !== 'unknown') this.#changes += 1;
    this.#state = state;
    this.#sinceMs = this.#clock.monoMs();
  }

  report(): LineReport {
    const level = this.#state === 'on' || this.#state === 'off' ? (this.#state === 'on') !== (this.#ref.activeLow ?? false) : null;
    return { ref: this.#ref, use: 'output', state: this.#state, raw: level === null ? null : level ? '1' : '0', sinceMs: this.#sinceMs, changes: this.#changes };
  }
}
