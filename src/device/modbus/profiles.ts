import { GateError, type SignalState } from '../../base/index.js';
import type { LineRef } from '../contract.js';
import { describeLine } from '../pulse-limit.js';
import type { TimedPulse } from '../serial/index.js';
import type { ModbusClient } from './client.js';
import { isRegister, mostBits, mostRegisters, type Table } from './rtu.js';

export type ModbusProfileName = 'generic' | 'waveshare-relay' | 'procon-ld120' | 'lc-modbus-8r';

/** The bits or registers one input is made of, and how to read them. */
export interface InputMap {
  readonly table: Table;
  /** Protocol addresses (0 for the first), ascending. */
  readonly addresses: readonly number[];
  /** Values in the order of `addresses`, bits as 0 and 1; one that is missing is not known. */
  readonly decode: (values: readonly (number | undefined)[]) => SignalState;
  /** The same for a technician. */
  readonly raw: (values: readonly (number | undefined)[]) => string;
  /** Trouble the values tell of, and what to do. */
  trouble?(values: readonly (number | undefined)[]): string | undefined;
  /** Figures beside the level, read now and then. */
  readonly figures: readonly Figure[];
}

/** A figure in one or two registers. */
export interface Figure {
  readonly kind: 'frequency' | 'count';
  readonly table: Table;
  readonly address: number;
  readonly words: 1 | 2;
  readonly lowWordFirst: boolean;
  /** Of one step of the register. */
  readonly scale: number;
}

/** How one output is moved and read back. */
export interface OutputMap {
  readonly table: 'coil' | 'holding';
  /** Protocol address of the coil or register (0 for the first). */
  readonly address: number;
  /** Energises or releases the contact. */
  set(client: ModbusClient, unit: number, active: boolean, timeoutMs: number): Promise<void>;
  /** What it reads back as; undefined where the value is neither. */
  active(value: number): boolean | undefined;
  /** Where the board times pulses itself. */
  readonly timedPulse?: (client: ModbusClient, unit: number) => TimedPulse;
}

/** Something a unit is asked when it is first heard, to find out what it is and how it is set. */
export interface UnitCheck {
  readonly table: Table;
  readonly address: number;
  readonly count: number;
  /** Whether a unit that cannot answer it is at fault. */
  readonly required: boolean;
  judge(values: readonly number[], unit: number): Verdict;
}

/** `wrong`: the unit is not what the configuration says, and its inputs mean nothing. `warning`: it works, but beware. */
export type Verdict = { readonly kind: 'ok' } | { readonly kind: 'wrong' | 'warning'; readonly text: string };

export interface ModbusProfile {
  readonly name: ModbusProfileName;
  readonly most: { readonly bits: number; readonly registers: number };
  /** Bits are asked for in whole blocks of so many. */
  readonly bitBlock?: number;
  /** Who times pulses where the configuration says nothing. */
  readonly pulses: 'board' | 'gateway';
  /** @throws GateError `DEVICE_LINE_INVALID` */
  readonly input: (ref: LineRef) => InputMap;
  /** @throws GateError `DEVICE_LINE_INVALID` */
  readonly output: (ref: LineRef, pulses: 'board' | 'gateway') => OutputMap;
  /** @param outputs addresses of the outputs in use */
  checks(outputs: readonly number[]): readonly UnitCheck[];
}

const usual = { bits: mostBits, registers: mostRegisters };

/**
 * Any board: coils, discrete inputs, bits and values of registers by address. Whether its relays drop when the bus goes
 * silent is the board's affair; where it has a communication watchdog, `setup` sets it (Wiren Board relay modules:
 * holding register 8, seconds; their wiki, "Safe mode").
 */
const generic: ModbusProfile = {
  name: 'generic',
  most: usual,
  pulses: 'gateway',
  input: (ref) => {
    const { table = 'discrete' } = ref;
    return isRegister(table) ? registerInput(ref, table) : oneBit(ref, table, address(ref, 65_535));
  },
  output: (ref) => (ref.table === 'holding' ? registerOutput(ref) : coilOutput(ref, coilAddress(ref, 65_535))),
  checks: () => [],
};

/**
 * Waveshare Modbus RTU relay and IO boards (board's wiki, command list): coils and discrete inputs from 0, up to 32
 * channels; FC05 at 0x0200 + n closes the relay for a time in units of 100 ms, 0x7FFF at most, and the board itself
 * opens it again. The wiki knows no communication watchdog: when the bus goes silent a relay stays as it is, and only a
 * pulse ends by itself.
 *
 * Boards with inputs have a control mode for each output in holding register 0x1000 + n: 0 normal, 1 to 3 let the input
 * drive the relay, which must not be (Modbus RTU IO 8CH and Relay (D), "output control mode"). Boards without inputs
 * refuse the question.
 */
const waveshareRelay: ModbusProfile = {
  name: 'waveshare-relay',
  most: usual,
  pulses: 'board',
  input: (ref) => oneBit(ref, bitTable(ref), address(ref, 31)),
  output: (ref, pulses) => {
    const coil = coilAddress(ref, 31);
    const map = coilOutput(ref, coil);
    // The board's timer closes a relay and opens it; wired the other way round the pulse has to be timed here.
    if (ref.activeLow === true || pulses === 'gateway') return map;
    return {
      ...map,
      timedPulse: (client, unit) => ({
        unitMs: 100,
        mostUnits: 0x7fff,
        send: (units, timeoutMs) => client.writeCoilValue(unit, 0x0200 + coil, units, timeoutMs),
      }),
    };
  },
  checks: (outputs) => {
    if (outputs.length === 0) return [];
    const first = Math.min(...outputs);
    return [
      {
        table: 'holding',
        address: 0x1000 + first,
        count: Math.max(...outputs) - first + 1,
        required: false,
        judge: (modes, unit) => {
          const driven = outputs.filter((output) => (modes[output - first] ?? 0) !== 0);
          if (driven.length === 0) return { kind: 'ok' };
          const setup = driven.map((output) => `{address: ${0x1000 + output}, value: 0}`).join(', ');
          return {
            kind: 'warning',
            text: `Unit ${unit} lets its inputs drive relay ${driven.join(', ')}: set the control mode to normal, e.g. with setup: [${setup}].`,
          };
        },
      },
    ];
  },
};

/** Discrete inputs 10001, 10002, 10005 and 10006 of an LD120. */
const ld120Bits = ['fault', 'detect', 'open', 'short'] as const;

/**
 * Procon LD120 loop detector (its manual V3.0, chapter 6): discrete inputs 10001 loop fault, 10002 detect, 10005 open
 * circuit, 10006 short circuit; 30001 low byte 34 names the module; 40010 and 40011 count vehicles; at most 8 registers
 * a request. It reports no frequency. A loop at fault says nothing about the vehicle, so the fault wins. Its relays
 * follow the loop, bus or no bus.
 */
const proconLd120: ModbusProfile = {
  name: 'procon-ld120',
  most: { bits: 8, registers: 8 },
  pulses: 'gateway',
  input: (ref) => {
    if ((ref.line !== 'loop' && ref.line !== 0 && ref.line !== 1) || (ref.table !== undefined && ref.table !== 'discrete')) {
      throw invalid(ref, 'an LD120 has one loop: give line: loop');
    }
    return {
      table: 'discrete',
      addresses: [0, 1, 4, 5],
      decode: ([fault, detect]) => {
        if (fault === undefined || detect === undefined) return 'unknown';
        return fault === 1 ? 'fault' : level(detect === 1, ref);
      },
      raw: (values) => ld120Bits.map((name, index) => `${name} ${values[index] ?? '-'}`).join(', '),
      trouble: ([fault, , open, short]) => {
        if (fault !== 1) return undefined;
        if (open === 1) return 'its loop is an open circuit; check the loop cable, its joints and terminals';
        if (short === 1) return 'its loop is a short circuit; check the loop cable for damage and water';
        return 'it reports a loop fault; reset it and check loop, cable and sensitivity';
      },
      figures: [{ kind: 'count', table: 'holding', address: 9, words: 2, lowWordFirst: false, scale: 1 }],
    };
  },
  output: (ref) => {
    throw invalid(ref, 'an LD120 has no outputs for the gate; its relays belong to the detector');
  },
  checks: () => [
    {
      table: 'input',
      address: 0,
      count: 1,
      required: true,
      judge: ([identity = 0], unit) => {
        const type = identity & 0xff;
        if (type === 34) return { kind: 'ok' };
        return { kind: 'wrong', text: `Unit ${unit} is no LD120: it names itself module type ${type}, not 34. Check its address, or give it another profile.` };
      },
    },
  ],
};

/**
 * LC Technology LC-Modbus-8R (LC-Modbus-8R-D7, maker's register table): coils and discrete inputs 0 to 7, answered only
 * where all 8 are asked for; factory address 255. FC16 of {4, time in 100 ms} to 3 + 5 n closes relay n for a time, by
 * reports of its users; the maker's names for that mode contradict each other, so it is used only where the
 * configuration asks for it. No communication watchdog is known: when the bus goes silent a relay stays as it is. At
 * power-up the board sends a greeting in plain text, which may cost one answer.
 */
const lcModbus8r: ModbusProfile = {
  name: 'lc-modbus-8r',
  most: usual,
  bitBlock: 8,
  pulses: 'gateway',
  input: (ref) => oneBit(ref, bitTable(ref), address(ref, 7)),
  output: (ref, pulses) => {
    const coil = coilAddress(ref, 7);
    const map = coilOutput(ref, coil);
    if (ref.activeLow === true || pulses === 'gateway') return map;
    return {
      ...map,
      timedPulse: (client, unit) => ({
        unitMs: 100,
        mostUnits: 0xffff,
        send: (units, timeoutMs) => client.writeRegisters(unit, 3 + 5 * coil, [4, units], timeoutMs),
      }),
    };
  },
  checks: () => [],
};

const profiles: Readonly<Record<ModbusProfileName, ModbusProfile>> = {
  generic,
  'waveshare-relay': waveshareRelay,
  'procon-ld120': proconLd120,
  'lc-modbus-8r': lcModbus8r,
};

export function profileOf(name: ModbusProfileName): ModbusProfile {
  return profiles[name];
}

/** The value of a figure; undefined where a register of it is missing. */
export function figureValue({ words, lowWordFirst, scale }: Figure, registers: readonly number[]): number | undefined {
  const [first, second] = registers;
  if (first === undefined) return undefined;
  if (words === 1) return first * scale;
  if (second === undefined) return undefined;
  const [high, low] = lowWordFirst ? [second, first] : [first, second];
  return (high * 0x1_0000 + low) * scale;
}

function bitTable(ref: LineRef): 'coil' | 'discrete' {
  const { table = 'discrete' } = ref;
  if (table === 'coil' || table === 'discrete') return table;
  throw invalid(ref, 'registers are read only with profile: generic');
}

function oneBit(ref: LineRef, table: Table, at: number): InputMap {
  if (ref.bit !== undefined || ref.equals !== undefined || ref.faultValues !== undefined) {
    throw invalid(ref, 'bit, equals and faultValues belong to table: holding or input');
  }
  return {
    table,
    addresses: [at],
    decode: ([bit]) => (bit === undefined ? 'unknown' : level(bit === 1, ref)),
    raw: ([bit]) => String(bit ?? '-'),
    figures: figuresOf(ref),
  };
}

/** One bit of a register, or a register that is on at certain values. */
function registerInput(ref: LineRef, table: Table): InputMap {
  const { bit, equals, faultValues = [] } = ref;
  if ((bit === undefined) === (equals === undefined)) throw invalid(ref, 'a register needs either bit (0 to 15) or equals (the values that mean on)');
  return {
    table,
    addresses: [address(ref, 65_535)],
    decode: ([value]) => {
      if (value === undefined) return 'unknown';
      if (faultValues.includes(value)) return 'fault';
      return level(bit === undefined ? (equals ?? []).includes(value) : ((value >> bit) & 1) === 1, ref);
    },
    raw: ([value]) => (value === undefined ? '-' : hex(value)),
    figures: figuresOf(ref),
  };
}

function figuresOf({ frequency }: LineRef): readonly Figure[] {
  if (frequency === undefined) return [];
  const { table, line, words = 1, lowWordFirst = false, scaleHz = 1 } = frequency;
  return [{ kind: 'frequency', table, address: line, words, lowWordFirst, scale: scaleHz }];
}

function coilOutput(ref: LineRef, coil: number): OutputMap {
  const activeLow = ref.activeLow ?? false;
  return {
    table: 'coil',
    address: coil,
    set: (client, unit, active, timeoutMs) => client.writeCoil(unit, coil, active !== activeLow, timeoutMs),
    active: (value) => (value === 1) !== activeLow,
  };
}

/** A contact behind a holding register: a bit of it, or values that mean on and off. */
function registerOutput(ref: LineRef): OutputMap {
  const { bit, write } = ref;
  const at = address(ref, 65_535);
  const activeLow = ref.activeLow ?? false;
  if ((bit === undefined) === (write === undefined)) throw invalid(ref, 'an output in a register needs either bit (0 to 15) or write (the values for on and off)');
  if (write !== undefined) {
    const { on, off, readOn = on, readOff = off } = write;
    if (on === off || readOn === readOff) throw invalid(ref, 'on and off need different values');
    return {
      table: 'holding',
      address: at,
      set: (client, unit, active, timeoutMs) => client.writeRegister(unit, at, active !== activeLow ? on : off, timeoutMs),
      active: (value) => (value === readOn ? !activeLow : value === readOff ? activeLow : undefined),
    };
  }
  const mask = 1 << (bit ?? 0);
  return {
    table: 'holding',
    address: at,
    // Nobody else writes between the two: an order has the bus to itself.
    set: async (client, unit, active, timeoutMs) => {
      const [value = 0] = await client.read(unit, 'holding', at, 1, timeoutMs);
      await client.writeRegister(unit, at, active !== activeLow ? value | mask : value & ~mask & 0xffff, timeoutMs);
    },
    active: (value) => ((value & mask) !== 0) !== activeLow,
  };
}

/** A register as boards' manuals write it, e.g. `0x0013`. */
export function hex(value: number): string {
  return `0x${value.toString(16).padStart(4, '0').toUpperCase()}`;
}

function level(high: boolean, ref: LineRef): SignalState {
  return high !== (ref.activeLow ?? false) ? 'on' : 'off';
}

function coilAddress(ref: LineRef, most: number): number {
  if (ref.table !== undefined && ref.table !== 'coil') throw invalid(ref, 'only coils and, with profile: generic, holding registers can be driven');
  if (ref.bit !== undefined || ref.write !== undefined) throw invalid(ref, 'bit and write belong to table: holding');
  return address(ref, most);
}

function address(ref: LineRef, most: number): number {
  if (typeof ref.line === 'number' && Number.isInteger(ref.line) && ref.line >= 0 && ref.line <= most) return ref.line;
  throw invalid(ref, `give an address of 0 to ${most} (the first is 0)`);
}

function invalid(ref: LineRef, why: string): GateError {
  return new GateError('DEVICE_LINE_INVALID', `The ${describeLine(ref)} cannot be used: ${why}.`, { line: ref });
}
