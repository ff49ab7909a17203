import type { SignalState } from '../../base/index.js';
import type { CliWords } from '../words/index.js';

/** Inputs that have to be known clear before a technician's order moves a boom. */
export const watchedInputs = ['approach', 'closing', 'beam'] as const;

/**
 * What keeps a technician's order from moving the boom, in words; nothing where the lane is known to be empty. Occupied,
 * unknown and faulty are one.
 * @param stateOf state of a wired input; undefined where it is not wired
 */
export function inTheWay(stateOf: (name: string) => SignalState | undefined, words: CliWords): readonly string[] {
  return watchedInputs.flatMap((name) => {
    const state = stateOf(name);
    const role = words.roles[name] ?? name;
    if (state === undefined || state === 'off') return [];
    return [state === 'on' ? words.test.occupied(role) : words.test.unreadable(role)];
  });
}
