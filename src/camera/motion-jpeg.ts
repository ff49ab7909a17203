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
  /** When a picture was taken that has just arrived, monotonic ms; called once for each. */
  readonly takenAt: (jpeg: Buffer) => number;
  /** Takes over the frame's retention. */
  readonly onFrame: (frame: Frame) => void;
  /** A picture that cannot be decoded is left out. */
  readonly onUnreadable: (reason: string) => void;
}

interface Arrived {
  readonly jpeg: Uint8Array;
  readonly takenMs: number;
  readonly cameMs: number;
}

/**
 * Motion JPEG, taken as fast as it comes and decoded as far as the processor allows: of the pictures that arrive while one
 * is being decoded only the newest is kept. The stream would else queue up before a slow decoder,
 * in the network's buffers, by many seconds.
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
  #arrived(jpeg: Buffer): void {
    const cameMs = this.#options.now();
    const takenMs = this.#options.takenAt(jpeg);
    if (this.#newest !== undefined || this.#slotOf(cameMs) !== this.#slot) this.#newest = { jpeg, takenMs, cameMs };
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
    this.#slot = this.#slotOf(next.cameMs);
    this.#sequence += 1;
    decodeInto(pool, next.jpeg, next.takenMs, this.#sequence)
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
