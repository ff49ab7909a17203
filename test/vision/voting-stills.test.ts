import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { samePlate } from '../../src/plate/index.js';
import { Random, drawPlate, plateCorners, type SimPlate } from '../../src/sim/index.js';
import type { Image, Recognizer } from '../../src/vision/index.js';
import { LanePictures, Watcher, shippedRecognizer, vehicle } from '../support/lane-pictures.js';
import { film, shotHeight, shotWidth, type Shot, type Still } from '../support/moving-picture.js';

const shots = 8;
const shotMs = 150;
/** A vote shown as this or more is one that a gate may act upon. */
const confident = 0.96;

const takes: Readonly<Record<string, (random: Random) => Shot[]>> = {
  'zooming in': () => series((share) => ({ plateWidth: 45 + 125 * share, at: [0.5, 0.5], noise: 5 })),
  'panning': () => series((share) => ({ plateWidth: 100, at: [0.12 + 0.76 * share, 0.6], smear: 4, noise: 5 })),
  'driving fast: smeared': (random) => series((share) => ({ plateWidth: 90 + 50 * share, at: [0.4 + 0.2 * share, 0.5], smear: random.between(1, 13), noise: 5 })),
  'finding its focus': () => series((share) => ({ plateWidth: 110, at: [0.5, 0.55], defocus: 4.5 * (1 - share) ** 2, noise: 5 })),
  'blinded by headlights as they come on': () => series((share) => ({ plateWidth: 100, at: [0.5, 0.5], exposure: 0.1 * 25 ** share, noise: 7 })),
  'shaking in the wind at night': (random) =>
    series(() => ({ plateWidth: 100, at: [random.between(0.46, 0.54), random.between(0.46, 0.54)], turnDeg: random.between(-3.5, 3.5), smear: random.between(0, 6), exposure: 0.5, noise: 16 })),
};

function series(shot: (share: number) => Shot): Shot[] {
  return Array.from({ length: shots }, (_, at) => shot(at / (shots - 1)));
}

interface Outcome {
  readonly name: string;
  /** Of the single pictures, as many were read right. */
  readonly singlesRight: number;
  readonly voteRight: boolean;
  /** Votes that were wrong and still decisive or shown as confident. */
  readonly confidentlyWrong: readonly string[];
  /** Tracks of this vehicle that were decisive. */
  readonly results: number;
}

const half = shots / 2;

describe('a still set in motion', () => {
  let recognizer: Recognizer | undefined;
  beforeAll(async () => {
    recognizer = await shippedRecognizer();
  });
  afterAll(async () => recognizer?.close());

  /** What is at the plate's place counts; a photograph may hold a second plate, of which nothing is known. */
  async function watch(name: string, still: Still, text: string, take: readonly Shot[], random: Random): Promise<Outcome> {
    if (recognizer === undefined) throw new Error('the models are not loaded');
    const watcher = new Watcher(recognizer);
    const confidentlyWrong: string[] = [];
    const decisive = new Set<string>();
    let singlesRight = 0;
    let vote = '';
    for (const [at, image] of (await film(still, take, random)).entries()) {
      const shot = take[at];
      if (shot === undefined) continue;
      const isHere = (corners: readonly (readonly [number, number])[], scaleX: number, scaleY: number): boolean => {
        const x = corners.reduce((sum, corner) => sum + corner[0] / 4, 0) * scaleX;
        const y = corners.reduce((sum, corner) => sum + corner[1] / 4, 0) * scaleY;
        return Math.hypot(x - shot.at[0] * shotWidth, y - shot.at[1] * shotHeight) < shot.plateWidth;
      };
      const { plates, states } = await watcher.show(image, at * shotMs);
      const reads = plates.filter(({ corners }) => isHere(corners, 1, 1)).flatMap(({ reading: { read } }) => (read === undefined ? [] : [read]));
      reads.sort((a, b) => b.confidence - a.confidence);
      if (reads[0] !== undefined && samePlate(reads[0].text, text)) singlesRight += 1;
      for (const state of states) {
        if (state.vote === undefined || state.ended || !isHere(state.corners, shotWidth, shotHeight)) continue;
        vote = state.vote.text;
        if (state.decisive) decisive.add(state.track);
        if ((state.decisive || state.vote.confidence >= confident) && !samePlate(vote, text)) confidentlyWrong.push(`${name}: ${vote} for ${text}`);
      }
    }
    return { name, singlesRight, voteRight: samePlate(vote, text), confidentlyWrong, results: decisive.size };
  }

  function judge(outcomes: readonly Outcome[]): void {
    const medians = outcomes.filter(({ singlesRight }) => singlesRight >= half);
    expect(outcomes.flatMap(({ confidentlyWrong }) => confidentlyWrong)).toEqual([]);
    expect(outcomes.filter(({ voteRight }) => voteRight).length).toBeGreaterThanOrEqual(medians.length);
    expect(outcomes.filter(({ results }) => results > 1).map(({ name }) => name)).toEqual([]);
  }

  it.each(Object.entries(takes))('drawn, %s: the vote is right at least as often as the median picture, never confidently wrong, and one vehicle is one', async (name, take) => {
    const random = new Random(17, name);
    const pictures = new LanePictures();
    const outcomes: Outcome[] = [];
    for (const type of ['small-car', 'new-energy-small', 'police', 'trailer'] as const) {
      const plate: SimPlate = drawPlate(random, type, '京沪粤');
      const car = vehicle(type, plate, -2.5);
      const corners = plateCorners(car);
      const mean = (of: (corner: readonly [number, number]) => number): number => corners.reduce((sum, corner) => sum + of(corner) / 4, 0);
      const still: Still = {
        image: await pictures.draw([car]),
        plate: { x: mean(([x]) => x), y: mean(([, y]) => y), width: (corners[1]?.[0] ?? 0) - (corners[0]?.[0] ?? 0) },
      };
      outcomes.push(await watch(`${type} ${name}`, still, plate.text, take(random), random));
    }
    judge(outcomes);
    expect(outcomes.filter(({ voteRight, results }) => voteRight && results === 1).length).toBeGreaterThanOrEqual(3);
  });

  const photographs = fileURLToPath(new URL('../../../shared/data/eval', import.meta.url));
  it.each(['street', 'ccpd'])('photographed (%s): the vote is right at least as often as the median picture, never confidently wrong, and one vehicle is one', async (set) => {
    if (!existsSync(`${photographs}/${set}.csv`)) {
      process.stdout.write(`skipped: photographs lie in ../shared/data/eval, where ${set} is missing\n`);
      return;
    }
    const random = new Random(29, set);
    const outcomes: Outcome[] = [];
    const all = labelled(`${photographs}/${set}.csv`);
    const kinds = Object.entries(takes);
    const chosen = Number(process.env['LAUREL_VOTING_STILLS'] ?? 12);
    for (let index = 0; index < chosen; index += 1) {
      const { file, text, plate } = all[Math.floor((index * all.length) / chosen)] ?? { file: '', text: '', plate: { x: 0, y: 0, width: 0 } };
      const [name, take] = kinds[index % kinds.length] ?? ['', () => []];
      outcomes.push(await watch(`${set}/${file} ${name}`, { image: await photograph(`${photographs}/${set}/${file}`), plate }, text, take(random), random));
    }
    judge(outcomes);
  });
});

/** Labelled photographs with known corners. */
function labelled(csv: string): { readonly file: string; readonly text: string; readonly plate: Still['plate'] }[] {
  return readFileSync(csv, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [file = '', text = '', , corners = ''] = line.split(',');
      const points = corners.split('|').map((point) => point.split(':').map(Number));
      const x = points.reduce((sum, point) => sum + (point[0] ?? NaN) / 4, 0);
      const y = points.reduce((sum, point) => sum + (point[1] ?? NaN) / 4, 0);
      const width = Math.hypot((points[1]?.[0] ?? NaN) - (points[0]?.[0] ?? NaN), (points[1]?.[1] ?? NaN) - (points[0]?.[1] ?? NaN));
      return points.length === 4 && Number.isFinite(x + y + width) ? [{ file, text, plate: { x, y, width } }] : [];
    });
}

async function photograph(path: string): Promise<Image> {
  const { data, info } = await sharp(path).removeAlpha().toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}
