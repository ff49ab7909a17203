import { errorText, type Clock, type Log } from '../../base/index.js';
import type { Traffic } from '../contract.js';

/** Hands the bytes of a serial line to whoever looks for a fault; costs nothing while nobody does. */
export class TrafficTap {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listeners = new Set<(traffic: Traffic) => void>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  onTraffic(listener: (traffic: Traffic) => void): () => void {
    // Wrapped, so that one function given twice can be taken back one by one.
    const own = (traffic: Traffic): void => listener(traffic);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  tell(direction: Traffic['direction'], bytes: Uint8Array): void {
    if (this.#listeners.size === 0) return;
    const traffic: Traffic = { atMs: this.#clock.monoMs(), direction, bytes: Uint8Array.from(bytes) };
    for (const listener of [...this.#listeners]) {
      try {
        listener(traffic);
      } catch (error) {
        this.#log.error({ error: errorText(error) }, 'a listener failed on raw traffic');
      }
    }
  }
}
