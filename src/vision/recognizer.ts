import type { Quad } from '../base/index.js';
import { decodeDetections, toPicture, type Detection } from './detect.js';
import { quadHeight, quadWidth, type Region } from './geometry.js';
import type { Image } from './image.js';
import { letterbox, planLetterbox } from './letterbox.js';
import type { Models } from './models.js';
import { decodeReads, type Reading } from './read.js';
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

export interface RecognizeTimes {
  readonly detectMs: number;
  readonly readMs: number;
}

/** Plates in one picture beyond which the rest is not read. */
const mostPlates = 8;
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

  /** Readings of the plates within these corners, in their order. */
  read(image: Image, quads: readonly Quad[]): Promise<Reading[]> {
    return this.#inTurn(() => this.#read(image, quads));
  }

  /** Finds and reads. */
  async recognize(image: Image, options: DetectOptions = {}): Promise<{ readonly plates: readonly ReadDetection[]; readonly times: RecognizeTimes }> {
    return this.#inTurn(async () => {
      const startMs = performance.now();
      const detections = (await this.#detect(image, options)).filter(({ corners }) => quadWidth(corners) >= narrowestPlatePx && quadHeight(corners) >= 5);
      const foundMs = performance.now();
      const readings = await this.#read(image, detections.map(({ corners }) => corners));
      const plates = detections.map((detection, at) => ({ ...detection, reading: readings[at] ?? { slots: [] } }));
      return { plates, times: { detectMs: foundMs - startMs, readMs: performance.now() - foundMs } };
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

  async #read(image: Image, quads: readonly Quad[]): Promise<Reading[]> {
    if (quads.length === 0) return [];
    const { reader } = this.models.manifest;
    const each = 3 * reader.input.width * reader.input.height;
    const length = each * quads.length;
    if (this.#plates.length < length) this.#plates = new Float32Array(length);
    const tensor = this.#plates.subarray(0, length);
    // corners without an area are read as an empty plate: the reader says blank
    for (const [at, quad] of quads.entries()) if (!straighten(image, quad, reader.input, tensor, at * each)) tensor.fill(0, at * each, (at + 1) * each);
    return decodeReads(await this.models.read(tensor, quads.length), quads.length, reader);
  }
}

/** Those that were read, in the form the other rooms take, best first. */
export function readPlates(plates: readonly ReadDetection[]): FoundPlate[] {
  const found: FoundPlate[] = [];
  for (const { corners, score, reading } of plates) if (reading.read !== undefined) found.push({ read: reading.read, corners, score });
  return found.sort((a, b) => b.read.confidence - a.read.confidence);
}
