import type { BatchLimits, EventBatch } from './types.js';

/** What an `event` message of the contract has before and behind its events, which have commas between; all of it ASCII. */
export function messageAround(historical: boolean, lost: EventBatch['lost']): { readonly begin: string; readonly end: string } {
  return { begin: `{"historical":${historical ? 'true' : 'false'},"lost":${JSON.stringify(lost)},"events":[`, end: ']}' };
}

/** Puts events in a row into one message, by number and by bytes of the events. */
export class BatchBuilder {
  readonly #after: number;
  readonly #limits: BatchLimits;
  readonly #texts: string[] = [];
  readonly #lost: { first: number; last: number }[] = [];
  #last: number;
  #bytes = 0;

  /** @param after sequence before the batch's first */
  constructor(after: number, limits: BatchLimits) {
    this.#after = after;
    this.#limits = limits;
    this.#last = after;
  }

  get count(): number {
    return this.#texts.length;
  }

  /** @returns false where the batch is full; then nothing was added */
  add(seq: number, text: string): boolean {
    const bytes = Buffer.byteLength(text) + 1;
    const { events: mostEvents, bytes: mostBytes } = this.#limits;
    if (this.count > 0 && (this.count >= mostEvents || this.#bytes + bytes > mostBytes)) return false;
    // The journal has no hole that it has not declared: what is missing here will never come.
    if (seq > this.#last + 1) this.#lost.push({ first: this.#last + 1, last: seq - 1 });
    this.#texts.push(text);
    this.#bytes += bytes;
    this.#last = seq;
    return true;
  }

  /** @param historical whether they are told later than they happened */
  build(historical: boolean): EventBatch {
    const { begin, end } = messageAround(historical, this.#lost);
    // Not from Node's pool, which others share: this memory may be handed to another thread.
    const message = new Uint8Array(begin.length + Math.max(0, this.#bytes - 1) + end.length);
    Buffer.from(message.buffer).write(`${begin}${this.#texts.join(',')}${end}`);
    return { first: this.#after + 1, last: this.#last, lost: this.#lost, message };
  }
}
