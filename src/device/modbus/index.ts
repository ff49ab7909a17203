export { ModbusDevice, type ModbusOptions, type ModbusUnitOptions } from './device.js';
export type { ModbusProfileName } from './profiles.js';
