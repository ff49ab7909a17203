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
/** A platform that sends an older list again and again is told as rarely what is held. */
const OUTDATED_MS = 60_000;

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
  /** Version of which parts are awaited. */
  #awaited = 0;
  /** Version below the one in force that the platform was answered about, and when. */
  #outdated: { readonly version: number; readonly monoMs: number } | undefined;
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
        this.#awaited = outcome.version;
        this.#parts = this.#options.clock.after(this.#options.partMs ?? PART_MS, () => void this.#giveUp());
        return;
      case 'applied':
        // A newer one may be half in; its parts are still awaited.
        if (outcome.list.version >= this.#awaited) this.#parts?.cancel();
        this.#ask?.cancel();
        this.#ask = undefined;
        this.#asks = 0;
        this.#report(null);
        return;
      case 'repeated':
        if (outcome.merged.length > 0 || this.#isNewsOfOutdated(outcome.version)) this.#report(null);
        return;
      case 'refused':
        this.#refused(outcome);
    }
  }

  /**
   * A platform that sends a version below the one in force, e.g. restored from a backup, has to hear what is held, or it
   * takes its own for in force. Once for all parts of it, and one that goes on sending it is not answered without end.
   */
  #isNewsOfOutdated(version: number): boolean {
    const { lists, clock, log } = this.#options;
    const held = lists.held();
    if (held === undefined || version >= held.version) return false;
    const nowMs = clock.monoMs();
    if (this.#outdated?.version === version && nowMs - this.#outdated.monoMs < OUTDATED_MS) return false;
    this.#outdated = { version, monoMs: nowMs };
    log.warn({ version, held: held.version }, 'uplink: a list below the one in force came, and changes nothing');
    return true;
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
