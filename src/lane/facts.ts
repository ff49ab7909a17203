import type { SignalState } from '../base/index.js';
import type { LaneState, Movement, Passage } from './state.js';
import type { Cause, OutputName, SensorName } from './types.js';
import type { Urgency } from './effect.js';

/** Sensors that say whether something is under the boom. */
export const UNDER_BOOM: readonly SensorName[] = ['closing', 'beam'];

/** State of a wired sensor; null where it is not wired. */
export function sensorState(state: LaneState, sensor: SensorName): SignalState | null {
  return state.sensors[sensor]?.state ?? null;
}

/** The first sensor under the boom that is not certainly clear: occupied, unknown and faulty are one (S1). */
export function obstruction(state: LaneState): SensorName | null {
  return UNDER_BOOM.find((sensor) => (sensorState(state, sensor) ?? 'off') !== 'off') ?? null;
}

/** Since when everything under the boom has been clear, ms; null while it is not. */
export function clearSinceMs(state: LaneState): number | null {
  if (obstruction(state) !== null) return null;
  return Math.max(...UNDER_BOOM.map((sensor) => state.sensors[sensor]?.sinceMs ?? 0));
}

export interface Limits {
  /** null: not wired, not readable, or contradicted by the other: run times count instead. */
  readonly open: boolean | null;
  readonly closed: boolean | null;
}

/** Both limits on at once cannot be: then neither is believed. */
export function limitsDisagree(state: LaneState): boolean {
  return sensorState(state, 'openLimit') === 'on' && sensorState(state, 'closedLimit') === 'on';
}

export function limits(state: LaneState): Limits {
  if (limitsDisagree(state)) return { open: null, closed: null };
  const read = (sensor: SensorName): boolean | null => {
    const value = sensorState(state, sensor);
    return value === 'on' ? true : value === 'off' ? false : null;
  };
  return { open: read('openLimit'), closed: read('closedLimit') };
}

export function stopInForce(state: LaneState): boolean {
  return state.stop.input || state.stop.command;
}

/** Whether this lane drives the close contact at all. */
export function gatewayCloses(state: LaneState): boolean {
  return state.settings.closing === 'gateway-closes' && state.settings.outputs.includes('close');
}

export function wired(state: LaneState, output: OutputName): boolean {
  return state.settings.outputs.includes(output);
}

/** Hold or fire: the boom stays up for everybody. */
export function heldOpen(state: LaneState): boolean {
  return state.held || state.fire;
}

/** Whether the open contact itself has to stay closed, so that the barrier's own board does not lower. */
export function holdsContact(state: LaneState): boolean {
  return !gatewayCloses(state) && heldOpen(state);
}

/** A cleared passage that has not got through: the boom belongs to it. */
export function claimsBoom(passage: Passage): boolean {
  return passage.clearedBy !== null && passage.place !== 'leaving' && passage.place !== 'outbound';
}

export interface UpReason {
  readonly cause: Cause;
  readonly urgency: Urgency;
  readonly passage: string | null;
}

/** Why the boom has to be up, the weightiest first; null when nothing wants it up. */
export function upReason(state: LaneState): UpReason | null {
  if (state.fire) return { cause: { kind: 'fire', detail: 'fire panel' }, urgency: 'safety', passage: null };
  if (state.boom.reversal !== null) return { cause: state.boom.reversal, urgency: 'safety', passage: null };
  if (state.holdCause !== null) return { cause: state.holdCause, urgency: 'ordinary', passage: null };
  const passage = owedPulse(state) ?? firstClaim(state);
  if (passage === null || passage.clearCause === null) return null;
  return { cause: passage.clearCause, urgency: 'ordinary', passage: passage.key };
}

/** The foremost passage the boom belongs to. */
export function firstClaim(state: LaneState): Passage | null {
  return state.passages.find(claimsBoom) ?? null;
}

/** A barrier that closes by itself forgets an opening after each vehicle, so each cleared vehicle gets its own. */
export function owedPulse(state: LaneState): Passage | null {
  if (gatewayCloses(state)) return null;
  return state.passages.find((passage) => claimsBoom(passage) && !passage.pulsed) ?? null;
}

/** Run time of a movement that goes all the way from where it began, ms. */
export function runTimeMs(state: LaneState, movement: Movement): number {
  const { openTimeMs, closeTimeMs } = state.settings;
  return movement.direction === 'up' ? (1 - movement.from) * openTimeMs : movement.from * closeTimeMs;
}

/**
 * When a movement is over at the latest, ms: with the limit switch it heads for, when the motor-run watchdog barks;
 * without, when the run time and some settling have passed.
 */
export function movementDueMs(state: LaneState, movement: Movement): number {
  const limit = movement.direction === 'up' ? limits(state).open : limits(state).closed;
  const graceMs = limit === null ? state.settings.settleMs : state.settings.runWatchdogMs;
  return movement.startedMs + Math.max(1, runTimeMs(state, movement) + graceMs);
}

/** Estimated position of the boom, 0 closed to 1 open. */
export function positionAt(state: LaneState, nowMs: number): number {
  const { boom, settings } = state;
  if (boom.movement === null) return boom.position;
  const { direction, startedMs, from } = boom.movement;
  const ranMs = nowMs - startedMs;
  const at = direction === 'up' ? from + ranMs / settings.openTimeMs : from - ranMs / settings.closeTimeMs;
  return Math.min(1, Math.max(0, at));
}

/** When an output may be energised, given how long the opposite contact has been off (S2); null while that is on. */
export function deadTimeOverMs(state: LaneState, opposite: OutputName): number | null {
  const contact = state.boom.contacts[opposite];
  if (contact.mode !== 'off') return null;
  return contact.offSinceMs === null ? 0 : contact.offSinceMs + state.settings.deadTimeMs;
}
