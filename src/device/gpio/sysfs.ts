import { access, constants, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Gpio, type BinaryValue } from 'onoff';
import { GateError, errorText, type Clock } from '../../base/index.js';
import { gpioRoot, readChips, resolveLine, type GpioChip } from './chips.js';
import type { GpioBackend, GpioLine, OpenOptions } from './line.js';

/** udev hands the files of a new line to the gpio group a little after the export; this is how long it may take. */
const permissionLimitMs = 2_000;
const permissionStepMs = 10;

interface LineSettings {
  readonly activeLow: boolean;
  readonly use: 'input' | 'output';
  /** An output that is found driven active stays so. */
  readonly preserve?: boolean;
}

/** The legacy interface under /sys/class/gpio, through `onoff`. */
export class SysfsBackend implements GpioBackend {
  readonly #chips: readonly GpioChip[];

  private constructor(chips: readonly GpioChip[]) {
    this.#chips = chips;
  }

  /** @throws GateError `DEVICE_LOST` where the kernel offers no sysfs GPIO */
  static async look(): Promise<SysfsBackend> {
    return new SysfsBackend(await readChips());
  }

  async open({ ref, use, preserve, onFailure }: OpenOptions, clock: Clock): Promise<GpioLine> {
    const number = resolveLine(ref, this.#chips);
    if (ref.pull !== undefined) {
      throw new GateError('DEVICE_LINE_INVALID', `Line ${ref.line} asks for pull ${ref.pull}, which sysfs cannot set. Use interface: chardev, or set it in config.txt, e.g. gpio=${ref.line}=${pullInConfigTxt[ref.pull]}, and leave pull out.`, { line: ref });
    }
    return await SysfsLine.open(number, { activeLow: ref.activeLow ?? false, use, preserve }, clock, onFailure);
  }
}

/** Pulls as the firmware of a Raspberry Pi writes them. */
const pullInConfigTxt = { up: 'pu', down: 'pd', off: 'pn' };

/**
 * One exported line, as thin as can be over `onoff`, without its traps: it would spin 10,000 times on the event loop
 * while udev sets permissions, hide a failed direction on lines that were exported before, and throw out of its poller
 * when a line vanishes.
 */
class SysfsLine implements GpioLine {
  readonly number: number;
  readonly #gpio: Gpio;
  readonly #onFailure: (error: GateError) => void;
  /** False where the chip has no interrupt for the line: then it has to be polled. */
  readonly hasEdges: boolean;
  /** An output that was active when it was opened, and still is. */
  readonly foundActive: boolean;

  private constructor(number: number, gpio: Gpio, hasEdges: boolean, foundActive: boolean, onFailure: (error: GateError) => void) {
    this.number = number;
    this.#gpio = gpio;
    this.hasEdges = hasEdges;
    this.foundActive = foundActive;
    this.#onFailure = onFailure;
  }

  /**
   * Exports the line and sets it up. An output is opened inactive in one step: `high` and `low` set direction and level
   * together and mean the pin's own level, so an active-low output starts `high`; `out` would drive it low for a moment.
   * @param number global line number
   * @param onFailure told when the line fails later, from its edge handler
   * @throws GateError `DEVICE_LOST` with what to do
   */
  static async open(number: number, settings: LineSettings, clock: Clock, onFailure: (error: GateError) => void): Promise<SysfsLine> {
    const folder = join(gpioRoot, `gpio${number}`);
    await exportLine(number, folder);
    await writable(join(folder, 'value'), clock);
    await writable(join(folder, 'direction'), clock);
    await writable(join(folder, 'active_low'), clock);
    const hasEdges = settings.use === 'input' && (await exists(join(folder, 'edge')));
    if (hasEdges) await writable(join(folder, 'edge'), clock);
    const active = settings.preserve === true && (await drivenActive(folder));
    const level = active !== settings.activeLow ? 'high' : 'low';
    try {
      const gpio = new Gpio(number, settings.use === 'input' ? 'in' : level, hasEdges ? 'both' : 'none', {
        activeLow: settings.activeLow,
        reconfigureDirection: true,
      });
      const line = new SysfsLine(number, gpio, hasEdges, active, onFailure);
      try {
        line.#verify(settings);
      } catch (error) {
        line.close();
        throw error;
      }
      return line;
    } catch (error) {
      throw error instanceof GateError ? error : lost(number, error, 'Check that no overlay or other program uses the pin.');
    }
  }

  /** What `onoff` may have swallowed: a line that was exported before and did not take its settings. */
  #verify(settings: LineSettings): void {
    const direction: string = this.#gpio.direction();
    const edge: string = this.hasEdges ? this.#gpio.edge() : 'both';
    const wanted = settings.use === 'input' ? 'in' : 'out';
    if (direction === wanted && this.#gpio.activeLow() === settings.activeLow && edge === 'both') return;
    throw lost(this.number, `it stays ${direction}, edge ${edge}`, 'Check that no overlay or other program uses the pin.');
  }

  /** Calls back with the level (logical) on every edge. */
  watch(listener: (active: boolean) => void): void {
    const readSync = this.#gpio.readSync.bind(this.#gpio);
    let last: BinaryValue = readSync();
    let failed = false;
    // The poller of onoff reads without a net: an exception there would end the process with the boom in mid-air.
    this.#gpio.readSync = () => {
      try {
        last = readSync();
      } catch (error) {
        failed = true;
        this.#onFailure(lost(this.number, error, 'Check the chip and its wiring.'));
      }
      return last;
    };
    this.#gpio.watch((error, value) => {
      if (failed) return;
      if (error === null || error === undefined) listener(value === 1);
      else this.#onFailure(lost(this.number, error, 'Check the chip and its wiring.'));
    });
  }

  /** @throws GateError `DEVICE_LOST` */
  async read(): Promise<boolean> {
    try {
      return (await this.#gpio.read()) === 1;
    } catch (error) {
      throw lost(this.number, error, 'Check the chip and its wiring.');
    }
  }

  /**
   * Drives the line and reads it back.
   * @throws GateError `DEVICE_LOST` where the write fails or the line does not follow
   */
  drive(active: boolean): void {
    let level: BinaryValue;
    try {
      this.#gpio.writeSync(active ? 1 : 0);
      level = this.#gpio.readSync();
    } catch (error) {
      throw lost(this.number, error, 'Check the chip and its wiring.');
    }
    if ((level === 1) !== active) {
      throw lost(this.number, `it was driven ${active ? 'active' : 'inactive'} and reads the opposite`, 'Look for a short circuit.');
    }
  }

  /** Gives the line back. The kernel leaves an output driven as it is, so drive it inactive first. */
  close(): void {
    try {
      this.#gpio.unexport();
    } catch {
      // The chip is gone, and its descriptors with it: nothing is left to give back.
    }
  }
}

async function exportLine(number: number, folder: string): Promise<void> {
  if (await exists(folder)) return;
  try {
    await writeFile(join(gpioRoot, 'export'), String(number));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const advice =
      code === 'EBUSY'
        ? 'Another driver holds the pin: look for it in /sys/kernel/debug/gpio and in the overlays of config.txt.'
        : code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
          ? 'Put the service user into the group gpio and let the unit write /sys/class/gpio.'
          : 'Check the offset with gpioinfo.';
    throw lost(number, error, advice);
  }
}

async function writable(path: string, clock: Clock): Promise<void> {
  const untilMs = clock.monoMs() + permissionLimitMs;
  for (;;) {
    try {
      const file = await open(path, constants.O_RDWR);
      await file.close();
      return;
    } catch (error) {
      if (clock.monoMs() >= untilMs) {
        throw new GateError(
          'DEVICE_LOST',
          `${path} cannot be opened (${errorText(error)}). Put the service user into the group gpio, and check the udev rule for the gpio subsystem.`,
          { path },
        );
      }
    }
    await new Promise<void>((resolve) => {
      clock.after(permissionStepMs, resolve);
    });
  }
}

/** Whether a line that was left exported drives its active level (`value` is logical, as `active_low` was left too). */
async function drivenActive(folder: string): Promise<boolean> {
  const [direction, value] = await Promise.all(['direction', 'value'].map((name) => readFile(join(folder, name), 'utf8')));
  return direction?.trim() === 'out' && value?.trim() === '1';
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

function lost(number: number, reason: unknown, advice: string): GateError {
  return new GateError('DEVICE_LOST', `GPIO line ${number} does not work: ${errorText(reason)}. ${advice}`, { number });
}
