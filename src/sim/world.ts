import { GateError, type Clock, type LaneId, type SignalState, type Timer } from '../base/index.js';
import type { LaneObserver, SimLaneSpec } from './lane.js';
import { SimLane, type SimSensor } from './lane.js';
import type { SimPlate } from './plates.js';
import { Random } from './random.js';
import type { Happening, LawBroken, TruePassage, UnsafeMovement } from './truth.js';
import type { TruthTag, Vehicle, VehicleKind, VehiclePlan } from './vehicle.js';

const substepMs = 10;

export interface WorldOptions {
  readonly seed: number;
  readonly lanes: readonly SimLaneSpec[];
}

/** A vehicle as a page or a camera shows it. Positions in metres along the lane, front first. */
export interface VehicleView {
  readonly id: string;
  readonly kind: VehicleKind;
  readonly tag: TruthTag;
  readonly front: number;
  readonly lengthM: number;
  readonly heading: 1 | -1;
  readonly velocity: number;
  readonly lateralM: number;
  readonly paint: string;
  readonly plate: SimPlate | undefined;
  readonly rearFirst: boolean;
  readonly braking: boolean;
}

export interface LaneWorldView {
  readonly lane: LaneId;
  readonly name: string;
  readonly direction: 'entry' | 'exit';
  readonly boomPosition: number;
  readonly vehicles: readonly VehicleView[];
  readonly wires: Readonly<Record<SimSensor, SignalState>>;
  readonly inductanceUh: { readonly approach: number; readonly closing: number };
}

export interface WorldView {
  readonly atMs: number;
  /** 0 night to 1 full day. */
  readonly light: number;
  readonly lanes: readonly LaneWorldView[];
}

/** What the world has observed by itself; nothing here passed through the gateway. */
export interface Truth {
  readonly passages: readonly TruePassage[];
  /** Without an excuse: what the demo and the fault campaigns count. */
  readonly unsafeMovements: readonly UnsafeMovement[];
  /** Movements that endangered somebody although the gateway could not have known or acted. */
  readonly excusedMovements: readonly UnsafeMovement[];
  readonly lawsBroken: readonly LawBroken[];
}

/**
 * The physical world around a gate: lanes, vehicles, loops and booms, deterministic from its seed. It moves only by
 * `step`, or by an injected clock after `start`. It knows nothing of the gateway but the contacts that the gateway's
 * outputs close, and it counts by itself what happened.
 */
export class World {
  readonly lanes: ReadonlyMap<LaneId, SimLane>;
  readonly #random: Random;
  readonly #passages: TruePassage[] = [];
  readonly #unsafe: UnsafeMovement[] = [];
  readonly #excused: UnsafeMovement[] = [];
  readonly #broken: LawBroken[] = [];
  readonly #happeningListeners = new Set<(happening: Happening) => void>();
  readonly #passageListeners = new Set<(passage: TruePassage) => void>();
  readonly #unsafeListeners = new Set<(movement: UnsafeMovement) => void>();
  readonly #stepListeners = new Set<(nowMs: number) => void>();
  #nowMs = 0;
  #remainderMs = 0;
  #clock: Clock | undefined;
  #timer: Timer | undefined;
  #light = 1;

  constructor(options: WorldOptions) {
    this.#random = new Random(options.seed, 'world');
    const observer: LaneObserver = {
      happened: (happening) => {
        for (const listener of this.#happeningListeners) listener(happening);
      },
      passed: (passage) => {
        this.#passages.push(passage);
        for (const listener of this.#passageListeners) listener(passage);
      },
      unsafe: (movement) => {
        (movement.excuse === undefined ? this.#unsafe : this.#excused).push(movement);
        for (const listener of this.#unsafeListeners) listener(movement);
      },
      lawBroken: (broken) => this.#broken.push(broken),
      stamp: () => this.#clock?.monoMs() ?? this.#nowMs,
    };
    this.lanes = new Map(options.lanes.map((spec) => [spec.id, new SimLane(spec, new Random(options.seed, spec.id), observer)]));
  }

  /** The world's own time, ms; with a clock and speed 1 it runs beside the clock's monotonic time. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get truth(): Truth {
    return { passages: this.#passages, unsafeMovements: this.#unsafe, excusedMovements: this.#excused, lawsBroken: this.#broken };
  }

  /** Randomness of this world, for whoever decides what drives up. */
  random(stream: string): Random {
    return new Random(this.#random.integer(0, 0x7fff_ffff), stream);
  }

  /** @throws GateError `LANE_UNKNOWN` */
  lane(id: LaneId): SimLane {
    const lane = this.lanes.get(id);
    if (lane === undefined) {
      throw new GateError('LANE_UNKNOWN', `the simulated world has no lane "${id}"; it has ${[...this.lanes.keys()].join(', ')}`, { lane: id });
    }
    return lane;
  }

  /** Lets a vehicle drive up. */
  arrive(lane: LaneId, plan: VehiclePlan): Vehicle {
    return this.lane(lane).add(plan, this.#nowMs);
  }

  /** Lets somebody walk under the arm for a while. */
  walk(lane: LaneId, forMs: number): void {
    this.lane(lane).walk(this.#nowMs, forMs);
  }

  press(lane: LaneId, name: 'fire' | 'stop' | 'button', pressed: boolean): void {
    this.lane(lane).press(name, pressed);
  }

  /** 0 night to 1 full day; the camera sees by it. */
  setLight(light: number): void {
    this.#light = Math.min(1, Math.max(0, light));
  }

  /** Moves time forward in substeps of 10 ms; a rest is kept for the next call. */
  step(dtMs: number): void {
    this.#remainderMs += dtMs;
    while (this.#remainderMs >= substepMs - 1e-6) {
      this.#remainderMs -= substepMs;
      this.#nowMs += substepMs;
      for (const listener of this.#stepListeners) listener(this.#nowMs);
      for (const lane of this.lanes.values()) lane.step(substepMs, this.#nowMs);
    }
  }

  /**
   * Lets the world run by a clock until `stop`.
   * @param speed how much faster than the clock; 1 for a gateway whose timers run by the same clock
   */
  start(clock: Clock, speed = 1): void {
    if (this.#timer !== undefined) return;
    this.#clock = clock;
    if (this.#nowMs === 0) this.#nowMs = clock.monoMs();
    let lastMs = clock.monoMs();
    const tick = (): void => {
      const nowMs = clock.monoMs();
      // A machine that slept must not see an hour of traffic in one breath.
      const elapsedMs = Math.min(250, nowMs - lastMs);
      lastMs = nowMs;
      this.#timer = clock.after(substepMs, tick);
      this.step(elapsedMs * speed);
    };
    this.#timer = clock.after(substepMs, tick);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  onHappening(listener: (happening: Happening) => void): () => void {
    this.#happeningListeners.add(listener);
    return () => this.#happeningListeners.delete(listener);
  }

  /** Called when a vehicle's stay in a lane has ended. */
  onPassage(listener: (passage: TruePassage) => void): () => void {
    this.#passageListeners.add(listener);
    return () => this.#passageListeners.delete(listener);
  }

  onUnsafe(listener: (movement: UnsafeMovement) => void): () => void {
    this.#unsafeListeners.add(listener);
    return () => this.#unsafeListeners.delete(listener);
  }

  /** Called before each substep: where scenarios and shadows act. */
  onStep(listener: (nowMs: number) => void): () => void {
    this.#stepListeners.add(listener);
    return () => this.#stepListeners.delete(listener);
  }

  view(): WorldView {
    return {
      atMs: this.#nowMs,
      light: this.#light,
      lanes: [...this.lanes.values()].map((lane) => ({
        lane: lane.spec.id,
        name: lane.spec.name ?? lane.spec.id,
        direction: lane.spec.direction,
        boomPosition: lane.boom.position,
        wires: lane.wires(),
        inductanceUh: { approach: lane.inductanceUh('approach'), closing: lane.inductanceUh('closing') },
        vehicles: lane.vehicles
          .filter((vehicle) => vehicle.plan.intention.kind !== 'shadow')
          .map((vehicle) => ({
            id: vehicle.id,
            kind: vehicle.plan.kind,
            tag: vehicle.plan.tag,
            front: vehicle.front,
            lengthM: vehicle.body.lengthM,
            heading: vehicle.heading,
            velocity: vehicle.velocity,
            lateralM: vehicle.lateralM,
            paint: vehicle.paint,
            plate: vehicle.plan.plate,
            rearFirst: vehicle.plan.rearFirst ?? false,
            braking: vehicle.braking,
          })),
      })),
    };
  }
}
