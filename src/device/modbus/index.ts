export { ModbusDevice, type ModbusOptions, type ModbusUnitOptions } from './device.js';
export type { ModbusProfileName } from './profiles.js';
export { scanBus, scanUnits, type BusProbe, type FoundUnit } from './scan.js';
