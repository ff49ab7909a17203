export type { Device, DeviceHealth, DigitalInput, DigitalOutput, LineRef, SignalChange } from './contract.js';
