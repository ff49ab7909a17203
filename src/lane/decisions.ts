import type { Decision } from '../access/index.js';
import { clearPassage, findPassage, plateFacts } from './passages.js';
import type { Passage } from './state.js';
import { journal, patchPassage, takeSerial, type Step } from './step.js';
import { isLive, nextTrack, patchTrack } from './tracks.js';

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
  for (const { key } of step.state.passages.filter(readable)) {
    while (claimNext(step, key));
    readPlate(step, key);
  }
}

/** One more track, where none of those it has is in the picture any more. */
function claimNext(step: Step, key: string): boolean {
  const passage = findPassage(step, key);
  if (passage === null || passage.tracks.some((track) => isLive(step, track))) return false;
  const track = nextTrack(step, passage);
  if (track === null) return false;
  patchTrack(step, track.track, { owner: key, request: null, decision: null });
  patchPassage(step, key, { tracks: [...passage.tracks, track.track] });
  readPlate(step, key);
  adopt(step, key, track.request, track.decision);
  return true;
}

/** The newest track's vote is the vehicle's plate, unless an older one was decisive and this is not yet. */
function readPlate(step: Step, key: string): void {
  const passage = findPassage(step, key);
  const newest = step.state.tracks.findLast((track) => track.owner === key && track.vote !== null);
  if (passage === null || !newest?.vote || newest.stationary || (passage.plateDecisive && !newest.decisive)) return;
  const { vote } = newest;
  if (passage.plate?.text === vote.text && passage.plate.confidence === vote.confidence && passage.plateDecisive === newest.decisive) return;
  const changed = passage.plate?.text !== vote.text;
  patchPassage(step, key, { plate: vote, plateDecisive: newest.decisive });
  if (changed) journal(step, 'passage.read', plateFacts(vote), key);
}

type EarlyRequest = { readonly number: number; readonly text: string } | null;
type EarlyDecision = { readonly text: string; readonly decision: Decision } | null;

/** What was asked or answered before the loop tripped counts for the passage, where it was about the same text. */
function adopt(step: Step, key: string, request: EarlyRequest, decision: EarlyDecision): void {
  const passage = findPassage(step, key);
  const plate = passage?.plate ?? null;
  if (plate === null) return;
  const asked = { text: plate.text, confidence: plate.confidence };
  if (decision?.text === plate.text) {
    patchPassage(step, key, { asked, timesAsked: 1 });
    decided(step, key, decision.decision);
  } else if (request?.text === plate.text) {
    patchPassage(step, key, { asked, timesAsked: 1, request: request.number, requestedMs: step.nowMs });
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
    else decided(step, passage.key, decision);
    return;
  }
  for (const track of step.state.tracks) {
    if (track.request?.number !== request) continue;
    const { text } = track.request;
    if (decision === null) patchTrack(step, track.track, { request: null, askAgainMs: step.nowMs + step.state.settings.retryMs });
    else patchTrack(step, track.track, { request: null, decision: { text, decision, atMs: step.nowMs } });
  }
}

function decided(step: Step, key: string, decision: Decision): void {
  const passage = findPassage(step, key);
  if (passage === null) return;
  patchPassage(step, key, { decision, decisionFailed: false });
  const { outcome, rule, visitorClass, note, listedPlate, matched } = decision;
  journal(
    step,
    'passage.decided',
    { outcome, rule, visitorClass, note: note ?? null, listedPlate: listedPlate ?? null, matched: matched ?? null, ...plateFacts(passage.plate) },
    key,
  );
  step.effects.push({ kind: 'photograph', passage: key, reason: 'decided' });
  if (outcome !== 'admit' || passage.clearedBy !== null || passage.place === 'leaving') return;
  clearPassage(step, key, 'decision', { kind: 'decision', detail: passage.plate === null ? rule : `${rule} ${passage.plate.text}` });
}
