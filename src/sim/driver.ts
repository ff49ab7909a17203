import type { Boom } from './boom.js';
import { clearingPosition, type LaneGeometry } from './geometry.js';
import type { HappeningKind } from './truth.js';
import type { Vehicle } from './vehicle.js';

/** What a driver sees from the seat. */
export interface Surroundings {
  readonly geometry: LaneGeometry;
  readonly boom: Boom;
  readonly openTimeMs: number;
  readonly nowMs: number;
  /** Free road ahead to the next body, metres; infinity when free. */
  readonly gapAheadM: number;
  readonly gapBehindM: number;
  /** The vehicle behind, to wave at when one must go back. */
  readonly follower: Vehicle | undefined;
  /** Somebody ahead wants to come back. */
  readonly mustYield: boolean;
  tell(kind: HappeningKind, vehicle: Vehicle): void;
}

const emergencyBrakingMps2 = 7;
/** Nose as far as it may go without being under the arm. */
const noseLimitM = -0.45;
/** Clear of the approach loop: from here a vehicle that backs out leaves sideways. */
const backAwayM = -10.5;
/** Creeping room so that a stop "at" a place is reached in finite time. */
const reachedM = 0.15;

/**
 * One step of a driver: chooses what to do next and moves the vehicle. Works in coordinates of travel (`x` grows in the
 * direction of driving, the arm at 0), so that a vehicle going the wrong way is driven by the same rules.
 */
export function drive(vehicle: Vehicle, around: Surroundings, dtMs: number): void {
  const dt = dtMs / 1000;
  const x = vehicle.front * vehicle.heading;
  const v = vehicle.velocity * vehicle.heading;
  decide(vehicle, around, x, v);
  let next: number;
  if (vehicle.phase === 'reversing' || vehicle.phase === 'leaving-back' || vehicle.yielding) {
    const room = around.gapBehindM - 0.6;
    const allowed = Math.min(2.2, Math.sqrt(Math.max(0, 2 * 1.5 * room)));
    next = approachSpeed(v, -allowed, 1.2, 3, dt);
    if (vehicle.phase !== 'reversing' && room < 1 && around.follower !== undefined) {
      around.follower.yielding = true;
      around.follower.disturbed = true;
      vehicle.disturbed = true;
    }
  } else if (vehicle.phase === 'pausing') {
    next = approachSpeed(v, 0, vehicle.body.accelerationMps2, emergencyBrakingMps2, dt);
  } else {
    next = forward(vehicle, around, x, v, dt);
  }
  vehicle.velocity = next * vehicle.heading;
  vehicle.front += vehicle.velocity * dt;
}

function decide(vehicle: Vehicle, around: Surroundings, x: number, v: number): void {
  const { nowMs } = around;
  const intention = vehicle.plan.intention;
  if (vehicle.yielding) {
    if (!around.mustYield) vehicle.yielding = false;
    else return;
  }
  switch (vehicle.phase) {
    case 'pausing':
      if (nowMs < vehicle.pausedUntilMs) return;
      if (intention.kind === 'back-out' || intention.kind === 'peek') vehicle.phase = 'leaving-back';
      else vehicle.phase = vehicle.passedArmAtMs === undefined ? 'going' : 'committed';
      if (intention.kind === 'hesitate' || intention.kind === 'stop-under') vehicle.shuntsLeft = -1;
      return;
    case 'reversing':
      if (intention.kind === 'shunt' && (x <= intention.backToM || around.gapBehindM < 0.7)) vehicle.phase = 'going';
      return;
    case 'leaving-back':
      if (x < backAwayM) vehicle.done = true;
      return;
    case 'committed':
      return;
    case 'going':
      break;
  }
  const still = Math.abs(v) < 0.15;
  if (intention.kind === 'hesitate' && vehicle.shuntsLeft >= 0 && still && x > intention.atM - reachedM - 0.2) {
    pause(vehicle, nowMs + intention.forMs);
    around.tell('hesitates', vehicle);
  } else if (intention.kind === 'stop-under' && vehicle.shuntsLeft >= 0 && still && x > 0.5) {
    pause(vehicle, nowMs + intention.forMs);
    around.tell('stops-under', vehicle);
  } else if ((intention.kind === 'back-out' || intention.kind === 'peek') && still && x > Math.min(intention.fromM, noseLimitM) - reachedM - 0.2) {
    pause(vehicle, nowMs + intention.forMs);
  } else if (intention.kind === 'shunt' && vehicle.shuntsLeft > 0 && still && x > around.geometry.stopLine - reachedM - 0.2 && x < 0) {
    vehicle.shuntsLeft -= 1;
    vehicle.phase = vehicle.shuntsLeft === 0 && intention.then === 'back-out' ? 'leaving-back' : 'reversing';
    around.tell('shunts', vehicle);
    return;
  }
  waitBeforeArm(vehicle, around, x, still);
}

/** Waiting before a closed arm: honks, and goes away when patience ends. */
function waitBeforeArm(vehicle: Vehicle, around: Surroundings, x: number, still: boolean): void {
  const first = around.gapAheadM > 3 && x > around.geometry.stopLine - 1.5 && x < 0;
  if (!first || !still) {
    vehicle.waitingSinceMs = undefined;
    return;
  }
  vehicle.waitingSinceMs ??= around.nowMs;
  const waitedMs = around.nowMs - vehicle.waitingSinceMs;
  const patienceMs = vehicle.plan.patienceMs ?? Number.POSITIVE_INFINITY;
  if (!vehicle.honked && waitedMs > Math.min(4_000, patienceMs * 0.6)) {
    vehicle.honked = true;
    around.tell('honks', vehicle);
  }
  if (waitedMs > patienceMs) vehicle.phase = 'leaving-back';
}

function pause(vehicle: Vehicle, untilMs: number): void {
  vehicle.phase = 'pausing';
  vehicle.pausedUntilMs = untilMs;
}

function forward(vehicle: Vehicle, around: Surroundings, x: number, v: number, dt: number): number {
  const { body, plan } = vehicle;
  const intention = plan.intention;
  const desired = plan.speedMps ?? 4.5;
  const headway = intention.kind === 'tailgate' ? 0.15 : 0.45;
  const queueGap = intention.kind === 'tailgate' ? 0.7 : (plan.queueGapM ?? 1.6);
  let allowed = Math.min(desired, stopSpeed(around.gapAheadM - queueGap - Math.max(0, v) * headway, body.brakingMps2));
  let braking = body.brakingMps2 * 1.3;
  if (around.gapAheadM - queueGap * 0.5 < (v * v) / (2 * body.brakingMps2)) braking = emergencyBrakingMps2;
  if (intention.kind === 'hesitate' && vehicle.shuntsLeft >= 0) allowed = Math.min(allowed, stopSpeed(intention.atM - x, body.brakingMps2));
  if (intention.kind === 'back-out' || intention.kind === 'peek') allowed = Math.min(allowed, stopSpeed(Math.min(intention.fromM, noseLimitM) - x, body.brakingMps2));
  if (intention.kind === 'stop-under' && vehicle.shuntsLeft >= 0) allowed = Math.min(allowed, stopSpeed(body.lengthM * 0.5 - x, body.brakingMps2));
  if (intention.kind === 'shunt' && vehicle.shuntsLeft > 0) allowed = Math.min(allowed, stopSpeed(around.geometry.stopLine - x, body.brakingMps2));
  if (vehicle.phase !== 'committed' && intention.kind !== 'force' && x < -0.2 && !mayPass(vehicle, around, x, v)) {
    const line = stopFor(around.geometry.stopLine, x, v);
    if (line === undefined) vehicle.phase = 'committed';
    else {
      const needed = (v * v) / (2 * Math.max(0.02, line - x));
      if (needed <= body.brakingMps2) allowed = Math.min(allowed, stopSpeed(line - x, body.brakingMps2));
      else {
        // Later than comfortable: brakes as hard as it takes.
        braking = Math.min(emergencyBrakingMps2, needed * 1.05);
        allowed = 0;
      }
    }
  }
  return approachSpeed(v, allowed, body.accelerationMps2, braking, dt);
}

/** Where this driver can still stop: at the line, with the nose before the arm, or nowhere. */
function stopFor(stopLine: number, x: number, v: number): number | undefined {
  for (const line of [stopLine, noseLimitM]) {
    const distance = line - x;
    if (distance > -reachedM && v * v <= 2 * emergencyBrakingMps2 * Math.max(0.01, distance)) return line;
  }
  // Practically still and already beside the mark.
  return Math.abs(v) < 0.3 && x <= noseLimitM + 0.2 ? Math.max(x, noseLimitM) : undefined;
}

/** Whether a sensible driver would go for it. Only a tailgater dives under an arm that has begun to fall. */
function mayPass(vehicle: Vehicle, around: Surroundings, x: number, v: number): boolean {
  const { boom, geometry } = around;
  const clear = clearingPosition(geometry, vehicle.body.heightM, vehicle.body.widthM + 2 * Math.abs(vehicle.lateralM));
  if (boom.movingDown || boom.target === 'closed') {
    return vehicle.plan.intention.kind === 'tailgate' && boom.position > Math.max(0.85, clear + 0.2) && x > -3;
  }
  const need = Math.min(0.97, clear + 0.15);
  if (!boom.movingUp) return boom.position >= need;
  // While the arm rises the driver rolls on if it will be up by the time the car is there.
  const arrivalMs = (Math.max(0, -0.5 - x) / Math.max(1.2, v)) * 1000;
  return boom.position > 0.2 && boom.position + (0.8 * arrivalMs) / around.openTimeMs >= need + 0.05;
}

function stopSpeed(distance: number, braking: number): number {
  return distance <= 0 ? 0 : Math.sqrt(2 * braking * distance);
}

function approachSpeed(v: number, wanted: number, gain: number, loss: number, dt: number): number {
  const change = wanted - v;
  if (change >= 0) return v < 0 ? Math.min(wanted, v + loss * dt) : Math.min(wanted, v + gain * dt);
  return v > 0 ? Math.max(wanted, v - loss * dt, wanted < 0 ? 0 : wanted) : Math.max(wanted, v - gain * dt);
}
