import type { LaneId } from '../../base/index.js';
import { NEVER, stateOf, type LaneFacts } from './facts.js';
import type { DiagnosisSettings } from './settings.js';
import { LOOPS, type Evidence, type LoopName } from './types.js';

/** Trips of a loop are counted over about so long, to know how often two trip together by chance. */
const RATE_MS = 120_000;
/** What one trip leaves of the weight of those before: about the newest fifty count. */
const FADING = 0.98;
/** So many standard deviations beyond chance. */
const DEVIATIONS = 5;
/** Over when so many trips went by alone, or some in an hour. */
const ALONE = 20;
const ALONE_HOUR = 5;
const HOUR_MS = 3_600_000;
/** From the approach loop's trip, which lets the boom rise, to the first vehicle under it. */
const STILL_EMPTY_MS = 500;

interface Loop {
  readonly lane: LaneId;
  readonly loop: LoopName;
  readonly trippedMs: number;
  /** Trips, fading over `RATE_MS`. */
  readonly trips: number;
}

interface Pair {
  readonly a: string;
  readonly b: string;
  /** Trips together, and those that chance explains; both fading. */
  readonly together: number;
  readonly byChance: number;
  readonly times: number;
  readonly aloneSince: number;
  readonly togetherMs: number;
  readonly active: boolean;
}

export interface CrosstalkState {
  readonly loops: Readonly<Record<string, Loop>>;
  readonly pairs: Readonly<Record<string, Pair>>;
}

/** All loops of a gate: detectors that disturb each other need not be of one lane. */
export function initialCrosstalk(lanes: readonly DiagnosisSettings[]): CrosstalkState {
  const loops = lanes.flatMap(({ lane, sensors }) => LOOPS.filter((loop) => sensors.includes(loop)).map((loop) => ({ lane, loop, trippedMs: NEVER, trips: 0 })));
  return { loops: Object.fromEntries(loops.map((it) => [`${it.lane}.${it.loop}`, it])), pairs: {} };
}

/** Trips in `windowMs`, as often as the loop trips these minutes. */
function expected({ trips, trippedMs }: Loop, atMs: number, windowMs: number): number {
  return trips === 0 ? 0 : Math.min(1, ((trips * Math.exp((trippedMs - atMs) / RATE_MS)) / RATE_MS) * windowMs);
}

/**
 * One loop has tripped: which others have just now? Two loops of one lane are compared only while the boom is closed or has
 * just begun to rise, where no column can trip both.
 */
export function absorbTrip(state: CrosstalkState, settings: DiagnosisSettings, facts: LaneFacts, loop: LoopName, atMs: number): CrosstalkState {
  const name = `${settings.lane}.${loop}`;
  const tripped = state.loops[name];
  if (tripped === undefined) return state;
  const pairs: Record<string, Pair> = { ...state.pairs };
  const barred = facts.boom === 'closed' || atMs - facts.closedMs < STILL_EMPTY_MS;
  for (const [other, it] of Object.entries(state.loops)) {
    if (other === name || (it.lane === settings.lane && !barred)) continue;
    const [a, b] = name < other ? [name, other] : [other, name];
    const key = `${a} ${b}`;
    const before = pairs[key] ?? { a, b, together: 0, byChance: 0, times: 0, aloneSince: 0, togetherMs: NEVER, active: false };
    pairs[key] = count(before, atMs - it.trippedMs <= settings.crosstalkWindowMs, expected(it, atMs, settings.crosstalkWindowMs), settings, atMs);
  }
  const trips = tripped.trips === 0 ? 1 : tripped.trips * Math.exp((tripped.trippedMs - atMs) / RATE_MS) + 1;
  return { loops: { ...state.loops, [name]: { ...tripped, trippedMs: atMs, trips } }, pairs };
}

function count(pair: Pair, together: boolean, chance: number, { crosstalkTimes }: DiagnosisSettings, atMs: number): Pair {
  const next: Pair = {
    ...pair,
    together: pair.together * FADING + (together ? 1 : 0),
    byChance: pair.byChance * FADING + chance,
    times: pair.times + (together ? 1 : 0),
    aloneSince: together ? 0 : pair.aloneSince + 1,
    togetherMs: together ? atMs : pair.togetherMs,
  };
  if (next.active) {
    const over = next.aloneSince >= ALONE || (next.aloneSince >= ALONE_HOUR && atMs - next.togetherMs >= HOUR_MS);
    return over ? { ...next, active: false, together: 0, byChance: 0, times: 0 } : next;
  }
  // The newest must be together, so that what has faded below its threshold for chance alone is not raised.
  const active = together && next.together - next.byChance >= crosstalkTimes - 0.5 + DEVIATIONS * Math.sqrt(next.byChance);
  return { ...next, active };
}

/** Pairs of loops that trip together, told of in the lane named first; `other` names the other lane's loop. */
export function judgeCrosstalk(state: CrosstalkState, settings: DiagnosisSettings, facts: LaneFacts): readonly Evidence[] {
  return Object.values(state.pairs).flatMap(({ a, b, active, times }): readonly Evidence[] => {
    const [first, second] = [state.loops[a], state.loops[b]];
    if (!active || first === undefined || second === undefined || first.lane !== settings.lane || stateOf(facts, first.loop) === null) return [];
    const own = second.lane === settings.lane;
    return [
      {
        code: 'loop-crosstalk',
        sensors: own ? [first.loop, second.loop] : [first.loop],
        facts: { times, withinMs: settings.crosstalkWindowMs, ...(own ? {} : { otherLane: second.lane, otherLoop: second.loop }) },
      },
    ];
  });
}
