import { CONFUSIONS } from '../../src/plate/index.js';

const provinces = '京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新';

/** What the measured table takes `char` for, nearest first; by name, since the table changes with every reader. */
export function lookAlikesOfCharacter(char: string): readonly string[] {
  return CONFUSIONS.flatMap(({ a, b, cost }) => (a === char ? [{ other: b, cost }] : b === char ? [{ other: a, cost }] : []))
    .sort((x, y) => x.cost - y.cost || (x.other < y.other ? -1 : 1))
    .map(({ other }) => other);
}

/** A character of the same kind (province, letter or digit) that is never taken for `char`. */
export function unlike(char: string): string {
  const near = lookAlikesOfCharacter(char);
  const kind = provinces.includes(char) ? provinces : /\d/u.test(char) ? '0123456789' : 'ABCDEFGHJKLMNPQRSTUVWXYZ';
  const other = Array.from(kind).find((each) => each !== char && !near.includes(each));
  if (other === undefined) throw new Error(`everything is taken for ${char}`);
  return other;
}

/** The nth look-alike of `char` among those that can stand in a serial, or among the provinces. */
export function likeCharacter(char: string, nth = 0): string {
  const other = lookAlikesOfCharacter(char).filter((each) => each !== 'O' && each !== 'I')[nth];
  if (other === undefined) throw new Error(`the table names fewer than ${nth + 1} look-alikes of ${char}`);
  return other;
}
