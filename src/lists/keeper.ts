import { randomUUID } from 'node:crypto';
import type { BuiltLists, Listing } from '../access/index.js';
import { GateError, errorText, toJsonObject, type Clock, type JsonObject, type LaneId, type Log } from '../base/index.js';
import type { Journal } from '../journal/index.js';
import { parsePlate, type PlateText } from '../plate/index.js';
import { LocalEdits, checkedEdit, localEditSchema, mergedListing, type EditRequest, type LocalEdit, type Sources } from './edits.js';
import { ListLink } from './link.js';
import type { HeldList, ListOutcome, LoadedList } from './protocol.js';
import { ListTable } from './table.js';

const EDIT_KEY = 'lists/edit/';
const FORCE_KEY = 'lists/in-force';
/** Edits that wait for a list to take them in; a gate that has no platform lives with its own. */
const MOST_EDITS = 10_000;
/** Refusals on record per minute; the rest is only logged, so that a platform gone wrong cannot fill the disk. */
const MOST_REFUSALS_A_MINUTE = 20;

export interface ListKeeperOptions {
  /** For lists alone, made when missing; on a local file system. */
  readonly directory: string;
  readonly journal: Pick<Journal, 'append' | 'remember' | 'recall' | 'recallAll' | 'forget'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly clockTrusted: () => boolean;
  /** What the configuration alone knows. */
  readonly configured: () => Pick<BuiltLists, 'listings' | 'households'>;
  readonly lanes: readonly LaneId[];
}

/**
 * The lists beside those of the configuration: the platform's, taken in by a thread and put in force with one assignment,
 * and the edits made at the gate. Look-ups never wait; a list that does not come, or comes damaged, changes nothing.
 */
export class ListKeeper {
  readonly #options: ListKeeperOptions;
  readonly #link: ListLink;
  readonly #edits = new LocalEdits();
  #table = new ListTable();
  #held: HeldList | undefined;
  /** One change at a time: what is remembered must not be forgotten by the one before. */
  #turn: Promise<unknown> = Promise.resolve();
  #mergedIds: readonly string[] = [];
  #refusals = { sinceMs: 0, count: 0 };
  #stopped = false;

  constructor(options: ListKeeperOptions) {
    this.#options = options;
    this.#link = new ListLink(options.directory);
  }

  /**
   * Brings the last good list into force; needs no journal.
   * @throws GateError LIST_UNAVAILABLE where the thread cannot read; the configuration's lists count meanwhile
   */
  load(): Promise<void> {
    return this.#inTurn(() => this.#load());
  }

  /** Brings back the edits, and puts on record what came into force without having been. Needs the journal. */
  restore(): Promise<void> {
    return this.#inTurn(async () => {
      for (const [key, value] of await this.#options.journal.recallAll(EDIT_KEY)) {
        const edit = localEditSchema.safeParse(value);
        if (edit.success) this.#edits.put(edit.data);
        else this.#options.log.warn({ key }, 'lists: an edit on record cannot be read');
      }
      await this.#settle(this.#mergedIds);
      await this.#settleExpired();
      const known = await this.#options.journal.recall(FORCE_KEY);
      const held = this.#held;
      // Cut off between the disk and the record, or fallen back to the list before.
      if (held !== undefined && (known?.['version'] !== held.version || known['digest'] !== held.digest)) await this.#recordApplied(held, 'stored', 0);
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#link.stop();
    await this.#turn;
  }

  held(): HeldList | undefined {
    return this.#held;
  }

  /** Edits that no list has taken in, oldest first. */
  pending(): readonly LocalEdit[] {
    return this.#edits.all();
  }

  /** What counts of a plate of which the configuration knows `base`; see `mergedListing` for the rule. Takes microseconds. */
  listing(plate: PlateText, base: Listing | undefined): Listing | undefined {
    const edits = this.#edits.of(plate);
    return edits === undefined && !this.#table.has(plate) ? base : mergedListing(plate, base, edits, this.#sources());
  }

  /** Takes a message of the topic `list` in; never rejects. What came of it is in force and on record when this resolves. */
  take(payload: Uint8Array): Promise<ListOutcome> {
    // The thread gets it for good, and the buffer it lies in may be shared.
    const own = Uint8Array.from(payload);
    return this.#inTurn(() => this.#taken({ kind: 'take', payload: own }));
  }

  /** Gives up a full list of which parts have not come; `repeated` where there is none. */
  abandon(): Promise<ListOutcome> {
    return this.#inTurn(() => this.#taken({ kind: 'abandon' }));
  }

  /**
   * Changes what counts of a plate, at once and until a list has taken it in.
   * @returns the edit once it is on disk and in force
   * @throws GateError PLATE_INVALID, LIST_EDIT_REFUSED, JOURNAL_* (then nothing has changed)
   */
  edit(request: EditRequest): Promise<LocalEdit> {
    return this.#inTurn(async () => {
      const { journal, clock, clockTrusted, lanes } = this.#options;
      await this.#settleExpired();
      const edit = checkedEdit(request, { id: randomUUID(), wallMs: clock.wallMs(), clockTrusted: clockTrusted(), lanes }, this.#edits, this.#sources());
      if (this.#edits.all().length >= MOST_EDITS) throw new GateError('LIST_EDIT_REFUSED', `${MOST_EDITS} changes already wait for the platform to take them in; connect it, or put them into the configuration.`);
      const plain = toJsonObject(edit);
      // The event first: cut between them, the platform knows of the edit and the person had no answer.
      await Promise.all([journal.append({ type: 'list.edited', payload: plain }), journal.remember(keyOfEdit(edit), plain)]);
      this.#edits.put(edit);
      return edit;
    });
  }

  /** All that is known of a plate, and from where. @throws GateError PLATE_INVALID */
  show(raw: string): JsonObject {
    const { text: plate } = parsePlate(raw);
    const base = this.#options.configured().listings.get(plate);
    const inForce = this.listing(plate, base);
    return toJsonObject({
      plate,
      inForce: inForce === undefined ? null : plainListing(inForce),
      configuration: base === undefined ? null : plainListing(base),
      platform: this.#table.entriesOf(plate),
      edits: Object.values(this.#edits.of(plate) ?? {}),
    });
  }

  /** The platform's list in force, and the edits that wait: how many, and the newest `edits` of them. */
  summary({ edits }: { readonly edits: number }): JsonObject {
    const pending = this.pending();
    return toJsonObject({ platform: this.#held ?? null, waiting: pending.length, edits: edits === 0 ? [] : pending.slice(-edits) });
  }

  #sources(): Sources {
    return { configured: this.#options.configured(), table: this.#table };
  }

  #inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(run);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #load(): Promise<void> {
    const answer = await this.#link.ask({ kind: 'load' });
    if (answer.kind !== 'loaded') throw new GateError('LIST_UNAVAILABLE', answer.kind === 'failed' ? answer.reason : 'the thread gave another answer');
    const { list, damaged } = answer.outcome;
    for (const { file, why } of damaged) {
      this.#options.log.error({ file, why }, 'lists: a stored list is damaged; the one before counts');
      this.#record('list.damaged', { file, detail: why, fallback: list?.version ?? null });
    }
    if (list !== undefined) this.#enforce(list);
  }

  #enforce(list: LoadedList): void {
    const { table, merged, ...held } = list;
    this.#table = new ListTable(table);
    this.#held = held;
    this.#mergedIds = merged;
  }

  async #taken(question: { readonly kind: 'take'; readonly payload: Uint8Array } | { readonly kind: 'abandon' }): Promise<ListOutcome> {
    const beganMs = this.#options.clock.monoMs();
    const outcome = await this.#ask(question);
    switch (outcome.kind) {
      case 'applied': {
        this.#enforce(outcome.list);
        await this.#attempt('what is in force could not be put on record', async () => {
          await this.#settle(outcome.list.merged);
          await this.#recordApplied(outcome.list, outcome.form, Math.round(this.#options.clock.monoMs() - beganMs));
        });
        break;
      }
      case 'repeated':
        if (outcome.merged.length > 0) await this.#attempt('an edit could not be let go', () => this.#settle(outcome.merged));
        break;
      case 'refused':
        this.#options.log.warn({ version: outcome.version, code: outcome.code, reason: outcome.reason }, 'lists: refused');
        if (this.#mayRecordRefusal()) this.#record('list.refused', { version: outcome.version, code: outcome.code, reason: outcome.reason, held: this.#held?.version ?? null });
        break;
      case 'waiting':
        break;
    }
    return outcome;
  }

  async #ask(question: { readonly kind: 'take'; readonly payload: Uint8Array } | { readonly kind: 'abandon' }): Promise<ListOutcome> {
    const unavailable = (reason: string): ListOutcome => ({ kind: 'refused', version: null, code: 'LIST_UNAVAILABLE', reason });
    if (this.#stopped) return unavailable('the gate stops');
    try {
      // A new thread has to know what is held before it can tell what is new.
      if (!this.#link.up) await this.#load();
      const answer = await this.#link.ask(question);
      return answer.kind === 'taken' ? answer.outcome : unavailable(answer.kind === 'failed' ? answer.reason : 'the thread gave another answer');
    } catch (error) {
      return unavailable(errorText(error));
    }
  }

  /** Lets go of edits that a list has taken in; it alone speaks for their plates from now on. */
  async #settle(merged: readonly string[]): Promise<void> {
    const ids = new Set(merged);
    await this.#letGo(this.#edits.all().filter(({ id }) => ids.has(id)));
  }

  /** A pass that is long over need not wait for the platform. */
  async #settleExpired(): Promise<void> {
    const { clock, clockTrusted } = this.#options;
    if (!clockTrusted()) return;
    await this.#letGo(this.#edits.all().filter((edit) => edit.action === 'add' && edit.subject === 'visitor' && Date.parse(edit.until) < clock.wallMs() - 24 * 3_600_000));
  }

  async #letGo(edits: readonly LocalEdit[]): Promise<void> {
    for (const edit of edits) this.#edits.remove(edit);
    await Promise.all(edits.map((edit) => this.#options.journal.forget(keyOfEdit(edit))));
  }

  async #recordApplied({ version, digest, counts, ignored }: HeldList, form: 'full' | 'delta' | 'stored', tookMs: number): Promise<void> {
    const { journal } = this.#options;
    await Promise.all([
      journal.append({ type: 'list.applied', payload: toJsonObject({ version, digest, form, counts, ignored, edits: this.#edits.all().length, tookMs }) }),
      journal.remember(FORCE_KEY, { version, digest }),
    ]);
  }

  #record(type: 'list.refused' | 'list.damaged', payload: JsonObject): void {
    void this.#attempt(`${type} could not be put on record`, () => this.#options.journal.append({ type, payload }));
  }

  async #attempt(failed: string, run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#options.log.error({ error: errorText(error) }, `lists: ${failed}`);
    }
  }

  #mayRecordRefusal(): boolean {
    const nowMs = this.#options.clock.monoMs();
    if (nowMs - this.#refusals.sinceMs > 60_000) this.#refusals = { sinceMs: nowMs, count: 0 };
    this.#refusals.count += 1;
    return this.#refusals.count <= MOST_REFUSALS_A_MINUTE;
  }
}

function keyOfEdit({ subject, plate }: LocalEdit): string {
  return `${EDIT_KEY}${subject}/${plate}`;
}

/** A listing as JSON; open ends of a validity are left out. */
function plainListing({ household, passes, blocked, emergency }: Listing): JsonObject {
  const time = (ms: number): string | undefined => (Number.isFinite(ms) ? new Date(ms).toISOString() : undefined);
  return toJsonObject({
    household:
      household === null
        ? null
        : { id: household.id, name: household.name, spaces: household.spaces, lanes: household.lanes === null ? null : [...household.lanes], hours: household.hours, validFrom: time(household.validFromMs), validUntil: time(household.validUntilMs) },
    passes: passes.map(({ fromMs, untilMs, lanes, note }) => ({ from: time(fromMs), until: time(untilMs), lanes: lanes === null ? null : [...lanes], note })),
    blocked,
    emergency,
  });
}
