import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import opentype, { type Font } from 'opentype.js';
import { svgPathData } from '../../base/index.js';

/** The two fonts plates and signs are drawn with: Chinese characters, and narrow letters and digits. */
export interface Fonts {
  readonly chinese: Font;
  readonly latin: Font;
}

const require = createRequire(import.meta.url);

async function load(file: string): Promise<Font> {
  const bytes = await readFile(require.resolve(file));
  return opentype.parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

let loaded: Promise<Fonts> | undefined;

export function loadFonts(): Promise<Fonts> {
  loaded ??= (async () => {
    const [chinese, latin] = await Promise.all([
      load('@fontsource/noto-sans-sc/files/noto-sans-sc-chinese-simplified-700-normal.woff'),
      load('@fontsource/barlow-condensed/files/barlow-condensed-latin-600-normal.woff'),
    ]);
    return { chinese, latin };
  })();
  return loaded;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function isChinese(character: string): boolean {
  return character.charCodeAt(0) > 0x2e80;
}

/**
 * SVG path of one character stretched into a box, as the stamps of GA 36 do: every character has the same size. The
 * digit 1 and Chinese strokes keep their proportions instead of being blown up.
 */
export function characterPath(fonts: Fonts, character: string, box: Box): string {
  const chinese = isChinese(character);
  const font = chinese ? fonts.chinese : fonts.latin;
  const path = font.getPath(character, 0, 0, 100);
  const bounds = path.getBoundingBox();
  const width = Math.max(1, bounds.x2 - bounds.x1);
  const height = Math.max(1, bounds.y2 - bounds.y1);
  const scaleY = box.height / height;
  const scaleX = character === '1' || character === 'I' ? Math.min(box.width / width, scaleY * 0.95) : box.width / width;
  const left = box.x + (box.width - width * scaleX) / 2;
  const number = (value: number): string => value.toFixed(2);
  const matrix = [scaleX, 0, 0, scaleY, left - bounds.x1 * scaleX, box.y - bounds.y1 * scaleY].map(number).join(' ');
  return `<path transform="matrix(${matrix})" d="${svgPathData(path.commands, 2)}"/>`;
}

/** A line of text as SVG paths, and its width. */
export function textPath(fonts: Fonts, text: string, x: number, baseline: number, size: number): { readonly svg: string; readonly width: number } {
  let at = x;
  let svg = '';
  for (const character of text) {
    const font = isChinese(character) ? fonts.chinese : fonts.latin;
    svg += `<path d="${svgPathData(font.getPath(character, at, baseline, size).commands, 2)}"/>`;
    at += font.getAdvanceWidth(character, size);
  }
  return { svg, width: at - x };
}
