import type { SignalState } from '../base/index.js';
import type { LaneState, Movement, Passage } from './state.js';
import type { Cause, ContactName, OutputName, SensorName } from './types.js';
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

export function fireInForce(state: LaneState): boolean {
  return state.fire.input || state.fire.command;
}

/** Whether the open contact stays on as long as the boom shall be up, and its release lowers. */
export function holdDrive(state: LaneState): boolean {
  return state.settings.drive === 'hold-to-open';
}

/** Whether the boom goes down by this lane's own act: the close contact, or the release of an open contact that holds it. */
export function gatewayCloses(state: LaneState): boolean {
  return holdDrive(state) || (state.settings.closing === 'gateway-closes' && state.settings.outputs.includes('close'));
}

export function wired(state: LaneState, output: OutputName): boolean {
  return state.settings.outputs.includes(output);
}

/** By a person's order or by the schedule. */
export function held(state: LaneState): boolean {
  return state.held || state.schedule === 'holds';
}

/** Hold or fire: the boom stays up for everybody. */
export function heldOpen(state: LaneState): boolean {
  return held(state) || fireInForce(state);
}

/** Whether an opening has to keep the open contact on, so that the barrier's own board does not lower. */
export function holdsContact(state: LaneState): boolean {
  return holdDrive(state) || (!gatewayCloses(state) && heldOpen(state));
}

/**
 * STOP, or a rise that failed and that somebody wants again, has left the boom half-way and the open contact, which holds it
 * up, is on: the board rises at that contact's next edge only. To let go lowers, so nothing may be under the boom (S1).
 */
export function wantsNewEdge(state: LaneState): boolean {
  const { boom } = state;
  const halfWay = boom.state === 'stopped' || (boom.state === 'fault' && boom.lock === null);
  return holdDrive(state) && halfWay && boom.contacts.open.mode === 'hold' && obstruction(state) === null;
}

/** Whether an operator at the boom holds it on its way down, past loops and beam. */
export function heldDown(state: LaneState): boolean {
  return state.supervised?.direction === 'close';
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
  // Under STOP fire waits, and only a boom that comes down on something is raised.
  if (fireInForce(state) && !(stopInForce(state) && state.boom.reversal !== null)) return { cause: { kind: 'fire', detail: state.fire.input ? 'fire panel' : 'fire command' }, urgency: 'safety', passage: null };
  if (state.boom.reversal !== null) return { cause: state.boom.reversal, urgency: 'safety', passage: null };
  if (state.supervised !== null) return state.supervised.direction === 'open' ? { cause: state.supervised.cause, urgency: 'ordinary', passage: null } : null;
  if (state.boom.failOpen !== null) return { cause: state.boom.failOpen, urgency: 'safety', passage: null };
  if (state.schedule === 'holds' && state.holdCause === null) return { cause: { kind: 'schedule', detail: 'held open by the schedule' }, urgency: 'ordinary', passage: null };
  if (state.holdCause !== null) return { cause: state.holdCause, urgency: 'ordinary', passage: null };
  const passage = owedPulse(state) ?? firstClaim(state);
  if (passage === null || passage.clearCause === null) return null;
  return { cause: passage.clearCause, urgency: 'ordinary', passage: passage.key };
}

/** The foremost passage the boom belongs to; after a halt only of those that are not under it already. */
export function firstClaim(state: LaneState): Passage | null {
  return state.passages.find((passage) => claimsBoom(passage) && !(state.boom.halted && isUnder(passage))) ?? null;
}

function isUnder(passage: Passage): boolean {
  return passage.place === 'closing' || passage.place === 'both';
}

/** Two vehicles at once in a rise: one let through and under the boom, and one behind it that is not (anti-tailgate 4). */
export function followed(state: LaneState): boolean {
  const first = state.passages.find((passage) => passage.clearedBy !== null && isUnder(passage));
  if (first === undefined) return false;
  return (first.place === 'both' && first.pastApproach) || state.passages.some((passage) => passage !== first && passage.place === 'approach' && passage.clearedBy === null);
}

/** Whether the approach loop holds the boom up too (anti-tailgate 1 to 4). A loop taken for stuck does not. */
export function approachHolds(state: LaneState): boolean {
  if (state.settings.antiTailgate === 0 || state.boom.halted || state.approachStuck) return false;
  return (sensorState(state, 'approach') ?? 'off') !== 'off';
}

/** From when on the loops and timers of the site let the boom go down, ms; null while something is under it. */
export function mayCloseFromMs(state: LaneState): number | null {
  const { settings, boom } = state;
  const clearMs = clearSinceMs(state);
  if (clearMs === null) return null;
  const approachMs = settings.antiTailgate === 0 || boom.halted ? 0 : (state.sensors.approach?.sinceMs ?? 0);
  const allClearMs = Math.max(clearMs, approachMs);
  if (settings.antiTailgate === 2) return boom.openSinceMs === null ? clearMs : boom.openSinceMs + settings.autoCloseMs;
  if (settings.antiTailgate >= 3 && boom.bothLoops) return allClearMs;
  return allClearMs + settings.closeDelayMs;
}

/** A barrier that closes by itself forgets an opening after each vehicle, so each cleared vehicle gets its own. */
export function owedPulse(state: LaneState): Passage | null {
  if (gatewayCloses(state)) return null;
  return state.passages.find((passage) => claimsBoom(passage) && !passage.pulsed) ?? null;
}

/** Run times of a whole way, ms: the longest of the last ones measured at the limit switches, else those configured. */
export function runTimes(state: LaneState): { readonly openMs: number; readonly closeMs: number } {
  const { runs } = state.boom;
  const { openTimeMs, closeTimeMs } = state.settings;
  return { openMs: runs.up.length > 0 ? Math.max(...runs.up) : openTimeMs, closeMs: runs.down.length > 0 ? Math.max(...runs.down) : closeTimeMs };
}

/** Run time of a movement that goes all the way from where it began, ms. */
export function runTimeMs(state: LaneState, movement: Movement): number {
  const { openMs, closeMs } = runTimes(state);
  return movement.direction === 'up' ? (1 - movement.from) * openMs : movement.from * closeMs;
}

/** Before this the closed limit of a falling boom is not believed, ms. */
export function earliestDownMs(state: LaneState, movement: Movement): number {
  return movement.startedMs + state.settings.soonestDown * runTimeMs(state, movement);
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
  const { boom } = state;
  if (boom.movement === null) return boom.position;
  const { openMs, closeMs } = runTimes(state);
  const { direction, startedMs, from } = boom.movement;
  const ranMs = nowMs - startedMs;
  const at = direction === 'up' ? from + ranMs / openMs : from - ranMs / closeMs;
  return Math.min(1, Math.max(0, at));
}

/** When an output may be energised, given how long the opposite contact has been off (S2); null while that is on. */
export function deadTimeOverMs(state: LaneState, opposite: ContactName): number | null {
  const contact = state.boom.contacts[opposite];
  if (contact.mode !== 'off') return null;
  return contact.offSinceMs === null ? 0 : contact.offSinceMs + state.settings.deadTimeMs;
}
