import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const config = '/config/gpio-sim';
const tracing = '/sys/kernel/tracing';

/**
 * A chip of the kernel's own gpio-sim module (Documentation/admin-guide/gpio/gpio-sim.rst), made through configfs. Its
 * pulls stand for the world outside; the kernel's trace events tell what was done to its lines.
 */
export class SimulatedChip {
  readonly label: string;
  readonly lines = 16;
  readonly #folder: string;
  readonly #hidden = '/dev/hidden-chip';

  constructor(label: string) {
    this.label = label;
    this.#folder = join(config, label);
    mkdirSync(join(this.#folder, 'bank'), { recursive: true });
    writeFileSync(join(this.#folder, 'bank/num_lines'), String(this.lines));
    writeFileSync(join(this.#folder, 'bank/label'), label);
    this.plug();
  }

  /** Binds the chip to its driver. The kernel may give it another name and other numbers than before. */
  plug(): void {
    writeFileSync(join(this.#folder, 'live'), '1');
  }

  unplug(): void {
    writeFileSync(join(this.#folder, 'live'), '0');
  }

  get plugged(): boolean {
    return this.#read('live') === '1';
  }

  /** Takes the chip's character device out of /dev, as for a service that may not see it. */
  hide(): void {
    renameSync(join('/dev', this.#read('bank/chip_name')), this.#hidden);
  }

  show(): void {
    renameSync(this.#hidden, join('/dev', this.#read('bank/chip_name')));
  }

  /** Level that the outside gives to a line that is not driven. */
  pull(line: number, high: boolean): void {
    writeFileSync(this.#line(line, 'pull'), high ? 'pull-up' : 'pull-down');
  }

  pulled(line: number): string {
    return readFileSync(this.#line(line, 'pull'), 'utf8').trim();
  }

  /** Level of a line, asked of the chip. */
  level(line: number): boolean {
    return readFileSync(this.#line(line, 'value'), 'utf8').trim() === '1';
  }

  /** Levels that drivers gave to an output since the last `clearTrace`, as the kernel recorded them (events/gpio). */
  driven(line: number): readonly boolean[] {
    const number = this.#base() + line;
    return [...readFileSync(join(tracing, 'trace'), 'utf8').matchAll(/gpio_value: (\d+) set ([01])/gu)].filter((match) => Number(match[1]) === number).map((match) => match[2] === '1');
  }

  /** Number of the chip's first line, where the kernel has the legacy interface. */
  #base(): number {
    const root = '/sys/class/gpio';
    const name = readdirSync(root).find((entry) => entry.startsWith('gpiochip') && readFileSync(join(root, entry, 'label'), 'utf8').trim() === this.label);
    return Number(name?.slice('gpiochip'.length));
  }

  #line(line: number, file: string): string {
    return join('/sys/devices/platform', this.#read('dev_name'), this.#read('bank/chip_name'), `sim_gpio${line}`, file);
  }

  #read(file: string): string {
    return readFileSync(join(this.#folder, file), 'utf8').trim();
  }
}

/** Begins the kernel's record anew. @throws Error where the kernel keeps none */
export function clearTrace(): void {
  if (!existsSync(join(tracing, 'events/gpio'))) throw new Error(`There is no ${tracing}/events/gpio: mount tracefs.`);
  writeFileSync(join(tracing, 'events/gpio/gpio_value/enable'), '1');
  writeFileSync(join(tracing, 'trace'), '');
}
