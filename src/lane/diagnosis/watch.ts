import type { Clock, LaneId, Timer } from '../../base/index.js';
import type { DigitalInput } from '../../device/index.js';
import type { SensorName } from '../types.js';
import { diagnose, initialDiagnosis, type DiagnosisState } from './reduce.js';
import type { DiagnosisSettings } from './settings.js';
import { LOOPS, type DiagnosisInput, type Finding, type FindingChange, type LaneSign } from './types.js';

const TICK_MS = 1_000;
/** Slow against a vehicle, fast against the ground's warmth; a detector on a bus has other things to answer. */
const FREQUENCY_TICKS = 5;

/** The diagnosis as one lane sees it. */
export interface LaneDiagnosisPort {
  /** Tells of something that happened; never throws into the lane. */
  tell(sign: LaneSign): void;
  /** What is wrong now, the oldest first. */
  findings(): readonly Finding[];
}

export interface DiagnosisWatchOptions {
  readonly clock: Clock;
  readonly lanes: readonly { readonly settings: DiagnosisSettings; readonly inputs: Readonly<Partial<Record<SensorName, DigitalInput>>> }[];
  /** Called for each finding raised or cleared. */
  readonly onChange: (change: FindingChange) => void;
}

/** Keeps the diagnosis of a gate: its time, the frequencies of its loops, and who is told of findings. */
export class DiagnosisWatch {
  readonly #options: DiagnosisWatchOptions;
  #state: DiagnosisState;
  #timer: Timer | null = null;
  #ticks = 0;

  constructor(options: DiagnosisWatchOptions) {
    this.#options = options;
    this.#state = this.#fresh();
  }

  /** Begins anew, with nothing known. */
  start(): void {
    if (this.#timer !== null) return;
    this.#state = this.#fresh();
    this.#arm();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  /** The port for a lane's runner. A lane this watch was not given finds nothing. */
  lane(lane: LaneId): LaneDiagnosisPort {
    return { tell: (sign) => this.#absorb({ kind: 'lane', lane, sign }), findings: () => this.#state.lanes[lane]?.findings ?? [] };
  }

  #fresh(): DiagnosisState {
    return initialDiagnosis(this.#options.lanes.map(({ settings }) => settings), this.#options.clock.monoMs());
  }

  #arm(): void {
    this.#timer = this.#options.clock.after(TICK_MS, () => {
      this.#arm();
      this.#ticks += 1;
      if (this.#ticks % FREQUENCY_TICKS === 0) this.#readFrequencies();
      this.#absorb({ kind: 'tick' });
    });
  }

  #readFrequencies(): void {
    for (const { settings, inputs } of this.#options.lanes) {
      for (const loop of LOOPS) {
        const line = inputs[loop];
        if (line?.frequencyHz === undefined) continue;
        this.#absorb({ kind: 'lane', lane: settings.lane, sign: { kind: 'frequency', loop, hz: line.frequencyHz() ?? null } });
      }
    }
  }

  #absorb(input: DiagnosisInput): void {
    const { state, changes } = diagnose(this.#state, input, this.#options.clock.monoMs());
    this.#state = state;
    for (const change of changes) this.#options.onChange(change);
  }
}
