import type { Point } from '../../base/index.js';

/**
 * A place at the gate: metres to the right of the lane's middle (seen in driving direction), above ground, and along the
 * lane (the boom at 0, arriving vehicles at negative values).
 */
export interface Place {
  readonly right: number;
  readonly up: number;
  readonly along: number;
}

/** Where a camera hangs and looks. It looks against the traffic; `yawDeg` turns it over the lane, `pitchDeg` downwards. */
export interface CameraPose {
  readonly at: Place;
  readonly yawDeg: number;
  readonly pitchDeg: number;
  /** Focal length in pixels of the picture. */
  readonly focalPx: number;
}

export const pictureWidth = 1280;
export const pictureHeight = 720;

/**
 * Beside the barrier's housing, below the arm's height, so that the arm never hides a plate: a plate is about 70 pixels
 * wide at 11 m and 260 at 3 m.
 */
export const defaultPose: CameraPose = { at: { right: 1.9, up: 0.9, along: 2.6 }, yawDeg: 13, pitchDeg: 2.2, focalPx: 1750 };

/** Camera coordinates: to the right, up, and ahead of the lens, metres. */
export type Seen = readonly [number, number, number];
export type Matrix3 = readonly [number, number, number, number, number, number, number, number, number];

const nearM = 0.25;

/** A pinhole camera. */
export class Optics {
  readonly pose: CameraPose;
  readonly #ahead: readonly [number, number, number];
  readonly #right: readonly [number, number, number];
  readonly #up: readonly [number, number, number];

  constructor(pose: CameraPose) {
    this.pose = pose;
    const yaw = (pose.yawDeg * Math.PI) / 180;
    const pitch = (pose.pitchDeg * Math.PI) / 180;
    const level: readonly [number, number] = [-Math.sin(yaw), -Math.cos(yaw)];
    this.#ahead = [level[0] * Math.cos(pitch), -Math.sin(pitch), level[1] * Math.cos(pitch)];
    this.#right = [-Math.cos(yaw), 0, Math.sin(yaw)];
    this.#up = [level[0] * Math.sin(pitch), Math.cos(pitch), level[1] * Math.sin(pitch)];
  }

  see(place: Place): Seen {
    const { at } = this.pose;
    const v: Seen = [place.right - at.right, place.up - at.up, place.along - at.along];
    return [dot(v, this.#right), dot(v, this.#up), dot(v, this.#ahead)];
  }

  /** Pixel of a point in camera coordinates. */
  toPixel(seen: Seen): Point {
    const z = Math.max(1e-3, seen[2]);
    return [pictureWidth / 2 + (this.pose.focalPx * seen[0]) / z, pictureHeight / 2 - (this.pose.focalPx * seen[1]) / z];
  }

  pixel(place: Place): Point {
    return this.toPixel(this.see(place));
  }

  /** Outline in pixels of a flat shape, cut off before the lens; empty when it is behind. */
  outline(places: readonly Place[]): Point[] {
    return clipNear(places.map((place) => this.see(place))).map((seen) => this.toPixel(seen));
  }

  /**
   * Maps pixels of the picture to texture coordinates (0 to 1, homogeneous) of a flat quadrangle given by its corners top
   * left, top right, bottom right, bottom left; undefined where it is seen edge-on.
   */
  textureMap(corners: readonly [Place, Place, Place, Place]): Matrix3 | undefined {
    const [c00, c10, c11, c01] = [this.see(corners[0]), this.see(corners[1]), this.see(corners[2]), this.see(corners[3])];
    // c11 as a combination of the others tells how the unit square is mapped on.
    const weights = solve([c10[0], c01[0], c00[0], c10[1], c01[1], c00[1], c10[2], c01[2], c00[2]], c11);
    if (weights === undefined) return undefined;
    const [a, b, c] = weights;
    const f = this.pose.focalPx;
    const [cx, cy] = [pictureWidth / 2, pictureHeight / 2];
    const column = (seen: Seen): Seen => [f * seen[0] + cx * seen[2], -f * seen[1] + cy * seen[2], seen[2]];
    const [k00, k10, k01] = [column(c00), column(c10), column(c01)];
    const forward: Matrix3 = [
      a * k10[0] + c * k00[0], b * k01[0] + c * k00[0], -c * k00[0],
      a * k10[1] + c * k00[1], b * k01[1] + c * k00[1], -c * k00[1],
      a * k10[2] + c * k00[2], b * k01[2] + c * k00[2], -c * k00[2],
    ];
    return invert(forward);
  }
}

function dot(a: Seen, b: readonly [number, number, number]): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function clipNear(shape: readonly Seen[]): Seen[] {
  const kept: Seen[] = [];
  for (const [index, point] of shape.entries()) {
    const before = shape[(index + shape.length - 1) % shape.length] ?? point;
    if (point[2] >= nearM !== before[2] >= nearM) {
      const t = (nearM - before[2]) / (point[2] - before[2]);
      kept.push([before[0] + t * (point[0] - before[0]), before[1] + t * (point[1] - before[1]), nearM]);
    }
    if (point[2] >= nearM) kept.push(point);
  }
  return kept;
}

function determinant(m: Matrix3): number {
  return m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6]);
}

function invert(m: Matrix3): Matrix3 | undefined {
  const d = determinant(m);
  if (Math.abs(d) < 1e-9) return undefined;
  return [
    (m[4] * m[8] - m[5] * m[7]) / d, (m[2] * m[7] - m[1] * m[8]) / d, (m[1] * m[5] - m[2] * m[4]) / d,
    (m[5] * m[6] - m[3] * m[8]) / d, (m[0] * m[8] - m[2] * m[6]) / d, (m[2] * m[3] - m[0] * m[5]) / d,
    (m[3] * m[7] - m[4] * m[6]) / d, (m[1] * m[6] - m[0] * m[7]) / d, (m[0] * m[4] - m[1] * m[3]) / d,
  ];
}

function solve(m: Matrix3, v: Seen): Seen | undefined {
  const inverse = Math.abs(determinant(m)) < 1e-7 ? undefined : invert(m);
  if (inverse === undefined) return undefined;
  return [
    inverse[0] * v[0] + inverse[1] * v[1] + inverse[2] * v[2],
    inverse[3] * v[0] + inverse[4] * v[1] + inverse[5] * v[2],
    inverse[6] * v[0] + inverse[7] * v[1] + inverse[8] * v[2],
  ];
}
