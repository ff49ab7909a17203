export { GpioDevice, type GpioOptions } from './device.js';
export type { GpioInterface } from './line.js';
export { describeChips, readChips, type GpioChip } from './chips.js';
