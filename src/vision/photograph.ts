import sharp from 'sharp';
import { GateError, type LaneId, type Quad } from '../base/index.js';
import type { Frame } from '../camera/index.js';
import { quadHeight, quadWidth } from './geometry.js';
import { straighten } from './straighten.js';
import type { FoundPlate, Photograph } from './types.js';

const frameQuality = 82;
const plateQuality = 90;

/** The straightened plate as pixels, with a little of its surroundings; one or two rows by its shape. */
function platePixels(frame: Frame, quad: Quad): { data: Buffer; width: number; height: number } | undefined {
  const width = Math.round(Math.min(440, Math.max(160, quadWidth(quad) * 1.1)) / 2) * 2;
  const aspect = Math.min(4, Math.max(1.4, quadWidth(quad) / Math.max(1, quadHeight(quad))));
  const height = Math.round(width / aspect / 2) * 2;
  const planes = new Float32Array(width * height * 3);
  if (!straighten(frame, quad, { width, height, margin: Math.round(height * 0.08), scale: 1 }, planes)) return undefined;
  const data = Buffer.alloc(width * height * 3);
  const plane = width * height;
  for (let at = 0; at < plane; at += 1) {
    for (let channel = 0; channel < 3; channel += 1) data[at * 3 + channel] = Math.min(255, Math.round(planes[channel * plane + at] ?? 0));
  }
  return { data, width, height };
}

/** The straightened plate as a JPEG; undefined where its corners enclose nothing. */
export async function plateJpeg(frame: Frame, quad: Quad): Promise<Uint8Array | undefined> {
  const plate = platePixels(frame, quad);
  if (plate === undefined) return undefined;
  return sharp(plate.data, { raw: { width: plate.width, height: plate.height, channels: 3 } }).jpeg({ quality: plateQuality }).toBuffer();
}

/**
 * A frame as a photograph. The frame must stay retained until this settles: its pixels are read by another thread.
 * @param plates found in this frame; the first is shown close up
 */
export async function photograph(lane: LaneId, frame: Frame, plates: readonly FoundPlate[]): Promise<Photograph> {
  const bytes = frame.data.byteLength;
  if (bytes < frame.width * frame.height * 3) throw new GateError('PICTURE_UNREADABLE', `The picture is cut short: ${bytes} bytes for ${frame.width}×${frame.height}.`);
  const best = plates[0];
  const [frameJpeg, plate] = await Promise.all([
    sharp(frame.data, { raw: { width: frame.width, height: frame.height, channels: 3 } }).jpeg({ quality: frameQuality }).toBuffer(),
    best === undefined ? undefined : plateJpeg(frame, best.corners),
  ]);
  return {
    lane,
    takenAtMs: frame.atMs,
    width: frame.width,
    height: frame.height,
    frameJpeg,
    ...(plate === undefined ? {} : { plateJpeg: plate }),
    plates: plates.map(({ read, corners }) => ({ text: read.text, confidence: read.confidence, corners })),
  };
}
