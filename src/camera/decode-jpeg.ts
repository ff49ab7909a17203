import sharp from 'sharp';
import { GateError } from '../base/index.js';
import { longestSide } from './ffmpeg-command.js';
import type { FramePool } from './frame-pool.js';
import type { Frame } from './types.js';

/** Decodes a picture, at most `longestSide` on its long side, into a pooled frame; undefined while all frames are held. */
export async function decodeInto(pool: FramePool, jpeg: Uint8Array, atMs: number, sequence: number): Promise<Frame | undefined> {
  const { data, info } = await sharp(jpeg)
    .rotate()
    .resize({ width: longestSide, height: longestSide, fit: 'inside', withoutEnlargement: true })
    .flatten()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new GateError('PICTURE_UNREADABLE', `The picture has ${info.channels} channels instead of three.`);
  const frame = pool.acquire(info.width, info.height);
  if (frame === undefined) return undefined;
  frame.data.set(data);
  frame.atMs = atMs;
  frame.sequence = sequence;
  return frame;
}
