import { fileURLToPath } from 'node:url';
import { silentLog } from '../../src/base/index.js';
import { LaneRenderer, type SceneVehicle, type SimPlate } from '../../src/sim/index.js';
import { Recognizer, decodePicture, loadModels, type Image, type ReadDetection } from '../../src/vision/index.js';
import { Tracker, type TrackState } from '../../src/vision/tracker.js';

/** The shipped networks. To be closed. */
export async function shippedRecognizer(): Promise<Recognizer> {
  const { models } = await loadModels({ directories: [fileURLToPath(new URL('../../models', import.meta.url))], threads: 1, log: silentLog });
  return new Recognizer(models);
}

/** A vehicle in the lane, its plate as given; trucks are longer. */
export function vehicle(id: string, plate: SimPlate, front: number, change: Partial<Pick<SceneVehicle, 'kind' | 'lateralM' | 'heading' | 'paint'>> = {}): SceneVehicle {
  const kind = change.kind ?? 'car';
  return { id, kind, front, lengthM: kind === 'truck' ? 7.2 : 4.6, heading: 1, lateralM: 0, paint: '#d9dcdf', plate, rearFirst: false, ...change };
}

/** Draws what the lane's camera sees, RGB, with all that JPEG does to a picture. */
export class LanePictures {
  readonly #renderer = new LaneRenderer({ caption: false });

  async draw(vehicles: readonly SceneVehicle[], { light = 1, boomPosition = 0 }: { readonly light?: number; readonly boomPosition?: number } = {}): Promise<Image> {
    const jpeg = await this.#renderer.render({ lane: 'entry', name: '', boomPosition, vehicles }, light, 0);
    return decodePicture(jpeg, 'drawn');
  }
}

/** One decision a gate could take: which track says so, what, and when first. */
export interface Decided {
  readonly track: string;
  readonly text: string;
  readonly colour: string;
  readonly rows: number;
  /** Pictures taken until then. */
  readonly pictures: number;
  readonly atMs: number;
}

/** A camera before both networks and the tracker, that keeps account of what a gate would have heard. */
export class Watcher {
  readonly #recognizer: Recognizer;
  readonly #tracker = new Tracker({ prefix: '' });
  readonly #decided = new Map<string, Decided>();
  readonly #states: TrackState[] = [];
  #pictures = 0;

  constructor(recognizer: Recognizer) {
    this.#recognizer = recognizer;
  }

  /** Shows it one picture. @returns what the networks saw, and what the tracker said of it */
  async show(image: Image, atMs: number): Promise<{ readonly plates: readonly ReadDetection[]; readonly states: readonly TrackState[] }> {
    const { plates } = await this.#recognizer.recognize(image);
    const states = this.#tracker.update(plates, atMs, image);
    this.#pictures += 1;
    this.#states.push(...states);
    for (const { track, vote, decisive, stationary, ended } of states) {
      if (vote === undefined || !decisive || stationary || ended) continue;
      const key = `${track} ${vote.text}`;
      if (!this.#decided.has(key)) this.#decided.set(key, { track, text: vote.text, colour: vote.colour, rows: vote.rows, pictures: this.#pictures, atMs });
    }
    return { plates, states };
  }

  /** Whatever was decisive at any time of a plate that did not count as parked, once for each track and text, in order. */
  decided(): readonly Decided[] {
    return [...this.#decided.values()];
  }

  states(): readonly TrackState[] {
    return this.#states;
  }
}
