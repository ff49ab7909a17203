/**
 * Reconnect delay with full jitter (Brooker, "Exponential Backoff and Jitter"): a fleet that lost its broker together
 * must not come back together. Growth ends only after a connection has held, so a broker that accepts and drops at once
 * is not hammered.
 */
export class Backoff {
  readonly #leastMs: number;
  readonly #mostMs: number;
  readonly #random: () => number;
  #attempt = 0;

  constructor(leastMs: number, mostMs: number, random: () => number) {
    this.#leastMs = leastMs;
    this.#mostMs = mostMs;
    this.#random = random;
  }

  nextMs(): number {
    const ceilingMs = Math.min(this.#mostMs, this.#leastMs * 2 ** Math.min(this.#attempt, 20));
    this.#attempt += 1;
    return this.#random() * ceilingMs;
  }

  reset(): void {
    this.#attempt = 0;
  }
}
