import type { WholeBlock } from './blocks.js';
import type { BatchLimits, EventBatch } from './types.js';

const END = Buffer.from(']}');

/** Beginning of an `event` message of the contract. */
function beginning(historical: boolean, lost: EventBatch['lost']): Buffer {
  return Buffer.from(`{"historical":${historical ? 'true' : 'false'},"lost":${JSON.stringify(lost)},"events":[`);
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
    const begin = beginning(historical, this.#lost);
    // Not from Node's pool, which others share: this memory may be handed to another thread.
    const message = new Uint8Array(begin.byteLength + Math.max(0, this.#bytes - 1) + END.byteLength);
    message.set(begin);
    Buffer.from(message.buffer).write(this.#texts.join(','), begin.byteLength);
    message.set(END, message.byteLength - END.byteLength);
    return { first: this.#after + 1, last: this.#last, lost: this.#lost, message };
  }
}

/**
 * Cuts a whole block into messages of the backlog, all in one piece of memory.
 * @param after sequence before the first message's first, in the block or right before it
 * @param most so many messages
 */
export function cutBlock({ first, bytes, lengths }: WholeBlock, after: number, limits: BatchLimits, most: number): EventBatch[] {
  const begin = beginning(true, []);
  const pieces: { readonly first: number; readonly last: number; readonly from: number; readonly to: number }[] = [];
  const skipped = after + 1 - first;
  let at = 0;
  for (const length of lengths.slice(0, skipped)) at += length + 1;
  let from = at;
  let begun = skipped;
  let index = skipped;
  for (; index < lengths.length && pieces.length < most; index += 1) {
    const length = lengths[index] ?? 0;
    if (index > begun && (index - begun >= limits.events || at + length + 1 - from > limits.bytes)) {
      pieces.push({ first: first + begun, last: first + index - 1, from, to: at - 1 });
      begun = index;
      from = at;
    }
    at += length + 1;
  }
  if (pieces.length < most && index > begun) pieces.push({ first: first + begun, last: first + index - 1, from, to: at - 1 });
  const around = begin.byteLength + END.byteLength;
  const memory = new Uint8Array(pieces.reduce((sum, { from, to }) => sum + to - from + around, 0));
  let offset = 0;
  return pieces.map(({ from, to, ...range }) => {
    const message = memory.subarray(offset, offset + around + to - from);
    message.set(begin);
    message.set(bytes.subarray(from, to), begin.byteLength);
    message.set(END, message.byteLength - END.byteLength);
    offset += message.byteLength;
    return { ...range, lost: [], message };
  });
}
