/** mulberry32: small, seeded, good enough to choose faults with. 0 to below 1. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A whole number from `least` to `most`. */
export function whole(random: () => number, least: number, most: number): number {
  return least + Math.floor(random() * (most - least + 1));
}

/** Goes through all kinds again and again, in an order of its own each time: a short campaign meets many of them. */
export function* shuffledForEver<Kind>(kinds: readonly [Kind, ...Kind[]], random: () => number): Generator<Kind, never> {
  for (;;) {
    const left = [...kinds];
    while (left.length > 0) yield* left.splice(Math.floor(random() * left.length), 1);
  }
}
