export type { Device, DeviceHealth, DigitalInput, DigitalOutput, LineRef, SignalChange } from './contract.js';
export { createDevice, type DeviceOptions } from './create.js';
export { releaseAll, type ReleaseReport } from './release-all.js';
export { describeChips, readChips, type GpioChip } from './onoff/index.js';
export type { ModbusOptions, ModbusProfileName, ModbusUnitOptions } from './modbus/index.js';
export { Claims } from './claims.js';
export { HealthSource } from './health-source.js';
export { checkPulse, describeLine, longestPulseMs } from './pulse-limit.js';
export { SignalInput } from './signal-input.js';
