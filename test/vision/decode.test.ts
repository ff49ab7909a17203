import { describe, expect, it } from 'vitest';
import { decodeDetections, toPicture } from '../../src/vision/detect.js';
import { planLetterbox } from '../../src/vision/letterbox.js';
import { calibrate, decodeReads, type ReaderShape } from '../../src/vision/read.js';

const options = { stride: 8, threshold: 0.3, nmsIou: 0.3, most: 10 };

function map(width: number, height: number, peaks: readonly { x: number; y: number; rows: 1 | 2; value: number; half: number }[]): Parameters<typeof decodeDetections>[0] {
  const cells = width * height;
  const score = new Float32Array(2 * cells);
  const corners = new Float32Array(8 * cells);
  for (const { x, y, rows, value, half } of peaks) {
    const at = y * width + x;
    score[(rows - 1) * cells + at] = value;
    for (const [index, offset] of [-half, -half / 3, half, -half / 3, half, half / 3, -half, half / 3].entries()) corners[index * cells + at] = offset;
  }
  return { score, corners, width, height };
}

describe('the score map', () => {
  it('gives a plate where it peaks, with corners in the picture', () => {
    const found = decodeDetections(map(80, 48, [{ x: 10, y: 20, rows: 1, value: 0.9, half: 30 }]), options);
    expect(found).toHaveLength(1);
    expect(found[0]?.rows).toBe(1);
    expect(found[0]?.corners[0]).toEqual([84 - 30, 164 - 10]);
    const inPicture = found.map(({ corners }) => toPicture(corners, planLetterbox({ width: 1_280, height: 720 }, 640, 32)))[0];
    expect(inPicture?.[0]?.[0]).toBeCloseTo(54 * 2 + 0.5, 5);
  });

  it('gives one plate where two cells see the same', () => {
    const found = decodeDetections(map(80, 48, [{ x: 10, y: 20, rows: 1, value: 0.9, half: 30 }, { x: 12, y: 20, rows: 1, value: 0.8, half: 30 }]), options);
    expect(found.map(({ score }) => Math.round(score * 10))).toEqual([9]);
  });

  it('keeps two cars apart and tells two rows', () => {
    const found = decodeDetections(map(80, 48, [{ x: 10, y: 20, rows: 1, value: 0.6, half: 30 }, { x: 50, y: 30, rows: 2, value: 0.8, half: 30 }]), options);
    expect(found.map(({ rows }) => rows)).toEqual([2, 1]);
  });

  it('below its threshold gives nothing', () => {
    expect(decodeDetections(map(80, 48, [{ x: 10, y: 20, rows: 1, value: 0.29, half: 30 }]), options)).toEqual([]);
  });
});

const alphabet = ['', ...Array.from('京津冀皖ABCDEFGHJKLMNPQRSTUVWXYZ0123456789警学')];
const shape: ReaderShape = { slots: 8, alphabet, classes: ['blue', 'green', 'yellow', 'white', 'black'], calibration: { points: [[0, 0], [0.5, 0.8], [1, 0.99]] } };

function reader(text: string, p: number, second = ''): Parameters<typeof decodeReads>[0] {
  const characters = new Float32Array(8 * alphabet.length);
  for (let slot = 0; slot < 8; slot += 1) {
    const first = alphabet.indexOf(Array.from(text)[slot] ?? '');
    const other = alphabet.indexOf(Array.from(second)[slot] ?? 'Z');
    characters[slot * alphabet.length + other] = 1 - p;
    characters[slot * alphabet.length + first] = p;
  }
  return { characters, colours: Float32Array.from([0.9, 0.1, 0, 0, 0]), rows: Float32Array.from([0.9, 0.1]) };
}

describe('the reader’s slots', () => {
  it('become a plate with its colour, rows and calibrated confidence', () => {
    const [reading] = decodeReads(reader('京QM86H8', 1), 1, shape);
    expect(reading?.read).toMatchObject({ text: '京QM86H8', colour: 'blue', rows: 1, confidence: 0.99 });
  });

  it('are corrected by the grammar: no letter O and no I in a serial', () => {
    const [reading] = decodeReads(reader('京Q086H8', 0.98), 1, shape);
    expect(reading?.read?.text).toBe('京Q086H8');
  });

  it('that say blank are no plate', () => {
    expect(decodeReads(reader('', 1), 1, shape)[0]?.read).toBeUndefined();
  });

  it('that spell no plate are dropped: a time stamp', () => {
    expect(decodeReads(reader('20231104', 0.999), 1, shape)[0]?.read).toBeUndefined();
  });

  it('are calibrated along straight lines', () => {
    expect(calibrate(0.25, [[0, 0], [0.5, 0.8], [1, 0.99]])).toBeCloseTo(0.4, 6);
    expect(calibrate(0.75, [[0, 0], [0.5, 0.8], [1, 0.99]])).toBeCloseTo(0.895, 6);
    expect(calibrate(1, [[0, 0], [0.5, 0.8], [1, 0.99]])).toBe(0.99);
  });
});
