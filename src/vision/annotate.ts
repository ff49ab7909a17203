import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, extname, join } from 'node:path';
import opentype, { type Font } from 'opentype.js';
import sharp from 'sharp';
import { svgPathData, type Point } from '../base/index.js';
import type { PictureResult } from './recognize-files.js';

const require = createRequire(import.meta.url);

/** Chinese for the province and the special characters, a narrow face for the rest: as on a plate. */
interface Faces {
  readonly chinese: Font;
  readonly latin: Font;
}

async function readFont(name: string): Promise<Font> {
  const bytes = await readFile(require.resolve(name));
  return opentype.parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

let faces: Promise<Faces> | undefined;

/** Fonts come with the program: a box in the field has none of its own. */
function loadFaces(): Promise<Faces> {
  faces ??= Promise.all([
    readFont('@fontsource/noto-sans-sc/files/noto-sans-sc-chinese-simplified-700-normal.woff'),
    readFont('@fontsource/barlow-condensed/files/barlow-condensed-latin-600-normal.woff'),
  ]).then(([chinese, latin]) => ({ chinese, latin }));
  return faces;
}

/** A line of text as SVG path data, each character from the face that has it; and its width. */
function writing(text: string, size: number, { chinese, latin }: Faces, x: number, baseline: number): { readonly path: string; readonly width: number } {
  let at = x;
  let path = '';
  for (const char of text) {
    const face = latin.charToGlyphIndex(char) > 0 ? latin : chinese;
    path += svgPathData(face.getPath(char, at, baseline, size).commands, 1);
    at += face.getAdvanceWidth(char, size);
  }
  return { path, width: at - x };
}

const colours = { sure: '#19c37d', unsure: '#ffb020' } as const;

function overlay(result: PictureResult, fonts: Faces): string {
  const { width, height } = result;
  const line = Math.max(1.5, Math.max(width, height) / 500);
  const size = Math.max(12, Math.max(width, height) / 36);
  const parts = result.plates.map(({ corners, text, confidence }) => {
    const colour = confidence >= 0.9 ? colours.sure : colours.unsure;
    const points = corners.map(([x, y]) => `${x},${y}`).join(' ');
    const first: Point = corners[0] ?? [0, 0];
    const label = `${text} ${confidence.toFixed(2)}`;
    const padding = size * 0.25;
    const boxHeight = size * 1.3;
    const above = Math.min(...corners.map(([, y]) => y)) - boxHeight - line * 2;
    const top = above >= 0 ? above : Math.min(height - boxHeight, Math.max(...corners.map(([, y]) => y)) + line * 2);
    const measured = writing(label, size, fonts, 0, 0).width + 2 * padding;
    const left = Math.max(0, Math.min(first[0], width - measured));
    const { path } = writing(label, size, fonts, left + padding, top + size);
    return [
      `<polygon points="${points}" fill="none" stroke="${colour}" stroke-width="${line}"/>`,
      `<rect x="${left}" y="${top}" width="${measured}" height="${boxHeight}" rx="${size * 0.15}" fill="#101418" fill-opacity="0.8"/>`,
      `<path d="${path}" fill="#ffffff"/>`,
    ].join('');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${parts.join('')}</svg>`;
}

/**
 * Writes a picture with its plates framed and named as JPEG into `directory`, under the picture's own name.
 * A file read before of that name and another ending is kept apart by the ending.
 * @returns the path written
 */
export async function annotate(file: string, result: PictureResult, directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const target = join(directory, `${basename(file, extname(file))}${extname(file).toLowerCase() === '.jpg' ? '' : extname(file).toLowerCase().replace('.', '-')}.jpg`);
  await sharp(await readFile(file))
    .rotate()
    .resize({ width: result.width, height: result.height, fit: 'fill' })
    .flatten({ background: '#808080' })
    .composite([{ input: Buffer.from(overlay(result, await loadFaces())), left: 0, top: 0 }])
    .jpeg({ quality: 88 })
    .toFile(target);
  return target;
}
