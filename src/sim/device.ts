import { GateError, type Clock, type SignalState, type Timer } from '../base/index.js';
import type { Device, DeviceHealth, DigitalInput, DigitalOutput, LineRef, LineReport, SignalChange } from '../device/index.js';
import type { ContactName } from './boom.js';
import type { Detector, DetectorFault } from './detector.js';
import { sensorNames, type SimLane, type SimSensor } from './lane.js';
import type { World } from './world.js';

const outputNames: Readonly<Record<string, ContactName>> = { open: 'open', close: 'close', stopRelay: 'stop' };

/**
 * Ways this device and its wiring fail. With `line` one line (`entry.closing`), without it the whole device.
 * - detector faults: the line itself lies or reports trouble; inputs only
 * - `lost`: the bus does not answer: inputs unknown, orders rejected (`DEVICE_LOST`), a running pulse ends only where the
 *   hardware times it
 * - `late`: changes of inputs arrive `lateMs` later
 * - `output-fails`: orders to an output are rejected (`DEVICE_TIMEOUT`)
 * - `output-dead`: orders are taken but the contact does not move
 */
export type SimFault =
  | { readonly kind: DetectorFault; readonly line: string }
  | { readonly kind: 'lost' }
  | { readonly kind: 'late'; readonly line?: string; readonly lateMs: number }
  | { readonly kind: 'output-fails' | 'output-dead'; readonly line: string };

export interface SimDeviceOptions {
  readonly id: string;
  readonly world: World;
  readonly clock: Clock;
  /** Like a relay board that times its pulses; false: like bare GPIO, where the driver's timer ends them. */
  readonly timesPulses?: boolean;
}

/** The simulated world behind the contract of real hardware. Lines are named `${lane}.approach`, `${lane}.open`, …. */
export class SimDevice implements Device {
  readonly id: string;
  readonly #world: World;
  readonly #clock: Clock;
  readonly #timesPulses: boolean;
  readonly #inputs = new Map<string, SimInput>();
  readonly #outputs = new Map<string, SimOutput>();
  readonly #healthListeners = new Set<(health: DeviceHealth) => void>();
  #health: DeviceHealth = { state: 'stopped' };
  #lost = false;

  constructor(options: SimDeviceOptions) {
    this.id = options.id;
    this.#world = options.world;
    this.#clock = options.clock;
    this.#timesPulses = options.timesPulses ?? true;
  }

  start(): Promise<void> {
    if (this.#health.state !== 'stopped') return Promise.resolve();
    this.#setHealth(this.#lost ? lostHealth : { state: 'ok' });
    for (const input of this.#inputs.values()) input.connect(!this.#lost);
    for (const output of this.#outputs.values()) output.connect(!this.#lost);
    return Promise.resolve();
  }

  stop(): Promise<void> {
    if (this.#health.state === 'stopped') return Promise.resolve();
    for (const output of this.#outputs.values()) output.close();
    for (const input of this.#inputs.values()) input.connect(false);
    this.#setHealth({ state: 'stopped' });
    return Promise.resolve();
  }

  input(ref: LineRef): DigitalInput {
    const name = String(ref.line);
    const known = this.#inputs.get(name);
    if (known !== undefined) return known;
    const { lane, part } = this.#locate(name);
    const sensor = sensorNames.find((candidate) => candidate === part);
    if (sensor === undefined || (sensor === 'beam' && !lane.spec.beam)) throw this.#unknownLine(name);
    const input = new SimInput(ref, lane.sensors[sensor], isSafety(sensor), this.#world, this.#clock);
    this.#inputs.set(name, input);
    if (this.#health.state === 'ok') input.connect(true);
    return input;
  }

  output(ref: LineRef): DigitalOutput {
    const name = String(ref.line);
    const known = this.#outputs.get(name);
    if (known !== undefined) return known;
    const { lane, part } = this.#locate(name);
    const contact = outputNames[part];
    if (contact === undefined) throw this.#unknownLine(name);
    const output = new SimOutput(ref, this.#timesPulses, lane, contact, this.#world, this.#clock, this.id);
    this.#outputs.set(name, output);
    if (this.#health.state === 'ok') output.connect(true);
    return output;
  }

  health(): DeviceHealth {
    return this.#health;
  }

  onHealth(listener: (health: DeviceHealth) => void): () => void {
    this.#healthListeners.add(listener);
    return () => this.#healthListeners.delete(listener);
  }

  lines(): readonly LineReport[] {
    return [...this.#inputs.values(), ...this.#outputs.values()].map((line) => line.lineReport());
  }

  /** Makes something fail until it is cleared. @throws GateError `DEVICE_LINE_INVALID` */
  inject(fault: SimFault): void {
    switch (fault.kind) {
      case 'lost':
        this.#setLost(true);
        return;
      case 'late':
        for (const [name, input] of this.#inputs) if (fault.line === undefined || fault.line === name) input.lateMs = fault.lateMs;
        return;
      case 'output-fails':
      case 'output-dead': {
        const output = this.#outputs.get(fault.line);
        if (output === undefined) throw this.#unknownLine(fault.line);
        output.fail(fault.kind);
        return;
      }
      default: {
        this.#detector(fault.line).setFault(fault.kind);
      }
    }
  }

  /** Repairs one line, or everything. */
  repair(line?: string): void {
    if (line === undefined) this.#setLost(false);
    for (const [name, input] of this.#inputs) {
      if (line !== undefined && line !== name) continue;
      input.lateMs = 0;
      this.#detector(name).setFault(undefined);
    }
    for (const [name, output] of this.#outputs) if (line === undefined || line === name) output.fail(undefined);
  }

  #setLost(lost: boolean): void {
    if (this.#lost === lost) return;
    this.#lost = lost;
    if (this.#health.state === 'stopped') return;
    for (const lane of this.#world.lanes.values()) lane.setHardwareFailing(this.id, lost, this.#world.nowMs);
    for (const output of this.#outputs.values()) output.connect(!lost);
    for (const input of this.#inputs.values()) input.connect(!lost);
    this.#setHealth(lost ? lostHealth : { state: 'ok' });
  }

  #setHealth(health: DeviceHealth): void {
    this.#health = health;
    for (const listener of this.#healthListeners) listener(health);
  }

  #locate(name: string): { readonly lane: SimLane; readonly part: string } {
    const dot = name.lastIndexOf('.');
    const lane = this.#world.lanes.get(name.slice(0, Math.max(0, dot)));
    if (lane === undefined) throw this.#unknownLine(name);
    return { lane, part: name.slice(dot + 1) };
  }

  #detector(name: string): Detector {
    const { lane, part } = this.#locate(name);
    const sensor = sensorNames.find((candidate) => candidate === part);
    if (sensor === undefined) throw this.#unknownLine(name);
    return lane.sensors[sensor];
  }

  #unknownLine(name: string): GateError {
    return new GateError(
      'DEVICE_LINE_INVALID',
      `the simulated device "${this.id}" has no line "${name}"; write LANE.${sensorNames.join('|')} for an input or LANE.${Object.keys(outputNames).join('|')} for an output, with LANE one of ${[...this.#world.lanes.keys()].join(', ')}`,
      { device: this.id, line: name },
    );
  }
}

const lostHealth: DeviceHealth = { state: 'lost', detail: 'the simulated bus does not answer; repair it' };

function isSafety(sensor: SimSensor): boolean {
  return sensor === 'closing' || sensor === 'beam';
}

class SimInput implements DigitalInput {
  readonly ref: LineRef;
  readonly #detector: Detector;
  readonly #safety: boolean;
  readonly #world: World;
  readonly #clock: Clock;
  readonly #listeners = new Set<(change: SignalChange) => void>();
  #connected = false;
  #state: SignalState = 'unknown';
  #pending: Timer[] = [];
  #sinceMs: number | null = null;
  #changes = 0;
  lateMs = 0;

  constructor(ref: LineRef, detector: Detector, safety: boolean, world: World, clock: Clock) {
    this.ref = ref;
    this.#detector = detector;
    this.#safety = safety;
    this.#world = world;
    this.#clock = clock;
    // Simulated wires follow the configured polarity, so `activeLow` changes nothing here.
    detector.onReport((state) => this.#reported(state));
  }

  state(): SignalState {
    return this.#state;
  }

  onChange(listener: (change: SignalChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  lineReport(): LineReport {
    const raw = this.#state === 'on' ? '1' : this.#state === 'off' ? '0' : null;
    return { ref: this.ref, use: 'input', state: this.#state, raw, sinceMs: this.#sinceMs, changes: this.#changes };
  }

  connect(connected: boolean): void {
    this.#connected = connected;
    for (const timer of this.#pending) timer.cancel();
    this.#pending = [];
    this.#tell(connected ? this.#detector.reported : 'unknown');
  }

  #reported(state: SignalState): void {
    if (!this.#connected) return;
    if (this.lateMs <= 0 && this.#pending.length === 0) {
      this.#tell(state);
      return;
    }
    const timer = this.#clock.after(this.lateMs, () => {
      this.#pending = this.#pending.filter((other) => other !== timer);
      this.#tell(state);
    });
    this.#pending.push(timer);
  }

  #tell(state: SignalState): void {
    if (state === this.#state) return;
    if (this.#sinceMs !== null) this.#changes += 1;
    this.#sinceMs = this.#clock.monoMs();
    this.#state = state;
    if (this.#safety) this.#detector.tellSeen(state, this.#world.nowMs);
    for (const listener of this.#listeners) listener({ state, atMs: this.#clock.monoMs() });
  }
}

class SimOutput implements DigitalOutput {
  readonly ref: LineRef;
  readonly timesPulses: boolean;
  readonly #lane: SimLane;
  readonly #contact: ContactName;
  readonly #world: World;
  readonly #clock: Clock;
  readonly #device: string;
  #started = false;
  #connected = false;
  #failure: 'output-fails' | 'output-dead' | undefined;
  #pulse: Timer | undefined;
  #energised = false;
  #sinceMs: number | null = null;
  #changes = 0;

  constructor(ref: LineRef, timesPulses: boolean, lane: SimLane, contact: ContactName, world: World, clock: Clock, device: string) {
    this.ref = ref;
    this.timesPulses = timesPulses;
    this.#lane = lane;
    this.#contact = contact;
    this.#world = world;
    this.#clock = clock;
    this.#device = device;
  }

  pulse(durationMs: number): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#set(true);
    this.#pulse?.cancel();
    this.#pulse = this.#clock.after(durationMs, () => {
      this.#pulse = undefined;
      this.#set(false);
    });
    return Promise.resolve();
  }

  hold(): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#pulse?.cancel();
    this.#pulse = undefined;
    this.#set(true);
    return Promise.resolve();
  }

  release(): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#release();
    return Promise.resolve();
  }

  state(): SignalState {
    if (!this.#connected) return 'unknown';
    return this.#energised ? 'on' : 'off';
  }

  lineReport(): LineReport {
    const state = this.state();
    return { ref: this.ref, use: 'output', state, raw: state === 'unknown' ? null : this.#energised ? '1' : '0', sinceMs: this.#sinceMs, changes: this.#changes };
  }

  connect(connected: boolean): void {
    this.#connected = connected;
    if (connected) this.#started = true;
  }

  close(): void {
    if (this.#connected) this.#release();
    this.#connected = false;
    this.#started = false;
  }

  fail(failure: 'output-fails' | 'output-dead' | undefined): void {
    this.#failure = failure;
    this.#lane.setHardwareFailing(this.#contact, failure !== undefined, this.#world.nowMs);
  }

  #release(): void {
    this.#pulse?.cancel();
    this.#pulse = undefined;
    this.#set(false);
  }

  #set(energised: boolean): void {
    if (energised !== this.#energised) {
      this.#changes += 1;
      this.#sinceMs = this.#clock.monoMs();
    }
    this.#energised = energised;
    if (this.#failure === 'output-dead' && energised) return;
    this.#lane.setContact(this.#contact, energised, this.#world.nowMs);
  }

  #refusal(): GateError | undefined {
    const line = String(this.ref.line);
    if (!this.#connected) {
      const why = this.#started ? 'its bus does not answer' : 'it has not been started';
      return new GateError('DEVICE_LOST', `the simulated output "${line}" cannot be driven: ${why}`, { device: this.#device, line });
    }
    if (this.#failure === 'output-fails') {
      return new GateError('DEVICE_TIMEOUT', `the simulated output "${line}" did not take the order in time`, { device: this.#device, line });
    }
    return undefined;
  }
}
