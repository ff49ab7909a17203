import { isLoop, keep, pulseOf, rises, type Happening, type View } from './facts.js';
import type { SensorName } from '../types.js';
import type { Evidence, FindingCode } from './types.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const KEPT = 60;
/** A shower or a passing tram flickers for a few seconds; a fault goes on. */
const LASTING_MS = 20_000;
/** Short pulses in an hour, and the different minutes they must lie in, that are a loose contact all the same. */
const SLOW_COUNT = 30;
const SLOW_MINUTES = 6;
/** More trips in a minute than vehicles and booms can make: with the boom held open one passes in two seconds at best. */
const BUSIEST_PER_MINUTE = 40;
/** What was too busy stays so down to here. */
const CALM_PER_MINUTE = 20;
/** Between two vehicles a loop is clear for longer. */
const SHORT_GAP_MS = 100;
/** A leg or a bicycle interrupts a beam, and a boom rests on a switch, for longer. */
const SHORT_BEAM_MS = 80;
const SHORT_CONTACT_MS = 40;

interface Changes {
  /** Ends of pulses that were too short. */
  readonly blips: readonly number[];
  /** Ends of gaps that were too short. */
  readonly drops: readonly number[];
  readonly trips: readonly number[];
}

export type FlutterState = Readonly<Partial<Record<SensorName, Changes>>>;

export const initialFlutter: FlutterState = {};

const NONE: Changes = { blips: [], drops: [], trips: [] };

function shortMs(sensor: SensorName, view: View): number {
  if (isLoop(sensor)) return view.settings.shortPulseMs;
  return sensor === 'beam' ? SHORT_BEAM_MS : SHORT_CONTACT_MS;
}

export function absorbFlutter(state: FlutterState, happening: Happening, view: View): FlutterState {
  if (happening.kind !== 'edge') return state;
  const { sensor, atMs } = happening;
  const before = state[sensor] ?? NONE;
  const pulse = pulseOf(happening);
  if (pulse !== null) return pulse.lengthMs >= shortMs(sensor, view) ? state : { ...state, [sensor]: { ...before, blips: keep(before.blips, atMs, KEPT) } };
  if (!rises(happening)) return state;
  const gapMs = isLoop(sensor) || sensor === 'beam' ? SHORT_GAP_MS : SHORT_CONTACT_MS;
  const drops = happening.heldMs < gapMs ? keep(before.drops, atMs, KEPT) : before.drops;
  return { ...state, [sensor]: { ...before, drops, trips: keep(before.trips, atMs, KEPT) } };
}

function within(times: readonly number[], spanMs: number, nowMs: number): readonly number[] {
  return times.filter((atMs) => atMs > nowMs - spanMs);
}

function lasts(times: readonly number[]): boolean {
  return Math.max(...times) - Math.min(...times) >= LASTING_MS;
}

/** Whether a sensor changes too fast to be believed about vehicles just now. */
export function restless(state: FlutterState, sensor: SensorName, nowMs: number): boolean {
  const changes = state[sensor];
  return changes !== undefined && within([...changes.blips, ...changes.drops], MINUTE_MS, nowMs).length >= 2;
}

function fluttering({ blips, drops, trips }: Changes, perMinute: number, nowMs: number): boolean {
  const short = within([...blips, ...drops], MINUTE_MS, nowMs);
  const often = within(trips, MINUTE_MS, nowMs);
  if ((short.length >= perMinute && lasts(short)) || (often.length >= BUSIEST_PER_MINUTE && lasts(often))) return true;
  const slow = within(blips, HOUR_MS, nowMs);
  return slow.length >= SLOW_COUNT && new Set(slow.map((atMs) => Math.floor(atMs / MINUTE_MS))).size >= SLOW_MINUTES;
}

function codeOf(sensor: SensorName): FindingCode {
  if (isLoop(sensor)) return 'loop-flutter';
  return sensor === 'beam' ? 'beam-flutter' : 'contact-flutter';
}

/** Lines that change faster than what they watch can move; over when nothing of the kind came for `quietMs`. */
export function judgeFlutter(state: FlutterState, { settings, nowMs }: View, active: (code: FindingCode, sensor: SensorName) => boolean): readonly Evidence[] {
  return settings.sensors.flatMap((sensor) => {
    const changes = state[sensor];
    if (changes === undefined) return [];
    const code = codeOf(sensor);
    const quietMs = nowMs - Math.max(0, ...changes.blips, ...changes.drops);
    const perMinute = within(changes.trips, MINUTE_MS, nowMs).length;
    const stays = active(code, sensor) && (quietMs < settings.quietMs || perMinute >= CALM_PER_MINUTE);
    if (!stays && !fluttering(changes, settings.flutterPerMinute, nowMs)) return [];
    const short = within([...changes.blips, ...changes.drops], HOUR_MS, nowMs).length;
    return [{ code, sensors: [sensor], facts: { perMinute, short } }];
  });
}
