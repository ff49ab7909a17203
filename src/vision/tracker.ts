import type { Point, Quad } from '../base/index.js';
import type { PlateRead, PlateText } from '../plate/index.js';
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

/** A vote this sure is taken for the vehicle's plate: what reads quite differently is another one. */
const settledConfidence = 0.85;
/** What the detector itself doubts more than this, and the reader makes nothing of, is a hedge or a window. */
const faintScore = 0.5;
/** Unseen this long, or further off than a vehicle drives from picture to picture: what is seen there now may be another. */
const interruptionMs = 600;
const jumpWidths = 1;
const jumpScale = 0.35;
/** Reads of another plate, in a row and agreeing, that show that the vehicle has changed. */
const readsOfAnother = 3;
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
/**
 * A plate that is found only now and then, or that somebody walks past, has stood there all the time; after a longer while
 * it may just as well have been away and back.
 */
const flickerMemoryMs = 30_000;
const mostPlaces = 50;
const motionWindowMs = 1_500;
/** Growth of the plate's width a second (natural logarithm) that counts as driving. */
const drivingRate = 0.06;
/** Sightings whose median is where a plate stands: corners found in a noisy picture jump about. */
const settlingSightings = 5;
/** Where it stood is known better with every sighting, by this share; a vehicle creeps away faster than that. */
const settlingShare = 0.05;
/** By so much the width of a plate is misjudged, pixels; of a small one that is a large part. */
const widthErrorPx = 4;

interface Placed {
  readonly atMs: number;
  readonly centre: Point;
  readonly width: number;
}

interface Place {
  readonly corners: Quad;
  readonly text: string | undefined;
  readonly untilMs: number;
  /** Known to be parked; else the plate only has been still since. */
  readonly parked: boolean;
  readonly stillSince: Placed;
  readonly drove: boolean;
}

class Track {
  vote: PlateVote;
  corners: Quad;
  seenAtMs: number;
  sightings = 0;
  missed = 0;
  /** The newest read that agreed with the vote. */
  #agreed: { readonly text: PlateText; readonly atMs: number } | undefined;
  /** Reads in a row that are of another plate, as it seems; they become its vote if they go on. */
  #another = new PlateVote();
  /** Not yet known to be the same vehicle after it was lost or jumped. */
  #resumed = false;
  #parkedPlace = false;
  #history: Placed[] = [];
  #recent: Placed[] = [];
  #first: Placed | undefined;
  #stillSince: Placed;
  #drove = false;

  constructor(
    readonly id: string,
    { corners }: Sighting,
    atMs: number,
    vote = new PlateVote(),
  ) {
    this.vote = vote;
    this.corners = corners;
    this.seenAtMs = atMs;
    this.#stillSince = placed(corners, atMs);
    this.#agree(atMs);
  }

  /** Goes on from what stood at this place a while ago. */
  takePlace({ parked, stillSince, drove }: Place): void {
    this.#parkedPlace = parked;
    this.#stillSince = stillSince;
    this.#drove = drove;
  }

  place(nowMs: number): Place {
    const parked = this.stationary();
    const untilMs = nowMs + (parked ? placeMemoryMs : flickerMemoryMs);
    return { corners: this.corners, text: this.text(), untilMs, parked, stillSince: this.#stillSince, drove: this.#drove };
  }

  /** To be called with what one picture shows of the vehicle, before its reading is voted. */
  see({ corners }: Sighting, atMs: number): void {
    const now = placed(corners, atMs);
    if (this.sightings > 0) {
      const { aside, scale } = departure(this.predict(atMs), now);
      if ((atMs - this.seenAtMs > interruptionMs && this.missed >= 2) || aside > jumpWidths || scale > jumpScale) this.#resumed = true;
    }
    this.corners = corners;
    this.seenAtMs = atMs;
    this.sightings += 1;
    this.missed = 0;
    this.#history = [...this.#history.filter((each) => each.atMs >= atMs - motionWindowMs), now];
    this.#recent = [...this.#recent, now].slice(-settlingSightings);
    const settled = median(this.#recent);
    if (this.#recent.length >= 3) this.#first ??= settled;
    if (moved(this.#stillSince, settled, 0.3, 0.1)) {
      this.#stillSince = { ...settled, atMs };
      this.#parkedPlace = false;
    } else {
      this.#stillSince = between(this.#stillSince, settled, settlingShare);
    }
    if (this.#first !== undefined && moved(this.#first, settled, 1, 0.2)) this.#drove = true;
  }

  /**
   * Votes a reading.
   * @returns the vote of another plate, where it has clearly become one; this track is over then
   */
  read(reading: Reading): PlateVote | undefined {
    const { read } = reading;
    if (read === undefined) return undefined;
    if (this.#isAnother(read)) {
      this.#another.add(reading);
      const other = this.#another.result();
      const sure = other !== undefined && this.#another.reads >= readsOfAnother && other.read.confidence >= settledConfidence;
      return sure && other.read.text === read.text ? this.#another : undefined;
    }
    if (this.#another.reads > 0) this.#another = new PlateVote();
    if (read.text === this.text()) this.#resumed = false;
    this.vote.add(reading);
    if (read.text === this.text()) this.#agree(this.seenAtMs);
    return undefined;
  }

  #agree(atMs: number): void {
    const text = this.text();
    if (text !== undefined) this.#agreed = { text, atMs };
  }

  /** When the newest picture was taken that showed what the vote says; later ones may show another vehicle in its place. */
  readAtMs(): number | undefined {
    return this.#agreed?.text === this.text() ? this.#agreed?.atMs : undefined;
  }

  /**
   * Whether a read is not of the plate that this track has voted for. Of a vehicle that is seen all the time a character
   * or two are misread; of one that has been lost or has jumped, two characters may be all that tells it from the next.
   */
  #isAnother(read: PlateRead): boolean {
    const own = this.vote.result();
    if (own === undefined || own.read.confidence < settledConfidence) return false;
    const differing = differingCharacters(read.text, own.read.text);
    return differing >= 3 || (this.#resumed && own.decisive && differing > 0 && read.confidence >= settledConfidence);
  }

  text(): PlateText | undefined {
    return this.vote.result()?.read.text;
  }

  /** False also while another plate is read in the place of this one. */
  decisive(): boolean {
    return this.#another.reads === 0 && (this.vote.result()?.decisive ?? false);
  }

  /** Where the plate would be now if it kept its pace; at most half a second ahead. */
  predict(atMs: number): Placed {
    const last = this.#history.at(-1) ?? this.#stillSince;
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
    return this.#parkedPlace || this.seenAtMs - this.#stillSince.atMs >= (this.#drove ? guestParkedMs : parkedMs);
  }
}

function placed(corners: Quad, atMs: number): Placed {
  return { atMs, centre: quadCentre(corners), width: Math.max(1, quadWidth(corners)) };
}

/** Each coordinate's median: one badly found plate moves nothing. */
function median(places: readonly Placed[]): Placed {
  const middle = (value: (place: Placed) => number): number => places.map(value).sort((a, b) => a - b)[places.length >> 1] ?? 0;
  return { atMs: middle(({ atMs }) => atMs), centre: [middle(({ centre }) => centre[0]), middle(({ centre }) => centre[1])], width: middle(({ width }) => width) };
}

/** Part of the way from one place to another, at the time of the first. */
function between({ atMs, centre, width }: Placed, to: Placed, share: number): Placed {
  return { atMs, centre: [centre[0] + (to.centre[0] - centre[0]) * share, centre[1] + (to.centre[1] - centre[1]) * share], width: width + (to.width - width) * share };
}

/** How far aside, in widths of the larger plate, and how much larger or smaller, as a logarithm. */
function departure(from: Placed, to: Placed): { readonly aside: number; readonly scale: number } {
  return { aside: distance(from.centre, to.centre) / Math.max(from.width, to.width), scale: Math.abs(Math.log(to.width / from.width)) };
}

/** More than `widths` plate widths aside, or larger or smaller by more than the logarithm `scale`. */
function moved(from: Placed, to: Placed, widths: number, scale: number): boolean {
  return distance(from.centre, to.centre) > widths * from.width || Math.abs(Math.log(to.width / from.width)) > Math.max(scale, widthErrorPx / from.width);
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
   * @param found all plates of the picture, in its pixels; what is faint and unreadable is no plate
   * @param size of the picture, to give corners from 0 to 1
   * @returns a report of each track seen in this picture, and of each that has ended
   */
  update(found: readonly Sighting[], atMs: number, size: { readonly width: number; readonly height: number }): TrackState[] {
    const sightings = found.filter(({ score, reading: { read } }) => read !== undefined || score >= faintScore);
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

  /** Goes on with the track; or, where the plate has clearly become another one, ends it and begins anew. */
  #follow(track: Track, sighting: Sighting, atMs: number, ended: Track[]): Track {
    track.see(sighting, atMs);
    const another = track.read(sighting.reading);
    if (another === undefined) return track;
    this.#tracks = this.#tracks.filter((each) => each !== track);
    ended.push(track);
    return this.#begin(sighting, atMs, another);
  }

  /** @param vote what was read of the vehicle already, this sighting included */
  #begin(sighting: Sighting, atMs: number, vote?: PlateVote): Track {
    this.#count += 1;
    const track = new Track(`${this.options.prefix}${this.#count}`, sighting, atMs, vote);
    track.see(sighting, atMs);
    if (vote === undefined) track.read(sighting.reading);
    const text = track.text();
    const known = this.#places.find((place) => place.untilMs > atMs && quadIou(place.corners, sighting.corners) > 0.5 && isOfPlace(text, place));
    if (known !== undefined) track.takePlace(known);
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
      const left = track.place(nowMs);
      this.#places = this.#places.filter((place) => place.untilMs > nowMs && (quadIou(place.corners, left.corners) < 0.5 || (place.parked && !left.parked))).slice(-mostPlaces + 1);
      this.#places.push(left);
    }
    return gone;
  }
}

/** Whether what is seen at a place can be what stood there. A sign or a hedge taken for a plate has never had a text. */
function isOfPlace(text: string | undefined, place: Place): boolean {
  if (text === undefined || place.text === undefined) return place.parked || text === place.text;
  return differingCharacters(text, place.text) <= (place.parked ? 2 : 1);
}

/** One look at something unreadable is as often a sign as a plate. */
function isWorthReporting(track: Track): boolean {
  return track.vote.reads > 0 || track.sightings >= 2;
}

/** How badly a sighting fits a track; undefined where they cannot be the same vehicle. */
function associationCost(track: Track, { corners, reading }: Sighting, atMs: number): number | undefined {
  const gapS = Math.max(0, atMs - track.seenAtMs) / 1_000;
  const { aside, scale } = departure(track.predict(atMs), placed(corners, atMs));
  const cost = aside + scale;
  const vote = track.vote.result();
  const read = reading.read;
  if (vote !== undefined && read !== undefined) {
    const differing = differingCharacters(vote.read.text, read.text);
    // the same plate is the same vehicle wherever it jumped to in the meantime
    if (differing === 0 && read.confidence >= 0.5) return cost * 0.25 - 2;
    if (differing <= 2 && aside < 3 && scale < 1) return cost - 1;
    if (vote.read.confidence >= settledConfidence && read.confidence >= settledConfidence) return quadIou(track.corners, corners) > 0.5 ? cost + 2 : undefined;
  }
  return aside < 1 + 1.5 * gapS && scale < 0.5 + gapS ? cost : undefined;
}

function report(track: Track, size: { readonly width: number; readonly height: number }, ended: boolean): TrackState {
  const vote = track.vote.result();
  const readAtMs = track.readAtMs();
  return {
    track: track.id,
    ...(vote === undefined ? {} : { vote: vote.read }),
    ...(readAtMs === undefined ? {} : { readAtMs }),
    reads: track.vote.reads,
    decisive: track.decisive(),
    stationary: track.stationary(),
    motion: track.motion(),
    corners: mapQuad(track.corners, ([x, y]) => [x / size.width, y / size.height]),
    seenAtMs: track.seenAtMs,
    ended,
  };
}
