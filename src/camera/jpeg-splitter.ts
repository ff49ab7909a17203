import { GateError } from '../base/index.js';

/** Larger than any camera's picture; what does not end by then is no picture. */
const largestBytes = 16 * 1_048_576;
/** Cameras pad between pictures, by line breaks or to a round size. */
const mostPadding = 65_536;

const picture = Buffer.from([0xff, 0xd8]);
const endOfImage = 0xd9;
const startOfScan = 0xda;

/**
 * Cuts JPEG pictures that follow one another into single ones, by their markers (ITU-T T.81, annex B): a thumbnail within
 * a picture's own segments is no end of it.
 */
export class JpegSplitter {
  #bytes = Buffer.alloc(0);
  /** Everything before is known to be of the picture. */
  #at = 0;
  #inScan = false;

  constructor(private readonly onPicture: (jpeg: Buffer) => void) {}

  /** Throws `CAMERA_SOURCE_INVALID` when the bytes are no JPEG pictures. */
  push(chunk: Uint8Array): void {
    this.#bytes = this.#bytes.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#bytes, chunk]);
    for (let end = this.#end(); end !== undefined; end = this.#end()) {
      const jpeg = this.#bytes.subarray(this.#bytes.indexOf(picture), end);
      this.#bytes = Buffer.from(this.#bytes.subarray(end));
      this.#at = 0;
      this.#inScan = false;
      this.onPicture(jpeg);
    }
    if (this.#bytes.length > largestBytes) throw damaged('does not end');
  }

  reset(): void {
    this.#bytes = Buffer.alloc(0);
    this.#at = 0;
    this.#inScan = false;
  }

  /** Where the first picture ends; undefined where more has to come. */
  #end(): number | undefined {
    const bytes = this.#bytes;
    if (this.#at === 0) {
      const start = bytes.indexOf(picture);
      if (start > mostPadding || (start < 0 && bytes.length > mostPadding)) throw damaged('does not begin');
      if (start < 0) return undefined;
      this.#at = start + 2;
    }
    for (;;) {
      if (this.#inScan) {
        const next = bytes.indexOf(0xff, this.#at);
        this.#at = next < 0 ? bytes.length : next;
      }
      if (this.#at + 2 > bytes.length) return undefined;
      const marker = bytes[this.#at + 1] ?? 0;
      if (bytes[this.#at] !== 0xff) throw damaged('has no marker where one must be');
      const alone = marker === 0 || marker === 1 || (marker >= 0xd0 && marker <= 0xd7);
      if (marker === endOfImage) return this.#at + 2;
      if (marker === 0xff) this.#at += 1;
      else if (alone) this.#at += 2;
      else {
        if (this.#at + 4 > bytes.length) return undefined;
        this.#inScan = marker === startOfScan;
        const length = bytes.readUInt16BE(this.#at + 2);
        if (this.#at + 2 + length > bytes.length) {
          this.#inScan = false;
          return undefined;
        }
        this.#at += 2 + length;
      }
    }
  }
}

function damaged(how: string): GateError {
  return new GateError('CAMERA_SOURCE_INVALID', `The stream is no motion JPEG, or damaged: a picture ${how}. It is started anew; where this goes on, set the camera's stream to MJPEG, or use its RTSP address.`);
}
