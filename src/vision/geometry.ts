import type { Point, Quad } from '../base/index.js';

/** Axis-parallel rectangle in whole pixels; right and bottom are outside. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export function quadCentre(quad: Quad): Point {
  return [(quad[0][0] + quad[1][0] + quad[2][0] + quad[3][0]) / 4, (quad[0][1] + quad[1][1] + quad[2][1] + quad[3][1]) / 4];
}

export function distance(a: Point, b: Point): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

/** Mean length of the upper and the lower edge. */
export function quadWidth(quad: Quad): number {
  return (distance(quad[0], quad[1]) + distance(quad[3], quad[2])) / 2;
}

/** Mean length of the left and the right edge. */
export function quadHeight(quad: Quad): number {
  return (distance(quad[0], quad[3]) + distance(quad[1], quad[2])) / 2;
}

export function mapQuad(quad: Quad, map: (point: Point) => Point): Quad {
  return [map(quad[0]), map(quad[1]), map(quad[2]), map(quad[3])];
}

/** Area by the shoelace formula; positive for corners that run clockwise on the screen. */
export function signedArea(polygon: readonly Point[]): number {
  let sum = 0;
  for (let at = 0; at < polygon.length; at += 1) {
    const a = polygon[at];
    const b = polygon[(at + 1) % polygon.length];
    if (a !== undefined && b !== undefined) sum += a[0] * b[1] - b[0] * a[1];
  }
  return sum / 2;
}

/** True where the corners run clockwise around a convex shape, as a plate's do from any side it can be read. */
export function isConvexClockwise(quad: Quad): boolean {
  for (let at = 0; at < 4; at += 1) {
    const a = quad[at];
    const b = quad[(at + 1) % 4];
    const c = quad[(at + 2) % 4];
    if (a === undefined || b === undefined || c === undefined) return false;
    if ((b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]) <= 0) return false;
  }
  return true;
}

/** The part of `subject` inside the convex clockwise `clip` (Sutherland and Hodgman 1974). */
function clipConvex(subject: readonly Point[], clip: readonly Point[]): readonly Point[] {
  let output = subject;
  for (let edge = 0; edge < clip.length && output.length > 0; edge += 1) {
    const a = clip[edge];
    const b = clip[(edge + 1) % clip.length];
    if (a === undefined || b === undefined) continue;
    const inside = (p: Point): number => (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]);
    const next: Point[] = [];
    for (let at = 0; at < output.length; at += 1) {
      const p = output[at];
      const q = output[(at + 1) % output.length];
      if (p === undefined || q === undefined) continue;
      const dp = inside(p);
      const dq = inside(q);
      if (dp >= 0) next.push(p);
      if ((dp > 0 && dq < 0) || (dp < 0 && dq > 0)) {
        const t = dp / (dp - dq);
        next.push([p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])]);
      }
    }
    output = next;
  }
  return output;
}

/** Shared area over united area of two plates' corners, 0 to 1. Corners that cross or run the wrong way count as 0. */
export function quadIou(a: Quad, b: Quad): number {
  if (!isConvexClockwise(a) || !isConvexClockwise(b)) return 0;
  const shared = Math.abs(signedArea(clipConvex(a, b)));
  const united = signedArea(a) + signedArea(b) - shared;
  return united <= 0 ? 0 : shared / united;
}

/** Even-odd rule; a point on the edge may fall on either side. */
export function insidePolygon(point: Point, polygon: readonly Point[]): boolean {
  let inside = false;
  for (let at = 0, before = polygon.length - 1; at < polygon.length; before = at, at += 1) {
    const a = polygon[at];
    const b = polygon[before];
    if (a === undefined || b === undefined) continue;
    if (a[1] > point[1] !== b[1] > point[1] && point[0] < ((b[0] - a[0]) * (point[1] - a[1])) / (b[1] - a[1]) + a[0]) inside = !inside;
  }
  return inside;
}

/** Projective map, row by row; the last entry is 1. */
export type Homography = readonly [number, number, number, number, number, number, number, number, number];

/**
 * The projective map that takes the four points of `from` to those of `to`, by Gaussian elimination with pivoting on the
 * eight linear equations (Heckbert 1989, "Fundamentals of Texture Mapping"). Undefined where three points are in line.
 */
export function homography(from: Quad, to: Quad): Homography | undefined {
  const rows: number[][] = [];
  for (let at = 0; at < 4; at += 1) {
    const [x, y] = from[at] ?? [0, 0];
    const [u, v] = to[at] ?? [0, 0];
    rows.push([x, y, 1, 0, 0, 0, -x * u, -y * u, u], [0, 0, 0, x, y, 1, -x * v, -y * v, v]);
  }
  const cell = (row: number, column: number): number => rows[row]?.[column] ?? 0;
  for (let pivot = 0; pivot < 8; pivot += 1) {
    let best = pivot;
    for (let row = pivot + 1; row < 8; row += 1) if (Math.abs(cell(row, pivot)) > Math.abs(cell(best, pivot))) best = row;
    const chosen = rows[best];
    const current = rows[pivot];
    if (chosen === undefined || current === undefined || Math.abs(cell(best, pivot)) < 1e-9) return undefined;
    rows[best] = current;
    rows[pivot] = chosen;
    for (let row = 0; row < 8; row += 1) {
      const target = rows[row];
      if (row === pivot || target === undefined) continue;
      const factor = cell(row, pivot) / cell(pivot, pivot);
      for (let column = pivot; column < 9; column += 1) target[column] = cell(row, column) - factor * cell(pivot, column);
    }
  }
  const h = (at: number): number => cell(at, 8) / cell(at, at);
  return [h(0), h(1), h(2), h(3), h(4), h(5), h(6), h(7), 1];
}

export function applyHomography(m: Homography, [x, y]: Point): Point {
  const w = m[6] * x + m[7] * y + m[8];
  return [(m[0] * x + m[1] * y + m[2]) / w, (m[3] * x + m[4] * y + m[5]) / w];
}
