import { errorText, type Clock, type Log, type Timer } from '../base/index.js';
import type { HeldList, ListOutcome, LocalEdit } from '../lists/index.js';
import type { ListReport } from './list-messages.js';
import type { Desk, DeskReply, Received } from './types.js';

/** Without another part for this long, a full list is given up and asked for anew. */
const PART_MS = 60_000;
/** A whole list is asked for at once, then after this, doubling up to the second: a platform that is wrong stays wrong. */
const ASK_MS = 30_000;
const ASK_MOST_MS = 3_600_000;
const MOST_EDITS_TOLD = 100;

/** The lists as the uplink needs them. */
export interface Lists {
  held(): HeldList | undefined;
  pending(): readonly LocalEdit[];
  /** Never rejects; what came of it is in force and on record when it resolves. */
  take(payload: Uint8Array): Promise<ListOutcome>;
  abandon(): Promise<ListOutcome>;
}

export interface ListDeskOptions {
  readonly lists: Lists;
  readonly epoch: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly reply: DeskReply;
  /** See `PART_MS`. */
  readonly partMs?: number;
}

/** Hands the platform's lists on and reports what is in force; asks for a whole one where something is missing or wrong. */
export class ListDesk implements Desk {
  readonly topic = 'list';
  readonly #options: ListDeskOptions;
  #parts: Timer | undefined;
  #ask: Timer | undefined;
  #asks = 0;

  constructor(options: ListDeskOptions) {
    this.#options = options;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  stop(): void {
    this.#parts?.cancel();
    this.#ask?.cancel();
  }

  connected(): void {
    this.#report(this.#options.lists.held() === undefined ? 'full' : null);
  }

  async handle({ payload }: Received): Promise<void> {
    try {
      this.#came(await this.#options.lists.take(payload));
    } catch (error) {
      this.#options.log.error({ error: errorText(error) }, 'uplink: a list could not be handled');
    }
  }

  #came(outcome: ListOutcome): void {
    switch (outcome.kind) {
      case 'waiting':
        this.#parts?.cancel();
        this.#parts = this.#options.clock.after(this.#options.partMs ?? PART_MS, () => void this.#giveUp());
        return;
      case 'applied':
        this.#parts?.cancel();
        this.#ask?.cancel();
        this.#ask = undefined;
        this.#asks = 0;
        this.#report(null);
        return;
      case 'repeated':
        if (outcome.merged.length > 0) this.#report(null);
        return;
      case 'refused':
        this.#refused(outcome);
    }
  }

  async #giveUp(): Promise<void> {
    try {
      this.#came(await this.#options.lists.abandon());
    } catch (error) {
      this.#options.log.error({ error: errorText(error) }, 'uplink: a list could not be given up');
    }
  }

  /** Says at once what was wrong; asks for a whole list at once the first time, and ever more slowly after. */
  #refused({ version, code, reason }: Extract<ListOutcome, { kind: 'refused' }>): void {
    const refused = { version, code, reason };
    if (this.#asks === 0) {
      this.#asks = 1;
      this.#report('full', refused);
      return;
    }
    this.#report(null, refused);
    if (this.#ask !== undefined) return;
    this.#ask = this.#options.clock.after(Math.min(ASK_MOST_MS, ASK_MS * 2 ** Math.min(this.#asks - 1, 10)), () => {
      this.#ask = undefined;
      this.#asks += 1;
      this.#report('full', refused);
    });
  }

  #report(wants: ListReport['wants'], refused?: ListReport['refused']): void {
    const { lists, epoch, clock, reply } = this.#options;
    const held = lists.held();
    const edits = lists.pending();
    const report: ListReport = {
      epoch,
      atMs: Math.round(clock.wallMs()),
      held: held === undefined ? null : { version: held.version, digest: held.digest, counts: { ...held.counts }, ignored: { count: held.ignored.count, first: [...held.ignored.first] } },
      wants,
      ...(refused === undefined ? {} : { refused }),
      edits: { count: edits.length, first: edits.slice(0, MOST_EDITS_TOLD) },
    };
    reply('list/report', report, { retain: true });
  }
}
