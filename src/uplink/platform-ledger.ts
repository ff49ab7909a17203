import { z } from 'zod';
import { GENESIS_HASH, hashOfEvent } from '../journal/index.js';
import type { EventMessage } from './messages.js';

type WireEvent = EventMessage['events'][number];

const clockPayloadSchema = z.object({ offsetMs: z.number(), epochs: z.array(z.object({ epoch: z.number(), offsetMs: z.number() })).default([]) });

interface Entry {
  readonly id: string;
  readonly epoch: number;
  readonly hash: string;
  readonly previousHash: string;
}

export interface LedgerReport {
  /** Different events received. */
  readonly events: number;
  /** Received again, the same in every field: what at-least-once delivery is allowed. */
  readonly repeated: number;
  /** Two different events under one sequence: a number was issued twice. */
  readonly conflicting: readonly number[];
  /** First arrivals that came before an earlier event of the same kind of delivery (live or backlog). */
  readonly reordered: readonly number[];
  /** Events whose own hash, or link to the one before, does not hold. */
  readonly chainBroken: readonly number[];
  /** Events that came without their payload: their own hash cannot be checked here, their link can. */
  readonly reduced: readonly number[];
  /** Sequences below the highest one that never came and were not declared lost. */
  readonly missing: readonly { readonly first: number; readonly last: number }[];
  /** Sequences the gate declared lost. */
  readonly declared: readonly { readonly first: number; readonly last: number }[];
  /** Everything up to here is here or declared lost. */
  readonly through: number;
  readonly highest: number;
}

/** One gate's events as a platform has them: kept apart from the gate's own book, so that one can be held against the other. */
export class GateLedger {
  readonly #entries = new Map<number, Entry>();
  readonly #conflicting: number[] = [];
  readonly #reordered: number[] = [];
  readonly #badHash: number[] = [];
  readonly #reduced: number[] = [];
  #declared: { first: number; last: number }[] = [];
  #repeated = 0;
  #through = 0;
  #highest = 0;
  #lastLive = 0;
  #lastHistorical = 0;
  /** By epoch: wall time minus monotonic time, as `clock.trusted` events told. */
  readonly #clocks = new Map<number, number>();
  /** Called for each event at its first arrival. */
  onEvent: (event: WireEvent) => void = () => undefined;

  /** Everything up to here is here or declared lost: what may be acknowledged. */
  get through(): number {
    return this.#through;
  }

  /** Boot epoch of the event at `through`; the highest known below it where that one is lost. */
  get throughEpoch(): number {
    for (let seq = this.#through; seq > 0 && seq > this.#through - 100_000; seq -= 1) {
      const entry = this.#entries.get(seq);
      if (entry !== undefined) return entry.epoch;
    }
    return 1;
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

  /** Hash of the event at `through`; undefined where that one is lost. */
  get throughHash(): string | undefined {
    return this.#entries.get(this.#through)?.hash;
  }

  take(message: EventMessage): void {
    for (const range of message.lost) this.#declare(range);
    for (const event of message.events) {
      this.#enter(event, message.historical);
      if (event.type === 'clock.trusted') this.#learnClocks(event);
      if (event.type !== 'journal.recovered' && event.type !== 'journal.lost') continue;
      const { gaps } = event.payload;
      if (Array.isArray(gaps)) for (const gap of gaps) this.#declare(gap);
    }
    this.#advance();
  }

  report(): LedgerReport {
    const missing: { first: number; last: number }[] = [];
    const chainBroken = [...this.#badHash];
    let before = { seq: 0, hash: GENESIS_HASH };
    for (const [seq, entry] of [...this.#entries].sort(([one], [other]) => one - other)) {
      const next = before.seq + 1;
      if (seq !== next) {
        let first = next;
        for (const gap of [...this.#declared].sort((one, other) => one.first - other.first)) if (gap.first <= first) first = Math.max(first, gap.last + 1);
        if (first < seq) missing.push({ first, last: seq - 1 });
      } else if (entry.previousHash !== before.hash) chainBroken.push(seq);
      before = { seq, hash: entry.hash };
    }
    return {
      events: this.#entries.size,
      repeated: this.#repeated,
      conflicting: this.#conflicting,
      reordered: this.#reordered,
      chainBroken,
      reduced: this.#reduced,
      missing,
      declared: this.#declared,
      through: this.#through,
      highest: this.#highest,
    };
  }

  #enter(event: WireEvent, historical: boolean): void {
    const known = this.#entries.get(event.seq);
    if (known !== undefined) {
      if (known.id === event.id && known.hash === event.hash) this.#repeated += 1;
      else this.#conflicting.push(event.seq);
      return;
    }
    const last = historical ? this.#lastHistorical : this.#lastLive;
    if (event.seq < last) this.#reordered.push(event.seq);
    if (historical) this.#lastHistorical = event.seq;
    else this.#lastLive = event.seq;
    if (event.reduced === true) this.#reduced.push(event.seq);
    else if (hashOfEvent(event) !== event.hash) this.#badHash.push(event.seq);
    this.#entries.set(event.seq, { id: event.id, epoch: event.epoch, hash: event.hash, previousHash: event.previousHash });
    this.#highest = Math.max(this.#highest, event.seq);
    this.onEvent(event);
  }

  #learnClocks({ epoch, payload }: WireEvent): void {
    const told = clockPayloadSchema.safeParse(payload);
    if (!told.success) return;
    for (const one of [...told.data.epochs, { epoch, offsetMs: told.data.offsetMs }]) this.#clocks.set(one.epoch, one.offsetMs);
  }

  #declare(value: unknown): void {
    if (typeof value !== 'object' || value === null || !('first' in value) || !('last' in value)) return;
    const { first, last } = value;
    if (typeof first !== 'number' || typeof last !== 'number' || last < first) return;
    if (this.#declared.some((range) => range.first === first && range.last === last)) return;
    this.#declared = [...this.#declared, { first, last }];
  }

  #advance(): void {
    for (;;) {
      const next = this.#through + 1;
      if (this.#entries.has(next)) this.#through = next;
      else {
        const gap = this.#declared.find((range) => range.first <= next && range.last >= next);
        if (gap === undefined) return;
        this.#through = gap.last;
      }
    }
  }
}
