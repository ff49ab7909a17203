import { GateError, type LaneId } from '../base/index.js';
import { explainPlate, tryParsePlate, type PlateText } from '../plate/index.js';
import { minutesOf, type HoursWindow } from './hours.js';

interface HoursRule {
  readonly from: string;
  readonly to: string;
}

/** Who may pass, as written by people: the `access` section of the configuration. Times are ISO 8601 with an offset. */
export interface AccessRules {
  readonly openingConfidence: number;
  readonly lookAlike: { readonly enabled: boolean; readonly leastConfidence: number };
  readonly spaces: number;
  readonly outside: OutsidePolicy;
  readonly exit: 'free' | 'listed';
  readonly antiPassback: boolean;
  readonly households: readonly {
    readonly id: string;
    readonly name?: string | undefined;
    readonly spaces: number;
    readonly plates: readonly string[];
    readonly lanes?: readonly LaneId[] | undefined;
    readonly hours?: HoursRule | undefined;
    readonly validFrom?: string | undefined;
    readonly validUntil?: string | undefined;
  }[];
  readonly visitors: readonly {
    readonly plate: string;
    readonly from: string;
    readonly until: string;
    readonly lanes?: readonly LaneId[] | undefined;
    readonly note?: string | undefined;
  }[];
  readonly blocked: readonly { readonly plate: string; readonly reason: string }[];
  /** Ambulances and the like that carry ordinary plates. */
  readonly emergency?: readonly { readonly plate: string; readonly note?: string | undefined }[] | undefined;
}

export type OutsidePolicy =
  | { readonly policy: 'refuse' }
  | { readonly policy: 'admit-while-space' }
  | { readonly policy: 'admit-for-hours'; readonly hours: number }
  | { readonly policy: 'ask' };

export interface Household {
  readonly id: string;
  readonly name: string;
  /** Cars that count as residents inside at one time (一位多车). */
  readonly spaces: number;
  readonly lanes: ReadonlySet<LaneId> | null;
  readonly hours: HoursWindow | null;
  /** ms since 1970; -Infinity and Infinity where open. */
  readonly validFromMs: number;
  readonly validUntilMs: number;
}

export interface VisitorPass {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly lanes: ReadonlySet<LaneId> | null;
  readonly note: string | null;
}

/** All that is known of one listed plate. */
export interface Listing {
  readonly plate: PlateText;
  household: Household | null;
  readonly passes: VisitorPass[];
  blocked: { readonly reason: string } | null;
  emergency: { readonly note: string | null } | null;
}

export interface AccessPolicy {
  readonly openingConfidence: number;
  readonly lookAlike: { readonly enabled: boolean; readonly leastConfidence: number };
  readonly spaces: number;
  readonly outside: OutsidePolicy;
  readonly exit: 'free' | 'listed';
  readonly antiPassback: boolean;
}

/** Looks plates up; a `Map` is one. */
export interface Listings {
  get(plate: PlateText): Listing | undefined;
  has(plate: PlateText): boolean;
}

/** The lists as decisions are made on them: one look-up gives all that is known of a plate. */
export interface AccessLists {
  readonly policy: AccessPolicy;
  readonly listings: Listings;
}

/** Lists of the configuration, households by their id beside the plates. */
export interface BuiltLists extends AccessLists {
  readonly households: ReadonlyMap<string, Household>;
}

/** A household as people write it, its plates left out. */
export type HouseholdRule = Omit<AccessRules['households'][number], 'plates'>;
export type VisitorRule = Omit<AccessRules['visitors'][number], 'plate'>;

type InstantOf = (iso: string) => number;

/**
 * Compiles the rules.
 * @param instantOf ISO 8601 text to ms since 1970, NaN where it is none
 * @throws GateError ACCESS_LIST_INVALID naming the entry, what is wrong and an example
 */
export function buildLists(rules: AccessRules, instantOf: InstantOf): BuiltLists {
  const listings = new Map<PlateText, Listing>();
  const households = new Map<string, Household>();

  const listingFor = (raw: string, entry: string): Listing => {
    const plate = tryParsePlate(raw)?.text;
    if (plate === undefined) throw invalid(entry, explainPlate(raw));
    const listing = listings.get(plate) ?? { plate, household: null, passes: [], blocked: null, emergency: null };
    listings.set(plate, listing);
    return listing;
  };
  for (const [at, written] of rules.households.entries()) {
    const entry = `households[${at}]`;
    const household = compileHousehold(written, instantOf, entry);
    households.set(household.id, household);
    for (const [index, raw] of written.plates.entries()) {
      const listing = listingFor(raw, `${entry}.plates[${index}]`);
      if (listing.household !== null && listing.household.id !== household.id) {
        throw invalid(`${entry}.plates[${index}]`, `${listing.plate} already belongs to household ${listing.household.id}; a plate has one household, e.g. only ${household.id}`);
      }
      listing.household = household;
    }
  }
  for (const [at, written] of rules.visitors.entries()) {
    const entry = `visitors[${at}]`;
    const pass = compilePass(written, instantOf, entry);
    listingFor(written.plate, `${entry}.plate`).passes.push(pass);
  }
  for (const [at, written] of rules.blocked.entries()) {
    listingFor(written.plate, `blocked[${at}].plate`).blocked = { reason: written.reason };
  }
  for (const [at, written] of (rules.emergency ?? []).entries()) {
    listingFor(written.plate, `emergency[${at}].plate`).emergency = { note: written.note ?? null };
  }

  const { openingConfidence, lookAlike, spaces, outside, exit, antiPassback } = rules;
  return { policy: { openingConfidence, lookAlike, spaces, outside, exit, antiPassback }, listings, households };
}

/** @throws GateError ACCESS_LIST_INVALID; `entry` says where, e.g. `households[3]` */
export function compileHousehold(written: HouseholdRule, instantOf: InstantOf, entry: string): Household {
  const { id, name, spaces, lanes, hours, validFrom, validUntil } = written;
  return {
    id,
    name: name ?? id,
    spaces,
    lanes: laneSet(lanes),
    hours: hours === undefined ? null : { from: minutes(hours.from, `${entry}.hours.from`), to: minutes(hours.to, `${entry}.hours.to`) },
    validFromMs: validFrom === undefined ? -Infinity : instant(validFrom, instantOf, `${entry}.validFrom`),
    validUntilMs: validUntil === undefined ? Infinity : instant(validUntil, instantOf, `${entry}.validUntil`),
  };
}

/** @throws GateError ACCESS_LIST_INVALID; `entry` says where, e.g. `visitors[3]` */
export function compilePass({ from, until, lanes, note }: VisitorRule, instantOf: InstantOf, entry: string): VisitorPass {
  return { fromMs: instant(from, instantOf, `${entry}.from`), untilMs: instant(until, instantOf, `${entry}.until`), lanes: laneSet(lanes), note: note ?? null };
}

function instant(iso: string, instantOf: InstantOf, entry: string): number {
  const ms = instantOf(iso);
  if (Number.isNaN(ms)) throw invalid(entry, `${JSON.stringify(iso)} is no time; write it with its offset, e.g. 2026-05-01T08:00:00+08:00`);
  return ms;
}

function minutes(text: string, entry: string): number {
  const found = minutesOf(text);
  if (found === undefined) throw invalid(entry, `${JSON.stringify(text)} is no time of day; write HH:MM, e.g. 07:30`);
  return found;
}

function laneSet(lanes: readonly LaneId[] | undefined): ReadonlySet<LaneId> | null {
  return lanes === undefined ? null : new Set(lanes);
}

function invalid(entry: string, what: string): GateError {
  return new GateError('ACCESS_LIST_INVALID', `access.${entry}: ${what}`, { entry });
}
