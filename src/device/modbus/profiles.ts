import { GateError, type SignalState } from '../../base/index.js';
import type { LineRef } from '../contract.js';
import { describeLine } from '../pulse-limit.js';
import type { BitTable } from './rtu.js';

export type ModbusProfileName = 'generic' | 'waveshare-relay' | 'procon-ld120';

/** The bits one input is made of, and how to read them. */
export interface InputMap {
  readonly table: BitTable;
  /** Protocol addresses (0 for the first), ascending. */
  readonly addresses: readonly number[];
  /** `bits` in the order of `addresses`; one that is missing is not known. */
  decode(bits: readonly (boolean | undefined)[]): SignalState;
}

/** The coil of one output. */
export interface OutputMap {
  /** Protocol address of the coil (0 for the first). */
  readonly coil: number;
  /** Where the board times pulses itself: FC05 to this address with the time in its units. */
  readonly timedPulse?: { readonly address: number; readonly unitMs: number; readonly mostUnits: number };
}

export interface ModbusProfile {
  readonly name: ModbusProfileName;
  /** @throws GateError `DEVICE_LINE_INVALID` */
  input(ref: LineRef): InputMap;
  /** @throws GateError `DEVICE_LINE_INVALID` */
  output(ref: LineRef): OutputMap;
}

const generic: ModbusProfile = {
  name: 'generic',
  input: (ref) => oneBit(ref, bitTable(ref), address(ref, 65_535)),
  output: (ref) => ({ coil: coilAddress(ref, 65_535) }),
};

/**
 * Waveshare Modbus RTU relay and IO boards (board's wiki, command list): coils and discrete inputs from 0, up to 32
 * channels; FC05 at 0x0200 + n closes the relay for a time in units of 100 ms, 0x7FFF at most, and the board itself
 * opens it again.
 */
const waveshareRelay: ModbusProfile = {
  name: 'waveshare-relay',
  input: (ref) => oneBit(ref, bitTable(ref), address(ref, 31)),
  output: (ref) => {
    const coil = coilAddress(ref, 31);
    // The board's timer closes a relay and opens it; wired the other way round the pulse has to be timed here.
    if (ref.activeLow === true) return { coil };
    return { coil, timedPulse: { address: 0x0200 + coil, unitMs: 100, mostUnits: 0x7fff } };
  },
};

/**
 * Procon LD120 loop detector (its manual, Modbus table): discrete inputs 10001 loop fault and 10002 detect, which are
 * protocol addresses 0 and 1. A loop at fault says nothing about the vehicle, so the fault wins.
 */
const proconLd120: ModbusProfile = {
  name: 'procon-ld120',
  input: (ref) => {
    if ((ref.line !== 'loop' && ref.line !== 0 && ref.line !== 1) || ref.table === 'coil') {
      throw invalid(ref, 'an LD120 has one loop: give line: loop');
    }
    return {
      table: 'discrete',
      addresses: [0, 1],
      decode: ([fault, detect]) => {
        if (fault === undefined || detect === undefined) return 'unknown';
        return fault ? 'fault' : level(detect, ref);
      },
    };
  },
  output: (ref) => {
    throw invalid(ref, 'an LD120 has no outputs for the gate; its relays belong to the detector');
  },
};

const profiles: Readonly<Record<ModbusProfileName, ModbusProfile>> = {
  generic,
  'waveshare-relay': waveshareRelay,
  'procon-ld120': proconLd120,
};

export function profileOf(name: ModbusProfileName): ModbusProfile {
  return profiles[name];
}

/** Units of the board's timer for a pulse: rounded up, because a contact too short may not move the boom. */
export function pulseUnits(durationMs: number, unitMs: number, mostUnits: number): number {
  return Math.min(mostUnits, Math.max(1, Math.ceil(durationMs / unitMs)));
}

function bitTable(ref: LineRef): BitTable {
  const { table = 'discrete' } = ref;
  if (table === 'coil' || table === 'discrete') return table;
  throw invalid(ref, 'registers are not read by this profile');
}

function oneBit(ref: LineRef, table: BitTable, at: number): InputMap {
  return { table, addresses: [at], decode: ([bit]) => (bit === undefined ? 'unknown' : level(bit, ref)) };
}

function level(bit: boolean, ref: LineRef): SignalState {
  return bit !== (ref.activeLow ?? false) ? 'on' : 'off';
}

function coilAddress(ref: LineRef, most: number): number {
  if (ref.table === 'discrete') throw invalid(ref, 'discrete inputs cannot be driven; outputs are coils');
  return address(ref, most);
}

function address(ref: LineRef, most: number): number {
  if (typeof ref.line === 'number' && Number.isInteger(ref.line) && ref.line >= 0 && ref.line <= most) return ref.line;
  throw invalid(ref, `give an address of 0 to ${most} (the first coil or input is 0)`);
}

function invalid(ref: LineRef, why: string): GateError {
  return new GateError('DEVICE_LINE_INVALID', `The ${describeLine(ref)} cannot be used: ${why}.`, { line: ref });
}
