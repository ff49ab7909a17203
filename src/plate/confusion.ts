import { PROVINCES } from './alphabet.js';

/**
 * What recognisers take for what, as costs of a substitution: 0 the same, 1 unrelated. Drawn from the field's reports
 * (province most of all, 0/D/Q/O, 8/B, 2/Z/7, 5/S, 1/T/L); a measured confusion model replaces this file and nothing else.
 * Every cost is above half of `NEAR_DISTANCE`, so that "near" means one confusion and never two.
 */
export const CONFUSIONS: readonly { readonly characters: string; readonly cost: number }[] = [
  { characters: '0O', cost: 0.26 },
  { characters: '1I', cost: 0.26 },
  { characters: '0DQO', cost: 0.3 },
  { characters: '8B', cost: 0.3 },
  { characters: '2Z', cost: 0.3 },
  { characters: '5S', cost: 0.3 },
  { characters: '27Z', cost: 0.4 },
  { characters: '1TL', cost: 0.4 },
  { characters: '17T', cost: 0.45 },
  { characters: '琼京使', cost: 0.35 },
  { characters: '冀闽', cost: 0.35 },
  { characters: '云皖', cost: 0.35 },
  { characters: PROVINCES, cost: 0.5 },
];

/** Substitution of unrelated characters. */
export const UNRELATED_COST = 1;
/** A character too many or too few. */
export const GAP_COST = 1;
/** Up to here two plates count as look-alikes. */
export const NEAR_DISTANCE = 0.5;
