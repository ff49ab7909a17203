import { sensorState } from './facts.js';
import { closeBecause } from './boom.js';
import type { Passage, Place } from './state.js';
import { latch, patch, patchPassage, unlatch, type Step } from './step.js';
import type { Cause } from './types.js';
import { endPassage, endThrough, endWithout, endWrongWay, moveTo, startPassage } from './passages.js';
import { isLive, nextTrack } from './tracks.js';

/** A vehicle that left the approach loop this long before the closing loop cleared can have gone over it meanwhile. */
const THROUGH_LEAST_MS = 300;
/** A trailer's drawbar lets the closing loop clear for no longer. */
const TRAILER_MS = 1_500;

function at(step: Step, ...places: readonly Place[]): Passage | null {
  return step.state.passages.find((passage) => places.includes(passage.place)) ?? null;
}

function onApproach(step: Step): Passage | null {
  return at(step, 'approach', 'both', 'outbound');
}

function approachOn(step: Step): boolean {
  return sensorState(step.state, 'approach') === 'on';
}

/** The approach loop became occupied: a new vehicle, or one of those here that moved back. */
export function approachRises(step: Step): void {
  if (onApproach(step) !== null) return;
  const gap = step.state.passages.findLast((passage) => passage.place === 'gap') ?? null;
  if (gap !== null && (gap.lost || gap.tracks.some((track) => isLive(step, track)))) {
    // Shunting: its plate has been in the picture all the time.
    moveTo(step, gap.key, 'approach', { lost: false });
    return;
  }
  if (gap !== null && gap.clearedBy !== null && step.nowMs >= gap.placeSinceMs + step.state.settings.gapMs) endWithout(step, gap);
  const closing = at(step, 'closing');
  if (closing !== null && nextTrack(step, null) === null) {
    // Either the vehicle under the boom rolls (back) over both loops, or the next is bumper to bumper behind it without a
    // plate read so far; the next read, or the closing loop, tells (see `secondVehicle` and `closingFalls`).
    moveTo(step, closing.key, 'both');
    return;
  }
  const expected = at(step, 'expected');
  if (expected !== null) moveTo(step, expected.key, 'approach', { expiresMs: null });
}

/** The approach loop cleared. */
export function approachFalls(step: Step): void {
  if (step.state.found === 'both') patch(step, { found: 'closing' });
  patch(step, { approachStuck: false });
  unlatch(step, 'approach-stuck');
  const passage = onApproach(step);
  if (passage === null) return;
  patch(step, { approachLeftMs: step.nowMs });
  if (passage.place === 'both') moveTo(step, passage.key, 'closing', { pastApproach: true });
  else if (passage.place === 'outbound') endWrongWay(step, passage);
  else moveTo(step, passage.key, 'gap');
}

/** The approach loop cannot be read any more: its vehicle is looked for on the closing loop and else given up. */
export function approachLost(step: Step): void {
  const passage = at(step, 'approach');
  if (passage !== null) moveTo(step, passage.key, 'gap', { lost: true });
}

/**
 * The closing loop became occupied: whose vehicle is it?
 * @param known false where the loop could not be read before, so that its vehicle may have stood there for long
 */
export function closingRises(step: Step, known: boolean): void {
  const { passages, started } = step.state;
  if (!started || at(step, 'closing', 'both') !== null || (!known && step.state.found !== 'none')) return;
  const approach = at(step, 'approach');
  const clearedGap = passages.find((passage) => passage.place === 'gap' && passage.clearedBy !== null) ?? null;
  const approachCleared = approach !== null && approach.clearedBy !== null;
  const passage = clearedGap ?? (approachCleared ? approach : at(step, 'gap')) ?? approach ?? at(step, 'leaving', 'expected');
  if (passage === null && !known) {
    patch(step, { found: 'closing' });
    return;
  }
  if (passage === null) {
    const key = startPassage(step, 'closing', 'closing-loop');
    step.effects.push({ kind: 'photograph', passage: key, reason: 'forced' });
    return;
  }
  // Somebody expected who never touched the approach loop may as well have come from inside.
  const fromInside = passage.place === 'expected';
  const pastApproach = passage.place === 'gap' || passage.place === 'leaving';
  moveTo(step, passage.key, passage.place === 'approach' ? 'both' : 'closing', { fromInside, pastApproach, expiresMs: null });
  if (passage.clearedBy === null) step.effects.push({ kind: 'photograph', passage: passage.key, reason: 'forced' });
}

/** The closing loop cleared: its vehicle has gone on, or back. */
export function closingFalls(step: Step, occupiedSinceMs: number): void {
  const { found } = step.state;
  if (found !== 'none') patch(step, { found: 'none' });
  for (const passage of step.state.passages) {
    if (passage.place === 'closing') moveTo(step, passage.key, 'leaving');
    else if (passage.place === 'both') clearedFromBoth(step, passage);
    else if (passage.place === 'gap' && passage.placeSinceMs > occupiedSinceMs && step.nowMs >= passage.placeSinceMs + THROUGH_LEAST_MS) {
      // Bumper to bumper: it left the approach loop while the one before kept the closing loop occupied.
      moveTo(step, passage.key, 'leaving', { pastApproach: true });
    }
  }
}

function clearedFromBoth(step: Step, passage: Passage): void {
  if (passage.fromInside) moveTo(step, passage.key, 'outbound');
  else if (passage.pastApproach || followerRead(step, passage)) moveTo(step, passage.key, 'leaving');
  else moveTo(step, passage.key, 'approach');
}

/** A plate first seen after this vehicle came, while its own is out of the picture: somebody follows. */
function followerRead(step: Step, passage: Passage): boolean {
  const follower = nextTrack(step, null);
  return follower !== null && follower.decisive && follower.firstMs > passage.startedMs && !passage.tracks.some((track) => isLive(step, track));
}

/** A next plate while the vehicle under the boom seemed to have rolled back: it did not, there are two. */
function secondVehicle(step: Step): void {
  const passage = at(step, 'both');
  if (passage === null || !passage.pastApproach || nextTrack(step, null) === null) return;
  moveTo(step, passage.key, 'closing');
}

/** Whoever waits on the approach loop has a passage. */
export function startWaiting(step: Step): void {
  const { state } = step;
  if (!state.started || !approachOn(step)) return;
  secondVehicle(step);
  if (state.approachStuck || state.found === 'both' || onApproach(step) !== null) return;
  startPassage(step, 'approach', 'approach-loop');
}

/** Passages that time ends. */
export function expirePassages(step: Step): void {
  for (const passage of step.state.passages) {
    const dueMs = passageDueMs(step, passage);
    if (dueMs === null || step.nowMs < dueMs) continue;
    if (passage.place === 'leaving') endThrough(step, passage);
    else if (passage.place === 'outbound') endWrongWay(step, passage);
    else if (passage.place === 'approach') giveUpLoop(step, passage);
    else endWithout(step, passage);
  }
}

/** A loop that never clears is stuck, or somebody parked on it: the boom does not stay up for it for ever. */
function giveUpLoop(step: Step, passage: Passage): void {
  patch(step, { approachStuck: true });
  latch(step, 'approach-stuck', 'approach loop occupied for too long');
  endWithout(step, { ...passage, lost: true });
}

/** When a passage ends by itself, ms; null where something has to happen first. */
export function passageDueMs(step: Pick<Step, 'state'>, passage: Passage): number | null {
  const { settings } = step.state;
  switch (passage.place) {
    case 'expected':
      return passage.expiresMs;
    case 'approach':
      return passage.placeSinceMs + settings.presenceLimitMs;
    case 'gap':
      return passage.placeSinceMs + (passage.clearedBy === null ? settings.gapMs : Math.max(settings.gapMs, settings.autoCloseMs));
    case 'leaving':
      return passage.placeSinceMs + Math.min(settings.closeDelayMs, TRAILER_MS);
    case 'outbound':
      return passage.placeSinceMs + settings.gapMs;
    case 'both':
    case 'closing':
      return null;
  }
}

/** An opening for somebody who is not here yet runs out `autoCloseMs` after the boom is up. */
export function startExpiry(step: Step): void {
  const { state } = step.state.boom;
  const rising = state === 'opening' || state === 'closed' || state === 'closing' || state === 'unknown';
  if (rising && step.state.boom.tries === 0) return;
  for (const passage of step.state.passages) {
    if (passage.place === 'expected' && passage.expiresMs === null) patchPassage(step, passage.key, { expiresMs: step.nowMs + step.state.settings.autoCloseMs });
  }
}

/** A person wants the boom down: whoever is not under it yet is no longer let through. */
export function revokeClearances(step: Step, cause: Cause): void {
  for (const passage of step.state.passages) {
    if (passage.place === 'expected') endPassage(step, passage, 'abandoned', 'closed-by-command');
    else if (passage.place === 'approach' || passage.place === 'gap') patchPassage(step, passage.key, { clearedBy: null, clearCause: null, foreseen: false });
  }
  closeBecause(step, cause);
}
