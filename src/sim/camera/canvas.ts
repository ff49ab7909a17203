import type { Point } from '../../base/index.js';
import { pictureHeight, pictureWidth, type Matrix3, type Optics, type Place } from './optics.js';
import type { Level, Texture } from './texture.js';

export interface Area {
  readonly left: number;
  readonly top: number;
  /** Exclusive. */
  readonly right: number;
  readonly bottom: number;
}

export type Gain = readonly [number, number, number];

const stride = pictureWidth * 3;

function unite(a: Area | undefined, b: Area): Area {
  if (a === undefined) return b;
  return { left: Math.min(a.left, b.left), top: Math.min(a.top, b.top), right: Math.max(a.right, b.right), bottom: Math.max(a.bottom, b.bottom) };
}

/** An RGB picture that is drawn into in perspective; keeps account of the area touched since `beginFrame`. */
export class Canvas {
  readonly pixels = new Uint8ClampedArray(pictureWidth * pictureHeight * 3);
  #touched: Area[] = [];
  #current: Area | undefined;

  /** Areas drawn into since `beginFrame`, one for each `group`. */
  get touched(): readonly Area[] {
    return this.#current === undefined ? this.#touched : [...this.#touched, this.#current];
  }

  /** What is drawn from now on is accounted for apart from what was drawn before. @returns the area before */
  group(): Area | undefined {
    const before = this.#current;
    if (before !== undefined) this.#touched.push(before);
    this.#current = undefined;
    return before;
  }

  /** Puts the backdrop back where the last frame drew, or everywhere. */
  beginFrame(backdrop: Uint8Array, areas: readonly Area[] | 'everywhere'): void {
    this.#touched = [];
    this.#current = undefined;
    if (areas === 'everywhere') {
      this.pixels.set(backdrop);
      return;
    }
    for (const area of areas) {
      for (let y = area.top; y < area.bottom; y += 1) {
        const from = y * stride + area.left * 3;
        const to = y * stride + area.right * 3;
        this.pixels.set(backdrop.subarray(from, to), from);
      }
    }
  }

  /**
   * Draws a texture on a flat quadrangle of the world (corners top left, top right, bottom right, bottom left).
   * `smooth` blends neighbouring texels, for what has fine detail.
   */
  quad(optics: Optics, corners: readonly [Place, Place, Place, Place], texture: Texture, gain: Gain, smooth = true): void {
    const outline = optics.outline(corners);
    if (outline.length < 3) return;
    const map = optics.textureMap(corners);
    if (map === undefined) return;
    const area = this.#claim(outline, 0);
    if (area === undefined) return;
    this.#fill(map, outline, area, pickLevel(texture, map, area), gain, smooth);
  }

  /** Adds a soft round light, as a lamp looks through a lens. */
  glow(centre: Point, radiusPx: number, colour: Gain, strength: number): void {
    const area = this.#claim([[centre[0] - radiusPx, centre[1] - radiusPx], [centre[0] + radiusPx, centre[1] + radiusPx]], 0);
    if (area === undefined || radiusPx < 1) return;
    for (let y = area.top; y < area.bottom; y += 1) {
      for (let x = area.left; x < area.right; x += 1) {
        const distance = Math.hypot(x + 0.5 - centre[0], y + 0.5 - centre[1]) / radiusPx;
        if (distance >= 1) continue;
        const fall = 1 - distance;
        const add = strength * 255 * fall * fall * fall;
        const at = y * stride + x * 3;
        for (let channel = 0; channel < 3; channel += 1) {
          this.pixels[at + channel] = Math.min(255, (this.pixels[at + channel] ?? 0) + add * (colour[channel] ?? 0));
        }
      }
    }
  }

  /** Puts a texture on the picture itself, unturned: text the camera writes. */
  stamp(texture: Texture, left: number, top: number): void {
    const level = texture.levels[0];
    const area = this.#claim([[left, top], [left + level.width, top + level.height]], 0);
    if (area === undefined) return;
    for (let y = area.top; y < area.bottom; y += 1) {
      for (let x = area.left; x < area.right; x += 1) {
        const from = ((y - top) * level.width + (x - left)) * 4;
        const rest = 255 - (level.data[from + 3] ?? 0);
        if (rest === 255) continue;
        const at = y * stride + x * 3;
        for (let channel = 0; channel < 3; channel += 1) {
          this.pixels[at + channel] = (level.data[from + channel] ?? 0) + ((this.pixels[at + channel] ?? 0) * rest) / 255;
        }
      }
    }
  }

  /** Sensor noise over the touched area; `table` holds signed values, `offset` moves it from frame to frame. */
  noise(table: Int8Array, offset: number, area: Area | undefined): void {
    if (area === undefined) return;
    const mask = table.length - 1;
    const { pixels } = this;
    for (let y = area.top; y < area.bottom; y += 1) {
      let from = (offset + y * 7919) & mask;
      const end = y * stride + area.right * 3;
      for (let at = y * stride + area.left * 3; at < end; at += 3) {
        const add = table[from] ?? 0;
        // The array clamps by itself.
        pixels[at] = (pixels[at] ?? 0) + add;
        pixels[at + 1] = (pixels[at + 1] ?? 0) + add;
        pixels[at + 2] = (pixels[at + 2] ?? 0) + add;
        from = (from + 1) & mask;
      }
    }
  }

  #claim(points: readonly Point[], margin: number): Area | undefined {
    let left = Infinity;
    let top = Infinity;
    let right = -Infinity;
    let bottom = -Infinity;
    for (const [x, y] of points) {
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
    const area: Area = {
      left: Math.max(0, Math.floor(left) - margin),
      top: Math.max(0, Math.floor(top) - margin),
      right: Math.min(pictureWidth, Math.ceil(right) + margin),
      bottom: Math.min(pictureHeight, Math.ceil(bottom) + margin),
    };
    if (area.left >= area.right || area.top >= area.bottom) return undefined;
    this.#current = unite(this.#current, area);
    return area;
  }

  #fill(map: Matrix3, outline: readonly Point[], area: Area, level: Level, gain: Gain, smooth: boolean): void {
    const { pixels } = this;
    const { data, width, height } = level;
    const [gainR, gainG, gainB] = gain;
    for (let y = area.top; y < area.bottom; y += 1) {
      const span = spanAt(outline, y, area);
      if (span === undefined) continue;
      const cy = y + 0.5;
      let u = map[0] * (span[0] + 0.5) + map[1] * cy + map[2];
      let v = map[3] * (span[0] + 0.5) + map[4] * cy + map[5];
      let w = map[6] * (span[0] + 0.5) + map[7] * cy + map[8];
      for (let x = span[0]; x < span[1]; x += 1, u += map[0], v += map[3], w += map[6]) {
        const tx = (u / w) * width - 0.5;
        const ty = (v / w) * height - 0.5;
        if (tx < -0.5 || ty < -0.5 || tx >= width - 0.5 || ty >= height - 0.5) continue;
        if (!smooth) {
          const from = (((ty + 0.5) | 0) * width + ((tx + 0.5) | 0)) * 4;
          const cover = data[from + 3] ?? 0;
          if (cover === 0) continue;
          const rest = 1 - cover / 255;
          const to = y * stride + x * 3;
          pixels[to] = (data[from] ?? 0) * gainR + (pixels[to] ?? 0) * rest;
          pixels[to + 1] = (data[from + 1] ?? 0) * gainG + (pixels[to + 1] ?? 0) * rest;
          pixels[to + 2] = (data[from + 2] ?? 0) * gainB + (pixels[to + 2] ?? 0) * rest;
          continue;
        }
        const x0 = tx < 0 ? 0 : tx | 0;
        const y0 = ty < 0 ? 0 : ty | 0;
        const fx = tx < 0 ? 0 : tx - x0;
        const fy = ty < 0 ? 0 : ty - y0;
        const at00 = (y0 * width + x0) * 4;
        const at10 = x0 + 1 < width ? at00 + 4 : at00;
        const down = y0 + 1 < height ? width * 4 : 0;
        const w11 = fx * fy;
        const w10 = fx - w11;
        const w01 = fy - w11;
        const w00 = 1 - fx - w01;
        const at01 = at00 + down;
        const at11 = at10 + down;
        const alpha = (data[at00 + 3] ?? 0) * w00 + (data[at10 + 3] ?? 0) * w10 + (data[at01 + 3] ?? 0) * w01 + (data[at11 + 3] ?? 0) * w11;
        if (alpha < 1) continue;
        const rest = 1 - alpha / 255;
        const to = y * stride + x * 3;
        const red = ((data[at00] ?? 0) * w00 + (data[at10] ?? 0) * w10 + (data[at01] ?? 0) * w01 + (data[at11] ?? 0) * w11) * gainR + (pixels[to] ?? 0) * rest;
        const green = ((data[at00 + 1] ?? 0) * w00 + (data[at10 + 1] ?? 0) * w10 + (data[at01 + 1] ?? 0) * w01 + (data[at11 + 1] ?? 0) * w11) * gainG + (pixels[to + 1] ?? 0) * rest;
        const blue = ((data[at00 + 2] ?? 0) * w00 + (data[at10 + 2] ?? 0) * w10 + (data[at01 + 2] ?? 0) * w01 + (data[at11 + 2] ?? 0) * w11) * gainB + (pixels[to + 2] ?? 0) * rest;
        pixels[to] = red;
        pixels[to + 1] = green;
        pixels[to + 2] = blue;
      }
    }
  }
}

/** Columns of a convex outline on one row, widened to whole pixels. */
function spanAt(outline: readonly Point[], y: number, area: Area): readonly [number, number] | undefined {
  let least = Infinity;
  let most = -Infinity;
  // A row is a band one pixel high; its widest place counts, so that slanted edges lose nothing.
  for (let index = 0; index < outline.length; index += 1) {
    const a = outline[index];
    const b = outline[(index + 1) % outline.length];
    if (a === undefined || b === undefined) continue;
    const low = Math.max(y, Math.min(a[1], b[1]));
    const high = Math.min(y + 1, Math.max(a[1], b[1]));
    if (low > high) continue;
    const slope = b[1] === a[1] ? undefined : (b[0] - a[0]) / (b[1] - a[1]);
    for (const x of slope === undefined ? [a[0], b[0]] : [a[0] + (low - a[1]) * slope, a[0] + (high - a[1]) * slope]) {
      if (x < least) least = x;
      if (x > most) most = x;
    }
  }
  if (least > most) return undefined;
  return [Math.max(area.left, Math.floor(least)), Math.min(area.right, Math.ceil(most))];
}

/** The copy of a texture whose pixels are about as large as those of the picture. */
function pickLevel(texture: Texture, map: Matrix3, area: Area): Level {
  const full = texture.levels[0];
  const x = (area.left + area.right) / 2;
  const y = (area.top + area.bottom) / 2;
  const w = map[6] * x + map[7] * y + map[8];
  const u = (map[0] * x + map[1] * y + map[2]) / w;
  const v = (map[3] * x + map[4] * y + map[5]) / w;
  const perPixelX = Math.hypot(((map[0] - u * map[6]) / w) * full.width, ((map[3] - v * map[6]) / w) * full.height);
  const perPixelY = Math.hypot(((map[1] - u * map[7]) / w) * full.width, ((map[4] - v * map[7]) / w) * full.height);
  // Plates are slanted more across than along: the finer of both keeps strokes, half a level sharper than neutral.
  const scale = Math.min(perPixelX, perPixelY) * 0.5 + Math.max(perPixelX, perPixelY) * 0.5;
  const level = Math.max(0, Math.min(texture.levels.length - 1, Math.round(Math.log2(Math.max(1, scale)) - 0.1)));
  return texture.levels[level] ?? full;
}
