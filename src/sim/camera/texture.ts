import sharp from 'sharp';

export interface Level {
  readonly width: number;
  readonly height: number;
  /** Premultiplied RGBA, row by row. */
  readonly data: Uint8Array;
}

/** A picture to be drawn in perspective, with its halved copies so that small sizes are averaged and not picked. */
export interface Texture {
  readonly levels: readonly [Level, ...Level[]];
}

/** Renders an SVG document into a texture of its own size in pixels. */
export async function textureFromSvg(svg: string, blurPx = 0): Promise<Texture> {
  let picture = sharp(Buffer.from(svg)).ensureAlpha();
  if (blurPx >= 0.3) picture = picture.blur(blurPx);
  const { data, info } = await picture.raw().toBuffer({ resolveWithObject: true });
  const pixels = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 4) {
    const alpha = data[at + 3] ?? 0;
    for (let channel = 0; channel < 3; channel += 1) pixels[at + channel] = Math.round(((data[at + channel] ?? 0) * alpha) / 255);
    pixels[at + 3] = alpha;
  }
  const levels: [Level, ...Level[]] = [{ width: info.width, height: info.height, data: pixels }];
  let last = levels[0];
  while (last.width >= 16 && last.height >= 8) {
    last = halve(last);
    levels.push(last);
  }
  return { levels };
}

function halve(from: Level): Level {
  const width = from.width >> 1;
  const height = from.height >> 1;
  const data = new Uint8Array(width * height * 4);
  const stride = from.width * 4;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const source = 2 * y * stride + 8 * x;
      for (let channel = 0; channel < 4; channel += 1) {
        const at = source + channel;
        data[(y * width + x) * 4 + channel] =
          ((from.data[at] ?? 0) + (from.data[at + 4] ?? 0) + (from.data[at + stride] ?? 0) + (from.data[at + stride + 4] ?? 0) + 2) >> 2;
      }
    }
  }
  return { width, height, data };
}
