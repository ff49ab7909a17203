import type { SlotCandidate } from '../plate/index.js';

export interface CtcShape {
  /** `[count, steps, alphabet]` or `[count, alphabet, steps]`. */
  readonly layout: 'NTA' | 'NAT';
  /** Place of the blank in the alphabet. */
  readonly blank: number;
  /** The network gives logits; the softmax over the alphabet is still to be taken. */
  readonly logits: boolean;
}

/** Fainter guesses are noise. */
const leastProbability = 1e-5;

/**
 * The characters along the best path of one plate's output (Graves et al. 2006, "Connectionist Temporal Classification":
 * repeats are one character unless a blank lies between), each with its rivals where it peaks: slots as a vote takes them.
 * @param output one plate's part of the network's output, `steps * alphabet.length` values
 * @param most candidates kept per slot
 */
export function ctcSlots(output: Float32Array, alphabet: readonly string[], { layout, blank, logits }: CtcShape, most: number): SlotCandidate[][] {
  const size = alphabet.length;
  const steps = Math.floor(output.length / size);
  const distribution = (step: number): number[] => {
    const raw = alphabet.map((_, index) => output[layout === 'NTA' ? step * size + index : index * steps + step] ?? 0);
    if (!logits) return raw;
    const highest = Math.max(...raw);
    const powers = raw.map((value) => Math.exp(value - highest));
    const sum = powers.reduce((total, value) => total + value, 0);
    return powers.map((value) => value / sum);
  };
  const peaks: { index: number; at: readonly number[] }[] = [];
  let before = blank;
  for (let step = 0; step < steps; step += 1) {
    const at = distribution(step);
    const index = at.indexOf(Math.max(...at));
    const last = peaks.at(-1);
    if (index !== blank && index !== before) peaks.push({ index, at });
    else if (index !== blank && last !== undefined && (at[index] ?? 0) > (last.at[index] ?? 0)) last.at = at;
    before = index;
  }
  return peaks.map(({ at }) =>
    alphabet
      .map((char, index): SlotCandidate => ({ char, p: at[index] ?? 0 }))
      .filter(({ p }) => p > leastProbability)
      .sort((a, b) => b.p - a.p)
      .slice(0, most),
  );
}
