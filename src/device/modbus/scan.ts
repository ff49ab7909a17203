import { isGateError, silentLog, type Clock } from '../../base/index.js';
import { TrafficTap, type SerialSettings } from '../serial/index.js';
import { SerialModbusClient } from './client.js';
import type { ModbusProfileName } from './profiles.js';
import type { Table } from './rtu.js';

/** What a scan asks of a bus. Rejects with `DEVICE_TIMEOUT` (nobody there) or `DEVICE_LINE_INVALID` (there, but refused). */
export interface BusProbe {
  read(unit: number, table: Table, address: number, count: number): Promise<readonly number[]>;
}

/** A unit that answered. */
export interface FoundUnit {
  readonly unit: number;
  readonly profile: ModbusProfileName;
  /** Discrete inputs and coils that can be read at once from address 0; boards that answer for more than they have say more. */
  readonly inputs: number;
  readonly coils: number;
}

const sizes = [32, 16, 8, 4, 2, 1] as const;

/** Values, or undefined where the unit is there and refuses; rejects where nobody answers or the port is gone. */
async function tried(probe: BusProbe, unit: number, table: Table, address: number, count: number): Promise<readonly number[] | undefined> {
  try {
    return await probe.read(unit, table, address, count);
  } catch (cause) {
    if (isGateError(cause, 'DEVICE_LINE_INVALID')) return undefined;
    throw cause;
  }
}

/** As `tried`, and silence counts as a refusal: some boards ignore what they do not know. */
async function quietly(probe: BusProbe, unit: number, table: Table, address: number, count: number): Promise<readonly number[] | undefined> {
  try {
    return await tried(probe, unit, table, address, count);
  } catch (cause) {
    if (isGateError(cause, 'DEVICE_TIMEOUT')) return undefined;
    throw cause;
  }
}

async function most(probe: BusProbe, unit: number, table: 'coil' | 'discrete'): Promise<number> {
  for (const count of sizes) if ((await quietly(probe, unit, table, 0, count)) !== undefined) return count;
  return 0;
}

/**
 * Which board a unit is, as far as it tells. LD120 (Procon's manual, Modbus table): low byte of input register 30001 is
 * 34. Waveshare relay boards (board's wiki): holding register 0x8000 is the firmware's version times 100.
 */
async function recognise(probe: BusProbe, unit: number, coils: number): Promise<ModbusProfileName> {
  const [kind] = (await quietly(probe, unit, 'input', 0, 1)) ?? [];
  if (kind !== undefined && (kind & 0xff) === 34) return 'procon-ld120';
  const [version] = (await quietly(probe, unit, 'holding', 0x8000, 1)) ?? [];
  return coils > 0 && version !== undefined && version >= 100 && version < 1_000 ? 'waveshare-relay' : 'generic';
}

/**
 * Asks every address once, reading only, and says who answers and what it is.
 * @param onUnit called with every unit as it is found
 */
export async function scanUnits(probe: BusProbe, units: readonly number[], onUnit: (found: FoundUnit) => void, signal: AbortSignal): Promise<readonly FoundUnit[]> {
  const found: FoundUnit[] = [];
  for (const unit of units) {
    if (signal.aborted) break;
    try {
      await tried(probe, unit, 'discrete', 0, 1);
    } catch (cause) {
      if (!isGateError(cause, 'DEVICE_TIMEOUT')) throw cause;
      // A relay board without inputs may not answer a question for them.
      if ((await quietly(probe, unit, 'coil', 0, 1)) === undefined) continue;
    }
    const inputs = await most(probe, unit, 'discrete');
    const coils = await most(probe, unit, 'coil');
    const one = { unit, profile: await recognise(probe, unit, coils), inputs, coils };
    found.push(one);
    onUnit(one);
  }
  return found;
}

/**
 * Scans one serial bus. Rejects with `DEVICE_LOST` where the port cannot be opened or goes away.
 * @param timeoutMs how long each address may take to answer
 */
export async function scanBus(settings: SerialSettings, units: readonly number[], timeoutMs: number, clock: Clock, onUnit: (found: FoundUnit) => void, signal: AbortSignal): Promise<readonly FoundUnit[]> {
  const client = new SerialModbusClient(settings, clock, new TrafficTap(clock, silentLog));
  await client.open(() => undefined);
  try {
    return await scanUnits({ read: (unit, table, address, count) => client.read(unit, table, address, count, timeoutMs) }, units, onUnit, signal);
  } finally {
    await client.close();
  }
}
