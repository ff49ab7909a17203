import type { BatchLimits, EventBatch } from './types.js';

/** Puts events in a row, as JSON, into one batch, by number and by bytes. */
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

  build(): EventBatch {
    // Not from Node's pool, which others share: this memory may be handed to another thread.
    const json = new Uint8Array(this.#texts.length === 0 ? 2 : this.#bytes + 1);
    Buffer.from(json.buffer).write(`[${this.#texts.join(',')}]`);
    return { first: this.#after + 1, last: this.#last, lost: this.#lost, json };
  }
}
