import { GateError } from '../base/index.js';
import { foldCharacter, foldText } from './alphabet.js';
import { cleanPlate, normalisePlate } from './normalise.js';
import { PATTERNS, matchFolded, patternsOfLength, type PlatePattern } from './patterns.js';
import type { Plate, PlateText, PlateType } from './types.js';

/** True for a text already in normal form that the grammar accepts. */
export function isPlateText(text: string): text is PlateText {
  return matchFolded(foldText(text))?.text === text;
}

/** Types whose pattern fits; empty where the text, once normalised, is no plate. */
export function plateTypesFor(text: string): readonly PlateType[] {
  return matchFolded(foldText(cleanPlate(text)))?.types ?? [];
}

/** Like `parsePlate`, but undefined for what is no plate. */
export function tryParsePlate(raw: string): Plate | undefined {
  const text = normalisePlate(raw);
  return isPlateText(text) ? { text, types: plateTypesFor(text) } : undefined;
}

/**
 * Reads a written plate.
 * @throws GateError PLATE_INVALID saying which character does not fit, what was expected, and an example
 */
export function parsePlate(raw: string): Plate {
  const plate = tryParsePlate(raw);
  if (plate === undefined) throw new GateError('PLATE_INVALID', explainPlate(raw), { plate: raw });
  return plate;
}

/** Same plate, however written: O and 0, I and 1 alike. */
export function samePlate(a: string, b: string): boolean {
  return foldText(cleanPlate(a)) === foldText(cleanPlate(b));
}

/** How far a pattern goes along with the characters, and where it first does not. */
function agreement(pattern: PlatePattern, characters: readonly string[]): { readonly fits: number; readonly firstMisfit: number } {
  let fits = 0;
  let firstMisfit = -1;
  for (const [at, position] of pattern.positions.entries()) {
    if (position.meant.has(foldCharacter(characters[at] ?? ''))) fits += 1;
    else if (firstMisfit < 0) firstMisfit = at;
  }
  return { fits, firstMisfit };
}

function nearestPattern(patterns: readonly PlatePattern[], characters: readonly string[]): { pattern: PlatePattern; firstMisfit: number } | undefined {
  let best: { pattern: PlatePattern; firstMisfit: number; fits: number } | undefined;
  for (const pattern of patterns) {
    const { fits, firstMisfit } = agreement(pattern, characters);
    if (best === undefined || fits > best.fits) best = { pattern, firstMisfit, fits };
  }
  return best;
}

/** Why a text is no plate, for a person: what is wrong, what was expected, an example. For texts `tryParsePlate` refuses. */
export function explainPlate(raw: string): string {
  const characters = Array.from(cleanPlate(raw));
  if (characters.length === 0) return 'the plate is empty; write it as on the car, e.g. 京A12345';
  const quoted = JSON.stringify(raw);
  const nearest = nearestPattern(patternsOfLength(characters.length), characters);
  if (nearest === undefined) {
    const lengths = 'a plate has 7 characters, with new energy or 应急 8';
    const example = nearestPattern(PATTERNS, characters)?.pattern.example;
    return `${quoted} has ${characters.length} characters; ${lengths}, e.g. ${example ?? '京A12345'}`;
  }
  const { pattern, firstMisfit } = nearest;
  const expected = pattern.positions[firstMisfit]?.name ?? 'another character';
  return `${quoted}: character ${firstMisfit + 1} is ${JSON.stringify(characters[firstMisfit])}, expected ${expected}, e.g. ${pattern.example}`;
}
