import { EventEmitter } from 'node:events';
import type { Clock } from '../../base/index.js';
import { SerialConnection, type SerialSettings, type TrafficTap } from '../serial/index.js';
import { findReply, functionCode, isEcho } from './rtu.js';

/** No answer fits into more; what is older is noise. */
const mostBytes = 512;
const readCodes: readonly number[] = [functionCode.readCoils, functionCode.readDiscreteInputs, functionCode.readHoldingRegisters, functionCode.readInputRegisters];

/**
 * The port that `modbus-serial` talks through. The library's own keeps bytes of earlier answers, takes the first bytes
 * that look right and gives up on a bad checksum; on a noisy line that costs the answer behind the noise. This one starts
 * empty with every request and hands over only a whole, undamaged answer to it.
 *
 * Events: `data` (Buffer), `error`, `close`, as the library wants them; `lost` (reason) when the port went away by itself.
 */
export class RtuPort extends EventEmitter {
  readonly #connection: SerialConnection;
  #request: Uint8Array | undefined;
  #received: Buffer = Buffer.alloc(0);
  /** The adapter hears itself. Learned from readings, as the echo of a write looks like its confirmation. */
  #echoes = false;

  constructor(settings: SerialSettings, clock: Clock, tap: TrafficTap) {
    super();
    this.#connection = new SerialConnection(settings, clock, tap, {
      onBytes: (chunk) => this.#take(chunk),
      onLost: (reason) => {
        this.emit('lost', reason);
        this.emit('close');
      },
    });
  }

  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  open(done: (error?: Error | null) => void): void {
    this.#connection.open().then(
      () => done(),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    );
  }

  close(done: (error?: Error | null) => void): void {
    void this.#connection.close().then(() => done());
  }

  write(request: Uint8Array): void {
    this.#request = Uint8Array.from(request);
    this.#received = Buffer.alloc(0);
    this.#connection.write(request);
  }

  /** The request is given up; what still comes for it is dropped. */
  forget(): void {
    this.#request = undefined;
  }

  #take(chunk: Buffer): void {
    const request = this.#request;
    if (request === undefined) return;
    this.#received = Buffer.concat([this.#received, chunk]).subarray(-mostBytes);
    const echoed = isEcho(request, this.#received);
    const reads = readCodes.includes(request[1] ?? 0);
    if (!reads && this.#echoes && !echoed) return;
    const reply = findReply(request, !reads && this.#echoes ? this.#received.subarray(request.length) : this.#received);
    if (reply === undefined) return;
    if (reads) this.#echoes = echoed;
    this.#request = undefined;
    this.emit('data', Buffer.from(reply));
  }
}
