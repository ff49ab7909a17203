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

/** Which source pixels each target pixel covers along one axis, and by how much, in whole numbers. */
interface Taps {
  /** First source index of each target. */
  readonly first: Int32Array;
  /** `most` weights for each target, zero where it covers fewer pixels. */
  readonly weight: Int32Array;
  readonly most: number;
  /** What the weights of each target sum to. */
  readonly total: number;
  /** After so many targets the weights begin anew, a whole number of source pixels further on. */
  readonly period: number;
  /** That number of source pixels. */
  readonly stride: number;
}

/**
 * Weights that do not come out even are rounded to one of these parts: a fifth of a gray level at the very most, where
 * black borders white. Two axes of them times a byte stay within 31 bits.
 */
const finest = 2_048;
/** With weights of this total the sum of bytes still fits into 16 bits: 257 * 255 = 65535. */
const mostInHalf = 257;
/** More than so many different targets in a row are not worth a loop each. */
const mostPhases = 16;

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** `target` pixels from no fewer `source` ones. Ratios such as 5:2 or 15:4 are exact. */
function areaTaps(source: number, target: number): Taps {
  const divisor = commonDivisor(source, target);
  const stride = source / divisor;
  const period = target / divisor;
  // what a source pixel weighs that lies wholly within its target
  const whole = stride <= finest ? period : Math.max(1, Math.floor((finest * target) / source));
  const total = Math.round((whole * source) / target);
  const room = Math.ceil(source / target) + 1;
  const first = new Int32Array(target);
  const roomy = new Int32Array(target * room);
  let most = 1;
  for (let at = 0; at < target; at += 1) {
    const from = (at * source) / target;
    const start = Math.floor(from);
    first[at] = start;
    let left = total;
    for (let tap = 0; left > 0; tap += 1) {
      const covered = tap === 0 ? Math.round((start + 1 - from) * whole) : whole;
      const given = tap === room - 1 || start + tap === source - 1 ? left : Math.min(left, covered);
      roomy[at * room + tap] = given;
      left -= given;
      most = Math.max(most, tap + 1);
    }
  }
  const weight = new Int32Array(target * most);
  for (let at = 0; at < target; at += 1) weight.set(roomy.subarray(at * room, at * room + most), at * most);
  return { first, weight, most, total, period, stride };
}

let tapsCache: { source: number; target: number; taps: Taps }[] = [];

function cachedTaps(source: number, target: number): Taps {
  const known = tapsCache.find((entry) => entry.source === source && entry.target === target);
  if (known !== undefined) return known.taps;
  const taps = areaTaps(source, target);
  tapsCache = [{ source, target, taps }, ...tapsCache].slice(0, 8);
  return taps;
}

/** The pixels four bytes at a time, where every row begins on such a border. */
function wordsOf({ data, width }: Image): Uint32Array | undefined {
  if (data.byteOffset % 4 !== 0 || (width * 3) % 4 !== 0) return undefined;
  return new Uint32Array(data.buffer, data.byteOffset, data.byteLength >> 2);
}

/** Wider parts of a picture take the slower way; no live picture is (ffmpeg scales it down). */
const widestByWords = 4_096;
// constants of a fixed size: the compiler then knows their length and need not look at it for each pixel
const halves = new Uint32Array((widestByWords * 3) / 2 + 16);
const halfRow = new Uint16Array(halves.buffer);
let sums = new Int32Array(0);

/**
 * The exact mean of the area that each target covers, in whole numbers until the last step: first the rows that make up
 * one target row are summed, then its columns. The usual cameras' ratios have small numbers, whose sums fit into 16 bits:
 * then one multiplication does two bytes.
 */
function average(image: Image, plan: LetterboxPlan, scale: number, into: Float32Array): void {
  const down = cachedTaps(plan.region.height, plan.innerHeight);
  const across = cachedTaps(plan.region.width, plan.innerWidth);
  const factor = scale / (down.total * across.total);
  const small = down.total <= mostInHalf && down.most <= 3 && across.most <= 3 && across.period <= mostPhases && plan.region.width <= widestByWords;
  const words = small ? wordsOf(image) : undefined;
  if (words === undefined) averageAny(image, plan, down, across, factor, into);
  else averageByWords(words, image.width, plan, down, across, factor, into);
}

function averageByWords(words: Uint32Array, width: number, { region, innerWidth, innerHeight, width: planWidth, height: planHeight }: LetterboxPlan, down: Taps, across: Taps, factor: number, into: Float32Array): void {
  const plane = planWidth * planHeight;
  const rowWords = (width * 3) >> 2;
  // a row of the region need not begin on a border of words: it is taken from the border before
  const lead = (region.x * 3) % 4;
  const count = Math.ceil((lead + region.width * 3) / 4);
  for (let y = 0; y < innerHeight; y += 1) {
    const start = (region.y + (down.first[y] ?? 0)) * rowWords + ((region.x * 3) >> 2);
    const [u, v, w] = threeWeights(down, y);
    // a weight of none takes the row before again: the one below may lie outside the picture
    const second = v === 0 ? start : start + rowWords;
    sumRowsByWords(words, start, second, w === 0 ? second : second + rowWords, u, v, w, count);
    const to = y * planWidth;
    for (let phase = 0; phase < across.period; phase += 1) {
      const [a, b, c] = threeWeights(across, phase);
      sumColumns(lead + (across.first[phase] ?? 0) * 3, across.stride * 3, a, b, c, factor, into, to + phase, to + innerWidth, across.period, plane);
    }
  }
}

function threeWeights({ weight, most }: Taps, at: number): readonly [number, number, number] {
  const tap = at * most;
  return [weight[tap] ?? 0, most > 1 ? (weight[tap + 1] ?? 0) : 0, most > 2 ? (weight[tap + 2] ?? 0) : 0];
}

/** Three rows, weighted and added: the first and third of four bytes share a multiplication, the second and fourth too. */
function sumRowsByWords(words: Uint32Array, a: number, b: number, c: number, u: number, v: number, w: number, count: number): void {
  for (let x = 0, to = 0; x < count; x += 1, to += 2) {
    const p = words[a + x] ?? 0;
    const q = words[b + x] ?? 0;
    const r = words[c + x] ?? 0;
    const even = (Math.imul(p & 0xff00ff, u) + Math.imul(q & 0xff00ff, v) + Math.imul(r & 0xff00ff, w)) | 0;
    const odd = (Math.imul((p >>> 8) & 0xff00ff, u) + Math.imul((q >>> 8) & 0xff00ff, v) + Math.imul((r >>> 8) & 0xff00ff, w)) | 0;
    // back into the order of the bytes, two to a word
    halves[to] = (even & 0xffff) | (odd << 16);
    halves[to + 1] = (even >>> 16) | (odd & 0xffff0000);
  }
}

/** Every `period`th target of a row: all of them cover up to three columns with the same weights. */
function sumColumns(first: number, stride: number, u: number, v: number, w: number, factor: number, into: Float32Array, begin: number, end: number, period: number, plane: number): void {
  for (let to = begin, at = first; to < end; to += period, at += stride) {
    into[to] = ((Math.imul(halfRow[at] ?? 0, u) + Math.imul(halfRow[at + 3] ?? 0, v) + Math.imul(halfRow[at + 6] ?? 0, w)) | 0) * factor;
    into[to + plane] = ((Math.imul(halfRow[at + 1] ?? 0, u) + Math.imul(halfRow[at + 4] ?? 0, v) + Math.imul(halfRow[at + 7] ?? 0, w)) | 0) * factor;
    into[to + 2 * plane] = ((Math.imul(halfRow[at + 2] ?? 0, u) + Math.imul(halfRow[at + 5] ?? 0, v) + Math.imul(halfRow[at + 8] ?? 0, w)) | 0) * factor;
  }
}

/** Any ratio, any place in memory. */
function averageAny({ data, width }: Image, { region, innerWidth, innerHeight, width: planWidth, height: planHeight }: LetterboxPlan, down: Taps, across: Taps, factor: number, into: Float32Array): void {
  const length = region.width * 3;
  if (sums.length < length + 3 * across.most) sums = new Int32Array(length + 3 * across.most);
  for (let y = 0; y < innerHeight; y += 1) {
    const start = ((region.y + (down.first[y] ?? 0)) * width + region.x) * 3;
    const [u, v, w] = threeWeights(down, y);
    const second = v === 0 ? start : start + width * 3;
    sumRows(data, sums, start, second, w === 0 ? second : second + width * 3, u, v, w, length);
    for (let tap = 3; tap < down.most; tap += 1) {
      const weight = down.weight[y * down.most + tap] ?? 0;
      if (weight !== 0) addRow(data, sums, start + tap * width * 3, weight, length);
    }
    sumUnevenColumns(sums, across, factor, into, y * planWidth, innerWidth, planWidth * planHeight);
  }
}

function sumRows(data: Uint8Array, into: Int32Array, a: number, b: number, c: number, u: number, v: number, w: number, length: number): void {
  for (let x = 0; x < length; x += 1) into[x] = Math.imul(data[a + x] ?? 0, u) + Math.imul(data[b + x] ?? 0, v) + Math.imul(data[c + x] ?? 0, w);
}

function addRow(data: Uint8Array, into: Int32Array, a: number, weight: number, length: number): void {
  for (let x = 0; x < length; x += 1) into[x] = (into[x] ?? 0) + Math.imul(data[a + x] ?? 0, weight);
}

function sumUnevenColumns(row: Int32Array, { first, weight, most }: Taps, factor: number, into: Float32Array, begin: number, count: number, plane: number): void {
  for (let x = 0, to = begin, tap = 0; x < count; x += 1, to += 1) {
    let at = (first[x] ?? 0) * 3;
    let red = 0;
    let green = 0;
    let blue = 0;
    for (const end = tap + most; tap < end; tap += 1, at += 3) {
      const share = weight[tap] ?? 0;
      red = (red + Math.imul(row[at] ?? 0, share)) | 0;
      green = (green + Math.imul(row[at + 1] ?? 0, share)) | 0;
      blue = (blue + Math.imul(row[at + 2] ?? 0, share)) | 0;
    }
    into[to] = red * factor;
    into[to + plane] = green * factor;
    into[to + 2 * plane] = blue * factor;
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
