import type { LaneState } from '../../src/lane/index.js';
import type { LawMemory } from '../../src/lane/laws.js';
import { unitMs } from './sites.js';

type Passage = LaneState['passages'][number];

const places = ['expected', 'approach', 'gap', 'both', 'closing', 'leaving', 'outbound'];
const booms = ['unknown', 'closed', 'opening', 'open', 'closing', 'stopped', 'fault'];
const signalNames = ['on', 'off', 'unknown', 'fault'];
const modes = ['off', 'pulse', 'hold'];
const origins = ['ordered', 'inferred', 'seen'];
const locks = ['second-obstruction', 'stopped', 'fault', 'fail-state'];
const failures = ['start', 'inputs-lost', 'relay-lost'];
const laws = ['S1', 'S2', 'S3', 'S4', 'S5', 'S6', 'S7', 'S9', 'barrier-closes', 'lamp'];

/** Writes values as characters of a text. */
class Packing {
  readonly #codes: number[] = [];
  readonly #nowMs: number;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  put(value: number): void {
    this.#codes.push(50 + value);
  }

  flag(value: boolean): void {
    this.put(value ? 1 : 0);
  }

  word(value: string | null, words: readonly string[]): void {
    this.put(value === null ? -1 : words.indexOf(value));
  }

  /** A moment by its distance from now; what lies `agoMs` or more back is one. */
  time(valueMs: number | null, agoMs = 0): void {
    if (valueMs === null) this.put(-30);
    else if (valueMs === Infinity) this.put(60);
    else this.put(Math.max(-agoMs, valueMs - this.#nowMs) / unitMs);
  }

  toString(): string {
    return String.fromCharCode(...this.#codes);
  }
}

/**
 * A state of a lane and of its watch as a short text, the same for states that will do the same: times count from now and
 * end where no timer asks for more, names and numbers given on the way count by their order, and what is only shown,
 * answered or counted (driver's text, attention, replies, statistics, words of causes) is left out. That states of one text
 * do behave the same is checked by `explore` itself, with `checkEvery`.
 */
export function packState(state: LaneState, memory: LawMemory, nowMs: number, outputFaults: number): string {
  const packing = new Packing(nowMs);
  packing.put(outputFaults);
  packing.flag(state.started);
  packSensors(state, packing);
  packBoom(state, packing);
  packOrders(state, packing);
  for (const passage of state.passages) packPassage(state, passage, packing);
  packMemory(memory, state.settings.deadTimeMs, packing);
  return packing.toString();
}

function packSensors(state: LaneState, packing: Packing): void {
  const { settings } = state;
  for (const sensor of settings.sensors) {
    const { state: signal, sinceMs } = state.sensors[sensor] ?? { state: null, sinceMs: null };
    packing.word(signal, signalNames);
    const under = sensor === 'closing' || sensor === 'beam';
    if (!under && !(sensor === 'approach' && settings.antiTailgate !== 0)) continue;
    // How long it has been clear delays a closing; of a barrier that closes by itself it tells where the boom is.
    const board = settings.closing === 'barrier-closes' && settings.drive === 'pulse';
    if (signal === 'off') packing.time(sinceMs, board ? Math.max(settings.closeDelayMs, settings.closeTimeMs + settings.settleMs) : settings.closeDelayMs);
    // A vehicle that leaves the approach loop meanwhile went before or after this one came.
    else packing.time(sinceMs, under ? unitMs : settings.closeDelayMs);
  }
}

function packBoom({ boom, passages, settings }: LaneState, packing: Packing): void {
  packing.word(boom.state, booms);
  packing.put(boom.position * 4);
  if (boom.movement === null) packing.put(-1);
  else {
    packing.flag(boom.movement.direction === 'up');
    packing.word(boom.movement.origin, origins);
    packing.time(boom.movement.startedMs, 8 * unitMs);
    packing.put(boom.movement.from * 4);
  }
  for (const output of ['open', 'close', 'stop'] as const) {
    const contact = boom.contacts[output];
    packing.word(contact.mode, modes);
    packing.time(contact.mode === 'pulse' ? contact.untilMs : null);
    packing.time(output === 'stop' ? null : (contact.offSinceMs ?? -Infinity), settings.deadTimeMs);
    packing.time(contact.releaseAgainMs);
  }
  const { pending } = boom;
  packing.put(pending === null ? -1 : pending.direction === 'up' ? 1 : 0);
  if (pending !== null) {
    packing.flag(pending.urgency === 'safety');
    packing.word(pending.record, ['waiting', 'known', 'late']);
    packing.time(pending.record === 'waiting' ? pending.recordByMs : null);
    packing.flag(pending.direction === 'down' && byPerson(pending.cause));
    packing.put(pending.passage === null ? -1 : passages.findIndex(({ key }) => key === pending.passage));
  }
  packing.flag(byPerson(boom.closeCause));
  packing.flag(boom.reversal !== null);
  packing.put(Math.min(boom.obstructions, 2));
  packing.word(boom.lock, locks);
  packing.time(boom.keepOpenUntilMs);
  packing.put(Math.min(boom.tries, 3));
  packing.time(boom.retryAtMs);
  packing.time(boom.openAgainMs);
  packing.flag(boom.doubtful);
  packing.word(boom.failOpen?.kind ?? null, failures);
  packing.time(settings.antiTailgate === 2 ? boom.openSinceMs : null, settings.autoCloseMs);
  packing.flag(settings.antiTailgate >= 3 && boom.bothLoops);
  packing.flag(boom.halted);
}

/** Who orders a boom down that may be down already sees it up; of the words of causes nothing else counts. */
function byPerson(cause: { readonly kind: string } | null): boolean {
  return cause?.kind === 'command' || cause?.kind === 'operator';
}

function packOrders(state: LaneState, packing: Packing): void {
  packing.flag(state.held);
  packing.flag(state.fire.input);
  packing.flag(state.fire.command);
  packing.word(state.schedule, ['off', 'holds', 'ended']);
  packing.flag(state.relayAvailable);
  packing.word(state.lamp.shown, ['red', 'green']);
  packing.time(state.lamp.retryAtMs);
  packing.flag(state.stop.input);
  packing.flag(state.stop.command);
  packing.word(state.found, ['none', 'closing', 'both']);
  packing.word(state.supervised?.direction ?? null, ['open', 'close']);
  packing.time(state.supervised?.renewByMs ?? null);
  packing.flag(state.approachStuck);
  packing.flag(state.latched.some(({ code }) => code === 'output-fault'));
}

function packPassage(state: LaneState, passage: Passage, packing: Packing): void {
  const { settings } = state;
  const reads = passage.asked === null;
  packing.word(passage.place, places);
  packing.time(reads ? passage.startedMs : null, settings.readTimeoutMs);
  switch (passage.place) {
    case 'approach':
      packing.time(passage.placeSinceMs, settings.presenceLimitMs);
      break;
    case 'gap':
      packing.time(passage.placeSinceMs, Math.max(settings.gapMs, settings.autoCloseMs));
      packing.flag(passage.placeSinceMs > (state.sensors.closing?.sinceMs ?? 0));
      break;
    case 'leaving':
    case 'outbound':
      packing.time(passage.placeSinceMs, settings.gapMs);
      break;
    case 'expected':
    case 'both':
    case 'closing':
      break;
  }
  packing.flag(passage.fromInside);
  packing.flag(passage.pastApproach);
  packing.flag(passage.lost);
  packing.time(passage.request === null ? null : passage.requestedMs, settings.decisionWaitMs);
  packing.put(passage.timesAsked);
  packing.flag(reads);
  packing.time(passage.askAgainMs);
  packing.flag(passage.clearedBy !== null);
  packing.flag(passage.clearCause !== null);
  packing.flag(passage.pulsed);
  packing.time(passage.expiresMs);
}

function packMemory(memory: LawMemory, deadTimeMs: number, packing: Packing): void {
  for (const output of ['open', 'close'] as const) packing.time(memory.onUntilMs[output] ?? -Infinity, deadTimeMs);
  packing.flag(memory.stopInput);
  packing.flag(memory.stopCommand);
  packing.flag(memory.fireInput);
  packing.flag(memory.fireCommand);
  packing.time(memory.fallsUntilMs);
  packing.word(memory.raiseByMs?.law ?? null, laws);
  if (memory.raiseByMs !== null) packing.time(Math.floor(memory.raiseByMs.byMs / unitMs) * unitMs, unitMs);
  packing.flag(memory.hitInRun);
  packing.put(Math.min(memory.hits, 2));
  packing.flag(memory.faulty);
  packing.flag(memory.heldDown !== null);
  packing.time(memory.heldDown === null ? null : Math.floor(memory.heldDown.byMs / unitMs) * unitMs, unitMs);
  packing.flag(memory.operatorLowers);
  packing.flag(memory.raised);
  packing.flag(memory.halted);
}
