import sharp from 'sharp';
import { GateError, errorText, type Quad } from '../base/index.js';
import { distance, quadCentre, quadHeight, quadIou, quadWidth, type Region } from './geometry.js';
import type { Image } from './image.js';
import { nearestSureFirst, sureConfidence } from './order.js';
import type { ReadDetection, Recognizer } from './recognizer.js';
import { blend, framedAround } from './steady.js';

/** Larger photographs are scaled down on reading: at this size a plate that fills a fortieth still reads. */
const longestSide = 2_560;
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
/** A plate read less surely is read again in several framings. */
const steadyBelow = 0.97;
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
  /** That of the vehicle nearest to the camera first, see `nearestSureFirst`. */
  readonly plates: readonly ReadDetection[];
  readonly detectMs: number;
  readonly readMs: number;
}

/**
 * All a still picture gives, with time for second looks that a live lane takes from the next frame instead: nearer and
 * farther scales, a close-up of what was read unsurely, several framings of what stays unsure, and, for a picture that is
 * itself a plate, the whole of it.
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
    if (confidenceOf(plate) < sureConfidence && quadWidth(plate.corners) >= 24) plates = merge(plates, await closeUp(image, plate.corners, look));
  }
  const side = Math.max(image.width, image.height);
  for (const longSide of secondLooks) {
    if (best() >= sureConfidence) break;
    // enlarging more than twice shows nothing new
    if (longSide > side * 2 || isCutOut(image)) continue;
    plates = merge(plates, await look(longSide));
  }
  const startMs = performance.now();
  plates = await Promise.all(plates.map((plate) => (confidenceOf(plate) < steadyBelow ? steadied(recognizer, image, plate) : Promise.resolve(plate))));
  readMs += performance.now() - startMs;
  return { plates: nearestSureFirst(plates, ({ corners, reading: { read } }) => ({ corners, read })), detectMs, readMs };
}

const confidenceOf = (plate: ReadDetection): number => plate.reading.read?.confidence ?? 0;

/** The plate read in several framings at once; as it was where they make no plate together. */
async function steadied(recognizer: Recognizer, image: Image, plate: ReadDetection): Promise<ReadDetection> {
  const readings = await recognizer.read(image, framedAround(plate.corners));
  const reading = blend(readings, recognizer.models.manifest.reader);
  return reading === undefined ? plate : { ...plate, reading };
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
  return readings.flatMap(({ corners, ...reading }) => (reading.read === undefined ? [] : [{ corners, reading, score: 0, rows: reading.read.rows }]));
}
