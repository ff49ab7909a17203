import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { silentLog, type Quad } from '../../src/base/index.js';
import { readVideoFile } from '../../src/camera/index.js';
import { Recognizer, decodePicture, loadModels, planLetterbox, readPicture, shippedModels, type Image, type Models } from '../../src/vision/index.js';
import { picturesWithoutPlates } from './no-plates.js';

/** Where the picture sets lie: beside the repository, or where LAUREL_DATA says. */
const data = process.env['LAUREL_DATA'] ?? fileURLToPath(new URL('../../../shared/data', import.meta.url));
/** The confidence from which a read may open a barrier (the configuration's default). */
const openingConfidence = 0.9;
const timedRuns = 200;
/** Drawn pictures full of what is taken for a plate. */
const drawnPictures = 600;

interface Row {
  readonly path: string;
  readonly plate: string;
}

interface Score {
  readonly pictures: number;
  readonly right: number;
  readonly province: number;
  /** Of reads shown as 0.99 or more: how many, and how many of them right. */
  readonly sure: { readonly reads: number; readonly right: number };
  readonly msP50: number;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 100) / 100;
}

const percent = (part: number, whole: number): number => (whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 100);
/** The letter O and the digit 0 look the same on a plate. */
const fold = (plate: string): string => plate.replaceAll('O', '0');

async function readRows(set: string): Promise<Row[] | undefined> {
  const csv = join(data, `${set}.csv`);
  if (!existsSync(csv)) return undefined;
  const [header, ...lines] = (await readFile(csv, 'utf8')).split(/\r?\n/u).filter((line) => line !== '');
  const columns = (header ?? '').split(',');
  return lines.map((line) => {
    const cells = line.split(',');
    return { path: join(data, set, cells[columns.indexOf('file')] ?? ''), plate: cells[columns.indexOf('plate')] ?? '' };
  });
}

async function scoreSet(recognizer: Recognizer, rows: readonly Row[], progress: (done: number) => void): Promise<Score> {
  let right = 0;
  let province = 0;
  const sure = { reads: 0, right: 0 };
  const times: number[] = [];
  for (const [done, row] of rows.entries()) {
    const image = await decodePicture(await readFile(row.path), row.path);
    const startMs = performance.now();
    const { plates } = await readPicture(recognizer, image);
    times.push(performance.now() - startMs);
    const best = plates[0]?.reading.read;
    const isRight = best !== undefined && fold(best.text) === fold(row.plate);
    if (isRight) right += 1;
    if (best?.text[0] === row.plate[0]) province += 1;
    if (best !== undefined && best.confidence >= 0.99) {
      sure.reads += 1;
      if (isRight) sure.right += 1;
    }
    if (done % 50 === 0) progress(done);
  }
  return { pictures: rows.length, right: percent(right, rows.length), province: percent(province, rows.length), sure, msP50: quantile(times, 0.5) };
}

/** How many pictures without a plate give a read that could open a barrier, each looked at once as a lane does its frames. */
async function scoreNothing(recognizer: Recognizer, pictures: AsyncIterable<Image>, progress: (done: number) => void): Promise<{ pictures: number; opening: number }> {
  const score = { pictures: 0, opening: 0 };
  for await (const picture of pictures) {
    const { plates } = await recognizer.recognize(picture);
    score.pictures += 1;
    if (plates.some(({ reading }) => (reading.read?.confidence ?? 0) >= openingConfidence)) score.opening += 1;
    if (score.pictures % 50 === 0) progress(score.pictures);
  }
  return score;
}

async function* picturesOf(files: readonly Buffer[]): AsyncGenerator<Image> {
  for (const file of files) yield await decodePicture(file, 'a background');
}

/** A 1280×720 picture: a frame of the garage video with its car near, or a gray ramp where there is no data. */
async function timingPicture(): Promise<Image> {
  const video = join(data, 'video/garage.mp4');
  if (existsSync(video)) {
    for await (const { frame, videoMs } of readVideoFile(video, { framesPerSecond: 2 })) {
      if (videoMs >= 8_000) return { data: frame.data.slice(), width: frame.width, height: frame.height };
    }
  }
  const [width, height] = [1_280, 720];
  return { data: Uint8Array.from({ length: width * height * 3 }, (_, at) => (at * 7) % 251), width, height };
}

const somewhere: Quad = [
  [540, 330],
  [740, 330],
  [740, 394],
  [540, 394],
];

/** The same two networks in bare ONNX Runtime sessions, with inputs that lie ready: what no program around them can beat. */
async function bareNetworks(models: Models): Promise<() => Promise<void>> {
  const { detector: d, reader: r } = models.manifest;
  const options: InferenceSession.SessionOptions = { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 };
  const detector = await InferenceSession.create(join(models.directory, d.file), options);
  const reader = await InferenceSession.create(join(models.directory, r.file), options);
  const { width, height } = planLetterbox({ width: 1_280, height: 720 }, d.input.longSide, d.input.multiple);
  const image = new Tensor('float32', new Float32Array(3 * width * height).fill(0.4), [1, 3, height, width]);
  const plate = new Tensor('float32', new Float32Array(3 * r.input.width * r.input.height).fill(0.4), [1, 3, r.input.height, r.input.width]);
  return async () => {
    await detector.run({ [d.input.name]: image });
    await reader.run({ [r.input.name]: plate });
  };
}

async function measureTimes(recognizer: Recognizer): Promise<{ own: number[]; bare: number[] }> {
  const picture = await timingPicture();
  const bareRun = await bareNetworks(recognizer.models);
  const own: number[] = [];
  const bare: number[] = [];
  const ownRun = async (): Promise<void> => {
    const found = await recognizer.detect(picture);
    await recognizer.read(picture, [found[0]?.corners ?? somewhere]);
  };
  for (let run = -20; run < timedRuns; run += 1) {
    const startMs = performance.now();
    await ownRun();
    const middleMs = performance.now();
    await bareRun();
    if (run < 0) continue;
    own.push(middleMs - startMs);
    bare.push(performance.now() - middleMs);
  }
  return { own, bare };
}

/**
 * Recognition end to end on the picture sets beside the repository: percent of plates with all characters right (O and 0
 * alike, the surest plate of a picture counts), and milliseconds from a 1280×720 picture in memory to its text on one
 * thread, beside bare sessions of the same networks in the same run. Sets that are missing are named, not invented.
 */
export async function run({ json }: { readonly json: boolean }): Promise<object> {
  const say = (line: string): void => {
    if (!json) process.stderr.write(`${line}\n`);
  };
  const { models } = await loadModels({ directories: [shippedModels()], threads: 1, log: silentLog });
  const recognizer = new Recognizer(models);
  say('timing …');
  const { own, bare } = await measureTimes(recognizer);
  const missing: string[] = [];
  const scores: Record<string, Score> = {};
  for (const set of ['eval/ccpd', 'eval/street', 'eval/crops']) {
    const rows = await readRows(set);
    if (rows === undefined) missing.push(set);
    else scores[set] = await scoreSet(recognizer, rows, (done) => say(`${set}: ${done} of ${rows.length}`));
  }
  const rows = await readRows('train/backgrounds');
  if (rows === undefined) missing.push('train/backgrounds');
  const grounds = await Promise.all((rows ?? []).map(({ path }) => readFile(path)));
  const roads = await scoreNothing(recognizer, picturesOf(grounds), (done) => say(`roads without plates: ${done} of ${grounds.length}`));
  const drawn = await scoreNothing(recognizer, picturesWithoutPlates(drawnPictures, 20, grounds), (done) => say(`signs, time stamps, badges: ${done} of ${drawnPictures}`));
  await recognizer.close();
  const sure = Object.values(scores).reduce((sum, each) => ({ reads: sum.reads + each.sure.reads, right: sum.right + each.sure.right }), { reads: 0, right: 0 });
  return {
    name: 'recognition',
    figures: {
      evalCcpd: scores['eval/ccpd']?.right ?? null,
      evalStreet: scores['eval/street']?.right ?? null,
      evalCrops: scores['eval/crops']?.right ?? null,
      provinceStreet: scores['eval/street']?.province ?? null,
      falsePerPicture: (roads.opening + drawn.opening) / (roads.pictures + drawn.pictures),
      withoutPlate: { roads, drawn },
      sureReads: sure.reads,
      sureRight: sure.reads === 0 ? null : percent(sure.right, sure.reads),
      msP50: quantile(own, 0.5),
      msP99: quantile(own, 0.99),
      msStillP50: Object.fromEntries(Object.entries(scores).map(([set, score]) => [set, score.msP50])),
      modelsMB: Math.round(models.bytes / 10_000) / 100,
      modelsVersion: models.manifest.version,
      memoryMB: Math.round(process.memoryUsage().rss / 1_048_576),
      reference: { what: 'the same two networks in bare ONNX Runtime sessions, inputs ready, same run', msP50: quantile(bare, 0.5), msP99: quantile(bare, 0.99) },
    },
    ...(missing.length === 0 ? {} : { missing, hint: 'the picture sets lie beside the repository in ../shared/data, or where LAUREL_DATA says' }),
  };
}
