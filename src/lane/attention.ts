import { UNDER_BOOM, clearSinceMs, fireInForce, firstClaim, gatewayCloses, held, heldOpen, stopInForce } from './facts.js';
import type { LaneState, Passage } from './state.js';
import { journal, patch, type Step } from './step.js';
import type { AttentionCode, DriverMessage } from './types.js';

/** Since when something has been under the boom, ms; null while it is clear. */
export function underBoomSinceMs(state: LaneState): number | null {
  const since = UNDER_BOOM.map((sensor) => state.sensors[sensor]).flatMap((sensor) => (sensor === undefined || sensor.state === 'off' ? [] : [sensor.sinceMs]));
  return since.length === 0 ? null : Math.min(...since);
}

function waiting(state: LaneState): Passage | null {
  return state.passages.find((passage) => passage.place === 'approach' || passage.place === 'both') ?? null;
}

/** A barrier that closes by itself stands open although nothing is under it and nobody wants it up. */
function boardStandsStill(state: LaneState, nowMs: number): boolean {
  const { boom } = state;
  const clearMs = clearSinceMs(state);
  if (gatewayCloses(state) || boom.state !== 'open' || boom.openSinceMs === null || clearMs === null || heldOpen(state) || firstClaim(state) !== null) return false;
  return nowMs >= boardLatestMs(state, boom.openSinceMs, clearMs);
}

/** By when a barrier that closes by itself should have begun to, ms. */
export function boardLatestMs({ settings }: LaneState, openSinceMs: number, clearMs: number): number {
  return Math.max(openSinceMs, clearMs) + settings.autoCloseMs + settings.runWatchdogMs;
}

/** What a person has to be called for now, with a word of detail. */
function wanted(state: LaneState, nowMs: number): ReadonlyMap<AttentionCode, string> {
  const codes = new Map<AttentionCode, string>(state.latched.map(({ code, detail }) => [code, detail]));
  const { stalledMs } = state.settings;
  if (!state.started) return codes;
  if (stopInForce(state)) codes.set('stopped', state.stop.input ? 'stop input' : 'stop command');
  else if (state.boom.lock === 'stopped') codes.set('stopped', 'STOP is over; the boom waits for an order');
  if (fireInForce(state)) codes.set('fire', state.fire.input ? 'fire panel' : 'fire command');
  if (state.supervised !== null) codes.set('operator-holds', state.supervised.cause.detail);
  if (state.boom.lock === 'fail-state') codes.set('fail-state', state.boom.failOpen?.detail ?? 'left until somebody wants a movement');
  if (state.boom.lock === 'second-obstruction') codes.set('second-obstruction', state.boom.reversal?.detail ?? 'stays open');
  if (boardStandsStill(state, nowMs)) codes.set('boom-fault', 'the barrier does not lower by itself');
  const sinceMs = underBoomSinceMs(state);
  if (sinceMs !== null && nowMs >= sinceMs + stalledMs) codes.set('vehicle-under-boom', 'has not moved for long');
  for (const passage of state.passages) {
    if (passage.clearedBy !== null) {
      if (passage.place === 'approach' && nowMs >= passage.placeSinceMs + stalledMs) codes.set('vehicle-waiting', 'let through and not moving');
    } else if (passage.decisionFailed) codes.set('decision-failed', 'open by hand or by command');
    else if (passage.decision?.outcome === 'ask') codes.set('ask', passage.plate?.text ?? 'no plate');
  }
  return codes;
}

/** Puts on record what calls for a person since the last call, and what does no more. */
export function settleAttention(step: Step): void {
  const codes = wanted(step.state, step.nowMs);
  const before = step.state.attention;
  for (const code of before) if (!codes.has(code)) journal(step, 'lane.attention-cleared', { code });
  for (const [code, detail] of codes) if (!before.includes(code)) journal(step, 'lane.attention', { code, detail });
  const now = [...codes.keys()];
  if (now.length !== before.length || now.some((code, at) => code !== before[at])) patch(step, { attention: now });
}

function message(state: LaneState): DriverMessage {
  const { direction } = state.settings;
  const passage = waiting(state);
  const plate = passage?.plate?.text ?? null;
  const rule = passage?.decision?.rule ?? null;
  const say = (code: DriverMessage['code']): DriverMessage => ({ code, direction, plate, rule });
  if (stopInForce(state)) return say('stopped');
  if (fireInForce(state)) return say('fire');
  if (passage === null) return say(held(state) ? 'held-open' : 'idle');
  if (passage.clearedBy !== null) return say('approved');
  const outcome = passage.decision?.outcome;
  return say(outcome === 'refuse' ? 'refused' : outcome === 'ask' ? 'ask' : 'reading');
}

/** Tells the driver what changed for him. */
export function settleMessage(step: Step): void {
  const next = message(step.state);
  const { shown } = step.state;
  if (next.code === shown.code && next.plate === shown.plate && next.rule === shown.rule) return;
  patch(step, { shown: next });
  step.effects.push({ kind: 'show', message: next });
}
