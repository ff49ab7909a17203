/** Which sequences are through, while they come in any order; tells how far there is no hole. */
export class Coverage {
  #through: number;
  /** Ranges above `#through`, first to last, sorted, apart. */
  #ranges: { first: number; last: number }[] = [];

  constructor(through: number) {
    this.#through = through;
  }

  /** Everything up to here is covered. */
  get through(): number {
    return this.#through;
  }

  has(seq: number): boolean {
    return seq <= this.#through || this.#ranges.some((range) => range.first <= seq && seq <= range.last);
  }

  add(first: number, last: number): void {
    if (last < first || last <= this.#through) return;
    const merged = { first, last };
    const apart = this.#ranges.filter((range) => {
      if (range.last + 1 < merged.first || range.first > merged.last + 1) return true;
      merged.first = Math.min(merged.first, range.first);
      merged.last = Math.max(merged.last, range.last);
      return false;
    });
    if (merged.first <= this.#through + 1) {
      this.#through = Math.max(this.#through, merged.last);
      this.#ranges = apart.filter((range) => range.last > this.#through);
      const next = this.#ranges[0];
      if (next !== undefined && next.first <= this.#through + 1) {
        this.#through = Math.max(this.#through, next.last);
        this.#ranges.shift();
      }
      return;
    }
    this.#ranges = [...apart, merged].sort((one, other) => one.first - other.first);
  }
}
