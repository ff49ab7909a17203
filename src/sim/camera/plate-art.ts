import type { SimPlate } from '../plates.js';
import { characterPath, type Box, type Fonts } from './glyphs.js';
import { textureFromSvg, type Texture } from './texture.js';

export interface PlateSize {
  readonly widthMm: number;
  readonly heightMm: number;
}

/** Outer size by GA 36-2018. */
export function plateSize(plate: SimPlate): PlateSize {
  switch (plate.type) {
    case 'new-energy-small':
    case 'new-energy-large':
    case 'emergency':
      return { widthMm: 480, heightMm: 140 };
    case 'motorcycle':
    case 'temporary':
      return { widthMm: 220, heightMm: 140 };
    case 'low-speed':
      return { widthMm: 300, heightMm: 165 };
    default:
      return { widthMm: 440, heightMm: plate.rows === 2 ? 220 : 140 };
  }
}

interface Look {
  readonly ground: string;
  readonly text: string;
  readonly special: string;
}

function lookOf(plate: SimPlate): Look {
  switch (plate.colour) {
    case 'blue':
      return { ground: '#1646a8', text: '#f4f6fa', special: '#f4f6fa' };
    case 'green':
      return { ground: 'url(#green)', text: '#10140f', special: '#10140f' };
    case 'yellow':
      return { ground: '#f3b31b', text: '#14120c', special: '#14120c' };
    case 'white':
      return { ground: '#eef0ef', text: '#15161a', special: '#d01f26' };
    case 'black':
      return { ground: '#15171b', text: '#f2f3f4', special: '#f2f3f4' };
  }
}

/** Where each character of a plate sits, in millimetres from the plate's top left corner (GA 36-2018). */
export function characterBoxes(plate: SimPlate): readonly Box[] {
  const characters = Array.from(plate.text);
  const { widthMm, heightMm } = plateSize(plate);
  if (plate.rows === 2) return twoRows(characters.length, widthMm, heightMm);
  if (plate.type === 'new-energy-small' || plate.type === 'new-energy-large') {
    // Province 45, then 43 wide each; gap 9, and 49 between issuer and serial.
    let x = 15.5;
    return characters.map((_, index) => {
      const width = index === 0 ? 45 : 43;
      const box = { x, y: 25, width, height: 90 };
      x += width + (index === 1 ? 49 : 9);
      return box;
    });
  }
  if (characters.length === 7) {
    let x = 15.5;
    return characters.map((_, index) => {
      const box = { x, y: 25, width: 45, height: 90 };
      x += 45 + (index === 1 ? 34 : 12);
      return box;
    });
  }
  // Eight on one line otherwise (emergency, armed police): narrower, evenly set with a wider gap after the second.
  const gap = 9;
  const width = (widthMm - 31 - gap * (characters.length - 1) - 16) / characters.length;
  let x = 15.5;
  return characters.map((_, index) => {
    const box = { x, y: 25, width, height: 90 };
    x += width + gap + (index === 1 ? 16 : 0);
    return box;
  });
}

function twoRows(count: number, widthMm: number, heightMm: number): readonly Box[] {
  const top = 2;
  const bottom = count - top;
  if (widthMm === 440) {
    const gap = bottom > 5 ? 10 : 15;
    const width = (440 - 55 - gap * (bottom - 1)) / bottom;
    return Array.from({ length: count }, (_, index) =>
      index < top ? { x: index === 0 ? 110 : 250, y: 15, width: 80, height: 60 } : { x: 27.5 + (index - top) * (width + gap), y: 90, width, height: 110 },
    );
  }
  const scale = widthMm / 220;
  const width = (widthMm - 30 * scale - 10 * scale * (bottom - 1)) / bottom;
  return Array.from({ length: count }, (_, index) =>
    index < top
      ? { x: (index === 0 ? 50 : 120) * scale, y: heightMm * 0.08, width: 45 * scale, height: heightMm * 0.34 }
      : { x: 15 * scale + (index - top) * (width + 10 * scale), y: heightMm * 0.5, width, height: heightMm * 0.42 },
  );
}

const specialCharacters = '警应急';

/** SVG of a plate, two pixels a millimetre, with screws, rim and the dot after the issuer. */
export function plateSvg(plate: SimPlate, fonts: Fonts): string {
  const { widthMm, heightMm } = plateSize(plate);
  const look = lookOf(plate);
  const boxes = characterBoxes(plate);
  let glyphs = '';
  Array.from(plate.text).forEach((character, index) => {
    const box = boxes[index];
    if (box === undefined) return;
    const red = specialCharacters.includes(character) || (plate.type === 'military' && index < 1) || (plate.type === 'armed-police' && index < 2);
    glyphs += `<g fill="${red ? look.special : look.text}">${characterPath(fonts, character, box)}</g>`;
  });
  const dotted = plate.rows === 1 && plate.type !== 'embassy' && plate.type !== 'armed-police';
  const [second, third] = [boxes[1], boxes[2]];
  const dot =
    dotted && second !== undefined && third !== undefined && plate.colour !== 'green'
      ? `<circle cx="${String((second.x + second.width + third.x) / 2)}" cy="${String(heightMm / 2)}" r="5" fill="${look.text}"/>`
      : '';
  const rim = plate.colour === 'green' ? '#10140f' : look.text;
  const screwsX = widthMm === 220 ? [60, 160] : [widthMm * 0.27, widthMm * 0.73];
  const screws = screwsX
    .flatMap((x) => (plate.rows === 2 ? [11] : [12, heightMm - 12]).map((y) => `<circle cx="${String(x)}" cy="${String(y)}" r="5.5" fill="#9aa0a6"/><circle cx="${String(x)}" cy="${String(y)}" r="2" fill="#666b70"/>`))
    .join('');
  // New energy plates fade from white into green; those of large vehicles are yellow under province and issuer.
  const greens = plate.type === 'new-energy-large' ? ['#4fbf6e', '#4fbf6e'] : ['#f3f8f1', '#5cc47c'];
  const yellowPart = plate.type === 'new-energy-large' ? `<rect x="3" y="3" width="134" height="${String(heightMm - 6)}" rx="8" fill="#f3b31b"/>` : '';
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${String(widthMm * 2 + 8)}" height="${String(heightMm * 2 + 8)}" viewBox="-2 -2 ${String(widthMm + 4)} ${String(heightMm + 4)}">
<defs><linearGradient id="green" x1="0" y1="0" x2="0" y2="1"><stop offset="0.08" stop-color="${greens[0] ?? ''}"/><stop offset="1" stop-color="${greens[1] ?? ''}"/></linearGradient>
<linearGradient id="sheen" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#fff" stop-opacity="0.16"/><stop offset="0.45" stop-color="#fff" stop-opacity="0"/><stop offset="1" stop-color="#000" stop-opacity="0.14"/></linearGradient></defs>
<rect x="0" y="0" width="${String(widthMm)}" height="${String(heightMm)}" rx="10" fill="${look.ground}"/>${yellowPart}
<rect x="3.5" y="3.5" width="${String(widthMm - 7)}" height="${String(heightMm - 7)}" rx="8" fill="none" stroke="${rim}" stroke-width="2"/>
${screws}${dot}${glyphs}<rect x="0" y="0" width="${String(widthMm)}" height="${String(heightMm)}" rx="10" fill="url(#sheen)"/></svg>`;
}

export async function plateTexture(plate: SimPlate, fonts: Fonts): Promise<Texture> {
  return textureFromSvg(plateSvg(plate, fonts));
}
