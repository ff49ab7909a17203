import modbusSerial from 'modbus-serial';
import { GateError, errorText, type Clock, type Timer } from '../../base/index.js';
import { RtuPort, type SerialSettings } from './rtu-port.js';
import { exceptionText, functionCode, silenceMs, type BitTable } from './rtu.js';

/**
 * One request at a time over one bus. Promises reject with `GateError`: `DEVICE_TIMEOUT` (no answer), `DEVICE_LOST`
 * (the port is gone), `DEVICE_LINE_INVALID` (the unit refuses the request).
 */
export interface BitClient {
  /** @param onLost called once when an open port goes away by itself */
  open(onLost: (reason: string) => void): Promise<void>;
  close(): Promise<void>;
  readBits(unit: number, table: BitTable, address: number, count: number, timeoutMs: number): Promise<readonly boolean[]>;
  writeCoil(unit: number, address: number, on: boolean, timeoutMs: number): Promise<void>;
  /** FC05 with a value of the board's own, e.g. a time. */
  writeCoilValue(unit: number, address: number, value: number, timeoutMs: number): Promise<void>;
}

type Library = InstanceType<typeof modbusSerial.default>;

interface Connection {
  readonly port: RtuPort;
  readonly library: Library;
}

/** `BitClient` over a serial port with `modbus-serial`. */
export class SerialBitClient implements BitClient {
  readonly #settings: SerialSettings;
  readonly #clock: Clock;
  #connection: Connection | undefined;
  #abort: ((error: GateError) => void) | undefined;
  #quietUntilMs = 0;

  constructor(settings: SerialSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  async open(onLost: (reason: string) => void): Promise<void> {
    // The library cannot open a port twice after a loss, so every connection is a new one.
    const port = new RtuPort(this.#settings);
    const library = new modbusSerial.default(port);
    let gone = false;
    const lose = (reason: string): void => {
      if (gone) return;
      gone = true;
      if (this.#connection?.port !== port) return;
      this.#connection = undefined;
      this.#abort?.(lost(this.#settings.path, reason));
      port.close(() => undefined);
      onLost(reason);
    };
    library.on('error', (error) => lose(errorText(error)));
    library.on('close', () => lose('it was unplugged'));
    // A port that fails outside a request must not end the process.
    port.on('error', (error) => lose(errorText(error)));
    await new Promise<void>((resolve, reject) => {
      library.open((error?: unknown) => {
        if (error === undefined || error === null) resolve();
        else reject(lost(this.#settings.path, errorText(error)));
      });
    });
    this.#connection = { port, library };
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#abort?.(lost(this.#settings.path, 'it was closed'));
    if (connection === undefined) return;
    await new Promise<void>((resolve) => {
      connection.library.close(() => resolve());
    });
  }

  async readBits(unit: number, table: BitTable, address: number, count: number, timeoutMs: number): Promise<readonly boolean[]> {
    const reply = await this.#request<{ readonly data: readonly boolean[] }>(unit, timeoutMs, ({ library }, done) => {
      if (table === 'coil') library.writeFC1(unit, address, count, done);
      else library.writeFC2(unit, address, count, done);
    });
    return reply.data.slice(0, count);
  }

  async writeCoil(unit: number, address: number, on: boolean, timeoutMs: number): Promise<void> {
    await this.#request(unit, timeoutMs, ({ library }, done) => library.writeFC5(unit, address, on, done));
  }

  async writeCoilValue(unit: number, address: number, value: number, timeoutMs: number): Promise<void> {
    const data = [address >> 8, address & 0xff, value >> 8, value & 0xff];
    await this.#request(unit, timeoutMs, ({ library }, done) => library.writeCustomFC(unit, functionCode.writeCoil, data, done));
  }

  async #request<T>(unit: number, timeoutMs: number, send: (to: Connection, done: (error: Error | null, reply: T) => void) => void): Promise<T> {
    await this.#silence();
    const connection = this.#connection;
    if (connection === undefined) throw lost(this.#settings.path, 'it is not open');
    let timer: Timer | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#abort = reject;
        timer = this.#clock.after(timeoutMs, () => {
          connection.port.forget();
          reject(
            new GateError(
              'DEVICE_TIMEOUT',
              `Unit ${unit} on ${this.#settings.path} did not answer within ${timeoutMs} ms; check its power, wires A and B, address and ${this.#settings.baudRate} baud.`,
              { unit, path: this.#settings.path },
            ),
          );
        });
        send(connection, (error, reply) => {
          if (error === null) resolve(reply);
          else reject(failure(unit, this.#settings.path, error));
        });
      });
    } finally {
      this.#abort = undefined;
      timer?.cancel();
      this.#quietUntilMs = this.#clock.monoMs() + silenceMs(this.#settings.baudRate);
    }
  }

  async #silence(): Promise<void> {
    const waitMs = this.#quietUntilMs - this.#clock.monoMs();
    if (waitMs <= 0) return;
    await new Promise<void>((resolve) => {
      this.#clock.after(waitMs, resolve);
    });
  }
}

function failure(unit: number, path: string, error: Error): GateError {
  const code = 'modbusCode' in error && typeof error.modbusCode === 'number' ? error.modbusCode : undefined;
  if (code === undefined) return lost(path, errorText(error));
  const refused = code >= 1 && code <= 3;
  return new GateError(refused ? 'DEVICE_LINE_INVALID' : 'DEVICE_LOST', `Unit ${unit} on ${path} refuses: ${exceptionText(code)}.`, { unit, path, exception: code });
}

function lost(path: string, reason: string): GateError {
  return new GateError('DEVICE_LOST', `Serial port ${path} does not work: ${reason}. Check the adapter and its cable; ls -l /dev/serial/by-id shows what is plugged in.`, { path });
}
