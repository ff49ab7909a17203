import { PLATE_LOOKS, bestGrammatical, plateTypesFor, type PlateColour, type PlateRead, type PlateRows, type SlotCandidate } from '../plate/index.js';

import { ctcSlots, type CtcShape } from './ctc.js';

/** What the reader said of one straightened plate. */
export interface Reading {
  /** Undefined where the grammar makes no plate of it, or the reader says there is none. */
  readonly read?: PlateRead;
  /** The guesses per slot, most probable first: what a vote over several pictures needs. */
  readonly slots: readonly (readonly SlotCandidate[])[];
}

export interface ReaderOutput {
  /** [count, slots, alphabet], probabilities; of a CTC reader as its shape says. */
  readonly characters: Float32Array;
  /** [count, classes]; without it the colour follows from the text. */
  readonly colours?: Float32Array;
  /** [count, 2]; without it every plate counts as one row. */
  readonly rows?: Float32Array;
  /** [count, 8], from readers that say where in the crop the plate's corners are: see `reframe`. */
  readonly corners?: Float32Array;
}

export interface ReaderShape {
  readonly slots: number;
  /** The blank is ""; "0" stands for the letter O too. */
  readonly alphabet: readonly string[];
  readonly classes: readonly PlateColour[];
  /** `ctc`: the reader is decoded along its steps, as `ctc` says, and has no slots of its own; `slots` where omitted. */
  readonly decoding?: 'slots' | 'ctc';
  readonly ctc?: CtcShape | undefined;
  readonly calibration: { readonly points: readonly (readonly [number, number])[] };
}

/** Guesses kept per slot: enough for the grammar to find a letter where a digit won. */
const candidatesPerSlot = 8;
/** A whole text less likely than this to the reader itself is noise, not a plate. */
const leastProduct = 0.001;
/** The shortest plates have seven characters; a reader's further slots stay blank for them. */
const fewestCharacters = 7;

/** Raw confidence to the share of such reads that are right: straight lines between the manifest's points. */
export function calibrate(raw: number, points: readonly (readonly [number, number])[]): number {
  let [x0, y0] = points[0] ?? [0, 0];
  if (raw <= x0) return y0;
  for (const [x1, y1] of points) {
    if (raw <= x1) return x1 === x0 ? y1 : y0 + ((raw - x0) / (x1 - x0)) * (y1 - y0);
    x0 = x1;
    y0 = y1;
  }
  return y0;
}

function slotCandidates(characters: Float32Array, at: number, alphabet: readonly string[]): SlotCandidate[] {
  const all: SlotCandidate[] = [];
  for (const [index, char] of alphabet.entries()) {
    const p = characters[at + index] ?? 0;
    if (p > 1e-5) all.push({ char, p });
  }
  return all.sort((a, b) => b.p - a.p).slice(0, candidatesPerSlot);
}

function argmax(values: Float32Array, from: number, count: number): number {
  let best = 0;
  for (let index = 1; index < count; index += 1) if ((values[from + index] ?? 0) > (values[from + best] ?? 0)) best = index;
  return best;
}

/** The ground that most plates of such a text have. */
const usualColour = (text: string): PlateColour => plateTypesFor(text).map((type) => PLATE_LOOKS[type].colours[0])[0] ?? 'blue';

/** One read from the guesses per slot; undefined where they make no plate. */
export function readSlots(slots: readonly (readonly SlotCandidate[])[], colour: PlateColour | undefined, rows: PlateRows, shape: ReaderShape): PlateRead | undefined {
  const written = slots.filter((slot) => (slot[0]?.char ?? '') !== '').length;
  if (written < fewestCharacters - 1) return undefined;
  const best = bestGrammatical(slots);
  if (best === undefined || best.product < leastProduct) return undefined;
  return { text: best.text, confidence: calibrate(best.product, shape.calibration.points), characters: best.characters, colour: colour ?? usualColour(best.text), rows };
}

function ownSlots(characters: Float32Array, plate: number, { slots, alphabet }: ReaderShape): SlotCandidate[][] {
  return Array.from({ length: slots }, (_, slot) => slotCandidates(characters, (plate * slots + slot) * alphabet.length, alphabet));
}

/** Further slots are surely blank: a vote over several pictures must know that a short text ends. */
function stepsAsSlots(characters: Float32Array, plate: number, count: number, { slots, alphabet }: ReaderShape, ctc: CtcShape): SlotCandidate[][] {
  const each = characters.length / count;
  const seen = ctcSlots(characters.subarray(plate * each, (plate + 1) * each), alphabet, ctc, candidatesPerSlot);
  return [...seen, ...Array.from({ length: Math.max(0, slots - seen.length) }, () => [{ char: '', p: 1 }])];
}

/** Readings of `count` straightened plates, in their order. */
export function decodeReads(output: ReaderOutput, count: number, shape: ReaderShape): Reading[] {
  const readings: Reading[] = [];
  for (let plate = 0; plate < count; plate += 1) {
    const slots = shape.decoding === 'ctc' && shape.ctc !== undefined ? stepsAsSlots(output.characters, plate, count, shape, shape.ctc) : ownSlots(output.characters, plate, shape);
    const colour = output.colours === undefined ? undefined : shape.classes[argmax(output.colours, plate * shape.classes.length, shape.classes.length)];
    const rows: PlateRows = output.rows !== undefined && argmax(output.rows, plate * 2, 2) === 1 ? 2 : 1;
    const read = readSlots(slots, colour, rows, shape);
    readings.push(read === undefined ? { slots } : { read, slots });
  }
  return readings;
}
