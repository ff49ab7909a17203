import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GateError, errorText } from '../../base/index.js';
import type { LineRef } from '../contract.js';

/** Where the kernel's legacy GPIO interface lives; `onoff` knows no other place. */
export const gpioRoot = '/sys/class/gpio';

/** A chip as either interface names it. */
export interface ChipLabel {
  /** The kernel's name, not stable: `gpiochip0` of the character device, `gpiochip512` in sysfs. */
  readonly name: string;
  /** The chip's label, stable across kernels, e.g. `pinctrl-bcm2711`. */
  readonly label: string;
  /** How many lines it has. */
  readonly lines: number;
}

/** One `gpiochipN` folder of the kernel's sysfs interface (Documentation/admin-guide/gpio/sysfs.rst). */
export interface GpioChip extends ChipLabel {
  /** Number of the chip's first line in the global numbering. */
  readonly base: number;
}

/** Header GPIO of Raspberry Pi 5, 4, and 3 and older: what a reference without a chip means. */
const headerLabels = ['pinctrl-rp1', 'pinctrl-bcm2711', 'pinctrl-bcm2835'];

/**
 * Lists the GPIO chips.
 * @throws GateError `DEVICE_LOST` where the kernel offers no sysfs GPIO
 */
export async function readChips(root: string = gpioRoot): Promise<readonly GpioChip[]> {
  let names: string[];
  try {
    names = await readdir(root);
  } catch (error) {
    throw new GateError(
      'DEVICE_LOST',
      `There is no ${root} (${errorText(error)}). Start a kernel with CONFIG_GPIO_SYSFS (Raspberry Pi OS has it), and keep /sys readable for the service.`,
      { root },
    );
  }
  const chips: GpioChip[] = [];
  for (const name of names) {
    if (!/^gpiochip\d+$/u.test(name)) continue;
    const [label, base, lines] = await Promise.all(
      ['label', 'base', 'ngpio'].map(async (file) => (await readFile(join(root, name, file), 'utf8')).trim()),
    );
    chips.push({ name, label: label ?? '', base: Number(base), lines: Number(lines) });
  }
  return chips.sort((one, other) => one.base - other.base);
}

/**
 * Global line number of a reference. Chips are named by label because their numbers are the kernel's own affair: since
 * Linux 6.6 a Raspberry Pi counts from 512 up, so BCM17 is 529 there and was 17 before.
 * @throws GateError `DEVICE_LOST` where the chip is missing, `DEVICE_LINE_INVALID` where it has no such line
 */
export function resolveLine(ref: LineRef, chips: readonly GpioChip[]): number {
  const chip = findChip(ref, chips);
  return chip.base + resolveOffset(ref, chip, chips);
}

/**
 * Offset of a reference on its chip.
 * @throws GateError `DEVICE_LINE_INVALID` where the chip has no such line
 */
export function resolveOffset(ref: LineRef, chip: ChipLabel, chips: readonly ChipLabel[]): number {
  if (typeof ref.line === 'number' && Number.isInteger(ref.line) && ref.line >= 0 && ref.line < chip.lines) return ref.line;
  throw new GateError(
    'DEVICE_LINE_INVALID',
    `Chip ${chip.label} has no line ${ref.line}: give an offset of 0 to ${chip.lines - 1} (BCM number on a Raspberry Pi). Chips here: ${describeChips(chips)}.`,
    { line: ref },
  );
}

/**
 * The chip a reference means.
 * @throws GateError `DEVICE_LOST` where it is missing or not the only one of its name
 */
export function findChip<Chip extends ChipLabel>(ref: LineRef, chips: readonly Chip[]): Chip {
  const wanted = ref.chip;
  if (wanted === undefined) {
    const header = chips.find((chip) => headerLabels.includes(chip.label));
    const only = chips.length === 1 ? chips[0] : undefined;
    const chip = header ?? only;
    if (chip !== undefined) return chip;
    throw new GateError(
      'DEVICE_LOST',
      `Line ${ref.line} names no chip and none is the obvious one. Name it with chip. Chips here: ${describeChips(chips)}.`,
      { line: ref },
    );
  }
  const found = chips.filter((chip) => chip.label === wanted || chip.name === wanted);
  const [chip, second] = found;
  if (chip !== undefined && second === undefined) return chip;
  const why = chip === undefined ? `There is no GPIO chip ${wanted}` : `Several GPIO chips are called ${wanted}; give its name instead`;
  throw new GateError('DEVICE_LOST', `${why}. Chips here: ${describeChips(chips)}.`, { line: ref });
}

/** Chips as a technician can copy them, e.g. `pinctrl-rp1 (gpiochip571, 54 lines)`. */
export function describeChips(chips: readonly ChipLabel[]): string {
  if (chips.length === 0) return 'none';
  return chips.map((chip) => `${chip.label} (${chip.name}, ${chip.lines} lines)`).join(', ');
}
