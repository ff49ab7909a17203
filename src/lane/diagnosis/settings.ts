import type { LaneSettings } from '../settings.js';

/** From when on a sign is a finding; the defaults, with their grounds, are those of the configuration's schema. */
export interface DiagnosisThresholds {
  /** An approach loop occupied for so long with nothing there to explain it. */
  readonly approachStuckMs: number;
  /** The same of the closing loop, which keeps the boom up. */
  readonly closingStuckMs: number;
  /** A loop occupied for so long is a finding even where nothing speaks against a vehicle. */
  readonly unexplainedStuckMs: number;
  /** Vehicles in a row that a loop or beam missed. */
  readonly missedVehicles: number;
  /** A loop occupied for less was not tripped by a vehicle. */
  readonly shortPulseMs: number;
  /** Such changes in one minute. */
  readonly flutterPerMinute: number;
  /** Loops that trip within so short a time of each other count as tripped together. */
  readonly crosstalkWindowMs: number;
  /** Trips together beyond those that chance explains. */
  readonly crosstalkTimes: number;
  /** Of the last six movements of the boom, so many that tripped a loop over which no vehicle can have been. */
  readonly disturbedMovements: number;
  /** Of the last eight vehicles the camera saw at the line, so many that the loop did not feel. */
  readonly visionDisagreements: number;
  /** Width of a plate at the line, in parts of the picture, until the lane has learned it. */
  readonly nearPlateWidth: number;
  /** Change of a loop's resting frequency within a day. */
  readonly driftPercent: number;
  /** Change of a loop's frequency at once: more than any vehicle makes. */
  readonly jumpPercent: number;
  readonly minFrequencyHz: number;
  readonly maxFrequencyHz: number;
  /** Times in an hour that a line was lost or reported a fault. */
  readonly faultsPerHour: number;
  /** Flutter and lost lines are over after so long without another. */
  readonly quietMs: number;
}

export type DiagnosisSettings = DiagnosisThresholds & Pick<LaneSettings, 'lane' | 'sensors' | 'openTimeMs' | 'closeTimeMs'>;

/** Settings of a lane's diagnosis: how the lane is wired, and the thresholds of its configuration. */
export function diagnosisSettings({ lane, sensors, openTimeMs, closeTimeMs }: LaneSettings, thresholds: DiagnosisThresholds): DiagnosisSettings {
  return { ...thresholds, lane, sensors, openTimeMs, closeTimeMs };
}
