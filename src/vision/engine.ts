import { GateError, errorText, type Clock, type LaneId, type Log, type Timer } from '../base/index.js';
import { openCamera } from '../camera/index.js';
import { LaneWatch } from './lane-watch.js';
import type { LaneCamera } from './protocol.js';
import type { Recognizer } from './recognizer.js';
import type { CameraState, Photograph, TrackReport } from './types.js';

export interface EngineOptions {
  readonly cameras: readonly LaneCamera[];
  readonly recognizer: Recognizer;
  /** Unique to this start of the process; part of the tracks' names. */
  readonly run: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly onTrack: (report: TrackReport) => void;
  readonly onCamera: (lane: LaneId, camera: string, state: CameraState, detail?: string) => void;
}

interface Watched {
  readonly camera: string;
  readonly watch: LaneWatch;
}

/** What a camera of today gives, scaled down as its source does; another one costs its first picture a little more. */
const usualPicture = { width: 1_280, height: 720 } as const;

/**
 * All lanes' cameras and the one recognizer they share: lane after lane gets its newest picture searched, so none can
 * starve another.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #lanes: Watched[];
  #running = false;
  #wake: (() => void) | undefined;
  #expiry: Timer | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#lanes = options.cameras.map(({ lane, camera }) => {
      const source = openCamera(camera, { clock: options.clock, log: options.log, random: options.random });
      const watch = new LaneWatch({ lane, source, zone: camera.zone, prefix: `${lane}-${options.run}-`, clock: options.clock, onTrack: options.onTrack });
      source.onFrame(() => {
        watch.arrived();
        this.#wake?.();
      });
      source.onState(({ state, detail }) => options.onCamera(lane, camera.id, state, detail));
      return { camera: camera.id, watch };
    });
  }

  /** Makes the first picture as fast as the later ones, for the usual camera and each lane's zone. To be called before `start`. */
  warmUp(): Promise<void> {
    return this.#options.recognizer.warmUp(this.#lanes.length === 0 ? [usualPicture] : this.#lanes.map(({ watch }) => ({ ...usualPicture, region: watch.region(usualPicture, this.#options.recognizer) })));
  }

  start(): void {
    this.#running = true;
    for (const { watch } of this.#lanes) watch.source.start();
    this.#loop = this.#work();
    this.#expireLater();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#expiry?.cancel();
    this.#wake?.();
    await this.#loop;
    await Promise.all(this.#lanes.map(({ watch }) => watch.source.stop()));
  }

  state(): readonly { readonly lane: LaneId; readonly camera: string; readonly state: CameraState; readonly framesPerSecond: number; readonly lastFrameAgeMs: number | null }[] {
    return this.#lanes.map(({ camera, watch }) => ({
      lane: watch.lane,
      camera,
      state: watch.source.state(),
      framesPerSecond: watch.framesPerSecond(),
      lastFrameAgeMs: watch.lastFrameAgeMs(),
    }));
  }

  /** Throws `LANE_UNKNOWN`. */
  photograph(lane: LaneId): Promise<Photograph | undefined> {
    return this.#watch(lane).photograph(this.#options.recognizer);
  }

  #watch(lane: LaneId): LaneWatch {
    const found = this.#lanes.find(({ watch }) => watch.lane === lane);
    if (found === undefined) throw new GateError('LANE_UNKNOWN', `No camera looks at lane ${lane}.`, { lane });
    return found.watch;
  }

  async #work(): Promise<void> {
    const { recognizer, log } = this.#options;
    while (this.#running) {
      let worked = false;
      for (const { watch } of this.#lanes) {
        try {
          if (await watch.search(recognizer)) worked = true;
        } catch (error) {
          log.error({ lane: watch.lane, error: errorText(error) }, 'vision: a picture could not be searched');
          await this.#pause(100);
        }
      }
      if (!worked) await this.#nextPicture();
    }
  }

  #nextPicture(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
      if (!this.#running) this.#wake();
    });
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#options.clock.after(delayMs, resolve));
  }

  #expireLater(): void {
    this.#expiry = this.#options.clock.after(500, () => {
      for (const { watch } of this.#lanes) watch.expire();
      this.#expireLater();
    });
  }
}
