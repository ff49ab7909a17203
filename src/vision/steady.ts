import type { Quad } from '../base/index.js';
import type { SlotCandidate } from '../plate/index.js';
import { applyHomography, homography, mapQuad } from './geometry.js';
import { readSlots, type Reading, type ReaderShape } from './read.js';

/** Framings of one plate: wider, higher, shifted along; shares of its own width and height. */
const framings = [
  { wider: 0, higher: 0, along: 0 },
  { wider: 0.03, higher: 0.06, along: 0 },
  { wider: -0.02, higher: -0.05, along: 0 },
  { wider: 0, higher: 0, along: 0.012 },
  { wider: 0, higher: 0, along: -0.012 },
] as const;
/** What a framing that does not name a character gives it: it was not among its best guesses. */
const unnamed = 1e-4;

const unit: Quad = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 1],
];

/** The plate framed a little differently each time, as several frames of a video would have it; the given corners first. */
export function framedAround(quad: Quad): readonly Quad[] {
  const plane = homography(unit, quad);
  if (plane === undefined) return [quad];
  return framings.map(({ wider, higher, along }) => mapQuad(unit, ([x, y]) => applyHomography(plane, [x + (x - 0.5) * wider + along, y + (y - 0.5) * higher])));
}

/**
 * One reading out of several of the same plate: the guesses of each slot averaged by their logarithms, so that one
 * framing's certainty does not outvote the doubt of the others. The look is that of the first that was read.
 */
export function blend(readings: readonly Reading[], shape: ReaderShape): Reading | undefined {
  const look = readings.find(({ read }) => read !== undefined)?.read;
  if (look === undefined) return undefined;
  const slots = Array.from({ length: shape.slots }, (_, slot): SlotCandidate[] => {
    const named = new Map<string, number>();
    for (const reading of readings) for (const { char } of reading.slots[slot] ?? []) named.set(char, 0);
    for (const reading of readings) {
      const given = new Map((reading.slots[slot] ?? []).map(({ char, p }) => [char, p]));
      for (const [char, sum] of named) named.set(char, sum + Math.log(Math.max(unnamed, given.get(char) ?? 0)));
    }
    const mean = [...named].map(([char, sum]) => ({ char, p: Math.exp(sum / readings.length) }));
    const whole = mean.reduce((sum, { p }) => sum + p, 0);
    return mean.map(({ char, p }) => ({ char, p: whole > 0 ? p / whole : 0 })).sort((a, b) => b.p - a.p);
  });
  const read = readSlots(slots, look.colour, look.rows, shape);
  return read === undefined ? undefined : { read, slots };
}
