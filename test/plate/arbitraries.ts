import fc from 'fast-check';
import { DIGITS, ISSUER_LETTERS, NEW_ENERGY_LETTERS, PROVINCES, SERIAL_LETTERS, type PlateType } from '../../src/plate/index.js';

const oneOf = (characters: string): fc.Arbitrary<string> => fc.constantFrom(...Array.from(characters));
const many = (characters: string, length: number): fc.Arbitrary<string> => fc.string({ unit: oneOf(characters), minLength: length, maxLength: length });
const join = (...parts: (string | fc.Arbitrary<string>)[]): fc.Arbitrary<string> =>
  fc.tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part))).map((texts) => texts.join(''));

const province = oneOf(PROVINCES);
const issuer = oneOf(ISSUER_LETTERS);
const serial = DIGITS + SERIAL_LETTERS;
const common = join(province, issuer, many(serial, 5));
const LATIN = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Written out here from the standard, apart from the table under test. */
export const plateOf: Readonly<Record<PlateType, fc.Arbitrary<string>>> = {
  'small-car': common,
  'large-car': common,
  motorcycle: common,
  'low-speed': common,
  temporary: common,
  'new-energy-small': join(province, issuer, oneOf(NEW_ENERGY_LETTERS), oneOf(serial), many(DIGITS, 4)),
  'new-energy-large': join(province, issuer, many(DIGITS, 5), oneOf(NEW_ENERGY_LETTERS)),
  police: join(province, issuer, many(serial, 4), '警'),
  learner: join(province, issuer, many(serial, 4), '学'),
  trailer: join(province, issuer, many(serial, 4), '挂'),
  'hong-kong': join('粤Z', many(serial, 4), '港'),
  macau: join('粤Z', many(serial, 4), '澳'),
  embassy: fc.oneof(join(many(DIGITS, 6), '使'), join('使', many(DIGITS, 6))),
  consulate: fc.oneof(join(province, many(DIGITS, 5), '领'), join(province, oneOf(SERIAL_LETTERS), many(DIGITS, 4), '领')),
  military: join(many(LATIN, 2), many(DIGITS, 5)).filter((text) => !text.startsWith('WJ')),
  'armed-police': fc.oneof(join('WJ', province, many(DIGITS, 4), oneOf(serial)), join('WJ', many(DIGITS, 4), oneOf(serial)), join('WJ', many(DIGITS, 7))),
  emergency: fc.oneof(join(province, oneOf('XS'), many(DIGITS, 4), '应急'), join('京', many(DIGITS, 5), '应急')),
};

export const PLATE_TYPES: readonly PlateType[] = [
  'small-car', 'large-car', 'new-energy-small', 'new-energy-large', 'police', 'learner', 'trailer', 'hong-kong', 'macau',
  'embassy', 'consulate', 'military', 'armed-police', 'emergency', 'motorcycle', 'low-speed', 'temporary',
];

export const anyPlate: fc.Arbitrary<string> = fc.oneof(...PLATE_TYPES.map((type) => plateOf[type]));

const CYRILLIC: Readonly<Record<string, string>> = { A: 'А', B: 'В', E: 'Е', K: 'К', M: 'М', H: 'Н', P: 'Р', C: 'С', T: 'Т', Y: 'У', X: 'Х' };

/** Ways in which people and data bases spoil a plate without changing it. */
export const spoil: fc.Arbitrary<(char: string) => string> = fc.constantFrom(
  (char: string) => char,
  (char: string) => char.toLowerCase(),
  (char: string) => (/[!-~]/u.test(char) ? String.fromCodePoint((char.codePointAt(0) ?? 0) + 0xfee0) : char),
  (char: string) => CYRILLIC[char] ?? char,
  (char: string) => (CYRILLIC[char] ?? char).toLowerCase(),
  (char: string) => (char === '0' ? 'O' : char === 'O' ? '0' : char),
  (char: string) => (char === '1' ? 'I' : char === 'I' ? '1' : char),
  (char: string) => ` ${char}`,
  (char: string) => `${char}\u200b`,
);

/** The same plate, written badly: each character spoilt in its own way, a separator after the issuer. */
export function badlyWritten(plate: string): fc.Arbitrary<string> {
  return fc
    .tuple(fc.array(spoil, { minLength: plate.length, maxLength: plate.length }), fc.constantFrom('', '·', ' ', '-', '．', '•', '・', '—'))
    .map(([ways, separator]) => Array.from(plate, (char, at) => (ways[at]?.(char) ?? char) + (at === 1 ? separator : '')).join(''));
}
