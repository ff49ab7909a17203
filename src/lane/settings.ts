import type { LaneId } from '../base/index.js';
import type { OutputName, SensorName } from './types.js';

/** Times of a lane that a site seldom changes; each has a default in `DEFAULT_TIMINGS`. */
export interface LaneTimings {
  /** Longest a movement waits for its record to be durable (S9). */
  readonly recordWaitMs: number;
  /** A vehicle between the loops, on neither, is looked for on the closing loop this long (short vehicles, loops far apart). */
  readonly gapMs: number;
  /** Added to the run time before a boom without limit switches is believed at rest: it may still be falling. */
  readonly settleMs: number;
  /** A vehicle under the boom, or cleared and not moving, calls a person after this. */
  readonly stalledMs: number;
  /** The approach loop is taken for stuck after this; never used on the closing loop (domain.md §1). */
  readonly presenceLimitMs: number;
  /** A plate that left the picture still counts for the vehicle that trips the loop within this. */
  readonly warmTrackMs: number;
  /** An early decision is asked again after this: lists and quotas move on. */
  readonly warmDecisionMs: number;
  /** A plate that has just passed is not given to the next vehicle for this long. */
  readonly samePlateQuietMs: number;
  /** A decision that is not answered within this counts as failed. */
  readonly decisionWaitMs: number;
  /** Between tries of an output that did not answer. */
  readonly retryMs: number;
  /** A hold-to-open board sees a new edge of its open contact after this: relays drop out in 10 ms, boards filter up to 50 ms (unsourced). */
  readonly newEdgeMs: number;
  /** A run that took this much longer than configured, times itself, calls for the mechanic. */
  readonly slowRun: number;
  /** Share of the run time before which the closed limit of a falling boom is not believed: motors run faster than configured, switches stick. */
  readonly soonestDown: number;
  /** Inputs that cannot be read at start are known faulty after this (S5). */
  readonly inputsReadMs: number;
}

export const DEFAULT_TIMINGS: LaneTimings = {
  recordWaitMs: 150,
  gapMs: 4_000,
  settleMs: 500,
  stalledMs: 60_000,
  presenceLimitMs: 300_000,
  warmTrackMs: 3_000,
  warmDecisionMs: 10_000,
  samePlateQuietMs: 10_000,
  decisionWaitMs: 2_000,
  retryMs: 500,
  newEdgeMs: 100,
  slowRun: 1.5,
  soonestDown: 0.7,
  inputsReadMs: 2_000,
};

export type ClosingSide = 'gateway-closes' | 'barrier-closes';

/** `pulse`: a contact's edge starts a run. `hold-to-open`: the open contact stays on as long as the boom shall be up. */
export type BarrierDrive = 'pulse' | 'hold-to-open';

/**
 * Loop logic of the closing. 0: the boom belongs to the vehicle it opened for. 1 to 4 after HySecurity's detector logic
 * (StrongArm manual, "Anti-Tailgate Mode"): 1 any occupied loop holds open and restarts the delay; 2 the timer runs from the
 * open position; 3 no delay once both loops were occupied together and are clear; 4 as 3, and a rise is stopped when a
 * second vehicle follows.
 */
export type AntiTailgate = 0 | 1 | 2 | 3 | 4;

/** What the boom does when something fails; the words are those of the configuration's schema. */
export interface FailState {
  readonly powerUp: 'close' | 'stay' | 'open';
  readonly softwareDeath: 'release' | 'open';
  readonly inputsLost: 'stay' | 'open';
  readonly relayLost: 'release' | 'open';
}

/** The safest that every barrier can do. */
export const DEFAULT_FAIL_STATE: FailState = { powerUp: 'close', softwareDeath: 'release', inputsLost: 'stay', relayLost: 'release' };

/** Run times measured at the limit switches, ms; null where none was measured. */
export interface LearnedRunTimes {
  readonly openMs: number | null;
  readonly closeMs: number | null;
}

/** All the lane knows of its site; the fields' meanings are those of the configuration's schema. */
export interface LaneSettings extends LaneTimings {
  readonly lane: LaneId;
  readonly name: string;
  readonly direction: 'entry' | 'exit';
  readonly closing: ClosingSide;
  readonly drive: BarrierDrive;
  readonly antiTailgate: AntiTailgate;
  readonly failState: FailState;
  readonly learnRunTimes: boolean;
  /** Inputs that are wired. */
  readonly sensors: readonly SensorName[];
  /** Outputs that are wired; `open` always is. */
  readonly outputs: readonly OutputName[];
  readonly pulseMs: number;
  readonly deadTimeMs: number;
  readonly openTimeMs: number;
  readonly closeTimeMs: number;
  readonly runWatchdogMs: number;
  readonly closeDelayMs: number;
  readonly autoCloseMs: number;
  readonly readTimeoutMs: number;
  readonly earlyDecision: boolean;
}

/** The shape of one lane of the configuration, as far as the lane cares; a `LaneConfig` fits it. */
export interface LaneSettingsSource {
  readonly id: LaneId;
  readonly name: string;
  readonly direction: 'entry' | 'exit';
  readonly barrier: {
    readonly closing: ClosingSide;
    readonly drive?: BarrierDrive;
    readonly antiTailgate?: AntiTailgate;
    readonly failState?: FailState;
    readonly learnRunTimes?: boolean;
    readonly close?: unknown;
    readonly stop?: unknown;
    readonly greenLight?: unknown;
    readonly redLight?: unknown;
    readonly pulseMs: number;
    readonly deadTimeMs: number;
    readonly openTimeMs: number;
    readonly closeTimeMs: number;
    readonly runWatchdogMs: number;
    readonly closeDelayMs: number;
    readonly autoCloseMs: number;
  };
  readonly inputs: Readonly<Partial<Record<SensorName, unknown>>>;
  readonly readTimeoutMs: number;
  readonly earlyDecision: boolean;
}

const OPTIONAL_OUTPUTS = ['close', 'stop', 'greenLight', 'redLight'] as const;
const SENSORS: readonly SensorName[] = ['approach', 'closing', 'beam', 'openLimit', 'closedLimit', 'fire', 'stop', 'button'];

/**
 * Settings of a lane from its configuration. An optional line counts as wired when it is present.
 * @param timings overrides of `DEFAULT_TIMINGS`
 */
export function laneSettings(source: LaneSettingsSource, timings: Partial<LaneTimings> = {}): LaneSettings {
  const { barrier } = source;
  const outputs: readonly OutputName[] = ['open', ...OPTIONAL_OUTPUTS.filter((output) => barrier[output] !== undefined)];
  return {
    ...DEFAULT_TIMINGS,
    ...timings,
    lane: source.id,
    name: source.name,
    direction: source.direction,
    closing: barrier.closing,
    drive: barrier.drive ?? 'pulse',
    antiTailgate: barrier.antiTailgate ?? 0,
    failState: barrier.failState ?? DEFAULT_FAIL_STATE,
    learnRunTimes: barrier.learnRunTimes ?? true,
    sensors: SENSORS.filter((sensor) => source.inputs[sensor] !== undefined),
    outputs,
    pulseMs: barrier.pulseMs,
    deadTimeMs: barrier.deadTimeMs,
    openTimeMs: barrier.openTimeMs,
    closeTimeMs: barrier.closeTimeMs,
    runWatchdogMs: barrier.runWatchdogMs,
    closeDelayMs: barrier.closeDelayMs,
    autoCloseMs: barrier.autoCloseMs,
    readTimeoutMs: source.readTimeoutMs,
    earlyDecision: source.earlyDecision,
  };
}
