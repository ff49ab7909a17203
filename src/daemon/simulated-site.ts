import type { Clock, LaneId, Log } from '../base/index.js';
import type { AccessConfig, CameraConfig, DeviceConfig, GateConfig } from '../config/index.js';
import { Estate, Shadows, SimCamera, bodyOf, sceneOf, type World } from '../sim/index.js';
import type { TrackReport } from '../vision/index.js';

const hourMs = 3_600_000;

export interface SimulatedSiteOptions {
  readonly world: World;
  readonly device: Extract<DeviceConfig, { driver: 'sim' }>;
  readonly config: GateConfig;
  readonly clock: Clock;
  readonly log: Log;
}

/** What stands where in one lane, for the page. Metres along the lane, the boom at 0, arrivals from below. */
export interface SimulatedLaneView {
  readonly lane: LaneId;
  readonly boom: number;
  readonly vehicles: readonly { readonly id: string; readonly frontM: number; readonly lengthM: number; readonly widthM: number; readonly heightM: number; readonly paint: string; readonly colour?: string }[];
}

/**
 * The world behind a simulated device: traffic by scenario, and cameras that draw it. Everything the gateway sees of it
 * goes through the contracts of real hardware and a real video stream.
 */
export class SimulatedSite {
  readonly #options: SimulatedSiteOptions;
  readonly #cameras: SimCamera;
  readonly #usesCameras: boolean;
  readonly estate: Estate | undefined;
  readonly #shadows: Shadows | undefined;
  #started = false;

  constructor(options: SimulatedSiteOptions) {
    this.#options = options;
    const { world, device, config, clock, log } = options;
    this.#cameras = new SimCamera({ clock, log });
    this.#usesCameras = config.cameras.some(({ source }) => source.kind === 'sim');
    const entry = config.lanes.find(({ direction }) => direction === 'entry');
    const exit = config.lanes.find(({ direction }) => direction === 'exit');
    if (device.scenario === 'estate' && entry !== undefined && exit !== undefined) this.estate = new Estate(world, { entry: entry.id, exit: exit.id });
    if (device.scenario === 'video') this.#shadows = new Shadows(world);
  }

  get world(): World {
    return this.#options.world;
  }

  /**
   * The access section of the configuration with the lists of the scenario added, so that its residents, visitors and
   * blocked vehicles are known to the gate as they would be from a platform.
   */
  accessRules(): AccessConfig {
    const { config, clock } = this.#options;
    const { estate } = this;
    if (estate === undefined) return config.access;
    const nowMs = clock.wallMs();
    const iso = (wallMs: number): string => new Date(wallMs).toISOString();
    return {
      ...config.access,
      households: [...config.access.households, ...estate.residents().map(({ household, name, plate }) => ({ id: household, name, spaces: 1, plates: [plate.text] }))],
      visitors: [...config.access.visitors, ...estate.visitors().map(({ plate, note }) => ({ plate: plate.text, note, from: iso(nowMs - hourMs), until: iso(nowMs + 24 * hourMs) }))],
      blocked: [...config.access.blocked, ...estate.blocked().map(({ plate, reason }) => ({ plate: plate.text, reason }))],
    };
  }

  /** Starts time, traffic and cameras. Rejects with `CAMERA_LOST` when the drawing process does not come up. */
  async start(): Promise<void> {
    const { world, device, clock } = this.#options;
    if (this.#usesCameras) {
      await this.#cameras.start();
      this.#cameras.follow(() => sceneOf(world.view(), clock.wallMs()));
    }
    world.start(clock, device.speed);
    this.#shadows?.start();
    this.#started = true;
  }

  /** Lets the scenario's traffic come; after recognition is up, or the first cars would stand before a blind gate. */
  open(): void {
    this.estate?.start();
  }

  async stop(): Promise<void> {
    this.estate?.stop();
    this.#shadows?.stop();
    this.#options.world.stop();
    if (this.#started) await this.#cameras.stop();
    this.#started = false;
  }

  /** A simulated camera as the network camera it really is; others unchanged. */
  cameraFor(camera: CameraConfig): CameraConfig {
    if (camera.source.kind !== 'sim') return camera;
    return { ...camera, source: { kind: 'http', url: this.#cameras.url(camera.source.view) } };
  }

  /** Lets the loops follow a plate that a real camera sees (scenario `video`). */
  followTrack(report: TrackReport): void {
    if (this.#shadows === undefined) return;
    const xs = report.corners.map(([x]) => x);
    this.#shadows.followTrack({
      lane: report.lane,
      track: report.track,
      sizeFraction: Math.max(...xs) - Math.min(...xs),
      ended: report.ended,
      stationary: report.stationary,
    });
  }

  laneViews(): readonly SimulatedLaneView[] {
    return this.#options.world.view().lanes.map((lane) => ({
      lane: lane.lane,
      boom: lane.boomPosition,
      vehicles: lane.vehicles.map(({ id, kind, front, lengthM, paint, plate }) => {
        const { widthM, heightM } = bodyOf(kind);
        return { id, frontM: front, lengthM, widthM, heightM, paint, ...(plate === undefined ? {} : { colour: plate.colour }) };
      }),
    }));
  }
}
