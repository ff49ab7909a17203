/** How often each value came; exact, and small enough to travel between processes. */
export class Counts {
  #counts = new Map<number, number>();

  /** @param value rounded to tenths */
  add(value: number): void {
    const rounded = Math.round(value * 10) / 10;
    this.#counts.set(rounded, (this.#counts.get(rounded) ?? 0) + 1);
  }

  /** Value and how often, and begins anew. */
  take(): [number, number][] {
    const taken = [...this.#counts];
    this.#counts = new Map();
    return taken;
  }
}

/** The value below which a `share` (0 to 1) of all lies; null where there is none. */
export function shareOf(lists: readonly (readonly (readonly [number, number])[])[], share: number): number | null {
  const all = lists.flat().sort(([one], [other]) => one - other);
  const total = all.reduce((sum, [, count]) => sum + count, 0);
  let seen = 0;
  for (const [value, count] of all) {
    seen += count;
    if (seen > 0 && seen >= total * share) return value;
  }
  return null;
}
