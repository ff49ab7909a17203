import { existsSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { GateError, errorText, type Log } from '../base/index.js';
import { keepLastGood } from './last-good.js';
import { readModelFiles, type Manifest, type ModelFiles } from './manifest.js';
import { inputOf, inputShape } from './model-input.js';
import type { ReaderOutput } from './read.js';

/** Both networks, checked against their manifest and warmed up. */
export interface Models {
  readonly directory: string;
  readonly manifest: Manifest;
  /** Bytes of both files together. */
  readonly bytes: number;
  /** @param image planes of R, G, B; `width` and `height` multiples of the manifest's */
  detect(image: Float32Array, width: number, height: number): Promise<{ readonly score: Float32Array; readonly corners: Float32Array }>;
  /** @param plates `count` straightened plates, one after the other */
  read(plates: Float32Array, count: number): Promise<ReaderOutput>;
  close(): Promise<void>;
}

export interface LoadOptions {
  /** Directories with a manifest, the preferred one first: a site's own, then the shipped one. */
  readonly directories: readonly string[];
  /**
   * Where a copy is kept of the first directory's models once they were found to fit; it stands in, before the other
   * directories, when they fit no more. Without it nothing is kept.
   */
  readonly lastGood?: string | undefined;
  /** Threads of one network run. */
  readonly threads: number;
  readonly log: Log;
}

function floats(outputs: InferenceSession.OnnxValueMapType, name: string, what: string): Float32Array {
  const data = outputs[name]?.data;
  if (!(data instanceof Float32Array)) throw new GateError('MODEL_INVALID', `The ${what}'s output "${name}" is of the type ${String(outputs[name]?.type)} and must be float32. Export it so.`, { output: name });
  return data;
}

/** `-1` stands for any size. */
function expectShape(outputs: InferenceSession.OnnxValueMapType, name: string, what: string, expected: readonly number[]): void {
  floats(outputs, name, what);
  const dims = outputs[name]?.dims;
  if (dims?.length === expected.length && dims.every((size, at) => size === expected[at] || (expected[at] === -1 && size > 0))) return;
  throw new GateError('MODEL_INVALID', `The ${what}'s output "${name}" has the shape ${JSON.stringify(dims)}, its manifest implies ${JSON.stringify(expected)}. Export model and manifest together.`, { output: name });
}

async function openSession(bytes: Uint8Array, what: string, threads: number, input: string, outputs: readonly string[]): Promise<InferenceSession> {
  let session: InferenceSession;
  try {
    session = await InferenceSession.create(bytes, {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
    });
  } catch (error) {
    throw new GateError('MODEL_INVALID', `The ${what} is no network that ONNX Runtime can run: ${errorText(error)}`, {}, error);
  }
  const [taken] = session.inputMetadata;
  if (taken?.isTensor === true && (taken.type !== 'float32' || taken.shape.length !== 4)) {
    throw new GateError('MODEL_INVALID', `The ${what} takes ${taken.type} of ${taken.shape.length} dimensions; pictures are float32 of four. Export it so.`);
  }
  if (session.inputNames.length !== 1 || session.inputNames[0] !== input) {
    throw new GateError('MODEL_INVALID', `The ${what} takes ${JSON.stringify(session.inputNames)}, its manifest names the one input "${input}". Correct input.name in the manifest, or export model and manifest together.`);
  }
  const missing = outputs.filter((name) => !session.outputNames.includes(name));
  if (missing.length > 0) {
    throw new GateError('MODEL_INVALID', `The ${what} lacks the outputs ${missing.join(', ')}; it has ${session.outputNames.join(', ')}. Export model and manifest together.`);
  }
  return session;
}

async function run(session: InferenceSession, name: string, tensor: Tensor, what: string): Promise<InferenceSession.OnnxValueMapType> {
  try {
    return await session.run({ [name]: tensor });
  } catch (error) {
    throw new GateError('MODEL_INVALID', `The ${what} refuses an input of shape ${JSON.stringify(tensor.dims)}: ${errorText(error)}`, {}, error);
  }
}

async function openModels(files: ModelFiles, threads: number): Promise<Models> {
  const { directory, manifest } = files;
  const { detector: d, reader: r } = manifest;
  const detector = await openSession(files.detector, 'detector', threads, d.input.name, [d.outputs.score, d.outputs.corners]);
  const reader = await openSession(files.reader, 'reader', threads, r.input.name, [r.outputs.characters, r.outputs.class, r.outputs.rows, r.outputs.corners].filter((name) => name !== undefined));

  const runDetector = (image: Float32Array, width: number, height: number): Promise<InferenceSession.OnnxValueMapType> =>
    run(detector, d.input.name, new Tensor('float32', inputOf(image, 1, width * height, d.input), inputShape(1, width, height, d.input)), 'detector');
  const runReader = (plates: Float32Array, count: number): Promise<InferenceSession.OnnxValueMapType> =>
    run(reader, r.input.name, new Tensor('float32', inputOf(plates, count, r.input.width * r.input.height, r.input), inputShape(count, r.input.width, r.input.height, r.input)), 'reader');

  // The first run of a shape costs several times the later ones, and shows whether the network fits its manifest.
  const side = Math.ceil(d.input.longSide / d.input.multiple) * d.input.multiple;
  const across = Math.ceil((d.input.longSide * 9) / 16 / d.input.multiple) * d.input.multiple;
  for (const [width, height] of [[d.input.multiple * 2, d.input.multiple * 3], [side, across], [side, across]] as const) {
    const found = await runDetector(new Float32Array(3 * width * height), width, height);
    const grid = [Math.ceil(height / d.stride), Math.ceil(width / d.stride)];
    expectShape(found, d.outputs.score, 'detector', [1, 2, ...grid]);
    expectShape(found, d.outputs.corners, 'detector', [1, 8, ...grid]);
  }
  for (const count of [2, 1]) {
    const read = await runReader(new Float32Array(count * 3 * r.input.height * r.input.width), count);
    const places = r.decoding === 'slots' ? r.slots : -1;
    expectShape(read, r.outputs.characters, 'reader', r.decoding === 'ctc' && r.ctc?.layout === 'NAT' ? [count, r.alphabet.length, places] : [count, places, r.alphabet.length]);
    if (r.outputs.class !== undefined) expectShape(read, r.outputs.class, 'reader', [count, r.classes.length]);
    if (r.outputs.rows !== undefined) expectShape(read, r.outputs.rows, 'reader', [count, 2]);
    if (r.outputs.corners !== undefined) expectShape(read, r.outputs.corners, 'reader', [count, 8]);
  }

  return {
    directory,
    manifest,
    bytes: files.detector.length + files.reader.length,
    async detect(image, width, height) {
      const outputs = await runDetector(image, width, height);
      return { score: floats(outputs, d.outputs.score, 'detector'), corners: floats(outputs, d.outputs.corners, 'detector') };
    },
    async read(plates, count) {
      const outputs = await runReader(plates, count);
      return {
        characters: floats(outputs, r.outputs.characters, 'reader'),
        ...(r.outputs.class === undefined ? {} : { colours: floats(outputs, r.outputs.class, 'reader') }),
        ...(r.outputs.rows === undefined ? {} : { rows: floats(outputs, r.outputs.rows, 'reader') }),
        ...(r.outputs.corners === undefined ? {} : { corners: floats(outputs, r.outputs.corners, 'reader') }),
      };
    },
    async close() {
      await detector.release();
      await reader.release();
    },
  };
}

export interface LoadedModels {
  readonly models: Models;
  /** Why a preferred directory was passed over; empty where the first one was taken. */
  readonly refused: readonly { readonly directory: string; readonly reason: string }[];
}

/**
 * Loads the first directory whose models fit their manifest; the later ones, and the models that last did fit, are there
 * so that a site's faulty models do not stop its gate. Throws `MODEL_INVALID` with every directory's fault where none fits.
 */
export async function loadModels({ directories, lastGood, threads, log }: LoadOptions): Promise<LoadedModels> {
  const refused: { directory: string; reason: string }[] = [];
  const [first, ...others] = directories;
  // the shipped models, which come alone, need no copy
  const kept = first !== undefined && others.length > 0 ? lastGood : undefined;
  for (const directory of kept === undefined || first === undefined ? directories : [first, kept, ...others]) {
    try {
      const files = await readModelFiles(directory);
      const models = await openModels(files, threads);
      if (kept !== undefined && directory === first) await keepLastGood(files, kept).catch((error: unknown) => log.warn({ kept, error: errorText(error) }, 'vision: the models cannot be kept for later'));
      log.info({ directory, version: models.manifest.version, bytes: models.bytes, threads }, 'vision: models loaded');
      return { models, refused };
    } catch (error) {
      // nothing was kept yet: no fault of anybody's
      if (directory === kept && !existsSync(kept)) continue;
      refused.push({ directory, reason: errorText(error) });
      log.error({ directory, error: errorText(error) }, 'vision: models refused');
    }
  }
  throw new GateError('MODEL_INVALID', refused.map(({ reason }) => reason.replace(/^MODEL_INVALID: /u, '')).join(' Then: '), { refused });
}
