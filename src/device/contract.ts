import type { SignalState } from '../base/index.js';

/** Where a line is; which fields count depends on the driver and is checked by the configuration's schema. */
export interface LineRef {
  /** Device id of the configuration. */
  readonly device: string;
  /** Offset on a GPIO chip, address on a Modbus unit, or the name of a simulated line. */
  readonly line: number | string;
  /** GPIO chip label, e.g. `pinctrl-rp1`. */
  readonly chip?: string | undefined;
  /** Modbus unit (slave address) on the bus. */
  readonly unit?: number | undefined;
  /** Modbus table the line lives in. */
  readonly table?: 'coil' | 'discrete' | 'holding' | 'input' | undefined;
  /** Bit of a Modbus register, 0 the lowest. */
  readonly bit?: number | undefined;
  /** Values of a Modbus register that mean on; all others mean off. */
  readonly equals?: readonly number[] | undefined;
  /** Values of a Modbus register that mean fault. */
  readonly faultValues?: readonly number[] | undefined;
  /** Values written to a holding register that drives an output, and read back where they differ. */
  readonly write?: RegisterWrite | undefined;
  /** Where a detector on Modbus tells the frequency of this loop. */
  readonly frequency?: FrequencyRef | undefined;
  /** Pull resistor of a GPIO input. */
  readonly pull?: 'up' | 'down' | 'off' | undefined;
  readonly activeLow?: boolean | undefined;
  readonly debounceMs?: number | undefined;
}

export interface RegisterWrite {
  readonly on: number;
  readonly off: number;
  readonly readOn?: number | undefined;
  readonly readOff?: number | undefined;
}

/** One or two registers that hold a frequency, the high word first where nothing else is said. */
export interface FrequencyRef {
  readonly table: 'holding' | 'input';
  readonly line: number;
  readonly words?: 1 | 2 | undefined;
  readonly lowWordFirst?: boolean | undefined;
  /** Hertz of one step. */
  readonly scaleHz?: number | undefined;
}

export interface SignalChange {
  readonly state: SignalState;
  /** Monotonic time at which the driver saw it, ms. */
  readonly atMs: number;
}

/** One wired input: loop relay, beam, limit switch, button, dry contact. */
export interface DigitalInput {
  readonly ref: LineRef;
  /** Last known state; `unknown` before the first read and whenever the line cannot be read. */
  state(): SignalState;
  /** Calls back on every change of state, never for the state it already has. Returns the way to stop. */
  onChange(listener: (change: SignalChange) => void): () => void;
  /** Frequency of a loop's oscillator, Hz, where its detector reports one; undefined where not, or not read yet. */
  frequencyHz?(): number | undefined;
}

/** One claimed line as a technician looks at it. */
export interface LineReport {
  readonly ref: LineRef;
  readonly use: 'input' | 'output';
  readonly state: SignalState;
  /** What the hardware says, before `activeLow`, debouncing and meaning: `0`, `1`, `0x0013`; null where it was not read. */
  readonly raw: string | null;
  /** When the state last changed, monotonic, ms; null before the first reading. */
  readonly sinceMs: number | null;
  /** Changes between on and off since the start. */
  readonly changes: number;
  readonly frequencyHz?: number;
}

/** One unit on a shared bus. */
export interface UnitReport {
  readonly unit: number;
  readonly profile: string;
  readonly state: 'starting' | 'ok' | 'lost';
  /** What is wrong and what to do; absent where all is well. */
  readonly detail?: string;
  /** Requests that were answered, and tries that were not. */
  readonly answered: number;
  readonly failed: number;
  /** Time of the last request to its answer, ms. */
  readonly roundTripMs?: number;
}

/** Bytes that went over a serial line, for a technician who looks for a fault. */
export interface Traffic {
  /** Monotonic, ms. */
  readonly atMs: number;
  readonly direction: 'sent' | 'received';
  readonly bytes: Uint8Array;
}

/**
 * One wired output. Promises settle when the hardware has taken the order; they reject with a `GateError`
 * (`DEVICE_LOST`, `DEVICE_TIMEOUT`) when it did not.
 */
export interface DigitalOutput {
  readonly ref: LineRef;
  /** True where the hardware itself ends the pulse, so that it ends even if this process dies. */
  readonly timesPulses: boolean;
  /** Energises for `durationMs`, then releases by itself. A second pulse while one runs extends it, never stacks. */
  pulse(durationMs: number): Promise<void>;
  /** Energises until `release`; only for hold-to-open wiring and lights. */
  hold(): Promise<void>;
  /** De-energises; ends a pulse. */
  release(): Promise<void>;
  /** What the driver last read back or wrote; `unknown` when the device does not answer. */
  state(): SignalState;
  /**
   * To be called before `start`: a hold on this output outlives the process. Found energised at start it counts as held
   * until it gets an order, and a hold is left as it is by the device's `stop` and at exit. Absent where nothing outlives.
   */
  preserve?(): void;
}

export interface DeviceHealth {
  readonly state: 'starting' | 'ok' | 'lost' | 'stopped';
  /** For a technician: what is wrong and what to do. */
  readonly detail?: string;
}

/** One driver instance: a GPIO chip set, a serial bus, a simulated world. */
export interface Device {
  readonly id: string;
  /** Opens the hardware. Resolves once inputs have been read or are known to be unreadable; never moves an output. */
  start(): Promise<void>;
  /** Releases every output but the holds that are to be preserved, then the hardware. */
  stop(): Promise<void>;
  /** Lines are claimed before `start`. Throws `DEVICE_LINE_INVALID`. */
  input(ref: LineRef): DigitalInput;
  output(ref: LineRef): DigitalOutput;
  health(): DeviceHealth;
  onHealth(listener: (health: DeviceHealth) => void): () => void;
  /** Every claimed line as it is now. */
  lines(): readonly LineReport[];
  /** Units of a shared bus; absent where there is none. */
  units?(): readonly UnitReport[];
  /** Raw bytes, from the call until the returned function is called; absent where there are none. */
  onTraffic?(listener: (traffic: Traffic) => void): () => void;
}
