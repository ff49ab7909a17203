import { GateError } from '../base/index.js';
import { FramePool, type FillingFrame } from './frame-pool.js';
import type { PicturePipe } from './picture-pipe.js';
import type { Frame } from './types.js';

const longestHeader = 32;
/** Larger than any camera; a header that says more is not a header. */
const largestSide = 16_384;

/**
 * Cuts a stream of binary PPM pictures (P6, 8 bits; netpbm's ppm(5)) into frames. PPM and not bare pixels, because every
 * picture then says its size: a camera that comes back with another resolution cannot shear the image.
 */
export class PpmParser implements PicturePipe {
  readonly #pool: FramePool;
  #header = Buffer.alloc(longestHeader);
  #headerBytes = 0;
  #frame: FillingFrame | undefined;
  #pixelBytes = 0;
  #filled = 0;
  #inPixels = false;
  #sequence = 0;
  dropped = 0;

  /**
   * @param onFrame takes over the frame's retention
   * @param takenAt monotonic ms at which the picture was taken that has just arrived whole; called once for each
   */
  constructor(
    private readonly onFrame: (frame: Frame) => void,
    private readonly takenAt: () => number,
    pool = new FramePool(),
  ) {
    this.#pool = pool;
  }

  /** Throws `CAMERA_SOURCE_INVALID` when the bytes are no PPM stream. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (!this.#inPixels) {
        at = this.#takeHeader(chunk, at);
        continue;
      }
      const take = Math.min(chunk.length - at, this.#pixelBytes - this.#filled);
      if (this.#frame !== undefined) this.#frame.data.set(at === 0 && take === chunk.length ? chunk : chunk.subarray(at, at + take), this.#filled);
      this.#filled += take;
      at += take;
      if (this.#filled === this.#pixelBytes) this.#finish();
    }
  }

  /** Forgets a half-received picture, after its writer died. */
  reset(): void {
    this.#frame?.release();
    this.#frame = undefined;
    this.#inPixels = false;
    this.#headerBytes = 0;
    this.#filled = 0;
  }

  #takeHeader(chunk: Uint8Array, start: number): number {
    let at = start;
    while (at < chunk.length) {
      const byte = chunk[at] ?? 0;
      at += 1;
      this.#header[this.#headerBytes++] = byte;
      if (byte === 0x0a) {
        const match = /^P6\s+(\d+)\s+(\d+)\s+255\n$/u.exec(this.#header.toString('latin1', 0, this.#headerBytes));
        if (match !== null) {
          this.#begin(Number(match[1]), Number(match[2]));
          return at;
        }
      }
      if (this.#headerBytes >= longestHeader || (this.#headerBytes === 2 && this.#header.toString('latin1', 0, 2) !== 'P6')) {
        throw new GateError('CAMERA_SOURCE_INVALID', 'The picture stream is damaged: a picture does not begin with a PPM header. It is started anew.');
      }
    }
    return at;
  }

  #begin(width: number, height: number): void {
    this.#headerBytes = 0;
    if (width < 1 || height < 1 || width > largestSide || height > largestSide) {
      throw new GateError('CAMERA_SOURCE_INVALID', `The picture stream says a size of ${width}×${height}; no camera has that.`);
    }
    this.#inPixels = true;
    this.#pixelBytes = width * height * 3;
    this.#filled = 0;
    this.#frame = this.#pool.acquire(width, height);
  }

  #finish(): void {
    this.#inPixels = false;
    this.#sequence += 1;
    const frame = this.#frame;
    this.#frame = undefined;
    const atMs = this.takenAt();
    if (frame === undefined) {
      this.dropped += 1;
      return;
    }
    frame.atMs = atMs;
    frame.sequence = this.#sequence;
    this.onFrame(frame);
  }
}
