import type { Decision } from '../access/index.js';
import type { JsonObject } from '../base/index.js';
import type { PlateRead } from '../plate/index.js';
import { clearPassage, plateFacts } from './passages.js';
import type { Passage, Track } from './state.js';
import { journal, patchPassage, takeSerial, type Step } from './step.js';
import { LEAST_SURE, foresee, isLive, nextTrack, patchTrack, sameCause, type ReadTrack } from './tracks.js';
import type { Cause } from './types.js';

/** Most decisions asked for one vehicle: a vote that flickers for ever must not ask for ever. */
const MAX_ASKED = 8;
/** A vote that is surer by this is worth asking again. */
const SURER_BY = 0.02;

/** Vehicles whose plate the camera before the boom can see. */
function readable(passage: Passage): boolean {
  return (passage.place === 'approach' || passage.place === 'both') && !passage.fromInside && !passage.pastApproach;
}

/** Gives the vehicle on the approach loop the track that is its own, and keeps its plate up to date. */
export function claimTracks(step: Step): void {
  for (const passage of step.state.passages.filter(readable)) {
    let own = readPlate(step, passage);
    for (let track = claimable(step, own); track !== null; track = claimable(step, own)) own = claim(step, own, track);
  }
}

/** One more track for a vehicle, where none of those it has is in the picture any more. */
function claimable(step: Step, passage: Passage): ReadTrack | null {
  return passage.tracks.some((track) => isLive(step, track)) ? null : nextTrack(step, passage);
}

function claim(step: Step, passage: Passage, track: ReadTrack): Passage {
  patchTrack(step, track.track, { owner: passage.key, request: null, decision: null });
  const tracks = [...passage.tracks, track.track];
  patchPassage(step, passage.key, { tracks });
  const own = readPlate(step, { ...passage, tracks });
  adopt(step, own, track);
  return own;
}

/** The newest track's vote is the vehicle's plate, unless an older one was decisive and this is not yet. */
function readPlate(step: Step, passage: Passage): Passage {
  const newest = step.state.tracks.findLast((track) => track.owner === passage.key && track.vote !== null);
  if (!newest?.vote || newest.stationary || (passage.plateDecisive && !newest.decisive)) return passage;
  const { decisive } = newest;
  const { plate } = passage;
  // A vote that others bring down, of two vehicles under one track, takes a plate's certainty and not its place.
  const fallen = plate !== null && plate.text !== newest.vote.text && newest.vote.confidence < LEAST_SURE;
  const vote = fallen ? { ...plate, confidence: Math.min(plate.confidence, newest.vote.confidence) } : newest.vote;
  if (plate?.text === vote.text && plate.confidence === vote.confidence && passage.plateDecisive === decisive) return passage;
  patchPassage(step, passage.key, { plate: vote, plateDecisive: decisive });
  if (plate?.text !== vote.text) journal(step, 'passage.read', plateFacts(vote), passage.key);
  return { ...passage, plate: vote, plateDecisive: decisive };
}

/** What was asked or answered before the loop tripped counts for the passage, where it was about the same text. */
function adopt(step: Step, passage: Passage, track: ReadTrack): void {
  const { vote, request, decision, foreseen } = track;
  const asked = { text: vote.text, confidence: vote.confidence };
  if (decision?.text === vote.text) {
    patchPassage(step, passage.key, { asked, timesAsked: 1 });
    decided(step, passage, decision.decision, foreseen?.durable === true ? foreseen.cause : null);
  } else if (request?.text === vote.text) {
    patchPassage(step, passage.key, { asked, timesAsked: 1, request: request.number, requestedMs: step.nowMs });
  }
}

/** Asks for a decision where one is due: once per best vote, and without a plate when none could be read in time. */
export function askDecisions(step: Step): void {
  for (const passage of step.state.passages) {
    if (passage.request !== null && step.nowMs >= answerByMs(step, passage)) absorbDecision(step, passage.request, null);
  }
  for (const passage of step.state.passages) {
    if (!readable(passage) || passage.clearedBy !== null || passage.request !== null || passage.timesAsked >= MAX_ASKED) continue;
    if (worthAsking(step, passage)) ask(step, passage);
  }
}

function worthAsking(step: Step, passage: Passage): boolean {
  const { asked, plate } = passage;
  const final = passage.plateDecisive || !passage.tracks.some((track) => isLive(step, track));
  if (asked === null) return (plate !== null && final) || !step.state.visionAvailable || step.nowMs >= readByMs(step, passage);
  if (passage.askAgainMs !== null) return step.nowMs >= passage.askAgainMs;
  if (plate === null || !final) return false;
  return plate.text !== asked.text || plate.confidence >= asked.confidence + SURER_BY;
}

/** Until when a vehicle's plate is waited for, ms. */
export function readByMs(step: Pick<Step, 'state'>, passage: Passage): number {
  return passage.startedMs + step.state.settings.readTimeoutMs;
}

/** Until when an answer is waited for, ms. */
export function answerByMs(step: Pick<Step, 'state'>, passage: Passage): number {
  return passage.requestedMs + step.state.settings.decisionWaitMs;
}

function ask(step: Step, passage: Passage): void {
  const { plate } = passage;
  const request = takeSerial(step);
  patchPassage(step, passage.key, {
    request,
    requestedMs: step.nowMs,
    asked: { text: plate?.text ?? null, confidence: plate?.confidence ?? 0 },
    timesAsked: passage.timesAsked + 1,
    askAgainMs: null,
  });
  step.effects.push({ kind: 'decide', request, passage: passage.key, track: null, plate });
}

/** An answer; one to a request that nobody waits for any more is ignored. */
export function absorbDecision(step: Step, request: number, decision: Decision | null): void {
  const passage = step.state.passages.find((other) => other.request === request);
  if (passage !== undefined) {
    patchPassage(step, passage.key, { request: null });
    if (decision === null) patchPassage(step, passage.key, { decisionFailed: true, askAgainMs: step.nowMs + step.state.settings.retryMs });
    else decided(step, passage, decision);
    return;
  }
  for (const track of step.state.tracks) {
    if (track.request?.number !== request) continue;
    const { text } = track.request;
    if (decision === null) patchTrack(step, track.track, { request: null, askAgainMs: step.nowMs + step.state.settings.retryMs });
    else {
      patchTrack(step, track.track, { request: null, decision: { text, decision, atMs: step.nowMs } });
      if (decision.outcome === 'admit' && isRead(track) && track.vote.text === text) foresee(step, track, decisionFacts(decision, track.vote), causeOf(decision, track.vote));
    }
  }
}

function isRead(track: Track): track is ReadTrack {
  return track.vote !== null;
}

function decisionFacts({ outcome, rule, visitorClass, note, listedPlate, matched }: Decision, plate: PlateRead | null): JsonObject {
  return { outcome, rule, visitorClass, note: note ?? null, listedPlate: listedPlate ?? null, matched: matched ?? null, ...plateFacts(plate) };
}

function causeOf({ rule }: Decision, plate: PlateRead | null): Cause {
  return { kind: 'decision', detail: plate === null ? rule : `${rule} ${plate.text}` };
}

/** @param foreseen the cause of an early admission that is durable on record */
function decided(step: Step, passage: Passage, decision: Decision, foreseen: Cause | null = null): void {
  const { key, plate } = passage;
  patchPassage(step, key, { decision, decisionFailed: false });
  journal(step, 'passage.decided', decisionFacts(decision, plate), key);
  step.effects.push({ kind: 'photograph', passage: key, reason: 'decided' });
  if (decision.outcome !== 'admit' || passage.clearedBy !== null || passage.place === 'leaving') return;
  const cause = causeOf(decision, plate);
  clearPassage(step, key, 'decision', cause);
  patchPassage(step, key, { foreseen: foreseen !== null && sameCause(foreseen, cause) });
}
