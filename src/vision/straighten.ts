import type { Quad } from '../base/index.js';
import { homography, quadWidth } from './geometry.js';
import type { Image } from './image.js';

export interface PlateInput {
  readonly width: number;
  readonly height: number;
  /** The plate's corners come to lie this far inside the input's edges, pixels. */
  readonly margin: number;
  /** Factor from 0..255 to the network's values, 1/255 for 0..1. */
  readonly scale: number;
}

/** Enough for a plate that fills the picture; more samples would only repeat pixels of a blurred one. */
const mostSamples = 6;

/** Where the plate's corners lie in the reader's input. */
export function plateRectangle({ width, height, margin }: Omit<PlateInput, 'scale'>): Quad {
  return [
    [margin, margin],
    [width - margin, margin],
    [width - margin, height - margin],
    [margin, height - margin],
  ];
}

/**
 * Straightens a plate: maps its corners to a rectangle by a homography and writes planes of R, G, B. Bilinear;
 * where the plate is more than 1.5 times larger than the input each input pixel averages a grid of samples, so that thin
 * strokes survive. Beyond the picture's edge its last pixels repeat. Coordinates are pixel centres (0 is the first
 * pixel's centre), as in the training's `geometry.straighten`.
 * @returns false where the corners enclose no area; then nothing is written
 */
export function straighten(image: Image, quad: Quad, input: PlateInput, into: Float32Array, offset = 0): boolean {
  const back = homography(plateRectangle(input), quad);
  if (back === undefined) return false;
  const [a, b, c, d, e, f, g, h] = back;
  const { data, width, height } = image;
  const plane = input.width * input.height;
  const ratio = quadWidth(quad) / (input.width - 2 * input.margin);
  const samples = ratio > 1.5 ? Math.min(mostSamples, Math.ceil(ratio)) : 1;
  const factor = input.scale / (samples * samples);
  const lastX = width - 1;
  const lastY = height - 1;
  for (let y = 0; y < input.height; y += 1) {
    for (let x = 0; x < input.width; x += 1) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let sy = 0; sy < samples; sy += 1) {
        const v = y + (sy + 0.5) / samples - 0.5;
        for (let sx = 0; sx < samples; sx += 1) {
          const u = x + (sx + 0.5) / samples - 0.5;
          const w = g * u + h * v + 1;
          let px = (a * u + b * v + c) / w;
          let py = (d * u + e * v + f) / w;
          px = px > 0 ? (px < lastX ? px : lastX) : 0;
          py = py > 0 ? (py < lastY ? py : lastY) : 0;
          const x0 = Math.floor(px);
          const y0 = Math.floor(py);
          const fx = px - x0;
          const fy = py - y0;
          const at = (y0 * width + x0) * 3;
          const right = x0 < lastX ? 3 : 0;
          const below = y0 < lastY ? width * 3 : 0;
          const w00 = (1 - fx) * (1 - fy);
          const w10 = fx * (1 - fy);
          const w01 = (1 - fx) * fy;
          const w11 = fx * fy;
          const corner = at + right + below;
          red += (data[at] ?? 0) * w00 + (data[at + right] ?? 0) * w10 + (data[at + below] ?? 0) * w01 + (data[corner] ?? 0) * w11;
          green += (data[at + 1] ?? 0) * w00 + (data[at + right + 1] ?? 0) * w10 + (data[at + below + 1] ?? 0) * w01 + (data[corner + 1] ?? 0) * w11;
          blue += (data[at + 2] ?? 0) * w00 + (data[at + right + 2] ?? 0) * w10 + (data[at + below + 2] ?? 0) * w01 + (data[corner + 2] ?? 0) * w11;
        }
      }
      const to = offset + y * input.width + x;
      into[to] = red * factor;
      into[to + plane] = green * factor;
      into[to + 2 * plane] = blue * factor;
    }
  }
  return true;
}
