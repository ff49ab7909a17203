import { SerialPort } from 'serialport';
import { PtyPair } from './pty-pair.js';

export interface LineBoardOptions {
  /** Sends everything it knows this often; absent: only when asked. */
  readonly everyMs?: number;
  /** Question it answers with everything it knows. */
  readonly question?: string;
  /** Added to every line. */
  readonly sum?: (line: string) => string;
}

/** A microcontroller with contacts on a serial line: `L1=1` for inputs, `R1=1` sets a relay and is repeated as answer. */
export class LineBoard {
  readonly pair = new PtyPair();
  readonly inputs = new Map<string, string>();
  readonly relays = new Map<string, boolean>();
  /** Every line it got. */
  readonly heard: string[] = [];
  readonly relayEvents: { readonly name: string; readonly on: boolean }[] = [];
  deaf = false;
  readonly #options: LineBoardOptions;
  #port: SerialPort | undefined;
  #received = '';
  #repeat: NodeJS.Timeout | undefined;

  constructor(options: LineBoardOptions) {
    this.#options = options;
  }

  get path(): string {
    return this.pair.near;
  }

  async plug(): Promise<void> {
    await this.pair.plug();
    const port = new SerialPort({ path: this.pair.far, baudRate: 115_200, autoOpen: false });
    await new Promise<void>((resolve, reject) => {
      port.open((error) => {
        if (error instanceof Error) reject(error);
        else resolve();
      });
    });
    port.on('data', (chunk: Buffer) => this.#take(chunk.toString('latin1')));
    port.on('error', () => undefined);
    this.#port = port;
    const { everyMs } = this.#options;
    if (everyMs !== undefined) this.#repeat = setInterval(() => this.sayAll(), everyMs);
  }

  async unplug(): Promise<void> {
    clearInterval(this.#repeat);
    const port = this.#port;
    this.#port = undefined;
    if (port?.isOpen === true) await new Promise<void>((resolve) => port.close(() => resolve()));
    await this.pair.unplug();
  }

  async close(): Promise<void> {
    await this.unplug();
    await this.pair.close();
  }

  /** Changes an input and, where the board sends by itself, says so at once. */
  set(name: string, value: string): void {
    this.inputs.set(name, value);
    if (this.#options.everyMs !== undefined) this.say(`${name}=${value}`);
  }

  say(line: string): void {
    if (!this.deaf) this.raw(`${this.#options.sum?.(line) ?? line}\r\n`);
  }

  raw(bytes: string | Uint8Array): void {
    this.#port?.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes));
  }

  sayAll(): void {
    const relays = [...this.relays].map(([name, on]): [string, string] => [name, on ? '1' : '0']);
    const fields = [...this.inputs, ...relays].map(([name, value]) => `${name}=${value}`);
    this.say(fields.length === 0 ? 'READY' : fields.join(' '));
  }

  #take(text: string): void {
    this.#received += text;
    const lines = this.#received.split(/\r\n|\r|\n/u);
    this.#received = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '' || this.deaf) continue;
      this.heard.push(line);
      const [order = ''] = line.split('*');
      const match = /^(R\d)=([01])$/u.exec(order);
      const [, name, level] = match ?? [];
      if (order === this.#options.question) this.sayAll();
      else if (name !== undefined) {
        this.relays.set(name, level === '1');
        this.relayEvents.push({ name, on: level === '1' });
        this.say(`${name}=${level ?? ''}`);
      }
    }
  }
}
