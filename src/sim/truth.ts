import type { LaneId } from '../base/index.js';
import type { SimPlate } from './plates.js';
import type { Intention, TruthTag, VehicleKind } from './vehicle.js';

/** What became of a vehicle, as the world saw it. */
export type TrueEnd = 'through' | 'backed-out' | 'wrong-way' | 'crossed';

/** One vehicle's stay in a lane, seen from above; times in the world's milliseconds (the clock's, once it runs by one). */
export interface TruePassage {
  readonly lane: LaneId;
  readonly direction: 'entry' | 'exit';
  readonly vehicle: string;
  readonly kind: VehicleKind;
  readonly tag: TruthTag;
  readonly intention: Intention['kind'];
  /** What the camera could see; undefined for a vehicle without a plate at that end. */
  readonly plate: SimPlate | undefined;
  readonly end: TrueEnd;
  /** It broke through the arm. */
  readonly rammed: boolean;
  readonly touchedApproach: boolean;
  readonly touchedClosing: boolean;
  /** It had to make room for another, so that what it did was not its own intention. */
  readonly disturbed: boolean;
  /** It came under the arm before the loop there had let go of the vehicle ahead: to the wires the two are one. */
  readonly merged: boolean;
  /** When its front came over the approach loop (over the closing loop if it never did). */
  readonly arrivedAtMs: number | undefined;
  readonly endedAtMs: number;
}

/**
 * A downward movement of the arm, made by the gateway, that endangered somebody. `contact`: the arm came down on a body.
 * `kept-closing`: a body was under the arm and the gateway had been told for longer than it needs to reverse.
 * `started-down`: the run was begun over a body that the gateway had been told of.
 * An excuse says why the gateway could not have known or acted: every detector was blind, the hardware did not obey or the
 * gateway's processor stood still, or the vehicle drove in under a falling arm faster than it can be reversed.
 */
export interface UnsafeMovement {
  readonly lane: LaneId;
  readonly kind: 'contact' | 'kept-closing' | 'started-down';
  readonly atMs: number;
  readonly vehicle: string;
  readonly boomPosition: number;
  readonly excuse?: 'blind' | 'hardware' | 'vehicle';
}

/** A broken law of design.md §3 that needs no body to be broken. */
export interface LawBroken {
  readonly lane: LaneId;
  /**
   * S1: ran down while a safety sensor said occupied, unknown or fault. S2: both contacts on. S3: energised too long.
   * lamp: green and red together, or green before an arm that is not going up.
   */
  readonly law: 'S1' | 'S2' | 'S3' | 'lamp';
  readonly atMs: number;
  readonly detail: string;
}

export type HappeningKind =
  | 'arrives'
  | 'honks'
  | 'passes'
  | 'backs-out'
  | 'hesitates'
  | 'stops-under'
  | 'shunts'
  | 'slips-through'
  | 'rams'
  | 'crosses'
  | 'comes-wrong-way'
  | 'walks-under'
  | 'boom-struck';

/** Something a bystander would have noticed. */
export interface Happening {
  readonly kind: HappeningKind;
  readonly lane: LaneId;
  readonly direction: 'entry' | 'exit';
  readonly atMs: number;
  readonly vehicle?: { readonly id: string; readonly kind: VehicleKind; readonly tag: TruthTag; readonly plate: SimPlate | undefined };
}
