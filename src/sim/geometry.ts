/**
 * A lane along its axis `s` in metres: the boom stands at 0, vehicles that use the lane as meant come from negative `s`.
 * Loops lie at least 2 m apart (Nortech PD130 manual).
 */
export interface LaneGeometry {
  readonly approachLoop: readonly [number, number];
  /** Directly under the boom. */
  readonly closingLoop: readonly [number, number];
  /** Where drivers stop before a closed boom. */
  readonly stopLine: number;
  /** A body between these is under the boom's arm. */
  readonly sweep: readonly [number, number];
  /** Where vehicles come into being and, on the far side, cease to matter. */
  readonly from: number;
  readonly to: number;
  readonly laneWidth: number;
  /** Height of the arm at its pivot when closed, and how far the pivot stands outside the lane. */
  readonly pivotHeight: number;
  readonly pivotOffset: number;
}

export const defaultGeometry: LaneGeometry = {
  approachLoop: [-6, -4],
  closingLoop: [-1, 1],
  stopLine: -2,
  sweep: [-0.3, 0.3],
  from: -26,
  to: 16,
  laneWidth: 3.2,
  pivotHeight: 1,
  pivotOffset: 0.6,
};

/**
 * The least position of the boom (0 closed, 1 upright) at which its arm clears a body of this height and width driving in
 * the middle of the lane. The arm is straight and turns by 90 degrees.
 */
export function clearingPosition(geometry: LaneGeometry, heightM: number, widthM: number): number {
  const rise = heightM - geometry.pivotHeight;
  if (rise <= 0) return 0;
  const run = (geometry.laneWidth - widthM) / 2 + geometry.pivotOffset;
  return Math.atan2(rise, run) / (Math.PI / 2);
}
