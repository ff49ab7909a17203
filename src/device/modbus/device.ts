import { GateError, type Clock, type Log } from '../../base/index.js';
import { Claims } from '../claims.js';
import type { Device, DeviceHealth, DigitalInput, DigitalOutput, LineRef, LineReport, Traffic, UnitReport } from '../contract.js';
import { HealthSource } from '../health-source.js';
import { BusOutput, SharedBus, TrafficTap, type SerialSettings, type UnitState } from '../serial/index.js';
import { SerialModbusClient, type ModbusClient } from './client.js';
import { groupAddresses } from './groups.js';
import { ModbusInput } from './input.js';
import { figureValue, hex, profileOf, type Figure, type ModbusProfileName, type OutputMap, type UnitCheck } from './profiles.js';
import { isRegister, type Table } from './rtu.js';

export interface ModbusUnitOptions {
  /** Unit (slave) address, 1 to 255. */
  readonly unit: number;
  readonly profile: ModbusProfileName;
  /** In place of those of the bus, ms. */
  readonly pollMs?: number | undefined;
  readonly timeoutMs?: number | undefined;
  /** Who ends a pulse; as the profile has it where omitted. */
  readonly pulses?: 'board' | 'gateway' | undefined;
  /** Holding registers that shall hold these values; written where they do not, whenever the unit is first heard. */
  readonly setup?: readonly { readonly address: number; readonly value: number }[] | undefined;
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
/** Figures beside the level are read this often, ms. */
const figureMs = 1_000;
const setupAttempts = 3;
const tables: readonly Table[] = ['discrete', 'coil', 'input', 'holding'];

interface ModbusOutput {
  readonly unit: number;
  readonly map: OutputMap;
  readonly output: BusOutput;
}

/** What is known of a unit beside the bus's own record: what it is, how it is set, what its lines tell. */
interface UnitFacts {
  readonly options: ModbusUnitOptions;
  readonly timeoutMs: number;
  /** Not the board the configuration names; by check. */
  readonly wrong: Map<string, string>;
  readonly warnings: Map<string, string>;
  /** Checks that have to pass before its inputs mean anything. */
  readonly open: Set<string>;
}

/**
 * Units on one Modbus RTU bus. A bus that cannot be opened does not make `start` fail: health says what is wrong, inputs
 * are `unknown`, orders are rejected, and the port is tried again until it is there. A unit that is dead, or not what it
 * should be, is told by name in `units` and in the health's detail; the device is `lost` only where no unit works.
 */
export class ModbusDevice implements Device {
  readonly id: string;
  readonly #options: ModbusOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #health: HealthSource;
  readonly #claims = new Claims<ModbusInput, ModbusOutput>();
  readonly #tap: TrafficTap;
  readonly #client: ModbusClient;
  readonly #bus: SharedBus;
  readonly #facts: ReadonlyMap<number, UnitFacts>;
  #running = false;
  #grouped = false;

  /** @param client what talks to the bus; the serial port of the options where omitted */
  constructor(options: ModbusOptions, clock: Clock, log: Log, client?: ModbusClient) {
    this.id = options.id;
    this.#options = options;
    this.#clock = clock;
    this.#log = log;
    this.#health = new HealthSource(options.id, log);
    this.#tap = new TrafficTap(clock, log);
    this.#client = client ?? new SerialModbusClient(options, clock, this.#tap);
    this.#facts = new Map(
      options.units.map((unit) => [unit.unit, { options: unit, timeoutMs: unit.timeoutMs ?? options.timeoutMs, wrong: new Map(), warnings: new Map(), open: new Set() }]),
    );
    const busUnits = [...this.#facts.values()].map(({ options: { unit }, timeoutMs }) => ({ unit, timeoutMs }));
    this.#bus = new SharedBus(this.#client, busUnits, clock, log, {
      onConnected: () => log.info({ device: options.id, path: options.path }, 'serial port opened'),
      onChange: () => this.#tellHealth(),
    });
  }

  input(ref: LineRef): DigitalInput {
    const { options } = this.#factsOf(ref);
    const map = profileOf(options.profile).input(ref);
    const part = ref.bit === undefined ? (ref.equals === undefined ? '' : `=${ref.equals.join(',')}`) : `.${ref.bit}`;
    const key = `${options.unit}/${map.table}/${map.addresses.join('+')}${part}`;
    return this.#claims.input(key, ref, () => new ModbusInput(ref, options.unit, map, this.#clock, this.#log));
  }

  output(ref: LineRef): DigitalOutput {
    const { options, timeoutMs } = this.#factsOf(ref);
    const { unit, profile: name, pulses } = options;
    const profile = profileOf(name);
    const map = profile.output(ref, pulses ?? profile.pulses);
    const key = `${unit}/${map.table}/${map.address}${ref.bit === undefined ? '' : `.${ref.bit}`}`;
    return this.#claims.output(key, ref, () => {
      const timedPulse = map.timedPulse?.(this.#client, unit);
      const drive = {
        unit,
        timeoutMs,
        set: (active: boolean, limitMs: number) => map.set(this.#client, unit, active, limitMs),
        readBackSoon: () => this.#bus.readSoon(unit, map.table),
        ...(timedPulse === undefined ? {} : { timedPulse }),
      };
      return { unit, map, output: new BusOutput(ref, drive, this.#bus, this.#clock, this.#log) };
    }).output;
  }

  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    this.#claims.close();
    if (!this.#grouped) this.#addGroups();
    this.#grouped = true;
    this.#health.set({ state: 'starting' });
    await this.#bus.start();
    this.#tellHealth();
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    await Promise.all(this.#claims.outputs.map(({ output }) => output.shutDown()));
    this.#running = false;
    await this.#bus.stop();
    for (const { output } of this.#claims.outputs) output.onUnknown();
    this.#health.set({ state: 'stopped' });
  }

  health(): DeviceHealth {
    return this.#health.get();
  }

  onHealth(listener: (health: DeviceHealth) => void): () => void {
    return this.#health.onChange(listener);
  }

  lines(): readonly LineReport[] {
    return [...this.#claims.inputs, ...this.#claims.outputs.map(({ output }) => output)].map((line) => line.lineReport());
  }

  units(): readonly UnitReport[] {
    return this.#bus.reports().map((report) => this.#unitReport(report));
  }

  onTraffic(listener: (traffic: Traffic) => void): () => void {
    return this.#tap.onTraffic(listener);
  }

  #factsOf(ref: LineRef): UnitFacts {
    const units = this.#options.units;
    const only = units.length === 1 ? units[0]?.unit : undefined;
    const number = ref.unit ?? only;
    const facts = number === undefined ? undefined : this.#facts.get(number);
    if (facts !== undefined && ref.chip === undefined) return facts;
    const known = units.map((candidate) => candidate.unit).join(', ');
    throw new GateError('DEVICE_LINE_INVALID', `A line on device ${this.id} needs unit, one of ${known}, and no chip.`, { line: ref });
  }

  #unitReport(report: UnitState): UnitReport {
    const { unit, answered, failed, roundTripMs } = report;
    const facts = this.#facts.get(unit);
    const wrong = [...(facts?.wrong.values() ?? [])];
    const troubles = this.#claims.inputs.filter((input) => input.unit === unit).flatMap((input) => input.trouble ?? []);
    const portFault = this.#bus.portFault;
    const details = portFault === undefined ? [...report.faults, ...wrong, ...(facts?.warnings.values() ?? []), ...troubles] : [portFault];
    return {
      unit,
      profile: facts?.options.profile ?? 'generic',
      state: wrong.length > 0 && report.state === 'ok' ? 'lost' : report.state,
      ...(details.length === 0 ? {} : { detail: details.join(' ') }),
      answered,
      failed,
      ...(roundTripMs === undefined ? {} : { roundTripMs }),
    };
  }

  #tellHealth(): void {
    if (!this.#running) return;
    const portFault = this.#bus.portFault;
    if (portFault !== undefined) {
      this.#health.set({ state: 'lost', detail: portFault });
      return;
    }
    const used = this.units().filter(({ unit }) => this.#isUsed(unit));
    const details = used.flatMap(({ detail }) => detail ?? []);
    const lost = used.length > 0 && used.every(({ state }) => state === 'lost');
    if (!lost && !this.#bus.settled) return;
    this.#health.set({ state: lost ? 'lost' : 'ok', ...(details.length === 0 ? {} : { detail: details.join(' ') }) });
  }

  #isUsed(unit: number): boolean {
    return this.#claims.inputs.some((input) => input.unit === unit) || this.#claims.outputs.some((output) => output.unit === unit);
  }

  #addGroups(): void {
    for (const facts of this.#facts.values()) {
      if (!this.#isUsed(facts.options.unit)) continue;
      this.#addChecks(facts);
      for (const table of tables) this.#addTable(facts, table);
      for (const input of this.#claims.inputs) {
        if (input.unit === facts.options.unit) for (const figure of input.map.figures) this.#addFigure(input, figure);
      }
    }
  }

  #addChecks(facts: UnitFacts): void {
    const { unit, profile: name, setup = [] } = facts.options;
    const outputs = this.#claims.outputs.filter((output) => output.unit === unit).map(({ map }) => map.address);
    const written = new Set<number>();
    const setupChecks = setup.map(({ address, value }): UnitCheck => ({
      table: 'holding',
      address,
      count: 1,
      required: true,
      judge: ([found = 0]) => {
        if (found === value) {
          written.delete(address);
          return { kind: 'ok' };
        }
        if (!written.has(address)) {
          written.add(address);
          this.#writeSetup(facts, address, value);
          return { kind: 'ok' };
        }
        return { kind: 'warning', text: `Register ${address} of unit ${unit} stays ${hex(found)} although setup wants ${hex(value)}; check the board's manual.` };
      },
    }));
    for (const check of [...setupChecks, ...profileOf(name).checks(outputs)]) this.#addCheck(facts, check);
  }

  #addCheck(facts: UnitFacts, check: UnitCheck): void {
    const { unit } = facts.options;
    const { table, address, count, required } = check;
    const key = `${table}/${address}`;
    // What tells the board apart has to be known first; a setting has not.
    const identifies = required && table === 'input';
    if (identifies) facts.open.add(key);
    this.#bus.addGroup({
      unit,
      kind: table,
      everyMs: 'once',
      required,
      told: required,
      read: async (timeoutMs) => {
        const verdict = check.judge(await this.#client.read(unit, table, address, count, timeoutMs), unit);
        facts.open.delete(key);
        for (const [kind, texts] of [['wrong', facts.wrong], ['warning', facts.warnings]] as const) {
          if (verdict.kind === kind) texts.set(key, verdict.text);
          else texts.delete(key);
        }
      },
      onUnknown: () => {
        if (identifies) facts.open.add(key);
      },
    });
  }

  #writeSetup({ options: { unit }, warnings }: UnitFacts, address: number, value: number): void {
    this.#log.info({ device: this.id, unit, address, value }, 'a register of a board is set as configured');
    this.#bus.enqueue({
      unit,
      send: (timeoutMs) => this.#client.writeRegister(unit, address, value, timeoutMs),
      attempts: setupAttempts,
      done: () => this.#bus.readSoon(unit, 'holding'),
      failed: (error) => warnings.set(`holding/${address}`, `Register ${address} of unit ${unit} could not be set: ${error.message}`),
    });
  }

  #addTable(facts: UnitFacts, table: Table): void {
    const { unit, pollMs = this.#options.pollMs, profile: name } = facts.options;
    const { most, bitBlock } = profileOf(name);
    const inputs = this.#claims.inputs.filter((input) => input.unit === unit && input.map.table === table);
    const outputs = this.#claims.outputs.filter((output) => output.unit === unit && output.map.table === table);
    const everyMs = inputs.length > 0 ? pollMs : readBackMs;
    const limits = isRegister(table) ? { most: most.registers } : { most: most.bits, ...(bitBlock === undefined ? {} : { block: bitBlock }) };
    const spans = groupAddresses([...inputs.map((input) => input.map.addresses), ...outputs.map(({ map }) => [map.address])], limits);
    for (const { address, count } of spans) {
      const covers = (at: number): boolean => at >= address && at < address + count;
      const ownInputs = inputs.filter((input) => input.map.addresses.every(covers));
      const ownOutputs = outputs.filter(({ map }) => covers(map.address));
      this.#bus.addGroup({
        unit,
        kind: table,
        everyMs,
        required: true,
        told: true,
        read: async (timeoutMs) => {
          const values = await this.#client.read(unit, table, address, count, timeoutMs);
          const trusted = facts.open.size === 0 && facts.wrong.size === 0;
          for (const input of ownInputs) input.take(input.map.addresses.map((at) => values[at - address]), trusted);
          for (const { map, output } of ownOutputs) {
            const value = values[map.address - address];
            if (value !== undefined) output.onReadBack(map.active(value), table === 'coil' ? String(value) : hex(value));
          }
        },
        onUnknown: () => {
          for (const input of ownInputs) input.forget();
          for (const { output } of ownOutputs) output.onUnknown();
        },
      });
    }
  }

  #addFigure(input: ModbusInput, figure: Figure): void {
    this.#bus.addGroup({
      unit: input.unit,
      kind: figure.table,
      everyMs: figureMs,
      required: false,
      // A frequency was asked for in the configuration; a count is a courtesy.
      told: figure.kind === 'frequency',
      read: async (timeoutMs) => {
        const registers = await this.#client.read(input.unit, figure.table, figure.address, figure.words, timeoutMs);
        input.setFigure(figure.kind, figureValue(figure, registers));
      },
      onUnknown: () => input.setFigure(figure.kind, undefined),
    });
  }
}
