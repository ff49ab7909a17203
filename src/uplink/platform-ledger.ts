import { z } from 'zod';
import { GENESIS_HASH } from '../journal/index.js';
import type { EventMessage } from './messages.js';
import { JournalBook, type JournalState, type LedgerEntry, type LedgerNote, type Range, type WireEvent } from './platform-journal.js';

const clockPayloadSchema = z.object({ offsetMs: z.number(), epochs: z.array(z.object({ epoch: z.number(), offsetMs: z.number() })).default([]) });

export interface LedgerReport {
  /** Different events received. */
  readonly events: number;
  /** Received again, the same in every field: what at-least-once delivery is allowed. */
  readonly repeated: number;
  /** Two different events under one sequence: a number was issued twice. */
  readonly conflicting: readonly number[];
  /** First arrivals that came after a later event of the same kind of delivery (live or backlog), but for those that had been declared lost by then. */
  readonly reordered: readonly number[];
  /** Events whose own hash, or link to the one before, does not hold. */
  readonly chainBroken: readonly number[];
  /** Events that came without their payload: their own hash cannot be checked here, their link can. */
  readonly reduced: readonly number[];
  /** Sequences below the highest one that never came and were not declared lost. */
  readonly missing: readonly Range[];
  /** Sequences the gate declared lost. */
  readonly declared: readonly Range[];
  /** Everything up to here is here or declared lost. */
  readonly through: number;
  readonly highest: number;
  /** Journals of the gate before this one, the oldest first; the rest of the report is of the newest. */
  readonly earlier: readonly Omit<LedgerReport, 'earlier'>[];
}

/** What a message brought. */
export interface Taken {
  /** First arrivals, with the number of their journal, from 0. */
  readonly entered: readonly { readonly journal: number; readonly event: WireEvent }[];
  readonly notes: readonly LedgerNote[];
}

export interface GateLedgerOptions {
  /**
   * True (where omitted): every event is remembered, and everything that comes again is compared. False, for a platform of
   * many gates: the last `WINDOW` numbers, and those above the first hole. What comes again from below that is counted as
   * repeated without a look, unless `recall` finds it; of findings the newest thousand of a kind are kept.
   */
  readonly exact?: boolean;
  /** Finds an event of a journal, for a ledger that is not exact by itself. */
  readonly recall?: (journal: number, seq: number) => LedgerEntry | undefined;
  /** Goes on where another ledger of this gate ended. */
  readonly from?: readonly { readonly state: JournalState; readonly kept: Iterable<LedgerEntry> }[];
}

/**
 * One gate's events as a platform has them: kept apart from the gate's own book, so that one can be held against the other.
 *
 * Events belong together by epoch and sequence. A gate whose memory card was changed begins a new journal: sequence 1
 * again, with no hash before it, under a higher epoch. That is a journal begun anew. Any other event that comes under a
 * sequence that is taken is a conflict. An acknowledgement is about the journal that the last message was of.
 */
export class GateLedger {
  /** By epoch: wall time minus monotonic time, as `clock.trusted` events told. */
  readonly #clocks = new Map<number, number>();
  readonly #options: GateLedgerOptions;
  readonly #journals: JournalBook[];
  /** That of the last message. */
  #current: number;

  constructor(options: GateLedgerOptions = {}) {
    this.#options = options;
    this.#journals = (options.from ?? []).map(({ state, kept }, number) => new JournalBook(this.#optionsOf(number), state, kept));
    if (this.#journals.length === 0) this.#journals.push(new JournalBook(this.#optionsOf(0)));
    this.#current = this.#journals.length - 1;
  }

  /** Everything up to here is here or declared lost: what may be acknowledged. */
  get through(): number {
    return this.#acknowledged.through;
  }

  /** Boot epoch of the event at `through`; the highest known below it where that one is lost. */
  get throughEpoch(): number {
    const { throughEpoch, lowestEpoch } = this.#acknowledged;
    if (throughEpoch > 0) return throughEpoch;
    return lowestEpoch === Number.MAX_SAFE_INTEGER ? 1 : lowestEpoch;
  }

  /**
   * The true wall time of an event, ms, as well as it is known by now; undefined where it is not. An event that arrived
   * before the gate knew the time gets it from a later `clock.trusted` event.
   */
  wallTimeOf(event: Pick<WireEvent, 'epoch' | 'wallMs' | 'monoMs' | 'clockTrusted' | 'correctedWallMs'>): number | undefined {
    if (event.clockTrusted) return event.wallMs;
    if (event.correctedWallMs !== undefined) return event.correctedWallMs;
    const offsetMs = this.#clocks.get(event.epoch);
    return offsetMs === undefined ? undefined : Math.round(event.monoMs + offsetMs);
  }

  /** Hash of the event at `through`; undefined where that one is lost, or is not here. */
  get throughHash(): string | undefined {
    const { through, throughHash } = this.#acknowledged;
    return through === 0 ? undefined : (throughHash ?? undefined);
  }

  /** For a store, see `from`. */
  get states(): readonly JournalState[] {
    return this.#journals.map(({ state }) => state);
  }

  take(message: EventMessage): Taken {
    const entered: WireEvent[] = [];
    const notes: LedgerNote[] = [];
    const note = (one: LedgerNote): void => void notes.push(one);
    const firstEpoch = message.events[0]?.epoch ?? 0;
    for (const range of message.lost) this.#of(firstEpoch).book.declare(range, note);
    for (const event of message.events) {
      if (event.seq === 1 && event.previousHash === GENESIS_HASH) this.#perhapsAnew(event, note);
      const { book, number } = this.#of(event.epoch);
      this.#current = number;
      if (book.enter(event, message.historical, note)) entered.push(event);
      if (event.type === 'clock.trusted') this.#learnClocks(event);
      if (event.type !== 'journal.recovered' && event.type !== 'journal.lost') continue;
      const { gaps } = event.payload;
      if (Array.isArray(gaps)) for (const gap of gaps) book.declare(gap, note);
    }
    for (const book of this.#journals) book.advance(note);
    return { entered: entered.map((event) => ({ journal: this.#of(event.epoch).number, event })), notes };
  }

  /** The numbers up to `seq` are with another platform: this one begins after them. Only where nothing has come yet. */
  beginAfter(seq: number): void {
    this.#newest.beginAfter(seq);
  }

  report(): LedgerReport {
    const reports = this.#journals.map((book) => reportOf(book));
    const newest = reports.pop() ?? reportOf(this.#newest);
    return { ...newest, earlier: reports };
  }

  get #acknowledged(): JournalState {
    return (this.#journals[this.#current] ?? this.#newest).state;
  }

  #learnClocks({ epoch, payload }: WireEvent): void {
    const told = clockPayloadSchema.safeParse(payload);
    if (!told.success) return;
    for (const one of [...told.data.epochs, { epoch, offsetMs: told.data.offsetMs }]) this.#clocks.set(one.epoch, one.offsetMs);
  }

  get #newest(): JournalBook {
    return this.#of(Number.MAX_SAFE_INTEGER).book;
  }

  #optionsOf(number: number): ConstructorParameters<typeof JournalBook>[0] {
    const { exact = true, recall } = this.#options;
    return { exact, recall: recall === undefined ? undefined : (seq) => recall(number, seq) };
  }

  /** The journal that an epoch belongs to. */
  #of(epoch: number): { readonly book: JournalBook; readonly number: number } {
    const at = this.#journals.findLastIndex(({ state }) => state.began <= epoch);
    const number = Math.max(0, at);
    const book = this.#journals[number] ?? new JournalBook(this.#optionsOf(number));
    return { book, number };
  }

  /** The first event of a journal: of one begun anew where events under lower epochs are here. */
  #perhapsAnew({ epoch }: WireEvent, note: (note: LedgerNote) => void): void {
    const { book } = this.#of(epoch);
    const { lowestEpoch, highest } = book.state;
    if (book !== this.#newest || lowestEpoch >= epoch) return;
    const fresh = new JournalBook(this.#optionsOf(this.#journals.length), { began: epoch });
    fresh.adopt(book.split(epoch));
    this.#journals.push(fresh);
    note({ kind: 'anew', epoch, after: highest });
  }
}

function reportOf(book: JournalBook): Omit<LedgerReport, 'earlier'> {
  const { events, repeated, conflicting, reordered, badHash, badLink, reduced, declared, through, highest } = book.state;
  const above = book.above();
  const numbers = (found: readonly { readonly seq: number }[]): readonly number[] => found.map(({ seq }) => seq);
  return {
    events,
    repeated,
    conflicting: numbers(conflicting),
    reordered: numbers(reordered),
    chainBroken: [...numbers(badHash), ...numbers(badLink), ...above.badLink],
    reduced: numbers(reduced),
    missing: above.missing,
    declared,
    through,
    highest,
  };
}
