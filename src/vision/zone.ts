import type { Point } from '../base/index.js';
import type { Region } from './geometry.js';

/** Corners of the lane's zone, 0 to 1 of the picture's width and height. */
export type Zone = readonly Point[];

/** Room around the zone, of the picture's long side: a plate whose centre lies in the zone must be seen whole. */
const surround = 0.12;

/** Finer steps than this would cost more in room around the zone than the even scaling saves. */
const largestStep = 16;

/** Picture pixels in which the ratio of `longSide` network pixels to the picture's long side comes out even: 5 for 1280 to 512. */
function evenStep(picture: { readonly width: number; readonly height: number }, longSide: number): number {
  const side = Math.max(picture.width, picture.height);
  for (let step = 1; step <= largestStep; step += 1) if ((step * longSide) % side === 0) return step;
  return 2;
}

/**
 * The part of the picture worth searching; undefined where that is nearly all of it. Its edges lie where network pixels
 * begin, wherever picture and network allow that: such a part is scaled several times faster.
 * @param longSide network pixels of the picture's long side
 */
export function zoneRegion(zone: Zone | undefined, picture: { readonly width: number; readonly height: number }, longSide: number): Region | undefined {
  if (zone === undefined || zone.length < 3) return undefined;
  const room = surround * Math.max(picture.width, picture.height);
  const xs = zone.map(([x]) => x * picture.width);
  const ys = zone.map(([, y]) => y * picture.height);
  const step = evenStep(picture, longSide);
  const even = (value: number): number => Math.floor(value / step) * step;
  const x = even(Math.max(0, Math.min(...xs) - room));
  const y = even(Math.max(0, Math.min(...ys) - room));
  const width = even(Math.min(picture.width, Math.max(...xs) + room) - x);
  const height = even(Math.min(picture.height, Math.max(...ys) + room) - y);
  if (width < 2 || height < 2 || width * height > 0.9 * picture.width * picture.height) return undefined;
  return { x, y, width, height };
}
