/** Events on the way at first, before anything is known of the line. */
const FIRST = 200;
/** What may be on the way is in several messages where it can be: the line is busy while one is answered. */
const MESSAGES = 4;
/** Fewer in one message would be mostly the message around them. */
const LEAST = 10;
/** An answer that much later than the quickest says that too much lies in front of it. */
const SLOW_MS = 500;
const QUICK_MS = 250;

/**
 * How much of the backlog may be on its way, and in which messages. On a slow line it lies in front of the next live event
 * for as long as it takes, so it falls by half when the broker's answers come late, and grows by a message for each that
 * comes early. Late is measured from the quickest answer: a long way, as over a satellite, is no slow line.
 */
export class Pace {
  readonly #mostMessages: number;
  #mostEvents: number;
  /** Events that may be on the way. */
  #events: number;
  #quickestMs = Infinity;
  /** Answers to what was sent before say nothing about the number now. */
  #sinceMs = -Infinity;

  /**
   * @param mostMessages on the way at once, whatever the line takes
   * @param mostEvents in one of them
   */
  constructor(mostMessages: number, mostEvents: number) {
    this.#mostMessages = mostMessages;
    this.#mostEvents = mostEvents;
    this.#events = Math.min(FIRST, this.#most);
  }

  /** Events of one message of the backlog. */
  get events(): number {
    return Math.min(this.#mostEvents, Math.max(LEAST, Math.floor(this.#events / MESSAGES)));
  }

  /** Messages of the backlog that may be on their way. */
  get messages(): number {
    return Math.max(1, Math.min(this.#mostMessages, Math.floor(this.#events / this.events)));
  }

  /** Another number of events in one message from now on. */
  limit(mostEvents: number): void {
    this.#mostEvents = mostEvents;
    this.#events = Math.min(this.#events, this.#most);
  }

  /** The broker has answered a message with nothing of the backlog in front of it. */
  reached(tookMs: number): void {
    this.#quickestMs = Math.min(this.#quickestMs, tookMs);
  }

  /** The broker has answered a message with events; monotonic ms. */
  answered(sentMs: number, nowMs: number): void {
    const tookMs = nowMs - sentMs;
    this.reached(tookMs);
    const lateMs = tookMs - this.#quickestMs;
    if (lateMs <= QUICK_MS) {
      this.#events = Math.min(this.#most, this.#events + this.events);
    } else if (lateMs > SLOW_MS && sentMs > this.#sinceMs) {
      this.#events = Math.max(Math.min(LEAST, this.#most), Math.floor(this.#events / 2));
      this.#sinceMs = nowMs;
    }
  }

  get #most(): number {
    return this.#mostMessages * this.#mostEvents;
  }
}
