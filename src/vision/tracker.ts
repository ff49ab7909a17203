import type { Point, Quad } from '../base/index.js';
import { distance, mapQuad, quadCentre, quadIou, quadWidth } from './geometry.js';
import type { Reading } from './read.js';
import type { TrackReport } from './types.js';
import { PlateVote, differingCharacters } from './vote.js';

/** One plate of one picture, in its pixels. */
export interface Sighting {
  readonly corners: Quad;
  readonly score: number;
  readonly reading: Reading;
}

export type TrackState = Omit<TrackReport, 'lane'>;

/** Unseen this long, and missing from at least two pictures: the plate has left. */
const endAfterMs = 1_200;
/** Unseen this long it has left even if hardly a picture came. */
const endForSureMs = 3_000;
/** A plate that was here before us, or stopped without ever having driven, is parked after this. */
const parkedMs = 20_000;
/** A vehicle that drove up may wait for a guard this long before it counts as parked. */
const guestParkedMs = 300_000;
/** A place where a car is parked is remembered while something passes in front of it. */
const placeMemoryMs = 3_600_000;
const mostPlaces = 50;
const motionWindowMs = 1_500;
/** Growth of the plate's width a second (natural logarithm) that counts as driving. */
const drivingRate = 0.06;

interface Placed {
  readonly atMs: number;
  readonly centre: Point;
  readonly width: number;
}

interface Place {
  readonly corners: Quad;
  readonly text: string | undefined;
  readonly untilMs: number;
}

class Track {
  vote = new PlateVote();
  corners: Quad;
  seenAtMs: number;
  sightings = 0;
  missed = 0;
  /** Confident reads in a row that are clearly another plate. */
  contradictions: Reading[] = [];
  parkedPlace = false;
  #history: Placed[] = [];
  #first: Placed;
  #anchor: Placed;
  #drove = false;

  constructor(
    readonly id: string,
    sighting: Sighting,
    atMs: number,
  ) {
    this.corners = sighting.corners;
    this.seenAtMs = atMs;
    this.#first = { atMs, centre: quadCentre(sighting.corners), width: quadWidth(sighting.corners) };
    this.#anchor = this.#first;
    this.see(sighting, atMs);
  }

  see({ corners, reading }: Sighting, atMs: number): void {
    this.corners = corners;
    this.seenAtMs = atMs;
    this.sightings += 1;
    this.missed = 0;
    const now: Placed = { atMs, centre: quadCentre(corners), width: quadWidth(corners) };
    this.#history.push(now);
    this.#history = this.#history.filter((each) => each.atMs >= atMs - motionWindowMs);
    if (moved(this.#anchor, now, 0.3, 0.1)) {
      this.#anchor = now;
      this.parkedPlace = false;
    }
    if (moved(this.#first, now, 1, 0.2)) this.#drove = true;
    this.vote.add(reading);
  }

  text(): string | undefined {
    return this.vote.result()?.read.text;
  }

  /** Where the plate would be now if it kept its pace; at most half a second ahead. */
  predict(atMs: number): Placed {
    const last = this.#history.at(-1) ?? this.#first;
    const before = this.#history.find((each) => each.atMs < last.atMs && last.atMs - each.atMs <= 600);
    if (before === undefined) return last;
    const ahead = Math.min(500, atMs - last.atMs) / (last.atMs - before.atMs);
    return {
      atMs,
      centre: [last.centre[0] + (last.centre[0] - before.centre[0]) * ahead, last.centre[1] + (last.centre[1] - before.centre[1]) * ahead],
      width: last.width * (last.width / before.width) ** Math.max(-1, Math.min(1, ahead)),
    };
  }

  motion(): 'approaching' | 'leaving' | 'still' {
    const points = this.#history;
    const first = points[0];
    const last = points.at(-1);
    if (first === undefined || last === undefined || points.length < 3 || last.atMs - first.atMs < 300) return 'still';
    const meanMs = points.reduce((sum, each) => sum + each.atMs, 0) / points.length;
    const meanLog = points.reduce((sum, each) => sum + Math.log(each.width), 0) / points.length;
    let above = 0;
    let below = 0;
    for (const each of points) {
      const t = (each.atMs - meanMs) / 1_000;
      above += t * (Math.log(each.width) - meanLog);
      below += t * t;
    }
    const rate = below === 0 ? 0 : above / below;
    return rate > drivingRate ? 'approaching' : rate < -drivingRate ? 'leaving' : 'still';
  }

  stationary(): boolean {
    return this.parkedPlace || this.seenAtMs - this.#anchor.atMs >= (this.#drove ? guestParkedMs : parkedMs);
  }
}

/** More than `widths` plate widths aside, or larger or smaller by more than the logarithm `scale`. */
function moved(from: Placed, to: Placed, widths: number, scale: number): boolean {
  return distance(from.centre, to.centre) > widths * from.width || Math.abs(Math.log(to.width / from.width)) > scale;
}

export interface TrackerOptions {
  /** Put before each track's number; unique to the lane and to this start of the process. */
  readonly prefix: string;
}

/**
 * Follows the plates of one camera from picture to picture: one vehicle, one track, one vote. Knows no clock: every
 * call says when its picture was taken.
 */
export class Tracker {
  #tracks: Track[] = [];
  #places: Place[] = [];
  #count = 0;

  constructor(private readonly options: TrackerOptions) {}

  /** Whether anything is followed that is not known to be parked. */
  busy(): boolean {
    return this.#tracks.some((track) => !track.stationary());
  }

  /**
   * Takes in what one picture showed.
   * @param size of the picture, to give corners from 0 to 1
   * @returns a report of each track seen in this picture, and of each that has ended
   */
  update(sightings: readonly Sighting[], atMs: number, size: { readonly width: number; readonly height: number }): TrackState[] {
    const pairs: { track: Track; sighting: Sighting; cost: number }[] = [];
    for (const track of this.#tracks) {
      for (const sighting of sightings) {
        const cost = associationCost(track, sighting, atMs);
        if (cost !== undefined) pairs.push({ track, sighting, cost });
      }
    }
    pairs.sort((a, b) => a.cost - b.cost);
    const seen = new Set<Track>();
    const taken = new Set<Sighting>();
    const ended: Track[] = [];
    for (const { track, sighting } of pairs) {
      if (seen.has(track) || taken.has(sighting)) continue;
      taken.add(sighting);
      seen.add(this.#follow(track, sighting, atMs, ended));
    }
    for (const sighting of sightings) {
      if (taken.has(sighting)) continue;
      // a reflection, or one plate found twice: the vehicle is followed already
      const text = sighting.reading.read?.text;
      if (text !== undefined && [...seen].some((track) => track.text() === text)) continue;
      seen.add(this.#begin(sighting, atMs));
    }
    for (const track of this.#tracks) if (!seen.has(track)) track.missed += 1;
    ended.push(...this.#takeGone(atMs));
    return [
      ...ended.filter(isWorthReporting).map((track) => report(track, size, true)),
      ...[...seen].filter(isWorthReporting).map((track) => report(track, size, false)),
    ];
  }

  /** For when no picture comes: ends what has been unseen for long. */
  expire(nowMs: number, size: { readonly width: number; readonly height: number }): TrackState[] {
    return this.#takeGone(nowMs)
      .filter(isWorthReporting)
      .map((track) => report(track, size, true));
  }

  /** Goes on with the track; or, where the plate has clearly been another one for three pictures, ends it and begins anew. */
  #follow(track: Track, sighting: Sighting, atMs: number, ended: Track[]): Track {
    const read = sighting.reading.read;
    const text = track.text();
    if (read === undefined || text === undefined) {
      track.see(sighting, atMs);
      return track;
    }
    if (read.confidence >= 0.9 && differingCharacters(read.text, text) >= 3) {
      track.contradictions.push(sighting.reading);
      if (track.contradictions.length >= 3) {
        this.#tracks = this.#tracks.filter((each) => each !== track);
        ended.push(track);
        const next = this.#begin(sighting, atMs);
        for (const reading of track.contradictions.slice(0, -1)) next.vote.add(reading);
        return next;
      }
      // followed, but not voted: if it is another vehicle its plate must not mix into this one's
      track.see({ ...sighting, reading: { slots: [] } }, atMs);
      return track;
    }
    track.contradictions = [];
    track.see(sighting, atMs);
    return track;
  }

  #begin(sighting: Sighting, atMs: number): Track {
    this.#count += 1;
    const track = new Track(`${this.options.prefix}${this.#count}`, sighting, atMs);
    const text = sighting.reading.read?.text;
    track.parkedPlace = this.#places.some(
      (place) =>
        place.untilMs > atMs &&
        quadIou(place.corners, sighting.corners) > 0.5 &&
        (text === undefined || place.text === undefined || differingCharacters(text, place.text) <= 2),
    );
    this.#tracks.push(track);
    return track;
  }

  #takeGone(nowMs: number): Track[] {
    const gone = this.#tracks.filter((track) => {
      const unseenMs = nowMs - track.seenAtMs;
      return (unseenMs > endAfterMs && track.missed >= 2) || unseenMs > endForSureMs;
    });
    this.#tracks = this.#tracks.filter((track) => !gone.includes(track));
    for (const track of gone) {
      if (!track.stationary()) continue;
      this.#places = this.#places.filter((place) => place.untilMs > nowMs && quadIou(place.corners, track.corners) < 0.5).slice(-mostPlaces + 1);
      this.#places.push({ corners: track.corners, text: track.text(), untilMs: nowMs + placeMemoryMs });
    }
    return gone;
  }
}

/** One look at something unreadable is as often a sign as a plate. */
function isWorthReporting(track: Track): boolean {
  return track.vote.reads > 0 || track.sightings >= 2;
}

/** How badly a sighting fits a track; undefined where they cannot be the same vehicle. */
function associationCost(track: Track, { corners, reading }: Sighting, atMs: number): number | undefined {
  const expected = track.predict(atMs);
  const centre = quadCentre(corners);
  const width = quadWidth(corners);
  const gapS = Math.max(0, atMs - track.seenAtMs) / 1_000;
  const aside = distance(expected.centre, centre) / Math.max(expected.width, width, 1);
  const scale = Math.abs(Math.log(width / expected.width));
  const cost = aside + scale;
  const vote = track.vote.result();
  const read = reading.read;
  if (vote !== undefined && read !== undefined) {
    const differing = differingCharacters(vote.read.text, read.text);
    // the same plate is the same vehicle wherever it jumped to in the meantime
    if (differing <= 1 && read.confidence >= 0.5) return cost * 0.25 - 2;
    if (differing <= 2 && aside < 3 && scale < 1) return cost - 1;
    if (differing >= 4 && vote.read.confidence >= 0.85 && read.confidence >= 0.85) return quadIou(track.corners, corners) > 0.5 ? cost + 2 : undefined;
  }
  return aside < 1 + 1.5 * gapS && scale < 0.5 + gapS ? cost : undefined;
}

function report(track: Track, size: { readonly width: number; readonly height: number }, ended: boolean): TrackState {
  const vote = track.vote.result();
  return {
    track: track.id,
    ...(vote === undefined ? {} : { vote: vote.read }),
    reads: track.vote.reads,
    decisive: vote?.decisive ?? false,
    stationary: track.stationary(),
    motion: track.motion(),
    corners: mapQuad(track.corners, ([x, y]) => [x / size.width, y / size.height]),
    seenAtMs: track.seenAtMs,
    ended,
  };
}
