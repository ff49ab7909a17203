import { foldCharacter } from './alphabet.js';
import { isPlateText } from './parse.js';
import { CHARACTER_CLASSES, PATTERNS, type PlatePattern } from './patterns.js';
import type { PlateText } from './types.js';

/** One guess of a reader for one slot; `char` is '' for "nothing here", `p` its probability, 0 to 1. */
export interface SlotCandidate {
  readonly char: string;
  readonly p: number;
}

export interface GrammaticalText {
  readonly text: PlateText;
  /** Probability of each character of the text, in order. */
  readonly characters: readonly number[];
  /** Product over all slots, those read as blank included: how likely the whole text is to the reader. */
  readonly product: number;
}

interface SlotChoice {
  readonly char: string;
  readonly p: number;
}

interface SlotView {
  readonly blank: number;
  /** The most probable character of each class, by the class's index. */
  readonly best: readonly (SlotChoice | undefined)[];
}

/** Per folded character: the classes it can stand for, and as what. */
const memberships = new Map<string, { readonly index: number; readonly char: string }[]>();
for (const { index, seen } of CHARACTER_CLASSES) {
  for (const [folded, char] of seen) memberships.set(folded, [...(memberships.get(folded) ?? []), { index, char }]);
}

function viewSlot(candidates: readonly SlotCandidate[]): SlotView {
  const folded = new Map<string, number>();
  for (const { char, p } of candidates) {
    const key = foldCharacter(char);
    folded.set(key, (folded.get(key) ?? 0) + p);
  }
  const best: (SlotChoice | undefined)[] = CHARACTER_CLASSES.map(() => undefined);
  for (const [key, p] of folded) {
    for (const { index, char } of memberships.get(key) ?? []) {
      if (p > (best[index]?.p ?? 0)) best[index] = { char, p };
    }
  }
  return { blank: folded.get('') ?? 0, best };
}

/** Most probable way to write one pattern into the slots, exact by dynamic programming over (slot, position). */
function alignPattern(slots: readonly SlotView[], pattern: PlatePattern): { readonly product: number; readonly text: string; readonly characters: readonly number[] } {
  const length = pattern.positions.length;
  const score = new Float64Array(length + 1);
  score[0] = 1;
  const writes = slots.map((slot) => {
    const wrote = new Uint8Array(length + 1);
    // Downwards, so that each position still holds the score before this slot.
    for (let position = length; position >= 0; position -= 1) {
      const blank = (score[position] ?? 0) * slot.blank;
      const at = pattern.positions[position - 1];
      const written = at === undefined ? 0 : (score[position - 1] ?? 0) * (slot.best[at.index]?.p ?? 0);
      if (written > blank) wrote[position] = 1;
      score[position] = Math.max(blank, written);
    }
    return wrote;
  });
  const product = score[length] ?? 0;
  let text = '';
  const characters: number[] = [];
  let position = length;
  for (let slot = slots.length - 1; product > 0 && slot >= 0; slot -= 1) {
    if (writes[slot]?.[position] !== 1) continue;
    position -= 1;
    const choice = slots[slot]?.best[pattern.positions[position]?.index ?? -1];
    text = (choice?.char ?? '') + text;
    characters.unshift(choice?.p ?? 0);
  }
  return { product, text, characters };
}

/**
 * The most probable text that the grammar accepts, from a reader's guesses per slot (top few each, in reading order,
 * blanks anywhere). O and 0 count as one shape, as do I and 1; the position says which is meant. Exact; well under 0.1 ms.
 * Undefined where no plate can be made of the guesses.
 */
export function bestGrammatical(candidates: readonly (readonly SlotCandidate[])[]): GrammaticalText | undefined {
  const slots = candidates.map(viewSlot);
  let best: ReturnType<typeof alignPattern> = { product: 0, text: '', characters: [] };
  for (const pattern of PATTERNS) {
    if (pattern.positions.length > slots.length) continue;
    const aligned = alignPattern(slots, pattern);
    if (aligned.product > best.product) best = aligned;
  }
  const { text, characters, product } = best;
  return isPlateText(text) ? { text, characters, product } : undefined;
}
