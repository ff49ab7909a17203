import type { SimPlate } from './plates.js';
import type { Random } from './random.js';

export type VehicleKind = 'car' | 'suv' | 'van' | 'truck' | 'truck-trailer' | 'motorcycle' | 'ambulance';

/** Why this vehicle is here, as only the world knows. */
export type TruthTag = 'resident' | 'visitor' | 'stranger' | 'blocked' | 'emergency' | 'tailgater' | 'unplated' | 'shadow';

/**
 * What the driver means to do. Positions are of the vehicle's front along the lane, metres; times in milliseconds.
 */
export type Intention =
  /** Passes when the boom is open, waits before it otherwise. */
  | { readonly kind: 'drive' }
  /** Stops at a place although the boom is open (looks for something), then passes. */
  | { readonly kind: 'hesitate'; readonly atM: number; readonly forMs: number }
  /** Drives up to a place, thinks, and leaves backwards. */
  | { readonly kind: 'back-out'; readonly fromM: number; readonly forMs: number }
  /** Follows bumper to bumper and slips through before the boom is down. */
  | { readonly kind: 'tailgate' }
  /** Stops in the middle of the passage, under the arm. */
  | { readonly kind: 'stop-under'; readonly forMs: number }
  /** Forth and back between two places, then passes or leaves. */
  | { readonly kind: 'shunt'; readonly times: number; readonly backToM: number; readonly then: 'drive' | 'back-out' }
  /** Comes from the far side and wants through. */
  | { readonly kind: 'wrong-way' }
  /** Comes from the far side up to a place before the arm, thinks, and goes back. */
  | { readonly kind: 'peek'; readonly fromM: number; readonly forMs: number }
  /** Drives through the closed arm. */
  | { readonly kind: 'force' }
  /** Passes from side to side over a place without using the lane. */
  | { readonly kind: 'cross'; readonly atM: number; readonly forMs: number }
  /** Follows a plate seen by a real camera; moved from outside. */
  | { readonly kind: 'shadow' };

export interface VehiclePlan {
  readonly kind: VehicleKind;
  /** Undefined for a vehicle without one at the end that the camera sees. */
  readonly plate?: SimPlate | undefined;
  readonly tag: TruthTag;
  readonly intention: Intention;
  /** Speed on the free road, m/s. */
  readonly speedMps?: number;
  /** How long it waits before a closed boom until it backs out; endless where omitted. */
  readonly patienceMs?: number | undefined;
  /** Paint, `#rrggbb`. */
  readonly paint?: string;
  /** A truck that reverses in and so shows its two-row rear plate. */
  readonly rearFirst?: boolean;
  /** Distance it keeps in a queue, metres. */
  readonly queueGapM?: number;
  /** How far left or right of the lane's middle it drives, metres. */
  readonly lateralM?: number;
}

export interface Body {
  readonly lengthM: number;
  readonly widthM: number;
  readonly heightM: number;
  readonly plateHeightM: number;
  readonly accelerationMps2: number;
  readonly brakingMps2: number;
  /** Metal over a loop, as fractions of the length from the front; a drawbar is no metal to speak of. */
  readonly metal: readonly (readonly [number, number])[];
}

const whole = [[0, 1]] as const;

const bodies: Readonly<Record<VehicleKind, Body>> = {
  car: { lengthM: 4.6, widthM: 1.82, heightM: 1.47, plateHeightM: 0.5, accelerationMps2: 2.2, brakingMps2: 3.5, metal: whole },
  suv: { lengthM: 4.8, widthM: 1.92, heightM: 1.7, plateHeightM: 0.58, accelerationMps2: 2.2, brakingMps2: 3.5, metal: whole },
  van: { lengthM: 5.3, widthM: 2, heightM: 2.1, plateHeightM: 0.55, accelerationMps2: 1.8, brakingMps2: 3.2, metal: whole },
  truck: { lengthM: 7.2, widthM: 2.3, heightM: 2.9, plateHeightM: 0.62, accelerationMps2: 1.3, brakingMps2: 2.8, metal: whole },
  'truck-trailer': { lengthM: 13.5, widthM: 2.4, heightM: 3.2, plateHeightM: 0.62, accelerationMps2: 1, brakingMps2: 2.6, metal: [[0, 0.46], [0.56, 1]] },
  motorcycle: { lengthM: 2.1, widthM: 0.8, heightM: 1.5, plateHeightM: 0.6, accelerationMps2: 2.8, brakingMps2: 4, metal: whole },
  ambulance: { lengthM: 5.7, widthM: 2, heightM: 2.5, plateHeightM: 0.58, accelerationMps2: 2.2, brakingMps2: 3.4, metal: whole },
};

export function bodyOf(kind: VehicleKind): Body {
  return bodies[kind];
}

const paints: readonly [string, ...string[]] = ['#f2f3f5', '#e9eaec', '#c9ccd1', '#8d9299', '#2b2d31', '#17181b', '#7a1f24', '#21406e', '#2f5d50', '#b59a6a', '#d8d2c4', '#4b5563'];

/** A paint as the cars of an estate have them: most white, grey or black. */
export function drawPaint(random: Random): string {
  return random.pick(paints);
}

/** One vehicle (or person) in a lane; `front` leads in its direction of travel. */
export class Vehicle {
  readonly id: string;
  readonly plan: VehiclePlan;
  readonly body: Body;
  /** 1 along the lane, -1 against it. */
  readonly heading: 1 | -1;
  readonly paint: string;
  readonly lateralM: number;
  front: number;
  /** Along the lane's axis; negative moves towards where normal vehicles come from. */
  velocity: number;

  phase: 'going' | 'pausing' | 'reversing' | 'leaving-back' | 'committed' = 'going';
  pausedUntilMs = 0;
  done = false;
  shuntsLeft: number;
  waitingSinceMs: number | undefined;
  honked = false;
  yielding = false;
  braking = false;

  touchedApproach = false;
  touchedClosing = false;
  rammed = false;
  disturbed = false;
  /** It came under the arm before the loop there had let go of the vehicle ahead. */
  merged = false;
  /** Since when it has stood nose to nose with an oncoming vehicle. */
  facingSinceMs: number | undefined;
  arrivedAtMs: number | undefined;
  /** Front went past the arm. */
  passedArmAtMs: number | undefined;
  /** Position of the boom when the front went under it, and whether another vehicle was the one it opened for. */
  startedAtMs: number;

  constructor(id: string, plan: VehiclePlan, front: number, heading: 1 | -1, paint: string, speedMps: number, nowMs: number) {
    this.id = id;
    this.plan = plan;
    this.body = bodies[plan.kind];
    this.heading = heading;
    this.paint = paint;
    this.front = front;
    this.velocity = speedMps * heading;
    this.lateralM = plan.lateralM ?? 0;
    this.shuntsLeft = plan.intention.kind === 'shunt' ? plan.intention.times : 0;
    this.startedAtMs = nowMs;
  }

  get rear(): number {
    return this.front - this.heading * this.body.lengthM;
  }

  get low(): number {
    return this.heading > 0 ? this.front - this.body.lengthM : this.front;
  }

  get high(): number {
    return this.heading > 0 ? this.front : this.front + this.body.lengthM;
  }

  /** Whether any part of it, metal or not, is between two places. */
  overlaps(from: number, to: number): boolean {
    return this.low < to && this.high > from;
  }

  /** Share of a loop between two places that its metal covers. */
  covers(from: number, to: number): number {
    if (!this.overlaps(from, to)) return 0;
    let covered = 0;
    for (const [start, end] of this.body.metal) {
      const a = this.front - this.heading * start * this.body.lengthM;
      const b = this.front - this.heading * end * this.body.lengthM;
      covered += Math.max(0, Math.min(to, Math.max(a, b)) - Math.max(from, Math.min(a, b)));
    }
    return covered / (to - from);
  }
}
