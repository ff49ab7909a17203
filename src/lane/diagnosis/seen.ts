import { NEAR_DISTANCE, lookAlikeDistance } from '../../plate/index.js';
import { NEVER, keep, onSince, pulseOf, rises, stateOf, type Happening, type LaneFacts, type View } from './facts.js';
import type { TrackInput } from '../types.js';
import type { Evidence, FindingCode } from './types.js';

/** Most plates followed at a time; a picture never holds so many. */
const MOST = 32;
/** A plate this long near has stood at the line: by then the loop has felt its vehicle. */
const STANDS_MS = 5_000;
/** One that left sooner was near for at least so long. */
const NEAR_MS = 2_000;
/** The loop's detector, the driver behind it and the camera's pictures are so far apart at most. */
const APART_MS = 2_000;
/** A plate is in the picture so long before its vehicle trips the loop. */
const AHEAD_MS = 5_000;
/** Vehicles that only roll over the loop may be too fast for the camera. */
const STAY_MS = 3_000;
const KEPT_VEHICLES = 8;
const KEPT_STAYS = 10;
const KEPT_WIDTHS = 15;
const LEARNED = 5;
/** A plate that moved when it was so old belongs to a guest, and still does when he stands for long; a parked car's does not. */
const GUEST_MS = 30_000;
/** At the line a plate is so much wider than where the loop begins. */
const WIDER = 1.1;

interface Seen {
  readonly track: string;
  readonly text: string | null;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly nearMs: number | null;
  readonly decisive: boolean;
  readonly parked: boolean;
  readonly guest: boolean;
  readonly width: number | null;
  readonly ended: boolean;
  /** The loop has been asked about it. */
  readonly judged: boolean;
}

export interface SeenState {
  /** When a plate that belongs to no parked car was last in the picture. */
  readonly plateSeenMs: number;
  readonly tracks: readonly Seen[];
  /** Plates' widths when the approach loop tripped. */
  readonly widths: readonly number[];
  /** Of the newest vehicles seen at the line, whether the loop felt them. */
  readonly felt: readonly boolean[];
  /** Plate of the vehicle that was last not felt: it counts once, however long it stands. */
  readonly unfelt: string | null;
  /** Of the newest stays on the approach loop, whether a plate was in the picture. */
  readonly plated: readonly boolean[];
}

export const initialSeen: SeenState = { plateSeenMs: NEVER, tracks: [], widths: [], felt: [], unfelt: null, plated: [] };

function nearWidth({ widths }: SeenState, { settings }: View): number {
  const median = [...widths].sort((a, b) => a - b)[Math.floor(widths.length / 2)];
  return median === undefined || widths.length < LEARNED ? settings.nearPlateWidth : median * WIDER;
}

/** @returns also how many vehicles have just been found at the line that the loop did not feel */
export function absorbSeen(state: SeenState, happening: Happening, view: View): { readonly state: SeenState; readonly unfelt: number } {
  switch (happening.kind) {
    case 'vision':
      // Names of tracks are only unique while the vision process lives.
      return { state: happening.available ? state : { ...state, tracks: [] }, unfelt: 0 };
    case 'track':
      return { state: follow(state, happening.report, view), unfelt: 0 };
    case 'edge':
      return { state: edge(state, happening, view), unfelt: 0 };
    case 'tick':
      return judgeTracks(state, view);
    case 'boom':
    case 'frequency':
      return { state, unfelt: 0 };
  }
}

function follow(state: SeenState, report: TrackInput, view: View): SeenState {
  // A slow recogniser tells late: what counts is when the picture was taken.
  const nowMs = Math.min(report.seenAtMs, view.nowMs);
  const known = state.tracks.find(({ track }) => track === report.track);
  if (report.ended) return { ...state, tracks: state.tracks.map((it) => (it === known ? { ...it, ended: true } : it)) };
  const near = report.width !== undefined && report.width >= nearWidth(state, view);
  const it: Seen = {
    track: report.track,
    text: report.vote?.text ?? known?.text ?? null,
    firstMs: known?.firstMs ?? nowMs,
    lastMs: nowMs,
    nearMs: near ? (known?.nearMs ?? nowMs) : null,
    decisive: report.decisive || known?.decisive === true,
    parked: report.stationary,
    guest: known?.guest === true || (!report.stationary && nowMs >= (known?.firstMs ?? nowMs) + GUEST_MS),
    width: report.width ?? null,
    ended: false,
    judged: known?.judged ?? false,
  };
  return {
    ...state,
    plateSeenMs: it.parked && !it.guest ? state.plateSeenMs : nowMs,
    tracks: known === undefined ? keep(state.tracks, it, MOST) : state.tracks.map((other) => (other === known ? it : other)),
  };
}

function edge(state: SeenState, happening: Extract<Happening, { kind: 'edge' }>, { facts }: View): SeenState {
  if (happening.sensor !== 'approach') return state;
  if (rises(happening)) {
    const live = state.tracks.filter(({ ended, parked, decisive }) => !ended && !parked && decisive);
    const width = live.length === 1 ? (live[0]?.width ?? null) : null;
    return { ...state, unfelt: null, widths: width === null ? state.widths : keep(state.widths, width, KEPT_WIDTHS) };
  }
  const pulse = pulseOf(happening);
  const sinceMs = facts.visionSinceMs;
  if (pulse === null || sinceMs === null || sinceMs > pulse.onMs - AHEAD_MS) return state;
  const plated = state.plateSeenMs >= pulse.onMs - AHEAD_MS;
  // Who is read drives on; only those who were not stay. So a short stay counts where its plate was seen.
  return plated || pulse.lengthMs >= STAY_MS ? { ...state, plated: keep(state.plated, plated, KEPT_STAYS) } : state;
}

/** Whether the loop felt this vehicle; null where that cannot be told. */
function feltBy(it: Seen, nearMs: number, facts: LaneFacts): boolean | null {
  if (onSince(facts, 'approach', nearMs - APART_MS)) return true;
  // A loop that cannot be read tells nothing, and a vehicle of the lane beside may be in the picture.
  return stateOf(facts, 'approach') === 'off' && facts.neighbourMs < it.firstMs - APART_MS ? false : null;
}

function sameVehicle(a: string, b: string): boolean {
  return lookAlikeDistance(a, b) <= NEAR_DISTANCE;
}

function judgeTracks(state: SeenState, { facts, nowMs }: View): { readonly state: SeenState; readonly unfelt: number } {
  let { felt, unfelt } = state;
  let times = 0;
  const left: Seen[] = [];
  for (const it of state.tracks) {
    const { nearMs, decisive, text } = it;
    const stands = nearMs !== null && it.lastMs - nearMs >= (it.ended ? NEAR_MS : STANDS_MS);
    const due = stands && decisive && text !== null && !it.parked && !it.judged && nowMs >= it.lastMs + (it.ended ? APART_MS : 0);
    const waits = it.ended && nowMs < it.lastMs + APART_MS;
    if (!due) {
      if (!it.ended || waits) left.push(it);
      continue;
    }
    const verdict = feltBy(it, nearMs, facts);
    if (!it.ended) left.push({ ...it, judged: true });
    if (verdict === null || (!verdict && unfelt !== null && sameVehicle(unfelt, text))) continue;
    felt = keep(felt, verdict, KEPT_VEHICLES);
    if (verdict) continue;
    unfelt = text;
    times += 1;
  }
  return { state: { ...state, tracks: left, felt, unfelt }, unfelt: times };
}

/** Loop and camera tell of different vehicles, again and again. A loop that feels none is told of as silent instead. */
export function judgeSeen({ felt, plated }: SeenState, { settings }: View, active: (code: FindingCode) => boolean): readonly Evidence[] {
  const before = active('loop-vision-disagree');
  const missed = felt.filter((it) => !it).length;
  if (missed >= (before ? 2 : settings.visionDisagreements) && missed < felt.length) {
    return [{ code: 'loop-vision-disagree', sensors: ['approach'], facts: { why: 'seen-not-felt', times: missed, of: felt.length } }];
  }
  const bare = plated.filter((it) => !it).length;
  if (bare >= settings.visionDisagreements * 2 || (before && bare > settings.visionDisagreements + 1)) {
    return [{ code: 'loop-vision-disagree', sensors: ['approach'], facts: { why: 'felt-not-seen', times: bare, of: plated.length } }];
  }
  return [];
}
