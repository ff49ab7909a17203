import { errorText, type JsonObject, type Log } from '../base/index.js';
import type { Journal } from '../journal/index.js';
import type { CommandMessage, ReplyMessage } from './messages.js';

/** An answer is remembered for this long after the command's expiry. */
const REMEMBER_MS = 24 * 3_600_000;
/** Commands remembered at once. */
export const MOST_REMEMBERED = 5_000;
const KEY = 'command/';

export interface Remembered {
  readonly state: ReplyMessage['state'];
  readonly expiresMs: number;
  readonly lane: string;
  readonly issuer: string;
  /** Missing in what an older release wrote. */
  readonly target?: string;
  /** It proved its freshness by a challenge: it cannot act once that is over, and none outlives the process. */
  readonly challenge?: true;
  readonly code?: string;
  readonly reason?: string;
}

interface Kept {
  readonly entry: Remembered;
  readonly kept: boolean;
  /** The command cannot begin any more from then on, monotonic ms; undefined where it is of an earlier process. */
  readonly endMs: number | undefined;
}

/** What was answered to which command, also over restarts; bounded in number. */
export class CommandMemory {
  readonly #journal: Journal;
  readonly #log: Log;
  readonly #entries = new Map<string, Kept>();

  constructor(journal: Journal, log: Log) {
    this.#journal = journal;
    this.#log = log;
  }

  /** @returns the commands that were accepted and have no end */
  async load(): Promise<readonly (readonly [string, Remembered])[]> {
    for (const [key, value] of await this.#journal.recallAll(KEY)) {
      const entry = toRemembered(value);
      if (entry !== undefined) this.#entries.set(key.slice(KEY.length), { entry, kept: true, endMs: undefined });
    }
    return [...this.#entries].flatMap(([id, { entry }]) => (entry.state === 'accepted' ? [[id, entry] as const] : []));
  }

  get(id: string): Remembered | undefined {
    return this.#entries.get(id)?.entry;
  }

  /** Remembers in this process only. At once: a second copy on the wire must not slip through. */
  note(id: string, entry: Remembered): void {
    const before = this.#entries.get(id);
    this.#entries.set(id, { entry, kept: before?.kept ?? false, endMs: before?.endMs });
  }

  /**
   * Remembers over restarts; known at once, and on disk when it resolves. Rejects with `JOURNAL_*`.
   * @param endMs the command cannot begin any more from then on, monotonic ms; as said before where omitted
   */
  async keep(id: string, entry: Remembered, endMs = this.#entries.get(id)?.endMs): Promise<void> {
    this.#entries.set(id, { entry, kept: true, endMs });
    await this.#journal.remember(KEY + id, { ...entry });
  }

  /**
   * Whether one more command can be remembered. What cannot act any more gives way: answers past their time, then refused
   * and expired ones, the oldest first. One that is still valid never does: it would act a second time.
   * @param now.wallMs undefined while the clock is not trusted
   */
  makeRoom({ wallMs, monoMs }: { readonly wallMs: number | undefined; readonly monoMs: number }): boolean {
    const old: string[] = [];
    const spare: string[] = [];
    for (const [id, { entry, endMs }] of this.#entries) {
      if (entry.state === 'accepted') continue;
      const sinceMs = wallMs === undefined ? -Infinity : wallMs - entry.expiresMs;
      if (sinceMs > REMEMBER_MS) old.push(id);
      else if (sinceMs > 0 || entry.state === 'refused' || (entry.challenge === true && (endMs ?? -Infinity) <= monoMs)) spare.push(id);
    }
    const over = this.#entries.size - old.length - MOST_REMEMBERED + 1;
    const going = [...old, ...spare.slice(0, Math.max(0, over))];
    for (const id of going) {
      if (this.#entries.get(id)?.kept === true) this.#journal.forget(KEY + id).catch((error: unknown) => this.#log.warn({ id, error: errorText(error) }, 'uplink: an old command could not be forgotten'));
      this.#entries.delete(id);
    }
    return this.#entries.size < MOST_REMEMBERED;
  }
}

export function rememberedOf(command: CommandMessage, expiresMs: number): Omit<Remembered, 'state'> {
  return { expiresMs, lane: command.lane, issuer: command.issuer, target: command.target, ...(command.challenge === undefined ? {} : { challenge: true }) };
}

function toRemembered(value: JsonObject): Remembered | undefined {
  const { state, expiresMs, lane, issuer, target, challenge, code, reason } = value;
  if (state !== 'accepted' && state !== 'done' && state !== 'failed' && state !== 'refused') return undefined;
  if (typeof expiresMs !== 'number' || typeof lane !== 'string' || typeof issuer !== 'string') return undefined;
  return {
    state,
    expiresMs,
    lane,
    issuer,
    ...(typeof target === 'string' ? { target } : {}),
    ...(challenge === true ? { challenge } : {}),
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof reason === 'string' ? { reason } : {}),
  };
}
