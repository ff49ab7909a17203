import { keep, type Happening, type View } from './facts.js';
import type { SensorName } from '../types.js';
import type { Evidence, FindingCode } from './types.js';

const HOUR_MS = 3_600_000;
const KEPT = 60;

/** When lines became unreadable or faulty, newest last. */
export type UnsteadyState = Readonly<Partial<Record<SensorName, readonly number[]>>>;

export const initialUnsteady: UnsteadyState = {};

export function absorbUnsteady(state: UnsteadyState, happening: Happening): UnsteadyState {
  if (happening.kind !== 'edge') return state;
  const { sensor, from, to, atMs } = happening;
  const known = from === 'on' || from === 'off';
  if (!known || to === 'on' || to === 'off') return state;
  return { ...state, [sensor]: keep(state[sensor] ?? [], atMs, KEPT) };
}

/** One finding a lane, for lines that keep failing: a loose plug takes several with it. */
export function judgeUnsteady(state: UnsteadyState, { settings, nowMs }: View, active: (code: FindingCode) => boolean): readonly Evidence[] {
  const lost = settings.sensors.map((sensor) => ({ sensor, times: (state[sensor] ?? []).filter((atMs) => atMs > nowMs - HOUR_MS) }));
  const unsteady = lost.filter(({ times }) => times.length >= settings.faultsPerHour);
  // As often as it takes to be raised, with room for one that is late.
  const quietMs = Math.max(settings.quietMs, (2 * HOUR_MS) / settings.faultsPerHour);
  const fresh = lost.some(({ times }) => times.some((atMs) => atMs > nowMs - quietMs));
  if (!fresh || (unsteady.length === 0 && !active('input-unsteady'))) return [];
  return [{ code: 'input-unsteady', sensors: unsteady.map(({ sensor }) => sensor), facts: { times: Math.max(...lost.map(({ times }) => times.length)) } }];
}
