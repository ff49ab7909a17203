import type { Clock, GateError } from '../../base/index.js';
import type { LineRef } from '../contract.js';

/** One open line, levels logical. All errors are `GateError`s `DEVICE_LOST`. */
export interface GpioLine {
  /** False where the chip has no interrupt for the line: then it has to be polled. */
  readonly hasEdges: boolean;
  /** An output that was active when it was opened, and still is. */
  readonly foundActive: boolean;
  /** Calls back with the level after every edge. */
  watch(listener: (active: boolean) => void): void;
  read(): Promise<boolean>;
  /** Drives the line and reads it back; fails where the line does not follow. */
  drive(active: boolean): void;
  /** Gives the line back. What the pin does then is the chip driver's affair, so drive it inactive first. */
  close(): void;
}

export interface OpenOptions {
  readonly ref: LineRef;
  readonly use: 'input' | 'output';
  /** An output that is found driven active stays so. */
  readonly preserve: boolean;
  /** Told when the line fails later, from its edge handler. */
  readonly onFailure: (error: GateError) => void;
}

/** A way to the kernel's GPIO lines, as found by one look at the chips. */
export interface GpioBackend {
  /**
   * Opens a line; an output is inactive from the moment it is one, unless it is to be preserved and was found active.
   * @throws GateError `DEVICE_LOST`, `DEVICE_LINE_INVALID`
   */
  open(options: OpenOptions, clock: Clock): Promise<GpioLine>;
}

export type GpioInterface = 'auto' | 'chardev' | 'sysfs';
