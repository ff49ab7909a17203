import type { SignalState } from '../base/index.js';
import { settleAttention, settleMessage } from './attention.js';
import { advanceBoom, driveBoom, foundOn, inferBoard, leavesOpenLimit, outputAnswers, outputFault, reconcileLimits, recorded, relayChanges, settleFailOpen, takeRecalled, watchDescent, watchLoops } from './boom.js';
import { absorbCommand, fireChanges, pressButton, scheduleChanges, settleCommands, stopChanges } from './commands.js';
import { lampAnswers, settleLamp } from './lamp.js';
import { absorbDecision, askDecisions, claimTracks } from './decisions.js';
import { sensorState } from './facts.js';
import type { LaneEffect } from './effect.js';
import type { LaneInput } from './input.js';
import { approachFalls, approachLost, approachRises, closingFalls, closingRises, expirePassages, startExpiry, startWaiting } from './places.js';
import { clearHeld } from './passages.js';
import type { LaneState } from './state.js';
import { journal, patch, patchBoom, type Step } from './step.js';
import { beginSupervision, heldHasArrived, letGoSupervision, renewSupervision, settleSupervision } from './supervision.js';
import { absorbTrack, ageTracks, decideEarly, foreseenRecorded } from './tracks.js';
import type { SensorName } from './types.js';

/**
 * The whole lane as a function: what it was, what happens, and when (monotonic ms) give what it is and what it asks of the
 * world. Pure; states are plain data and never changed in place. Effects are to be carried out in their order.
 */
export function reduce(state: LaneState, input: LaneInput, nowMs: number): { readonly state: LaneState; readonly effects: readonly LaneEffect[] } {
  const step: Step = { state, effects: [], nowMs };
  advanceBoom(step);
  absorb(step, input);
  // A limit switch that failed just now lets run times count, and those may be over already.
  advanceBoom(step);
  settle(step);
  return { state: step.state, effects: step.effects };
}

function absorb(step: Step, input: LaneInput): void {
  switch (input.kind) {
    case 'inputs-read':
      begin(step);
      break;
    case 'sensor':
      absorbSensor(step, input.sensor, input.state);
      break;
    case 'track':
      absorbTrack(step, input.report);
      break;
    case 'vision':
      // Names of tracks are only unique while the vision process lives.
      patch(step, input.available ? { visionAvailable: true } : { visionAvailable: false, tracks: [] });
      break;
    case 'decision':
      absorbDecision(step, input.request, input.decision);
      break;
    case 'decision-failed':
      absorbDecision(step, input.request, null);
      break;
    case 'command':
      absorbCommand(step, input.ticket, input.command);
      break;
    case 'recorded':
      recorded(step, input.token, input.durable);
      foreseenRecorded(step, input.token, input.durable);
      break;
    case 'output-fault':
      outputFault(step, input);
      break;
    case 'output-ok':
      outputAnswers(step);
      break;
    case 'output-found-on':
      foundOn(step, input.output);
      break;
    case 'relay':
      relayChanges(step, input.available, input.detail);
      break;
    case 'lamp':
      lampAnswers(step, input.works, input.detail);
      break;
    case 'run-times':
      patchBoom(step, { recalled: input.times });
      break;
    case 'schedule':
      scheduleChanges(step, input.hold);
      break;
    case 'supervise':
      beginSupervision(step, input.ticket, input.order);
      break;
    case 'supervise-renew':
      renewSupervision(step, input.session);
      break;
    case 'supervise-end':
      letGoSupervision(step, input.session);
      break;
    case 'tick':
      break;
  }
}

/** S5: from here on outputs may move. What the inputs said meanwhile counts as the lane's first look. */
function begin(step: Step): void {
  if (step.state.started) return;
  patch(step, { started: true });
  for (const sensor of step.state.settings.sensors) {
    const signal = sensorState(step.state, sensor);
    if (broken(signal)) journal(step, 'input.fault', { sensor, state: signal });
  }
  if (step.state.boom.state !== 'closed') powerUp(step);
  const approach = sensorState(step.state, 'approach') === 'on';
  if (sensorState(step.state, 'closing') !== 'off') patch(step, { found: approach ? 'both' : 'closing' });
}

/** A boom not known to be closed at the start: down, as it is, or up, by the site's fail state. */
function powerUp(step: Step): void {
  const { failState } = step.state.settings;
  patchBoom(step, { closeCause: { kind: 'start', detail: 'boom not known to be closed at start' } });
  if (failState.powerUp !== 'close') patchBoom(step, { lock: 'fail-state' });
  if (failState.powerUp === 'open') patchBoom(step, { failOpen: { kind: 'start', detail: 'raised at power-up' } });
}

function broken(state: SignalState | null): boolean {
  return state === 'unknown' || state === 'fault';
}

function absorbSensor(step: Step, sensor: SensorName, next: SignalState): void {
  const before = step.state.sensors[sensor];
  if (before === undefined || before.state === next) return;
  patch(step, { sensors: { ...step.state.sensors, [sensor]: { state: next, sinceMs: step.nowMs } } });
  if (step.state.started) recordHealth(step, sensor, before.state, next);
  switch (sensor) {
    case 'approach':
      if (next === 'on') approachRises(step);
      else if (next === 'off') approachFalls(step);
      else approachLost(step);
      break;
    case 'closing':
      if (next === 'on') closingRises(step, before.state === 'off');
      else if (next === 'off') {
        closingFalls(step, before.sinceMs);
        inferBoard(step, true);
      }
      break;
    case 'openLimit':
    case 'closedLimit':
      if (sensor === 'openLimit' && before.state === 'on' && next === 'off') leavesOpenLimit(step);
      reconcileLimits(step);
      break;
    case 'fire':
      // A panel that cannot be read any more keeps what it last said.
      if (!broken(next)) fireChanges(step, { ...step.state.fire, input: next === 'on' });
      break;
    case 'stop':
      if (!broken(next)) stopChanges(step, next === 'on');
      break;
    case 'button':
      // Only a press counts: a contact found closed after a fault was not pressed now.
      if (next === 'on' && before.state === 'off') pressButton(step);
      break;
    case 'beam':
      break;
  }
}

function recordHealth(step: Step, sensor: SensorName, before: SignalState, next: SignalState): void {
  if (broken(next)) journal(step, 'input.fault', { sensor, state: next });
  else if (broken(before)) journal(step, 'input.cleared', { sensor, state: next });
}

/** What follows from the state alone; calling it twice at one moment changes nothing more. */
function settle(step: Step): void {
  settleOnce(step);
  // A held movement that arrives by what was just driven or withdrawn is over now, not when time passes next.
  if (heldHasArrived(step.state)) settleOnce(step);
}

function settleOnce(step: Step): void {
  ageTracks(step);
  settleSupervision(step);
  watchDescent(step);
  expirePassages(step);
  startWaiting(step);
  clearHeld(step);
  claimTracks(step);
  askDecisions(step);
  decideEarly(step);
  inferBoard(step, false);
  settleFailOpen(step);
  driveBoom(step);
  takeRecalled(step);
  watchLoops(step);
  startExpiry(step);
  settleCommands(step);
  settleAttention(step);
  settleMessage(step);
  settleLamp(step);
}

