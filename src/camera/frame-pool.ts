import type { Frame } from './types.js';

/** A frame being filled: its fields are set by the parser before anybody else sees it. */
export interface FillingFrame extends Frame {
  atMs: number;
  sequence: number;
}

class PooledFrame implements FillingFrame {
  atMs = 0;
  sequence = 0;
  #holders = 0;

  constructor(
    readonly data: Uint8Array,
    readonly width: number,
    readonly height: number,
  ) {}

  get free(): boolean {
    return this.#holders === 0;
  }

  retain(): void {
    this.#holders += 1;
  }

  release(): void {
    if (this.#holders > 0) this.#holders -= 1;
  }
}

/**
 * Frame buffers that are used again and again, so that a camera at full rate allocates nothing. One is being filled,
 * one is the newest, others may be held by a recognition or a photograph under way.
 */
export class FramePool {
  #frames: PooledFrame[] = [];

  constructor(private readonly most = 5) {}

  /** A frame of this size, retained once; undefined while all are held: then the arriving picture is dropped. */
  acquire(width: number, height: number): FillingFrame | undefined {
    // a camera whose size changed: buffers of the old size go as soon as nobody holds them
    this.#frames = this.#frames.filter((frame) => !frame.free || (frame.width === width && frame.height === height));
    let frame = this.#frames.find((each) => each.free);
    if (frame === undefined) {
      if (this.#frames.length >= this.most) return undefined;
      frame = new PooledFrame(new Uint8Array(width * height * 3), width, height);
      this.#frames.push(frame);
    }
    frame.retain();
    return frame;
  }
}
