import { GateError, LocalTime, type JsonObject, type LaneId, type PassageId } from '../base/index.js';
import type { PlateText } from '../plate/index.js';
import { decide, type OccupancyView } from './decide.js';
import { buildLists, type AccessLists, type AccessRules, type BuiltLists, type Listing } from './lists.js';
import { Occupancy, type Inside } from './occupancy.js';
import type { AccessRequest, Decision, VisitorClass } from './types.js';

/** Durable small facts; the journal fits it. */
export interface AccessStore {
  remember(key: string, value: JsonObject): Promise<void>;
  recallAll(prefix: string): Promise<ReadonlyMap<string, JsonObject>>;
  forget(key: string): Promise<void>;
}

/** A passage that ended. */
export interface PassageRecord {
  readonly plate: PlateText | undefined;
  readonly direction: 'entry' | 'exit';
  /** A lane's `PassageEnd`; `entered`, `exited` and `forced` move a vehicle, everything else leaves it where it was. */
  readonly end: string;
  readonly wallMs: number;
  readonly passage: PassageId;
  readonly lane?: LaneId | undefined;
  /** What was decided for this passage; without it, the last decision on this plate counts. */
  readonly decision?: Decision | undefined;
}

export interface AccessCounts {
  /** Vehicles inside; unknown exits are taken off. */
  readonly inside: number;
  readonly spaces: number;
  /** Never below 0. */
  readonly free: number;
  readonly byClass: Readonly<Record<VisitorClass, number>>;
  /** Vehicles that left without our knowing which they were. */
  readonly unknownExits: number;
}

/**
 * Lists over those of the configuration: gets what the configuration knows of a plate, gives what counts.
 * Answers within microseconds, since a read is compared with every plate it may stand for.
 */
export type ListingsOver = (plate: PlateText, base: Listing | undefined) => Listing | undefined;

interface Recent {
  readonly laneId: LaneId;
  readonly wallMs: number;
  readonly decision: Decision;
  /** Household that the car will count against once inside. */
  readonly household: string | null;
}

const PREFIX = 'access/';
const HOUR_MS = 3_600_000;
/** A car let in by one lane counts against its household at the other lanes for this long, until its passage ends. */
const RESERVED_MS = 120_000;
const MOST_RECENT = 256;

/**
 * The lists and who is inside, in memory; decisions never wait for a disk. The constructor compiles the lists, so that
 * emergency vehicles pass before, and whether or not, the store answers; `start` brings back who is inside.
 */
export class AccessRepository {
  readonly #store: AccessStore;
  readonly #timezone: string;
  readonly #occupancy = new Occupancy();
  /** Last decision per read plate, oldest first. */
  readonly #recent = new Map<PlateText, Recent>();
  readonly #localTime: LocalTime;
  #base: BuiltLists;
  #lists: AccessLists;
  #over: ListingsOver = (_plate, base) => base;

  /**
   * @param options.rules the `access` section of the configuration
   * @param options.timezone IANA name, e.g. Asia/Shanghai
   * @throws GateError ACCESS_LIST_INVALID, CONFIG_INVALID (timezone)
   */
  constructor(options: { readonly rules: AccessRules; readonly timezone: string; readonly store: AccessStore }) {
    this.#store = options.store;
    this.#timezone = options.timezone;
    this.#base = buildLists(options.rules, Date.parse);
    this.#lists = this.#base;
    try {
      this.#localTime = new LocalTime(options.timezone);
    } catch (cause) {
      throw new GateError('CONFIG_INVALID', `site.timezone: ${JSON.stringify(options.timezone)} is not known; write an IANA name, e.g. Asia/Shanghai`, {}, cause);
    }
  }

  get timezone(): string {
    return this.#timezone;
  }

  /** Brings back who was inside before the restart. Rejects with the store's error; decisions work regardless. */
  async start(): Promise<void> {
    const rows = await this.#store.recallAll(PREFIX);
    this.#occupancy.restore(Array.from(rows, ([key, value]) => [key.slice(PREFIX.length), value]));
  }

  /**
   * Puts new lists and policy in force at once; who is inside stays.
   * @throws GateError ACCESS_LIST_INVALID, and then the old ones stay in force
   */
  replaceRules(rules: AccessRules): void {
    this.#base = buildLists(rules, Date.parse);
    this.#layer();
  }

  /** Lays other lists over those of the configuration, from now on and for every look-up; `over` is asked in every decision. */
  layOver(over: ListingsOver): void {
    this.#over = over;
    this.#layer();
  }

  /** What the configuration alone knows. */
  get configured(): Pick<BuiltLists, 'listings' | 'households'> {
    return this.#base;
  }

  /** All that is known of a plate. */
  listing(plate: PlateText): Listing | undefined {
    return this.#lists.listings.get(plate);
  }

  /** Minute of the site's local day, 0 to 1439. */
  minuteOfDay(wallMs: number): number {
    return this.#localTime.at(wallMs).minuteOfDay;
  }

  /** Decides on a vehicle, in well under a millisecond, and keeps in mind what was decided until its passage ends. */
  decide(request: AccessRequest): Decision {
    const made = decide({ ...request, minuteOfDay: this.minuteOfDay(request.wallMs) }, this.#lists, this.#view(request));
    if (request.plate !== undefined) this.#keep(request.plate.text, request, made);
    return made;
  }

  /**
   * Books a passage that ended. What is inside changes at once; the promise settles once that is durable and rejects with
   * the store's error. Booking the same passage twice changes nothing.
   */
  async recordPassage(record: PassageRecord): Promise<void> {
    const { plate, end, passage, wallMs } = record;
    const recent = plate === undefined ? undefined : this.#recent.get(plate);
    this.#release(record);
    const made = record.decision ?? recent?.decision;
    const into = end === 'entered' || (end === 'forced' && record.direction === 'entry');
    const outOf = end === 'exited' || (end === 'forced' && record.direction === 'exit');
    const meant = (made?.matched === 'look-alike' ? made.listedPlate : undefined) ?? plate ?? null;
    const changes = into
      ? this.#occupancy.enter(this.#insideFor(meant, passage, wallMs, made))
      : outOf
        ? this.#occupancy.leave(meant, meant !== null && !this.#lists.listings.has(meant))
        : [];
    await Promise.all(
      changes.map((change) => (change.kind === 'remember' ? this.#store.remember(PREFIX + change.key, change.value) : this.#store.forget(PREFIX + change.key))),
    );
  }

  /** Who is inside, longest first. */
  inside(): readonly Inside[] {
    return this.#occupancy.list();
  }

  /** Who is inside longer than allowed. */
  overstays(wallMs: number): readonly Inside[] {
    return this.inside().filter(({ untilMs }) => untilMs !== null && untilMs < wallMs);
  }

  counts(): AccessCounts {
    const byClass: Record<VisitorClass, number> = { emergency: 0, blocked: 0, resident: 0, visitor: 0, outside: 0, unplated: 0 };
    for (const { visitorClass } of this.inside()) byClass[visitorClass] += 1;
    const { total, unknownExits } = this.#occupancy;
    const { spaces } = this.#lists.policy;
    return { inside: total, spaces, free: Math.max(0, spaces - total), byClass, unknownExits };
  }

  #layer(): void {
    const { policy, listings } = this.#base;
    const over = this.#over;
    const get = (plate: PlateText): Listing | undefined => over(plate, listings.get(plate));
    this.#lists = { policy, listings: { get, has: (plate) => get(plate) !== undefined } };
  }

  /** Who is inside, with the cars that other lanes have just let in. */
  #view(request: AccessRequest): OccupancyView {
    const coming = [...this.#recent].filter(
      ([plate, { laneId, wallMs, decision }]) =>
        decision.outcome === 'admit' && laneId !== request.laneId && Math.abs(request.wallMs - wallMs) <= RESERVED_MS && this.#occupancy.insideSinceMs(decision.listedPlate ?? plate) === undefined,
    );
    return {
      total: this.#occupancy.total + coming.length,
      insideSinceMs: (plate) => this.#occupancy.insideSinceMs(plate),
      residentsInside: (household, except) =>
        this.#occupancy.residentsInside(household, except) +
        coming.filter(([plate, recent]) => recent.household === household && (recent.decision.listedPlate ?? plate) !== except).length,
    };
  }

  #keep(plate: PlateText, request: AccessRequest, made: Decision): void {
    this.#recent.delete(plate);
    const entering = request.direction === 'entry';
    const household = entering && made.outcome === 'admit' && made.visitorClass === 'resident' ? this.#householdOf(made.listedPlate ?? plate) : null;
    // An exit is no reservation: it must not take a space while it drives out.
    const kept = entering ? made : { ...made, outcome: 'ask' as const };
    this.#recent.set(plate, { laneId: request.laneId, wallMs: request.wallMs, decision: kept, household });
    for (const [oldest] of this.#recent) {
      if (this.#recent.size <= MOST_RECENT) break;
      this.#recent.delete(oldest);
    }
  }

  #release({ plate, lane }: PassageRecord): void {
    for (const [read, recent] of this.#recent) {
      if (read === plate || recent.laneId === lane) this.#recent.delete(read);
    }
  }

  #householdOf(plate: PlateText): string | null {
    return this.#lists.listings.get(plate)?.household?.id ?? null;
  }

  #insideFor(plate: PlateText | null, passage: PassageId, sinceMs: number, made: Decision | undefined): Inside {
    if (plate === null) return { plate, sinceMs, passage, visitorClass: 'unplated', household: null, untilMs: null };
    const listing = this.#lists.listings.get(plate);
    const visitorClass = enteredAs(made, listing !== undefined && listing.household !== null);
    const untilMs =
      visitorClass === 'visitor'
        ? Math.max(...(listing?.passes ?? []).filter(({ untilMs: until }) => until > sinceMs).map(({ untilMs: until }) => until))
        : made?.stayHours === undefined
          ? null
          : sinceMs + made.stayHours * HOUR_MS;
    return {
      plate,
      sinceMs,
      passage,
      visitorClass,
      household: visitorClass === 'resident' ? (listing?.household?.id ?? null) : null,
      untilMs: untilMs !== null && Number.isFinite(untilMs) ? untilMs : null,
    };
  }
}

/** As what a vehicle counts that did come in, whether the gate let it in or a person did. */
function enteredAs(made: Decision | undefined, hasHousehold: boolean): VisitorClass {
  if (made === undefined) return hasHousehold ? 'resident' : 'outside';
  if (made.outcome === 'admit') return made.visitorClass;
  // Let in by hand although its household's spaces, hours or lanes said no: it does not take a resident's space.
  return made.rule.startsWith('resident-') ? 'outside' : made.visitorClass;
}
