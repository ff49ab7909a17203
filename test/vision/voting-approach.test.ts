import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PlateRows, PlateType } from '../../src/plate/index.js';
import { Random, defaultGeometry, drawPlate, plateCorners, type SimPlate } from '../../src/sim/index.js';
import type { Recognizer } from '../../src/vision/index.js';
import { LanePictures, Watcher, shippedRecognizer, vehicle, type Decided } from '../support/lane-pictures.js';

/** Every type of plate, in each of its forms; `least` is the share of its plates that must be decided, a half where not given. */
const forms: readonly { readonly type: PlateType; readonly rows: PlateRows; readonly kind?: 'truck'; readonly least?: number }[] = [
  { type: 'small-car', rows: 1 },
  { type: 'large-car', rows: 1, kind: 'truck' },
  { type: 'large-car', rows: 2, kind: 'truck' },
  { type: 'new-energy-small', rows: 1 },
  { type: 'new-energy-large', rows: 1 },
  { type: 'police', rows: 1 },
  { type: 'police', rows: 2 },
  { type: 'learner', rows: 1 },
  { type: 'learner', rows: 2 },
  { type: 'trailer', rows: 2, kind: 'truck' },
  { type: 'hong-kong', rows: 1 },
  { type: 'macau', rows: 1 },
  { type: 'embassy', rows: 1 },
  { type: 'consulate', rows: 1 },
  { type: 'military', rows: 1 },
  { type: 'military', rows: 2 },
  // Eight narrow characters: most are read right, but too unsurely for a decision before the stop line.
  { type: 'armed-police', rows: 1, least: 0 },
  { type: 'armed-police', rows: 2 },
  { type: 'emergency', rows: 1 },
  { type: 'motorcycle', rows: 2 },
  { type: 'low-speed', rows: 2 },
  { type: 'temporary', rows: 2 },
];
/** For a longer run: LAUREL_VOTING_PLATES=8 npx vitest run test/vision/voting-approach.test.ts */
const platesEach = Number(process.env['LAUREL_VOTING_PLATES'] ?? 2);
/** Of all plates, this share must be decided before the stop line. */
const leastOfAll = 0.9;

const speedMps = 3.2;
const picturesPerSecond = 5;
const firstWidthPx = 60;

interface Outcome {
  readonly plate: SimPlate;
  readonly decided: readonly Decided[];
}

/** Positions of the front from where the plate is 60 pixels wide, or from 8 m where it is small, up to the stop line. */
function fronts(plate: SimPlate): number[] {
  const widthAt = (front: number): number => {
    const [left, right] = plateCorners(vehicle('probe', plate, front));
    return (right?.[0] ?? 0) - (left?.[0] ?? 0);
  };
  let first = -8;
  while (widthAt(first - 0.1) >= firstWidthPx) first -= 0.1;
  const positions: number[] = [];
  for (let front = first; front < defaultGeometry.stopLine; front += speedMps / picturesPerSecond) positions.push(front);
  return positions;
}

describe('a vehicle that drives up to the stop line', () => {
  const pictures = new LanePictures();
  const outcomes: Outcome[] = [];
  let recognizer: Recognizer | undefined;

  beforeAll(async () => {
    recognizer = await shippedRecognizer();
  });
  afterAll(async () => recognizer?.close());

  async function approach(plate: SimPlate, kind: 'car' | 'truck', random: Random): Promise<Outcome> {
    if (recognizer === undefined) throw new Error('the models are not loaded');
    const watcher = new Watcher(recognizer);
    const lateralM = random.between(-0.3, 0.3);
    const light = random.pick([1, 1, 0.4]);
    for (const [at, front] of fronts(plate).entries()) {
      await watcher.show(await pictures.draw([vehicle(plate.text, plate, front, { kind, lateralM })], { light }), (at * 1_000) / picturesPerSecond);
    }
    return { plate, decided: watcher.decided() };
  }

  it.each(forms)('with a $type plate, rows: $rows, is decided on once, on the right text, colour and rows, and never on a wrong one', { timeout: platesEach * 40_000 }, async ({ type, rows, kind, least }) => {
    const random = new Random(41, `${type} ${rows}`);
    const own: Outcome[] = [];
    for (let count = 0; count < platesEach; count += 1) own.push(await approach({ ...drawPlate(random, type, '京沪粤苏浙川鲁', rows), rows }, kind ?? 'car', random));
    outcomes.push(...own);
    for (const { plate, decided } of own) {
      // no second text, and no second track, of one vehicle
      expect([[], [{ text: plate.text, colour: plate.colour, rows }]]).toContainEqual(decided.map(({ text, colour, rows: seen }) => ({ text, colour, rows: seen })));
    }
    const right = own.filter(({ decided }) => decided.length === 1).length;
    expect(right / own.length).toBeGreaterThanOrEqual(least ?? 0.5);
  });

  it('is decided on, all types together, nearly always', () => {
    const undecided = outcomes.filter(({ decided }) => decided.length === 0).map(({ plate }) => `${plate.type} ${plate.text}`);
    if (undecided.length > 0) process.stdout.write(`undecided at the stop line: ${undecided.join(', ')}\n`);
    expect(1 - undecided.length / outcomes.length).toBeGreaterThanOrEqual(leastOfAll);
  });
});
