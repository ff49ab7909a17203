import { BatchBuilder, type BatchLimits, type EventBatch, type Journal, type StoredEvent } from '../journal/index.js';
import { eventMessageSchema } from './messages.js';
import { Pace } from './pace.js';

export interface OutboxMessage {
  /** JSON as UTF-8. */
  readonly payload: Buffer;
  /** Sequences it stands for, gaps included. */
  readonly first: number;
  readonly last: number;
  readonly historical: boolean;
}

/** `events` and `bytes` of one message. */
export interface OutboxLimits extends BatchLimits {
  /** So many messages of the backlog may wait for the platform's acknowledgement; fewer and smaller ones on a slow line. */
  readonly ahead: number;
  /** Most bytes of a message that the broker takes: a single event beyond it goes out reduced. */
  readonly most: number;
}

interface OutboxHooks {
  readonly changed: () => void;
  readonly failed: (error: unknown) => void;
  /** An event goes out without its payload: its sequence, and the bytes of the message it would have made. */
  readonly reduced: (seq: number, bytes: number) => void;
}

/** Events kept in memory because they just happened; beyond it they are read from the journal again. */
const MOST_LIVE = 2_000;
/** Events of one page at most: a long read would hold up the events that are being written. */
const PAGE_EVENTS = 1_000;

/**
 * What goes out on one connection, in which order: live events (stored since the connection stood) and backlog (all
 * before). Both run in order of sequence. Nothing is queued here but one page of messages: the journal is the queue.
 */
export class Outbox {
  readonly #journal: Journal;
  readonly #hooks: OutboxHooks;
  #limits: OutboxLimits;
  #acknowledged: number;
  #head: number;
  #live: StoredEvent[] = [];
  /** Last sequence that went out live, or the head when this began. */
  #liveAfter: number;
  #page: EventBatch[] = [];
  /** Last sequence taken from the backlog into a message. */
  #backlogAfter: number;
  /** Last sequence of each message of the backlog that the platform has not said it has, ascending. */
  #awaited: number[] = [];
  #readAfter: number;
  #backlogEnd: number;
  #reading = false;
  #generation = 0;
  readonly #pace: Pace;

  constructor(journal: Journal, limits: OutboxLimits, at: { readonly head: number; readonly acknowledged: number }, hooks: OutboxHooks) {
    this.#journal = journal;
    this.#limits = limits;
    this.#hooks = hooks;
    this.#acknowledged = at.acknowledged;
    this.#head = at.head;
    this.#liveAfter = at.head;
    this.#backlogAfter = at.acknowledged;
    this.#readAfter = at.acknowledged;
    this.#backlogEnd = at.head;
    this.#pace = new Pace(limits.ahead, limits.events);
  }

  get hasLive(): boolean {
    return this.#live.length > 0;
  }

  /** Something is out, or was, that the platform has not acknowledged. */
  get awaitsAcknowledgement(): boolean {
    return Math.max(this.#backlogAfter, this.#liveAfter > this.#backlogEnd ? this.#liveAfter : 0) > this.#acknowledged;
  }

  /** Other limits from now on; what is out is out. */
  limit(limits: BatchLimits): void {
    this.#limits = { ...this.#limits, ...limits };
    this.#pace.limit(limits.events);
    this.#readAgain();
  }

  /** The true time of events that wait has become known: they go out with it. */
  clockKnown(): void {
    this.#live = this.#live.map((event) => this.#journal.corrected(event));
    this.#readAgain();
  }

  /** Begins again after the last acknowledgement: everything unacknowledged becomes backlog. */
  rewind(): void {
    this.#generation += 1;
    this.#reading = false;
    this.#live = [];
    this.#page = [];
    this.#awaited = [];
    this.#liveAfter = this.#head;
    this.#backlogEnd = this.#head;
    this.#backlogAfter = this.#acknowledged;
    this.#readAfter = this.#acknowledged;
  }

  stored(events: readonly StoredEvent[]): void {
    const last = events.at(-1);
    if (last === undefined) return;
    this.#head = last.seq;
    this.#live.push(...events);
    if (this.#live.length > MOST_LIVE) {
      // Faster than the broker takes it: no longer live. What went out live in between goes out twice at worst.
      this.#live = [];
      this.#liveAfter = this.#head;
      this.#backlogEnd = this.#head;
    }
  }

  /** The broker has answered a message with nothing of the backlog in front of it: so far away is it. */
  reached(tookMs: number): void {
    this.#pace.reached(tookMs);
  }

  /** The broker has answered a message with events; monotonic ms. */
  answered(sentMs: number, nowMs: number): void {
    const before = this.#pace.events;
    this.#pace.answered(sentMs, nowMs);
    // What was made ready is too large by now.
    if (this.#pace.events < before) this.#readAgain();
  }

  /** The platform has everything up to here, so more may follow. */
  ingested(seq: number): void {
    while (this.#awaited[0] !== undefined && this.#awaited[0] <= seq) this.#awaited.shift();
  }

  /** As `ingested`, and on record: nothing up to here is ever sent again. */
  acknowledged(seq: number): void {
    this.#acknowledged = Math.max(this.#acknowledged, seq);
    this.ingested(this.#acknowledged);
    if (this.#backlogAfter >= this.#acknowledged) return;
    this.#backlogAfter = this.#acknowledged;
    this.#page = this.#page.filter((batch) => batch.last > this.#acknowledged);
    this.#readAfter = Math.max(this.#readAfter, this.#acknowledged);
  }

  /** Undefined when all is out. */
  nextLive(): OutboxMessage | undefined {
    const builder = new BatchBuilder(this.#liveAfter, this.#limits);
    for (const event of this.#live) if (!builder.add(event.seq, JSON.stringify(event))) break;
    if (builder.count === 0) return undefined;
    this.#live.splice(0, builder.count);
    const batch = builder.build(false);
    this.#liveAfter = batch.last;
    return this.#messageOf(batch, false);
  }

  /** Undefined while rows are being read, when all is out, or too much awaits the platform. */
  nextBacklog(): OutboxMessage | undefined {
    this.#read();
    if (this.#awaited.length >= this.#pace.messages) return undefined;
    const batch = this.#page.shift();
    if (batch === undefined) return undefined;
    this.#backlogAfter = batch.last;
    this.#awaited.push(batch.last);
    return this.#messageOf(batch, true);
  }

  /** Reads the next page while the last one is being sent. */
  #read(): void {
    const { bytes } = this.#limits;
    const { events } = this.#pace;
    const batches = Math.max(1, Math.floor(PAGE_EVENTS / events));
    if (this.#reading || this.#readAfter >= this.#backlogEnd || this.#page.length > batches / 2) return;
    this.#reading = true;
    const generation = this.#generation;
    const end = this.#backlogEnd;
    this.#journal.eventBatches({ after: this.#readAfter, before: end + 1, events, bytes, batches }).then(
      (read) => {
        if (generation !== this.#generation) return;
        this.#reading = false;
        this.#page.push(...read.filter((batch) => batch.last > this.#acknowledged));
        this.#readAfter = read.at(-1)?.last ?? end;
        this.#hooks.changed();
      },
      (error: unknown) => {
        if (generation !== this.#generation) return;
        this.#reading = false;
        this.#hooks.failed(error);
      },
    );
  }

  /** What was read and is not out yet is read anew. */
  #readAgain(): void {
    this.#generation += 1;
    this.#reading = false;
    this.#page = [];
    this.#readAfter = this.#backlogAfter;
  }

  #messageOf({ first, last, message }: EventBatch, historical: boolean): OutboxMessage {
    const payload = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
    const bytes = payload.byteLength;
    if (bytes <= this.#limits.most) return { payload, first, last, historical };
    const { text, seq } = reduced(payload);
    this.#hooks.reduced(seq, bytes);
    return { payload: Buffer.from(text), first, last, historical };
  }
}

/** The message with its events' payloads left out: what is left proves that they are links of the chain, and which. */
function reduced(message: Buffer): { readonly text: string; readonly seq: number } {
  const { events, ...rest } = eventMessageSchema.parse(JSON.parse(message.toString('utf8')));
  const less = events.map((event) => ({ ...event, payload: { tooLarge: message.byteLength }, reduced: true }));
  return { text: JSON.stringify({ ...rest, events: less }), seq: events.at(-1)?.seq ?? 0 };
}
