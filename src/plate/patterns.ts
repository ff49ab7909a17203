import { DIGITS, ISSUER_LETTERS, NEW_ENERGY_LETTERS, PROVINCES, SERIAL_LETTERS, foldCharacter } from './alphabet.js';
import type { PlateType } from './types.js';

/** The characters allowed at one position of a plate. */
export interface CharacterClass {
  /** Position in `CHARACTER_CLASSES`. */
  readonly index: number;
  /** For messages: `a province character`. */
  readonly name: string;
  readonly characters: string;
  /** From the folded character (0 for O, 1 for I) to the one meant at this position. */
  readonly meant: ReadonlyMap<string, string>;
  /** The same for characters a recogniser saw; leaves out what would invent letters from digits on a wall. */
  readonly seen: ReadonlyMap<string, string>;
}

/** One written form of one or more plate types. */
export interface PlatePattern {
  readonly types: readonly PlateType[];
  readonly positions: readonly CharacterClass[];
  readonly example: string;
}

const classes: CharacterClass[] = [];

function characterClass(name: string, characters: string, notSeen = ''): CharacterClass {
  const meant = new Map(Array.from(characters, (char) => [foldCharacter(char), char]));
  const seen = new Map([...meant].filter(([folded]) => !notSeen.includes(folded)));
  const made: CharacterClass = { index: classes.length, name, characters, meant, seen };
  classes.push(made);
  return made;
}

const literals = new Map<string, CharacterClass>();
function literal(char: string): CharacterClass {
  const known = literals.get(char) ?? characterClass(char, char);
  literals.set(char, known);
  return known;
}

const province = characterClass('a province character such as 京, 沪 or 粤', PROVINCES);
const issuer = characterClass('the letter of the issuing office (A to Z without I)', ISSUER_LETTERS);
const consularIssuer = characterClass('the letter of the issuing office (A to Z without I and O)', SERIAL_LETTERS);
const serial = characterClass('a digit or a letter (without I and O)', DIGITS + SERIAL_LETTERS);
const digit = characterClass('a digit', DIGITS);
const newEnergy = characterClass('a new energy letter (A to K without I)', NEW_ENERGY_LETTERS);
const rescue = characterClass('X or S', 'XS');
const arm = characterClass('a letter', `${SERIAL_LETTERS}IO`, '01');
const unit = characterClass('a letter', `${SERIAL_LETTERS}IO`, '1');

const times = (count: number, position: CharacterClass): readonly CharacterClass[] => Array.from({ length: count }, () => position);

/**
 * Every written form, GA 36-2018 with its amendments and the older ones still on the road. Two forms never fit the same
 * text with different readings of 0/O or 1/I; that is why consulates know no issuer letter O.
 */
export const PATTERNS: readonly PlatePattern[] = [
  { types: ['small-car', 'large-car', 'motorcycle', 'low-speed', 'temporary'], positions: [province, issuer, ...times(5, serial)], example: '京A12345' },
  { types: ['new-energy-small'], positions: [province, issuer, newEnergy, serial, ...times(4, digit)], example: '京AD12345' },
  { types: ['new-energy-large'], positions: [province, issuer, ...times(5, digit), newEnergy], example: '京A12345D' },
  { types: ['police'], positions: [province, issuer, ...times(4, serial), literal('警')], example: '京A1234警' },
  { types: ['learner'], positions: [province, issuer, ...times(4, serial), literal('学')], example: '京A1234学' },
  { types: ['trailer'], positions: [province, issuer, ...times(4, serial), literal('挂')], example: '京A1234挂' },
  { types: ['hong-kong'], positions: [literal('粤'), literal('Z'), ...times(4, serial), literal('港')], example: '粤Z1234港' },
  { types: ['macau'], positions: [literal('粤'), literal('Z'), ...times(4, serial), literal('澳')], example: '粤Z1234澳' },
  { types: ['embassy'], positions: [...times(6, digit), literal('使')], example: '123456使' },
  { types: ['embassy'], positions: [literal('使'), ...times(6, digit)], example: '使123456' },
  { types: ['consulate'], positions: [province, ...times(5, digit), literal('领')], example: '沪12345领' },
  { types: ['consulate'], positions: [province, consularIssuer, ...times(4, digit), literal('领')], example: '沪A1234领' },
  { types: ['armed-police'], positions: [literal('W'), literal('J'), province, ...times(4, digit), serial], example: 'WJ京12345' },
  // Headquarters write no province.
  { types: ['armed-police'], positions: [literal('W'), literal('J'), ...times(4, digit), serial], example: 'WJ12345' },
  { types: ['armed-police'], positions: [literal('W'), literal('J'), ...times(7, digit)], example: 'WJ0112345' },
  { types: ['military'], positions: [arm, unit, ...times(5, digit)], example: 'VA12345' },
  { types: ['emergency'], positions: [province, rescue, ...times(4, digit), literal('应'), literal('急')], example: '京X1234应急' },
  { types: ['emergency'], positions: [literal('京'), ...times(5, digit), literal('应'), literal('急')], example: '京12345应急' },
];

export const CHARACTER_CLASSES: readonly CharacterClass[] = classes;

const byLength = new Map<number, readonly PlatePattern[]>();
for (const pattern of PATTERNS) {
  byLength.set(pattern.positions.length, [...(byLength.get(pattern.positions.length) ?? []), pattern]);
}

/** Patterns of this many characters. */
export function patternsOfLength(length: number): readonly PlatePattern[] {
  return byLength.get(length) ?? [];
}

/** The text as this pattern means it, or undefined where a character does not fit. `folded` as by `foldText`. */
function fit(pattern: PlatePattern, folded: readonly string[]): string | undefined {
  let text = '';
  for (const [at, position] of pattern.positions.entries()) {
    const meant = position.meant.get(folded[at] ?? '');
    if (meant === undefined) return undefined;
    text += meant;
  }
  return text;
}

/** Reads a folded text by the grammar: the text in normal form and its types; undefined where no pattern fits. */
export function matchFolded(folded: string): { readonly text: string; readonly types: readonly PlateType[] } | undefined {
  const characters = Array.from(folded);
  let found: { text: string; types: PlateType[] } | undefined;
  for (const pattern of patternsOfLength(characters.length)) {
    const text = fit(pattern, characters);
    if (text === undefined) continue;
    found ??= { text, types: [] };
    // WJ12345 has the shape of a military plate, but no arm of the forces writes WJ.
    if (!found.types.includes('armed-police')) found.types.push(...pattern.types);
  }
  return found;
}
