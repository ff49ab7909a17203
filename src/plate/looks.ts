import { plateTypesFor } from './parse.js';
import type { PlateColour, PlateRows, PlateType } from './types.js';

export interface PlateLook {
  readonly colours: readonly PlateColour[];
  readonly rows: readonly PlateRows[];
}

/** Grounds and rows per type, GA 36-2018; older issues still on the road are named where they differ. */
export const PLATE_LOOKS: Readonly<Record<PlateType, PlateLook>> = {
  // Black: foreign-owned cars, issued until 2007.
  'small-car': { colours: ['blue', 'black'], rows: [1] },
  'large-car': { colours: ['yellow'], rows: [1, 2] },
  'new-energy-small': { colours: ['green'], rows: [1] },
  // Yellow under the province and issuer, green under the serial: a camera may see either as the ground.
  'new-energy-large': { colours: ['green', 'yellow'], rows: [1] },
  police: { colours: ['white'], rows: [1, 2] },
  learner: { colours: ['yellow'], rows: [1, 2] },
  trailer: { colours: ['yellow'], rows: [2] },
  'hong-kong': { colours: ['black'], rows: [1] },
  macau: { colours: ['black'], rows: [1] },
  // Two rows: motorcycles.
  embassy: { colours: ['black'], rows: [1, 2] },
  consulate: { colours: ['black'], rows: [1, 2] },
  military: { colours: ['white'], rows: [1, 2] },
  'armed-police': { colours: ['white'], rows: [1, 2] },
  emergency: { colours: ['white'], rows: [1, 2] },
  motorcycle: { colours: ['yellow', 'blue', 'black', 'green'], rows: [2] },
  'low-speed': { colours: ['yellow'], rows: [2] },
  // Paper behind the windscreen with a pale pattern.
  temporary: { colours: ['white'], rows: [1] },
};

/**
 * Types of this text that look as the camera saw it; empty where text and look contradict each other, which is a strong
 * hint at a misread.
 */
export function plausibleTypes(plate: string | { readonly text: string }, colour: PlateColour, rows: PlateRows): readonly PlateType[] {
  const text = typeof plate === 'string' ? plate : plate.text;
  return plateTypesFor(text).filter((type) => PLATE_LOOKS[type].colours.includes(colour) && PLATE_LOOKS[type].rows.includes(rows));
}
