import type { SignalState } from '../../base/index.js';
import type { BoomState, SensorName } from '../types.js';
import type { DiagnosisSettings } from './settings.js';
import type { LaneSign, LoopName } from './types.js';

/** Before any time of the monotonic clock. */
export const NEVER = Number.NEGATIVE_INFINITY;

/** A line that has been at rest for so long is believed. */
export const SETTLED_MS = 10_000;

export interface SensorFacts {
  readonly state: SignalState;
  readonly sinceMs: number;
  /** Start of the latest `on`. */
  readonly onMs: number;
  /** End of the latest `on`. */
  readonly offMs: number;
}

/** What every sign is judged by. Times are monotonic, ms. */
export interface LaneFacts {
  readonly sensors: Readonly<Partial<Record<SensorName, SensorFacts>>>;
  readonly boom: BoomState;
  readonly boomSinceMs: number;
  /** When the boom was last known to be closed. */
  readonly closedMs: number;
  /** Since when vision has been available; null while it is not. */
  readonly visionSinceMs: number | null;
  /** When a loop of another lane last tripped. */
  readonly neighbourMs: number;
}

/** What has just happened, with how things were until then. */
export type Happening =
  | { readonly kind: 'edge'; readonly sensor: SensorName; readonly from: SignalState; readonly to: SignalState; readonly atMs: number; readonly heldMs: number }
  | { readonly kind: 'boom'; readonly from: BoomState; readonly to: BoomState; readonly heldMs: number }
  | Extract<LaneSign, { kind: 'track' | 'vision' | 'frequency' }>
  | { readonly kind: 'tick' };

/** What a sign may look at. */
export interface View {
  readonly settings: DiagnosisSettings;
  /** After what has just happened. */
  readonly facts: LaneFacts;
  readonly nowMs: number;
}

export function initialFacts(settings: DiagnosisSettings, nowMs: number): LaneFacts {
  const sensors: Partial<Record<SensorName, SensorFacts>> = {};
  for (const sensor of settings.sensors) sensors[sensor] = { state: 'unknown', sinceMs: nowMs, onMs: NEVER, offMs: NEVER };
  return { sensors, boom: 'unknown', boomSinceMs: nowMs, closedMs: NEVER, visionSinceMs: null, neighbourMs: NEVER };
}

/** Takes in a sign; `happening` is null where it says nothing new. */
export function absorbSign(facts: LaneFacts, sign: LaneSign, nowMs: number): { readonly facts: LaneFacts; readonly happening: Happening | null } {
  switch (sign.kind) {
    case 'sensor': {
      const before = facts.sensors[sign.sensor];
      if (before === undefined || before.state === sign.state) return { facts, happening: null };
      const { atMs, sensor, state } = sign;
      const after: SensorFacts = {
        state,
        sinceMs: atMs,
        onMs: state === 'on' ? atMs : before.onMs,
        offMs: before.state === 'on' ? atMs : before.offMs,
      };
      return {
        facts: { ...facts, sensors: { ...facts.sensors, [sensor]: after } },
        happening: { kind: 'edge', sensor, from: before.state, to: state, atMs, heldMs: atMs - before.sinceMs },
      };
    }
    case 'boom':
      if (sign.boom === facts.boom) return { facts, happening: null };
      return { facts: { ...facts, boom: sign.boom, boomSinceMs: nowMs, closedMs: facts.boom === 'closed' ? nowMs : facts.closedMs }, happening: { kind: 'boom', from: facts.boom, to: sign.boom, heldMs: nowMs - facts.boomSinceMs } };
    case 'vision':
      return { facts: { ...facts, visionSinceMs: sign.available ? (facts.visionSinceMs ?? nowMs) : null }, happening: sign };
    case 'track':
      return { facts: { ...facts, visionSinceMs: facts.visionSinceMs ?? nowMs }, happening: sign };
    case 'frequency':
      return { facts, happening: sign };
  }
}

/** State of a wired sensor; null where it is not wired. */
export function stateOf(facts: LaneFacts, sensor: SensorName): SignalState | null {
  return facts.sensors[sensor]?.state ?? null;
}

/** For how long a sensor has been in a state without a break, ms; 0 where it is not, or is not wired. */
export function heldMs({ facts, nowMs }: View, sensor: SensorName, state: SignalState): number {
  const it = facts.sensors[sensor];
  return it?.state === state ? Math.max(0, nowMs - it.sinceMs) : 0;
}

/** Whether a sensor was occupied at any time since then. */
export function onSince(facts: LaneFacts, sensor: SensorName, sinceMs: number): boolean {
  const it = facts.sensors[sensor];
  return it !== undefined && (it.state === 'on' || it.offMs >= sinceMs);
}

/** An `on` that has ended; null for any other happening. */
export function pulseOf(happening: Happening): { readonly sensor: SensorName; readonly onMs: number; readonly offMs: number; readonly lengthMs: number } | null {
  if (happening.kind !== 'edge' || happening.from !== 'on' || happening.to !== 'off') return null;
  const { sensor, atMs, heldMs: lengthMs } = happening;
  return { sensor, onMs: atMs - lengthMs, offMs: atMs, lengthMs };
}

/** Whether this is a line that was clear and became occupied: not one that was found occupied after a fault. */
export function rises(happening: Happening): happening is Extract<Happening, { kind: 'edge' }> {
  return happening.kind === 'edge' && happening.from === 'off' && happening.to === 'on';
}

export function isLoop(sensor: SensorName): sensor is LoopName {
  return sensor === 'approach' || sensor === 'closing';
}

/** The newest `most` of a list with one more. */
export function keep<T>(list: readonly T[], item: T, most: number): readonly T[] {
  return [...list, item].slice(-most);
}
