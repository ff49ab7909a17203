import { closeSync, constants, openSync, readSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import epoll from 'epoll';
import { GateError, errorText } from '../../base/index.js';
import { describeLine } from '../pulse-limit.js';
import { findChip, resolveOffset, type ChipLabel } from './chips.js';
import { IoctlFailure, ioctl } from './ioctl.js';
import type { GpioBackend, GpioLine, OpenOptions } from './line.js';
import { decodeChipInfo, decodeEvents, decodeLineInfo, decodeValue, encodeLineInfo, encodeLineRequest, encodeValue, ioctls, requestedFd, sizes } from './uapi.js';

const consumer = 'laurel-gate';
/** As many edges as the kernel keeps for one line by default. */
const eventsAtOnce = 16;

interface CharChip extends ChipLabel {
  readonly path: string;
}

/**
 * Lists the character devices this process may open.
 * @returns chips, and why others could not be opened
 */
export async function readCharChips(folder = '/dev'): Promise<{ readonly chips: readonly CharChip[]; readonly refused: readonly string[] }> {
  const chips: CharChip[] = [];
  const refused: string[] = [];
  const names = (await readdir(folder)).filter((name) => /^gpiochip\d+$/u.test(name)).sort((one, other) => Number(one.slice(8)) - Number(other.slice(8)));
  for (const name of names) {
    const path = join(folder, name);
    try {
      const info = withChip(path, (fd) => {
        const bytes = Buffer.alloc(sizes.chipInfo);
        ioctl(fd, ioctls.getChipInfo, bytes);
        return decodeChipInfo(bytes);
      });
      // Raspberry Pi OS keeps the old name gpiochip4 as a link to the header's chip.
      if (!chips.some((chip) => chip.name === info.name)) chips.push({ ...info, path });
    } catch (error) {
      refused.push(`${path}: ${errorText(error)}`);
    }
  }
  return { chips, refused };
}

/** The character device, version 2 of its interface. */
export class CharBackend implements GpioBackend {
  readonly #chips: readonly CharChip[];
  readonly #refused: readonly string[];

  private constructor(chips: readonly CharChip[], refused: readonly string[]) {
    this.#chips = chips;
    this.#refused = refused;
  }

  static async look(): Promise<CharBackend> {
    const { chips, refused } = await readCharChips();
    return new CharBackend(chips, refused);
  }

  /** Whether the chip of a reference is here and may be opened. */
  has(ref: OpenOptions['ref']): boolean {
    try {
      findChip(ref, this.#chips);
      return true;
    } catch {
      return false;
    }
  }

  open(options: OpenOptions): Promise<GpioLine> {
    try {
      return Promise.resolve(this.#open(options));
    } catch (error) {
      return Promise.reject(error instanceof GateError ? error : lost(options, error, 'Check the chip and its driver.'));
    }
  }

  #open(options: OpenOptions): CharLine {
    const { ref, use } = options;
    if (this.#chips.length === 0) {
      const why = this.#refused.length === 0 ? 'There is no /dev/gpiochip' : `No GPIO chip can be opened (${this.#refused.join('; ')})`;
      throw new GateError('DEVICE_LOST', `${why}. Put the service user into the group gpio and allow char-gpiochip in the unit, or set interface: sysfs.`, { line: ref });
    }
    const chip = findChip(ref, this.#chips);
    const offset = resolveOffset(ref, chip, this.#chips);
    return withChip(chip.path, (fd) => {
      const active = options.preserve && drivenActive(fd, offset, ref.activeLow ?? false);
      const ask = (edges: boolean): number => {
        // No debouncing is asked of the kernel: it would count out the edges by which GpioInput knows a chattering contact.
        const request = encodeLineRequest({ offset, consumer, use, active, activeLow: ref.activeLow ?? false, pull: ref.pull, edges });
        ioctl(fd, ioctls.getLine, request);
        return requestedFd(request);
      };
      try {
        return new CharLine(ask(use === 'input'), use === 'input', active, options);
      } catch (error) {
        if (error instanceof IoctlFailure && error.code === 'EBUSY') throw lost(options, `${holder(fd, offset)} holds it`, 'Stop that program, or remove the overlay in config.txt that takes the pin.');
        if (use === 'output') throw error;
      }
      // A chip without interrupts refuses edges, each driver with an error of its own; without them the line is polled.
      return new CharLine(ask(false), false, active, options);
    });
  }
}

/** One requested line: its descriptor takes orders and gives edges. */
class CharLine implements GpioLine {
  readonly hasEdges: boolean;
  readonly foundActive: boolean;
  readonly #fd: number;
  readonly #options: OpenOptions;
  #epoll: InstanceType<typeof epoll.Epoll> | undefined;
  #closed = false;

  constructor(fd: number, hasEdges: boolean, foundActive: boolean, options: OpenOptions) {
    this.#fd = fd;
    this.foundActive = foundActive;
    this.hasEdges = hasEdges;
    this.#options = options;
  }

  watch(listener: (active: boolean) => void): void {
    const buffer = Buffer.alloc(sizes.lineEvent * eventsAtOnce);
    let sequence = 0;
    const take = (error: Error | null): void => {
      if (this.#closed) return;
      try {
        if (error !== null) throw error;
        // The descriptor is readable, so this returns at once with what is there.
        const length = readSync(this.#fd, buffer);
        let gap = false;
        for (const event of decodeEvents(buffer.subarray(0, length))) {
          gap ||= event.sequence !== ((sequence + 1) >>> 0);
          sequence = event.sequence;
          listener(event.active);
        }
        // Edges were lost, so the last one may be older than the level.
        if (gap) listener(this.#level());
      } catch (failure) {
        this.#unwatch();
        this.#options.onFailure(lost(this.#options, failure, 'Check the chip and its wiring.'));
      }
    };
    this.#epoll = new epoll.Epoll(take);
    this.#epoll.add(this.#fd, epoll.Epoll.EPOLLIN);
  }

  read(): Promise<boolean> {
    try {
      return Promise.resolve(this.#level());
    } catch (error) {
      return Promise.reject(lost(this.#options, error, 'Check the chip and its wiring.'));
    }
  }

  drive(active: boolean): void {
    let level: boolean;
    try {
      ioctl(this.#fd, ioctls.setValues, encodeValue(active));
      level = this.#level();
    } catch (error) {
      throw lost(this.#options, error, 'Check the chip and its wiring.');
    }
    if (level !== active) throw lost(this.#options, `it was driven ${active ? 'active' : 'inactive'} and reads the opposite`, 'Look for a short circuit.');
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unwatch();
    closeSync(this.#fd);
  }

  #level(): boolean {
    const value = encodeValue(false);
    ioctl(this.#fd, ioctls.getValues, value);
    return decodeValue(value);
  }

  #unwatch(): void {
    this.#epoll?.remove(this.#fd).close();
    this.#epoll = undefined;
  }
}

function withChip<T>(path: string, use: (fd: number) => T): T {
  // O_CLOEXEC is libuv's default: ffmpeg and other children must not keep a chip.
  const fd = openSync(path, constants.O_RDWR);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Whether a line nobody holds still drives its active level, as some chip drivers leave it when its holder dies (RP1 and
 * bcm2835 by default in Raspberry Pi OS); others turn it back into an input.
 */
function drivenActive(chipFd: number, offset: number, activeLow: boolean): boolean {
  const info = encodeLineInfo(offset);
  ioctl(chipFd, ioctls.getLineInfo, info);
  const { used, output } = decodeLineInfo(info);
  if (used || !output) return false;
  const request = encodeLineRequest({ offset, consumer, use: 'as-is', activeLow, edges: false });
  ioctl(chipFd, ioctls.getLine, request);
  const fd = requestedFd(request);
  try {
    const value = encodeValue(false);
    ioctl(fd, ioctls.getValues, value);
    return decodeValue(value);
  } finally {
    closeSync(fd);
  }
}

function holder(chipFd: number, offset: number): string {
  const info = encodeLineInfo(offset);
  ioctl(chipFd, ioctls.getLineInfo, info);
  const { consumer: name } = decodeLineInfo(info);
  return name === '' ? 'another driver' : `"${name}"`;
}

function lost({ ref }: OpenOptions, reason: unknown, advice: string): GateError {
  return new GateError('DEVICE_LOST', `The ${describeLine(ref)} does not work: ${errorText(reason)}. ${advice}`, { line: ref });
}
