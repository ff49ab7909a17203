import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Point, Quad } from '../../src/base/index.js';
import { PROVINCES } from '../../src/plate/index.js';
import { applyHomography, distance, homography, mapQuad } from '../../src/vision/geometry.js';
import type { Image } from '../../src/vision/image.js';
import { Recognizer, readPicture, type Manifest, type Models } from '../../src/vision/index.js';
import { reframe } from '../../src/vision/reframe.js';
import { plateRectangle } from '../../src/vision/straighten.js';

const input = { name: 'plates', width: 128, height: 48, margin: 4, layout: 'NCHW', channels: 'RGB', scale: 1 / 255 } as const;
const alphabet = ['', ...Array.from(`${PROVINCES}ABCDEFGHJKLMNPQRSTUVWXYZ0123456789`)];
const text = Array.from('京QM86H8');
const slots = 9;
const file = { file: 'none.onnx', sha256: '0'.repeat(64), bytes: 1 };

const manifest: Manifest = {
  version: 'test',
  detector: { ...file, input: { name: 'image', layout: 'NCHW', channels: 'RGB', scale: 1 / 255, longSide: 320, multiple: 32, padValue: 114 }, outputs: { score: 'score', corners: 'corners' }, stride: 8, threshold: 0.3, nmsIou: 0.3 },
  reader: {
    ...file,
    input,
    outputs: { characters: 'characters', class: 'class', rows: 'rows', corners: 'corners' },
    decoding: 'slots',
    slots,
    alphabet,
    classes: ['blue', 'green', 'yellow', 'white', 'black'],
    calibration: { points: [[0, 0], [1, 1]] },
  },
};

/** Red, green, blue and white marks on black where the plate's corners are. */
const marks = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]] as const;

function scene(plates: readonly Quad[]): Image {
  const [width, height] = [320, 192];
  const data = new Uint8Array(width * height * 3);
  for (const plate of plates) {
    for (const [at, corner] of plate.entries()) {
      const [cx, cy] = [Math.round(corner[0]), Math.round(corner[1])];
      for (let y = cy - 2; y <= cy + 2; y += 1) for (let x = cx - 2; x <= cx + 2; x += 1) data.set(marks[at] ?? [], (y * width + x) * 3);
    }
  }
  return { data, width, height };
}

/** Centre of the pixels of one mark in a crop, undefined where it lies outside. */
function markIn(crop: Float32Array, mark: readonly [number, number, number]): Point | undefined {
  const plane = input.width * input.height;
  let [sum, sx, sy] = [0, 0, 0];
  for (let at = 0; at < plane; at += 1) {
    const pixel = [0, 1, 2].map((channel) => crop[channel * plane + at] ?? 0);
    const least = Math.min(...pixel.filter((_, channel) => mark[channel] === 255));
    const most = Math.max(0, ...pixel.filter((_, channel) => mark[channel] === 0));
    const weight = Math.max(0, least - most);
    if (weight < 0.3) continue;
    sum += weight;
    sx += weight * (at % input.width);
    sy += weight * Math.floor(at / input.width);
  }
  return sum === 0 ? undefined : [sx / sum, sy / sum];
}

interface Watched {
  readonly recognizer: Recognizer;
  /** How many plates each run of the reader was given. */
  readonly runs: number[];
}

/**
 * A reader that looks where the marks are in its crop and reads the more surely the nearer they lie to where they belong;
 * a detector that finds plates at `detected`. With `blind` it has no output of corners, with `lie` it gives those.
 */
function watched({ detected = [], blind = false, lie, surer = true }: { detected?: readonly Quad[]; blind?: boolean; lie?: readonly number[]; surer?: boolean } = {}): Watched {
  const runs: number[] = [];
  const models: Models = {
    directory: '',
    manifest,
    bytes: 0,
    detect: (_image, width, height) => {
      const [columns, rows] = [width / 8, height / 8];
      const cells = columns * rows;
      const score = new Float32Array(2 * cells);
      const corners = new Float32Array(8 * cells);
      for (const quad of detected) {
        const cx = Math.round(quad.reduce((sum, [x]) => sum + x, 0) / 32);
        const cy = Math.round(quad.reduce((sum, [, y]) => sum + y, 0) / 32);
        const at = cy * columns + cx;
        score[at] = 0.9;
        for (const [index, [x, y]] of quad.entries()) {
          corners[2 * index * cells + at] = x - (cx + 0.5) * 8;
          corners[(2 * index + 1) * cells + at] = y - (cy + 0.5) * 8;
        }
      }
      return Promise.resolve({ score, corners });
    },
    read: (plates, count) => {
      runs.push(count);
      const characters = new Float32Array(count * slots * alphabet.length);
      const corners = new Float32Array(count * 8);
      for (let plate = 0; plate < count; plate += 1) {
        const crop = plates.subarray(plate * 3 * input.width * input.height, (plate + 1) * 3 * input.width * input.height);
        let off = 0;
        for (const [at, belongs] of plateRectangle(input).entries()) {
          const seen = markIn(crop, marks[at] ?? [0, 0, 0]) ?? belongs;
          off = Math.max(off, distance(seen, belongs));
          corners[plate * 8 + 2 * at] = (seen[0] - belongs[0]) / input.width;
          corners[plate * 8 + 2 * at + 1] = (seen[1] - belongs[1]) / input.width;
        }
        if (lie !== undefined) corners.set(lie, plate * 8);
        const p = surer ? Math.max(0.9, 0.999 - off / 100) : runs.length === 1 ? 0.99 : 0.95;
        for (let slot = 0; slot < slots; slot += 1) characters[(plate * slots + slot) * alphabet.length + alphabet.indexOf(text[slot] ?? '')] = p;
      }
      return Promise.resolve({ characters, colours: new Float32Array(count * 5), rows: new Float32Array(count * 2), ...(blind ? {} : { corners }) });
    },
    close: () => Promise.resolve(),
  };
  return { recognizer: new Recognizer(models), runs };
}

const plate: Quad = [[110, 80], [206, 92], [204, 128], [108, 116]];
/** Too large and level, as a detector frames a slanted plate. */
const askew: Quad = [[104, 76], [212, 84], [210, 133], [103, 122]];
const farAway: Quad = [[20, 20], [80, 24], [79, 46], [19, 42]];

function expectNear(corners: Quad | undefined, truth: Quad, within: number): void {
  for (const [at, corner] of (corners ?? []).entries()) expect(distance(corner, truth[at] ?? [NaN, NaN])).toBeLessThan(within);
  expect(corners).toHaveLength(4);
}

describe('a plate framed askew', () => {
  it('is straightened anew by where the reader sees its corners, and read again', async () => {
    const { recognizer, runs } = watched();
    const [reading] = await recognizer.read(scene([plate]), [askew]);
    expectNear(reading?.corners, plate, 1);
    expect(reading?.read?.text).toBe('京QM86H8');
    expect(reading?.read?.confidence).toBeGreaterThan(0.9);
    expect(runs).toEqual([1, 1]);
  });

  it('on the live path gets better corners from the detector’s ones, all such plates of a picture in one run', async () => {
    const wide: Quad = [[14, 15], [86, 20], [85, 51], [13, 46]];
    const { recognizer, runs } = watched({ detected: [askew, wide] });
    const { plates } = await recognizer.recognize(scene([plate, farAway]));
    expect(plates).toHaveLength(2);
    expectNear(plates.find(({ corners }) => corners[0][0] > 90)?.corners, plate, 1);
    expectNear(plates.find(({ corners }) => corners[0][0] < 90)?.corners, farAway, 1);
    expect(runs).toEqual([2, 2]);
  });

  it('in a still picture too', async () => {
    const { recognizer } = watched({ detected: [askew] });
    const { plates } = await readPicture(recognizer, scene([plate]));
    expectNear(plates[0]?.corners, plate, 1);
  });

  it('among well framed ones is the only one that is read twice', async () => {
    const { recognizer, runs } = watched();
    const [, second] = await recognizer.read(scene([plate, farAway]), [farAway, askew]);
    expectNear(second?.corners, plate, 1);
    expect(runs).toEqual([2, 1]);
  });

  it('keeps its first corners where the second reading is less sure', async () => {
    const { recognizer, runs } = watched({ surer: false });
    const [reading] = await recognizer.read(scene([plate]), [askew]);
    expect(reading?.corners).toEqual(askew);
    expect(reading?.read?.confidence).toBeCloseTo(0.99 ** 9, 6);
    expect(runs).toEqual([1, 1]);
  });

  it('costs nothing more where the frame is right, or the reader does not tell corners', async () => {
    const right = watched();
    const [reading] = await right.recognizer.read(scene([plate]), [plate]);
    expect(reading?.corners).toEqual(plate);
    expect(right.runs).toEqual([1]);
    const blind = watched({ blind: true });
    expect((await blind.recognizer.read(scene([plate]), [askew]))[0]?.corners).toEqual(askew);
    expect(blind.runs).toEqual([1]);
  });

  it.each<[string, readonly number[]]>([
    ['folds over itself', [0.3, 0, -0.3, 0, 0.3, 0, -0.3, 0.2]],
    ['has almost no area', [0.3, 0.1, -0.3, 0.1, -0.3, -0.1, 0.3, -0.1]],
    ['is far larger than the frame', [-0.3, -0.3, 0.3, -0.3, 0.3, 0.3, -0.3, 0.3]],
    ['lies somewhere else', [0.4, 0, 0.4, 0, 0.4, 0, 0.4, 0]],
    ['is no number', [NaN, 0, 0, 0, 0, 0, 0, 0]],
  ])('is left as it is where what the reader says %s', async (_what, lie) => {
    const { recognizer, runs } = watched({ lie });
    expect((await recognizer.read(scene([plate]), [askew]))[0]?.corners).toEqual(askew);
    expect(runs).toEqual([1]);
  });
});

describe('corners seen through a crop', () => {
  // a seventh of the plate’s height: further off, what the reader says may rightly be taken for a guess
  const jitter = fc.double({ min: -6, max: 6, noNaN: true });
  const moved = (quad: Quad) => fc.array(fc.tuple(jitter, jitter), { minLength: 4, maxLength: 4 }).map((by): Quad => {
    const corner = (at: 0 | 1 | 2 | 3): Point => [quad[at][0] + (by[at]?.[0] ?? 0), quad[at][1] + (by[at]?.[1] ?? 0)];
    return [corner(0), corner(1), corner(2), corner(3)];
  });

  it('come back to where they are in the picture', () => {
    fc.assert(
      fc.property(moved([[100, 100], [220, 104], [218, 148], [98, 140]]), moved([[102, 98], [221, 103], [216, 146], [99, 143]]), (framed, truth) => {
        const through = homography(framed, plateRectangle(input));
        if (through === undefined) throw new Error('no map');
        const seen = mapQuad(truth, (point) => applyHomography(through, point));
        const shifts = Float32Array.from(plateRectangle(input).flatMap(([x, y], at) => [((seen[at]?.[0] ?? NaN) - x) / input.width, ((seen[at]?.[1] ?? NaN) - y) / input.width]));
        const found = reframe(framed, shifts, input);
        const mean = plateRectangle(input).reduce((sum, corner, at) => sum + distance(corner, seen[at] ?? [NaN, NaN]), 0) / 4;
        if (mean > 2.001) expectNear(found, truth, 0.01);
        if (mean < 1.999) expect(found).toBeUndefined();
      }),
    );
  });
});
