import { failCommands, personActs, refuseOrder } from './commands.js';
import { personLowers, stopBoom } from './boom.js';
import { claimsBoom, fireInForce, gatewayCloses, held, stopInForce, wired } from './facts.js';
import { endPassage } from './passages.js';
import { revokeClearances } from './places.js';
import type { LaneState } from './state.js';
import { journal, patch, patchBoom, type Step } from './step.js';
import type { Cause, CommandReason, SupervisedOrder, SupervisionEnd } from './types.js';

/**
 * Hold-to-run: a movement that lasts only while an operator who sees the boom holds it, as UL 325 (2016) leaves it as the
 * one way to move an operator whose entrapment sensors are missing or faulty ("constant-pressure operation"). Opening is
 * never refused but under STOP. Closing may go over an occupied or unreadable loop or beam, on record under the
 * operator's name; it raises the boom the moment it is not renewed.
 */
export const RENEW_WITHIN_MS = 500;

/** Begins a movement its operator holds, or refuses it with a reason. */
export function beginSupervision(step: Step, ticket: number, order: SupervisedOrder): void {
  const { session, direction, issuer } = order;
  const refusal = refuses(step.state, order);
  if (refusal !== null) {
    refuseOrder(step, { ticket, id: session, target: direction, issuer }, refusal);
    return;
  }
  failCommands(step, 'superseded');
  personActs(step);
  const cause: Cause = { kind: 'operator', detail: `${direction} held by ${issuer}` };
  patch(step, { supervised: { ...order, cause, renewByMs: step.nowMs + RENEW_WITHIN_MS } });
  if (direction === 'close') {
    personLowers(step);
    revokeClearances(step, cause);
  }
  step.effects.push({ kind: 'reply', ticket, id: session, target: direction, outcome: 'done', reason: null });
}

function refuses(state: LaneState, { direction }: SupervisedOrder): CommandReason | null {
  if (!state.started) return 'lane-starting';
  if (state.stop.input) return 'stopped';
  if (state.supervised !== null) return 'operator-holds';
  if (direction === 'open') return null;
  if (fireInForce(state)) return 'fire';
  if (held(state)) return 'held';
  return gatewayCloses(state) ? null : 'not-supported';
}

/** The operator still holds. What comes too late, or for another movement, changes nothing. */
export function renewSupervision(step: Step, session: string): void {
  const { supervised } = step.state;
  if (supervised?.session !== session || step.nowMs >= supervised.renewByMs) return;
  patch(step, { supervised: { ...supervised, renewByMs: step.nowMs + RENEW_WITHIN_MS } });
}

/** The operator let go. */
export function letGoSupervision(step: Step, session: string): void {
  if (step.state.supervised?.session === session) endSupervision(step, 'let-go');
}

/** Whether the boom is where its operator wants it, and nothing is decided any more. */
export function heldHasArrived({ supervised, boom }: LaneState): boolean {
  return supervised !== null && boom.state === (supervised.direction === 'open' ? 'open' : 'closed') && boom.pending === null;
}

/** Ends a held movement that was not renewed, has arrived, or gives way to something weightier. */
export function settleSupervision(step: Step): void {
  const { supervised, boom } = step.state;
  if (supervised === null) return;
  if (stopInForce(step.state)) endSupervision(step, 'stopped');
  else if (supervised.direction === 'close' && fireInForce(step.state)) endSupervision(step, 'fire');
  else if (supervised.direction === 'close' && held(step.state)) endSupervision(step, 'held');
  else if (boom.lock === 'fault') endSupervision(step, 'boom-fault');
  else if (heldHasArrived(step.state)) endSupervision(step, 'done');
  else if (step.nowMs >= supervised.renewByMs) endSupervision(step, 'not-renewed');
}

/** Without its operator a closing becomes an opening at once, and an opening stands where a STOP contact is wired. */
export function endSupervision(step: Step, why: SupervisionEnd): void {
  const { supervised } = step.state;
  if (supervised === null) return;
  const { session, direction, cause } = supervised;
  patch(step, { supervised: null, supervisionEnded: { session, why } });
  journal(step, 'boom.stopped', { cause: { ...cause }, supervised: direction, why });
  const { boom, settings } = step.state;
  if (boom.pending?.cause.kind === 'operator') patchBoom(step, { pending: null });
  if (direction === 'close') {
    // Whoever saw the boom down over a loop knows that no vehicle is there: what the loop stood for would raise it again.
    if (why === 'done') for (const passage of step.state.passages.filter(claimsBoom)) endPassage(step, passage, 'abandoned', 'lowered-by-operator');
    if (boom.state === 'closing') patchBoom(step, { reversal: { kind: 'operator', detail: why }, keepOpenUntilMs: step.nowMs + settings.autoCloseMs });
    return;
  }
  patchBoom(step, { keepOpenUntilMs: step.nowMs + settings.autoCloseMs });
  if (boom.state === 'opening' && wired(step.state, 'stop') && (why === 'let-go' || why === 'not-renewed')) stopBoom(step, cause);
}
