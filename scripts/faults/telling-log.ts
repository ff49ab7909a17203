import type { Log } from '../../src/base/index.js';

/** Begins a line of what was told that is no word to a writer, but the journal's own account. */
const SAID = 'said';
/** Of the account so many lines go with a violation. */
const MOST_SAID = 6;

/** A log whose warnings and errors stand among what the victim was told. */
export function tellingLog(tell: (line: string) => void): Log {
  const say = (facts: object, message: string): void => tell(`${SAID} ${message} ${JSON.stringify(facts)}`);
  return { debug: () => undefined, info: () => undefined, warn: say, error: say };
}

/** What the journal said just before a line of what was told, for whoever has to find out why. */
export function saidBefore(lines: readonly (readonly string[])[], index: number): string {
  const said = lines.slice(0, index).filter(([kind]) => kind === SAID).slice(-MOST_SAID);
  return said.length === 0 ? '' : `; it said: ${said.map(([, ...words]) => words.join(' ')).join(' / ')}`;
}
