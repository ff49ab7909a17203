import type { LaneId, SignalState } from '../../base/index.js';
import type { BoomState, SensorName, TrackInput } from '../types.js';

export type LoopName = 'approach' | 'closing';

export const LOOPS: readonly LoopName[] = ['approach', 'closing'];

/**
 * What a technician is called for before a driver notices.
 * `loop-stuck-on`: occupied and nothing explains it. `loop-stuck-off`, `beam-stuck-off`: vehicles pass and it stays silent.
 * `loop-flutter`, `beam-flutter`, `contact-flutter`: changes too short or too many for vehicles, booms and hands.
 * `loop-crosstalk`: two loops trip together. `loop-disturbed-by-boom`: the arm trips a loop. `loop-vision-disagree`: loop and
 * camera tell of different vehicles. `loop-drift`: the oscillator's frequency has wandered, jumped or is out of range.
 * `beam-stuck-on`: interrupted over an empty loop. `button-stuck-on`: pressed for minutes. `limits-both-on`: both switches
 * on. `limit-never-reached`: whole runs go by without it. `input-unsteady`: a line keeps becoming unreadable.
 */
export type FindingCode =
  | 'loop-stuck-on'
  | 'loop-stuck-off'
  | 'loop-flutter'
  | 'loop-crosstalk'
  | 'loop-disturbed-by-boom'
  | 'loop-vision-disagree'
  | 'loop-drift'
  | 'beam-stuck-on'
  | 'beam-stuck-off'
  | 'beam-flutter'
  | 'contact-flutter'
  | 'button-stuck-on'
  | 'limits-both-on'
  | 'limit-never-reached'
  | 'input-unsteady';

/** What was measured, by name; units are in the names. */
export type FindingFacts = Readonly<Record<string, string | number | boolean>>;

/** What is wrong, as far as it can be told now. */
export interface Evidence {
  readonly code: FindingCode;
  readonly sensors: readonly SensorName[];
  readonly facts: FindingFacts;
}

/** A fault of the lane's sensors that is on record as raised; its facts are those of the moment it was raised. */
export interface Finding extends Evidence {
  /** Monotonic, ms. */
  readonly sinceMs: number;
}

export interface FindingChange {
  readonly lane: LaneId;
  readonly change: 'raised' | 'cleared';
  readonly finding: Finding;
}

/** What the diagnosis of one lane is told. */
export type LaneSign =
  /** `atMs`: monotonic, as the driver saw it. */
  | { readonly kind: 'sensor'; readonly sensor: SensorName; readonly state: SignalState; readonly atMs: number }
  | { readonly kind: 'boom'; readonly boom: BoomState }
  | { readonly kind: 'track'; readonly report: TrackInput }
  | { readonly kind: 'vision'; readonly available: boolean }
  /** null: the detector reports none, or could not be asked. */
  | { readonly kind: 'frequency'; readonly loop: LoopName; readonly hz: number | null };

export type DiagnosisInput = { readonly kind: 'lane'; readonly lane: LaneId; readonly sign: LaneSign } | { readonly kind: 'tick' };
