import { GateError, type Clock, type Log } from '../../base/index.js';
import { Claims } from '../claims.js';
import type { Device, DeviceHealth, DigitalInput, DigitalOutput, LineRef, LineReport } from '../contract.js';
import { HealthSource } from '../health-source.js';
import { SignalInput } from '../signal-input.js';
import { ModbusBus } from './bus.js';
import { SerialBitClient, type BitClient } from './client.js';
import { groupBits } from './groups.js';
import { ModbusOutput } from './output.js';
import { profileOf, type InputMap, type ModbusProfileName } from './profiles.js';
import type { SerialSettings } from './rtu-port.js';
import type { BitTable } from './rtu.js';

export interface ModbusUnitOptions {
  /** Unit (slave) address, 1 to 254. */
  readonly unit: number;
  readonly profile: ModbusProfileName;
}

export interface ModbusOptions extends SerialSettings {
  readonly id: string;
  /** Wanted time between two readings of an input, ms; a bus that cannot keep it reads as often as it can. */
  readonly pollMs: number;
  /** How long a unit may take to answer, ms. */
  readonly timeoutMs: number;
  readonly units: readonly ModbusUnitOptions[];
}

/** Outputs are read back this often, ms. */
const readBackMs = 250;

/** An input with the bits it is made of. */
class ModbusInput extends SignalInput {
  readonly unit: number;
  readonly map: InputMap;

  constructor(ref: LineRef, unit: number, map: InputMap, clock: Clock, log: Log) {
    super(ref, clock, log);
    this.unit = unit;
    this.map = map;
  }
}

/**
 * Units on one Modbus RTU bus. A bus that cannot be opened does not make `start` fail: health says what is wrong, inputs
 * are `unknown`, orders are rejected, and the port is tried again until it is there.
 */
export class ModbusDevice implements Device {
  readonly id: string;
  readonly #options: ModbusOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #health: HealthSource;
  readonly #claims = new Claims<ModbusInput, ModbusOutput>();
  readonly #bus: ModbusBus;
  #running = false;
  #grouped = false;

  /** @param client what talks to the bus; the serial port of the options where omitted */
  constructor(options: ModbusOptions, clock: Clock, log: Log, client: BitClient = new SerialBitClient(options, clock)) {
    this.id = options.id;
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#health = new HealthSource(options.id, log);
    this.#bus = new ModbusBus(client, options, clock, log, {
      onConnected: () => log.info({ device: options.id, path: options.path }, 'serial port opened'),
      onHealth: (fault) => {
        if (this.#running) this.#health.set(fault === undefined ? { state: 'ok' } : { state: 'lost', detail: fault });
      },
    });
  }

  input(ref: LineRef): DigitalInput {
    const unit = this.#unitOf(ref);
    const map = profileOf(unit.profile).input(ref);
    const key = `${unit.unit}/${map.table}/${map.addresses.join('+')}`;
    return this.#claims.input(key, ref, () => new ModbusInput(ref, unit.unit, map, this.#clock, this.#log));
  }

  output(ref: LineRef): DigitalOutput {
    const unit = this.#unitOf(ref);
    const map = profileOf(unit.profile).output(ref);
    const key = `${unit.unit}/coil/${map.coil}`;
    return this.#claims.output(
      key,
      ref,
      () => new ModbusOutput(ref, unit.unit, map, this.#bus, this.#options.timeoutMs, this.#clock, this.#log),
    );
  }

  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.#claims.close();
    if (!this.#grouped) this.#addGroups();
    this.#grouped = true;
    this.#health.set({ state: 'starting' });
    await this.#bus.start();
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    await Promise.all(this.#claims.outputs.map((output) => output.shutDown()));
    this.#running = false;
    await this.#bus.stop();
    for (const output of this.#claims.outputs) output.onUnknown();
    this.#health.set({ state: 'stopped' });
  }

  health(): DeviceHealth {
    return this.#health.get();
  }

  onHealth(listener: (health: DeviceHealth) => void): () => void {
    return this.#health.onChange(listener);
  }

  lines(): readonly LineReport[] {
    return [...this.#claims.inputs, ...this.#claims.outputs].map((line) => line.lineReport());
  }

  #unitOf(ref: LineRef): ModbusUnitOptions {
    const units = this.#options.units;
    const only = units.length === 1 ? units[0] : undefined;
    const unit = ref.unit === undefined ? only : units.find((candidate) => candidate.unit === ref.unit);
    if (unit !== undefined && ref.chip === undefined) return unit;
    const known = units.map((candidate) => candidate.unit).join(', ');
    throw new GateError('DEVICE_LINE_INVALID', `A line on device ${this.id} needs unit, one of ${known}, and no chip.`, { line: ref });
  }

  #addGroups(): void {
    for (const { unit } of this.#options.units) {
      for (const table of ['discrete', 'coil'] as const) this.#addTable(unit, table);
    }
  }

  #addTable(unit: number, table: BitTable): void {
    const inputs = this.#claims.inputs.filter((input) => input.unit === unit && input.map.table === table);
    const outputs = table === 'coil' ? this.#claims.outputs.filter((output) => output.unit === unit) : [];
    const everyMs = inputs.length > 0 ? this.#options.pollMs : readBackMs;
    const spans = groupBits([...inputs.map((input) => input.map.addresses), ...outputs.map((output) => [output.map.coil])]);
    for (const { address, count } of spans) {
      const covers = (bit: number): boolean => bit >= address && bit < address + count;
      const ownInputs = inputs.filter((input) => input.map.addresses.every(covers));
      const ownOutputs = outputs.filter((output) => covers(output.map.coil));
      this.#bus.addGroup({
        unit,
        table,
        address,
        count,
        everyMs,
        onBits: (bits) => {
          for (const input of ownInputs) {
            const own = input.map.addresses.map((bit) => bits[bit - address]);
            input.report(input.map.decode(own), own.map((bit) => (bit === undefined ? '-' : bit ? '1' : '0')).join(' '));
          }
          for (const output of ownOutputs) output.onReadBack(bits[output.map.coil - address]);
        },
        onUnknown: () => {
          for (const input of ownInputs) input.report('unknown');
          for (const output of ownOutputs) output.onUnknown();
        },
      });
    }
  }
}
