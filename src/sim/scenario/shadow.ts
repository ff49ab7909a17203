import type { LaneId } from '../../base/index.js';
import type { SimLane } from '../lane.js';
import type { Vehicle } from '../vehicle.js';
import type { World } from '../world.js';

/** What a camera knows of a plate it follows. */
export interface FollowedTrack {
  readonly lane: LaneId;
  readonly track: string;
  /** Width of the plate in parts of the picture's width. */
  readonly sizeFraction: number;
  /** The plate has left the picture. */
  readonly ended: boolean;
  /** A parked car: nobody is coming. */
  readonly stationary?: boolean;
}

interface Shadow {
  readonly vehicle: Vehicle;
  readonly lane: SimLane;
  track: string;
  seen: number;
  largest: number;
  targetM: number;
  leading: boolean;
  endedAtMs: number | undefined;
  leaving: 'no' | 'through' | 'back';
}

/** A plate this large is near the gate; a smaller one counts once it has grown. */
const nearFraction = 0.07;
const farFraction = 0.02;
const growth = 1.25;
const steadyPictures = 4;
/** A track that begins so soon after another ended is the same vehicle, seen anew. */
const sameVehicleMs = 1_500;
/** How long the driver waits after the plate has left the picture until he takes a closed boom for an answer. */
const giveUpMs = 6_000;

/**
 * Vehicles of the world that follow plates seen by a real camera, so that loops and boom act for a video as for traffic:
 * the approach loop trips when the plate is near or grows; when the plate has left the picture the vehicle drives through
 * the open boom, or backs out of a closed one.
 */
export class Shadows {
  readonly #world: World;
  readonly #shadows: Shadow[] = [];
  #undo: (() => void) | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  start(): void {
    this.#undo ??= this.#world.onStep((nowMs) => this.#step(nowMs));
  }

  stop(): void {
    this.#undo?.();
    this.#undo = undefined;
  }

  /** A report of the vision process about one plate. @throws GateError `LANE_UNKNOWN` */
  followTrack(track: FollowedTrack): void {
    const lane = this.#world.lane(track.lane);
    let shadow = this.#shadows.find((other) => other.lane === lane && other.track === track.track);
    if (shadow === undefined) {
      if (track.ended || track.stationary === true) return;
      const nowMs = this.#world.nowMs;
      shadow = this.#shadows.find((other) => other.lane === lane && other.leaving === 'no' && other.endedAtMs !== undefined && nowMs - other.endedAtMs < sameVehicleMs);
      if (shadow !== undefined) {
        shadow.track = track.track;
        shadow.endedAtMs = undefined;
      } else {
        const vehicle = this.#world.arrive(track.lane, { kind: 'car', tag: 'shadow', intention: { kind: 'shadow' } });
        vehicle.front = -14;
        vehicle.velocity = 0;
        shadow = { vehicle, lane, track: track.track, seen: 0, largest: track.sizeFraction, targetM: -14, leading: false, endedAtMs: undefined, leaving: 'no' };
        this.#shadows.push(shadow);
      }
    }
    if (track.ended) {
      shadow.endedAtMs ??= this.#world.nowMs;
      return;
    }
    if (track.stationary === true) return;
    shadow.seen += 1;
    const grown = track.sizeFraction > shadow.largest * 1.02;
    const first = shadow.seen === 1 ? track.sizeFraction : undefined;
    shadow.largest = Math.max(shadow.largest, track.sizeFraction);
    if (first !== undefined) shadow.targetM = -14;
    const near = track.sizeFraction >= nearFraction;
    const hasGrown = grown && shadow.largest >= farFraction * growth && shadow.largest > 0.035;
    if (shadow.seen >= steadyPictures && (near || hasGrown || shadow.leading)) {
      shadow.leading = true;
      shadow.targetM = shadow.lane.geometry.stopLine - 0.4;
    } else {
      const share = Math.min(1, Math.max(0, (track.sizeFraction - farFraction) / (nearFraction - farFraction)));
      shadow.targetM = Math.max(shadow.targetM, -14 + share * 7);
    }
  }

  #step(nowMs: number): void {
    for (let index = this.#shadows.length - 1; index >= 0; index -= 1) {
      const shadow = this.#shadows[index];
      if (shadow === undefined) continue;
      this.#decide(shadow, nowMs);
      this.#move(shadow);
      if (shadow.vehicle.done) this.#shadows.splice(index, 1);
    }
  }

  #decide(shadow: Shadow, nowMs: number): void {
    const { vehicle, lane } = shadow;
    if (shadow.leaving !== 'no' || shadow.endedAtMs === undefined) return;
    // Never came near: whatever it was, it did not use the lane.
    if (!vehicle.touchedApproach && !shadow.leading) {
      if (nowMs - shadow.endedAtMs > sameVehicleMs) vehicle.done = true;
      return;
    }
    if (lane.boom.position > 0.97 && !lane.boom.movingDown && lane.boom.target === 'open') {
      if (this.#shadows.every((other) => other === shadow || other.lane !== lane || other.vehicle.front < vehicle.front)) shadow.leaving = 'through';
    } else if (lane.boom.position < 0.03 && lane.boom.target !== 'open' && nowMs - shadow.endedAtMs > giveUpMs) shadow.leaving = 'back';
  }

  #move(shadow: Shadow): void {
    const { vehicle } = shadow;
    const dt = 0.01;
    if (shadow.leaving === 'back') {
      vehicle.velocity = Math.max(-1.8, vehicle.velocity - dt);
      vehicle.front += vehicle.velocity * dt;
      if (vehicle.front < -10.5) vehicle.done = true;
      return;
    }
    let limit = shadow.leaving === 'through' ? 50 : shadow.targetM;
    for (const other of shadow.lane.vehicles) {
      if (other !== vehicle && other.low > vehicle.low) limit = Math.min(limit, other.low - 1.5);
    }
    const distance = limit - vehicle.front;
    const wanted = distance <= 0 ? 0 : Math.min(shadow.leaving === 'through' ? 3.5 : 4, Math.sqrt(2 * 2.5 * distance));
    const change = wanted - vehicle.velocity;
    vehicle.velocity += Math.max(-4 * dt, Math.min(2.5 * dt, change));
    vehicle.front += Math.max(0, vehicle.velocity) * dt;
  }
}
