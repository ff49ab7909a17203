import type { Quad } from '../base/index.js';
import { decodeDetections, toPicture, type Detection } from './detect.js';
import { quadHeight, quadWidth, type Region } from './geometry.js';
import type { Image } from './image.js';
import { letterbox, planLetterbox } from './letterbox.js';
import type { Models } from './models.js';
import { nearestSureFirst } from './order.js';
import { decodeReads, type Reading, type ReaderOutput } from './read.js';
import { reframe } from './reframe.js';
import { straighten } from './straighten.js';
import type { FoundPlate } from './types.js';

export interface DetectOptions {
  /** Part of the picture to search; the whole where omitted. */
  readonly region?: Region;
  /** Network pixels of the picture's long side; the manifest's where omitted. */
  readonly longSide?: number;
  readonly threshold?: number;
}

export interface ReadDetection extends Detection {
  readonly reading: Reading;
}

/** A reading and the corners, in the picture, within which it was read. */
export interface PlacedReading extends Reading {
  readonly corners: Quad;
}

export interface RecognizeTimes {
  readonly detectMs: number;
  readonly readMs: number;
}

/** Plates in one picture beyond which the rest is not read. */
const mostPlates = 8;
/** Plates in a picture for which everything is run once before the first: two vehicles, and more behind them. */
const warmUpPlates = [0, 1, 2, 3, 4, 1] as const;
/** Narrower plates hold no readable characters. */
const narrowestPlatePx = 18;

/**
 * Both networks with everything around them: picture in memory to read plates. Buffers are used again, so calls are
 * taken one after the other.
 */
export class Recognizer {
  #image = new Float32Array(0);
  #plates = new Float32Array(0);
  #turn: Promise<unknown> = Promise.resolve();

  constructor(readonly models: Models) {}

  /** Plates of the picture, in its pixels, best score first. */
  detect(image: Image, options: DetectOptions = {}): Promise<Detection[]> {
    return this.#inTurn(() => this.#detect(image, options));
  }

  /** Readings of the plates within these corners, in their order; where the corners were askew, with better ones. */
  read(image: Image, quads: readonly Quad[]): Promise<PlacedReading[]> {
    return this.#inTurn(() => this.#read(image, quads));
  }

  /** Finds and reads. */
  async recognize(image: Image, options: DetectOptions = {}): Promise<{ readonly plates: readonly ReadDetection[]; readonly times: RecognizeTimes }> {
    return this.#inTurn(async () => {
      const startMs = performance.now();
      const detections = (await this.#detect(image, options)).filter(({ corners }) => quadWidth(corners) >= narrowestPlatePx && quadHeight(corners) >= 5);
      const foundMs = performance.now();
      const readings = await this.#read(image, detections.map(({ corners }) => corners));
      const plates = detections.map((detection, at): ReadDetection => {
        const { corners, ...reading } = readings[at] ?? { corners: detection.corners, slots: [] };
        return { ...detection, corners, reading };
      });
      return { plates, times: { detectMs: foundMs - startMs, readMs: performance.now() - foundMs } };
    });
  }

  /**
   * Runs everything once on gray pictures of these sizes, or parts of them, with no, one and several plates in them, so
   * that the first vehicle finds buffers allocated and code compiled, and waits no longer than the later ones.
   */
  warmUp(views: readonly { readonly width: number; readonly height: number; readonly region?: Region | undefined }[]): Promise<void> {
    return this.#inTurn(async () => {
      for (const { width, height, region } of views) {
        const image = { data: new Uint8Array(width * height * 3).fill(128), width, height };
        const { x, y, width: across, height: down } = region ?? { x: 0, y: 0, width, height };
        const middle: Quad = [
          [x + across * 0.4, y + down * 0.45],
          [x + across * 0.6, y + down * 0.45],
          [x + across * 0.6, y + down * 0.55],
          [x + across * 0.4, y + down * 0.55],
        ];
        for (const plates of warmUpPlates) {
          await this.#detect(image, region === undefined ? {} : { region });
          await this.#read(image, Array.from({ length: plates }, () => middle));
        }
      }
    });
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.models.close();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #detect(image: Image, options: DetectOptions): Promise<Detection[]> {
    const { input, stride, threshold, nmsIou } = this.models.manifest.detector;
    const plan = planLetterbox(image, options.longSide ?? input.longSide, input.multiple, options.region);
    const length = 3 * plan.width * plan.height;
    if (this.#image.length < length) this.#image = new Float32Array(length);
    const tensor = this.#image.length === length ? this.#image : this.#image.subarray(0, length);
    letterbox(image, plan, input, tensor);
    const output = await this.models.detect(tensor, plan.width, plan.height);
    const found = decodeDetections(
      { ...output, width: Math.ceil(plan.width / stride), height: Math.ceil(plan.height / stride) },
      { stride, threshold: options.threshold ?? threshold, nmsIou, most: mostPlates },
    );
    return found.map((detection) => ({ ...detection, corners: toPicture(detection.corners, plan) }));
  }

  async #read(image: Image, quads: readonly Quad[]): Promise<PlacedReading[]> {
    if (quads.length === 0) return [];
    const { reader } = this.models.manifest;
    const first = await this.#readFramed(image, quads);
    const { corners } = first.output;
    const placed = quads.map((framed, at): PlacedReading => ({ ...(first.readings[at] ?? { slots: [] }), corners: framed }));
    if (corners === undefined) return placed;
    // the reader sees the whole plate and its surroundings, the detector saw a few pixels: askew frames are cut anew
    const again = quads.flatMap((quad, at) => {
      const better = reframe(quad, corners.subarray(8 * at, 8 * at + 8), reader.input);
      return better === undefined ? [] : [{ at, corners: better }];
    });
    if (again.length === 0) return placed;
    const second = await this.#readFramed(image, again.map((each) => each.corners));
    for (const [index, each] of again.entries()) {
      const reading = second.readings[index];
      if (reading !== undefined && (reading.read?.confidence ?? 0) >= (placed[each.at]?.read?.confidence ?? 0)) placed[each.at] = { ...reading, corners: each.corners };
    }
    return placed;
  }

  /** One run of the reader over the plates within these corners. */
  async #readFramed(image: Image, quads: readonly Quad[]): Promise<{ readonly readings: readonly Reading[]; readonly output: ReaderOutput }> {
    const { reader } = this.models.manifest;
    const each = 3 * reader.input.width * reader.input.height;
    const length = each * quads.length;
    if (this.#plates.length < length) this.#plates = new Float32Array(length);
    const tensor = this.#plates.subarray(0, length);
    // corners without an area are read as an empty plate: the reader says blank
    for (const [at, quad] of quads.entries()) if (!straighten(image, quad, reader.input, tensor, at * each)) tensor.fill(0, at * each, (at + 1) * each);
    const output = await this.models.read(tensor, quads.length);
    return { readings: decodeReads(output, quads.length, reader), output };
  }
}

/** Those that were read, in the form the other rooms take; that of the nearest vehicle first, see `nearestSureFirst`. */
export function readPlates(plates: readonly ReadDetection[]): FoundPlate[] {
  const found: FoundPlate[] = [];
  for (const { corners, score, reading } of plates) if (reading.read !== undefined) found.push({ read: reading.read, corners, score });
  return nearestSureFirst(found, (plate) => plate);
}
