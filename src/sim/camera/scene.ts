import type { LaneId } from '../../base/index.js';
import type { SimPlate } from '../plates.js';
import type { VehicleKind } from '../vehicle.js';
import type { WorldView } from '../world.js';

/** A vehicle as far as a camera sees it; positions in metres along the lane. */
export interface SceneVehicle {
  readonly id: string;
  readonly kind: VehicleKind;
  readonly front: number;
  readonly lengthM: number;
  readonly heading: 1 | -1;
  readonly lateralM: number;
  readonly paint: string;
  readonly plate: SimPlate | undefined;
  readonly rearFirst: boolean;
}

export interface SceneLane {
  readonly lane: LaneId;
  /** Written into the picture, as cameras do. */
  readonly name: string;
  /** 0 closed to 1 upright. */
  readonly boomPosition: number;
  readonly vehicles: readonly SceneVehicle[];
}

/** Everything the simulated cameras look at, at one moment. */
export interface Scene {
  readonly wallMs: number;
  /** 0 dusk to 1 full day. */
  readonly light: number;
  readonly lanes: readonly SceneLane[];
}

/** Vehicles beyond this are too small to matter in the picture, or behind the camera. */
const farM = -24;

export function sceneOf(view: WorldView, wallMs: number): Scene {
  return {
    wallMs,
    light: view.light,
    lanes: view.lanes.map((lane) => ({
      lane: lane.lane,
      name: lane.name,
      boomPosition: lane.boomPosition,
      vehicles: lane.vehicles
        .filter((vehicle) => vehicle.front > farM && vehicle.front * vehicle.heading - vehicle.lengthM < 4)
        .map(({ id, kind, front, lengthM, heading, lateralM, paint, plate, rearFirst }) => ({ id, kind, front, lengthM, heading, lateralM, paint, plate, rearFirst })),
    })),
  };
}
