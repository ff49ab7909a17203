import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderApproach } from '../../src/sim/index.js';
import { annotate, recognizeFiles, type PictureResult, type RecognizeOptions, type RecognizeResult, type VideoResult } from '../../src/vision/index.js';

const run = promisify(execFile);
const plate = { text: '京QM86H8', colour: 'blue', rows: 1, type: 'small-car' } as const;
const directory = mkdtempSync(join(tmpdir(), 'laurel-recognize-'));
const at = (name: string): string => join(directory, name);
let corners: readonly (readonly [number, number])[] = [];

async function recognize(files: readonly string[], options: RecognizeOptions = {}): Promise<RecognizeResult[]> {
  const results: RecognizeResult[] = [];
  for await (const result of recognizeFiles(files, options)) results.push(result);
  return results;
}

function picture(result: RecognizeResult | undefined): PictureResult {
  if (result === undefined || !('width' in result)) throw new Error(`no picture's result: ${JSON.stringify(result)}`);
  return result;
}

function video(result: RecognizeResult | undefined): VideoResult {
  if (result === undefined || !('frames' in result)) throw new Error(`no video's result: ${JSON.stringify(result)}`);
  return result;
}

beforeAll(async () => {
  const [near] = await renderApproach({ plate, fronts: [-2.5] });
  if (near === undefined) throw new Error('nothing was drawn');
  corners = near.corners;
  writeFileSync(at('car.jpg'), near.jpeg);
  await sharp(near.jpeg).png().toFile(at('car.png'));
  await sharp(near.jpeg).webp({ quality: 90 }).toFile(at('car.webp'));
  // held sideways: the pixels are turned and EXIF says how to turn them back
  await sharp(near.jpeg).rotate(-90).withMetadata({ orientation: 6 }).jpeg({ quality: 95 }).toFile(at('sideways.jpg'));
  const xs = corners.map(([x]) => x);
  const ys = corners.map(([, y]) => y);
  const [left, top] = [Math.round(Math.min(...xs)) - 2, Math.round(Math.min(...ys)) - 2];
  await sharp(near.jpeg)
    .extract({ left, top, width: Math.round(Math.max(...xs)) + 3 - left, height: Math.round(Math.max(...ys)) + 3 - top })
    .resize(94, 24, { fit: 'fill' })
    .png()
    .toFile(at('cut-out.png'));
  await sharp({ create: { width: 640, height: 480, channels: 3, background: '#777777' } }).jpeg().toFile(at('empty.jpg'));
  writeFileSync(at('broken.jpg'), 'no picture at all');
  for (const [index, { jpeg }] of (await renderApproach({ plate, fronts: Array.from({ length: 16 }, (_, step) => -6 + step * 0.35) })).entries()) {
    writeFileSync(at(`drive-${String(index).padStart(2, '0')}.jpg`), jpeg);
  }
  await run('ffmpeg', ['-v', 'error', '-framerate', '10', '-i', at('drive-%02d.jpg'), '-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '18', '-pix_fmt', 'yuv420p', at('drive.mp4')]);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('gatectl recognize', () => {
  it('reads JPEG, PNG and WebP alike, with corners where the plate is', async () => {
    const results = (await recognize([at('car.jpg'), at('car.png'), at('car.webp')])).map(picture);
    for (const result of results) {
      expect(result.plates[0]).toMatchObject({ text: plate.text, class: 'blue', rows: 1 });
      expect(result.plates[0]?.confidence).toBeGreaterThan(0.8);
      for (const [index, [x, y]] of (result.plates[0]?.corners ?? []).entries()) {
        expect(Math.hypot(x - (corners[index]?.[0] ?? NaN), y - (corners[index]?.[1] ?? NaN))).toBeLessThan(12);
      }
      expect(result.ms.total).toBeGreaterThanOrEqual(result.ms.detect);
    }
  });

  it('turns a photograph upright as its EXIF says', async () => {
    const result = picture((await recognize([at('sideways.jpg')]))[0]);
    expect([result.width, result.height]).toEqual([1_280, 720]);
    expect(result.plates[0]?.text).toBe(plate.text);
  });

  it('reads a bare plate cut out by another program', async () => {
    expect(picture((await recognize([at('cut-out.png')]))[0]).plates[0]?.text).toBe(plate.text);
  });

  it('gives an empty list for a picture without a plate', async () => {
    expect(picture((await recognize([at('empty.jpg')]))[0]).plates).toEqual([]);
  });

  it('goes on after files that cannot be read, and says which and why', async () => {
    const seen: string[] = [];
    const results = await recognize([at('broken.jpg'), at('missing.jpg'), directory, at('car.jpg')], { onProgress: ({ file }) => void seen.push(file) });
    expect(results.map((result) => ('error' in result ? result.error.split(':')[0] : 'read'))).toEqual(['PICTURE_UNREADABLE', 'PICTURE_UNREADABLE', 'PICTURE_UNREADABLE', 'read']);
    expect(seen).toHaveLength(4);
  });

  it('votes over a video, and gives its frames where they are asked for', async () => {
    const results = await recognize([at('drive.mp4')], { frames: true });
    const whole = video(results.at(-1));
    expect(whole.frames).toBe(16);
    expect(results).toHaveLength(17);
    expect(whole.plates[0]).toMatchObject({ text: plate.text, decisive: true });
    expect(whole.plates.filter(({ text }) => text === plate.text)).toHaveLength(1);
    expect(video((await recognize([at('drive.mp4')]))[0]).frames).toBe(16);
  });

  it('draws frame and text over a copy', async () => {
    const result = picture((await recognize([at('car.jpg')]))[0]);
    const path = await annotate(at('car.jpg'), result, at('annotated'));
    const [before, after] = await Promise.all([sharp(at('car.jpg')).raw().toBuffer(), sharp(path).raw().toBuffer({ resolveWithObject: true })]);
    expect([after.info.width, after.info.height]).toEqual([1_280, 720]);
    const [x, y] = (result.plates[0]?.corners[0] ?? [0, 0]).map(Math.round);
    const pixel = ((y ?? 0) * 1_280 + (x ?? 0)) * 3;
    // the frame's green may be as bright as what it covers: the colour as a whole has changed
    expect(Math.max(...[0, 1, 2].map((channel) => Math.abs((after.data[pixel + channel] ?? 0) - (before[pixel + channel] ?? 0))))).toBeGreaterThan(40);
  });
});
