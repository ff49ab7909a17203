/** Province characters of GA 36-2018, in the order of the administrative codes. */
export const PROVINCES = '京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新';

export const DIGITS = '0123456789';

/** Letters of a serial number: I and O are never used there. */
export const SERIAL_LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ';

/** Letters of the issuing office: also O, from the standard's appendix (鲁O, 粤O: old official cars). */
export const ISSUER_LETTERS = `${SERIAL_LETTERS}O`;

/** D A B C E: pure electric; F G H J K: other new energy. */
export const NEW_ENERGY_LETTERS = 'ABCDEFGHJK';

/** Characters that close (or, on old embassy plates, open) a special plate. */
export const SPECIALS = '警学挂港澳使领应急';

/**
 * O and 0, I and 1 are one shape on a plate, so texts are compared and searched with the digit for both; the grammar
 * says at each position which of the two is meant.
 */
export function foldCharacter(char: string): string {
  return char === 'O' ? '0' : char === 'I' ? '1' : char;
}

/** `foldCharacter` for a whole text. */
export function foldText(text: string): string {
  return text.replaceAll('O', '0').replaceAll('I', '1');
}
