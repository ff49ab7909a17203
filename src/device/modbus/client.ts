import modbusSerial from 'modbus-serial';
import { GateError, errorText, type Clock, type Timer } from '../../base/index.js';
import { portLost, type BusPort, type SerialSettings, type TrafficTap } from '../serial/index.js';
import { RtuPort } from './rtu-port.js';
import { exceptionText, functionCode, silenceMs, type Table } from './rtu.js';

/**
 * One request at a time over one bus. Addresses are those of the protocol (0 the first). Promises reject with
 * `GateError`: `DEVICE_TIMEOUT` (no answer), `DEVICE_LOST` (the port is gone, or the unit reports trouble),
 * `DEVICE_LINE_INVALID` (the unit refuses the request); refusals carry the `exception` in their context.
 */
export interface ModbusClient extends BusPort {
  /** Bits as 0 and 1, registers as 0 to 65,535. */
  read(unit: number, table: Table, address: number, count: number, timeoutMs: number): Promise<readonly number[]>;
  writeCoil(unit: number, address: number, on: boolean, timeoutMs: number): Promise<void>;
  /** FC05 with a value of the board's own, e.g. a time. */
  writeCoilValue(unit: number, address: number, value: number, timeoutMs: number): Promise<void>;
  /** FC06. */
  writeRegister(unit: number, address: number, value: number, timeoutMs: number): Promise<void>;
  /** FC16. */
  writeRegisters(unit: number, address: number, values: readonly number[], timeoutMs: number): Promise<void>;
}

type Library = InstanceType<typeof modbusSerial.default>;

interface Connection {
  readonly port: RtuPort;
  readonly library: Library;
}

/** `ModbusClient` over a serial port with `modbus-serial`. */
export class SerialModbusClient implements ModbusClient {
  readonly #settings: SerialSettings;
  readonly #clock: Clock;
  readonly #tap: TrafficTap;
  #connection: Connection | undefined;
  #abort: ((error: GateError) => void) | undefined;
  #quietUntilMs = 0;

  constructor(settings: SerialSettings, clock: Clock, tap: TrafficTap) {
    this.#settings = settings;
    this.#clock = clock;
    this.#tap = tap;
  }

  async open(onLost: (reason: string) => void): Promise<void> {
    // The library cannot open a port twice after a loss, so every connection is a new one.
    const port = new RtuPort(this.#settings, this.#clock, this.#tap);
    const library = new modbusSerial.default(port);
    let lostBefore: string | undefined;
    port.on('lost', (reason: string) => {
      lostBefore = reason;
      if (this.#connection?.port !== port) return;
      this.#connection = undefined;
      this.#abort?.(portLost(this.#settings.path, reason));
      onLost(reason);
    });
    // The library tells failures of the port once more; without a listener they would end the process.
    library.on('error', () => undefined);
    port.on('error', () => undefined);
    await new Promise<void>((resolve, reject) => {
      library.open((error?: unknown) => {
        if (error === undefined || error === null) resolve();
        else reject(error instanceof GateError ? error : portLost(this.#settings.path, errorText(error)));
      });
    });
    if (lostBefore !== undefined) throw portLost(this.#settings.path, lostBefore);
    this.#connection = { port, library };
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#abort?.(portLost(this.#settings.path, 'it was closed'));
    if (connection === undefined) return;
    await new Promise<void>((resolve) => {
      connection.library.close(() => resolve());
    });
  }

  async read(unit: number, table: Table, address: number, count: number, timeoutMs: number): Promise<readonly number[]> {
    if (table === 'coil' || table === 'discrete') {
      const bits = await this.#request<{ readonly data: readonly boolean[] }>(unit, timeoutMs, ({ library }, done) => {
        if (table === 'coil') library.writeFC1(unit, address, count, done);
        else library.writeFC2(unit, address, count, done);
      });
      return bits.data.slice(0, count).map(Number);
    }
    const registers = await this.#request<{ readonly data: readonly number[] }>(unit, timeoutMs, ({ library }, done) => {
      if (table === 'holding') library.writeFC3(unit, address, count, done);
      else library.writeFC4(unit, address, count, done);
    });
    return registers.data;
  }

  async writeCoil(unit: number, address: number, on: boolean, timeoutMs: number): Promise<void> {
    await this.#request(unit, timeoutMs, ({ library }, done) => library.writeFC5(unit, address, on, done));
  }

  async writeCoilValue(unit: number, address: number, value: number, timeoutMs: number): Promise<void> {
    const data = [address >> 8, address & 0xff, value >> 8, value & 0xff];
    await this.#request(unit, timeoutMs, ({ library }, done) => library.writeCustomFC(unit, functionCode.writeCoil, data, done));
  }

  async writeRegister(unit: number, address: number, value: number, timeoutMs: number): Promise<void> {
    await this.#request(unit, timeoutMs, ({ library }, done) => library.writeFC6(unit, address, value, done));
  }

  async writeRegisters(unit: number, address: number, values: readonly number[], timeoutMs: number): Promise<void> {
    await this.#request(unit, timeoutMs, ({ library }, done) => library.writeFC16(unit, address, [...values], done));
  }

  async #request<T>(unit: number, timeoutMs: number, send: (to: Connection, done: (error: Error | null, reply: T) => void) => void): Promise<T> {
    await this.#silence();
    const connection = this.#connection;
    if (connection === undefined) throw portLost(this.#settings.path, 'it is not open');
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
  if (code === undefined) return portLost(path, errorText(error));
  const refused = code >= 1 && code <= 3;
  return new GateError(refused ? 'DEVICE_LINE_INVALID' : 'DEVICE_LOST', `Unit ${unit} on ${path} refuses: ${exceptionText(code)}.`, { unit, path, exception: code });
}
