import { execFileSync } from 'node:child_process';
import { createServer, type Server, type ServerResponse } from 'node:http';
import fc from 'fast-check';
import sharp from 'sharp';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isGateError, silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { exifTime } from '../../src/camera/exif-time.js';
import { FramePool, openCamera, type Frame, type FrameSource } from '../../src/camera/index.js';
import { JpegSplitter } from '../../src/camera/jpeg-splitter.js';
import { MotionJpeg } from '../../src/camera/motion-jpeg.js';
import { withTime } from '../../src/sim/camera/exif.js';
import { until } from '../support/until.js';

const picture = (gray: number, more: { progressive?: boolean } = {}): Promise<Buffer> =>
  sharp({ create: { width: 64, height: 48, channels: 3, background: { r: gray, g: gray, b: gray } } }).jpeg({ quality: 90, ...more }).toBuffer();

/** With a whole small picture in a segment of its own, as cameras add thumbnails. */
function withThumbnail(jpeg: Buffer, thumbnail: Buffer): Buffer {
  const head = Buffer.from([0xff, 0xe2, 0, 0]);
  head.writeUInt16BE(thumbnail.length + 2, 2);
  return Buffer.concat([jpeg.subarray(0, 2), head, thumbnail, jpeg.subarray(2)]);
}

let grays: readonly Buffer[] = [];
const servers: Server[] = [];
const sources: FrameSource[] = [];

beforeAll(async () => {
  grays = await Promise.all(Array.from({ length: 14 }, (_, at) => picture(at * 18)));
});

afterEach(async () => {
  await Promise.all(sources.splice(0).map((source) => source.stop()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

describe('pictures of a motion JPEG stream', () => {
  it('are the same however the bytes are split, with thumbnails, scans and padding', async () => {
    const whole = [withThumbnail(grays[3] ?? Buffer.alloc(0), grays[5] ?? Buffer.alloc(0)), await picture(90, { progressive: true }), ...grays.slice(0, 2)];
    const stream = Buffer.concat([Buffer.from('\r\n'), ...whole.flatMap((jpeg) => [jpeg, Buffer.from('\r\n\0\0')])]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 30 }), (sizes) => {
        const found: Buffer[] = [];
        const splitter = new JpegSplitter((jpeg) => void found.push(jpeg));
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          splitter.push(stream.subarray(at, at + size));
          at += size;
        }
        expect(found).toEqual(whole);
      }),
      { numRuns: 60 },
    );
  });

  it('are refused with a word on what to set where it is no motion JPEG', () => {
    const splitter = new JpegSplitter(() => undefined);
    const push = (): void => splitter.push(Buffer.alloc(100_000, 'H.264'));
    expect(push).toThrow(/CAMERA_SOURCE_INVALID.*no motion JPEG.*RTSP/u);
    try {
      push();
    } catch (error) {
      expect(isGateError(error, 'CAMERA_SOURCE_INVALID')).toBe(true);
    }
  });

  it('that come faster than they are decoded are left out, and the newest is shown', async () => {
    const shown: { readonly gray: number; readonly atMs: number }[] = [];
    let nowMs = 0;
    const pipe = new MotionJpeg({
      framesPerSecond: 8,
      pool: new FramePool(),
      now: () => nowMs,
      takenAt: () => nowMs,
      onFrame: (frame: Frame) => {
        shown.push({ gray: Math.round((frame.data[0] ?? 0) / 18), atMs: frame.atMs });
        frame.release();
      },
      onUnreadable: (reason) => expect.unreachable(reason),
    });
    // what waited in the network while nobody read
    pipe.push(Buffer.concat(grays.slice(0, 6)));
    for (const gray of grays.slice(6, 10)) {
      nowMs += 200;
      pipe.push(gray);
    }
    await until(() => shown.length === 2, { what: 'two pictures' });
    expect(shown).toEqual([
      { gray: 5, atMs: 0 },
      { gray: 9, atMs: 800 },
    ]);
  });
});

describe('the time in a picture', () => {
  it('is the one that a tool of others reads, and ours reads it to the millisecond', () => {
    const takenMs = Date.UTC(2026, 1, 28, 23, 59, 58, 47);
    const stamped = withTime(grays[4] ?? Buffer.alloc(0), takenMs);
    const probed = execFileSync('ffprobe', ['-v', 'error', '-show_frames', '-of', 'json', '-f', 'jpeg_pipe', '-'], { input: stamped, encoding: 'utf8' });
    expect(probed).toMatch(/"DateTimeOriginal": "2026:02:28 23:59:58"/u);
    expect(probed).toMatch(/"SubSecTimeOriginal": "047"/u);
    expect(exifTime(stamped)).toBe(takenMs);
  });

  it('is not known of a picture without one, or of a damaged one, and nothing else happens', () => {
    expect(exifTime(grays[4] ?? Buffer.alloc(0))).toBeUndefined();
    const stamped = withTime(grays[4] ?? Buffer.alloc(0), Date.UTC(2026, 0, 1));
    for (let at = 0; at < 130; at += 1) {
      const damaged = Buffer.from(stamped);
      damaged[at] = 0xff;
      const time = exifTime(damaged);
      expect(time === undefined || Number.isFinite(time) || Number.isNaN(time)).toBe(true);
      expect(() => exifTime(stamped.subarray(0, at))).not.toThrow();
    }
  });

  it('makes a picture as old as it is, where it was held back on its way', async () => {
    const viewers = new Set<ServerResponse>();
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace; boundary=frame' });
      viewers.add(response);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const opened = openCamera({ id: 'front', source: { kind: 'http', url: `http://127.0.0.1:${port}/` }, framesPerSecond: 8 }, { clock: systemClock, log: silentLog, random: () => 0 });
    sources.push(opened);
    let ageMs: number | undefined;
    opened.onFrame(() => {
      const frame = opened.newest();
      if (frame !== undefined) ageMs = systemClock.monoMs() - frame.atMs;
      frame?.release();
    });
    let heldBackMs = 0;
    const send = (): void => {
      const jpeg = withTime(grays[4] ?? Buffer.alloc(0), systemClock.wallMs() - heldBackMs);
      for (const viewer of viewers) viewer.write(Buffer.concat([Buffer.from(`--frame\r\nContent-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`), jpeg, Buffer.from('\r\n')]));
    };
    const timer = setInterval(send, 50);
    try {
      const openedMs = systemClock.monoMs();
      opened.start();
      await until(() => ageMs !== undefined, { timeoutMs: 20_000, what: 'the first picture' });
      // sent while the connection was made, for all that is known
      expect(ageMs).toBeGreaterThanOrEqual(systemClock.monoMs() - openedMs - 500);
      await until(() => (ageMs ?? Infinity) < 500, { timeoutMs: 20_000, what: 'pictures known to be fresh' });
      heldBackMs = 20_000;
      await until(() => (ageMs ?? 0) > 19_000, { timeoutMs: 20_000, what: 'a picture held back' });
    } finally {
      clearInterval(timer);
    }
  });
});
