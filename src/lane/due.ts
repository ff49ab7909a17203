import { boardLatestMs, underBoomSinceMs } from './attention.js';
import { answerByMs, readByMs } from './decisions.js';
import { clearSinceMs, deadTimeOverMs, earliestDownMs, gatewayCloses, mayCloseFromMs, movementDueMs } from './facts.js';
import { passageDueMs } from './places.js';
import type { LaneState } from './state.js';

/** Every moment at which time alone may change something, in the past or to come. */
function* moments(state: LaneState): Generator<number | null> {
  const { boom, settings } = state;
  for (const contact of Object.values(boom.contacts)) {
    if (contact.mode === 'pulse') yield contact.untilMs;
    yield contact.releaseAgainMs;
  }
  if (boom.movement !== null) {
    yield movementDueMs(state, boom.movement);
    if (boom.movement.direction === 'down' && state.sensors.closedLimit?.state === 'on') yield earliestDownMs(state, boom.movement);
  }
  yield boom.keepOpenUntilMs;
  yield boom.retryAtMs;
  yield boom.openAgainMs;
  if (boom.pending !== null) {
    if (boom.pending.record === 'waiting') yield boom.pending.recordByMs;
    yield deadTimeOverMs(state, boom.pending.direction === 'up' ? 'close' : 'open');
  }
  const clearMs = clearSinceMs(state);
  if (clearMs !== null) {
    yield mayCloseFromMs(state);
    if (boom.openSinceMs !== null && !gatewayCloses(state)) yield boardLatestMs(state, boom.openSinceMs, clearMs);
    yield clearMs + settings.closeTimeMs + settings.settleMs;
  }
  yield state.lamp.retryAtMs;
  if (state.supervised !== null) yield state.supervised.renewByMs;
  const underMs = underBoomSinceMs(state);
  if (underMs !== null) yield underMs + settings.stalledMs;
  for (const passage of state.passages) {
    yield passageDueMs({ state }, passage);
    yield readByMs({ state }, passage);
    yield passage.askAgainMs;
    if (passage.request !== null) yield answerByMs({ state }, passage);
    yield passage.placeSinceMs + settings.stalledMs;
  }
  for (const track of state.tracks) {
    if (track.endedMs !== null) yield track.endedMs + settings.warmTrackMs;
    yield track.askAgainMs;
    if (track.decision !== null) yield track.decision.atMs + settings.warmDecisionMs;
  }
  for (const plate of state.quiet) yield plate.untilMs;
  for (const command of state.commands) yield command.deadlineMs;
}

/** When the reducer has to be called with `tick` next, ms on the same clock; null when only the world can change anything. */
export function nextDueMs(state: LaneState, nowMs: number): number | null {
  let next: number | null = null;
  for (const moment of moments(state)) {
    if (moment !== null && moment > nowMs && (next === null || moment < next)) next = moment;
  }
  return next;
}
