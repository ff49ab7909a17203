import type { EditSubject, LocalEdit } from '../lists/index.js';

/** Where an event stands in the order of its gate's events. */
export interface EventPlace {
  readonly epoch: number;
  readonly seq: number;
}

/** The newest edit of a plate and subject that a list has taken in, or overruled. */
export interface TakenEdit {
  readonly subject: EditSubject;
  readonly plate: string;
  readonly id: string;
  readonly atMs: number;
  /** Of its event; null while only a report has told of it. */
  readonly event: EventPlace | null;
  /** First version of the list that speaks for the plate again. */
  readonly version: number;
}

interface Heard {
  readonly edit: LocalEdit;
  readonly event: EventPlace | null;
}

/** Taken edits that are remembered; as many as wait at a gate at most. */
const MOST_TAKEN = 10_000;

/**
 * A gate's edits as its platform hears of them: in reports at once, in events as the backlog comes, and live events before
 * the backlog. Of a plate and subject the newest counts, as at the gate, whatever comes first.
 */
export class PlatformEdits {
  readonly #waiting = new Map<string, Heard>();
  readonly #taken: Map<string, TakenEdit>;

  constructor(taken: readonly TakenEdit[] = []) {
    this.#taken = new Map(taken.map((one) => [keyOf(one), one]));
  }

  /** Not taken in yet, in the order in which they were heard of. */
  waiting(): readonly LocalEdit[] {
    return Array.from(this.#waiting.values(), ({ edit }) => edit);
  }

  taken(): readonly TakenEdit[] {
    return [...this.#taken.values()];
  }

  /** Whether a list has taken it in, and nothing newer of its plate and subject has been taken in since. */
  hasTaken(edit: LocalEdit): boolean {
    return this.#taken.get(keyOf(edit))?.id === edit.id;
  }

  /**
   * An edit that a report names as not let go of.
   * @param held version of the list that the gate has in force
   */
  reported(edit: LocalEdit, held: number | undefined): void {
    const key = keyOf(edit);
    const newest = this.#newest(key);
    if (newest?.id === edit.id) return;
    const taken = this.#taken.get(key);
    // The gate has let go of that one by then, and of all before it: this one was made after.
    const after = !this.#waiting.has(key) && taken !== undefined && held !== undefined && held >= taken.version;
    if (after || newest === undefined || edit.atMs >= newest.atMs) this.#waiting.set(key, { edit, event: null });
  }

  /** An edit's event. @returns a taken one whose place became known by it, to be kept */
  happened(edit: LocalEdit, event: EventPlace): TakenEdit | undefined {
    const key = keyOf(edit);
    const newest = this.#newest(key);
    if (newest?.id === edit.id) return newest.event === null ? this.#place(key, event) : undefined;
    // Clocks of gates are set, forward and back: their time counts only where no number does.
    const after = newest === undefined || (newest.event === null ? edit.atMs > newest.atMs : isAfter(event, newest.event));
    if (after) this.#waiting.set(key, { edit, event });
    return undefined;
  }

  /** What is remembered of a waiting edit once this version has taken it in. */
  asTaken({ subject, plate, id, atMs }: LocalEdit, version: number): TakenEdit {
    return { subject, plate, id, atMs, event: this.#waiting.get(keyOf({ subject, plate }))?.event ?? null, version };
  }

  take(taken: readonly TakenEdit[]): void {
    for (const one of taken) {
      const key = keyOf(one);
      this.#waiting.delete(key);
      this.#taken.delete(key);
      this.#taken.set(key, one);
    }
    for (const key of [...this.#taken.keys()].slice(0, Math.max(0, this.#taken.size - MOST_TAKEN))) this.#taken.delete(key);
  }

  #newest(key: string): { readonly id: string; readonly atMs: number; readonly event: EventPlace | null } | undefined {
    const waiting = this.#waiting.get(key);
    return waiting === undefined ? this.#taken.get(key) : { id: waiting.edit.id, atMs: waiting.edit.atMs, event: waiting.event };
  }

  #place(key: string, event: EventPlace): TakenEdit | undefined {
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      this.#waiting.set(key, { ...waiting, event });
      return undefined;
    }
    const taken = this.#taken.get(key);
    if (taken === undefined) return undefined;
    const placed = { ...taken, event };
    this.#taken.set(key, placed);
    return placed;
  }
}

function keyOf({ subject, plate }: { readonly subject: EditSubject; readonly plate: string }): string {
  return `${subject}/${plate}`;
}

function isAfter(one: EventPlace, other: EventPlace): boolean {
  return one.epoch > other.epoch || (one.epoch === other.epoch && one.seq > other.seq);
}
