import { approachHolds, claimsBoom, deadTimeOverMs, fireInForce, gatewayCloses, held, heldDown, holdDrive, holdsContact, mayCloseFromMs, owedPulse, sensorState, stopInForce, upReason, wantsNewEdge } from './facts.js';
import type { LaneState } from './state.js';

/**
 * One reason, by name, why the boom must not start to move. A movement starts only when no guard of its list blocks it.
 * The names go on record where a movement is withheld.
 */
export interface Guard {
  readonly name: string;
  blocks(state: LaneState, nowMs: number): boolean;
  /** An operator who sees the boom and holds the movement stands for this one (UL 325, constant pressure). */
  readonly operatorStandsFor?: true;
}

/** In the way of every closing. */
export const closingGuards: readonly Guard[] = [
  { name: 'barrier-closes', blocks: (state) => !gatewayCloses(state) },
  { name: 'inputs-not-read', blocks: (state) => !state.started },
  { name: 'stop', blocks: stopInForce },
  // A STOP line that cannot be read could not stop the descent.
  { name: 'stop-unreadable', blocks: (state) => (sensorState(state, 'stop') ?? 'off') !== 'off' },
  { name: 'fire', blocks: fireInForce },
  { name: 'held', blocks: held },
  { name: 'operator-opens', blocks: (state) => state.supervised?.direction === 'open' },
  { name: 'locked-open', blocks: (state) => state.boom.lock !== null, operatorStandsFor: true },
  // An order that may or may not arrive must not lower a boom.
  { name: 'relay-lost', blocks: (state) => !state.relayAvailable },
  { name: 'close-delay', blocks: (state, nowMs) => nowMs < (mayCloseFromMs(state) ?? -Infinity), operatorStandsFor: true },
  { name: 'approach-loop', blocks: approachHolds, operatorStandsFor: true },
  { name: 'closing-loop', blocks: (state) => sensorState(state, 'closing') !== 'off', operatorStandsFor: true },
  { name: 'beam', blocks: (state) => (sensorState(state, 'beam') ?? 'off') !== 'off', operatorStandsFor: true },
  { name: 'passage-cleared', blocks: (state) => state.passages.some(claimsBoom), operatorStandsFor: true },
  { name: 'kept-open', blocks: (state, nowMs) => nowMs < (state.boom.keepOpenUntilMs ?? 0), operatorStandsFor: true },
  { name: 'retry-pause', blocks: (state, nowMs) => nowMs < (state.boom.retryAtMs ?? 0) },
  { name: 'not-up', blocks: (state) => state.boom.state === 'closed' || state.boom.state === 'opening' || state.boom.state === 'closing' },
];

/** Awaited by a decided movement until the contact is energised. */
export const closingContactGuards: readonly Guard[] = [
  { name: 'dead-time', blocks: (state, nowMs) => !holdDrive(state) && nowMs < (deadTimeOverMs(state, 'open') ?? Infinity) },
];

export const openingContactGuards: readonly Guard[] = [
  { name: 'dead-time', blocks: (state, nowMs) => nowMs < (deadTimeOverMs(state, 'close') ?? Infinity) },
  { name: 'new-edge', blocks: (state, nowMs) => nowMs < (state.boom.openAgainMs ?? 0) },
];

/** Orders in a row that an output may refuse before an ordinary opening waits for a person. */
export const MAX_TRIES = 3;

/** In the way of every opening. */
export const openingGuards: readonly Guard[] = [
  { name: 'inputs-not-read', blocks: (state) => !state.started },
  // Without a STOP contact only the open contact ends a descent, so a falling boom is reversed even under STOP.
  { name: 'stop', blocks: (state) => stopInForce(state) && !(state.boom.reversal !== null && state.boom.state === 'closing') },
  { name: 'not-wanted', blocks: (state) => upReason(state) === null },
  { name: 'already-up', blocks: alreadyUp },
  { name: 'retry-pause', blocks: (state, nowMs) => nowMs < (state.boom.retryAtMs ?? 0) },
  { name: 'given-up', blocks: (state) => !safetyOpening(state) && (state.boom.tries >= MAX_TRIES || state.boom.lock === 'fault') },
];

function safetyOpening(state: LaneState): boolean {
  return upReason(state)?.urgency === 'safety';
}

function alreadyUp(state: LaneState): boolean {
  const { boom } = state;
  if (holdsContact(state)) return boom.contacts.open.mode === 'hold' && boom.contacts.open.releaseAgainMs === null && !wantsNewEdge(state);
  // One that was only seen to rise has nobody's order, and may stop anywhere.
  return (boom.state === 'opening' && boom.movement?.origin !== 'seen') || (boom.state === 'open' && owedPulse(state) === null);
}

/** Name of the first guard that blocks, null when the way is free. */
export function firstBlocking(guards: readonly Guard[], state: LaneState, nowMs: number): string | null {
  const standsFor = heldDown(state);
  return guards.find((guard) => !(standsFor && guard.operatorStandsFor === true) && guard.blocks(state, nowMs))?.name ?? null;
}
