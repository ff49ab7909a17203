import sharp from 'sharp';
import type { Random } from '../../src/sim/index.js';
import type { Image } from '../../src/vision/index.js';

/** A still photograph, and where on it the plate is, pixels. */
export interface Still {
  readonly image: Image;
  readonly plate: { readonly x: number; readonly y: number; readonly width: number };
}

/** What the camera does between one picture and the next. */
export interface Shot {
  /** Width of the plate in the picture, pixels. */
  readonly plateWidth: number;
  /** Where the plate is, 0 to 1 of the picture's width and height. */
  readonly at: readonly [number, number];
  readonly turnDeg?: number;
  /** Standard deviation of a lens out of focus, pixels. */
  readonly defocus?: number;
  /** Way of the plate during the exposure, pixels across. */
  readonly smear?: number;
  /** 1 as photographed; light beyond white is lost, darkness drowns in the noise. */
  readonly exposure?: number;
  /** Standard deviation of the sensor's noise, levels of 255. */
  readonly noise: number;
}

export const shotWidth = 800;
export const shotHeight = 600;

/** Copies of a still with a rim, so that the view may reach over its edge. */
async function withRim({ data, width, height }: Image, rim: number): Promise<Image> {
  const grown = await sharp(data, { raw: { width, height, channels: 3 } })
    .extend({ left: rim, right: rim, top: rim, bottom: rim, extendWith: 'copy' })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data: grown.data, width: grown.info.width, height: grown.info.height };
}

/** One take of a still: a picture of 800 by 600 for each shot. */
export async function film(still: Still, shots: readonly Shot[], random: Random): Promise<Image[]> {
  const widest = Math.max(...shots.map(({ plateWidth }) => (still.plate.width / plateWidth) * Math.hypot(shotWidth, shotHeight)));
  const rim = Math.ceil(widest);
  const ground = await withRim(still.image, rim);
  const images: Image[] = [];
  for (const shot of shots) images.push(await take(ground, { ...still.plate, x: still.plate.x + rim, y: still.plate.y + rim }, shot, random));
  return images;
}

async function take(ground: Image, plate: Still['plate'], shot: Shot, random: Random): Promise<Image> {
  const pixels = plate.width / shot.plateWidth;
  const turn = ((shot.turnDeg ?? 0) * Math.PI) / 180;
  // the middle of the view, from the plate
  const [dx, dy] = [(0.5 - shot.at[0]) * shotWidth, (0.5 - shot.at[1]) * shotHeight];
  const x = plate.x + (dx * Math.cos(turn) - dy * Math.sin(turn)) * pixels;
  const y = plate.y + (dx * Math.sin(turn) + dy * Math.cos(turn)) * pixels;
  // more than is seen, so that there is something in the corners when it is turned
  const spare = turn === 0 ? 1 : 1.12;
  const [width, height] = [Math.round(shotWidth * pixels * spare), Math.round(shotHeight * pixels * spare)];
  const [left, top] = [Math.min(Math.max(0, Math.round(x - width / 2)), ground.width - width), Math.min(Math.max(0, Math.round(y - height / 2)), ground.height - height)];
  let picture = sharp(ground.data, { raw: { width: ground.width, height: ground.height, channels: 3 } })
    .extract({ left, top, width, height })
    .resize(Math.round(shotWidth * spare), Math.round(shotHeight * spare), { fit: 'fill' });
  if (turn !== 0) {
    // sharp turns clockwise, and before it crops only where told by a picture of its own
    const turned = await picture.raw().toBuffer({ resolveWithObject: true });
    const rotated = await sharp(turned.data, { raw: { width: turned.info.width, height: turned.info.height, channels: 3 } })
      .rotate(-(shot.turnDeg ?? 0), { background: '#606060' })
      .raw()
      .toBuffer({ resolveWithObject: true });
    picture = sharp(rotated.data, { raw: { width: rotated.info.width, height: rotated.info.height, channels: 3 } }).extract({
      left: (rotated.info.width - shotWidth) >> 1,
      top: (rotated.info.height - shotHeight) >> 1,
      width: shotWidth,
      height: shotHeight,
    });
  }
  if (shot.defocus !== undefined && shot.defocus >= 0.3) picture = picture.blur(shot.defocus);
  const smear = Math.round(shot.smear ?? 0);
  if (smear > 2) {
    const size = smear | 1;
    picture = picture.convolve({ width: size, height: 3, kernel: Array.from({ length: size * 3 }, (_, at) => (Math.floor(at / size) === 1 ? 1 : 0)) });
  }
  const { data } = await picture.raw().toBuffer({ resolveWithObject: true });
  expose(data, shot.exposure ?? 1, shot.noise, random);
  return { data, width: shotWidth, height: shotHeight };
}

/** Light, then noise, then what the sensor cannot hold. */
function expose(data: Uint8Array, exposure: number, noise: number, random: Random): void {
  const table = Float32Array.from({ length: 4_096 }, () => (random.next() + random.next() + random.next() + random.next() - 2) * Math.sqrt(3) * noise);
  let from = random.integer(0, 4_095);
  for (let at = 0; at < data.length; at += 1) {
    // an odd stride, so that rows do not repeat each other
    from = (from + 1 + (at % 997 === 0 ? 389 : 0)) & 4_095;
    const value = (data[at] ?? 0) * exposure + (table[from] ?? 0);
    data[at] = value < 0 ? 0 : value > 255 ? 255 : value;
  }
}
