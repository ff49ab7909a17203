import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bestGrammatical, type SlotCandidate } from '../../src/plate/index.js';
import { Random } from '../../src/sim/index.js';
import type { Reading } from '../../src/vision/read.js';
import { Tracker, type Sighting, type TrackState } from '../../src/vision/tracker.js';
import { PlateVote } from '../../src/vision/vote.js';

const size = { width: 1_280, height: 720 };
const frameMs = 125;

function reading(text: string, confidence: number): Reading {
  const characters = Array.from(text);
  const p = confidence ** (1 / 8);
  const slots: SlotCandidate[][] = Array.from({ length: 8 }, (_, at) => [
    { char: characters[at] ?? '', p },
    { char: 'X', p: 1 - p },
  ]);
  const best = bestGrammatical(slots);
  if (best?.text !== text) throw new Error(`${text} is no plate`);
  return { read: { text: best.text, confidence, characters: best.characters, colour: 'blue', rows: 1 }, slots };
}

function sighting(x: number, y: number, width: number, read?: Reading): Sighting {
  const [w, h] = [width / 2, width / 6];
  return {
    corners: [
      [x - w, y - h],
      [x + w, y - h],
      [x + w, y + h],
      [x - w, y + h],
    ],
    score: 0.8,
    reading: read ?? { slots: [] },
  };
}

function vote(...reads: readonly (readonly [string, number])[]): PlateVote {
  const counted = new PlateVote();
  for (const [text, confidence] of reads) counted.add(reading(text, confidence));
  return counted;
}

/** How many pictures it takes until the vote is decisive; Infinity where it never is. */
function picturesToDecide(reads: readonly (readonly [string, number])[]): number {
  const counted = new PlateVote();
  for (const [at, [text, confidence]] of reads.entries()) {
    counted.add(reading(text, confidence));
    if (counted.result()?.decisive === true) return at + 1;
  }
  return Infinity;
}

describe('the vote', () => {
  it('does not decide on one lucky picture, however sure', () => {
    expect(vote(['京QM86H8', 0.995]).result()).toMatchObject({ decisive: false, reads: 1, read: { text: '京QM86H8' } });
  });

  it('decides on two certain pictures that agree', () => {
    expect(vote(['京QM86H8', 0.993], ['京QM86H8', 0.993]).result()?.decisive).toBe(true);
  });

  it('decides on three good ones that agree, and is surer than each', () => {
    const result = vote(['京QM86H8', 0.9], ['京QM86H8', 0.92], ['京QM86H8', 0.9]).result();
    expect(result?.decisive).toBe(true);
    expect(result?.read.confidence).toBeGreaterThan(0.95);
  });

  it('does not decide between two plates that are nearly equal', () => {
    const result = vote(['京QM86H8', 0.9], ['京OM86H8', 0.9], ['京QM86H8', 0.9], ['京OM86H8', 0.9]).result();
    expect(result?.decisive).toBe(false);
    expect(result?.read.confidence).toBeLessThan(0.8);
  });

  it('outvotes weak misreads of single characters', () => {
    const result = vote(['京QM86B8', 0.5], ['京QM86H8', 0.95], ['京0M86H8'.replace('0', 'D'), 0.4], ['京QM86H8', 0.95], ['京QM86H8', 0.9]).result();
    expect(result).toMatchObject({ decisive: true, read: { text: '京QM86H8' } });
  });

  it('decides at the second picture where both are certain, at the third where they are good, and not before', () => {
    expect(picturesToDecide(Array.from({ length: 8 }, () => ['京QM86H8', 0.993]))).toBe(2);
    expect(picturesToDecide(Array.from({ length: 8 }, () => ['京QM86H8', 0.92]))).toBe(3);
    expect(picturesToDecide([['京OM86H8', 0.8], ...Array.from({ length: 8 }, (): [string, number] => ['京QM86H8', 0.95])])).toBeGreaterThan(3);
  });

  it('does not decide on a look-alike that many poor pictures and a single good one agree on', () => {
    expect(vote(['皖AT2000', 0.37], ['皖AT2000', 0.945], ['皖AT2000', 0.7], ['皖AT2000', 0.65], ['皖AT2000', 0.64], ['皖AT2000', 0.7]).result()).toMatchObject({ decisive: false, read: { text: '皖AT2000' } });
  });

  it('does not decide on an 8 that one good picture took for a B, however many less good ones agree', () => {
    const result = vote(['沪WBB9509', 0.838], ['沪WB89509', 0.899], ['沪WB89509', 0.784], ['沪WB89509', 0.893], ['沪WB89509', 0.896], ['沪WB89509', 0.927]).result();
    expect(result).toMatchObject({ decisive: false, read: { text: '沪WB89509' } });
    expect(result?.read.confidence).toBeLessThan(0.9);
    // clear pictures from nearer by settle it all the same
    expect(vote(['沪WBB9509', 0.838], ['沪WB89509', 0.993], ['沪WB89509', 0.992], ['沪WB89509', 0.993]).result()?.decisive).toBe(true);
  });

  it('does not decide while it flickers between two look-alikes, in whatever order they come', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.7, max: 0.97, noNaN: true }), { minLength: 10, maxLength: 10 }), fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8, maxLength: 8 }), (confidences, order) => {
        const counted = new PlateVote();
        // one of each first; as many of the one as of the other in the end
        for (const [at, which] of [0, 1, ...order].entries()) counted.add(reading(which % 2 === 0 ? '京A12B85' : '京A12885', confidences[at] ?? 0));
        expect(counted.result()?.decisive).toBe(false);
      }),
    );
  });

  it('is never surer of a vehicle, however long it stands, than its best pictures allow', () => {
    const result = vote(...Array.from({ length: 200 }, () => ['京QM86H8', 0.8] as const)).result();
    expect(result?.read.confidence).toBeGreaterThan(0.8);
    expect(result?.read.confidence).toBeLessThan(0.97);
  });

  it('of many poor pictures stays undecided', () => {
    const result = vote(...Array.from({ length: 6 }, () => ['京QM86H8', 0.3] as const)).result();
    expect(result?.decisive).toBe(false);
  });
});

/** Plays pictures at the camera's pace; each entry is what one picture shows. */
function play(pictures: readonly (readonly Sighting[])[], tracker = new Tracker({ prefix: 't' }), startMs = 0): TrackState[] {
  return pictures.flatMap((sightings, at) => tracker.update(sightings, startMs + at * frameMs, size));
}

/** What was ever called decisive, of which track. */
const decided = (states: readonly TrackState[]): string[] => [...new Set(states.filter(({ decisive, ended }) => decisive && !ended).map(({ track, vote: read }) => `${track}:${read?.text ?? ''}`))];

const texts = (states: readonly TrackState[]): string[] => [...new Set(states.filter(({ ended }) => !ended).map(({ track, vote: read }) => `${track}:${read?.text ?? ''}`))];

describe('tracks', () => {
  it('follow one vehicle that drives up as one, and say that it approaches', () => {
    const states = play(Array.from({ length: 16 }, (_, at) => [sighting(500 + at * 12, 250 + at * 20, 60 * 1.08 ** at, reading('京QM86H8', 0.9))]));
    expect(texts(states)).toEqual(['t1:京QM86H8']);
    expect(states.at(-1)).toMatchObject({ motion: 'approaching', decisive: true, stationary: false, reads: 16 });
  });

  it('say that a vehicle leaves', () => {
    const states = play(Array.from({ length: 16 }, (_, at) => [sighting(600, 500 - at * 15, 200 * 0.94 ** at, reading('京QM86H8', 0.9))]));
    expect(states.at(-1)?.motion).toBe('leaving');
  });

  it('find a vehicle again after a second behind a pillar', () => {
    const seen = (at: number): Sighting[] => [sighting(300 + at * 40, 300, 100, reading('京QM86H8', 0.9))];
    const states = play(Array.from({ length: 20 }, (_, at) => (at >= 6 && at < 14 ? [] : seen(at))));
    expect(texts(states)).toEqual(['t1:京QM86H8']);
  });

  it('end once, after the plate was unseen for more than a second', () => {
    const tracker = new Tracker({ prefix: 't' });
    const states = play([...Array.from({ length: 5 }, () => [sighting(500, 300, 100, reading('京QM86H8', 0.9))]), ...Array.from({ length: 20 }, () => [])], tracker);
    const endings = states.filter(({ ended }) => ended);
    expect(endings).toHaveLength(1);
    expect(endings[0]?.seenAtMs).toBe(4 * frameMs);
  });

  it('end also where a hedge, faintly and unreadably like a plate, is found right beside where the vehicle was', () => {
    const hedge: Sighting = { ...sighting(560, 300, 80), score: 0.31 };
    const states = play([...Array.from({ length: 5 }, () => [sighting(500, 300, 100, reading('京QM86H8', 0.9)), hedge]), ...Array.from({ length: 20 }, () => [hedge])]);
    expect(states.filter(({ ended }) => ended).map(({ track }) => track)).toEqual(['t1']);
    // a plate that cannot be read for the dirt on it is seen all the same
    expect(play(Array.from({ length: 3 }, () => [sighting(560, 300, 80)])).map(({ track }) => track)).toContain('t1');
  });

  it('end too when the camera gives no more pictures', () => {
    const tracker = new Tracker({ prefix: 't' });
    play([[sighting(500, 300, 100, reading('京QM86H8', 0.9))]], tracker);
    expect(tracker.expire(2_000, size)).toEqual([]);
    expect(tracker.expire(3_100, size)).toMatchObject([{ track: 't1', ended: true }]);
  });

  it('keep two cars in view apart, even when they stand close', () => {
    const states = play(Array.from({ length: 8 }, (_, at) => [sighting(400 + at * 5, 300, 110, reading('京QM86H8', 0.95)), sighting(560 + at * 5, 330, 110, reading('皖A12345', 0.95))]));
    expect(texts(states).sort()).toEqual(['t1:京QM86H8', 't2:皖A12345']);
  });

  it('begin anew for another car that comes right behind', () => {
    const first = Array.from({ length: 6 }, (_, at) => [sighting(600, 400 + at * 30, 150 + at * 10, reading('京QM86H8', 0.95))]);
    const second = Array.from({ length: 6 }, (_, at) => [sighting(600, 250 + at * 10, 80 + at * 4, reading('皖A12345', 0.95))]);
    expect(texts(play([...first, ...second]))).toEqual(['t1:京QM86H8', 't2:皖A12345']);
  });

  it('begin anew when a plate in the same place has become another one', () => {
    const states = play([
      ...Array.from({ length: 5 }, () => [sighting(600, 400, 150, reading('京QM86H8', 0.95))]),
      ...Array.from({ length: 6 }, () => [sighting(604, 400, 150, reading('皖A12345', 0.95))]),
    ]);
    expect(texts(states)).toEqual(['t1:京QM86H8', 't2:皖A12345']);
    expect(states.filter(({ ended }) => ended).map(({ track }) => track)).toEqual(['t1']);
  });

  it('do not take one wild misread for another car', () => {
    const states = play(Array.from({ length: 8 }, (_, at) => [sighting(600, 400, 150, at === 4 ? reading('皖A12345', 0.95) : reading('京QM86H8', 0.95))]));
    expect(texts(states)).toEqual(['t1:京QM86H8']);
    expect(states.at(-1)?.decisive).toBe(true);
  });

  it('of one vehicle are one when a person walks by and the wiper passes, and its plate is read wrongly at the edges', () => {
    const hidden = new Set([3, 4, 8, 9, 10, 11, 15]);
    const halfHidden = new Set([2, 5, 7, 12]);
    const states = play(
      Array.from({ length: 20 }, (_, at) => (hidden.has(at) ? [] : [sighting(400 + at * 10, 300 + at * 8, 90 * 1.04 ** at, halfHidden.has(at) ? reading('京QM8611', 0.6) : reading('京QM86H8', 0.95))])),
    );
    expect(decided(states)).toEqual(['t1:京QM86H8']);
    expect(texts(states)).toEqual(['t1:京QM86H8']);
  });

  it('of a plate that was read poorly from afar are not broken off when it is read well', () => {
    const states = play([
      ...Array.from({ length: 5 }, (_, at) => [sighting(600, 200 + at * 6, 50 + at * 2, reading('蒙QM36HW', 0.4))]),
      ...Array.from({ length: 8 }, (_, at) => [sighting(600, 230 + at * 12, 62 + at * 6, reading('京QM86H8', 0.95))]),
    ]);
    expect(decided(states)).toEqual(['t1:京QM86H8']);
    expect(new Set(states.map(({ track }) => track)).size).toBe(1);
  });

  it("do not mix a second car's poor reads into the first car's plate, at whose last place it appears", () => {
    const first = Array.from({ length: 6 }, () => [sighting(600, 400, 150, reading('京QM86H8', 0.95))]);
    const second = Array.from({ length: 10 }, () => [sighting(606, 402, 148, reading('皖A12345', 0.7))]);
    const states = play([...first, [], [], ...second]);
    const seen = texts(states);
    expect(seen.filter((each) => !each.endsWith(':京QM86H8') && !each.endsWith(':皖A12345'))).toEqual([]);
    expect(states.at(-1)?.vote?.text).toBe('皖A12345');
    expect(states.at(-1)?.vote?.confidence).toBeLessThan(0.97);
  });

  it("say when their plate was last read, not when another one was seen in its place", () => {
    const tracker = new Tracker({ prefix: '' });
    const look = (at: number, text: string): TrackState | undefined => tracker.update([sighting(640, 400, 200, reading(text, 0.99))], at * frameMs, size)[0];
    for (let at = 0; at < 4; at += 1) expect(look(at, '京QM86H8')).toMatchObject({ seenAtMs: at * frameMs, readAtMs: at * frameMs });
    for (let at = 4; at < 6; at += 1) expect(look(at, '苏E05EV8')).toMatchObject({ vote: { text: '京QM86H8' }, seenAtMs: at * frameMs, readAtMs: 3 * frameMs });
    const reports = tracker.update([sighting(640, 400, 200, reading('苏E05EV8', 0.99))], 6 * frameMs, size);
    expect(reports.find(({ ended }) => !ended)).toMatchObject({ vote: { text: '苏E05EV8' }, seenAtMs: 6 * frameMs, readAtMs: 6 * frameMs });
    expect(reports.find(({ ended }) => ended)).toMatchObject({ vote: { text: '京QM86H8' }, readAtMs: 3 * frameMs });
  });

  it("are not called decided while another plate is read in the first one's place", () => {
    const first = Array.from({ length: 6 }, () => [sighting(600, 400, 150, reading('京QM86H8', 0.95))]);
    const tracker = new Tracker({ prefix: 't' });
    play(first, tracker);
    const [state] = tracker.update([sighting(606, 402, 148, reading('皖A12345', 0.95))], 1_000, size);
    expect(state?.decisive).toBe(false);
  });

  it('tell two plates of one household apart, though they differ in one character: the second comes up as the first drives in', () => {
    const first = Array.from({ length: 8 }, (_, at) => [sighting(600, 400 + at * 30, 150 + at * 10, reading('京A12345', 0.97))]);
    // far behind, hidden so far by the first
    const second = Array.from({ length: 8 }, (_, at) => [sighting(640, 260 + at * 10, 80 + at * 4, reading('京A12346', 0.97))]);
    const states = play([...first, ...second]);
    expect(decided(states)).toEqual(['t1:京A12345', 't2:京A12346']);
  });

  it('tell two plates of one household apart where the second appears at the last place of the first', () => {
    const first = Array.from({ length: 8 }, () => [sighting(600, 400, 150, reading('京A12345', 0.97))]);
    const second = Array.from({ length: 8 }, () => [sighting(620, 405, 140, reading('京A12346', 0.97))]);
    const states = play([...first, ...Array.from({ length: 6 }, () => []), ...second]);
    expect(decided(states)).toEqual(['t1:京A12345', 't2:京A12346']);
  });

  it('go on as one when a vehicle was hidden and one character is misread for a while afterwards', () => {
    const seen = (at: number, text: string): Sighting[] => [sighting(600, 300 + at * 8, 100 + at * 3, reading(text, 0.9))];
    const states = play([
      ...Array.from({ length: 6 }, (_, at) => seen(at, '京A12885')),
      ...Array.from({ length: 6 }, () => []),
      ...Array.from({ length: 2 }, (_, at) => seen(at + 8, '京A12B85')),
      ...Array.from({ length: 6 }, (_, at) => seen(at + 10, '京A12885')),
    ]);
    expect(decided(states)).toEqual(['t1:京A12885']);
    expect(new Set(states.map(({ track }) => track)).size).toBe(1);
  });

  it('of one plate seen twice (a reflection) are one', () => {
    const states = play(Array.from({ length: 6 }, () => [sighting(600, 300, 150, reading('京QM86H8', 0.95)), sighting(600, 600, 150, reading('京QM86H8', 0.6))]));
    expect(texts(states)).toEqual(['t1:京QM86H8']);
  });
});

describe('a parked car', () => {
  const parked = (seconds: number): Sighting[][] => Array.from({ length: seconds * 8 }, () => [sighting(200, 200, 80, reading('皖A12345', 0.95))]);

  it('is known after a while and no longer keeps the camera awake', () => {
    const tracker = new Tracker({ prefix: 't' });
    const states = play(parked(25), tracker);
    expect(states[0]?.stationary).toBe(false);
    expect(states.at(-1)).toMatchObject({ stationary: true, motion: 'still' });
    expect(tracker.busy()).toBe(false);
  });

  it('is still known after something passed in front of it', () => {
    const tracker = new Tracker({ prefix: 't' });
    play(parked(25), tracker);
    play(Array.from({ length: 24 }, () => []), tracker, 25_000);
    const again = play(parked(1), tracker, 29_000);
    expect(again[0]).toMatchObject({ track: 't2', stationary: true });
  });

  it('that drives off is a guest like any other', () => {
    const tracker = new Tracker({ prefix: 't' });
    play(parked(25), tracker);
    const states = play(Array.from({ length: 8 }, (_, at) => [sighting(200 + at * 40, 200 + at * 20, 80 + at * 8, reading('皖A12345', 0.95))]), tracker, 25_125);
    expect(states.at(-1)).toMatchObject({ track: 't1', stationary: false, motion: 'approaching' });
  });

  it('is known though its small plate is found only now and then', () => {
    // once in two seconds: each time the track before has ended
    const pictures = Array.from({ length: 30 * 8 }, (_, at) => (at % 16 === 0 ? [sighting(200, 200, 40, reading('皖A12345', 0.9))] : []));
    const states = play(pictures);
    expect(states.filter(({ ended }) => !ended).at(-1)?.stationary).toBe(true);
  });

  it('is not the only thing known: a hedge that is taken for a plate now and then keeps the camera awake no longer', () => {
    const tracker = new Tracker({ prefix: 't' });
    play(Array.from({ length: 30 * 8 }, (_, at) => (at % 16 < 2 ? [sighting(140, 260, 58)] : [])), tracker);
    expect(tracker.busy()).toBe(false);
  });

  it('is known though its corners jump about in the noise of the night', () => {
    const random = new Random(5, 'corners');
    const noisy = (): number => random.between(-3, 3);
    const states = play(Array.from({ length: 25 * 8 }, () => [sighting(200 + noisy(), 200 + noisy(), 40 + noisy(), reading('皖A12345', 0.9))]));
    expect(states.at(-1)).toMatchObject({ stationary: true, motion: 'still' });
    expect(new Set(states.map(({ track }) => track)).size).toBe(1);
  });

  it('that parks after it drove up is known after some minutes', () => {
    const tracker = new Tracker({ prefix: 't' });
    play(Array.from({ length: 16 }, (_, at) => [sighting(500, 250 + at * 20, 60 * 1.08 ** at, reading('京QM86H8', 0.9))]), tracker);
    // an idle lane is searched twice a second
    const states = Array.from({ length: 2 * 320 }, (_, at) => tracker.update([sighting(500, 570, 190, reading('京QM86H8', 0.9))], 2_000 + at * 500, size)).flat();
    expect(states.at(-1)).toMatchObject({ track: 't1', stationary: true });
    expect(tracker.busy()).toBe(false);
  });

  it('is not a guest at the boom whose plate is lost for two seconds now and then', () => {
    const tracker = new Tracker({ prefix: 't' });
    play(Array.from({ length: 16 }, (_, at) => [sighting(500, 250 + at * 20, 60 * 1.08 ** at, reading('京QM86H8', 0.9))]), tracker);
    const states = play(Array.from({ length: 8 * 60 }, (_, at) => (at % 80 < 20 ? [] : [sighting(500, 570, 190, reading('京QM86H8', 0.9))])), tracker, 2_000);
    expect(states.filter(({ ended }) => !ended).some(({ stationary }) => stationary)).toBe(false);
  });

  it('is not a guest who waits at the boom for the guard', () => {
    const tracker = new Tracker({ prefix: 't' });
    play(Array.from({ length: 16 }, (_, at) => [sighting(500, 250 + at * 20, 60 * 1.08 ** at, reading('京QM86H8', 0.9))]), tracker);
    const states = play(Array.from({ length: 8 * 60 }, () => [sighting(500, 570, 190, reading('京QM86H8', 0.9))]), tracker, 2_000);
    expect(states.at(-1)).toMatchObject({ stationary: false, motion: 'still' });
  });
});
