import type { Clock, LaneId } from '../base/index.js';
import type { Frame, FrameSource } from '../camera/index.js';
import { insidePolygon, quadCentre, type Region } from './geometry.js';
import { MovementGate } from './movement.js';
import { photograph } from './photograph.js';
import { readPlates, type ReadDetection, type Recognizer } from './recognizer.js';
import { Tracker } from './tracker.js';
import type { FoundPlate, Photograph, TrackReport } from './types.js';
import { zoneRegion, type Zone } from './zone.js';

/** With nothing moving and no plate followed, a picture is searched this often. */
const idleEveryMs = 400;
/** Full rate goes on this long after the last movement. */
const awakeMs = 3_000;
/** An older picture is no photograph of what is happening. */
const freshMs = 2_000;
const rateWindowMs = 3_000;

export interface LaneWatchOptions {
  readonly lane: LaneId;
  readonly source: FrameSource;
  readonly zone: Zone | undefined;
  /** Put before the tracks' numbers. */
  readonly prefix: string;
  readonly clock: Clock;
  readonly onTrack: (report: TrackReport) => void;
}

/** One lane's camera: which picture is searched, what its plates become. */
export class LaneWatch {
  readonly #options: LaneWatchOptions;
  readonly #tracker: Tracker;
  readonly #gate = new MovementGate();
  #searched = 0;
  #looked = 0;
  #searchedAtMs = -Infinity;
  #awakeUntilMs = -Infinity;
  #arrivals: number[] = [];
  #size = { width: 1, height: 1 };
  /** How old the last picture was when it had been searched. */
  #behindMs = 0;
  #lastFound: { readonly sequence: number; readonly plates: readonly FoundPlate[] } = { sequence: 0, plates: [] };

  constructor(options: LaneWatchOptions) {
    this.#options = options;
    this.#tracker = new Tracker({ prefix: options.prefix });
  }

  get lane(): LaneId {
    return this.#options.lane;
  }

  get source(): FrameSource {
    return this.#options.source;
  }

  /** To be called for each picture that arrives. */
  arrived(): void {
    const nowMs = this.#options.clock.monoMs();
    this.#arrivals.push(nowMs);
    this.#arrivals = this.#arrivals.filter((atMs) => atMs > nowMs - rateWindowMs);
  }

  framesPerSecond(): number {
    const nowMs = this.#options.clock.monoMs();
    const first = this.#arrivals[0];
    const last = this.#arrivals.at(-1);
    if (first === undefined || last === undefined || last - first < 100 || nowMs - last > rateWindowMs) return 0;
    return ((this.#arrivals.length - 1) * 1_000) / (last - first);
  }

  lastFrameAgeMs(): number | null {
    const last = this.#arrivals.at(-1);
    return last === undefined ? null : Math.max(0, this.#options.clock.monoMs() - last);
  }

  /** The part of a picture of this size that is searched; undefined for the whole. */
  region(picture: { readonly width: number; readonly height: number }, recognizer: Pick<Recognizer, 'models'>): Region | undefined {
    return zoneRegion(this.#options.zone, picture, recognizer.models.manifest.detector.input.longSide);
  }

  /** Searches the newest picture if it is new and worth it. Returns whether it did. */
  async search(recognizer: Pick<Recognizer, 'recognize' | 'models'>): Promise<boolean> {
    const frame = this.#options.source.newest();
    if (frame === undefined) return false;
    try {
      if (!this.#isWorth(frame)) return false;
      this.#searched = frame.sequence;
      this.#searchedAtMs = frame.atMs;
      const region = this.region(frame, recognizer);
      const { plates } = await recognizer.recognize(frame, region === undefined ? {} : { region });
      this.#found(frame, plates);
      return true;
    } finally {
      frame.release();
    }
  }

  /**
   * Ends tracks that were not seen for long, for a camera that gives no pictures. A picture that was late, or searched
   * slowly, makes none of its plates unseen.
   */
  expire(): void {
    const nowMs = this.#options.clock.monoMs() - this.#behindMs;
    for (const state of this.#tracker.expire(nowMs, this.#size)) this.#options.onTrack({ lane: this.lane, ...state });
  }

  /** The newest picture with its plates; undefined where it is missing or older than 2 s. */
  async photograph(recognizer: Recognizer): Promise<Photograph | undefined> {
    const frame = this.#options.source.newest();
    if (frame === undefined) return undefined;
    try {
      if (this.#options.clock.monoMs() - frame.atMs > freshMs) return undefined;
      const known = this.#lastFound.sequence === frame.sequence ? this.#lastFound.plates : undefined;
      const plates = known ?? readPlates((await recognizer.recognize(frame)).plates);
      return await photograph(this.lane, frame, plates);
    } finally {
      frame.release();
    }
  }

  #isWorth(frame: Frame): boolean {
    if (frame.sequence === this.#looked) return false;
    // a source that began anew counts from the start again
    this.#looked = frame.sequence;
    if (this.#gate.moved(frame) || this.#tracker.busy()) this.#awakeUntilMs = frame.atMs + awakeMs;
    return frame.sequence !== this.#searched && (frame.atMs < this.#awakeUntilMs || frame.atMs - this.#searchedAtMs >= idleEveryMs);
  }

  #found(frame: Frame, plates: readonly ReadDetection[]): void {
    const { zone, onTrack } = this.#options;
    const inZone = zone === undefined ? plates : plates.filter(({ corners }) => {
      const [x, y] = quadCentre(corners);
      return insidePolygon([x / frame.width, y / frame.height], zone);
    });
    this.#size = { width: frame.width, height: frame.height };
    this.#behindMs = this.#options.clock.monoMs() - frame.atMs;
    this.#lastFound = { sequence: frame.sequence, plates: readPlates(inZone) };
    for (const state of this.#tracker.update(inZone, frame.atMs, frame)) onTrack({ lane: this.lane, ...state });
  }
}
