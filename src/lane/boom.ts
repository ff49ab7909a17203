import type { SignalState } from '../base/index.js';
import type { LaneInput } from './input.js';
import type { Urgency } from './effect.js';
import { clearSinceMs, earliestDownMs, firstClaim, followed, gatewayCloses, heldDown, heldOpen, holdDrive, holdsContact, limits, limitsDisagree, movementDueMs, obstruction, owedPulse, positionAt, runTimes, sensorState, stopInForce, upReason, wantsNewEdge, wired } from './facts.js';
import { closingContactGuards, closingGuards, firstBlocking, openingContactGuards, openingGuards } from './guards.js';
import type { LearnedRunTimes } from './settings.js';
import type { Contact, LaneState, Movement, PendingMovement } from './state.js';
import { journal, latch, patch, patchBoom, patchPassage, takeSerial, unlatch, type Step } from './step.js';
import type { Cause, ContactName } from './types.js';

const CONTACTS: readonly ContactName[] = ['open', 'close', 'stop'];
/** Runs that count for the learned run times. */
const RUNS_KEPT = 5;

// ---- contacts

function patchContact(step: Step, output: ContactName, change: Partial<Contact>): void {
  const { contacts } = step.state.boom;
  patchBoom(step, { contacts: { ...contacts, [output]: { ...contacts[output], ...change } } });
}

function energise(step: Step, output: ContactName, action: 'pulse' | 'hold', cause: Cause, urgency: Urgency, passage: string | null): void {
  const durationMs = action === 'pulse' ? step.state.settings.pulseMs : 0;
  patchContact(step, output, { mode: action, untilMs: step.nowMs + durationMs, releaseAgainMs: null, releaseFor: null });
  step.effects.push({ kind: 'drive', output, action, durationMs, cause, urgency, passage });
}

function release(step: Step, output: ContactName, cause: Cause): void {
  patchContact(step, output, { mode: 'off', offSinceMs: step.nowMs, releaseAgainMs: null, releaseFor: null });
  step.effects.push({ kind: 'drive', output, action: 'release', durationMs: 0, cause, urgency: 'safety', passage: null });
}

function releaseIfOn(step: Step, output: ContactName, cause: Cause): void {
  if (step.state.boom.contacts[output].mode !== 'off') release(step, output, cause);
}

// ---- time and limit switches

/** Lets time pass for the contacts and for the boom's run: pulses end, movements come to rest. */
export function advanceBoom(step: Step): void {
  for (const output of CONTACTS) {
    const contact = step.state.boom.contacts[output];
    if (contact.mode === 'pulse' && contact.untilMs <= step.nowMs) patchContact(step, output, { mode: 'off', offSinceMs: contact.untilMs });
    if (contact.releaseAgainMs !== null && contact.releaseAgainMs <= step.nowMs) release(step, output, contact.releaseFor ?? { kind: 'watchdog', detail: 'release not taken' });
  }
  const { movement } = step.state.boom;
  if (movement === null) return;
  if (movementDueMs(step.state, movement) <= step.nowMs) comeToRest(step, movement);
  else if (movement.direction === 'down' && limits(step.state).closed === true && !tooEarly(step, movement)) reconcileLimits(step);
}

/** The run time is over, with grace. What the limit switches say now decides. */
function comeToRest(step: Step, movement: Movement): void {
  const { doubtful } = step.state.boom;
  const { open, closed } = limits(step.state);
  const up = movement.direction === 'up';
  const target = up ? open : closed;
  const start = up ? closed : open;
  if (!up && movement.origin === 'inferred' && start === true) reached(step, 'open');
  else if (target === false || start === true) faulted(step, movement.direction);
  // Nobody ordered a movement that was only seen to begin: it may have ended anywhere.
  else if (doubtful || (movement.origin === 'seen' && target !== true)) rest(step, 'unknown');
  else reached(step, up ? 'open' : 'closed');
}

function rest(step: Step, state: 'open' | 'closed' | 'unknown' | 'stopped' | 'fault'): void {
  const position = state === 'open' ? 1 : state === 'closed' ? 0 : positionAt(step.state, step.nowMs);
  patchBoom(step, { state, position, movement: null, openSinceMs: state === 'open' ? (step.state.boom.openSinceMs ?? step.nowMs) : null });
}

function reached(step: Step, state: 'open' | 'closed'): void {
  rest(step, state);
  const { boom } = step.state;
  patchBoom(step, { doubtful: false });
  // Down while it has to be raised is no success: what an output has just refused keeps its pause.
  if (state === 'open' || boom.reversal === null) patchBoom(step, { tries: 0, retryAtMs: null });
  unlatch(step, 'boom-fault');
  if (state === 'open') {
    patchBoom(step, { reversal: null, lock: boom.lock === 'fault' ? null : boom.lock });
  } else if (boom.reversal === null) {
    // A boom that got down before it could be reversed is raised all the same, and the count goes on (S6).
    patchBoom(step, { obstructions: 0, lock: null, closeCause: null, keepOpenUntilMs: null, bothLoops: false, halted: false });
    unlatch(step, 'boom-moved', 'tailgater');
  }
}

/** The motor ran and the limit was not reached: call for help, and let no automatic movement try again. */
function faulted(step: Step, direction: 'up' | 'down'): void {
  rest(step, 'fault');
  const detail = direction === 'up' ? 'open limit not reached' : 'closed limit not reached';
  journal(step, 'boom.fault', { detail });
  latch(step, 'boom-fault', detail);
  // A jam that comes loose lets the boom fall on: the board still wants it down.
  patchBoom(step, { doubtful: direction === 'down', lock: 'fault', retryAtMs: step.nowMs + step.state.settings.retryMs });
}

function beginMovement(step: Step, direction: 'up' | 'down', origin: 'ordered' | 'inferred' | 'seen', startedMs = step.nowMs): void {
  const { state } = step.state.boom;
  // Where the boom is not known it has the whole way to go. Nobody saw where STOP found it.
  const known = state !== 'unknown' && state !== 'fault' && (state !== 'stopped' || direction === 'up');
  const from = known ? positionAt(step.state, step.nowMs) : direction === 'up' ? 0 : 1;
  patchBoom(step, {
    state: direction === 'up' ? 'opening' : 'closing',
    position: from,
    movement: { direction, origin, startedMs, from, known },
    openSinceMs: null,
    doubtful: false,
  });
}

/** Brings the belief in line with the limit switches after any of them changed. */
export function reconcileLimits(step: Step): void {
  if (limitsDisagree(step.state)) latch(step, 'limits-disagree', 'both limit switches are on');
  else unlatch(step, 'limits-disagree');
  const { open, closed } = limits(step.state);
  const { state, movement } = step.state.boom;
  if (closed === true && tooEarly(step, movement)) return;
  if (closed === true) {
    // A rising boom is still on its lower limit for a moment; one that seemed to rise by itself did not.
    if (movement === null || movement.direction === 'down' || movement.origin === 'seen') {
      learn(step, 'down');
      if (state !== 'closed') reached(step, 'closed');
      if (state === 'open') movedAlone(step, 'closed limit on');
    } else if (wentDown(step.state, movement)) {
      reached(step, 'closed');
    }
  } else if (open === true) {
    if (movement === null || movement.direction === 'up' || movement.origin === 'seen') {
      learn(step, 'up');
      if (state === 'closed') roseAlone(step);
      if (state !== 'open') reached(step, 'open');
    }
  } else if (closed === false && state === 'closed') {
    // Over an open contact that is held it rises by order, or the switch had lied.
    const ordered = step.state.boom.contacts.open.mode === 'hold';
    if (!ordered) roseAlone(step);
    beginMovement(step, 'up', ordered ? 'inferred' : 'seen');
  } else if (open === false && state === 'open') {
    movedAlone(step, 'open limit off');
    beginMovement(step, 'down', 'seen');
  }
}

/**
 * Ordered up on its way down, and down all the same: a barrier's board was about to lower and lost the pulse. Whoever waits
 * is given another at once, not when the watchdog is over.
 */
function wentDown(state: LaneState, { from, startedMs }: Movement): boolean {
  const onMs = state.sensors.closedLimit?.sinceMs ?? startedMs;
  return !holdsContact(state) && from > 0 && onMs - startedMs >= state.settings.soonestDown * from * runTimes(state).closeMs;
}

/**
 * A boom that STOP left at its upper end leaves it after all, by whatever let go of it (a relay that had stuck): it falls, and
 * is watched. While the STOP contact is on it only runs out.
 */
export function leavesOpenLimit(step: Step): void {
  const { state, contacts } = step.state.boom;
  if (state !== 'stopped' || contacts.stop.mode !== 'off') return;
  latch(step, 'boom-moved', 'fell after STOP');
  beginMovement(step, 'down', 'seen');
}

function longestRuns(step: Step): LearnedRunTimes {
  const { up, down } = step.state.boom.runs;
  const longest = (times: readonly number[]): number | null => (times.length === 0 ? null : Math.max(...times));
  return { openMs: longest(up), closeMs: longest(down) };
}

/** A whole run that was ordered and has just reached its limit switch tells how long the boom really takes. */
function learn(step: Step, direction: 'up' | 'down'): void {
  const { movement, runs, doubtful } = step.state.boom;
  const { settings } = step.state;
  if (!settings.learnRunTimes || movement === null || movement.direction !== direction || movement.origin !== 'ordered' || !movement.known || doubtful) return;
  if (movement.from !== (direction === 'up' ? 0 : 1)) return;
  const ranMs = step.nowMs - movement.startedMs;
  // Nothing moves twice as fast as configured: that was a switch.
  if (ranMs < (direction === 'up' ? settings.openTimeMs : settings.closeTimeMs) / 2) return;
  const before = runTimes(step.state);
  patchBoom(step, { runs: { ...runs, [direction]: [...runs[direction], ranMs].slice(-RUNS_KEPT) } });
  const times = longestRuns(step);
  const { openMs, closeMs } = runTimes(step.state);
  const same = Math.abs(openMs - before.openMs) < 100 && Math.abs(closeMs - before.closeMs) < 100;
  if (!same || runs[direction].length === 0) {
    journal(step, 'boom.learned', { ...times });
    step.effects.push({ kind: 'learned', times });
  }
  const slow = openMs > settings.openTimeMs * settings.slowRun ? `up ${Math.round(openMs)} ms` : closeMs > settings.closeTimeMs * settings.slowRun ? `down ${Math.round(closeMs)} ms` : null;
  if (slow === null) unlatch(step, 'boom-slow');
  else latch(step, 'boom-slow', slow);
}

/**
 * Run times that an earlier run measured and that became known late count where this one has measured none. A movement
 * keeps the times it began with.
 */
export function takeRecalled(step: Step): void {
  const { recalled, movement, pending, runs } = step.state.boom;
  if (recalled === null || movement !== null || pending !== null) return;
  const { openMs, closeMs } = recalled;
  const up = runs.up.length === 0 && openMs !== null ? [openMs] : runs.up;
  const down = runs.down.length === 0 && closeMs !== null ? [closeMs] : runs.down;
  patchBoom(step, { recalled: null, runs: { up, down } });
  if (up.length + down.length > 0) step.effects.push({ kind: 'learned', times: longestRuns(step) });
}

/**
 * A closed limit before the boom can be down: the switch sticks or flickers, and what comes under the boom still has to
 * raise it. It is believed when the run time is over.
 */
function tooEarly(step: Step, movement: Movement | null): boolean {
  return movement?.direction === 'down' && movement.origin !== 'seen' && step.nowMs < earliestDownMs(step.state, movement);
}

function movedAlone(step: Step, detail: string): void {
  // Under a barrier that closes by itself this is its ordinary way.
  if (gatewayCloses(step.state)) latch(step, 'boom-moved', detail);
}

function roseAlone(step: Step): void {
  latch(step, 'boom-moved', 'rose without an order');
  patchBoom(step, { keepOpenUntilMs: step.nowMs + step.state.settings.autoCloseMs });
}

// ---- what comes under the boom

/** S1 and S6: something is under a boom that is going down. */
export function watchDescent(step: Step): void {
  const { boom } = step.state;
  const sensor = obstruction(step.state);
  const mayFall = boom.state === 'closing' || (boom.state === 'fault' && boom.doubtful);
  if (!mayFall || boom.reversal !== null || sensor === null || heldDown(step.state)) return;
  const obstructions = boom.obstructions + 1;
  patchBoom(step, { reversal: { kind: 'obstruction', detail: sensor }, obstructions });
  if (obstructions >= 2) patchBoom(step, { lock: 'second-obstruction' });
  step.effects.push({ kind: 'photograph', passage: null, reason: 'obstruction' });
}

/** A barrier's own board lowers the boom once its loop has cleared; the gateway can only infer it. */
export function inferBoard(step: Step, loopCleared: boolean): void {
  const { state } = step;
  if (gatewayCloses(state) || !state.started || holdsContact(state)) return;
  const { boom, settings } = state;
  const sinceMs = clearSinceMs(state) ?? Infinity;
  const up = boom.state === 'open' || boom.state === 'opening';
  const unclaimed = boom.state === 'open' && sinceMs <= step.nowMs && limits(state).open !== true && firstClaim(state) === null;
  if ((loopCleared && up) || unclaimed) {
    if (boom.closeCause !== null) journal(step, 'boom.closing', { cause: { ...boom.closeCause }, by: 'barrier' });
    beginMovement(step, 'down', 'inferred');
  } else if (boom.state === 'unknown' && limits(state).closed === null && step.nowMs >= sinceMs + settings.closeTimeMs + settings.settleMs) {
    // Only a guess: it is no reason to order again at once what an output has just refused.
    const { tries, retryAtMs } = boom;
    reached(step, 'closed');
    patchBoom(step, { tries, retryAtMs });
  }
}

// ---- orders

/** STOP: everything is released; where a STOP contact is wired the boom stands, else it runs on and is watched. */
export function stopBoom(step: Step, cause: Cause): void {
  patchBoom(step, { pending: null, lock: 'stopped' });
  if (step.state.boom.contacts.open.mode === 'hold') patchContact(step, 'open', { releaseAgainMs: null, releaseFor: null });
  journal(step, 'boom.stopped', { cause: { ...cause } });
  // An open contact that holds the boom up is no movement: its release would be one.
  for (const output of holdDrive(step.state) ? (['close'] as const) : (['open', 'close'] as const)) releaseIfOn(step, output, cause);
  if (!step.state.started || !wired(step.state, 'stop')) return;
  energise(step, 'stop', 'pulse', cause, 'safety', null);
  patchBoom(step, { reversal: null });
  if (step.state.boom.movement !== null) rest(step, 'stopped');
}

/** A person or a newly admitted vehicle wants a movement: locks and counters of earlier ones are over. */
export function intendMovement(step: Step): void {
  patchBoom(step, { lock: null, obstructions: 0, tries: 0, retryAtMs: null, halted: false });
}

/** An output did not take its order. */
export function outputFault(step: Step, input: Extract<LaneInput, { kind: 'output-fault' }>): void {
  const { output, action, detail } = input;
  const text = `${output} ${action}: ${detail}`;
  const { settings } = step.state;
  const again = step.nowMs + settings.retryMs;
  if (!step.state.latched.some((other) => other.code === 'output-fault')) journal(step, 'boom.fault', { detail: text, output, action });
  latch(step, 'output-fault', text);
  const lowers = output === 'open' && holdDrive(step.state);
  if (action === 'release' && !lowers) {
    // Energised as far as anybody knows, until a release is taken or the pulse has run out by itself.
    const running = step.state.boom.contacts[output].untilMs > step.nowMs;
    patchContact(step, output, { mode: running ? 'pulse' : 'off', releaseAgainMs: again });
    return;
  }
  patchBoom(step, { retryAtMs: again, tries: step.state.boom.tries + 1 });
  const { movement } = step.state.boom;
  const key = output === 'open' && action !== 'release' ? (upReason(step.state)?.passage ?? firstClaim(step.state)?.key ?? null) : null;
  if (key !== null) patchPassage(step, key, { pulsed: false });
  if (output === 'open' && action !== 'release' && (movement?.direction === 'up' || holdDrive(step.state))) {
    // Not known to rise; where it was falling before, it may fall still. The order may have got through all the same, so the
    // dead time counts from the end of its pulse.
    patchContact(step, 'open', { mode: 'off', offSinceMs: Math.max(step.nowMs, step.state.boom.contacts.open.untilMs) });
    if (step.state.boom.reversal === null) rest(step, 'unknown');
    else mayFall(step);
  }
  if (output === 'stop' && step.state.boom.state === 'stopped') mayFall(step);
  // A closing order may have got through all the same: watched as falling, but not believed closed.
  if (output === 'close' || action === 'release') patchBoom(step, { doubtful: true, lock: step.state.boom.tries >= 3 ? 'fault' : step.state.boom.lock });
}

/** The board of a contact does not answer, or answers again after a loss. */
export function relayChanges(step: Step, available: boolean, detail: string): void {
  if (step.state.relayAvailable === available) return;
  patch(step, { relayAvailable: available });
  if (!available) {
    latch(step, 'relay-lost', detail);
    return;
  }
  unlatch(step, 'relay-lost');
  patchBoom(step, { tries: 0, retryAtMs: null });
  if (!step.state.started) return;
  const cause: Cause = { kind: 'relay-lost', detail: 'relay board answers again' };
  if (step.state.settings.failState.relayLost === 'open') patchBoom(step, { failOpen: cause, lock: 'fail-state' });
  // A board that was without power has let go of a contact that held the boom up.
  if (step.state.boom.contacts.open.mode === 'hold' && stopInForce(step.state)) patchContact(step, 'open', { mode: 'off', offSinceMs: step.nowMs });
  else if (step.state.boom.contacts.open.mode === 'hold') {
    journal(step, 'boom.opening', { cause: { ...cause }, urgency: 'safety' });
    energise(step, 'open', 'hold', cause, 'safety', null);
    heldUp(step);
  }
}

/** By an open contact that is held, a boom that may stand anywhere is up when its run time is over, and can then be let down. */
function heldUp(step: Step): void {
  rest(step, 'unknown');
  beginMovement(step, 'up', 'inferred');
}

/** A contact was on when the lane started, or when its board was heard again: the boom may be up for it, and stays up until it may go down. */
export function foundOn(step: Step, output: ContactName): void {
  if (step.state.boom.contacts[output].mode !== 'off') return;
  const holds = output === 'open' && (holdDrive(step.state) || !gatewayCloses(step.state));
  // Otherwise it is the rest of somebody's pulse, and the opposite contact waits until that is over.
  patchContact(step, output, holds ? { mode: 'hold' } : { mode: 'pulse', untilMs: step.nowMs + step.state.settings.pulseMs });
  if (holds && step.state.boom.state === 'unknown') heldUp(step);
}

/** What must be up because something failed, by the site's fail states. */
export function settleFailOpen(step: Step): void {
  const { started, settings, boom } = step.state;
  if (!started) return;
  if (boom.failOpen !== null && boom.failOpen.kind !== 'inputs-lost' && boom.state === 'open') patchBoom(step, { failOpen: null });
  const lost = (['closing', 'beam'] as const).find((sensor) => broken(sensorState(step.state, sensor))) ?? null;
  const { failOpen } = step.state.boom;
  if (settings.failState.inputsLost === 'open' && lost !== null && failOpen === null) {
    patchBoom(step, { failOpen: { kind: 'inputs-lost', detail: lost } });
  } else if (failOpen?.kind === 'inputs-lost' && lost === null) {
    patchBoom(step, { failOpen: null, closeCause: { kind: 'release', detail: 'inputs are back' } });
  }
}

function broken(signal: SignalState | null): boolean {
  return signal === 'unknown' || signal === 'fault';
}

/** The loops as far as the closing goes by them, and a rise that a second vehicle wants to use (anti-tailgate 3 and 4). */
export function watchLoops(step: Step): void {
  const { state } = step;
  const { boom, settings } = state;
  if (boom.state !== 'closed' && !boom.bothLoops && sensorState(state, 'approach') === 'on' && sensorState(state, 'closing') === 'on') {
    patchBoom(step, { bothLoops: true });
  }
  const may = settings.antiTailgate === 4 && wired(state, 'stop') && !holdDrive(state) && boom.state === 'opening' && boom.movement?.origin === 'ordered';
  if (!may || heldOpen(state) || boom.reversal !== null || boom.failOpen !== null || boom.pending !== null || !followed(state)) return;
  const cause: Cause = { kind: 'tailgate', detail: 'a second vehicle follows' };
  journal(step, 'boom.stopped', { cause: { ...cause } });
  releaseIfOn(step, 'open', cause);
  energise(step, 'stop', 'pulse', cause, 'safety', null);
  rest(step, 'stopped');
  patchBoom(step, { halted: true, closeCause: cause });
  latch(step, 'tailgater', cause.detail);
}

/** Nothing is known to keep the boom up: watched as falling, never believed closed by time alone. */
function mayFall(step: Step): void {
  beginMovement(step, 'down', 'inferred');
  patchBoom(step, { doubtful: true });
}

export function outputAnswers(step: Step): void {
  unlatch(step, 'output-fault');
}

/** The journal has, or cannot take, the record of the pending movement. */
export function recorded(step: Step, token: number, durable: boolean): void {
  const { pending } = step.state.boom;
  if (pending?.token !== token || pending.record !== 'waiting') return;
  patchBoom(step, { pending: { ...pending, record: durable ? 'known' : 'late' } });
}

/** Decides, records, and drives what the boom has to do now. */
export function driveBoom(step: Step): void {
  withdraw(step);
  if (step.state.started && step.state.boom.contacts.open.mode === 'hold' && !holdsContact(step.state)) letGo(step);
  if (firstBlocking(openingGuards, step.state, step.nowMs) === null) decideUp(step);
  else if (step.state.boom.pending === null && firstBlocking(closingGuards, step.state, step.nowMs) === null) decideDown(step);
  expireRecord(step);
  carryOut(step);
}

/** A decided movement whose ground has gone, or that a guard now blocks, does not happen. */
function withdraw(step: Step): void {
  const { pending } = step.state.boom;
  if (pending === null) return;
  const blocking = firstBlocking(pending.direction === 'up' ? openingGuards : closingGuards, step.state, step.nowMs);
  if (blocking === null) return;
  patchBoom(step, { pending: null });
  journal(step, 'boom.stopped', { withheld: pending.direction, by: blocking, cause: { ...pending.cause } });
}

/** End of hold or fire where the open contact was held: the board lowers as soon as its loop is clear. */
function letGo(step: Step): void {
  const cause = closingCause(step);
  journal(step, 'boom.closing', { cause: { ...cause }, by: 'barrier' });
  release(step, 'open', cause);
  patchBoom(step, { closeCause: null });
}

function decideUp(step: Step): void {
  const reason = upReason(step.state);
  const { pending } = step.state.boom;
  if (reason === null || (pending !== null && (pending.urgency === 'safety' || reason.urgency === 'ordinary'))) return;
  decide(step, 'up', reason.cause, reason.urgency, reason.passage);
  // The motor must not be driven down for the rest of a closing pulse.
  releaseIfOn(step, 'close', reason.cause);
}

function decideDown(step: Step): void {
  decide(step, 'down', closingCause(step), 'ordinary', null);
}

function closingCause(step: Step): Cause {
  const { supervised, boom } = step.state;
  if (supervised?.direction === 'close') return supervised.cause;
  return boom.closeCause ?? { kind: 'auto-close', detail: 'nothing keeps the boom up' };
}

function decide(step: Step, direction: 'up' | 'down', cause: Cause, urgency: Urgency, passage: string | null): void {
  const token = takeSerial(step);
  const pending: PendingMovement = {
    direction,
    cause,
    urgency,
    passage,
    token,
    record: urgency === 'safety' || foreseen(step, passage) ? 'known' : 'waiting',
    recordByMs: step.nowMs + step.state.settings.recordWaitMs,
  };
  patchBoom(step, { pending });
  journal(step, direction === 'up' ? 'boom.opening' : 'boom.closing', { cause: { ...cause }, urgency }, passage, token);
}

/** An early admission of this vehicle is durable already: the boom moves on the loop's edge. */
function foreseen(step: Step, key: string | null): boolean {
  const passage = step.state.passages.find((other) => other.key === key);
  return passage?.foreseen === true;
}

/** S9: a slow disk does not hold the boom, and the record says so. */
function expireRecord(step: Step): void {
  const { pending } = step.state.boom;
  if (pending === null) return;
  if (pending.record === 'waiting' && pending.recordByMs <= step.nowMs) patchBoom(step, { pending: { ...pending, record: 'late' } });
}

function carryOut(step: Step): void {
  const { pending } = step.state.boom;
  if (pending === null || pending.record === 'waiting') return;
  const up = pending.direction === 'up';
  if (up && wantsNewEdge(step.state)) letGoForEdge(step, pending.cause);
  if (firstBlocking(up ? openingContactGuards : closingContactGuards, step.state, step.nowMs) !== null) return;
  if (pending.record === 'late') latch(step, 'record-late', `boom moved ${pending.direction} before its record was durable`);
  else if (pending.urgency === 'ordinary') unlatch(step, 'record-late');
  patchBoom(step, { pending: null, openAgainMs: null });
  if (up) raise(step, pending);
  else lower(step, pending);
}

function lower(step: Step, { cause, urgency, passage }: PendingMovement): void {
  let startedMs = step.nowMs;
  if (needsEdgeDown(step, cause)) {
    startedMs += step.state.settings.newEdgeMs;
    energise(step, 'open', 'hold', cause, urgency, passage);
    patchContact(step, 'open', { releaseAgainMs: startedMs, releaseFor: cause });
  } else if (holdDrive(step.state)) release(step, 'open', cause);
  else energise(step, 'close', 'pulse', cause, urgency, passage);
  beginMovement(step, 'down', 'ordered', startedMs);
  patchBoom(step, { closeCause: cause, keepOpenUntilMs: null });
}

/** Lets go of an open contact only to take it again; meanwhile the boom may fall, and is watched. */
function letGoForEdge(step: Step, cause: Cause): void {
  release(step, 'open', cause);
  beginMovement(step, 'down', 'ordered');
  patchBoom(step, { openAgainMs: step.nowMs + step.state.settings.newEdgeMs });
}

/**
 * A hold-to-open board that stands although its contact is off (STOP, a jam that outlasted the motor's cut-off) goes down at
 * that contact's next edge only. At the start a boom of which nothing is known is most likely down, and is not twitched.
 */
function needsEdgeDown(step: Step, cause: Cause): boolean {
  const { state, contacts } = step.state.boom;
  const person = cause.kind === 'command' || cause.kind === 'operator';
  return holdDrive(step.state) && contacts.open.mode === 'off' && (state !== 'unknown' || person);
}

function raise(step: Step, pending: PendingMovement): void {
  energise(step, 'open', holdsContact(step.state) ? 'hold' : 'pulse', pending.cause, pending.urgency, pending.passage);
  // Whatever the pulse was given for, the board has it: a vehicle that was owed one must not be given another at once.
  const served = pending.passage ?? owedPulse(step.state)?.key ?? null;
  if (served !== null) patchPassage(step, served, { pulsed: true });
  const { state, movement } = step.state.boom;
  if (state !== 'open' && (state !== 'opening' || movement?.origin === 'seen')) beginMovement(step, 'up', 'ordered');
}

/**
 * A person wants the boom down. It is not kept up for a failure that is over, and one that is taken for down by its run time
 * alone is lowered once more: who orders so may see it up (a relay that stuck over the order, an arm that jammed).
 */
export function personLowers(step: Step): void {
  const { state, failOpen } = step.state.boom;
  if (failOpen !== null && failOpen.kind !== 'inputs-lost') patchBoom(step, { failOpen: null });
  if (state === 'closed' && limits(step.state).closed !== true) rest(step, 'unknown');
}

/** What the next closing is recorded under; the latest reason counts. */
export function closeBecause(step: Step, cause: Cause): void {
  patchBoom(step, { closeCause: cause });
}

/** Held or fire has ended: the boom goes down by itself again, unless the other still holds it. */
export function endHold(step: Step, cause: Cause): void {
  if (!heldOpen(step.state)) patchBoom(step, { closeCause: cause, keepOpenUntilMs: null });
}
