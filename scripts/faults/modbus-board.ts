import { SerialPort } from 'serialport';
import { GateError, type Clock, type Timer } from '../../src/base/index.js';

/** CRC-16/MODBUS (polynomial 0xA001 reflected, start 0xFFFF), as "MODBUS over Serial Line" V1.02 §6.2.2 defines it. */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  return crc;
}

function withCrc(body: readonly number[]): Buffer {
  const crc = crc16(Uint8Array.from(body));
  return Buffer.from([...body, crc & 0xff, crc >> 8]);
}

export interface RelayBoardOptions {
  readonly path: string;
  readonly unit: number;
  readonly coils: number;
  /** Contacts wired to the board's inputs, in order. */
  readonly inputs: () => readonly boolean[];
  /** A relay picks up or drops. */
  readonly onRelay: (index: number, on: boolean) => void;
  readonly clock: Clock;
  /** Takes the time that requests and answers need on a wire of this speed (8N1); none where omitted, as a pty has none. */
  readonly wireBaud?: number;
  /** A request has begun to pass over the wire; its answer has passed. */
  readonly onWire?: (busy: boolean) => void;
}

/**
 * A relay and input board on a serial line, as Waveshare's Modbus RTU boards behave: inputs by function 02, relays by
 * 01, 05 and 0F, and function 05 at 0x0200+n closes relay n for the value times 100 ms by the board's own timer, so
 * that the relay drops even if the master dies. It shares no code with the driver it answers.
 */
export class RelayBoard {
  readonly #options: RelayBoardOptions;
  readonly #relays: boolean[];
  readonly #timers = new Map<number, Timer>();
  #port: SerialPort | undefined;
  #received: Buffer = Buffer.alloc(0);
  /** Requests answered; a ledger of life on the bus. */
  answered = 0;
  /** False: its inputs are not answered for, as if they were on a board of their own that is gone. */
  inputsAnswer = true;
  #powered = true;

  constructor(options: RelayBoardOptions) {
    this.#options = options;
    this.#relays = Array.from({ length: options.coils }, () => false);
  }

  async start(): Promise<void> {
    const port = new SerialPort({ path: this.#options.path, baudRate: 9_600, autoOpen: false });
    this.#port = port;
    await new Promise<void>((resolve, reject) => {
      port.open((error) => {
        if (error === null) resolve();
        else reject(new GateError('DEVICE_LOST', `the simulated board cannot open ${this.#options.path}`, {}, error));
      });
    });
    port.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.values()) timer.cancel();
    await this.disconnect();
  }

  /** The cable is pulled: relays and their timers go on. */
  async disconnect(): Promise<void> {
    const port = this.#port;
    if (port?.isOpen === true) await new Promise<void>((resolve) => port.close(() => resolve()));
  }

  /** Without power every relay drops and nothing is answered. */
  setPower(on: boolean): void {
    this.#powered = on;
    if (!on) this.#relays.forEach((_, index) => this.#set(index, false));
  }

  #take(chunk: Buffer): void {
    if (!this.#powered) return;
    this.#received = Buffer.concat([this.#received, chunk]);
    for (;;) {
      const bytes = this.#received;
      if (bytes.length < 8) return;
      const length = bytes[1] === 0x0f ? 9 + (bytes[6] ?? 0) : 8;
      if (bytes.length < length) return;
      const frame = bytes.subarray(0, length);
      // Out of step with the master (it died in the middle of a frame): slip by one byte until a frame fits.
      if (crc16(frame.subarray(0, length - 2)) !== frame.readUInt16LE(length - 2)) {
        this.#received = bytes.subarray(1);
        continue;
      }
      this.#received = bytes.subarray(length);
      if (frame[0] !== this.#options.unit) continue;
      this.#options.onWire?.(true);
      this.#after(frame.length, () => this.#answer(frame));
    }
  }

  #answer(frame: Buffer): void {
    const unit = this.#options.unit;
    const code = frame[1] ?? 0;
    const address = frame.readUInt16BE(2);
    const value = frame.readUInt16BE(4);
    if (code === 0x02 && !this.inputsAnswer) {
      this.#options.onWire?.(false);
      return;
    }
    this.answered += 1;
    if (code === 0x01 || code === 0x02) {
      const states = code === 0x01 ? this.#relays : this.#options.inputs();
      const packed: number[] = Array.from({ length: Math.ceil(value / 8) }, () => 0);
      for (let index = 0; index < value; index += 1) {
        if (states[address + index] === true) packed[index >> 3] = (packed[index >> 3] ?? 0) | (1 << (index & 7));
      }
      this.#send([unit, code, packed.length, ...packed]);
    } else if (code === 0x05 && address >= 0x0200 && address < 0x0200 + this.#relays.length) {
      this.#pulse(address - 0x0200, value * 100);
      this.#send([...frame.subarray(0, 6)]);
    } else if (code === 0x05 && address < this.#relays.length) {
      this.#set(address, value === 0xff00);
      this.#send([...frame.subarray(0, 6)]);
    } else if (code === 0x05 && address === 0x00ff) {
      this.#relays.forEach((_, index) => this.#set(index, value === 0xff00));
      this.#send([...frame.subarray(0, 6)]);
    } else if (code === 0x0f) {
      for (let index = 0; index < value; index += 1) this.#set(address + index, (((frame[7 + (index >> 3)] ?? 0) >> (index & 7)) & 1) === 1);
      this.#send([...frame.subarray(0, 6)]);
    } else {
      this.#send([unit, code | 0x80, 0x02]);
    }
  }

  #pulse(index: number, durationMs: number): void {
    this.#set(index, true);
    this.#timers.set(
      index,
      this.#options.clock.after(durationMs, () => this.#set(index, false)),
    );
  }

  #set(index: number, on: boolean): void {
    if (index >= this.#relays.length) return;
    this.#timers.get(index)?.cancel();
    this.#timers.delete(index);
    if (this.#relays[index] === on) return;
    this.#relays[index] = on;
    this.#options.onRelay(index, on);
  }

  #send(body: readonly number[]): void {
    const frame = withCrc(body);
    this.#after(frame.length, () => {
      this.#port?.write(frame);
      this.#options.onWire?.(false);
    });
  }

  /** Runs when so many bytes have passed over the wire: ten bits each with start and stop bit. */
  #after(bytes: number, run: () => void): void {
    const { wireBaud, clock } = this.#options;
    if (wireBaud === undefined) run();
    else clock.after((bytes * 10_000) / wireBaud, run);
  }
}
