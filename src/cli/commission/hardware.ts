import { existsSync } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { GateError } from '../../base/index.js';
import { systemClock } from '../../base/system-clock.js';
import { configSchema, type DeviceConfig } from '../../config/index.js';
import { listChips, scanBus, type ChipLabel, type FoundUnit, type LineRef } from '../../device/index.js';
import type { Dialogue } from '../dialogue.js';
import type { CliWords } from '../words/index.js';
import type { Memory } from './memory.js';

const deviceSchema = configSchema.shape.devices.element;

/** A device of the lane with the lines that may be wired. */
export interface Hardware {
  readonly entry: DeviceConfig;
  readonly inputs: readonly LineRef[];
  /** Outputs that can be tried one by one: relays on a board. GPIO outputs are named by hand, since any pin may be anything. */
  readonly outputs: readonly LineRef[];
  /** Label of the GPIO chip, where it is one. */
  readonly chip?: string;
}

const scanTimeoutMs = 150;
const mostGpioLines = 64;

/** Serial ports, by id where udev names them, so that they survive replugging; each physical port once. */
export async function serialPorts(root = '/dev'): Promise<readonly string[]> {
  const list = async (folder: string, pick: RegExp): Promise<readonly string[]> => (await readdir(folder).catch(() => [])).filter((name) => pick.test(name)).map((name) => join(folder, name));
  const byId = await list(join(root, 'serial/by-id'), /./u);
  const seen = new Set(await Promise.all(byId.map((path) => realpath(path).catch(() => path))));
  const plain = await list(root, /^tty(?:USB|ACM|AMA|SC)\d+$/u);
  return [...byId, ...plain.filter((path) => !seen.has(path))];
}

/** `1-16,254` as numbers, ascending, each once; undefined where it is no such list. */
export function parseRanges(text: string, least: number, most: number): readonly number[] | undefined {
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*$/u.exec(part);
    if (match === null) return undefined;
    const from = Number(match[1]);
    const to = Number(match[2] ?? match[1]);
    if (from < least || to > most || from > to) return undefined;
    for (let number = from; number <= to; number += 1) numbers.add(number);
  }
  return [...numbers].sort((a, b) => a - b);
}

function modbusLines(id: string, units: readonly (FoundUnit | { readonly unit: number; readonly profile: string; readonly inputs: number; readonly coils: number })[]): Pick<Hardware, 'inputs' | 'outputs'> {
  const inputs = units.flatMap(({ unit, profile, inputs: count }): LineRef[] =>
    profile === 'procon-ld120' ? [{ device: id, unit, line: 'loop' }] : Array.from({ length: count }, (_, line) => ({ device: id, unit, line })),
  );
  const outputs = units.flatMap(({ unit, profile, coils }): LineRef[] => (profile === 'procon-ld120' ? [] : Array.from({ length: coils }, (_, line) => ({ device: id, unit, line }))));
  return { inputs, outputs };
}

const unitSchema = z.object({ unit: z.number(), profile: z.string(), inputs: z.number(), coils: z.number() });
/** Boards of a configuration are not asked again how many lines they have. */
const usualLines = 8;

export interface HardwareOptions {
  readonly dialogue: Dialogue;
  readonly memory: Memory;
  readonly words: CliWords;
  /** Devices of the configuration as it is. */
  readonly known: readonly DeviceConfig[];
}

/** Finds out what the lane is wired to: GPIO chips, serial buses and their boards, devices that are configured already. */
export async function findHardware({ dialogue, memory, words, known }: HardwareOptions): Promise<readonly Hardware[]> {
  const say = words.commission;
  const chips = await listChips();
  const ports = (await serialPorts()).filter((path) => !known.some((entry) => entry.driver !== 'sim' && 'path' in entry && entry.path === path));
  if (chips.length === 0 && ports.length === 0 && known.length === 0) dialogue.say(say.noHardware);
  const found: Hardware[] = [];
  for (let round = 1; ; round += 1) {
    const key = `hardware.${round}`;
    const taken = new Set(found.map(({ entry }) => entry.id));
    const choices = [
      ...known.filter(({ id, driver }) => driver !== 'sim' && !taken.has(id)).map(({ id, driver }) => ({ value: `device ${id}`, label: say.knownDevice(id, driver) })),
      ...chips.filter(() => !taken.has('gpio') && !known.some(({ driver }) => driver === 'gpio')).map(({ label, lines }) => ({ value: `gpio ${label}`, label: say.gpioChip(label, lines) })),
      ...ports.map((path) => ({ value: `port ${path}`, label: say.serialPort(path) })),
      { value: 'other', label: say.otherPort },
    ];
    const choice = await memory.keep(key, z.string(), () => dialogue.choose(key, say.hardware, choices, choices[0]?.value));
    const [kind = '', ...rest] = choice.split(' ');
    const name = rest.join(' ');
    if (kind === 'device') found.push(await knownDevice(name, { dialogue, memory, words, known }));
    else if (kind === 'gpio') found.push(await gpio(name, chips, key, { dialogue, memory, words, known }));
    else found.push(await bus(kind === 'port' ? name : await portPath(key, { dialogue, memory, words, known }), key, [...known.map(({ id }) => id), ...taken], { dialogue, memory, words, known }));
    const more = await memory.keep(`${key}.more`, z.boolean(), () => dialogue.confirm(`${key}.more`, say.moreHardware, false));
    if (!more) return found;
  }
}

async function portPath(key: string, { dialogue, memory, words }: HardwareOptions): Promise<string> {
  return memory.keep(`${key}.path`, z.string(), () => dialogue.ask(`${key}.path`, words.commission.portPath, { check: (path) => (existsSync(path) ? undefined : words.commission.portMissing(path)) }));
}

async function knownDevice(id: string, { dialogue, memory, words, known }: HardwareOptions): Promise<Hardware> {
  const entry = known.find((one) => one.id === id);
  if (entry === undefined) throw new GateError('CLI_USAGE', `The configuration has no device ${id}.`);
  if (entry.driver === 'modbus') {
    const units = entry.units.map(({ unit, profile }) => ({ unit, profile, inputs: usualLines, coils: usualLines }));
    return { entry, ...modbusLines(id, units) };
  }
  const chips = await listChips();
  return gpio(chips[0]?.label ?? '', chips, `device.${id}`, { dialogue, memory, words, known }, entry);
}

async function gpio(label: string, chips: readonly ChipLabel[], key: string, { dialogue, memory, words }: HardwareOptions, existing?: DeviceConfig): Promise<Hardware> {
  const chip = chips.find((one) => one.label === label);
  const lines = Math.min(mostGpioLines, chip?.lines ?? mostGpioLines);
  // GPIO 0 and 1 of a Raspberry Pi's header belong to the identification of its hats.
  const usual = /^pinctrl-(?:rp1|bcm)/u.test(label) ? '2-27' : `0-${lines - 1}`;
  const text = await memory.keep(`${key}.lines`, z.string(), () => dialogue.ask(`${key}.lines`, words.commission.gpioLines, { fallback: usual, check: (given) => (parseRanges(given, 0, lines - 1) === undefined ? words.commission.linesFault : undefined) }));
  const id = existing?.id ?? 'gpio';
  return {
    entry: existing ?? deviceSchema.parse({ id, driver: 'gpio' }),
    inputs: (parseRanges(text, 0, lines - 1) ?? []).map((line) => ({ device: id, chip: label, line })),
    outputs: [],
    chip: label,
  };
}

async function bus(path: string, key: string, taken: readonly string[], { dialogue, memory, words }: HardwareOptions): Promise<Hardware> {
  const say = words.commission;
  const settingsSchema = z.object({ baudRate: z.number(), parity: z.enum(['none', 'even', 'odd']), units: z.array(unitSchema) });
  const settings = await memory.keep(`${key}.bus`, settingsSchema, async () => {
    for (;;) {
      const addresses = await dialogue.ask(`${key}.units`, say.scanUnits, { fallback: '1-16,254', check: (text) => (parseRanges(text, 1, 254) === undefined ? say.linesFault : undefined) });
      const speeds = await dialogue.ask(`${key}.baudRates`, say.scanBauds, { fallback: '9600,19200,38400,115200', check: (text) => (parseBauds(text) === undefined ? say.linesFault : undefined) });
      const scanned = await scan(path, parseRanges(addresses, 1, 254) ?? [], parseBauds(speeds) ?? [], dialogue, words);
      if (scanned !== undefined) return scanned;
      if (!(await dialogue.confirm(`${key}.again`, say.noUnits, false))) throw new GateError('DEVICE_TIMEOUT', `No board answers on ${path}. Check its supply and the wires A and B, then run this again; it goes on here.`, { path });
    }
  });
  const units = [];
  for (const unit of settings.units) {
    const id = `unit.${unit.unit}.profile`;
    const profiles = Object.entries(say.profiles).map(([value, label]) => ({ value, label }));
    units.push({ ...unit, profile: await memory.keep(id, z.string(), () => dialogue.choose(id, say.unitProfile(unit.unit), profiles, unit.profile)) });
  }
  const id = ['bus', 'bus-2', 'bus-3', 'bus-4'].find((one) => !taken.includes(one)) ?? `bus-${taken.length + 1}`;
  const entry = deviceSchema.parse({ id, driver: 'modbus', path, baudRate: settings.baudRate, parity: settings.parity, units: units.map(({ unit, profile }) => ({ unit, profile })) });
  return { entry, ...modbusLines(id, units) };
}

function parseBauds(text: string): readonly number[] | undefined {
  const speeds = text.split(',').map((part) => Number(part.trim()));
  return speeds.every((speed) => Number.isInteger(speed) && speed >= 1_200 && speed <= 921_600) ? speeds : undefined;
}

async function scan(path: string, addresses: readonly number[], speeds: readonly number[], dialogue: Dialogue, words: CliWords): Promise<{ readonly baudRate: number; readonly parity: 'none' | 'even'; readonly units: FoundUnit[] } | undefined> {
  // Boards come with 8N1; the standard itself (MODBUS over Serial Line V1.02) asks for even parity.
  for (const parity of ['none', 'even'] as const) {
    for (const baudRate of speeds) {
      dialogue.say(words.commission.scanning(path, baudRate, parity));
      const found = await scanBus({ path, baudRate, parity, stopBits: 1 }, addresses, scanTimeoutMs, systemClock, (unit) => {
        dialogue.say(words.commission.foundUnit(unit.unit, words.commission.profiles[unit.profile] ?? unit.profile, unit.inputs, unit.coils));
      }, dialogue.signal);
      if (found.length > 0) return { baudRate, parity, units: [...found] };
    }
  }
  return undefined;
}
