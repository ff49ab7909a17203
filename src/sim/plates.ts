import type { PlateColour, PlateRows, PlateType } from '../plate/index.js';
import type { Random } from './random.js';

/** A plate as it is screwed to a vehicle. `text` is in normal form, without the dot. */
export interface SimPlate {
  readonly text: string;
  readonly colour: PlateColour;
  readonly rows: PlateRows;
  readonly type: PlateType;
}

const provinces = '京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新';
const letters = 'ABCDEFGHJKLMNPQRSTUVWXYZ';
const digits = '0123456789';

function serial(random: Random, length: number): string {
  let text = '';
  // Real series hold at most two letters; more would be drawn far too often from 34 characters.
  const lettersAt = new Set([random.integer(0, length - 1), random.integer(0, length + 1)]);
  for (let index = 0; index < length; index += 1) text += random.character(lettersAt.has(index) ? letters : digits);
  return text;
}

/**
 * Draws a plate of a type by GA 36-2018.
 * @param home province characters that most vehicles of this neighbourhood carry; a few come from elsewhere
 */
export function drawPlate(random: Random, type: PlateType, home = '京', rows?: PlateRows): SimPlate {
  const province = random.chance(0.8) ? random.character(home) : random.character(provinces);
  const issuer = random.character(random.chance(0.7) ? 'ABCEFGHJKLMNPQ' : letters);
  const digit = (): string => random.character(digits);
  const four = (): string => digit() + digit() + digit() + digit();
  switch (type) {
    case 'small-car':
      return { text: province + issuer + serial(random, 5), colour: 'blue', rows: 1, type };
    case 'large-car':
      return { text: province + issuer + serial(random, 5), colour: 'yellow', rows: rows ?? 1, type };
    case 'new-energy-small':
      return { text: province + issuer + random.character('DDDDDFFFABCEGHJK') + random.character(letters + digits + digits) + four(), colour: 'green', rows: 1, type };
    case 'new-energy-large':
      return { text: province + issuer + four() + digit() + random.character('DDDF'), colour: 'green', rows: 1, type };
    case 'police':
      return { text: `${province}${issuer}${serial(random, 4)}警`, colour: 'white', rows: 1, type };
    case 'learner':
      return { text: `${province}${issuer}${serial(random, 4)}学`, colour: 'yellow', rows: 1, type };
    case 'trailer':
      return { text: `${province}${issuer}${serial(random, 4)}挂`, colour: 'yellow', rows: 2, type };
    case 'hong-kong':
      return { text: `粤Z${serial(random, 4)}港`, colour: 'black', rows: 1, type };
    case 'macau':
      return { text: `粤Z${serial(random, 4)}澳`, colour: 'black', rows: 1, type };
    case 'embassy':
      return { text: `${four()}${digit()}${digit()}使`, colour: 'black', rows: 1, type };
    case 'consulate':
      return { text: `${random.character('沪粤川辽鲁')}${four()}${digit()}领`, colour: 'black', rows: 1, type };
    case 'military':
      return { text: random.character(letters) + random.character(letters) + four() + digit(), colour: 'white', rows: 1, type };
    case 'armed-police':
      return { text: `WJ${province}${four()}${digit()}`, colour: 'white', rows: 1, type };
    case 'motorcycle':
      return { text: province + issuer + serial(random, 5), colour: 'yellow', rows: 2, type };
    case 'low-speed':
      return { text: province + issuer + serial(random, 5), colour: 'yellow', rows: 2, type };
    case 'temporary':
      return { text: province + issuer + serial(random, 5), colour: 'blue', rows: 2, type };
    case 'emergency':
      return { text: `${random.character(home)}${random.character('XS')}${four()}应急`, colour: 'white', rows: 1, type };
  }
}
