import { GateError, type Clock, type Timer } from '../../base/index.js';
import { SerialConnection, portLost, type BusPort, type SerialSettings, type TrafficTap } from '../serial/index.js';
import { LineCutter, withChecksum, withoutChecksum, type Checksum } from './grammar.js';

export interface LineWire extends SerialSettings {
  readonly checksum: Checksum;
  /** What ends a line that is sent; any of them ends one that is received. */
  readonly lineEnd: 'cr' | 'lf' | 'crlf';
}

const ends = { cr: '\r', lf: '\n', crlf: '\r\n' } as const;

/** A serial port that speaks lines of text. */
export class LineClient implements BusPort {
  readonly #wire: LineWire;
  readonly #clock: Clock;
  readonly #tap: TrafficTap;
  readonly #onLine: (line: string | undefined, said: string) => void;
  readonly #cutter = new LineCutter();
  #connection: SerialConnection | undefined;
  #waiting: ((line: string) => void) | undefined;
  #abort: ((error: GateError) => void) | undefined;

  /** @param onLine told every line: without its checksum, undefined where that is wrong; and as it came */
  constructor(wire: LineWire, clock: Clock, tap: TrafficTap, onLine: (line: string | undefined, said: string) => void) {
    this.#wire = wire;
    this.#clock = clock;
    this.#tap = tap;
    this.#onLine = onLine;
  }

  async open(onLost: (reason: string) => void): Promise<void> {
    let lostBefore: string | undefined;
    const connection: SerialConnection = new SerialConnection(this.#wire, this.#clock, this.#tap, {
      onBytes: (bytes) => this.#take(bytes),
      onLost: (reason) => {
        lostBefore = reason;
        if (this.#connection !== connection) return;
        this.#connection = undefined;
        this.#abort?.(portLost(this.#wire.path, reason));
        onLost(reason);
      },
    });
    this.#cutter.reset();
    await connection.open();
    if (lostBefore !== undefined) throw portLost(this.#wire.path, lostBefore);
    this.#connection = connection;
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#abort?.(portLost(this.#wire.path, 'it was closed'));
    await connection?.close();
  }

  /**
   * Sends a text; resolves when it has left.
   * @throws GateError `DEVICE_LOST`
   */
  async say(text: string): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) throw portLost(this.#wire.path, 'it is not open');
    await connection.writeOut(Buffer.from(`${withChecksum(text, this.#wire.checksum)}${ends[this.#wire.lineEnd]}`, 'latin1'));
    if (!connection.isOpen) throw portLost(this.#wire.path, 'it was lost');
  }

  /**
   * Sends a text and waits for a line that answers it.
   * @throws GateError `DEVICE_TIMEOUT`, `DEVICE_LOST`
   */
  async ask(text: string, answers: (line: string) => boolean, timeoutMs: number): Promise<void> {
    let timer: Timer | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#abort = reject;
        this.#waiting = (line) => {
          if (answers(line)) resolve();
        };
        timer = this.#clock.after(timeoutMs, () => {
          const { path, baudRate } = this.#wire;
          reject(new GateError('DEVICE_TIMEOUT', `The detector on ${path} did not answer ${JSON.stringify(text)} within ${timeoutMs} ms; check its power, its wires and ${baudRate} baud.`, { path, text }));
        });
        this.say(text).catch(reject);
      });
    } finally {
      this.#abort = undefined;
      this.#waiting = undefined;
      timer?.cancel();
    }
  }

  #take(bytes: Uint8Array): void {
    for (const said of this.#cutter.feed(bytes, this.#clock.monoMs())) {
      const line = withoutChecksum(said, this.#wire.checksum);
      this.#onLine(line, said);
      if (line !== undefined) this.#waiting?.(line);
    }
  }
}
