import { InferenceSession, Tensor } from 'onnxruntime-node';
import { GateError, errorText, type Log } from '../base/index.js';
import { readModelFiles, type Manifest } from './manifest.js';

/** Both networks, checked against their manifest and warmed up. */
export interface Models {
  readonly directory: string;
  readonly manifest: Manifest;
  /** Bytes of both files together. */
  readonly bytes: number;
  /** @param image planes of R, G, B; `width` and `height` multiples of the manifest's */
  detect(image: Float32Array, width: number, height: number): Promise<{ readonly score: Float32Array; readonly corners: Float32Array }>;
  /** @param plates `count` straightened plates, one after the other */
  read(plates: Float32Array, count: number): Promise<{ readonly characters: Float32Array; readonly colours: Float32Array; readonly rows: Float32Array }>;
  close(): Promise<void>;
}

export interface LoadOptions {
  /** Directories with a manifest, the preferred one first: a site's own, then the shipped one. */
  readonly directories: readonly string[];
  /** Threads of one network run. */
  readonly threads: number;
  readonly log: Log;
}

function floats(outputs: InferenceSession.OnnxValueMapType, name: string, what: string): Float32Array {
  const data = outputs[name]?.data;
  if (!(data instanceof Float32Array)) throw new GateError('MODEL_INVALID', `The ${what} gives no float32 output "${name}".`, { output: name });
  return data;
}

function expectShape(outputs: InferenceSession.OnnxValueMapType, name: string, what: string, expected: readonly number[]): void {
  const dims = outputs[name]?.dims;
  if (dims?.length === expected.length && dims.every((size, at) => size === expected[at])) return;
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
  if (session.inputNames.length !== 1 || session.inputNames[0] !== input) {
    throw new GateError('MODEL_INVALID', `The ${what} takes ${JSON.stringify(session.inputNames)}, its manifest names the input "${input}".`);
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

async function openModels(directory: string, threads: number): Promise<Models> {
  const files = await readModelFiles(directory);
  const { manifest } = files;
  const { detector: d, reader: r } = manifest;
  const detector = await openSession(files.detector, 'detector', threads, d.input.name, [d.outputs.score, d.outputs.corners]);
  const reader = await openSession(files.reader, 'reader', threads, r.input.name, [r.outputs.characters, r.outputs.class, r.outputs.rows]);

  const runDetector = (image: Float32Array, width: number, height: number): Promise<InferenceSession.OnnxValueMapType> =>
    run(detector, d.input.name, new Tensor('float32', image, [1, 3, height, width]), 'detector');
  const runReader = (plates: Float32Array, count: number): Promise<InferenceSession.OnnxValueMapType> =>
    run(reader, r.input.name, new Tensor('float32', plates, [count, 3, r.input.height, r.input.width]), 'reader');

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
    expectShape(read, r.outputs.characters, 'reader', [count, r.slots, r.alphabet.length]);
    expectShape(read, r.outputs.class, 'reader', [count, r.classes.length]);
    expectShape(read, r.outputs.rows, 'reader', [count, 2]);
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
      return { characters: floats(outputs, r.outputs.characters, 'reader'), colours: floats(outputs, r.outputs.class, 'reader'), rows: floats(outputs, r.outputs.rows, 'reader') };
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
 * Loads the first directory whose models fit their manifest; the later ones are there so that a site's faulty models do
 * not stop its gate. Throws `MODEL_INVALID` with every directory's fault where none fits.
 */
export async function loadModels({ directories, threads, log }: LoadOptions): Promise<LoadedModels> {
  const refused: { directory: string; reason: string }[] = [];
  for (const directory of directories) {
    try {
      const models = await openModels(directory, threads);
      log.info({ directory, version: models.manifest.version, bytes: models.bytes, threads }, 'vision: models loaded');
      return { models, refused };
    } catch (error) {
      refused.push({ directory, reason: errorText(error) });
      log.error({ directory, error: errorText(error) }, 'vision: models refused');
    }
  }
  throw new GateError('MODEL_INVALID', refused.map(({ reason }) => reason.replace(/^MODEL_INVALID: /u, '')).join(' Then: '), { refused });
}
