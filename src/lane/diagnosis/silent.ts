import { isUp } from './movement.js';
import { onSince, pulseOf, rises, stateOf, type Happening, type LaneFacts, type View } from './facts.js';
import { restless, type FlutterState } from './flutter.js';
import type { SensorName } from '../types.js';
import type { Evidence } from './types.js';

/** Shorter pulses are left out of account. */
const VEHICLE_MS = 300;
/** A vehicle that passes the closing loop was on the approach loop this long before, at the earliest. */
const BEFORE_MS = 30_000;
/** One that comes the wrong way reaches the approach loop within this after it cleared the closing loop. */
const AFTER_MS = 5_000;
/** From the approach loop to the closing loop, with the boom up. */
const ONWARD_MS = 15_000;
const WAITING = 8;
/** A silent sensor is believed again after so many trips that a vehicle can have made. */
const TRIPS = 2;

type Watched = 'approach' | 'closing' | 'beam';

interface Crossing {
  readonly onMs: number;
  readonly offMs: number;
}

export interface SilentState {
  /** Vehicles in a row that a sensor missed. */
  readonly missed: Readonly<Record<Watched, number>>;
  /** Trips of a sensor since it was found silent. */
  readonly trips: Readonly<Record<Watched, number>>;
  /** Vehicles over the closing loop, not yet looked for on the approach loop. */
  readonly crossed: readonly Crossing[];
  /** Vehicles that left the approach loop under a raised boom and are awaited on the closing loop. */
  readonly onward: readonly number[];
  /** One was awaited since the boom rose: whoever shunts to and fro under a raised boom is one vehicle. */
  readonly awaited: boolean;
}

const ZERO = { approach: 0, closing: 0, beam: 0 };

export const initialSilent: SilentState = { missed: ZERO, trips: ZERO, crossed: [], onward: [], awaited: false };

function isWatched(sensor: SensorName): sensor is Watched {
  return sensor === 'approach' || sensor === 'closing' || sensor === 'beam';
}

function miss(state: SilentState, sensor: Watched, times = 1): SilentState {
  return times === 0 ? state : { ...state, missed: { ...state.missed, [sensor]: state.missed[sensor] + times }, trips: { ...state.trips, [sensor]: 0 } };
}

function trip(state: SilentState, sensor: Watched, silentFrom: number): SilentState {
  const trips = state.trips[sensor] + 1;
  if (state.missed[sensor] >= silentFrom && trips < TRIPS) return { ...state, trips: { ...state.trips, [sensor]: trips } };
  return { ...state, missed: { ...state.missed, [sensor]: 0 }, trips: { ...state.trips, [sensor]: 0 } };
}

/** @param unfelt vehicles that the camera has just seen at the line and the approach loop did not feel */
export function absorbSilent(state: SilentState, happening: Happening, view: View, flutter: FlutterState, unfelt: number): SilentState {
  let next = miss(state, 'approach', unfelt);
  const pulse = pulseOf(happening);
  if (pulse !== null && isWatched(pulse.sensor)) {
    next = trip(next, pulse.sensor, view.settings.missedVehicles);
    if (pulse.lengthMs >= VEHICLE_MS && !restless(flutter, pulse.sensor, view.nowMs)) next = vehicle(next, pulse.sensor, pulse, view);
  }
  if (happening.kind === 'boom' && happening.to === 'closed') next = { ...next, awaited: false };
  if (rises(happening) && happening.sensor === 'closing') next = { ...next, onward: [], awaited: false };
  return happening.kind === 'tick' ? lookBack(next, view) : next;
}

/** A vehicle has left a sensor: were the others tripped by it? */
function vehicle(state: SilentState, sensor: Watched, crossing: Crossing, { facts }: View): SilentState {
  if (facts.boom === 'closed') return state;
  if (sensor === 'approach') {
    // Where there is a beam, only a vehicle that has interrupted it since is known to have gone on.
    return isUp(facts.boom) && stateOf(facts, 'closing') === 'off' && !state.awaited ? { ...state, awaited: true, onward: [...state.onward, crossing.offMs].slice(-WAITING) } : state;
  }
  if (sensor !== 'closing') return state;
  const next = { ...state, crossed: [...state.crossed, crossing].slice(-WAITING) };
  const camePast = onSince(facts, 'approach', crossing.onMs - BEFORE_MS) && stateOf(facts, 'approach') === 'off';
  const beamSilent = stateOf(facts, 'beam') === 'off' && !onSince(facts, 'beam', crossing.onMs);
  return camePast && beamSilent ? miss(next, 'beam') : next;
}

function wentOn(facts: LaneFacts, leftMs: number): boolean {
  const beam = facts.sensors.beam;
  return beam === undefined || (beam.state === 'off' && beam.offMs >= leftMs);
}

/** Vehicles that have had the time to reach the other loop. */
function lookBack(state: SilentState, { facts, nowMs }: View): SilentState {
  let next = state;
  const crossed = state.crossed.filter(({ offMs }) => nowMs < offMs + AFTER_MS);
  const late = state.crossed.filter(({ offMs }) => nowMs >= offMs + AFTER_MS);
  if (late.length > 0) {
    const unnoticed = stateOf(facts, 'approach') === 'off' ? late.filter(({ onMs }) => !onSince(facts, 'approach', onMs - BEFORE_MS)) : [];
    next = miss({ ...next, crossed }, 'approach', unnoticed.length);
  }
  const onward = state.onward.filter((leftMs) => nowMs < leftMs + ONWARD_MS);
  const lost = state.onward.filter((leftMs) => nowMs >= leftMs + ONWARD_MS);
  if (lost.length > 0) {
    const unnoticed = stateOf(facts, 'closing') === 'off' ? lost.filter((leftMs) => wentOn(facts, leftMs)) : [];
    next = miss({ ...next, onward }, 'closing', unnoticed.length);
  }
  return next;
}

/** Loops and beam over which vehicles pass without a word from them. */
export function judgeSilent({ missed }: SilentState, { settings, facts }: View): readonly Evidence[] {
  return (['approach', 'closing', 'beam'] as const).flatMap((sensor): readonly Evidence[] => {
    if (missed[sensor] < settings.missedVehicles || stateOf(facts, sensor) === null) return [];
    const code = sensor === 'beam' ? 'beam-stuck-off' : 'loop-stuck-off';
    return [{ code, sensors: [sensor], facts: { vehicles: missed[sensor] } }];
  });
}
