import type { JsonObject, PassageId } from '../base/index.js';
import { isPlateText, nearLookAlikes, type PlateText } from '../plate/index.js';
import type { OccupancyView } from './decide.js';
import type { VisitorClass } from './types.js';

/** A vehicle inside. */
export interface Inside {
  /** Null for a vehicle whose plate was not read. */
  readonly plate: PlateText | null;
  readonly sinceMs: number;
  readonly passage: PassageId;
  readonly visitorClass: VisitorClass;
  /** Household that it counts against, as a resident. */
  readonly household: string | null;
  /** Until when it may stay, ms since 1970; null without a limit. */
  readonly untilMs: number | null;
}

/** What must be made durable for the occupancy to survive a restart. */
export type OccupancyChange =
  | { readonly kind: 'remember'; readonly key: string; readonly value: JsonObject }
  | { readonly kind: 'forget'; readonly key: string };

const UNKNOWN_EXITS = 'unknown-exits';
const CLASSES: readonly VisitorClass[] = ['emergency', 'blocked', 'resident', 'visitor', 'outside', 'unplated'];

function keyOf({ plate, passage }: Pick<Inside, 'plate' | 'passage'>): string {
  return plate === null ? `inside/?${passage}` : `inside/${plate}`;
}

function toJson(inside: Inside): JsonObject {
  return { ...inside };
}

function fromJson(value: JsonObject): Inside | undefined {
  const { plate, sinceMs, passage, household, untilMs } = value;
  const visitorClass = CLASSES.find((name) => name === value['visitorClass']);
  if (typeof sinceMs !== 'number' || typeof passage !== 'string' || visitorClass === undefined) return undefined;
  if (plate !== null && (typeof plate !== 'string' || !isPlateText(plate))) return undefined;
  return {
    plate,
    sinceMs,
    passage,
    visitorClass,
    household: typeof household === 'string' ? household : null,
    untilMs: typeof untilMs === 'number' ? untilMs : null,
  };
}

/**
 * Who is inside, from passages alone, robust against what was missed: a second entry of one plate does not double it;
 * an exit read a little wrong still finds its car; an exit that fits nobody is booked on an unread entry, or else as
 * "somebody left", so that the number of free spaces stays right.
 */
export class Occupancy implements OccupancyView {
  readonly #inside = new Map<string, Inside>();
  readonly #residents = new Map<string, Set<PlateText>>();
  /** Vehicles that left without our knowing which of those inside they were. */
  #unknownExits = 0;

  get total(): number {
    return this.#inside.size - this.#unknownExits;
  }

  get unknownExits(): number {
    return this.#unknownExits;
  }

  /** Longest inside first. */
  list(): readonly Inside[] {
    return [...this.#inside.values()].sort((a, b) => a.sinceMs - b.sinceMs);
  }

  insideSinceMs(plate: PlateText): number | undefined {
    return this.#inside.get(`inside/${plate}`)?.sinceMs;
  }

  residentsInside(household: string, except: PlateText): number {
    const cars = this.#residents.get(household);
    return cars === undefined ? 0 : cars.size - (cars.has(except) ? 1 : 0);
  }

  /** Takes over what was made durable before; what has happened since start wins. Rows it cannot read are left out. */
  restore(rows: Iterable<readonly [string, JsonObject]>): void {
    for (const [key, value] of rows) {
      const inside = fromJson(value);
      if (inside !== undefined && key === keyOf(inside) && !this.#inside.has(key)) this.#put(key, inside);
      if (key === UNKNOWN_EXITS && typeof value['count'] === 'number') this.#unknownExits += value['count'];
    }
    this.#unknownExits = Math.min(this.#unknownExits, this.#inside.size);
  }

  enter(inside: Inside): readonly OccupancyChange[] {
    const key = keyOf(inside);
    const changes: OccupancyChange[] = [];
    const known = this.#inside.get(key);
    if (known !== undefined) {
      if (known.passage === inside.passage) return [];
      this.#drop(key, known);
      // Its exit was missed; perhaps it is the one that left unrecognised.
      if (this.#unknownExits > 0) changes.push(this.#setUnknownExits(this.#unknownExits - 1));
    }
    this.#put(key, inside);
    changes.push({ kind: 'remember', key, value: toJson(inside) });
    return changes;
  }

  /**
   * @param plate null where the plate was not read
   * @param forgive whether a plate that looks alike may be meant
   */
  leave(plate: PlateText | null, forgive: boolean): readonly OccupancyChange[] {
    const found = (plate === null ? undefined : this.#find(plate, forgive)) ?? this.list().find((inside) => inside.plate === null);
    if (found === undefined) return this.#unknownExits < this.#inside.size ? [this.#setUnknownExits(this.#unknownExits + 1)] : [];
    const key = keyOf(found);
    this.#drop(key, found);
    const changes: OccupancyChange[] = [{ kind: 'forget', key }];
    if (this.#unknownExits > this.#inside.size) changes.push(this.#setUnknownExits(this.#inside.size));
    return changes;
  }

  #find(plate: PlateText, forgive: boolean): Inside | undefined {
    const exact = this.#inside.get(`inside/${plate}`);
    if (exact !== undefined || !forgive) return exact;
    const [only, ...others] = nearLookAlikes(plate, { has: (text) => this.#inside.has(`inside/${text}`) });
    return only === undefined || others.length > 0 ? undefined : this.#inside.get(`inside/${only.text}`);
  }

  #setUnknownExits(count: number): OccupancyChange {
    this.#unknownExits = count;
    return count === 0 ? { kind: 'forget', key: UNKNOWN_EXITS } : { kind: 'remember', key: UNKNOWN_EXITS, value: { count } };
  }

  #put(key: string, inside: Inside): void {
    this.#inside.set(key, inside);
    if (inside.household === null || inside.plate === null) return;
    const cars = this.#residents.get(inside.household) ?? new Set();
    cars.add(inside.plate);
    this.#residents.set(inside.household, cars);
  }

  #drop(key: string, inside: Inside): void {
    this.#inside.delete(key);
    if (inside.household !== null && inside.plate !== null) this.#residents.get(inside.household)?.delete(inside.plate);
  }
}
