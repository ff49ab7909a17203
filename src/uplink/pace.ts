/** On the way at first, before anything is known of the line. */
const FIRST = 4;
/** An answer after so long says that too much lies in front of it. */
const SLOW_MS = 500;
const QUICK_MS = 250;

/**
 * How many messages of the backlog may be on their way. On a slow line each lies in front of the next live event for as long
 * as it takes, so the number falls by half when the broker's answers come late, and grows by one for each that comes early.
 */
export class Pace {
  readonly #most: number;
  #allowed: number;
  /** Answers to what was sent before say nothing about the number now. */
  #sinceMs = -Infinity;

  /** @param most whatever the line takes */
  constructor(most: number) {
    this.#most = most;
    this.#allowed = Math.min(FIRST, most);
  }

  get allowed(): number {
    return this.#allowed;
  }

  /** The broker has answered a message. */
  answered(sentMs: number, nowMs: number): void {
    const tookMs = nowMs - sentMs;
    if (tookMs <= QUICK_MS) {
      this.#allowed = Math.min(this.#most, this.#allowed + 1);
    } else if (tookMs > SLOW_MS && sentMs > this.#sinceMs) {
      this.#allowed = Math.max(1, Math.floor(this.#allowed / 2));
      this.#sinceMs = nowMs;
    }
  }
}
