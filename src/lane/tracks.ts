import type { JsonObject } from '../base/index.js';
import { NEAR_DISTANCE, lookAlikeDistance, type PlateRead } from '../plate/index.js';
import type { Passage, Track } from './state.js';
import { journal, patch, takeSerial, type Step } from './step.js';
import type { Cause, TrackInput } from './types.js';

/** Most tracks a lane remembers; a picture never holds so many plates. */
export const MAX_TRACKS = 32;

/** Up to this look-alike distance two reads at one place can be of one vehicle, read badly once. */
const SAME_VEHICLE_DISTANCE = 1.5;

/** A track with something readable. */
export type ReadTrack = Track & { readonly vote: PlateRead };

/** A vote less sure than this is as likely a shop sign or a shadow; it may still become sure. */
export const LEAST_SURE = 0.3;

/** So much wider is the plate of the vehicle in front. */
const NEARER = 1.2;

/** Corners of one plate in two pictures agree at least so well. */
const AS_NEAR = 0.9;

/** A plate that is missing from the pictures for this long, while another is seen, has left. */
const UNSEEN_MS = 700;

/** Vision needs so long to tell that a plate has left. */
const LEFT_AFTER_MS = 1_200;

/** Takes a report of vision. Reads of a track that a passage owned stay with it, also when the passage has ended. */
export function absorbTrack(step: Step, report: TrackInput): void {
  const seenMs = Math.min(report.seenAtMs, step.nowMs);
  const known = step.state.tracks.find((track) => track.track === report.track);
  const base: Track = known ?? {
    track: report.track,
    vote: null,
    decisive: false,
    stationary: false,
    firstMs: seenMs,
    seenMs,
    readMs: null,
    endedMs: null,
    width: null,
    owner: null,
    request: null,
    decision: null,
    askAgainMs: null,
    foreseen: null,
  };
  const next: Track = {
    ...base,
    vote: report.vote ?? base.vote,
    decisive: report.vote === undefined ? base.decisive : report.decisive,
    stationary: report.stationary,
    seenMs: report.ended ? base.seenMs : seenMs,
    readMs: readOf(base, report, step.nowMs),
    width: report.width ?? base.width,
    endedMs: report.ended ? (base.endedMs ?? step.nowMs) : base.endedMs,
  };
  const tracks = known === undefined ? [...step.state.tracks, next] : step.state.tracks.map((track) => (track === known ? next : track));
  patch(step, { tracks: tracks.slice(-MAX_TRACKS), visionAvailable: true });
}

/** When the vote that holds after this report was last read. */
function readOf(before: Track, { vote, readAtMs }: TrackInput, nowMs: number): number | null {
  if (vote === undefined) return before.readMs;
  return readAtMs === undefined ? null : Math.min(readAtMs, nowMs);
}

export function patchTrack(step: Step, name: string, change: Partial<Track>): void {
  patch(step, { tracks: step.state.tracks.map((track) => (track.track === name ? { ...track, ...change } : track)) });
}

/**
 * Hands an early admission to the journal, once for each plate and rule: on the loop's edge its cause is durable already and
 * the boom waits for no disk (S9).
 */
export function foresee(step: Step, track: ReadTrack, payload: JsonObject, cause: Cause): void {
  if (track.foreseen !== null && sameCause(track.foreseen.cause, cause)) return;
  const token = takeSerial(step);
  patchTrack(step, track.track, { foreseen: { cause, token, durable: false } });
  journal(step, 'passage.foreseen', { ...payload, cause: { ...cause } }, null, token);
}

/** The journal has an early admission, or cannot take it: then the next one is tried again, and the opening keeps a record of its own. */
export function foreseenRecorded(step: Step, token: number, durable: boolean): void {
  const track = step.state.tracks.find((other) => other.foreseen?.token === token);
  if (track?.foreseen) patchTrack(step, track.track, { foreseen: durable ? { ...track.foreseen, durable } : null });
}

export function sameCause(one: Cause, other: Cause): boolean {
  return one.kind === other.kind && one.detail === other.detail;
}

/** Forgets tracks that have left the picture, plates that are no longer quiet, and early decisions grown old. */
export function ageTracks(step: Step): void {
  const { settings, tracks, quiet } = step.state;
  const kept = tracks.filter((track) => track.endedMs === null || step.nowMs < track.endedMs + settings.warmTrackMs);
  if (kept.length !== tracks.length) patch(step, { tracks: kept });
  const still = quiet.filter((plate) => step.nowMs < plate.untilMs);
  if (still.length !== quiet.length) patch(step, { quiet: still });
  for (const track of kept) {
    if (track.decision !== null && step.nowMs >= track.decision.atMs + settings.warmDecisionMs) patchTrack(step, track.track, { decision: null });
  }
}

/** Lists, quotas and occupancy move on with every passage: what was decided early is asked again. */
export function forgetEarlyDecisions(step: Step): void {
  patch(step, { tracks: step.state.tracks.map((track) => (track.owner === null ? { ...track, request: null, decision: null } : track)) });
}

/**
 * Whether a track may be given to a passage: nobody's so far, readable, not a parked car, and not the plate of a vehicle
 * that is in the lane or has just left it, seen again under another track.
 */
export function eligible(step: Step, track: Track, passage: string | null): track is ReadTrack {
  const { vote } = track;
  if (track.owner !== null || vote === null || vote.confidence < LEAST_SURE || track.stationary) return false;
  const near = (text: string): boolean => lookAlikeDistance(text, vote.text) <= NEAR_DISTANCE;
  if (step.state.quiet.some((plate) => near(plate.text))) return false;
  return !step.state.passages.some((other) => other.key !== passage && other.plate !== null && near(other.plate.text));
}

/**
 * The track of the next vehicle: of those that are sure the one that has been seen the longest, since vehicles come in
 * order; a glimpse of a plate at a slant makes a track of its own that must not go before. None, while the vehicle in front
 * shows a plate that is not sure yet: a resident must not open for whoever drives ahead of him.
 */
export function nextTrack(step: Step, passage: Passage | null): ReadTrack | null {
  const plate = passage?.plate ?? null;
  const candidates = step.state.tracks.filter(
    (track): track is ReadTrack =>
      eligible(step, track, passage?.key ?? null) &&
      isOfNext(step, track, passage) &&
      (plate === null || lookAlikeDistance(plate.text, track.vote.text) <= SAME_VEHICLE_DISTANCE || surerAsNear(step, track, passage)),
  );
  const next = candidates.find((track) => track.decisive) ?? candidates[0];
  return next === undefined || behindUnsure(step, next) ? null : next;
}

/** A sure plate as near as the glimpse that the passage has so far: the same vehicle, and not the one behind it. */
function surerAsNear(step: Step, { decisive, width }: Track, passage: Passage | null): boolean {
  if (passage === null || passage.plateDecisive || !decisive || width === null) return false;
  const own = step.state.tracks.filter((track) => track.owner === passage.key).map((track) => track.width ?? Infinity);
  return own.length > 0 && width >= Math.max(...own) * AS_NEAR;
}

/**
 * A plate in front, nearer to the camera and seen no later, that could not be read for sure so far. Whether it is still
 * there is asked of the pictures and not of the clock: a slow recogniser tells of both plates late.
 */
function behindUnsure(step: Step, { width, firstMs, seenMs }: Track): boolean {
  if (width === null) return false;
  return step.state.tracks.some(
    ({ vote, decisive, owner, stationary, ...other }) =>
      vote !== null &&
      !decisive &&
      owner === null &&
      !stationary &&
      seenMs < other.seenMs + UNSEEN_MS &&
      afterTheLast(step, other.seenMs) &&
      other.firstMs <= firstMs &&
      (other.width ?? 0) > width * NEARER,
  );
}

/**
 * Whether the pictures can be of the next vehicle, whenever they were searched. They are not, where its plate was last read
 * before the vehicle ahead had left the approach loop: that vehicle's own plate, told late or seen under a second track,
 * looks the same. Nor where it left the picture long before anybody came on the loop.
 */
function isOfNext(step: Step, track: Track, passage: Passage | null): boolean {
  const comesMs = passage?.startedMs ?? step.nowMs;
  return afterTheLast(step, track.readMs) && comesMs < track.seenMs + LEFT_AFTER_MS + step.state.settings.warmTrackMs;
}

/** Whether a picture was taken after the last vehicle had left the approach loop, if there was one. */
function afterTheLast(step: Step, takenMs: number | null): boolean {
  const { approachLeftMs } = step.state;
  return approachLeftMs === null || (takenMs !== null && takenMs > approachLeftMs);
}

/** A track that is still in the picture. */
export function isLive(step: Step, name: string): boolean {
  return step.state.tracks.some((track) => track.track === name && track.endedMs === null);
}

/** Early decision: an unambiguous read is decided before its vehicle trips the loop. */
export function decideEarly(step: Step): void {
  if (!step.state.started || !step.state.settings.earlyDecision) return;
  for (const track of step.state.tracks) {
    if (!track.decisive || track.endedMs !== null || !eligible(step, track, null) || !isOfNext(step, track, null)) continue;
    const { vote } = track;
    if (step.nowMs < (track.askAgainMs ?? 0) || track.request?.text === vote.text || track.decision?.text === vote.text) continue;
    const number = takeSerial(step);
    patchTrack(step, track.track, { request: { number, text: vote.text }, decision: null });
    step.effects.push({ kind: 'decide', request: number, passage: null, track: track.track, plate: vote });
  }
}
