import { keep, stateOf, type Happening, type View } from './facts.js';
import { LOOPS, type Evidence, type FindingCode, type FindingFacts, type LoopName } from './types.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** One resting frequency an hour, for a day. */
const KEPT = 24;
/** What lasts so long is no vehicle that passes, and no spike. */
const LASTING_MS = 60_000;
/** Weight of one reading in the resting frequency: with one in five seconds it follows within some minutes. */
const WEIGHT = 0.02;
/** A reading so far from the resting frequency is a vehicle at the loop's edge, or the loop is no longer the same. */
const APART_PERCENT = 1;

/** The loop is another since: retuned, flooded, a turn shorted or broken. */
interface Jump {
  readonly fromHz: number;
  readonly toHz: number;
  readonly atMs: number;
}

export interface Frequency {
  readonly lastHz: number;
  /** Of the clear loop; null until known. */
  readonly restHz: number | null;
  /** Since when readings lie apart from the resting frequency, outside the range, and back where they were before a jump. */
  readonly apartMs: number | null;
  readonly outsideMs: number | null;
  readonly hourly: readonly { readonly atMs: number; readonly hz: number }[];
  readonly jump: Jump | null;
}

export type DriftState = Readonly<Partial<Record<LoopName, Frequency>>>;

export const initialDrift: DriftState = {};

const UNKNOWN: Frequency = { lastHz: 0, restHz: null, apartMs: null, outsideMs: null, hourly: [], jump: null };

/** Signed, in per cent of where it was. */
function change(fromHz: number, toHz: number): number {
  return ((toHz - fromHz) / fromHz) * 100;
}

export function absorbDrift(state: DriftState, happening: Happening, view: View): DriftState {
  if (happening.kind !== 'frequency') return state;
  const { loop, hz } = happening;
  const before = state[loop] ?? UNKNOWN;
  // Without a reading nothing can be said to last.
  if (hz === null || !(hz > 0)) return { ...state, [loop]: { ...before, apartMs: null, outsideMs: null } };
  return { ...state, [loop]: read(before, hz, stateOf(view.facts, loop) === 'off', view) };
}

function read(before: Frequency, hz: number, clear: boolean, { settings, nowMs }: View): Frequency {
  const outside = hz < settings.minFrequencyHz || hz > settings.maxFrequencyHz;
  const next = { ...before, lastHz: hz, outsideMs: outside ? (before.outsideMs ?? nowMs) : null };
  const { restHz } = before;
  if (restHz === null) return clear ? remember({ ...next, restHz: hz }, nowMs) : next;
  const apart = Math.abs(change(restHz, hz));
  if (apart <= APART_PERCENT) {
    return clear ? remember({ ...next, apartMs: null, restHz: restHz + WEIGHT * (hz - restHz) }, nowMs) : { ...next, apartMs: null };
  }
  const apartMs = before.apartMs ?? nowMs;
  if (nowMs - apartMs < LASTING_MS) return { ...next, apartMs };
  const jumped = apart >= settings.jumpPercent;
  // A vehicle that stays changes the frequency too, by less: only a clear loop rests elsewhere then.
  if (!jumped && !clear) return { ...next, apartMs };
  const back = before.jump !== null && Math.abs(change(before.jump.fromHz, hz)) < settings.jumpPercent / 2;
  const jump = back ? null : jumped ? { fromHz: restHz, toHz: hz, atMs: nowMs } : before.jump;
  // What came at once is told of as a jump, and is no drift over hours.
  return { ...next, apartMs: null, restHz: hz, jump, hourly: jumped ? [{ atMs: nowMs, hz }] : before.hourly };
}

function remember(it: Frequency, nowMs: number): Frequency {
  const last = it.hourly.at(-1);
  if (it.restHz === null || (last !== undefined && nowMs < last.atMs + HOUR_MS)) return it;
  return { ...it, hourly: keep(it.hourly, { atMs: nowMs, hz: it.restHz }, KEPT) };
}

/** The widest change of the resting frequency within a day, per cent, signed. */
function drifted({ restHz, hourly }: Frequency, nowMs: number): { readonly percent: number; readonly fromHz: number } {
  let widest = { percent: 0, fromHz: restHz ?? 0 };
  if (restHz === null) return widest;
  for (const { atMs, hz } of hourly) {
    const percent = change(hz, restHz);
    if (atMs > nowMs - DAY_MS && Math.abs(percent) > Math.abs(widest.percent)) widest = { percent, fromHz: hz };
  }
  return widest;
}

/** Loops whose oscillator says that the loop changes. A jump is told of until it is undone, or for a day. */
export function judgeDrift(state: DriftState, { settings, nowMs }: View, active: (code: FindingCode, loop: LoopName) => boolean): readonly Evidence[] {
  return LOOPS.flatMap((loop): readonly Evidence[] => {
    const it = state[loop];
    if (it === undefined) return [];
    const found = (facts: FindingFacts): readonly Evidence[] => [{ code: 'loop-drift', sensors: [loop], facts: { hz: Math.round(it.lastHz), ...facts } }];
    if (it.outsideMs !== null && nowMs - it.outsideMs >= LASTING_MS) return found({ why: 'range' });
    const { jump } = it;
    if (jump !== null && nowMs < jump.atMs + DAY_MS) return found({ why: 'jump', percent: rounded(change(jump.fromHz, jump.toHz)), fromHz: Math.round(jump.fromHz) });
    const { percent, fromHz } = drifted(it, nowMs);
    const enough = active('loop-drift', loop) ? settings.driftPercent * 0.7 : settings.driftPercent;
    return Math.abs(percent) >= enough ? found({ why: 'drift', percent: rounded(percent), fromHz: Math.round(fromHz) }) : [];
  });
}

function rounded(percent: number): number {
  return Math.round(percent * 10) / 10;
}
