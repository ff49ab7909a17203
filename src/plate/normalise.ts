import { foldText } from './alphabet.js';
import { matchFolded } from './patterns.js';

/** Spaces, control and invisible characters, dashes, and the dots written between issuer and serial. */
const SEPARATORS = /[\p{Z}\p{C}\p{Pd}_\u2212.\u00b7\u2022\u30fb\u2027\u2219\u22c5\u25cf\u3002\u02d1\u16eb\u2e31]/gu;

/** Characters that people, keyboards and old data bases write for a plate's own; upper case only. */
const SAME_SHAPE: ReadonlyMap<string, string> = new Map([
  // Cyrillic
  ...zip('АВЕКМНОРСТУХЅІЈԚԜЗ', 'ABEKMHOPCTYXSIJQW3'),
  // Greek
  ...zip('ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ', 'ABEZHIKMNOPTYX'),
  // Traditional and variant forms
  ...zip('晉遼滬蘇閩贛魯粵瓊貴雲陝寧學掛領應靑', '晋辽沪苏闽赣鲁粤琼贵云陕宁学挂领应青'),
]);

function zip(from: string, to: string): [string, string][] {
  const target = Array.from(to);
  return Array.from(from, (char, at) => [char, target[at] ?? char]);
}

/** Upper case, half width, plate characters, no separators; O/0 and I/1 still as they came. */
export function cleanPlate(raw: string): string {
  const plain = raw.normalize('NFKD').replace(/\p{M}/gu, '').toUpperCase().normalize('NFKC');
  const flat = plain.replace(SEPARATORS, '');
  return Array.from(flat, (char) => SAME_SHAPE.get(char) ?? char).join('');
}

/**
 * Brings a written plate into normal form: full-width and lower case, dots, spaces and hyphens, look-alike Cyrillic and
 * Greek letters, traditional characters; O/0 and I/1 by what the grammar allows at their position. A text that is no
 * plate comes back cleaned only. Idempotent; never throws.
 */
export function normalisePlate(raw: string): string {
  const clean = cleanPlate(raw);
  return matchFolded(foldText(clean))?.text ?? clean;
}
