import type { EndedPassage, PassageEnd } from '../../../src/lane/index.js';
import { lookAlikeDistance } from '../../../src/plate/index.js';
import type { Intention, TruePassage } from '../../../src/sim/index.js';

/** Intentions that leave one honest account only. */
const clearIntentions: ReadonlySet<Intention['kind']> = new Set(['drive', 'hesitate', 'back-out', 'tailgate', 'stop-under', 'force']);
const nearMs = 4_000;
/** Plates so alike may be two readings of one: a recogniser that loses a plate and finds it again a little otherwise. */
const alikeDistance = 1.5;

/** A true passage and the ends by which a lane may rightly tell of it. */
function rightEnds(passage: TruePassage, entitled: boolean): readonly PassageEnd[] {
  const used: PassageEnd = passage.direction === 'entry' ? 'entered' : 'exited';
  switch (passage.end) {
    case 'through':
      if (!entitled) return ['forced'];
      // Whoever is let in and does not wait for the arm has been let in all the same.
      return passage.rammed ? ['forced', used] : [used];
    case 'backed-out':
      // Whoever leaves before a decision was made or answered has simply backed out.
      return entitled ? ['backed-out'] : ['refused', 'backed-out'];
    case 'crossed':
      return ['backed-out', 'refused', 'abandoned'];
    case 'wrong-way':
      return ['backed-out', 'refused', 'abandoned', 'forced'];
  }
}

function nearInTime(a: TruePassage, b: TruePassage): boolean {
  return (a.arrivedAtMs ?? 0) < b.endedAtMs + nearMs && (b.arrivedAtMs ?? 0) < a.endedAtMs + nearMs;
}

function lookAlike(a: TruePassage, b: TruePassage): boolean {
  return a.plate !== undefined && b.plate !== undefined && lookAlikeDistance(a.plate.text, b.plate.text) <= alikeDistance;
}

/** Whether a vehicle used the lane at all, and did not turn round before it. */
export function usedLane(passage: TruePassage): boolean {
  return passage.touchedApproach || passage.touchedClosing;
}

/**
 * Every true vehicle has exactly one passage, with the right end. Two loops and a camera cannot tell everything: what
 * happened close to somebody who shunted, made room for another, crossed, came from the wrong side, showed no plate, hung so
 * close on another that no wire fell between them, or had nearly the same plate as his neighbour, has more than one honest
 * account and is not judged.
 * @returns one line for each that was counted wrong
 */
export function miscounts(truth: readonly TruePassage[], ended: readonly EndedPassage[], isEntitled: (plate: string) => boolean): readonly string[] {
  const vehicles = truth.filter(usedLane);
  const unclear = vehicles.filter(
    (vehicle) =>
      vehicle.disturbed ||
      (vehicle.merged && vehicle.intention === 'tailgate') ||
      vehicle.plate === undefined ||
      !clearIntentions.has(vehicle.intention) ||
      vehicles.some((other) => other !== vehicle && nearInTime(vehicle, other) && lookAlike(vehicle, other)),
  );
  const clear = new Set(vehicles.filter((vehicle) => !unclear.includes(vehicle)));
  // Doubt travels along a column without gaps: who stands behind an unplated vehicle may be taken for it, and so on.
  for (let doubtful = unclear; doubtful.length > 0; ) {
    doubtful = [...clear].filter((vehicle) => doubtful.some((other) => nearInTime(vehicle, other)));
    for (const vehicle of doubtful) clear.delete(vehicle);
  }
  const wrong: string[] = [];
  if (unclear.length === 0 && vehicles.length !== ended.length) wrong.push(`count: ${vehicles.length} vehicles, ${ended.length} passages`);
  for (const vehicle of clear) {
    const entitled = vehicle.plate !== undefined && isEntitled(vehicle.plate.text);
    const told = ended.filter((passage) => passage.plate?.text === vehicle.plate?.text);
    const [only] = told;
    if (told.length === 1 && only !== undefined && rightEnds(vehicle, entitled).includes(only.end)) continue;
    const ends = told.map((passage) => `${passage.end}${passage.detail === null ? '' : ` (${passage.detail})`} cleared by ${passage.clearedBy ?? 'nobody'}`);
    wrong.push(`end: ${describe(vehicle, entitled)} told as ${ends.length === 0 ? 'nothing' : ends.join(', ')}`);
  }
  return wrong;
}

function describe(vehicle: TruePassage, entitled: boolean): string {
  const facts = [vehicle.vehicle, vehicle.kind, vehicle.tag, entitled ? '(entitled)' : '', vehicle.intention, vehicle.end, vehicle.rammed ? 'rammed' : '', vehicle.disturbed ? 'disturbed' : ''];
  return `${facts.filter((fact) => fact !== '').join(' ')} at ${vehicle.arrivedAtMs ?? 0}-${vehicle.endedAtMs}`;
}
