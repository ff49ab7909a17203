import type { Backoff } from './backoff.js';

/**
 * Which of several brokers is tried next. A round goes through them in order of preference without a pause between two;
 * the pauses, ever longer, lie between the rounds.
 */
export class BrokerChoice {
  readonly #count: number;
  readonly #rounds: Backoff;
  readonly #spread: Backoff;
  #at = 0;

  /** @param spread of the first try after a connection that had held: all gates of the broker lost it at that moment */
  constructor(count: number, rounds: Backoff, spread: Backoff) {
    this.#count = count;
    this.#rounds = rounds;
    this.#spread = spread;
  }

  /** Index of the broker in use, or to be tried; 0 is the preferred one. */
  get at(): number {
    return this.#at;
  }

  /** It could not be had, or did not keep the connection. @returns ms until the next one is tried */
  failed(): number {
    this.#at = (this.#at + 1) % this.#count;
    return this.#at === 0 ? this.#rounds.nextMs() : 0;
  }

  /** A connection that had held is gone: a new round begins. @returns ms until then */
  lost(): number {
    this.#at = 0;
    return Math.max(this.#spread.nextMs(), this.#rounds.nextMs());
  }

  /** The connection holds: the pauses begin anew. */
  held(): void {
    this.#rounds.reset();
  }

  moveTo(at: number): void {
    this.#at = at;
  }
}
