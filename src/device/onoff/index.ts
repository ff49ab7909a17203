export { OnoffDevice, type OnoffOptions } from './device.js';
export { describeChips, readChips, resolveLine, type GpioChip } from './chips.js';
