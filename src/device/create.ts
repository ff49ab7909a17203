import type { Clock, Log } from '../base/index.js';
import type { Device } from './contract.js';
import { LineDevice, type LineOptions } from './line/index.js';
import { ModbusDevice, type ModbusOptions } from './modbus/index.js';
import { GpioDevice, type GpioOptions } from './gpio/index.js';

/** What a driver needs to know; an entry under `devices` of the configuration fits it. */
export type DeviceOptions =
  | ({ readonly driver: 'gpio' } & GpioOptions)
  | ({ readonly driver: 'modbus' } & ModbusOptions)
  | ({ readonly driver: 'line' } & LineOptions);

/**
 * Makes the driver for a device, not started. Lines are claimed on it, then it is started.
 * @throws GateError `DEVICE_LINE_INVALID` where the options contradict each other
 */
export function createDevice(options: DeviceOptions, clock: Clock, log: Log): Device {
  switch (options.driver) {
    case 'gpio':
      return new GpioDevice(options, clock, log);
    case 'modbus':
      return new ModbusDevice(options, clock, log);
    case 'line':
      return new LineDevice(options, clock, log);
  }
}
