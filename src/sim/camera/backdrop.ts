import sharp from 'sharp';
import { Random } from '../random.js';
import { textPath, type Fonts } from './glyphs.js';
import { pictureHeight, pictureWidth, type Optics, type Place } from './optics.js';

interface Mood {
  readonly sky: readonly [string, string, string];
  readonly road: string;
  readonly roadFar: string;
  readonly ground: string;
  readonly hedge: readonly [string, string];
  readonly tree: readonly string[];
  readonly walls: readonly string[];
  readonly windows: readonly string[];
  readonly mark: string;
  readonly kerb: string;
  readonly stone: string;
  readonly letters: string;
}

const day: Mood = {
  sky: ['#8fb7dd', '#c5dbec', '#e9eff2'],
  road: '#6f7275',
  roadFar: '#8d9093',
  ground: '#8f9a78',
  hedge: ['#4d7a45', '#35592f'],
  tree: ['#5b8a4c', '#497a40', '#6d9a58', '#3f6b38'],
  walls: ['#cdbfae', '#d8cdbd', '#bcb4ab', '#c9c5bf'],
  windows: ['#7e909d', '#93a5b1', '#6c7d89'],
  mark: '#dfe0dd',
  kerb: '#b3b2ad',
  stone: '#b9aa95',
  letters: '#7a1d1d',
};

const dusk: Mood = {
  sky: ['#27304c', '#6d5a70', '#d59a6c'],
  road: '#2d2f36',
  roadFar: '#46444b',
  ground: '#343a36',
  hedge: ['#233527', '#18251b'],
  tree: ['#25372a', '#1d2d23', '#2c4030', '#18261d'],
  walls: ['#544c50', '#5c5355', '#48444b', '#514c52'],
  windows: ['#e2b765', '#3b4350', '#2e3542', '#d99f4e', '#343b47'],
  mark: '#83838a',
  kerb: '#4c4c52',
  stone: '#57504b',
  letters: '#e9b565',
};

/** What never moves in a lane's picture, RGB, at full day and at dusk. */
export interface Backdrops {
  readonly day: Uint8Array;
  readonly dusk: Uint8Array;
}

const drawn = new Map<string, Promise<Backdrops>>();

/**
 * The neighbourhood behind a lane as its camera sees it, drawn once for each pose and seed. `seed` tells the lanes of one
 * gate apart. The pictures are shared: do not draw into them.
 */
export function drawBackdrops(optics: Optics, fonts: Fonts, seed: number): Promise<Backdrops> {
  const key = JSON.stringify([optics.pose, seed]);
  let known = drawn.get(key);
  if (known === undefined) {
    known = Promise.all([draw(optics, fonts, seed, day), draw(optics, fonts, seed, dusk)]).then(([atDay, atDusk]) => ({ day: atDay, dusk: atDusk }));
    drawn.set(key, known);
  }
  return known;
}

async function draw(optics: Optics, fonts: Fonts, seed: number, mood: Mood): Promise<Uint8Array> {
  const svg = backdropSvg(optics, fonts, seed, mood);
  const { data } = await sharp(Buffer.from(svg)).removeAlpha().blur(0.7).raw().toBuffer({ resolveWithObject: true });
  grain(data, new Random(seed, 'grain'));
  return data;
}

/** Asphalt and sensor grain; stronger on the road than in the sky. */
function grain(pixels: Uint8Array, random: Random): void {
  for (let y = 0; y < pictureHeight; y += 1) {
    const strength = y < 280 ? 3 : 9;
    for (let x = 0; x < pictureWidth; x += 1) {
      const add = (random.next() + random.next() - 1) * strength;
      const at = (y * pictureWidth + x) * 3;
      for (let channel = 0; channel < 3; channel += 1) pixels[at + channel] = Math.max(0, Math.min(255, (pixels[at + channel] ?? 0) + add));
    }
  }
}

function backdropSvg(optics: Optics, fonts: Fonts, seed: number, mood: Mood): string {
  const random = new Random(seed, 'backdrop');
  const place = (right: number, up: number, along: number): Place => ({ right, up, along });
  const shape = (places: readonly Place[], fill: string, extra = ''): string => {
    const points = optics.outline(places);
    if (points.length < 3) return '';
    return `<polygon points="${points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ')}" fill="${fill}" ${extra}/>`;
  };
  const flat = (r0: number, r1: number, s0: number, s1: number, fill: string, extra = '', up = 0): string =>
    shape([place(r0, up, s0), place(r1, up, s0), place(r1, up, s1), place(r0, up, s1)], fill, extra);
  const upright = (r0: number, r1: number, along: number, low: number, high: number, fill: string, extra = ''): string =>
    shape([place(r0, high, along), place(r1, high, along), place(r1, low, along), place(r0, low, along)], fill, extra);
  const horizon = optics.pixel(place(0, 0.9, -4000))[1];

  let svg = `<rect width="${String(pictureWidth)}" height="${String(pictureHeight)}" fill="url(#sky)"/>`;
  // Blocks of flats across the street.
  for (let index = 0; index < 9; index += 1) {
    const along = -95 - random.between(0, 60);
    const left = 52 - index * 17 + random.between(-4, 4);
    const width = random.between(10, 17);
    const high = random.between(16, 44);
    const wall = random.pick(['0', '1', '2', '3']);
    svg += upright(left, left - width, along, 0, high, mood.walls[Number(wall)] ?? '#bbb', 'opacity="0.94"');
    for (let up = 2.2; up < high - 2; up += 3) {
      for (let across = 1; across < width - 2; across += 2.6) {
        svg += upright(left - across, left - across - 1.5, along + 0.1, up, up + 1.6, mood.windows[random.integer(0, mood.windows.length - 1)] ?? '#888', 'opacity="0.75"');
      }
    }
  }
  svg += `<rect x="0" y="${horizon.toFixed(0)}" width="${String(pictureWidth)}" height="${(pictureHeight - horizon).toFixed(0)}" fill="${mood.ground}"/>`;
  // Street across, wall of the neighbourhood, trees.
  svg += flat(80, -80, -34, -44, mood.roadFar);
  svg += upright(60, 7.5, -46, 0, 1.7, mood.stone, 'opacity="0.9"') + upright(-7.5, -60, -46, 0, 1.7, mood.stone, 'opacity="0.9"');
  for (let index = 0; index < 26; index += 1) {
    const along = -50 + index * 1.35;
    const side = index % 2 === 0 ? 1 : -1;
    svg += tree(optics, random, mood, place(side * random.between(5.2, 9), 0, along));
  }
  // The estate's name on a stone.
  svg += upright(-4.9, -8.2, -17, 0, 2.05, mood.stone) + upright(-4.9, -8.2, -17, 2.05, 2.2, mood.kerb);
  const name = textPath(fonts, '月桂社区', 0, 0, 100);
  const [a, b, c] = [optics.pixel(place(-5.15, 1.65, -16.9)), optics.pixel(place(-7.95, 1.65, -16.9)), optics.pixel(place(-5.15, 0.85, -16.9))];
  const [k, m] = [name.width, 82];
  const matrix = [(b[0] - a[0]) / k, (b[1] - a[1]) / k, (c[0] - a[0]) / m, (c[1] - a[1]) / m, c[0], c[1]].map((value) => value.toFixed(4)).join(' ');
  svg += `<g transform="matrix(${matrix})" fill="${mood.letters}">${name.svg}</g>`;
  // Our lane and its neighbour, kerbs, hedges.
  svg += flat(2.05, -8, 3, -40, mood.road) + flat(2.05, -1.95, 3, -40, mood.road);
  svg += flat(0.95, 0.55, 3, -34, '#000', 'opacity="0.10"') + flat(-0.55, -0.95, 3, -34, '#000', 'opacity="0.10"') + flat(0.15, -0.15, 3, -34, '#000', 'opacity="0.06"');
  svg += flat(-5.4, -8, 3, -34, mood.ground);
  svg += flat(3.4, 2.05, 3, -32, mood.kerb, '', 0.14) + shape([place(2.05, 0.14, 3), place(2.05, 0.14, -32), place(2.05, 0, -32), place(2.05, 0, 3)], mood.kerb, 'opacity="0.8"');
  for (let along = -0.5; along > -9; along -= 1.6) {
    svg += shape([place(2.05, 0.14, along), place(2.05, 0.14, along - 0.8), place(2.05, 0, along - 0.8), place(2.05, 0, along)], '#e0b020', 'opacity="0.85"');
  }
  svg += hedge(shape, place, mood, 3.2, 4.6, -5, -30);
  svg += flat(-1.95, -2.5, -1, -14, mood.kerb, '', 0.12) + upright(-1.95, -2.5, -1, 0, 0.12, mood.kerb);
  svg += hedge(shape, place, mood, -5.5, -6.6, -10, -30);
  // Paint and saw cuts on the road.
  svg += flat(1.75, -1.75, -1.55, -1.85, mood.mark, 'opacity="0.85"');
  svg += flat(1.9, 1.8, 3, -33, mood.mark, 'opacity="0.75"') + flat(-1.75, -1.85, 3, -33, mood.mark, 'opacity="0.75"');
  svg += shape([place(0.12, 0, -10), place(-0.12, 0, -10), place(-0.12, 0, -8.4), place(-0.4, 0, -8.4), place(0, 0, -7.3), place(0.4, 0, -8.4), place(0.12, 0, -8.4)], mood.mark, 'opacity="0.8"');
  for (const [from, to] of [[-4, -6], [-0.4, -1]] as const) {
    svg += flat(1.2, -1.2, from, to, 'none', 'stroke="#1d1e20" stroke-width="2.5" opacity="0.7"');
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${String(pictureWidth)}" height="${String(pictureHeight)}"><defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="0.42"><stop offset="0" stop-color="${mood.sky[0]}"/><stop offset="0.6" stop-color="${mood.sky[1]}"/><stop offset="1" stop-color="${mood.sky[2]}"/></linearGradient></defs>${svg}</svg>`;
}

function tree(optics: Optics, random: Random, mood: Mood, foot: Place): string {
  const high = random.between(4, 6.5);
  const [x, y] = optics.pixel(foot);
  const top = optics.pixel({ ...foot, up: high })[1];
  const size = (y - top) / high;
  let svg = `<rect x="${(x - size * 0.12).toFixed(1)}" y="${(y - size * 2.4).toFixed(1)}" width="${(size * 0.24).toFixed(1)}" height="${(size * 2.4).toFixed(1)}" fill="#54453a"/>`;
  for (let blob = 0; blob < 12; blob += 1) {
    const dx = random.between(-1.35, 1.35) * size;
    const dy = y - size * random.between(2, high);
    const radius = size * random.between(0.5, 0.95);
    svg += `<circle cx="${(x + dx).toFixed(1)}" cy="${dy.toFixed(1)}" r="${radius.toFixed(1)}" fill="${mood.tree[random.integer(0, mood.tree.length - 1)] ?? '#486'}" opacity="0.9"/>`;
  }
  return svg;
}

type ShapeMaker = (places: readonly Place[], fill: string, extra?: string) => string;

function hedge(shape: ShapeMaker, place: (right: number, up: number, along: number) => Place, mood: Mood, inner: number, outer: number, near: number, far: number): string {
  const high = 0.75;
  return (
    shape([place(inner, high, near), place(outer, high, near), place(outer, 0, near), place(inner, 0, near)], mood.hedge[0]) +
    shape([place(inner, high, near), place(inner, high, far), place(inner, 0, far), place(inner, 0, near)], mood.hedge[1]) +
    shape([place(inner, high, near), place(outer, high, near), place(outer, high, far), place(inner, high, far)], mood.hedge[0])
  );
}
