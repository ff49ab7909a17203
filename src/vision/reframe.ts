import type { Quad } from '../base/index.js';
import { applyHomography, distance, homography, isConvexClockwise, mapQuad, signedArea } from './geometry.js';
import { plateRectangle, type PlateInput } from './straighten.js';

/**
 * Corners that lie this far off on average, in pixels of the reader's input, make a second look worth its time: a stroke
 * of a character is three to four of them wide, and half a stroke is where neighbours begin to be cut off or let in.
 */
export const askewPx = 2;
/** A corner said to lie farther off than this share of the input's width is a guess about something that is no plate. */
const farthestShift = 0.35;
/** How much smaller or larger, by area, the plate may be than the detector thought. */
const [smallestChange, largestChange] = [0.4, 2.5] as const;

/**
 * Where the plate truly is, by the reader that saw it through a crop.
 * @param quad the corners by which the crop was cut, pixels of the picture
 * @param shifts eight values: how far each of the plate's corners (TL, TR, BR, BL; x, y) lies from where the crop has it,
 *   in shares of the crop's width
 * @returns corners in the picture; undefined where the frame was right, or where what the reader says is no plate's shape
 */
export function reframe(quad: Quad, shifts: Float32Array, input: Omit<PlateInput, 'scale'>): Quad | undefined {
  const framed = plateRectangle(input);
  const at = (index: number): number => (shifts[index] ?? 0) * input.width;
  const [a, b, c, d] = framed;
  const seen: Quad = [
    [a[0] + at(0), a[1] + at(1)],
    [b[0] + at(2), b[1] + at(3)],
    [c[0] + at(4), c[1] + at(5)],
    [d[0] + at(6), d[1] + at(7)],
  ];
  const off = [distance(a, seen[0]), distance(b, seen[1]), distance(c, seen[2]), distance(d, seen[3])];
  // written so that what is no number is no shift either
  if (!(off.reduce((sum, each) => sum + each, 0) / 4 > askewPx) || !(Math.max(...off) <= farthestShift * input.width)) return undefined;
  const back = homography(framed, quad);
  if (back === undefined || !isConvexClockwise(seen)) return undefined;
  const corners = mapQuad(seen, (point) => applyHomography(back, point));
  const change = signedArea(corners) / signedArea(quad);
  return isConvexClockwise(corners) && change >= smallestChange && change <= largestChange ? corners : undefined;
}
