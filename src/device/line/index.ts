export { LineDevice, type LineOptions, type OutputTexts } from './device.js';
export type { Checksum, InputTexts } from './grammar.js';
