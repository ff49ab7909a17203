import { CONFUSIONS, GAP_COST, NEAR_DISTANCE, UNRELATED_COST } from './confusion.js';
import { isPlateText } from './parse.js';
import type { PlateText } from './types.js';

export interface LookAlike {
  readonly text: PlateText;
  readonly distance: number;
}

/** Per character, what it is taken for, and at what cost. */
const confused = new Map<string, Map<string, number>>();
for (const { a, b, cost } of CONFUSIONS) {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const row = confused.get(from) ?? new Map<string, number>();
    confused.set(from, row);
    row.set(to, Math.min(cost, row.get(to) ?? cost));
  }
}

function substitution(a: string, b: string): number {
  return a === b ? 0 : (confused.get(a)?.get(b) ?? UNRELATED_COST);
}

/**
 * How far apart two plates look, 0 for the same text; 0.26 to 0.5 for one character or province that the reader takes for
 * another, 1 for an unrelated character or one too many. An edit distance weighted by `confusion.ts`. Symmetric.
 */
export function lookAlikeDistance(a: string, b: string): number {
  const left = Array.from(a);
  const right = Array.from(b);
  let above = right.map((_, at) => (at + 1) * GAP_COST);
  let aboveStart = 0;
  for (const [row, char] of left.entries()) {
    const start = (row + 1) * GAP_COST;
    let diagonal = aboveStart;
    let before = start;
    const current = right.map((other, at) => {
      const up = above[at] ?? 0;
      const cost = Math.min(diagonal + substitution(char, other), up + GAP_COST, before + GAP_COST);
      diagonal = up;
      before = cost;
      return cost;
    });
    above = current;
    aboveStart = start;
  }
  return above.at(-1) ?? aboveStart;
}

const NONE: readonly (readonly [string, number])[] = [];
/** As `confused`, to walk through. */
const confusions = new Map([...confused].map(([char, row]) => [char, [...row]] as const));

type Visit = (text: string, distance: number) => void;

/**
 * Tells every text within `within` of this one by substitutions alone, itself left out, whether or not it can be a plate.
 * Leaves nothing behind for the garbage collector but the texts: with objects, one look-up in a hundred waited for it.
 */
function visitNear(plate: PlateText, within: number, visit: Visit): void {
  const characters = Array.from(plate);
  const vary = (at: number, head: string, spent: number): void => {
    const char = characters[at];
    if (char === undefined) {
      if (spent > 0) visit(head, spent);
      return;
    }
    vary(at + 1, head + char, spent);
    for (const [other, cost] of confusions.get(char) ?? NONE) {
      if (spent + cost <= within) vary(at + 1, head + other, spent + cost);
    }
  };
  vary(0, '', 0);
}

function isLookAlike(near: { readonly text: string; readonly distance: number }): near is LookAlike {
  return isPlateText(near.text);
}

/**
 * Every plate within `within` of this one by substitutions alone, itself left out. Enumerating the few dozen texts one
 * could be taken for makes a look-up in a list of any size as quick as in a small one.
 */
export function lookAlikesOf(plate: PlateText, within = NEAR_DISTANCE): readonly LookAlike[] {
  const found: LookAlike[] = [];
  visitNear(plate, within, (text, distance) => {
    const near = { text, distance };
    if (isLookAlike(near)) found.push(near);
  });
  return found;
}

/**
 * Entries of a list that look like this plate, nearest first, itself left out.
 * @param list anything that can say whether it holds a text; a Set or Map of 100,000 plates takes well under 1 ms
 * @param within greatest distance, see `lookAlikeDistance`; below 1 (gaps are not searched)
 */
export function nearLookAlikes(plate: PlateText, list: { has(text: string): boolean }, within = NEAR_DISTANCE): readonly LookAlike[] {
  const found: LookAlike[] = [];
  visitNear(plate, within, (text, distance) => {
    // The list first: it is asked in a fraction of the time in which the grammar is gone through.
    if (!list.has(text)) return;
    const near = { text, distance };
    if (isLookAlike(near)) found.push(near);
  });
  return found.sort((one, other) => one.distance - other.distance);
}
