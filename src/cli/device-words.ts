import { word, type DeviceHealthData, type DeviceLineData } from '../web/view.js';
import type { CliWords } from './words/en.js';

export interface Place {
  readonly line: number | string;
  readonly chip?: string | undefined;
  readonly unit?: number | undefined;
  readonly table?: string | undefined;
  readonly bit?: number | undefined;
  readonly activeLow?: boolean | undefined;
}

/** Where a line is, as short as a technician would write it on a terminal strip. */
export function placeOf({ chip, unit, table, line, bit, activeLow }: Place): string {
  const parts = [chip, unit === undefined ? undefined : `unit ${unit}`, table, String(line), bit === undefined ? undefined : `bit ${bit}`, activeLow === true ? 'active low' : undefined];
  return parts.filter((part) => part !== undefined).join(' ');
}

export function roleOf(line: DeviceLineData, words: CliWords): string {
  return line.roles.map(({ lane, name }) => `${lane}: ${word(words.roles, name)}`).join(', ');
}

/** Why a line cannot be read, from what its device and its unit say. */
function why(line: DeviceLineData, device: DeviceHealthData | undefined, words: CliWords): string {
  const unit = device?.units?.find((one) => one.unit === line.ref.unit);
  if (device?.state === 'starting') return words.devices.starting;
  if (device?.state === 'stopped') return words.devices.stopped;
  if (unit?.state === 'lost') return words.devices.unitLost(unit.unit);
  if (device?.state === 'lost') return words.devices.deviceLost(device.id);
  return words.devices.notRead;
}

/** A line's state in the words of what it is wired to. */
export function meaningOf(line: DeviceLineData, device: DeviceHealthData | undefined, words: CliWords): string {
  const [role] = line.roles;
  const safety = line.roles.some(({ name }) => name === 'approach' || name === 'closing' || name === 'beam');
  const counts = safety ? `; ${words.devices.countsAsOccupied}` : '';
  if (line.state === 'unknown') return `${words.devices.unknown}: ${why(line, device, words)}${counts}`;
  if (line.state === 'fault') return `${words.devices.fault}${counts}`;
  // STOP is a button among the inputs and a contact among the outputs.
  const own = line.use === 'output' && role?.name === 'stop' ? undefined : words.meaning[role?.name ?? ''];
  const said = own ?? words.meaning[line.use];
  return said?.[line.state] ?? line.state;
}
