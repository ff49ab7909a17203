import { NEVER, SETTLED_MS, heldMs, pulseOf, rises, stateOf, type Happening, type View } from './facts.js';
import type { SensorName } from '../types.js';
import type { Evidence, FindingCode } from './types.js';

/** The camera has seen nothing for so long: no vehicle with a plate stands there. */
const UNSEEN_MS = 180_000;
/** A plate seen so recently explains a loop that stays occupied. */
const SEEN_MS = 60_000;
/** A picture without a plate for so long is empty; so many times, between vehicles, while the loop stayed occupied. */
const EMPTY_MS = 20_000;
const EMPTY_TIMES = 3;
/** Vehicles in a column follow each other faster than this: only passings further apart leave the loop time to clear. */
const COLUMN_MS = 20_000;
/** So many vehicles went by while the approach loop never cleared. */
const CROSSINGS = 5;
/** A vehicle that rolls over the approach loop and on covers it no longer than this; one that has to turn back does. */
const ROLLING_MS = 6_000;
const VEHICLE_MS = 300;
/** So many vehicles rolled on over the approach loop while something seemed to stand under the boom. */
const ROLLED_PAST = 4;
/** Nobody leans on a button, or stands in the beam over an empty loop, for so long. */
const CONTACT_MS = 300_000;

/** What passed while a loop stayed occupied. */
export interface StuckState {
  readonly crossings: number;
  readonly crossedMs: number;
  readonly rolledPast: number;
  /** Times that the picture became empty, and whether it is now. */
  readonly empties: number;
  readonly empty: boolean;
}

export const initialStuck: StuckState = { crossings: 0, crossedMs: NEVER, rolledPast: 0, empties: 0, empty: false };

/** @param plateSeenMs when a plate that belongs to no parked car was last in the picture */
export function absorbStuck(state: StuckState, happening: Happening, view: View, plateSeenMs: number): StuckState {
  const { facts } = view;
  if (happening.kind === 'tick') {
    const empty = blindMs(view, plateSeenMs) >= EMPTY_MS;
    return empty === state.empty ? state : { ...state, empty, empties: state.empties + (empty ? 1 : 0) };
  }
  if (happening.kind === 'edge' && happening.sensor === 'approach' && happening.to !== 'off') return { ...state, crossings: 0, crossedMs: NEVER, empties: 0 };
  if (rises(happening) && happening.sensor === 'closing') return { ...state, rolledPast: 0 };
  const pulse = pulseOf(happening);
  if (pulse === null || pulse.lengthMs < VEHICLE_MS) return state;
  if (pulse.sensor === 'closing' && stateOf(facts, 'approach') === 'on') {
    const apart = pulse.offMs - state.crossedMs >= COLUMN_MS;
    return { ...state, crossings: state.crossings + (apart ? 1 : 0), crossedMs: pulse.offMs };
  }
  if (pulse.sensor === 'approach' && pulse.lengthMs <= ROLLING_MS && stateOf(facts, 'closing') === 'on') return { ...state, rolledPast: state.rolledPast + 1 };
  return state;
}

/** For how long the camera has worked and seen nobody. */
function blindMs({ facts, nowMs }: View, plateSeenMs: number): number {
  return facts.visionSinceMs === null ? 0 : nowMs - Math.max(facts.visionSinceMs, plateSeenMs);
}

function approachWhy(state: StuckState, view: View, plateSeenMs: number): string | null {
  const { facts, settings, nowMs } = view;
  const occupiedMs = heldMs(view, 'approach', 'on');
  if (occupiedMs >= settings.approachStuckMs) {
    if (state.crossings >= CROSSINGS) return 'passed-around';
    // Behind a vehicle under the boom others have to wait, with or without plates.
    if (stateOf(facts, 'closing') !== 'on' && (blindMs(view, plateSeenMs) >= UNSEEN_MS || state.empties >= EMPTY_TIMES)) return 'nothing-seen';
  }
  const seen = facts.visionSinceMs !== null && nowMs - plateSeenMs < SEEN_MS;
  return occupiedMs >= settings.unexplainedStuckMs && !seen ? 'time' : null;
}

/** Whoever stands under the boom interrupts the beam, or stands half on the approach loop. */
function closingWhy(state: StuckState, view: View): string | null {
  const { facts, settings } = view;
  const occupiedMs = heldMs(view, 'closing', 'on');
  const beam = stateOf(facts, 'beam');
  if (beam === 'on') return null;
  if (occupiedMs >= settings.closingStuckMs) {
    if (state.rolledPast >= ROLLED_PAST) return 'passed-around';
    if (Math.min(heldMs(view, 'beam', 'off'), heldMs(view, 'approach', 'off')) >= settings.closingStuckMs) return 'beam-clear';
  }
  return occupiedMs >= settings.unexplainedStuckMs ? 'time' : null;
}

/**
 * Loops, beam and button that are on and should not be. Presence alone is never enough for the closing loop while the beam
 * is interrupted. The safety loop has no presence limit (S1): a finding calls a person and changes no movement.
 * @param plateSeenMs when a plate that belongs to no parked car was last in the picture
 */
export function judgeStuck(state: StuckState, view: View, plateSeenMs: number, active: (code: FindingCode, sensor: SensorName) => boolean): readonly Evidence[] {
  const found: Evidence[] = [];
  const stays = (code: FindingCode, sensor: SensorName): boolean => active(code, sensor) && heldMs(view, sensor, 'off') < SETTLED_MS;
  const judge = (code: FindingCode, sensor: SensorName, why: string | null, more: Readonly<Record<string, boolean>> = {}): void => {
    if (why === null && !stays(code, sensor)) return;
    found.push({ code, sensors: [sensor], facts: { minutes: Math.round(heldMs(view, sensor, 'on') / 60_000), why: why ?? 'time', ...more } });
  };
  judge('loop-stuck-on', 'approach', approachWhy(state, view, plateSeenMs), { keepsBoomUp: false });
  judge('loop-stuck-on', 'closing', closingWhy(state, view), { keepsBoomUp: true });
  const beamAlone = heldMs(view, 'beam', 'on') >= CONTACT_MS && heldMs(view, 'closing', 'off') >= SETTLED_MS;
  judge('beam-stuck-on', 'beam', beamAlone ? 'loop-clear' : null, { keepsBoomUp: true });
  judge('button-stuck-on', 'button', heldMs(view, 'button', 'on') >= CONTACT_MS ? 'time' : null);
  return found;
}
