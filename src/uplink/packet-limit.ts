import { PACKET_TOO_LARGE } from './reason-codes.js';

/** No broker is believed to take less; one that names less is of no use. */
export const LEAST_PACKET_BYTES = 2_048;
/** A line may be cut at any time for other reasons: so many cuts in a row while a message larger than any taken is out. */
const SILENT_CUTS = 4;

/**
 * What one broker takes in one message. MQTT 5 brokers name it; others only cut the line when a message is larger, which is
 * learned here: the limit is halved, but never below what the broker has taken before.
 */
export class PacketLimit {
  #bytes = Number.POSITIVE_INFINITY;
  #taken = 0;
  #cuts = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** A connection stands; `announced` is infinite where the broker names no limit. */
  opened(announced: number): void {
    if (Number.isFinite(announced)) this.#bytes = announced;
  }

  /** The broker took a message of this size. */
  took(bytes: number): void {
    if (bytes <= this.#taken) return;
    this.#taken = bytes;
    this.#cuts = 0;
  }

  /** Whether a message of this size may be why a broker without words cuts the line: it never took one as large. */
  mayBeTooLarge(bytes: number): boolean {
    return bytes > this.#taken && bytes > LEAST_PACKET_BYTES;
  }

  /**
   * The broker ended the connection.
   * @param largest size of the largest message it had not answered; 0 where there was none
   * @returns true where the limit is lower now
   */
  closed(largest: number, reasonCode: number | undefined): boolean {
    if (!this.mayBeTooLarge(largest)) return false;
    this.#cuts += 1;
    // Any other reason that is given has nothing to do with the size.
    if (reasonCode !== PACKET_TOO_LARGE && (reasonCode !== undefined || this.#cuts < SILENT_CUTS)) return false;
    this.#cuts = 0;
    const lower = Math.max(LEAST_PACKET_BYTES, this.#taken, Math.floor(largest / 2));
    if (lower >= this.#bytes) return false;
    this.#bytes = lower;
    return true;
  }
}
