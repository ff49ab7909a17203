import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { FramePool, type Frame } from '../../src/camera/index.js';
import { PpmParser } from '../../src/camera/ppm-parser.js';

function ppm(width: number, height: number, fill: number): Buffer {
  return Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), Buffer.alloc(width * height * 3, fill)]);
}

describe('pictures cut out of the pipe', () => {
  it('are the same however the bytes are split, even when the size changes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ width: fc.integer({ min: 1, max: 40 }), height: fc.integer({ min: 1, max: 40 }), fill: fc.nat(255) }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 60 }),
        (pictures, cuts) => {
          const seen: string[] = [];
          const parser = new PpmParser((frame) => {
            seen.push(`${frame.width}x${frame.height}:${[...new Set(frame.data)].join()}`);
            frame.release();
          }, () => 0);
          const bytes = Buffer.concat(pictures.map(({ width, height, fill }) => ppm(width, height, fill)));
          let at = 0;
          for (let turn = 0; at < bytes.length; turn += 1) {
            const size = cuts[turn % cuts.length] ?? 1;
            parser.push(bytes.subarray(at, at + size));
            at += size;
          }
          expect(seen).toEqual(pictures.map(({ width, height, fill }) => `${width}x${height}:${fill}`));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('use the same buffers again and again once they are released', () => {
    const buffers = new Set<Uint8Array>();
    const parser = new PpmParser((frame) => {
      buffers.add(frame.data);
      frame.release();
    }, () => 0);
    for (let turn = 0; turn < 50; turn += 1) parser.push(ppm(8, 8, turn));
    expect(buffers.size).toBe(1);
  });

  it('are dropped while every buffer is held, and never overwrite a held one', () => {
    const held: Frame[] = [];
    const parser = new PpmParser((frame) => void held.push(frame), () => 0, new FramePool(2));
    for (let turn = 1; turn <= 5; turn += 1) parser.push(ppm(4, 4, turn));
    expect(held.map((frame) => frame.data[0])).toEqual([1, 2]);
    expect(parser.dropped).toBe(3);
    held[0]?.release();
    parser.push(ppm(4, 4, 9));
    expect(held.at(-1)?.data[0]).toBe(9);
    expect(held[1]?.data[0]).toBe(2);
  });

  it('are refused when the stream is something else', () => {
    const parser = new PpmParser(() => undefined, () => 0);
    expect(() => parser.push(Buffer.from('HTTP/1.1 200 OK\r\n'))).toThrow(/CAMERA_SOURCE_INVALID/u);
  });
});
