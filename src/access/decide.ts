import { nearLookAlikes, type PlateText, type PlateType } from '../plate/index.js';
import { withinHours } from './hours.js';
import type { AccessLists, Listing, VisitorPass } from './lists.js';
import type { AccessRequest, Decision, DecisionRule, VisitorClass } from './types.js';

/** A request with what the pure part cannot know by itself. */
export interface TimedRequest extends AccessRequest {
  /** Minute of the site's local day, 0 to 1439. */
  readonly minuteOfDay: number;
}

/** Who is inside, as far as a decision needs it. */
export interface OccupancyView {
  /** Vehicles inside, unplated ones included. */
  readonly total: number;
  /** Since when a plate is inside (ms since 1970), undefined where it is not. */
  insideSinceMs(plate: PlateText): number | undefined;
  /** Cars of a household inside, or just let in, as residents; `except` left out. */
  residentsInside(household: string, except: PlateText): number;
}

type ReadPlate = NonNullable<AccessRequest['plate']>;

/** Vehicles that pass by what their plate is: 应急, police, armed police. */
const EMERGENCY_TYPES: readonly PlateType[] = ['emergency', 'police', 'armed-police'];

const HOUR_MS = 3_600_000;

/** What a listing alone makes of a vehicle, whatever the hour. */
function classOf(types: readonly PlateType[], listing: Listing | undefined): VisitorClass {
  if (types.some((type) => EMERGENCY_TYPES.includes(type)) || (listing?.emergency ?? null) !== null) return 'emergency';
  if (listing === undefined) return 'outside';
  if (listing.blocked !== null) return 'blocked';
  if (listing.household !== null) return 'resident';
  return 'visitor';
}

function noteOf(visitorClass: VisitorClass, listing: Listing | undefined): string | undefined {
  switch (visitorClass) {
    case 'emergency':
      return listing?.emergency?.note ?? undefined;
    case 'blocked':
      return listing?.blocked?.reason;
    case 'resident':
      return listing?.household?.name;
    case 'visitor':
      return listing?.passes.find(({ note }) => note !== null)?.note ?? undefined;
    case 'outside':
    case 'unplated':
      return undefined;
  }
}

function decision(
  outcome: Decision['outcome'],
  rule: DecisionRule,
  visitorClass: VisitorClass,
  listing: Listing | undefined,
  note: string | undefined = noteOf(visitorClass, listing),
): Decision {
  return {
    outcome,
    rule,
    visitorClass,
    ...(note === undefined ? {} : { note }),
    ...(listing === undefined ? {} : { listedPlate: listing.plate, matched: 'exact' as const }),
  };
}

/** Which of a household's conditions fails, if any. Leaving is never a matter of hours or quota. */
function residentFault(request: TimedRequest, listing: Listing, occupancy: OccupancyView): DecisionRule | undefined {
  const { household } = listing;
  if (household === null) return undefined;
  const timed = request.clockTrusted !== false;
  if (timed && (request.wallMs < household.validFromMs || request.wallMs >= household.validUntilMs)) return 'resident-validity';
  if (household.lanes !== null && !household.lanes.has(request.laneId)) return 'resident-lane';
  if (request.direction === 'exit') return undefined;
  if (timed && household.hours !== null && !withinHours(request.minuteOfDay, household.hours)) return 'resident-hours';
  if (occupancy.residentsInside(household.id, listing.plate) >= household.spaces) return 'resident-quota';
  return undefined;
}

function holds(pass: VisitorPass, request: TimedRequest): boolean {
  return request.wallMs >= pass.fromMs && request.wallMs < pass.untilMs && (pass.lanes === null || pass.lanes.has(request.laneId));
}

/** What the site does with a vehicle nobody announced. */
function outside(plate: PlateText, request: TimedRequest, lists: AccessLists, occupancy: OccupancyView): Decision {
  const { policy } = lists;
  const stranger = (outcome: Decision['outcome'], rule: DecisionRule): Decision => decision(outcome, rule, 'outside', undefined);
  if (request.direction === 'exit') {
    // It came in under the policy, so it may leave under it; one that stayed too long talks to a person first.
    if (policy.outside.policy === 'admit-while-space') return stranger('admit', 'outside-space');
    const sinceMs = occupancy.insideSinceMs(plate);
    const inTime = policy.outside.policy === 'admit-for-hours' && sinceMs !== undefined && request.wallMs - sinceMs <= policy.outside.hours * HOUR_MS;
    return inTime ? stranger('admit', 'outside-hours') : stranger('ask', 'outside-ask');
  }
  switch (policy.outside.policy) {
    case 'refuse':
      return stranger('refuse', 'outside-refuse');
    case 'ask':
      return stranger('ask', 'outside-ask');
    case 'admit-while-space':
      return occupancy.total < policy.spaces ? stranger('admit', 'outside-space') : stranger('refuse', 'outside-full');
    case 'admit-for-hours':
      return { ...stranger('admit', 'outside-hours'), stayHours: policy.outside.hours };
  }
}

/** The rules in their order, for a plate taken to be `text`. */
function judge(text: PlateText, plate: ReadPlate, request: TimedRequest, lists: AccessLists, occupancy: OccupancyView): Decision {
  const listing = lists.listings.get(text);
  const visitorClass = classOf(plate.types, listing);
  if (visitorClass === 'emergency') return decision('admit', 'emergency-class', 'emergency', listing);
  if (visitorClass === 'blocked') return decision('refuse', 'blocked-list', 'blocked', listing);
  if (request.direction === 'entry' && lists.policy.antiPassback && occupancy.insideSinceMs(text) !== undefined) {
    // A lent plate or a missed exit: a person can tell, the gate cannot.
    return decision('ask', 'anti-passback', visitorClass, listing);
  }
  if (listing === undefined) return outside(text, request, lists, occupancy);

  const fault = residentFault(request, listing, occupancy);
  if (listing.household !== null && fault === undefined) return decision('admit', 'resident', 'resident', listing);

  const pass = request.clockTrusted === false ? undefined : listing.passes.find((one) => holds(one, request));
  if (pass !== undefined) return decision('admit', 'visitor-pass', 'visitor', listing, pass.note ?? undefined);

  // Whoever fails its own conditions is an outside vehicle; turned away, it hears the reason that concerns it.
  const note = noteOf(visitorClass, listing);
  const asOutside = outside(text, request, lists, occupancy);
  const { listedPlate, matched } = decision('ask', 'outside-ask', 'outside', listing);
  const listed = { ...(listedPlate === undefined ? {} : { listedPlate }), ...(matched === undefined ? {} : { matched }), ...(note === undefined ? {} : { note }) };
  if (asOutside.outcome === 'admit') return { ...asOutside, ...listed };
  const outcome = listing.household === null && request.clockTrusted === false ? 'ask' : asOutside.outcome;
  return { ...asOutside, ...listed, outcome, visitorClass, rule: fault ?? 'visitor-pass-expired' };
}

/**
 * The one listed plate a read may stand for, or undefined. With two candidates, or a blocked one among them, the read
 * stays what it is: forgiveness must never pick between people, nor for or against a blocked plate.
 */
function forgiven(plate: ReadPlate, lists: AccessLists): PlateText | undefined {
  const { lookAlike } = lists.policy;
  if (!lookAlike.enabled || plate.confidence < lookAlike.leastConfidence || lists.listings.has(plate.text)) return undefined;
  const [only, ...others] = nearLookAlikes(plate.text, lists.listings);
  if (only === undefined || others.length > 0 || lists.listings.get(only.text)?.blocked !== null) return undefined;
  return only.text;
}

/**
 * Who may pass. Order: emergency class, blocked, anti-passback, resident, visitor pass, outside policy; every decision
 * names the rule that made it. A free exit lets everybody out, read or not. Nothing else opens without a plate, nor on a
 * read below the opening confidence: those are left to a person, with what the lists say of the plate for help.
 * Look-alikes of a listed plate are forgiven only where that admits, and recorded in `matched` and `listedPlate`.
 */
export function decide(request: TimedRequest, lists: AccessLists, occupancy: OccupancyView): Decision {
  const { plate } = request;
  const { policy } = lists;
  if (request.direction === 'exit' && policy.exit === 'free') {
    const listing = plate === undefined ? undefined : lists.listings.get(plate.text);
    return decision('admit', 'exit-free', plate === undefined ? 'unplated' : classOf(plate.types, listing), listing);
  }
  if (plate === undefined) return decision('ask', 'no-plate', 'unplated', undefined);

  const judged = judge(plate.text, plate, request, lists, occupancy);
  if (plate.confidence < policy.openingConfidence) return { ...judged, outcome: 'ask', rule: 'confidence-too-low' };
  if (judged.visitorClass === 'emergency') return judged;
  const listed = forgiven(plate, lists);
  if (listed === undefined) return judged;
  const lenient = judge(listed, plate, request, lists, occupancy);
  return lenient.outcome === 'admit' ? { ...lenient, listedPlate: listed, matched: 'look-alike' } : judged;
}
