import { EventEmitter } from 'node:events';
import { SerialPort } from 'serialport';
import { findReply } from './rtu.js';

export interface SerialSettings {
  /** Serial port, e.g. `/dev/serial/by-id/usb-…`. */
  readonly path: string;
  readonly baudRate: number;
  readonly parity: 'none' | 'even' | 'odd';
  readonly stopBits: 1 | 2;
}

/** No answer fits into more; what is older is noise. */
const mostBytes = 512;

/**
 * The port that `modbus-serial` talks through. The library's own keeps bytes of earlier answers, takes the first bytes
 * that look right and gives up on a bad checksum; on a noisy line that costs the answer behind the noise. This one starts
 * empty with every request and hands over only a whole, undamaged answer to it.
 *
 * Events: `data` (Buffer), `error`, `close`, as the library wants them.
 */
export class RtuPort extends EventEmitter {
  readonly #serial: SerialPort;
  #request: Uint8Array | undefined;
  #received: Buffer = Buffer.alloc(0);

  constructor(settings: SerialSettings) {
    super();
    this.#serial = new SerialPort({ ...settings, dataBits: 8, autoOpen: false });
    this.#serial.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#serial.on('error', (error) => this.emit('error', error));
    this.#serial.on('close', () => this.emit('close'));
  }

  get isOpen(): boolean {
    return this.#serial.isOpen;
  }

  open(done: (error?: Error | null) => void): void {
    this.#serial.open(done);
  }

  close(done: (error?: Error | null) => void): void {
    if (this.#serial.isOpen) this.#serial.close(done);
    else done();
  }

  write(request: Uint8Array): void {
    this.#request = Uint8Array.from(request);
    this.#received = Buffer.alloc(0);
    this.#serial.write(Buffer.from(request), (error) => {
      if (error !== undefined && error !== null) this.emit('error', error);
    });
  }

  /** The request is given up; what still comes for it is dropped. */
  forget(): void {
    this.#request = undefined;
  }

  #take(chunk: Buffer): void {
    if (this.#request === undefined) return;
    this.#received = Buffer.concat([this.#received, chunk]).subarray(-mostBytes);
    const reply = findReply(this.#request, this.#received);
    if (reply === undefined) return;
    this.#request = undefined;
    this.emit('data', Buffer.from(reply));
  }
}
