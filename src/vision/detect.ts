import type { Quad } from '../base/index.js';
import type { PlateRows } from '../plate/index.js';
import { mapQuad, quadIou } from './geometry.js';
import type { LetterboxPlan } from './letterbox.js';

/** A plate as the detector sees it, before anybody has read it. */
export interface Detection {
  readonly corners: Quad;
  readonly score: number;
  readonly rows: PlateRows;
}

export interface DetectorOutput {
  /** [2, height, width]: how likely the centre of a one-row, a two-row plate lies in the cell. */
  readonly score: Float32Array;
  /** [8, height, width]: from the cell's centre to the corners TL, TR, BR, BL, x then y, input pixels. */
  readonly corners: Float32Array;
  readonly width: number;
  readonly height: number;
}

export interface DecodeOptions {
  /** Input pixels per cell. */
  readonly stride: number;
  /** Peaks below this are no plates. */
  readonly threshold: number;
  /** Of two plates that overlap more than this, the less certain one is dropped. */
  readonly nmsIou: number;
  readonly most: number;
}

/** More peaks than any scene has; keeps a picture full of false ones from costing time. */
const mostPeaks = 100;

/** Peaks of the score map with their corners, in input pixels, best first, overlapping ones dropped. */
export function decodeDetections(output: DetectorOutput, options: DecodeOptions): Detection[] {
  const { score, corners, width, height } = output;
  const cells = width * height;
  const heat = (x: number, y: number): number => {
    if (x < 0 || y < 0 || x >= width || y >= height) return -1;
    const at = y * width + x;
    return Math.max(score[at] ?? 0, score[at + cells] ?? 0);
  };
  const peaks: { at: number; x: number; y: number; value: number }[] = [];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * width + x;
      const value = Math.max(score[at] ?? 0, score[at + cells] ?? 0);
      if (value <= options.threshold) continue;
      // of equal neighbours the first in reading order is the peak
      const peak =
        heat(x - 1, y - 1) < value && heat(x, y - 1) < value && heat(x + 1, y - 1) < value && heat(x - 1, y) < value &&
        heat(x + 1, y) <= value && heat(x - 1, y + 1) <= value && heat(x, y + 1) <= value && heat(x + 1, y + 1) <= value;
      if (peak) peaks.push({ at, x, y, value });
    }
  }
  peaks.sort((a, b) => b.value - a.value);
  const kept: Detection[] = [];
  for (const { at, x, y, value } of peaks.slice(0, mostPeaks)) {
    const cx = (x + 0.5) * options.stride;
    const cy = (y + 0.5) * options.stride;
    const corner = (index: number): readonly [number, number] => [cx + (corners[2 * index * cells + at] ?? 0), cy + (corners[(2 * index + 1) * cells + at] ?? 0)];
    const quad: Quad = [corner(0), corner(1), corner(2), corner(3)];
    if (kept.some((other) => quadIou(other.corners, quad) > options.nmsIou || boxIou(other.corners, quad) > options.nmsIou)) continue;
    kept.push({ corners: quad, score: value, rows: (score[at + cells] ?? 0) > (score[at] ?? 0) ? 2 : 1 });
    if (kept.length >= options.most) break;
  }
  return kept;
}

function boxIou(a: Quad, b: Quad): number {
  const box = (quad: Quad): readonly [number, number, number, number] => {
    const xs = quad.map(([x]) => x);
    const ys = quad.map(([, y]) => y);
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  };
  const [ax0, ay0, ax1, ay1] = box(a);
  const [bx0, by0, bx1, by1] = box(b);
  const shared = Math.max(0, Math.min(ax1, bx1) - Math.max(ax0, bx0)) * Math.max(0, Math.min(ay1, by1) - Math.max(ay0, by0));
  const united = (ax1 - ax0) * (ay1 - ay0) + (bx1 - bx0) * (by1 - by0) - shared;
  return united <= 0 ? 0 : shared / united;
}

/** From the network's input back to the picture; 0 is the first pixel's centre in both. */
export function toPicture(quad: Quad, plan: LetterboxPlan): Quad {
  const scaleX = plan.region.width / plan.innerWidth;
  const scaleY = plan.region.height / plan.innerHeight;
  return mapQuad(quad, ([x, y]) => [plan.region.x + (x + 0.5) * scaleX - 0.5, plan.region.y + (y + 0.5) * scaleY - 0.5]);
}
