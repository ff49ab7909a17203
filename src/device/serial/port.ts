import { stat } from 'node:fs/promises';
import { SerialPortStream } from '@serialport/stream';
import { GateError, errorText, type Clock, type Timer } from '../../base/index.js';
import { directBinding } from './direct-binding.js';
import type { TrafficTap } from './traffic.js';

export interface SerialSettings {
  /** Serial port, e.g. `/dev/serial/by-id/usb-…`. */
  readonly path: string;
  readonly baudRate: number;
  readonly dataBits?: 7 | 8;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stopBits: 1 | 2;
}

export interface SerialPortEvents {
  onBytes(bytes: Buffer): void;
  /** The port went away by itself; told once, never after `close`. */
  onLost(reason: string): void;
}

/** An adapter that was pulled may keep its port open in silence, so its path is looked at this often, ms. */
const plugCheckMs = 1_000;

/**
 * One opening of a serial port, for one use: opened, used, closed or lost. Notices when the adapter is pulled or the path
 * leads to another one, even where the driver says nothing.
 */
export class SerialConnection {
  readonly #path: string;
  readonly #serial: SerialPortStream<typeof directBinding>;
  readonly #clock: Clock;
  readonly #tap: TrafficTap;
  readonly #events: SerialPortEvents;
  #device: number | undefined;
  #check: Timer | undefined;
  #over = false;

  constructor(settings: SerialSettings, clock: Clock, tap: TrafficTap, events: SerialPortEvents) {
    const { path, baudRate, dataBits = 8, parity, stopBits } = settings;
    this.#path = path;
    this.#serial = new SerialPortStream({ binding: directBinding, path, baudRate, dataBits, parity, stopBits, autoOpen: false });
    this.#clock = clock;
    this.#tap = tap;
    this.#events = events;
    this.#serial.on('data', (chunk: Buffer) => {
      this.#tap.tell('received', chunk);
      if (!this.#over) this.#events.onBytes(chunk);
    });
    this.#serial.on('error', (error) => this.#lose(errorText(error)));
    this.#serial.on('close', () => this.#lose('it was unplugged'));
  }

  get isOpen(): boolean {
    return this.#serial.isOpen && !this.#over;
  }

  /** @throws GateError `DEVICE_LOST` */
  async open(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#serial.open((error) => {
        if (error instanceof Error) reject(portLost(this.#path, errorText(error)));
        else resolve();
      });
    });
    this.#device = await deviceOf(this.#path);
    this.#armCheck();
  }

  async close(): Promise<void> {
    this.#over = true;
    this.#check?.cancel();
    if (!this.#serial.isOpen) return;
    await new Promise<void>((resolve) => {
      this.#serial.close(() => resolve());
    });
  }

  /** A failure to send is told as the loss of the port. */
  write(bytes: Uint8Array): void {
    this.#tap.tell('sent', bytes);
    this.#serial.write(Buffer.from(bytes), (error) => {
      if (error !== undefined && error !== null) this.#lose(errorText(error));
    });
  }

  /** Resolves when the bytes have left; at the latest when the port is lost. */
  async writeOut(bytes: Uint8Array): Promise<void> {
    this.write(bytes);
    await new Promise<void>((resolve) => {
      this.#serial.drain(() => resolve());
    });
  }

  #armCheck(): void {
    if (this.#over) return;
    this.#check = this.#clock.after(plugCheckMs, () => void this.#checkPlug());
  }

  async #checkPlug(): Promise<void> {
    const device = await deviceOf(this.#path);
    if (device === this.#device) this.#armCheck();
    else this.#lose(device === undefined ? 'it was unplugged' : 'another adapter was plugged in');
  }

  #lose(reason: string): void {
    if (this.#over) return;
    void this.close();
    this.#events.onLost(reason);
  }
}

/** Number of the character device behind a path, through its links; undefined where there is none. */
async function deviceOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).rdev;
  } catch {
    return undefined;
  }
}

export function portLost(path: string, reason: string): GateError {
  return new GateError('DEVICE_LOST', `Serial port ${path} does not work: ${reason}. Check the adapter and its cable; ls -l /dev/serial/by-id shows what is plugged in.`, { path });
}
