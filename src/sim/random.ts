/** Seeded randomness, so that every world can be replayed from its number (sfc32 after Chris Doty-Humphrey, PractRand). */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number, stream = '') {
    // FNV-1a over the stream's name keeps streams of one seed apart, so that one part's draws never shift another's.
    let hash = 0x811c9dc5;
    for (let index = 0; index < stream.length; index += 1) hash = Math.imul(hash ^ stream.charCodeAt(index), 0x01000193);
    this.#a = seed | 0;
    this.#b = Math.trunc(seed / 0x1_0000_0000) | 0;
    this.#c = hash | 0;
    for (let round = 0; round < 12; round += 1) this.next();
  }

  /** Uniform in [0, 1). */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + sum) | 0;
    return (sum >>> 0) / 0x1_0000_0000;
  }

  /** Uniform in [least, most). */
  between(least: number, most: number): number {
    return least + (most - least) * this.next();
  }

  /** Whole number, least to most inclusive. */
  integer(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[Math.floor(this.next() * items.length)] ?? items[0];
  }

  /** One character of a text. */
  character(text: string): string {
    return text.charAt(Math.floor(this.next() * text.length));
  }

  /** Draws a key by weight. Weights need not add up to one. */
  weighted<Key extends string>(weights: Readonly<Record<Key, number>>, fallback: NoInfer<Key>): Key {
    let total = 0;
    for (const key in weights) total += weights[key];
    let rest = this.next() * total;
    for (const key in weights) {
      rest -= weights[key];
      if (rest < 0) return key;
    }
    return fallback;
  }

  /** Time to the next event of a Poisson stream with this mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next());
  }
}
