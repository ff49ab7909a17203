import { describe, expect, it } from 'vitest';
import { bestGrammatical, type SlotCandidate } from '../../src/plate/index.js';
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
    const result = vote(['京QM86B8', 0.5], ['京QM86H8', 0.9], ['京0M86H8'.replace('0', 'D'), 0.4], ['京QM86H8', 0.9], ['京QM86H8', 0.8]).result();
    expect(result).toMatchObject({ decisive: true, read: { text: '京QM86H8' } });
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

  it('is not a guest who waits at the boom for the guard', () => {
    const tracker = new Tracker({ prefix: 't' });
    play(Array.from({ length: 16 }, (_, at) => [sighting(500, 250 + at * 20, 60 * 1.08 ** at, reading('京QM86H8', 0.9))]), tracker);
    const states = play(Array.from({ length: 8 * 60 }, () => [sighting(500, 570, 190, reading('京QM86H8', 0.9))]), tracker, 2_000);
    expect(states.at(-1)).toMatchObject({ stationary: false, motion: 'still' });
  });
});
