import { GENESIS_HASH, hashOfEvent } from '../journal/index.js';
import type { EventMessage } from './messages.js';

export type WireEvent = EventMessage['events'][number];

export interface Range {
  readonly first: number;
  readonly last: number;
}

/** What is kept of an event to compare it with others. */
export interface LedgerEntry {
  readonly seq: number;
  readonly id: string;
  readonly epoch: number;
  readonly hash: string;
  readonly previousHash: string;
}

interface Found {
  readonly seq: number;
  readonly epoch: number;
}

/** What a platform should hear of when it takes a message in. */
export type LedgerNote =
  | { readonly kind: 'anew'; readonly epoch: number; readonly after: number }
  | { readonly kind: 'gap' | 'declared'; readonly first: number; readonly last: number }
  | { readonly kind: 'repeated' | 'conflicting' | 'reordered' | 'chain-broken' | 'hash-wrong' | 'reduced' | 'not-kept'; readonly seq: number };

/** One journal of a gate, as far as it came; can be stored, and gone on with. */
export interface JournalState {
  /** Epoch of its first event; 0 for the first journal that was met. */
  readonly began: number;
  readonly lowestEpoch: number;
  readonly events: number;
  readonly repeated: number;
  readonly through: number;
  readonly throughEpoch: number;
  /** Of the event at `through`; null where that number is lost. */
  readonly throughHash: string | null;
  readonly highest: number;
  readonly lastLive: number;
  readonly lastHistorical: number;
  readonly conflicting: readonly Found[];
  readonly reordered: readonly Found[];
  readonly badHash: readonly Found[];
  readonly badLink: readonly Found[];
  readonly reduced: readonly Found[];
  readonly declared: readonly Range[];
}

export interface JournalBookOptions {
  /** Everything is kept; else what is needed to go on. */
  readonly exact: boolean;
  /** Looks an event up that is not kept here. Without it, what comes again below the window cannot be compared. */
  readonly recall?: ((seq: number) => LedgerEntry | undefined) | undefined;
}

/** Numbers below `through` whose events are kept for comparing, where not all are. */
export const WINDOW = 2_000;
/** Numbers above `through` that are kept: live events while a long backlog comes in. What comes beyond comes again. */
export const MOST_AHEAD = 100_000;
const MOST_FINDINGS = 1_000;

const NEW: JournalState = {
  began: 0,
  lowestEpoch: Number.MAX_SAFE_INTEGER,
  events: 0,
  repeated: 0,
  through: 0,
  throughEpoch: 0,
  throughHash: GENESIS_HASH,
  highest: 0,
  lastLive: 0,
  lastHistorical: 0,
  conflicting: [],
  reordered: [],
  badHash: [],
  badLink: [],
  reduced: [],
  declared: [],
};

/** The events of one journal of a gate: numbers run from 1, under epochs that grow. */
export class JournalBook {
  readonly #options: JournalBookOptions;
  readonly #entries = new Map<number, LedgerEntry>();
  #state: JournalState;
  /** The lowest number kept, where not all are. */
  #keptFrom: number;

  /** @param kept the events at and above `state.through` that are there, and those below that are near */
  constructor(options: JournalBookOptions, state: Partial<JournalState> = {}, kept: Iterable<LedgerEntry> = []) {
    this.#options = options;
    this.#state = { ...NEW, ...state };
    for (const entry of kept) this.#entries.set(entry.seq, entry);
    this.#keptFrom = Math.max(1, this.#state.through - WINDOW + 1);
  }

  get state(): JournalState {
    return this.#state;
  }

  /** Numbers above `through` that are here, in order. */
  ahead(): readonly LedgerEntry[] {
    return [...this.#entries.values()].filter(({ seq }) => seq > this.#state.through).sort((one, other) => one.seq - other.seq);
  }

  /** @returns whether this is its first arrival */
  enter(event: WireEvent, historical: boolean, note: (note: LedgerNote) => void): boolean {
    const { seq, epoch } = event;
    const state = this.#state;
    const known = this.#entries.get(seq) ?? (seq <= state.through ? this.#options.recall?.(seq) : undefined);
    const unknowable = known === undefined && !this.#options.exact && this.#options.recall === undefined && seq <= state.through && seq < this.#keptFrom;
    if (unknowable || (known !== undefined && known.id === event.id && known.hash === event.hash)) {
      this.#change({ repeated: state.repeated + 1 });
      note({ kind: 'repeated', seq });
      return false;
    }
    if (known !== undefined) {
      this.#change({ conflicting: this.#with(state.conflicting, { seq, epoch }) });
      note({ kind: 'conflicting', seq });
      return false;
    }
    if (!this.#options.exact && seq > state.through + MOST_AHEAD) {
      note({ kind: 'not-kept', seq });
      return false;
    }
    const before = historical ? state.lastHistorical : state.lastLive;
    // A gate that is given an older copy of its journal finds events in it that it had to declare lost: late, not out of order.
    const foundAgain = seq < before && state.declared.some(({ first, last }) => first <= seq && seq <= last);
    if (seq < before && !foundAgain) {
      this.#change({ reordered: this.#with(state.reordered, { seq, epoch }) });
      note({ kind: 'reordered', seq });
    }
    const newest = foundAgain ? before : seq;
    this.#change(historical ? { lastHistorical: newest } : { lastLive: newest });
    if (event.reduced === true) {
      this.#change({ reduced: this.#with(state.reduced, { seq, epoch }) });
      note({ kind: 'reduced', seq });
    } else if (hashOfEvent(event) !== event.hash) {
      this.#change({ badHash: this.#with(state.badHash, { seq, epoch }) });
      note({ kind: 'hash-wrong', seq });
    }
    if (seq > state.highest + 1) for (const gap of this.#undeclared(state.highest + 1, seq - 1)) note({ kind: 'gap', ...gap });
    this.#add({ seq, id: event.id, epoch, hash: event.hash, previousHash: event.previousHash });
    return true;
  }

  declare(value: unknown, note: (note: LedgerNote) => void): void {
    if (typeof value !== 'object' || value === null || !('first' in value) || !('last' in value)) return;
    const { first, last } = value;
    if (typeof first !== 'number' || typeof last !== 'number' || last < first) return;
    const { declared, through } = this.#state;
    if (declared.some((range) => range.first === first && range.last === last)) return;
    const kept = this.#options.exact || declared.length < MOST_FINDINGS ? declared : declared.filter((range, at) => range.last > through || at > 0);
    this.#change({ declared: [...kept, { first, last }] });
    note({ kind: 'declared', first, last });
  }

  /** Moves `through` on as far as there is no hole. */
  advance(note: (note: LedgerNote) => void): void {
    for (;;) {
      const { through, throughEpoch, throughHash, badLink, declared } = this.#state;
      const next = this.#entries.get(through + 1);
      if (next === undefined) {
        const gap = declared.find(({ first, last }) => first <= through + 1 && last > through);
        if (gap === undefined) break;
        this.#change({ through: gap.last, throughHash: null });
        continue;
      }
      const broken = throughHash !== null && next.previousHash !== throughHash;
      // Another start and no link to what is here: perhaps the first that comes of a journal begun anew. Nothing is
      // acknowledged over it; the beginning of that journal, which is not acknowledged either, will tell.
      if (broken && next.epoch !== throughEpoch && through > 0) break;
      if (broken && !badLink.some(({ seq }) => seq === next.seq)) {
        this.#change({ badLink: this.#with(badLink, next) });
        note({ kind: 'chain-broken', seq: next.seq });
      }
      this.#change({ through: next.seq, throughEpoch: next.epoch, throughHash: next.hash });
    }
    if (this.#options.exact) return;
    for (; this.#keptFrom <= this.#state.through - WINDOW; this.#keptFrom += 1) this.#entries.delete(this.#keptFrom);
  }

  /** Gives up what belongs to a later journal that began with this epoch. @returns its events that are here */
  split(epoch: number): readonly LedgerEntry[] {
    const moved = [...this.#entries.values()].filter((entry) => entry.epoch >= epoch);
    for (const { seq } of moved) this.#entries.delete(seq);
    const own = (found: readonly Found[]): readonly Found[] => found.filter((one) => one.epoch < epoch);
    const { conflicting, reordered, badHash, badLink, reduced, events, through } = this.#state;
    this.#change({
      conflicting: own(conflicting),
      reordered: own(reordered),
      badHash: own(badHash),
      badLink: own(badLink),
      reduced: own(reduced),
      events: events - moved.length,
      highest: Math.max(through, ...this.ahead().map(({ seq }) => seq)),
    });
    return moved;
  }

  /** Takes over events that were entered elsewhere. */
  adopt(entries: readonly LedgerEntry[]): void {
    for (const entry of entries) this.#add(entry);
  }

  /** Numbers up to here are with another platform. Only while nothing has come. */
  beginAfter(seq: number): void {
    if (this.#state.events === 0 && this.#state.through === 0) this.#change({ through: seq, throughHash: null, highest: seq });
  }

  /** Numbers of a range that were not declared lost. */
  #undeclared(from: number, to: number): readonly Range[] {
    const open: Range[] = [];
    let first = from;
    for (const gap of [...this.#state.declared].sort((one, other) => one.first - other.first)) {
      if (gap.last < first) continue;
      if (gap.first > to) break;
      if (gap.first > first) open.push({ first, last: gap.first - 1 });
      first = gap.last + 1;
    }
    if (first <= to) open.push({ first, last: to });
    return open;
  }

  /** Holes between what is here, and links that do not hold, above `through`. */
  above(): { readonly missing: readonly Range[]; readonly badLink: readonly number[] } {
    const missing: Range[] = [];
    const badLink: number[] = [];
    let before = { seq: this.#state.through, hash: this.#state.throughHash };
    for (const { seq, hash, previousHash } of this.ahead()) {
      if (seq !== before.seq + 1) missing.push(...this.#undeclared(before.seq + 1, seq - 1));
      else if (before.hash !== null && previousHash !== before.hash) badLink.push(seq);
      before = { seq, hash };
    }
    return { missing, badLink };
  }

  #add(entry: LedgerEntry): void {
    this.#entries.set(entry.seq, entry);
    const { highest, lowestEpoch, events } = this.#state;
    this.#change({ events: events + 1, highest: Math.max(highest, entry.seq), lowestEpoch: Math.min(lowestEpoch, entry.epoch) });
  }

  #with(found: readonly Found[], { seq, epoch }: Found): readonly Found[] {
    const all = [...found, { seq, epoch }];
    return this.#options.exact ? all : all.slice(-MOST_FINDINGS);
  }

  #change(change: Partial<JournalState>): void {
    this.#state = { ...this.#state, ...change };
  }
}
