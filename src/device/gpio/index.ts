export { GpioDevice, type GpioOptions } from './device.js';
export type { GpioInterface } from './line.js';
export { listChips } from './backend.js';
export { describeChips, readChips, type ChipLabel, type GpioChip } from './chips.js';
