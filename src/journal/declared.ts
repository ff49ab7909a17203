import { parseEvent } from './event-text.js';
import type { EventType } from './types.js';

/** Sequences, both ends included. */
export interface SequenceRange {
  readonly first: number;
  readonly last: number;
}

/** Kinds of event in which the journal declares sequences lost, or jumped over. */
const DECLARING: readonly EventType[] = ['journal.lost', 'journal.recovered'];

/** Whether an event may declare something lost: far cheaper than to read it. */
export function mayDeclare(text: string): boolean {
  return DECLARING.some((type) => text.includes(`"type":"${type}"`));
}

/** What an event whose hash fits declares lost. */
export function declaredLost(text: string): readonly SequenceRange[] {
  if (!mayDeclare(text)) return [];
  const { type, payload } = parseEvent(text);
  return DECLARING.some((declaring) => declaring === type) && Array.isArray(payload.gaps) ? payload.gaps.filter(isRange) : [];
}

/** Parts of holes, in order, that no declared range covers; what is said of a hole beside holds for its parts. */
export function undeclared<Hole extends SequenceRange>(holes: Hole[], declared: readonly SequenceRange[]): Hole[] {
  if (holes.length === 0 || declared.length === 0) return holes;
  const ranges = [...declared].sort((one, other) => one.first - other.first);
  let behind = 0;
  return holes.flatMap((hole) => {
    const { first, last } = hole;
    const parts: Hole[] = [];
    let next = first;
    while ((ranges[behind]?.last ?? Infinity) < first) behind += 1;
    for (let at = behind, range = ranges[at]; range !== undefined && range.first <= last; at += 1, range = ranges[at]) {
      if (range.first > next) parts.push({ ...hole, first: next, last: range.first - 1 });
      next = Math.max(next, range.last + 1);
    }
    if (next <= last) parts.push({ ...hole, first: next, last });
    return parts;
  });
}

export function isRange(value: unknown): value is SequenceRange {
  return typeof value === 'object' && value !== null && 'first' in value && 'last' in value && Number.isSafeInteger(value.first) && Number.isSafeInteger(value.last);
}

/** Ranges, in any order, to be looked up by sequence. */
export class Ranges {
  readonly #sorted: readonly SequenceRange[];
  /** The highest last sequence of each range and those before it. */
  readonly #through: readonly number[];

  constructor(ranges: readonly SequenceRange[]) {
    this.#sorted = [...ranges].sort((one, other) => one.first - other.first);
    let through = 0;
    this.#through = this.#sorted.map(({ last }) => (through = Math.max(through, last)));
  }

  has(seq: number): boolean {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#sorted[middle]?.first ?? 0) <= seq) low = middle + 1;
      else high = middle;
    }
    return (this.#through[low - 1] ?? 0) >= seq;
  }
}
