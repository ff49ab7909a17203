import { mkdir, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { replaceDurably, syncFolder } from '../base/durable-file.js';
import { GateError, errorText } from '../base/index.js';
import type { ManagedConfig } from './managed.js';

const digestSchema = z.string().regex(/^[0-9a-f]{64}$/u);
const refSchema = z.object({
  /** The platform's number; null for one that was applied on the box. */
  version: z.number().int().nullable(),
  id: z.string(),
  issuer: z.string(),
  /** In the place of the technician's file, or over it: the same settings are another configuration either way. Null where it was stored before this was kept. */
  whole: z.boolean().nullable().default(null),
  /** SHA-256 of the RFC 8785 form of the configuration as it came. */
  digest: digestSchema,
});
const faultSchema = z.object({ path: z.string(), code: z.enum(['CONFIG_INVALID', 'CONFIG_NOT_ALLOWED']), text: z.string() });
const outcomeSchema = refSchema.extend({
  /** Grows by one; tells which outcomes are on record. */
  number: z.number().int(),
  outcome: z.enum(['applied', 'refused', 'returned']),
  code: z.string().nullable(),
  reasons: z.array(z.string()),
  faults: z.array(faultSchema),
  atMs: z.number().int(),
});
const trialSchema = refSchema.extend({
  /** Starts of the daemon with it, counted before anything else is started. */
  starts: z.number().int(),
  /** Ordered stops meanwhile: those of a technician or the service manager, which prove nothing against it. */
  stops: z.number().int(),
  /** Parts of the gate before, and those that were well: these, and any new one, have to be well after. */
  known: z.array(z.string()),
  well: z.array(z.string()),
});
const stateSchema = z.object({
  format: z.literal(1),
  /** Highest version that was ever staged; lower ones are not tried any more. */
  highest: z.number().int(),
  /** In force over the technician's file; null where that alone counts. */
  active: refSchema.nullable(),
  /** What was in force before; null where that was the file alone. */
  previous: refSchema.nullable(),
  trial: trialSchema.nullable(),
  /** Newest last. */
  outcomes: z.array(outcomeSchema),
});

export type ManagedRef = z.output<typeof refSchema>;
export type ManagedOutcome = z.output<typeof outcomeSchema>;
export type ManagedTrial = z.output<typeof trialSchema>;
export type ManagedState = z.output<typeof stateSchema>;

const contentSchema = z.object({ whole: z.boolean(), config: z.record(z.string(), z.json()) });

const EMPTY: ManagedState = { format: 1, highest: 0, active: null, previous: null, trial: null, outcomes: [] };
/** Answers remembered; a version that was returned stays known by `highest` even after its answer has gone. */
const MOST_OUTCOMES = 50;
/** The content of one configuration. */
const CONTENT_NAME = /^[0-9a-f]{64}(?:-over|-whole)?\.json$/u;
/** A configuration that was begun so often without an end is taken to be the reason. */
export const MOST_STARTS = 3;

/**
 * Configurations from outside, below the data directory: one file for each, named by what it is, and `state.json`, which
 * says which of them counts. A file that is named there is never written over with another configuration. Every change is one replacement of `state.json`, so a power cut leaves the old state or the
 * new one; the technician's own file is never touched.
 */
export class ManagedStore {
  readonly #folder: string;
  #state: ManagedState = EMPTY;

  constructor(dataDirectory: string) {
    this.#folder = join(dataDirectory, 'config');
  }

  get state(): ManagedState {
    return this.#state;
  }

  /** What runs now, or ran last: the one on trial once it was started. */
  get running(): ManagedRef | null {
    const { trial, active } = this.#state;
    return trial !== null && trial.starts > 0 ? trial : active;
  }

  /** Reads what is there, changing nothing. @returns what is wrong with it, in words; undefined where all is well */
  async load(): Promise<string | undefined> {
    let text: string;
    try {
      text = await readFile(join(this.#folder, 'state.json'), 'utf8');
    } catch (error) {
      return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR') ? undefined : errorText(error);
    }
    try {
      this.#state = stateSchema.parse(JSON.parse(text));
      return undefined;
    } catch (error) {
      return error instanceof z.ZodError ? z.prettifyError(error) : errorText(error);
    }
  }

  /** Moves a state that cannot be read out of the way, with the configurations it names, and begins anew; nothing is deleted. */
  async setAside(atMs: number, reason: string): Promise<void> {
    await rename(this.#folder, `${this.#folder}-damaged-${Math.round(atMs)}`);
    this.#state = EMPTY;
    await this.#outcome({ version: null, id: 'state.json', issuer: 'gate', whole: null, digest: '0'.repeat(64) }, 'returned', 'CONFIG_STATE_DAMAGED', [`what was in force cannot be read (${reason}); the technician's file alone counts`], atMs, {});
  }

  /** @throws GateError CONFIG_UNREADABLE */
  async read(ref: ManagedRef): Promise<ManagedConfig> {
    const path = join(this.#folder, contentName(ref));
    try {
      return contentSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    } catch (cause) {
      throw new GateError('CONFIG_UNREADABLE', `${path}: ${errorText(cause)}`, { path }, cause);
    }
  }

  /**
   * Writes a checked configuration beside the active one and marks it for its trial; the one that waited for that until now
   * ends with the same write. Rejects with `CONFIG_UNREADABLE`.
   */
  async stage(ref: ManagedRef, content: ManagedConfig, before: Pick<ManagedTrial, 'known' | 'well'>, atMs: number): Promise<void> {
    const staged: ManagedRef = { ...plain(ref), whole: content.whole };
    const { highest, trial: replaced } = this.#state;
    const newer = `${ref.version === null ? ref.id : `version ${ref.version}`} of ${ref.issuer} came in its place`;
    const ended = replaced === null ? [] : [this.#entry(replaced, replaced.starts > 0 ? 'returned' : 'refused', 'CONFIG_SUPERSEDED', [newer], atMs, [])];
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await replaceDurably(join(this.#folder, contentName(staged)), JSON.stringify({ whole: content.whole, config: content.config }), { mode: 0o600 });
      // What the replaced one leaves in the folder goes with the outcome of this one.
      await this.#change({ highest: Math.max(highest, ref.version ?? 0), trial: { ...staged, ...before, starts: 0, stops: 0 }, outcomes: this.#with(ended) });
    } catch (cause) {
      throw new GateError('CONFIG_UNREADABLE', `the new configuration could not be written: ${errorText(cause)}; look at the disk (df -h, dmesg)`, {}, cause);
    }
  }

  /** Counts a start of the configuration on trial; call before anything is started with it. */
  async countStart(): Promise<void> {
    const { trial } = this.#state;
    if (trial !== null) await this.#change({ trial: { ...trial, starts: trial.starts + 1 } });
  }

  /** An ordered stop in the middle of the trial: the next start goes on with it. */
  async countStop(): Promise<void> {
    const { trial } = this.#state;
    if (trial !== null && trial.starts > trial.stops) await this.#change({ trial: { ...trial, stops: trial.stops + 1 } });
  }

  /** The trial was passed. */
  async apply(atMs: number): Promise<void> {
    const { trial, active } = this.#state;
    if (trial === null) return;
    await this.#outcome(trial, 'applied', null, [], atMs, { active: plain(trial), previous: active, trial: null });
  }

  /** The trial is over; what was in force before counts again. */
  async giveBack(code: string, reasons: readonly string[], atMs: number): Promise<void> {
    const { trial } = this.#state;
    if (trial === null) return;
    await this.#outcome(trial, 'returned', code, reasons, atMs, { trial: null });
  }

  /** What is in force does not fit the technician's file any more: that alone counts. */
  async drop(code: string, reasons: readonly string[], atMs: number): Promise<void> {
    const { active } = this.#state;
    if (active === null) return;
    await this.#outcome(active, 'returned', code, reasons, atMs, { active: null, previous: null });
  }

  async refuse(ref: ManagedRef, code: string, reasons: readonly string[], faults: ManagedOutcome['faults'], atMs: number): Promise<ManagedOutcome> {
    return await this.#outcome(ref, 'refused', code, reasons, atMs, {}, faults);
  }

  async #outcome(ref: ManagedRef, outcome: ManagedOutcome['outcome'], code: string | null, reasons: readonly string[], atMs: number, change: Partial<ManagedState>, faults: ManagedOutcome['faults'] = []): Promise<ManagedOutcome> {
    const entry = this.#entry(ref, outcome, code, reasons, atMs, faults);
    await this.#change({ ...change, outcomes: this.#with([entry]) });
    await this.#tidy();
    return entry;
  }

  #entry(ref: ManagedRef, outcome: ManagedOutcome['outcome'], code: string | null, reasons: readonly string[], atMs: number, faults: ManagedOutcome['faults']): ManagedOutcome {
    return { ...plain(ref), number: (this.#state.outcomes.at(-1)?.number ?? 0) + 1, outcome, code, reasons: [...reasons], faults, atMs: Math.round(atMs) };
  }

  #with(entries: readonly ManagedOutcome[]): ManagedOutcome[] {
    return [...this.#state.outcomes, ...entries].slice(-MOST_OUTCOMES);
  }

  async #change(change: Partial<ManagedState>): Promise<void> {
    const next = { ...this.#state, ...change };
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await replaceDurably(join(this.#folder, 'state.json'), JSON.stringify(next, null, 1), { mode: 0o600 });
    this.#state = next;
  }

  /** Removes configurations that nothing names any more. */
  async #tidy(): Promise<void> {
    const { active, previous, trial } = this.#state;
    const kept = new Set([active, previous, trial].flatMap((ref) => (ref === null ? [] : [contentName(ref)])));
    const old = (await readdir(this.#folder)).filter((name) => CONTENT_NAME.test(name) && !kept.has(name));
    for (const name of old) await rm(join(this.#folder, name), { force: true });
    if (old.length > 0) await syncFolder(this.#folder);
  }
}

/**
 * Whether both are one configuration: the same settings, laid over the file or in its place. One that was stored before
 * `whole` was kept counts as the same either way, as it did then: a retained message that comes again is answered as before.
 */
export function isSameConfiguration(one: Pick<ManagedRef, 'whole' | 'digest'>, other: Pick<ManagedRef, 'whole' | 'digest'>): boolean {
  return one.digest === other.digest && (one.whole === null || other.whole === null || one.whole === other.whole);
}

/** Files named by the digest alone were stored before `whole` was kept; they hold what they held. */
function contentName({ whole, digest }: ManagedRef): string {
  return whole === null ? `${digest}.json` : `${digest}-${whole ? 'whole' : 'over'}.json`;
}

function plain({ version, id, issuer, whole, digest }: ManagedRef): ManagedRef {
  return { version, id, issuer, whole, digest };
}

