import { MEASURED_CONFUSIONS } from './confusion-measured.js';

/** One shape on a plate, so that no picture tells them apart. */
const SAME_SHAPE: Readonly<Record<string, string>> = { '0': 'O', '1': 'I' };
/** As near as the pair confused most: nothing looks more alike than the same. */
const SAME_SHAPE_COST = 0.26;

/**
 * What the reader takes for what, as costs of a substitution: 0 the same, 1 unrelated. Measured on held-out plates
 * (`confusion-measured.ts`, written by the training), and the two pairs of characters that have one shape. Every cost is
 * above half of `NEAR_DISTANCE`, so that "near" means one confusion and never two.
 */
export const CONFUSIONS: readonly { readonly a: string; readonly b: string; readonly cost: number }[] = [
  ...Object.entries(SAME_SHAPE).map(([a, b]) => ({ a, b, cost: SAME_SHAPE_COST })),
  ...MEASURED_CONFUSIONS.flatMap(([cost, pairs]) =>
    pairs.split(' ').flatMap((pair) => {
      const [a = '', b = ''] = Array.from(pair);
      // the reader knows one character where the alphabet has two, so its mistakes count for both
      return [a, SAME_SHAPE[a]].flatMap((left) => [b, SAME_SHAPE[b]].flatMap((right) => (left === undefined || right === undefined ? [] : [{ a: left, b: right, cost }])));
    }),
  ),
];

/** Substitution of unrelated characters. */
export const UNRELATED_COST = 1;
/** A character too many or too few. */
export const GAP_COST = 1;
/** Up to here two plates count as look-alikes. */
export const NEAR_DISTANCE = 0.5;
