import type { Clock, Log } from '../base/index.js';
import type { GateConfig } from '../config/index.js';
import type { LineReport, Traffic } from '../device/index.js';
import { DeviceTable, linesOf, type ReportingDevice } from './device-table.js';
import { createDrivers } from './drivers.js';

/** The devices of a configuration opened without a gate, to be looked at only. */
export interface Reading {
  readonly table: DeviceTable;
  /** Outputs that cannot be read without driving them; they are listed as unknown. */
  readonly unread: number;
  /** Listens to a serial device; undefined where there is no such device or it has no traffic. */
  readonly traffic: (device: string) => ((listener: (traffic: Traffic) => void) => () => void) | undefined;
  stop(): Promise<void>;
}

/**
 * Opens every device and reads its inputs. Nothing is driven: coils are read through the bus, and GPIO outputs are left
 * alone, since taking hold of such a line already drives it.
 */
export async function openForReading(config: GateConfig, clock: Clock, log: Log): Promise<Reading> {
  const { devices } = createDrivers(config, clock, log);
  const unread: LineReport[] = [];
  for (const lane of config.lanes) {
    for (const { use, ref } of linesOf(lane)) {
      const device = devices.get(ref.device);
      if (device === undefined) continue;
      const onBus = ref.unit !== undefined || config.devices.some(({ id, driver }) => id === ref.device && driver === 'modbus');
      if (use === 'input') device.input(ref);
      else if (onBus) device.input({ ...ref, table: ref.table ?? 'coil' });
      else unread.push({ ref, use, state: 'unknown', raw: null, sinceMs: null, changes: 0 });
    }
  }
  await Promise.all([...devices.values()].map((device) => device.start()));
  const reporting = new Map<string, ReportingDevice>(
    [...devices].map(([id, device]) => [
      id,
      {
        id,
        health: () => device.health(),
        lines: () => [...device.lines(), ...unread.filter(({ ref }) => ref.device === id)],
        ...(device.units === undefined ? {} : { units: () => device.units?.() ?? [] }),
      },
    ]),
  );
  return {
    table: new DeviceTable({ devices: reporting, drivers: new Map(config.devices.map(({ id, driver }) => [id, driver])), lanes: config.lanes, clock }),
    unread: unread.length,
    traffic: (id) => {
      const device = devices.get(id);
      return device?.onTraffic === undefined ? undefined : (listener) => device.onTraffic?.(listener) ?? (() => undefined);
    },
    stop: async () => {
      await Promise.all([...devices.values()].map((device) => device.stop()));
    },
  };
}
