import { errorText } from '../base/index.js';
import { decodeInto } from './decode-jpeg.js';
import type { FramePool } from './frame-pool.js';
import { JpegSplitter } from './jpeg-splitter.js';
import type { PicturePipe } from './picture-pipe.js';
import type { Frame } from './types.js';

export interface MotionJpegOptions {
  readonly framesPerSecond: number;
  readonly pool: FramePool;
  /** Monotonic ms. */
  readonly now: () => number;
  /** Takes over the frame's retention. */
  readonly onFrame: (frame: Frame) => void;
  /** A picture that cannot be decoded is left out. */
  readonly onUnreadable: (reason: string) => void;
}

interface Arrived {
  readonly jpeg: Uint8Array;
  readonly atMs: number;
}

/**
 * Motion JPEG, taken as fast as it comes and decoded as far as the processor allows: of the pictures that arrive while one
 * is being decoded only the newest is kept. A stream without a time of its own would else queue up before a slow decoder,
 * in the network's buffers, and nobody could tell how old its pictures are.
 */
export class MotionJpeg implements PicturePipe {
  readonly #options: MotionJpegOptions;
  readonly #splitter: JpegSplitter;
  #newest: Arrived | undefined;
  #decoding = false;
  #slot = -1;
  #sequence = 0;
  #life = 0;

  constructor(options: MotionJpegOptions) {
    this.#options = options;
    this.#splitter = new JpegSplitter((jpeg) => this.#arrived(jpeg));
  }

  push(chunk: Uint8Array): void {
    this.#splitter.push(chunk);
    this.#decode();
  }

  reset(): void {
    this.#splitter.reset();
    this.#newest = undefined;
    this.#life += 1;
  }

  /** One picture for each slot of 1/rate seconds, the last of those that came together. */
  #arrived(jpeg: Uint8Array): void {
    const atMs = this.#options.now();
    if (this.#newest !== undefined || this.#slotOf(atMs) !== this.#slot) this.#newest = { jpeg, atMs };
  }

  #slotOf(atMs: number): number {
    return Math.floor((atMs * this.#options.framesPerSecond) / 1_000);
  }

  #decode(): void {
    const next = this.#newest;
    if (next === undefined || this.#decoding) return;
    const { pool, onFrame, onUnreadable } = this.#options;
    const life = this.#life;
    this.#newest = undefined;
    this.#decoding = true;
    this.#slot = this.#slotOf(next.atMs);
    this.#sequence += 1;
    decodeInto(pool, next.jpeg, next.atMs, this.#sequence)
      .then((frame) => {
        if (life === this.#life) {
          if (frame !== undefined) onFrame(frame);
        } else frame?.release();
      })
      .catch((error: unknown) => onUnreadable(errorText(error)))
      .finally(() => {
        this.#decoding = false;
        this.#decode();
      });
  }
}
