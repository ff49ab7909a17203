import type { Region } from './geometry.js';
import type { Image } from './image.js';

export interface LetterboxPlan {
  /** Part of the picture that is shown to the network. */
  readonly region: Region;
  /** Network pixels per picture pixel. */
  readonly scale: number;
  /** Size of the scaled part, before padding. */
  readonly innerWidth: number;
  readonly innerHeight: number;
  /** Size of the network's input. */
  readonly width: number;
  readonly height: number;
}

const roundUp = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;

/**
 * How a picture, or a part of it, is laid into the network's input. The scale follows the whole picture's long side, so
 * a plate is as large for the network whether the lane's zone or the whole picture is searched; a zone only costs less.
 */
export function planLetterbox(picture: { readonly width: number; readonly height: number }, longSide: number, multiple: number, region?: Region): LetterboxPlan {
  const part = region ?? { x: 0, y: 0, width: picture.width, height: picture.height };
  const scale = longSide / Math.max(picture.width, picture.height);
  const innerWidth = Math.max(1, Math.round(part.width * scale));
  const innerHeight = Math.max(1, Math.round(part.height * scale));
  return { region: part, scale, innerWidth, innerHeight, width: roundUp(innerWidth, multiple), height: roundUp(innerHeight, multiple) };
}

/**
 * Scales a part of a picture into planes of R, G and B, padding right and below: the letterbox straight into the tensor.
 * Down-scaling averages the area each network pixel covers, up-scaling is bilinear.
 * @param scale factor from 0..255 to the network's values, 1/255 for 0..1
 * @param padValue gray of the padding, 0 to 255
 * @param into at least 3 * plan.width * plan.height
 */
export function letterbox(image: Image, plan: LetterboxPlan, { scale, padValue }: { readonly scale: number; readonly padValue: number }, into: Float32Array): void {
  const plane = plan.width * plan.height;
  for (let y = 0; y < plan.height; y += 1) {
    const from = y < plan.innerHeight ? plan.innerWidth : 0;
    if (from === plan.width) continue;
    for (let channel = 0; channel < 3; channel += 1) into.fill(padValue * scale, channel * plane + y * plan.width + from, channel * plane + (y + 1) * plan.width);
  }
  const { region, innerWidth, innerHeight } = plan;
  if (innerWidth === region.width && innerHeight === region.height) copyAsItIs(image, plan, scale, into);
  else if (innerWidth * 2 === region.width && innerHeight * 2 === region.height) halve(image, plan, scale, into);
  else if (innerWidth <= region.width && innerHeight <= region.height) average(image, plan, scale, into);
  else enlarge(image, plan, scale, into);
}

function copyAsItIs({ data, width }: Image, plan: LetterboxPlan, scale: number, into: Float32Array): void {
  const plane = plan.width * plan.height;
  for (let y = 0; y < plan.innerHeight; y += 1) {
    let at = ((plan.region.y + y) * width + plan.region.x) * 3;
    let to = y * plan.width;
    for (let x = 0; x < plan.innerWidth; x += 1, at += 3, to += 1) {
      into[to] = (data[at] ?? 0) * scale;
      into[to + plane] = (data[at + 1] ?? 0) * scale;
      into[to + 2 * plane] = (data[at + 2] ?? 0) * scale;
    }
  }
}

/** 1280 to 640, the usual camera: four pixels to one. */
function halve({ data, width }: Image, plan: LetterboxPlan, scale: number, into: Float32Array): void {
  const plane = plan.width * plan.height;
  const stride = width * 3;
  const factor = scale / 4;
  for (let y = 0; y < plan.innerHeight; y += 1) {
    let a = ((plan.region.y + 2 * y) * width + plan.region.x) * 3;
    let b = a + stride;
    let to = y * plan.width;
    for (let x = 0; x < plan.innerWidth; x += 1, a += 6, b += 6, to += 1) {
      into[to] = ((data[a] ?? 0) + (data[a + 3] ?? 0) + (data[b] ?? 0) + (data[b + 3] ?? 0)) * factor;
      into[to + plane] = ((data[a + 1] ?? 0) + (data[a + 4] ?? 0) + (data[b + 1] ?? 0) + (data[b + 4] ?? 0)) * factor;
      into[to + 2 * plane] = ((data[a + 2] ?? 0) + (data[a + 5] ?? 0) + (data[b + 2] ?? 0) + (data[b + 5] ?? 0)) * factor;
    }
  }
}

interface Taps {
  /** First source index of each target. */
  readonly first: Int32Array;
  /** How many source pixels each target covers. */
  readonly count: Int32Array;
  /** Their weights, `most` for each target; sum 1. */
  readonly weight: Float32Array;
  readonly most: number;
}

/** Which source pixels each target pixel covers, and by how much. */
function areaTaps(source: number, target: number): Taps {
  const step = source / target;
  const most = Math.ceil(step) + 1;
  const first = new Int32Array(target);
  const count = new Int32Array(target);
  const weight = new Float32Array(target * most);
  for (let at = 0; at < target; at += 1) {
    const from = at * step;
    const to = Math.min(source, from + step);
    first[at] = Math.floor(from);
    let used = 0;
    for (let index = Math.floor(from); index < to && used < most; index += 1) {
      weight[at * most + used] = Math.max(0, Math.min(to, index + 1) - Math.max(from, index)) / step;
      used += 1;
    }
    count[at] = used;
  }
  return { first, count, weight, most };
}

let tapsCache: { source: number; target: number; taps: Taps }[] = [];

function cachedTaps(source: number, target: number): Taps {
  const known = tapsCache.find((entry) => entry.source === source && entry.target === target);
  if (known !== undefined) return known.taps;
  const taps = areaTaps(source, target);
  tapsCache = [{ source, target, taps }, ...tapsCache].slice(0, 8);
  return taps;
}

let rowBuffer = new Float32Array(0);

/** Rows first (each source row is read once, in order), then columns. */
function average({ data, width }: Image, plan: LetterboxPlan, scale: number, into: Float32Array): void {
  const { region, innerWidth, innerHeight } = plan;
  const plane = plan.width * plan.height;
  const down = cachedTaps(region.height, innerHeight);
  const across = cachedTaps(region.width, innerWidth);
  const length = region.width * 3;
  if (rowBuffer.length < length) rowBuffer = new Float32Array(length);
  const row = rowBuffer;
  for (let y = 0; y < innerHeight; y += 1) {
    const rows = down.count[y] ?? 0;
    for (let tap = 0; tap < rows; tap += 1) {
      const weight = (down.weight[y * down.most + tap] ?? 0) * scale;
      const at = ((region.y + (down.first[y] ?? 0) + tap) * width + region.x) * 3;
      if (tap === 0) for (let x = 0; x < length; x += 1) row[x] = (data[at + x] ?? 0) * weight;
      else for (let x = 0; x < length; x += 1) row[x] = (row[x] ?? 0) + (data[at + x] ?? 0) * weight;
    }
    let to = y * plan.width;
    for (let x = 0; x < innerWidth; x += 1, to += 1) {
      let r = 0;
      let g = 0;
      let b = 0;
      const columns = across.count[x] ?? 0;
      let at = (across.first[x] ?? 0) * 3;
      for (let tap = 0; tap < columns; tap += 1, at += 3) {
        const weight = across.weight[x * across.most + tap] ?? 0;
        r += (row[at] ?? 0) * weight;
        g += (row[at + 1] ?? 0) * weight;
        b += (row[at + 2] ?? 0) * weight;
      }
      into[to] = r;
      into[to + plane] = g;
      into[to + 2 * plane] = b;
    }
  }
}

function enlarge({ data, width }: Image, plan: LetterboxPlan, scale: number, into: Float32Array): void {
  const { region, innerWidth, innerHeight } = plan;
  const plane = plan.width * plan.height;
  const stepX = region.width / innerWidth;
  const stepY = region.height / innerHeight;
  for (let y = 0; y < innerHeight; y += 1) {
    const sy = Math.min(region.height - 1, Math.max(0, (y + 0.5) * stepY - 0.5));
    const y0 = Math.floor(sy);
    const y1 = Math.min(region.height - 1, y0 + 1);
    const fy = sy - y0;
    for (let x = 0; x < innerWidth; x += 1) {
      const sx = Math.min(region.width - 1, Math.max(0, (x + 0.5) * stepX - 0.5));
      const x0 = Math.floor(sx);
      const x1 = Math.min(region.width - 1, x0 + 1);
      const fx = sx - x0;
      const a = ((region.y + y0) * width + region.x + x0) * 3;
      const b = ((region.y + y0) * width + region.x + x1) * 3;
      const c = ((region.y + y1) * width + region.x + x0) * 3;
      const d = ((region.y + y1) * width + region.x + x1) * 3;
      for (let channel = 0; channel < 3; channel += 1) {
        const top = (data[a + channel] ?? 0) * (1 - fx) + (data[b + channel] ?? 0) * fx;
        const bottom = (data[c + channel] ?? 0) * (1 - fx) + (data[d + channel] ?? 0) * fx;
        into[channel * plane + y * plan.width + x] = (top * (1 - fy) + bottom * fy) * scale;
      }
    }
  }
}
