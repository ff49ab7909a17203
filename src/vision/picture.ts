import sharp from 'sharp';
import { GateError, errorText, type Quad } from '../base/index.js';
import { distance, quadCentre, quadHeight, quadIou, quadWidth, type Region } from './geometry.js';
import type { Image } from './image.js';
import type { ReadDetection, Recognizer } from './recognizer.js';

/** Larger photographs are scaled down on reading: at this size a plate that fills a fortieth still reads. */
const longestSide = 2_560;
/** A picture with a plate read this surely needs no second look. */
const sure = 0.9;
/** Long sides, in network pixels, at which a picture is searched again: for small plates, then for ones that fill it. */
const secondLooks = [1_280, 960, 416] as const;
/** A picture lower than this, shaped like a plate, may be a plate cut out by another program. */
const cutOutHeight = 130;
/** How much of such a cut-out lies beyond the plate, of its width and height. */
const cutOutRims = [
  [0.025, 0.06],
  [0, 0],
  [0.05, 0.12],
] as const;
/** The zoomed-in view for finding corners: network pixels, and its width in plate widths. */
const closeUpPx = 256;
const closeUpWidths = 2.4;

/** Reads a picture file's bytes (JPEG, PNG, WebP) upright as its EXIF says. Throws `PICTURE_UNREADABLE`. */
export async function decodePicture(bytes: Uint8Array, file: string): Promise<Image> {
  try {
    const { data, info } = await sharp(bytes, { failOn: 'error' })
      .rotate()
      .resize({ width: longestSide, height: longestSide, fit: 'inside', withoutEnlargement: true })
      .flatten({ background: '#808080' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels === 3) return { data, width: info.width, height: info.height };
    throw new GateError('PICTURE_UNREADABLE', `${file} decodes to ${info.channels} channels instead of three.`, { file });
  } catch (error) {
    if (error instanceof GateError) throw error;
    throw new GateError('PICTURE_UNREADABLE', `${file} is no picture that can be read (${errorText(error)}); JPEG, PNG and WebP are.`, { file }, error);
  }
}

export interface PictureReading {
  readonly plates: readonly ReadDetection[];
  readonly detectMs: number;
  readonly readMs: number;
}

/**
 * All a still picture gives, with time for second looks that a live lane takes from the next frame instead: nearer and
 * farther scales, a close-up of what was read unsurely, and, for a picture that is itself a plate, the whole of it.
 */
export async function readPicture(recognizer: Recognizer, image: Image): Promise<PictureReading> {
  let detectMs = 0;
  let readMs = 0;
  let plates: readonly ReadDetection[] = [];
  const look = async (longSide?: number, region?: Region): Promise<readonly ReadDetection[]> => {
    const first = longSide === undefined && region === undefined;
    const { detector } = recognizer.models.manifest;
    const result = await recognizer.recognize(image, {
      ...(longSide === undefined ? {} : { longSide }),
      ...(region === undefined ? {} : { region }),
      ...(first ? {} : { threshold: Math.min(detector.threshold, 0.2) }),
    });
    detectMs += result.times.detectMs;
    readMs += result.times.readMs;
    return result.plates;
  };
  const best = (): number => Math.max(0, ...plates.map(confidenceOf));

  plates = merge(plates, await look());
  if (isCutOut(image) && best() < 0.99) {
    const startMs = performance.now();
    plates = merge(plates, await readWhole(recognizer, image));
    readMs += performance.now() - startMs;
  }
  for (const plate of plates) {
    if (confidenceOf(plate) < sure && quadWidth(plate.corners) >= 24) plates = merge(plates, await closeUp(image, plate.corners, look));
  }
  const side = Math.max(image.width, image.height);
  for (const longSide of secondLooks) {
    if (best() >= sure) break;
    // enlarging more than twice shows nothing new
    if (longSide > side * 2 || isCutOut(image)) continue;
    plates = merge(plates, await look(longSide));
  }
  return { plates: inOrder(plates), detectMs, readMs };
}

const confidenceOf = (plate: ReadDetection): number => plate.reading.read?.confidence ?? 0;

/** Surest first; of equally sure ones the nearest, that is the widest. */
function inOrder(plates: readonly ReadDetection[]): ReadDetection[] {
  const step = (plate: ReadDetection): number => Math.round(confidenceOf(plate) * 50);
  return [...plates].sort((a, b) => step(b) - step(a) || quadWidth(b.corners) - quadWidth(a.corners));
}

/** Both lists in one; of two views of the same plate the surer one stays. */
function merge(before: readonly ReadDetection[], more: readonly ReadDetection[]): ReadDetection[] {
  const all = [...before, ...more].sort((a, b) => confidenceOf(b) - confidenceOf(a) || b.score - a.score);
  const kept: ReadDetection[] = [];
  for (const plate of all) if (!kept.some((other) => isSamePlate(other, plate))) kept.push(plate);
  return kept;
}

function isSamePlate(a: ReadDetection, b: ReadDetection): boolean {
  if (quadIou(a.corners, b.corners) > 0.2) return true;
  const apart = distance(quadCentre(a.corners), quadCentre(b.corners));
  if (apart < 0.4 * Math.max(quadWidth(a.corners), quadWidth(b.corners))) return true;
  const text = a.reading.read?.text;
  return text !== undefined && text === b.reading.read?.text;
}

/** Searches again around a plate, so near that its corners are found within a pixel or two. */
async function closeUp(image: Image, corners: Quad, look: (longSide: number, region: Region) => Promise<readonly ReadDetection[]>): Promise<readonly ReadDetection[]> {
  const [x, y] = quadCentre(corners);
  const wanted = Math.max(quadWidth(corners) * closeUpWidths, quadHeight(corners) * closeUpWidths);
  const left = Math.max(0, Math.floor(x - wanted / 2));
  const top = Math.max(0, Math.floor(y - wanted / 2));
  const width = Math.min(image.width, Math.ceil(x + wanted / 2)) - left;
  const height = Math.min(image.height, Math.ceil(y + wanted / 2)) - top;
  if (width < 8 || height < 8) return [];
  const longSide = Math.round((closeUpPx / Math.max(width, height)) * Math.max(image.width, image.height));
  return look(longSide, { x: left, y: top, width, height });
}

function isCutOut({ width, height }: Image): boolean {
  const aspect = width / height;
  return height <= cutOutHeight && aspect >= 1.3 && aspect <= 7;
}

/** Takes the whole picture for one plate, cut out more or less tightly; the surest of the readings. */
async function readWhole(recognizer: Recognizer, { data, width, height }: Image): Promise<ReadDetection[]> {
  const quads = cutOutRims.map(([rimX, rimY]): Quad => {
    const [x, y] = [rimX * (width - 1), rimY * (height - 1)];
    return [
      [x, y],
      [width - 1 - x, y],
      [width - 1 - x, height - 1 - y],
      [x, height - 1 - y],
    ];
  });
  const readings = await recognizer.read({ data, width, height }, quads);
  return readings.flatMap((reading, at) => {
    const corners = quads[at];
    return corners === undefined || reading.read === undefined ? [] : [{ corners, reading, score: 0, rows: reading.read.rows }];
  });
}
