export type { Plate, PlateColour, PlateRead, PlateRows, PlateText, PlateType } from './types.js';
export { DIGITS, ISSUER_LETTERS, NEW_ENERGY_LETTERS, PROVINCES, SERIAL_LETTERS, SPECIALS, foldCharacter, foldText } from './alphabet.js';
export { PATTERNS, type CharacterClass, type PlatePattern } from './patterns.js';
export { normalisePlate } from './normalise.js';
export { explainPlate, isPlateText, parsePlate, plateTypesFor, samePlate, tryParsePlate } from './parse.js';
export { PLATE_LOOKS, plausibleTypes, type PlateLook } from './looks.js';
export { bestGrammatical, type GrammaticalText, type SlotCandidate } from './decode.js';
export { CONFUSIONS, NEAR_DISTANCE } from './confusion.js';
export { lookAlikeDistance, lookAlikesOf, nearLookAlikes, type LookAlike } from './look-alike.js';
