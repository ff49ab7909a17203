import { GateError, type Clock, type SignalState, type Timer } from '../base/index.js';
import type { Device, DeviceHealth, DigitalInput, DigitalOutput, LineRef, LineReport, SignalChange } from '../device/index.js';
import type { ContactName } from './boom.js';
import type { Detector, DetectorFault } from './detector.js';
import { sensorNames, type LampName, type SimLane, type SimSensor } from './lane.js';
import type { World } from './world.js';

type Part = ContactName | LampName;
const outputNames: Readonly<Record<string, Part>> = { open: 'open', close: 'close', stopRelay: 'stop', greenLight: 'greenLight', redLight: 'redLight' };

/**
 * Ways this device and its wiring fail. With `line` one line (`entry.closing`), without it the whole device.
 * - detector faults: the line itself lies or reports trouble; inputs only
 * - `lost`: the bus does not answer: inputs unknown, orders rejected (`DEVICE_LOST`), a running pulse ends only where the
 *   hardware times it
 * - `relay-lost`: the board of the outputs has no power: every contact falls off, orders are rejected (`DEVICE_LOST`)
 * - `late`: changes of inputs arrive `lateMs` later
 * - `edges-lost`: changes of inputs do not arrive by themselves; the level is read again every `refreshMs`
 * - `output-fails`: orders to an output are rejected (`DEVICE_TIMEOUT`)
 * - `output-dead`: orders are taken but the contact does not close
 * - `welded`: orders are taken, but a contact that is on, or comes on, stays on
 */
export type SimFault =
  | { readonly kind: DetectorFault; readonly line: string }
  | { readonly kind: 'lost' | 'relay-lost' }
  | { readonly kind: 'late'; readonly line?: string; readonly lateMs: number }
  | { readonly kind: 'edges-lost'; readonly line: string; readonly refreshMs: number }
  | { readonly kind: OutputFailure; readonly line: string };
type OutputFailure = 'output-fails' | 'output-dead' | 'welded';

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
  #relayLost = false;

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
    for (const output of this.#outputs.values()) output.connect(!this.#lost && !this.#relayLost);
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
    const input = isLoop(sensor)
      ? new SimLoop(ref, lane, sensor, this.#world, this.#clock)
      : new SimInput(ref, lane.sensors[sensor], sensor === 'beam', this.#world, this.#clock);
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
    if (this.#health.state === 'ok' && !this.#relayLost) output.connect(true);
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
      case 'relay-lost':
        this.#setRelayLost(true);
        return;
      case 'edges-lost': {
        const input = this.#inputs.get(fault.line);
        if (input === undefined) throw this.#unknownLine(fault.line);
        input.loseEdges(fault.refreshMs);
        return;
      }
      case 'late':
        for (const [name, input] of this.#inputs) if (fault.line === undefined || fault.line === name) input.lateMs = fault.lateMs;
        return;
      case 'output-fails':
      case 'output-dead':
      case 'welded': {
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

  /** The bus answers again, or the board of the outputs has power again. */
  reconnect(what: 'lost' | 'relay-lost'): void {
    if (what === 'lost') this.#setLost(false);
    else this.#setRelayLost(false);
  }

  /** Repairs one line, or everything. */
  repair(line?: string): void {
    if (line === undefined) {
      this.reconnect('relay-lost');
      this.reconnect('lost');
    }
    for (const [name, input] of this.#inputs) {
      if (line !== undefined && line !== name) continue;
      input.lateMs = 0;
      input.loseEdges(undefined);
      this.#detector(name).setFault(undefined);
    }
    for (const [name, output] of this.#outputs) if (line === undefined || line === name) output.fail(undefined);
  }

  /**
   * The gateway's event loop stands still: changes are not told, and pulses that the driver times are not ended. Afterwards
   * the timers come first and then what the lines said, as in Node's event loop.
   */
  freeze(frozen: boolean): void {
    for (const lane of this.#world.lanes.values()) lane.setHardwareFailing('gateway', frozen, this.#world.nowMs);
    for (const output of this.#outputs.values()) output.freeze(frozen);
    for (const input of this.#inputs.values()) input.freeze(frozen);
  }

  /**
   * The gateway's process has died: nobody times its pulses any more, and its contacts stay as they are until somebody
   * opens the device anew; `stop` is what a supervisor does from outside.
   */
  die(): void {
    for (const lane of this.#world.lanes.values()) lane.setHardwareFailing('gateway', true, this.#world.nowMs);
    for (const output of this.#outputs.values()) output.die();
  }

  #setRelayLost(lost: boolean): void {
    if (this.#relayLost === lost) return;
    this.#relayLost = lost;
    for (const lane of this.#world.lanes.values()) lane.setHardwareFailing('bus', lost || this.#lost, this.#world.nowMs);
    for (const output of this.#outputs.values()) {
      if (lost) output.losePower();
      if (this.#health.state === 'ok') output.connect(!lost);
    }
    if (this.#health.state === 'ok') this.#setHealth(lost ? { state: 'ok', detail: 'the board of the outputs has no power; repair it' } : { state: 'ok' });
  }

  #setLost(lost: boolean): void {
    if (this.#lost === lost) return;
    this.#lost = lost;
    if (this.#health.state === 'stopped') return;
    for (const lane of this.#world.lanes.values()) lane.setHardwareFailing('bus', lost || this.#relayLost, this.#world.nowMs);
    for (const output of this.#outputs.values()) output.connect(!lost && !this.#relayLost);
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

function isLoop(sensor: SimSensor): sensor is 'approach' | 'closing' {
  return sensor === 'approach' || sensor === 'closing';
}

function isLamp(part: Part): part is LampName {
  return part === 'greenLight' || part === 'redLight';
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
  #frozen = false;
  #edgesLost: Timer | undefined;
  #arrivesMs = 0;
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

  /** Whether the line can be read now. */
  protected get readable(): boolean {
    return this.#connected && (this.#state === 'on' || this.#state === 'off');
  }

  /** Changes do not arrive, only the level at every refresh; ends with `undefined`. */
  loseEdges(refreshMs: number | undefined): void {
    const losing = this.#edgesLost !== undefined;
    this.#edgesLost?.cancel();
    this.#edgesLost = undefined;
    if (refreshMs === undefined) {
      if (losing) this.#reread();
      return;
    }
    const refresh = (): void => {
      this.#edgesLost = this.#clock.after(refreshMs, refresh);
      this.#reread();
    };
    this.#edgesLost = this.#clock.after(refreshMs, refresh);
  }

  freeze(frozen: boolean): void {
    this.#frozen = frozen;
    if (!frozen) this.#reread();
  }

  #reread(): void {
    if (this.#connected) this.#tell(this.#detector.reported);
  }

  #reported(state: SignalState): void {
    if (!this.#connected || this.#edgesLost !== undefined) return;
    if (this.lateMs <= 0 && this.#pending.length === 0) {
      this.#tell(state);
      return;
    }
    // A bus that gets faster does not let a later change overtake an earlier one.
    this.#arrivesMs = Math.max(this.#arrivesMs, this.#clock.monoMs() + this.lateMs);
    const timer = this.#clock.after(this.#arrivesMs - this.#clock.monoMs(), () => {
      this.#pending = this.#pending.filter((other) => other !== timer);
      this.#tell(state);
    });
    this.#pending.push(timer);
  }

  #tell(state: SignalState): void {
    if (state === this.#state || this.#frozen) return;
    if (this.#sinceMs !== null) this.#changes += 1;
    this.#sinceMs = this.#clock.monoMs();
    this.#state = state;
    if (this.#safety) this.#detector.tellSeen(state, this.#world.nowMs);
    for (const listener of this.#listeners) listener({ state, atMs: this.#clock.monoMs() });
  }
}

/** A loop whose detector reports the frequency of its oscillator. */
class SimLoop extends SimInput {
  readonly #lane: SimLane;
  readonly #loop: 'approach' | 'closing';

  constructor(ref: LineRef, lane: SimLane, loop: 'approach' | 'closing', world: World, clock: Clock) {
    super(ref, lane.sensors[loop], loop === 'closing', world, clock);
    this.#lane = lane;
    this.#loop = loop;
  }

  frequencyHz(): number | undefined {
    return this.readable ? this.#lane.frequencyHz(this.#loop) : undefined;
  }

  override lineReport(): LineReport {
    const frequencyHz = this.frequencyHz();
    return frequencyHz === undefined ? super.lineReport() : { ...super.lineReport(), frequencyHz };
  }
}

class SimOutput implements DigitalOutput {
  readonly ref: LineRef;
  readonly timesPulses: boolean;
  readonly #lane: SimLane;
  readonly #part: Part;
  readonly #world: World;
  readonly #clock: Clock;
  readonly #device: string;
  #started = false;
  #connected = false;
  #failure: OutputFailure | undefined;
  #frozen = false;
  #dead = false;
  #preserved = false;
  #held = false;
  /** A pulse that this driver times is over, and its end could not be ordered. */
  #overdue = false;
  #pulse: Timer | undefined;
  #energised = false;
  #sinceMs: number | null = null;
  /** The last change by the world's time. */
  #orderedMs: number | undefined;
  #changes = 0;

  constructor(ref: LineRef, timesPulses: boolean, lane: SimLane, part: Part, world: World, clock: Clock, device: string) {
    this.ref = ref;
    this.timesPulses = timesPulses;
    this.#lane = lane;
    this.#part = part;
    this.#world = world;
    this.#clock = clock;
    this.#device = device;
  }

  pulse(durationMs: number): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#set(true);
    this.#pulse?.cancel();
    this.#overdue = false;
    if (this.#held) return Promise.resolve();
    this.#pulse = this.#clock.after(durationMs, () => this.#endPulse());
    return Promise.resolve();
  }

  hold(): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#pulse?.cancel();
    this.#pulse = undefined;
    this.#overdue = false;
    this.#held = true;
    this.#set(true);
    return Promise.resolve();
  }

  release(): Promise<void> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    this.#release();
    return Promise.resolve();
  }

  preserve(): void {
    this.#preserved = true;
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
    if (!connected) return;
    this.#started = true;
    this.#endOverdue();
  }

  close(): void {
    this.#dead = false;
    // A hold that is to outlive the program stays, and is found at the next start.
    const left = this.#preserved && this.#held;
    if (!left && this.#refusal() === undefined) this.#release();
    else if (!left) this.#overdue = this.#energised;
    this.#connected = false;
    this.#started = false;
  }

  fail(failure: OutputFailure | undefined): void {
    const before = this.#failure;
    this.#failure = failure;
    this.#lane.setHardwareFailing(this.#part, failure !== undefined, this.#world.nowMs);
    if (before === undefined || failure !== undefined) return;
    // A welded contact lets go when it is exchanged; a dead one closes when its wire is mended.
    this.#put(this.#energised);
    this.#endOverdue();
  }

  freeze(frozen: boolean): void {
    this.#frozen = frozen;
    if (!frozen) this.#endOverdue();
  }

  die(): void {
    this.#dead = true;
    if (!this.timesPulses) {
      this.#pulse?.cancel();
      this.#pulse = undefined;
    }
  }

  losePower(): void {
    this.#release();
  }

  /** The board ends its own pulses whatever happens; a driver's timer needs a running gateway and a way to the contact. */
  #endPulse(): void {
    this.#pulse = undefined;
    if (this.timesPulses) this.#set(false);
    else {
      this.#overdue = true;
      this.#endOverdue();
    }
  }

  #endOverdue(): void {
    if (!this.#overdue || this.#frozen || this.#dead || this.#refusal() !== undefined) return;
    this.#release();
  }

  #release(): void {
    this.#held = false;
    this.#overdue = false;
    this.#pulse?.cancel();
    this.#pulse = undefined;
    this.#set(false);
  }

  #set(energised: boolean): void {
    if (energised !== this.#energised) {
      this.#changes += 1;
      this.#sinceMs = this.#clock.monoMs();
      this.#orderedMs = this.#world.nowMs;
    }
    this.#energised = energised;
    this.#put(energised);
  }

  #put(energised: boolean): void {
    if ((this.#failure === 'output-dead' && energised) || (this.#failure === 'welded' && !energised)) return;
    if (isLamp(this.#part)) this.#lane.setLamp(this.#part, energised);
    else this.#lane.setContact(this.#part, energised, this.#world.nowMs, this.#orderedMs);
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
