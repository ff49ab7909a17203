import type { RawFault } from './faults.js';
import { field, isRecord, listOf, numberOf, textOf, type RawPath } from './raw.js';

/** Tables and values of a line in a Modbus register against each other. */
export function registerFaults(path: RawPath, ref: unknown, output: boolean, profile: string): readonly RawFault[] {
  const table = field(ref, 'table');
  const has = (key: string): boolean => field(ref, key) !== undefined;
  const register = table === 'holding' || table === 'input';
  const faults: RawFault[] = [];
  if (output && (table === 'discrete' || table === 'input')) {
    faults.push({ path: [...path, 'table'], found: table, expected: `coil or holding: ${table === 'input' ? 'input registers' : 'discrete inputs'} cannot be driven`, example: 'table: coil' });
    return faults;
  }
  if (register && profile !== 'generic') {
    faults.push({ path: [...path, 'table'], found: `${table} on a ${profile}`, expected: 'coil or discrete; lines in registers need profile: generic', example: 'table: discrete' });
  }
  for (const key of output ? ['equals', 'faultValues', 'frequency'] : ['write']) {
    if (has(key)) faults.push({ path: [...path, key], found: `${key} on an ${output ? 'output' : 'input'}`, expected: `no ${key}: it belongs to ${output ? 'inputs' : 'outputs'}` });
  }
  const value = output ? 'write' : 'equals';
  const example = output ? 'write: {on: 1, off: 0}' : 'equals: [1]';
  if (register && has('bit') === has(value)) {
    const expected = `either bit, 0 to 15, or ${value}, ${output ? 'the values for on and off' : 'the values that mean on'}`;
    faults.push({ path: [...path, value], found: has('bit') ? `${value} and bit` : `neither ${value} nor bit`, expected, example });
  }
  if (!register) {
    for (const key of ['bit', value]) {
      if (has(key)) faults.push({ path: [...path, key], found: `${key} without a register`, expected: `table: holding${output ? '' : ' or input'} beside it, or no ${key}`, example: 'table: holding' });
    }
  }
  if (!output && has('faultValues') && !has('equals')) faults.push({ path: [...path, 'faultValues'], found: 'faultValues without equals', expected: 'equals beside it: the values that mean on', example });
  const on = listOf(field(ref, 'equals'));
  const both = listOf(field(ref, 'faultValues')).flatMap((one) => (on.includes(one) ? (numberOf(one) ?? []) : []))[0];
  if (both !== undefined) faults.push({ path: [...path, 'faultValues'], found: `${both}, which equals has too`, expected: 'a value that means either on or fault' });
  const write = field(ref, 'write');
  const readOn = field(write, 'readOn') ?? field(write, 'on');
  const readOff = field(write, 'readOff') ?? field(write, 'off');
  if (isRecord(write) && (field(write, 'on') === field(write, 'off') || readOn === readOff)) {
    faults.push({ path: [...path, 'write'], found: 'one value for on and off', expected: 'different values for on and off, written and read back', example });
  }
  return faults;
}

/** What works, but not for long: a serial port by a name that goes to whichever adapter is found first. */
export function wiringHints(root: unknown): readonly RawFault[] {
  return listOf(field(root, 'devices')).flatMap((device, index): RawFault[] => {
    const path = field(device, 'path');
    if (typeof path !== 'string' || !/^\/dev\/tty(?:USB|ACM)\d+$/u.test(path)) return [];
    return [
      {
        path: ['devices', index, 'path'],
        found: path,
        expected: 'the port by id, as this name may go to another adapter after a restart or replugging: ls /dev/serial/by-id, or by-path where two adapters have one id',
        example: 'path: /dev/serial/by-id/usb-FTDI_USB-RS485-if00-port0',
      },
    ];
  });
}

/** Names, texts and times of a device that speaks lines of text. */
export function lineDeviceFaults(device: unknown, index: number): readonly RawFault[] {
  if (field(device, 'driver') !== 'line') return [];
  const at: RawPath = ['devices', index];
  const faults: RawFault[] = [];
  const names = new Set<unknown>();
  for (const section of ['inputs', 'outputs']) {
    for (const [entry, line] of listOf(field(device, section)).entries()) {
      const path = [...at, section, entry];
      const name = field(line, 'name');
      if (name !== undefined && names.has(name)) faults.push({ path: [...path, 'name'], found: `${JSON.stringify(name)} a second time`, expected: 'a name once per device, inputs and outputs together' });
      names.add(name);
      faults.push(...(section === 'inputs' ? inputTextFaults(path, line) : outputTextFaults(path, line)));
    }
  }
  const silenceMs = numberOf(field(device, 'silenceMs'));
  const everyMs = numberOf(field(device, 'poll', 'everyMs'));
  if (silenceMs !== undefined && everyMs !== undefined && silenceMs < 2 * everyMs) {
    faults.push({ path: [...at, 'silenceMs'], found: String(silenceMs), expected: `at least twice the time between two questions (poll.everyMs ${everyMs})`, example: `silenceMs: ${3 * everyMs}` });
  }
  return faults;
}

function inputTextFaults(path: RawPath, line: unknown): readonly RawFault[] {
  const faults: RawFault[] = [];
  const name = textOf(field(line, 'name')) ?? 'L1';
  const texts = (key: string): readonly unknown[] => listOf(field(line, key));
  if (isRecord(line) && line['hex'] === undefined) {
    for (const key of ['on', 'off']) {
      if (line[key] === undefined) faults.push({ path: [...path, key], found: 'nothing', expected: `the texts that mean ${key}, or hex`, example: `${key}: ["${name}=${key === 'on' ? 1 : 0}"]` });
    }
  }
  for (const [key, others] of [['off', texts('on')], ['fault', [...texts('on'), ...texts('off')]]] as const) {
    const both = texts(key).find((text) => others.includes(text));
    if (both !== undefined) faults.push({ path: [...path, key], found: `${JSON.stringify(both)} a second time`, expected: 'a text with one meaning' });
  }
  return faults;
}

function outputTextFaults(path: RawPath, line: unknown): readonly RawFault[] {
  const faults: RawFault[] = [];
  if (field(line, 'on') !== undefined && field(line, 'on') === field(line, 'off')) faults.push({ path: [...path, 'off'], found: 'the text of on', expected: 'different texts for on and off' });
  const answer = field(line, 'answer');
  if (isRecord(answer) && answer['on'] !== undefined && answer['on'] === answer['off']) faults.push({ path: [...path, 'answer', 'off'], found: 'the answer of on', expected: 'different answers for on and off' });
  const pulse = field(line, 'pulse');
  if (typeof pulse === 'string' && (pulse.match(/\{(?:ms|ds|s)\}/gu) ?? []).length !== 1) {
    faults.push({ path: [...path, 'pulse'], found: JSON.stringify(pulse), expected: 'a text with the place for the time once: {ms}, {ds} (100 ms) or {s}', example: 'pulse: "R1P{ms}"' });
  }
  return faults;
}

/** A register that is set twice to different values. */
export function setupFaults(device: unknown, index: number): readonly RawFault[] {
  return listOf(field(device, 'units')).flatMap((unit, at) => {
    const addresses = listOf(field(unit, 'setup')).map((one) => field(one, 'address'));
    return addresses.flatMap((address, entry): RawFault[] =>
      addresses.indexOf(address) < entry ? [{ path: ['devices', index, 'units', at, 'setup', entry, 'address'], found: `${String(address)} a second time`, expected: 'a register once' }] : [],
    );
  });
}
