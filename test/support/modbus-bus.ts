import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { PtyPair } from './pty-pair.js';
import { until } from './until.js';

const reportSchema = z.object({ coils: z.array(z.number()), holding: z.record(z.string(), z.number()), reads: z.number(), requests: z.number() });
type UnitWitness = z.output<typeof reportSchema>;

const messageSchema = z.union([
  z.object({ ready: z.literal(true) }),
  z.object({ coil: z.tuple([z.number(), z.number(), z.number()]), at: z.number(), by: z.enum(['write', 'timer', 'hand']) }),
  z.object({ register: z.tuple([z.number(), z.number(), z.number()]), at: z.number() }),
  z.object({ report: z.record(z.string(), reportSchema) }),
]);

/** A coil that changed or was written, as the board saw it. `atS`: monotonic seconds of the board. */
export interface CoilEvent {
  readonly unit: number;
  readonly coil: number;
  readonly level: number;
  readonly atS: number;
  readonly by: 'write' | 'timer' | 'hand';
}

export interface UnitFault {
  /** Answers come this late, s. */
  readonly delay?: number;
  /** So many requests are not heard. */
  readonly drop?: number;
  /** So many orders are obeyed without an answer. */
  readonly lose?: number;
  readonly crc?: number;
  readonly noise?: number;
  readonly deaf?: boolean;
  readonly exception?: number;
}

/** A serial bus of two pseudo terminals with independent Modbus units at the far end. */
export class ModbusTestBus {
  readonly #pair = new PtyPair();
  readonly folder = this.#pair.folder;
  /** The gate's end. */
  readonly path = this.#pair.near;
  readonly events: CoilEvent[] = [];
  /** Registers that were written, in order. */
  readonly registerEvents: { readonly unit: number; readonly address: number; readonly value: number }[] = [];
  readonly #units: object[] = [];
  #peer: ChildProcessWithoutNullStreams | undefined;
  #ready = false;
  #report: Readonly<Record<string, UnitWitness>> | undefined;

  /** Plugs the cable in: the port appears and the units listen. */
  async plug(): Promise<void> {
    await this.#pair.plug();
    this.#peer = spawn('/usr/bin/python3', [fileURLToPath(new URL('./modbus-peer.py', import.meta.url)), this.#pair.far]);
    this.#peer.stderr.on('data', (chunk: Buffer) => console.error(chunk.toString()));
    this.#ready = false;
    createInterface(this.#peer.stdout).on('line', (line) => this.#take(line));
    await until(() => this.#ready, { what: 'the units' });
    for (const unit of this.#units) this.#send(unit);
  }

  /** Pulls the adapter: the port vanishes. */
  async unplug(): Promise<void> {
    const peer = this.#peer;
    this.#peer = undefined;
    if (peer !== undefined && peer.exitCode === null) {
      peer.kill('SIGTERM');
      await once(peer, 'exit');
    }
    await this.#pair.unplug();
  }

  async close(): Promise<void> {
    await this.unplug();
    await this.#pair.close();
  }

  addUnit(unit: number, more: { coils?: number; inputs?: number; timer?: boolean; block?: number } = {}): void {
    this.#keep({ unit, ...more });
  }

  /** A loop detector that names itself as an LD120, or as another module. */
  addLd120(unit: number, moduleType = 34): void {
    this.addUnit(unit, { inputs: 8, coils: 10 });
    this.setRegister(unit, 'input', 0, 0x1e00 | moduleType);
    this.setRegister(unit, 'holding', 9, 0);
    this.setRegister(unit, 'holding', 10, 0);
  }

  /** Gives a register a value; before that the unit lacks it. */
  setRegister(unit: number, table: 'holding' | 'input', address: number, value: number): void {
    this.#keep({ register: [unit, table, address, value] });
  }

  setInput(unit: number, address: number, on: boolean): void {
    this.#send({ input: [unit, address, on ? 1 : 0] });
  }

  setCoil(unit: number, address: number, on: boolean): void {
    this.#send({ coil: [unit, address, on ? 1 : 0] });
  }

  fault(unit: number, fault: UnitFault): void {
    this.#send({ fault: { unit, ...fault } });
  }

  async report(unit: number): Promise<UnitWitness> {
    this.#report = undefined;
    this.#send({ report: true });
    const report = await until(() => this.#report, { what: 'the report of the units' });
    const own = report[String(unit)];
    if (own === undefined) throw new Error(`there is no unit ${unit}`);
    return own;
  }

  /** Sends what makes a unit, now and after every plugging in. */
  #keep(message: object): void {
    this.#units.push(message);
    this.#send(message);
  }

  #send(message: object): void {
    this.#peer?.stdin.write(`${JSON.stringify(message)}\n`);
  }

  #take(line: string): void {
    const message = messageSchema.parse(JSON.parse(line));
    if ('ready' in message) this.#ready = true;
    else if ('report' in message) this.#report = message.report;
    else if ('register' in message) {
      const [unit, address, value] = message.register;
      this.registerEvents.push({ unit, address, value });
    }
    else {
      const [unit, coil, level] = message.coil;
      this.events.push({ unit, coil, level, atS: message.at, by: message.by });
    }
  }
}
