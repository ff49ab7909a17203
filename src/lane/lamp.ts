import { heldOpen, stopInForce } from './facts.js';
import type { LaneState, Passage } from './state.js';
import { latch, patch, unlatch, type Step } from './step.js';
import type { Lamp } from './types.js';

/** Whoever waits before the boom and may go. */
function mayGo(passage: Passage): boolean {
  if (passage.clearedBy === null) return false;
  return passage.place === 'expected' || passage.place === 'approach' || passage.place === 'gap' || (passage.place === 'both' && !passage.pastApproach);
}

/** Green only under a boom that stands open, for a vehicle that was let through and is not past it; red in every doubt. */
function lampOf(state: LaneState): Lamp {
  const { boom, passages } = state;
  if (stopInForce(state) || boom.state !== 'open' || boom.pending?.direction === 'down' || !state.relayAvailable) return 'red';
  if (heldOpen(state)) return 'green';
  const stranger = passages.some((passage) => passage.place === 'approach' && passage.clearedBy === null);
  return !stranger && passages.some(mayGo) ? 'green' : 'red';
}

/** Switches the traffic light where what it should show has changed, or where the last order was not taken. */
export function settleLamp(step: Step): void {
  const { started, settings, lamp } = step.state;
  if (!started || !settings.outputs.some((output) => output === 'greenLight' || output === 'redLight')) return;
  const show = lampOf(step.state);
  const again = lamp.retryAtMs !== null && step.nowMs >= lamp.retryAtMs;
  if (show === lamp.shown && !again) return;
  patch(step, { lamp: { shown: show, retryAtMs: null } });
  step.effects.push({ kind: 'lamp', show });
}

/** How the traffic light took its order. */
export function lampAnswers(step: Step, works: boolean, detail: string): void {
  if (works) {
    unlatch(step, 'lamp-fault');
    return;
  }
  latch(step, 'lamp-fault', detail);
  patch(step, { lamp: { ...step.state.lamp, retryAtMs: step.nowMs + step.state.settings.retryMs } });
}
