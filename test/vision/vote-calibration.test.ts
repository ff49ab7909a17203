import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { foldCharacter, type SlotCandidate } from '../../src/plate/index.js';
import { Random } from '../../src/sim/index.js';
import { readSlots, type Reading, type ReaderShape } from '../../src/vision/read.js';
import { PlateVote } from '../../src/vision/vote.js';
import { anyPlate } from '../plate/arbitraries.js';

/*
 * A reader whose mistakes are known. Each character stands out from its look-alike by so many log-odds: the picture's
 * sharpness, which grows and wavers along an approach, less what is poor about this character of this plate (dirt, a worn
 * edge: lasting, in every picture alike), and less the noise of this picture (passing). Where it does not stand out, the
 * look-alike is read. As a network does, the reader takes itself for surer than it is.
 */
const slotsOfReader = 8;
const alphabet = ['', ...Array.from('京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新ABCDEFGHJKLMNPQRSTUVWXYZ0123456789警学挂港澳使领应急')];
const pictures = 8;
const poorShare = 0.004;
const passingNoise = 1.6;
const overconfidence = 1.4;

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
}

const lookAlikes = ['0DQ', '8B6', '2Z7', '5S', '1TL', 'HN', 'CG', 'VY', 'EF', '京琼', '冀闽', '皖云', '警学', '港澳'];

/** What a reader takes this character for when it errs. */
function lookAlikeOf(char: string, random: Random): string {
  const shape = foldCharacter(char);
  const group = lookAlikes.find((each) => each.includes(shape)) ?? alphabet.join('');
  return random.character(group.replace(shape, ''));
}

/** What the reader's network gives for each picture of one approach. */
function approach(text: string, random: Random): SlotCandidate[][][] {
  const characters = Array.from(text).map((char) => ({
    char: foldCharacter(char),
    alike: lookAlikeOf(char, random),
    poorBy: random.chance(poorShare) ? random.between(3, 9) : 0,
  }));
  let sharpness = random.between(1, 6);
  return Array.from({ length: pictures }, () => {
    sharpness += random.between(-0.8, 1.2);
    return Array.from({ length: slotsOfReader }, (_, slot) => {
      const character = characters[slot];
      if (character === undefined) return [{ char: '', p: 0.999 }];
      const odds = sharpness - character.poorBy + passingNoise * normal(random);
      const p = 1 / (1 + Math.exp(-overconfidence * odds));
      return [
        { char: character.char, p },
        { char: character.alike, p: 1 - p },
      ].sort((a, b) => b.p - a.p);
    });
  });
}

function reader(points: readonly (readonly [number, number])[]): ReaderShape {
  return { slots: slotsOfReader, alphabet, classes: ['blue'], calibration: { points } };
}

function readingsOf(text: string, random: Random, shape: ReaderShape): Reading[] {
  return approach(text, random).map((slots) => {
    const read = readSlots(slots, 'blue', 1, shape);
    return read === undefined ? { slots } : { read, slots };
  });
}

/** Share of right reads by raw confidence, rising: neighbours that fall are pooled (Ayer et al. 1955). */
function calibrationOf(reads: readonly { readonly raw: number; readonly right: boolean }[]): [number, number][] {
  const sorted = [...reads].sort((a, b) => a.raw - b.raw);
  const pools: { raw: number; right: number; count: number }[] = [];
  const size = Math.ceil(sorted.length / 60);
  for (let from = 0; from < sorted.length; from += size) {
    const part = sorted.slice(from, from + size);
    let pool = { raw: part.reduce((sum, { raw }) => sum + raw, 0), right: part.filter(({ right }) => right).length, count: part.length };
    for (let last = pools.at(-1); last !== undefined && last.right / last.count >= pool.right / pool.count; last = pools.at(-1)) {
      pools.pop();
      pool = { raw: pool.raw + last.raw, right: pool.right + last.right, count: pool.count + last.count };
    }
    pools.push(pool);
  }
  return [[0, 0], ...pools.map(({ raw, right, count }): [number, number] => [raw / count, right / count])];
}

interface Shown {
  readonly confidence: number;
  readonly decisive: boolean;
  readonly right: boolean;
  /** Pictures so far. */
  readonly after: number;
}

/** The vote after each picture of many approaches. */
function shownVotes(texts: readonly string[], random: Random, shape: ReaderShape): Shown[] {
  return texts.flatMap((text) => {
    const vote = new PlateVote();
    return readingsOf(text, random, shape).flatMap((reading, at) => {
      vote.add(reading);
      const result = vote.result();
      return result === undefined ? [] : [{ confidence: result.read.confidence, decisive: result.decisive, right: result.read.text === text, after: at + 1 }];
    });
  });
}

const plates = fc.array(anyPlate, { minLength: 400, maxLength: 400 });
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
/** Fixed, and not shrunk: what counts is the share over many plates, which no smaller example shows. */
const options = { numRuns: 2, seed: 11, endOnFailure: true };

const share = <T>(of: readonly T[], which: (one: T) => boolean): number => of.filter(which).length / Math.max(1, of.length);

describe('the confidence of the vote, with a reader whose mistakes are known', () => {
  let shape = reader([]);

  beforeAll(() => {
    const random = new Random(1, 'calibration');
    const asItIs = reader([
      [0, 0],
      [1, 1],
    ]);
    const reads = fc.sample(anyPlate, { numRuns: 1_500, seed: 3 }).flatMap((text) =>
      readingsOf(text, random, asItIs).flatMap(({ read }) => (read === undefined ? [] : [{ raw: read.confidence, right: read.text === text }])),
    );
    shape = reader(calibrationOf(reads));
  });

  it('is kept: votes shown as 0.99 or more are right at least 985 times in 1,000, and there are many of them', () => {
    fc.assert(
      fc.property(plates, seeds, (texts, seed) => {
        const votes = shownVotes(texts, new Random(seed, 'approaches'), shape);
        const sure = votes.filter(({ confidence }) => confidence >= 0.99);
        expect(share(sure, ({ right }) => right)).toBeGreaterThanOrEqual(0.985);
        expect(sure.length / votes.length).toBeGreaterThan(0.3);
        // and at every level: of votes shown as about 0.8, no fewer than about four in five are right
        for (const [least, most] of [[0.5, 0.75], [0.75, 0.9], [0.9, 0.97], [0.97, 1]] as const) {
          const shown = votes.filter(({ confidence }) => confidence >= least && confidence < most);
          const mean = shown.reduce((sum, { confidence }) => sum + confidence, 0) / shown.length;
          expect(share(shown, ({ right }) => right)).toBeGreaterThan(mean - 0.05);
        }
      }),
      options,
    );
  });

  it('lets nearly no wrong plate be decided and most right ones within eight pictures, which are right more often than one', () => {
    fc.assert(
      fc.property(plates, seeds, (texts, seed) => {
        const votes = shownVotes(texts, new Random(seed, 'approaches'), shape);
        const decided = votes.filter(({ decisive }) => decisive);
        expect(share(decided, ({ right }) => right)).toBeGreaterThanOrEqual(0.985);
        expect(share(votes.filter(({ after }) => after === pictures), ({ decisive }) => decisive)).toBeGreaterThan(0.7);
        const rightAfter = (count: number): number => share(votes.filter(({ after }) => after === count), ({ right }) => right);
        expect(rightAfter(pictures)).toBeGreaterThan(rightAfter(1));
      }),
      options,
    );
  });
});
