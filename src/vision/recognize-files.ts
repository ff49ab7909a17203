import { readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { GateError, errorText, silentLog, type Log, type Point } from '../base/index.js';
import { readVideoFile } from '../camera/index.js';
import type { PlateColour } from '../plate/index.js';
import { shippedModels } from './client.js';
import { loadModels } from './models.js';
import { decodePicture, readPicture } from './picture.js';
import { Recognizer, readPlates, type ReadDetection } from './recognizer.js';
import { Tracker, type TrackState } from './tracker.js';

/** One plate of a result. */
export interface ResultPlate {
  readonly text: string;
  /** Calibrated, 0 to 1. */
  readonly confidence: number;
  readonly class: PlateColour;
  readonly rows: 1 | 2;
  /** Top left, top right, bottom right, bottom left; pixels of the picture, upright. */
  readonly corners: readonly Point[];
}

export interface ResultTimes {
  readonly decode: number;
  readonly detect: number;
  readonly read: number;
  readonly total: number;
}

export interface PictureResult {
  readonly file: string;
  /** That of the vehicle nearest to the camera first, among those read surely; then the surest. */
  readonly plates: readonly ResultPlate[];
  readonly ms: ResultTimes;
  /** Size of the picture the corners refer to, upright. */
  readonly width: number;
  readonly height: number;
  /** Place in a video, for a single frame of it. */
  readonly atMs?: number;
}

/** A plate as voted over the frames of a video; corners in the last frame that showed it. */
export interface VideoPlate extends ResultPlate {
  readonly reads: number;
  readonly decisive: boolean;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface VideoResult {
  readonly file: string;
  readonly plates: readonly VideoPlate[];
  readonly frames: number;
  readonly ms: ResultTimes;
}

export interface FailedResult {
  readonly file: string;
  readonly error: string;
}

export type RecognizeResult = PictureResult | VideoResult | FailedResult;

export interface RecognizeOptions {
  /** A site's own models; the shipped ones where omitted or refused. */
  readonly modelsDirectory?: string | undefined;
  /** Threads of one network run; 1 where omitted. */
  readonly threads?: number | undefined;
  /** Also give a result for each frame of a video. */
  readonly frames?: boolean | undefined;
  /** Frames a second looked at in a video; 10 where omitted. */
  readonly framesPerSecond?: number | undefined;
  readonly log?: Log | undefined;
  /** Called before each file, and for a video after each frame. */
  readonly onProgress?: ((progress: { readonly file: string; readonly done: number; readonly of: number; readonly frame?: number }) => void) | undefined;
}

const videoEndings = new Set(['.mp4', '.mkv', '.mov', '.avi', '.ts', '.m4v', '.webm', '.h264', '.h265', '.flv', '.mpg', '.mpeg', '.mjpeg', '.3gp']);

const round = (value: number, digits: number): number => Math.round(value * 10 ** digits) / 10 ** digits;

function resultPlates(plates: readonly ReadDetection[]): ResultPlate[] {
  return plates.flatMap(({ reading: { read }, corners }) =>
    read === undefined
      ? []
      : [{ text: read.text, confidence: round(read.confidence, 4), class: read.colour, rows: read.rows, corners: corners.map(([x, y]): Point => [round(x, 1), round(y, 1)]) }],
  );
}

/**
 * Reads the plates of pictures (JPEG, PNG, WebP) and videos (whatever ffmpeg plays), one result a file in their order;
 * the models are loaded once. A file that cannot be read gives a result with `error`, and the next one follows.
 *
 * Throws `MODEL_INVALID` before the first result where no models fit.
 */
export async function* recognizeFiles(files: readonly string[], options: RecognizeOptions = {}): AsyncGenerator<RecognizeResult> {
  const directories = [...(options.modelsDirectory === undefined ? [] : [options.modelsDirectory]), shippedModels()];
  const { models } = await loadModels({ directories, threads: options.threads ?? 1, log: options.log ?? silentLog });
  const recognizer = new Recognizer(models);
  try {
    for (const [done, file] of files.entries()) {
      options.onProgress?.({ file, done, of: files.length });
      try {
        const found = await stat(file).catch(() => undefined);
        if (found?.isFile() !== true) throw new GateError('PICTURE_UNREADABLE', `${file} ${found === undefined ? 'does not exist' : 'is no file'}; name pictures or videos.`, { file });
        if (videoEndings.has(extname(file).toLowerCase())) yield* recognizeVideo(recognizer, file, options, (frame) => options.onProgress?.({ file, done, of: files.length, frame }));
        else yield await recognizePicture(recognizer, file);
      } catch (error) {
        yield { file, error: errorText(error) };
      }
    }
  } finally {
    await recognizer.close();
  }
}

async function recognizePicture(recognizer: Recognizer, file: string): Promise<PictureResult> {
  const startMs = performance.now();
  const image = await decodePicture(await readFile(file), file);
  const decodedMs = performance.now();
  const { plates, detectMs, readMs } = await readPicture(recognizer, image);
  const ms = { decode: round(decodedMs - startMs, 2), detect: round(detectMs, 2), read: round(readMs, 2), total: round(performance.now() - startMs, 2) };
  return { file, plates: resultPlates(plates), ms, width: image.width, height: image.height };
}

interface VideoVote {
  state: TrackState;
  fromMs: number;
}

async function* recognizeVideo(recognizer: Recognizer, file: string, options: RecognizeOptions, onFrame: (frame: number) => void): AsyncGenerator<PictureResult | VideoResult> {
  const tracker = new Tracker({ prefix: '' });
  const votes = new Map<string, VideoVote>();
  const sum = { decode: 0, detect: 0, read: 0 };
  const startMs = performance.now();
  let size = { width: 1, height: 1 };
  let frames = 0;
  let waitingMs = startMs;
  const note = (states: readonly TrackState[]): void => {
    for (const state of states) {
      const known = votes.get(state.track);
      if (known === undefined) votes.set(state.track, { state, fromMs: state.seenAtMs });
      else known.state = state;
    }
  };
  for await (const { frame, videoMs } of readVideoFile(file, { framesPerSecond: options.framesPerSecond ?? 10 })) {
    const decodeMs = performance.now() - waitingMs;
    const { plates, times } = await recognizer.recognize(frame);
    note(tracker.update(plates, videoMs, frame));
    size = { width: frame.width, height: frame.height };
    frames += 1;
    sum.decode += decodeMs;
    sum.detect += times.detectMs;
    sum.read += times.readMs;
    onFrame(frames);
    if (options.frames === true) {
      const ms = { decode: round(decodeMs, 2), detect: round(times.detectMs, 2), read: round(times.readMs, 2), total: round(decodeMs + times.detectMs + times.readMs, 2) };
      const found = readPlates(plates).map((plate) => plates.find(({ corners }) => corners === plate.corners)).filter((plate) => plate !== undefined);
      yield { file, plates: resultPlates(found), ms, ...size, atMs: round(videoMs, 1) };
    }
    waitingMs = performance.now();
  }
  const voted = [...votes.values()].flatMap(({ state, fromMs }): VideoPlate[] => {
    const { vote } = state;
    if (vote === undefined) return [];
    const corners = state.corners.map(([x, y]): Point => [round(x * size.width, 1), round(y * size.height, 1)]);
    return [{ text: vote.text, confidence: round(vote.confidence, 4), class: vote.colour, rows: vote.rows, corners, reads: state.reads, decisive: state.decisive, fromMs: round(fromMs, 1), toMs: round(state.seenAtMs, 1) }];
  });
  // what was read often and surely first; a sign misread once comes last
  voted.sort((a, b) => Number(b.decisive) - Number(a.decisive) || b.confidence * Math.min(b.reads, 5) - a.confidence * Math.min(a.reads, 5));
  const ms = { decode: round(sum.decode, 1), detect: round(sum.detect, 1), read: round(sum.read, 1), total: round(performance.now() - startMs, 1) };
  yield { file, plates: voted, frames, ms };
}
