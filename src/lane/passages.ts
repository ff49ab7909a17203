import type { JsonObject } from '../base/index.js';
import type { PlateRead } from '../plate/index.js';
import { closeBecause, intendMovement } from './boom.js';
import { heldOpen, stopInForce } from './facts.js';
import type { Passage, Place } from './state.js';
import { journal, latch, patch, patchPassage, takeSerial, unlatch, type Step } from './step.js';
import { forgetEarlyDecisions } from './tracks.js';
import type { Cause, ClearedBy, PassageEnd } from './types.js';

export function plateFacts(plate: PlateRead | null): JsonObject {
  return plate === null ? { plate: null } : { plate: plate.text, confidence: plate.confidence, colour: plate.colour, rows: plate.rows };
}

/** Begins a passage; `origin` says on record what made it begin. Returns its key. */
export function startPassage(step: Step, place: Place, origin: string): string {
  const key = String(takeSerial(step));
  const passage: Passage = {
    key,
    startedMs: step.nowMs,
    place,
    placeSinceMs: step.nowMs,
    fromInside: place === 'closing',
    pastApproach: false,
    lost: false,
    tracks: [],
    plate: null,
    plateDecisive: false,
    decision: null,
    request: null,
    requestedMs: step.nowMs,
    asked: null,
    timesAsked: 0,
    askAgainMs: null,
    decisionFailed: false,
    clearedBy: null,
    clearCause: null,
    foreseen: false,
    pulsed: false,
    expiresMs: null,
  };
  const { counts, passages } = step.state;
  patch(step, { passages: [...passages, passage], counts: { ...counts, passages: counts.passages + 1 } });
  journal(step, 'passage.started', { origin, direction: step.state.settings.direction }, key);
  step.effects.push({ kind: 'photograph', passage: key, reason: 'started' });
  return key;
}

export function moveTo(step: Step, key: string, place: Place, more: Partial<Passage> = {}): void {
  patchPassage(step, key, { place, placeSinceMs: step.nowMs, ...more });
}

/** Lets a vehicle through: the boom belongs to it until it has passed. */
export function clearPassage(step: Step, key: string, by: ClearedBy, cause: Cause): void {
  // STOP keeps its hold on the boom; a new vehicle does not lift it.
  if (!stopInForce(step.state)) intendMovement(step);
  patchPassage(step, key, { clearedBy: by, clearCause: cause, foreseen: false, pulsed: false, expiresMs: null });
  const { counts } = step.state;
  patch(step, { counts: { ...counts, opened: counts.opened + 1 } });
}

/** Ends a passage, on record. */
export function endPassage(step: Step, passage: Passage, end: PassageEnd, detail: string | null = null): void {
  const { state } = step;
  const { plate, decision, clearedBy } = passage;
  const durationMs = step.nowMs - passage.startedMs;
  patch(step, { passages: state.passages.filter((other) => other.key !== passage.key) });
  journal(step, 'passage.ended', { end, detail, ...plateFacts(plate), rule: decision?.rule ?? null, clearedBy, durationMs }, passage.key);
  step.effects.push({ kind: 'passage-ended', passage: passage.key, end, plate, decision, clearedBy, durationMs, detail });
  if (end === 'refused') patch(step, { counts: { ...state.counts, refused: state.counts.refused + 1 } });
  const through = end === 'entered' || end === 'exited' || end === 'forced';
  if (through && plate !== null) {
    patch(step, { quiet: [...step.state.quiet, { text: plate.text, untilMs: step.nowMs + state.settings.samePlateQuietMs }] });
  }
  if (end === 'forced') latch(step, 'forced-passage', [end, detail].join(' '));
  else if (through) unlatch(step, 'forced-passage');
  if (clearedBy !== null) closeBecause(step, { kind: through ? 'passage-complete' : 'auto-close', detail: end });
  forgetEarlyDecisions(step);
}

/** The vehicle has gone over the closing loop, inwards by the lane's direction unless it came from inside. */
export function endThrough(step: Step, passage: Passage): void {
  const through = step.state.settings.direction === 'entry' ? 'entered' : 'exited';
  if (passage.clearedBy === null) endPassage(step, passage, 'forced', passage.fromInside ? 'closing-loop-only' : 'undecided-or-refused');
  else endPassage(step, passage, through, passage.clearedBy === 'held' ? 'held-open' : null);
}

/** The vehicle came from inside and left over the approach loop. A person or a held lane may have let it. */
export function endWrongWay(step: Step, passage: Passage): void {
  const outwards = step.state.settings.direction === 'entry' ? 'exited' : 'entered';
  endPassage(step, passage, passage.clearedBy === null ? 'forced' : outwards, 'wrong-way');
}

/** The vehicle has left again the way it came, or was never seen to come. */
export function endWithout(step: Step, passage: Passage): void {
  if (passage.place === 'expected') endPassage(step, passage, 'abandoned', 'nobody-came');
  else if (passage.clearedBy !== null) endPassage(step, passage, passage.lost ? 'abandoned' : 'backed-out', passage.lost ? 'approach-lost' : null);
  else if (passage.decision !== null && passage.decision.outcome !== 'admit') endPassage(step, passage, 'refused');
  else endPassage(step, passage, 'backed-out', 'undecided');
}

/** Under hold or fire the lane is open for everybody: whoever is on the closing loop is let through. */
export function clearHeld(step: Step): void {
  if (!heldOpen(step.state)) return;
  for (const passage of step.state.passages) {
    const onLoop = passage.place === 'closing' || passage.place === 'both';
    if (!onLoop || passage.clearedBy !== null) continue;
    patchPassage(step, passage.key, { clearedBy: 'held' });
  }
}
