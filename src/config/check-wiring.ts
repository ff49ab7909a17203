import type { RawFault } from './faults.js';
import { field, isRecord, listOf, numberOf, textOf, type RawPath } from './raw.js';
import { lineDeviceFaults, registerFaults, setupFaults } from './check-serial.js';
import { showFound } from './redact.js';

/** A line as a lane uses it. */
interface WiredLine {
  readonly path: RawPath;
  readonly lane: number;
  readonly role: string;
  readonly output: boolean;
  readonly ref: unknown;
}

const OUTPUTS = ['open', 'close', 'stop', 'greenLight', 'redLight'];
const INPUTS = ['approach', 'closing', 'beam', 'openLimit', 'closedLimit', 'fire', 'stop', 'button'];
/** One contact may serve every lane. */
const SHARED_ROLES = ['fire', 'stop'];

/** Keys that mean something only on Modbus. */
const registerKeys = ['table', 'bit', 'equals', 'faultValues', 'write', 'frequency'];
/** Highest address of boards that have only so many lines. */
const mostAddress: Readonly<Record<string, number>> = { 'waveshare-relay': 31, 'lc-modbus-8r': 7 };
const SERIAL_DRIVERS: readonly unknown[] = ['modbus', 'line'];

function wiredLines(root: unknown): readonly WiredLine[] {
  return listOf(field(root, 'lanes')).flatMap((lane, index) => {
    const collect = (section: 'barrier' | 'inputs', roles: readonly string[]): WiredLine[] =>
      roles.flatMap((role) => {
        const ref = field(lane, section, role);
        return isRecord(ref) ? [{ path: ['lanes', index, section, role], lane: index, role, output: section === 'barrier', ref }] : [];
      });
    return [...collect('barrier', OUTPUTS), ...collect('inputs', INPUTS)];
  });
}

/** Lines against the drivers of their devices: what `gpio`, `modbus` and `sim` need and what means nothing to them. */
function driverFaults(root: unknown, { path, ref, output }: WiredLine): readonly RawFault[] {
  const device = listOf(field(root, 'devices')).find((one) => field(one, 'id') === field(ref, 'device'));
  const line = field(ref, 'line');
  const unit = field(ref, 'unit');
  const faults: RawFault[] = [];
  const notFor = (driver: string, ...keys: readonly string[]): void => {
    for (const key of keys) {
      if (field(ref, key) !== undefined) faults.push({ path: [...path, key], found: `${key} on a line of driver ${driver}`, expected: `no ${key}: it means nothing to this driver` });
    }
  };
  switch (field(device, 'driver')) {
    case 'gpio': {
      if (typeof line === 'string') faults.push({ path: [...path, 'line'], found: JSON.stringify(line), expected: 'the offset of the line on its GPIO chip, a whole number', example: 'line: 17' });
      notFor('gpio', 'unit', ...registerKeys);
      const pull = textOf(field(ref, 'pull'));
      if (pull === undefined) break;
      if (output) {
        faults.push({ path: [...path, 'pull'], found: 'pull on an output', expected: 'no pull: an output drives its pin itself' });
      } else if (field(device, 'interface') === 'sysfs') {
        const letters = { up: 'pu', down: 'pd', off: 'pn' };
        const setting = pull === 'up' || pull === 'down' || pull === 'off' ? `, e.g. gpio=${String(line)}=${letters[pull]}` : '';
        faults.push({ path: [...path, 'pull'], found: 'pull on a device with interface sysfs, which cannot set it', expected: `interface: chardev, or no pull here and the pull set in /boot/firmware/config.txt${setting}` });
      }
      break;
    }
    case 'sim':
      if (typeof line === 'number') faults.push({ path: [...path, 'line'], found: String(line), expected: 'the name of a simulated line: lane and part', example: `line: entry.${output ? 'open' : 'approach'}` });
      notFor('sim', 'chip', 'unit', 'pull', ...registerKeys);
      break;
    case 'line':
      if (typeof line === 'number') faults.push({ path: [...path, 'line'], found: String(line), expected: 'the name of the line as the device sends it', example: 'line: L1' });
      if (output && typeof line === 'string' && !listOf(field(device, 'outputs')).some((one) => field(one, 'name') === line)) {
        faults.push({ path: [...path, 'line'], found: JSON.stringify(line), expected: `the name of an entry under outputs of device ${String(field(ref, 'device'))}, with the texts for on and off`, example: `outputs: [{name: ${line}, on: ${line}=1, off: ${line}=0}]` });
      }
      notFor('line', 'chip', 'unit', 'pull', ...registerKeys);
      break;
    case 'modbus': {
      const known = listOf(field(device, 'units')).flatMap((one) => numberOf(field(one, 'unit')) ?? []);
      const profile = field(listOf(field(device, 'units')).find((one) => field(one, 'unit') === unit), 'profile');
      if (unit === undefined) {
        faults.push({ path: [...path, 'unit'], found: 'nothing', expected: 'the address of the board on the bus, one of its units', example: `unit: ${String(known[0] ?? 1)}` });
      } else if (typeof unit === 'number' && !known.includes(unit)) {
        faults.push({ path: [...path, 'unit'], found: String(unit), expected: `a unit listed under device ${String(field(ref, 'device'))}: ${known.join(', ')}`, example: `unit: ${String(known[0] ?? 1)}` });
      }
      if (typeof line === 'string' && !(profile === 'procon-ld120' && line === 'loop')) {
        faults.push({ path: [...path, 'line'], found: JSON.stringify(line), expected: 'the address of the coil or input on the board, a whole number from 0', example: 'line: 0' });
      }
      faults.push(...registerFaults(path, ref, output, textOf(profile) ?? 'generic'));
      const most = mostAddress[textOf(profile) ?? 'generic'];
      if (typeof line === 'number' && most !== undefined && line > most) {
        faults.push({ path: [...path, 'line'], found: String(line), expected: `a line of a ${String(profile)} board: 0 to ${most}`, example: 'line: 0' });
      }
      if (output && profile === 'procon-ld120') {
        faults.push({ path: [...path, 'unit'], found: `unit ${String(unit)}, a procon-ld120`, expected: 'a board with relays; those of an LD120 belong to the detector' });
      }
      notFor('modbus', 'chip', 'pull');
      break;
    }
    default:
      break;
  }
  return faults;
}

/** The physical line, so that two ways of writing one line are found to be one. */
function physical({ ref, output }: WiredLine): string {
  const table = field(ref, 'table') ?? (output ? 'coil' : 'discrete');
  const part = [field(ref, 'bit') ?? '', field(ref, 'equals') ?? ''];
  const parts = field(ref, 'unit') === undefined ? [field(ref, 'chip') ?? ''] : [field(ref, 'unit'), table, ...part];
  return JSON.stringify([field(ref, 'device'), ...parts, field(ref, 'line')]);
}

function sharingFaults(lines: readonly WiredLine[]): readonly RawFault[] {
  const first = new Map<string, WiredLine>();
  const faults: RawFault[] = [];
  for (const wired of lines) {
    if (field(wired.ref, 'line') === undefined) continue;
    const key = physical(wired);
    const other = first.get(key);
    if (other === undefined) {
      first.set(key, wired);
      continue;
    }
    const use = `already used as lanes[${other.lane}].${other.output ? 'barrier' : 'inputs'}.${other.role}`;
    if (wired.output || other.output) {
      faults.push({ path: wired.path, found: `a line ${use}`, expected: 'a line of its own: an output has one owner, or open and close could meet' });
    } else if (wired.role !== other.role || (wired.lane !== other.lane && !SHARED_ROLES.includes(wired.role))) {
      faults.push({ path: wired.path, found: `a line ${use}`, expected: 'a line of its own; only fire and stop may serve several lanes' });
    } else if ((field(wired.ref, 'activeLow') ?? false) !== (field(other.ref, 'activeLow') ?? false) || ['debounceMs', 'pull'].some((key) => field(wired.ref, key) !== field(other.ref, key))) {
      faults.push({ path: wired.path, found: `a line ${use}, but with another activeLow, debounceMs or pull`, expected: 'the same settings wherever one contact is used' });
    }
  }
  return faults;
}

/** What the kind of barrier needs, and what means nothing to it. */
function barrierFaults(barrier: unknown, path: RawPath): readonly RawFault[] {
  if (!isRecord(barrier)) return [];
  const holds = barrier['drive'] === 'hold-to-open';
  const faults: RawFault[] = [];
  if (barrier['closing'] === 'gateway-closes' && !holds && barrier['close'] === undefined) {
    faults.push({
      path: [...path, 'close'],
      found: 'nothing, although closing is gateway-closes',
      expected: 'the output of the CLOSE contact, or closing: barrier-closes where the board lowers the boom by itself, or drive: hold-to-open where it falls when OPEN is released',
      example: 'close: {device: relays, line: 1}',
    });
  }
  if (holds && barrier['close'] !== undefined) {
    faults.push({ path: [...path, 'close'], found: 'a CLOSE contact, although drive is hold-to-open', expected: 'no close: the release of OPEN lowers the boom' });
  }
  if (holds && barrier['closing'] === 'gateway-closes' && field(barrier, 'failState', 'softwareDeath') !== 'open') {
    faults.push({
      path: [...path, 'failState', 'softwareDeath'],
      found: `${textOf(field(barrier, 'failState', 'softwareDeath')) ?? 'nothing, which means release'}, although the boom comes down as soon as OPEN is released`,
      expected: 'open: nobody would watch the boom come down; or closing: barrier-closes where the barrier has a loop of its own',
      example: 'failState: {softwareDeath: open}',
    });
  }
  if (barrier['antiTailgate'] === 4 && (holds || barrier['stop'] === undefined)) {
    faults.push(
      holds
        ? { path: [...path, 'antiTailgate'], found: '4, although drive is hold-to-open', expected: '0 to 3: a boom that is held up cannot be stopped half-way', example: 'antiTailgate: 3' }
        : { path: [...path, 'stop'], found: 'nothing, although antiTailgate is 4', expected: 'the output of the STOP contact, which ends a rise when a second vehicle follows', example: 'stop: {device: relays, line: 2}' },
    );
  }
  return faults;
}

/** Lanes, cameras and devices against each other. */
export function wiringFaults(root: unknown): readonly RawFault[] {
  const devices = listOf(field(root, 'devices'));
  const cameras = listOf(field(root, 'cameras'));
  const lanes = listOf(field(root, 'lanes'));
  const ids = (list: readonly unknown[]): readonly string[] => list.flatMap((one) => textOf(field(one, 'id')) ?? []);
  const faults: RawFault[] = [];
  const refer = (path: RawPath, name: unknown, known: readonly string[], what: string): void => {
    if (typeof name !== 'string' || known.includes(name)) return;
    faults.push({ path, found: JSON.stringify(name), expected: `the id of an entry under ${what}: ${known.join(', ') || 'there is none yet'}`, example: known[0] === undefined ? undefined : `${String(path.at(-1))}: ${known[0]}` });
  };

  for (const [index, device] of devices.entries()) {
    const before = devices.slice(0, index);
    const path = field(device, 'path');
    const shared = before.some((one) => SERIAL_DRIVERS.includes(field(one, 'driver')) && field(one, 'path') === path);
    if (SERIAL_DRIVERS.includes(field(device, 'driver')) && path !== undefined && shared) {
      faults.push({ path: ['devices', index, 'path'], found: showFound([], path), expected: 'one entry for each serial port; put all boards of a bus under its units' });
    }
    faults.push(...lineDeviceFaults(device, index), ...setupFaults(device, index));
    const units = listOf(field(device, 'units')).map((one) => numberOf(field(one, 'unit')));
    for (const [at, unit] of units.entries()) {
      if (unit !== undefined && units.indexOf(unit) < at) faults.push({ path: ['devices', index, 'units', at, 'unit'], found: `${unit} a second time`, expected: 'an address once per bus' });
    }
  }

  for (const [index, camera] of cameras.entries()) {
    const source = field(camera, 'source');
    if (field(source, 'kind') === 'sim') {
      const worlds = ids(devices.filter((one) => field(one, 'driver') === 'sim'));
      refer(['cameras', index, 'source', 'device'], field(source, 'device'), worlds, 'devices with the driver sim');
      refer(['cameras', index, 'source', 'view'], field(source, 'view'), ids(lanes), 'lanes');
    }
    if (field(source, 'password') !== undefined && field(source, 'username') === undefined) {
      faults.push({ path: ['cameras', index, 'source', 'username'], found: 'nothing, although there is a password', expected: 'the name that goes with the password', example: 'username: gate' });
    }
  }

  const watched = new Map<string, number>();
  for (const [index, lane] of lanes.entries()) {
    const camera = textOf(field(lane, 'camera'));
    refer(['lanes', index, 'camera'], camera, ids(cameras), 'cameras');
    if (camera !== undefined) {
      const other = watched.get(camera);
      if (other !== undefined) faults.push({ path: ['lanes', index, 'camera'], found: `${JSON.stringify(camera)}, which lanes[${other}] uses`, expected: 'a camera of its own for every lane' });
      watched.set(camera, other ?? index);
    }
    faults.push(...barrierFaults(field(lane, 'barrier'), ['lanes', index, 'barrier']));
  }

  const lines = wiredLines(root);
  for (const wired of lines) {
    refer([...wired.path, 'device'], field(wired.ref, 'device'), ids(devices), 'devices');
    faults.push(...driverFaults(root, wired));
  }
  return [...faults, ...sharingFaults(lines)];
}
