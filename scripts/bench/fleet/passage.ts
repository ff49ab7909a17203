import type { JsonObject } from '../../../src/base/index.js';
import type { NewEvent } from '../../../src/journal/index.js';

/** One event of a vehicle's way through a lane, and how long after the one before it comes. */
export interface Step {
  readonly afterMs: number;
  readonly event: NewEvent;
}

/**
 * What one passage of a real gate brings, everything between two passages (attention, boom, what was learned) counted in:
 * the journal of `scripts/demo` with recognition after 46 passages. The light lanes are held against it.
 */
export const measuredPassage = { events: 8.13, eventBytes: 4_230 } as const;

const letters = 'ABCDEFGHJKLMNPQRSTUVWXYZ';
const signs = `${letters}0123456789`;
const hexDigits = '0123456789abcdef';
const households = ['张家', '王家', '李家', '周家', '黄家', '搬家公司', '访客'] as const;

function pick<T>(from: readonly [T, ...T[]], random: () => number): T {
  return from[Math.floor(random() * from.length)] ?? from[0];
}

/** What the journal says of a whole picture and the plate cut out of it. */
function photographed(random: () => number, reason: string): JsonObject {
  const picture = (kind: string, bytes: number): JsonObject => ({ bytes, id: Array.from({ length: 64 }, () => hexDigits.charAt(Math.floor(random() * hexDigits.length))).join(''), kind });
  return { pictures: [picture('frame', 110_000 + Math.floor(random() * 10_000)), picture('plate', 3_000 + Math.floor(random() * 1_000))], reason };
}

function plateText(random: () => number): string {
  const sign = (of: string): string => of.charAt(Math.floor(random() * of.length));
  return `京${sign(letters)}${Array.from({ length: 5 }, () => sign(signs)).join('')}`;
}

/**
 * The events of one vehicle in a light lane: types, order, times and payloads as the lanes write them, in the shares that
 * were counted in the demonstration; no boom moves and no picture is read.
 * @param random 0 to below 1
 * @param passage identifier of the passage
 */
export function passageSteps(random: () => number, passage: string): readonly Step[] {
  const direction = random() < 0.5 ? 'entry' : 'exit';
  const lane = direction;
  const steps: Step[] = [];
  const add = (afterMs: number, type: NewEvent['type'], payload: JsonObject, own = false): void => {
    steps.push({ afterMs, event: { type, lane, ...(own ? { passage } : {}), payload } });
  };
  const plate = plateText(random);
  const read = { plate, confidence: 0.96 + random() * 0.0399, colour: pick(['blue', 'green', 'yellow'], random), rows: 1 };
  const rule = direction === 'exit' ? 'exit-free' : 'resident';
  const decision = { ...read, outcome: 'admit', rule, listedPlate: plate, matched: 'exact', note: pick(households, random), visitorClass: 'resident' };
  const cause = { kind: 'decision', detail: `${rule} ${plate}` };
  const end = direction === 'exit' ? 'exited' : 'entered';
  const decided = random() < 0.98;

  if (random() < 0.57) add(0, 'passage.foreseen', { ...decision, cause });
  add(800, 'passage.started', { direction, origin: 'approach-loop' }, true);
  add(10, 'passage.read', read, true);
  add(50, 'passage.photographed', photographed(random, 'started'), true);
  if (random() < 0.07) add(200, 'passage.read', { ...read, confidence: random() }, true);
  if (decided) {
    add(50, 'passage.decided', decision, true);
    add(50, 'passage.photographed', photographed(random, 'decided'), true);
  }
  if (decided && random() < 0.62) add(5, 'boom.opening', { cause, urgency: 'ordinary' }, true);
  if (random() < 0.09) add(1_400, 'boom.learned', { openMs: 1_328 + random(), closeMs: 1_541 + random() });
  const durationMs = 3_000 + random() * 3_000;
  add(durationMs, 'passage.ended', { ...read, clearedBy: decided ? 'decision' : null, detail: decided ? null : 'undecided-or-refused', durationMs, end: decided ? end : 'forced', rule: decided ? rule : null }, true);
  if (random() < 0.63) add(10, 'boom.closing', { cause: { kind: 'passage-complete', detail: end }, urgency: 'ordinary' });
  if (random() < 0.07) {
    add(5, 'lane.attention', { code: 'forced-passage', detail: 'forced undecided-or-refused' });
    add(5_000, 'lane.attention-cleared', { code: 'forced-passage' });
  }
  return steps;
}

/** Small, fast and repeatable (mulberry32): 0 to below 1. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
