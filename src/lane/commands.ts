import { endHold, intendMovement, personLowers, stopBoom } from './boom.js';
import { approachHolds, fireInForce, gatewayCloses, held, obstruction } from './facts.js';
import { clearPassage, startPassage } from './passages.js';
import { revokeClearances } from './places.js';
import type { LaneState, Passage, PendingCommand } from './state.js';
import { journal, patch, unlatch, type Step } from './step.js';
import { endSupervision } from './supervision.js';
import type { Cause, ClearedBy, CommandReason, LaneCommand } from './types.js';

/** Command ids remembered against a second delivery (S7). */
export const REMEMBERED_IDS = 64;

type Ordered = Omit<PendingCommand, 'deadlineMs'>;

function reply(step: Step, order: Ordered, outcome: 'done' | 'failed' | 'refused', reason: CommandReason | null): void {
  const { ticket, id, target, issuer } = order;
  journal(step, `command.${outcome}`, { id, target, issuer, reason });
  step.effects.push({ kind: 'reply', ticket, id, target, outcome, reason });
}

/** Refuses what a person ordered, on record. */
export function refuseOrder(step: Step, order: Omit<PendingCommand, 'deadlineMs'>, reason: CommandReason): void {
  reply(step, order, 'refused', reason);
}

/** Carries out a command once by its id, or refuses it with a reason. */
export function absorbCommand(step: Step, ticket: number, command: LaneCommand): void {
  const order: Ordered = { ticket, id: command.id, target: command.target, issuer: command.issuer };
  if (step.state.commandIds.includes(command.id)) {
    reply(step, order, 'refused', 'duplicate');
    return;
  }
  patch(step, { commandIds: [...step.state.commandIds, command.id].slice(-REMEMBERED_IDS) });
  const refusal = refuses(step, command);
  if (refusal !== null) {
    reply(step, order, 'refused', refusal);
    return;
  }
  endSupervision(step, command.target === 'stop' ? 'stopped' : 'superseded');
  supersede(step, command.target);
  const cause: Cause = { kind: 'command', detail: `${command.target} by ${command.issuer}: ${command.reason}` };
  obey(step, command, cause);
  if (command.target === 'release' || command.target === 'stop' || command.target === 'fire-over') {
    reply(step, order, 'done', null);
    return;
  }
  const { openTimeMs, closeTimeMs, runWatchdogMs, closeDelayMs, deadTimeMs, settleMs } = step.state.settings;
  const deadlineMs = step.nowMs + openTimeMs + closeTimeMs + runWatchdogMs + closeDelayMs + 2 * deadTimeMs + 2 * settleMs;
  patch(step, { commands: [...step.state.commands, { ...order, deadlineMs }] });
}

/** A later order ends the pending ones that wanted something else. */
function supersede(step: Step, target: LaneCommand['target']): void {
  if (target === 'stop') failCommands(step, 'stopped');
  else if (target === 'fire-over') return;
  else if (target === 'close' || target === 'release') failCommands(step, 'superseded', ['open', 'hold']);
  else failCommands(step, 'superseded', ['close']);
}

function refuses(step: Step, command: LaneCommand): CommandReason | null {
  const { state } = step;
  if (command.target === 'stop') return null;
  if (!state.started) return 'lane-starting';
  if (command.target === 'release' || command.target === 'fire-over') return null;
  if (state.stop.input) return 'stopped';
  if (command.target !== 'close') return null;
  if (fireInForce(state)) return 'fire';
  if (held(state)) return 'held';
  if (!gatewayCloses(state)) return 'not-supported';
  return obstruction(state) === null && !approachHolds(state) ? null : 'obstructed';
}

function obey(step: Step, command: LaneCommand, cause: Cause): void {
  if (command.target === 'stop') {
    patch(step, { stop: { ...step.state.stop, command: true } });
    stopBoom(step, { ...cause, kind: 'stop' });
    return;
  }
  personActs(step);
  switch (command.target) {
    case 'open':
      letThrough(step, 'command', cause);
      break;
    case 'hold':
      patch(step, { held: true, holdCause: cause });
      break;
    case 'release':
      releaseHold(step, { ...cause, kind: 'release' });
      break;
    case 'close':
      personLowers(step);
      revokeClearances(step, cause);
      break;
    case 'fire':
      fireChanges(step, { ...step.state.fire, command: true });
      break;
    case 'fire-over':
      fireChanges(step, { ...step.state.fire, command: false });
      break;
  }
}

/** The guard's button: an opening like the command's, without a reply. */
export function pressButton(step: Step): void {
  if (!step.state.started || step.state.stop.input) return;
  endSupervision(step, 'superseded');
  personActs(step);
  letThrough(step, 'button', { kind: 'button', detail: "guard's button" });
}

/** A person has looked: what waited for one is over, a STOP command too. */
export function personActs(step: Step): void {
  patch(step, { stop: { ...step.state.stop, command: false } });
  intendMovement(step);
  unlatch(step, 'forced-passage', 'boom-moved');
}

/** Opens for the vehicles that wait, or for one that is still to come: also behind one that is just gone without permission. */
function letThrough(step: Step, by: ClearedBy, cause: Cause): void {
  const gone = (passage: Passage): boolean => passage.clearedBy === null && (passage.place === 'leaving' || passage.place === 'outbound');
  const nobodyElse = step.state.passages.every(gone);
  for (const passage of step.state.passages) if (passage.clearedBy === null && !gone(passage)) clearPassage(step, passage.key, by, cause);
  if (nobodyElse) clearPassage(step, startPassage(step, 'expected', by), by, cause);
}

function releaseHold(step: Step, cause: Cause): void {
  patch(step, { held: false, holdCause: null, schedule: step.state.schedule === 'holds' ? 'ended' : step.state.schedule });
  endHold(step, cause);
}

/** The window of the schedule began or ended. A person who released the boom meanwhile keeps his word until the next one. */
export function scheduleChanges(step: Step, hold: boolean): void {
  const { schedule } = step.state;
  if (hold === (schedule !== 'off')) return;
  patch(step, { schedule: hold ? 'holds' : 'off' });
  // The morning rush is an intended input: locks of what was before are over.
  if (hold) {
    intendMovement(step);
    failCommands(step, 'held', ['close']);
  } else endHold(step, { kind: 'schedule', detail: 'window over' });
}

/** Fire panel or fire command: holds open while it lasts, over everything but STOP (S4). */
export function fireChanges(step: Step, fire: LaneState['fire']): void {
  const before = fireInForce(step.state);
  patch(step, { fire });
  const on = fireInForce(step.state);
  if (before === on) return;
  if (on) failCommands(step, 'fire', ['close']);
  else endHold(step, { kind: 'release', detail: 'fire-over' });
}

/** STOP input. Its release moves nothing by itself: closing waits for an intended input. */
export function stopChanges(step: Step, on: boolean): void {
  if (step.state.stop.input === on) return;
  patch(step, { stop: { ...step.state.stop, input: on } });
  if (!on) return;
  failCommands(step, 'stopped');
  stopBoom(step, { kind: 'stop', detail: 'stop input' });
}

/** Ends pending commands of these targets as failed. */
export function failCommands(step: Step, reason: CommandReason, targets: readonly LaneCommand['target'][] = ['open', 'hold', 'close', 'fire']): void {
  for (const command of step.state.commands) {
    if (!targets.includes(command.target)) continue;
    drop(step, command);
    reply(step, command, 'failed', reason);
  }
}

function drop(step: Step, command: PendingCommand): void {
  patch(step, { commands: step.state.commands.filter((other) => other !== command) });
}

/** Answers pending commands whose target was reached, or cannot be reached any more. */
export function settleCommands(step: Step): void {
  const { boom } = step.state;
  for (const command of step.state.commands) {
    const up = command.target !== 'close';
    if (boom.state === (up ? 'open' : 'closed') && (up || boom.reversal === null)) {
      drop(step, command);
      reply(step, command, 'done', null);
      continue;
    }
    const reason = hopeless(step, command, up);
    if (reason === null) continue;
    drop(step, command);
    reply(step, command, 'failed', reason);
  }
}

function hopeless(step: Step, command: PendingCommand, up: boolean): CommandReason | null {
  const { boom } = step.state;
  if (boom.lock === 'fault') return 'boom-fault';
  if (!up && boom.reversal !== null) return 'obstructed';
  return step.nowMs >= command.deadlineMs ? 'timeout' : null;
}

