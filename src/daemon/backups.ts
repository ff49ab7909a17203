import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errorText, type Clock, type JsonObject, type Log, type Timer } from '../base/index.js';
import { damageIn, listBackups, removeRemains, surplus, type BackupMade, type BackupProgress, type NewEvent, type SqliteJournal } from '../journal/index.js';

export interface BackupsOptions {
  readonly journal: Pick<SqliteJournal, 'backup' | 'events'>;
  /** Folder that backups are made in. */
  readonly directory: string;
  /** 0: only when asked. */
  readonly everyHours: number;
  /** How many of those made by the timer are kept. */
  readonly keep: number;
  readonly release: string;
  /** Text of the configuration file, without secrets. */
  readonly config: string | undefined;
  readonly clock: Clock;
  readonly clockTrusted: () => boolean;
  readonly log: Log;
  readonly record: (event: NewEvent) => void;
}

const HOUR_MS = 3_600_000;
/** First look and every look after it: late enough after a start that lanes come first. */
const LOOK_MS = 600_000;
const RETRY_MS = HOUR_MS;
/** Names of those made by the timer begin so; on a full disk they give way. */
export const AUTOMATIC = 'auto-';
const ASKED = 'manual-';

/**
 * Backups of a running gate's journal: by themselves every so many hours, and when asked. A failure is on record once, is
 * tried again every hour, and stops nothing. So is, once, that the journal in a backup is damaged: it is kept, and does not
 * take the place of one that was found whole.
 */
export class Backups {
  readonly #options: BackupsOptions;
  #timer: Timer | undefined;
  /** Start, or the last automatic backup of this run, monotonic. */
  #sinceMs = 0;
  #madeOne = false;
  #retryMs = 0;
  #failure: string | undefined;
  #lastMadeAt: string | null = null;
  #lookedBack = false;
  #busy = false;
  #stopped = false;

  constructor(options: BackupsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#sinceMs = this.#options.clock.monoMs();
    if (this.#options.everyHours > 0) this.#arm();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** `state` is `off`, `ok` or `failed`; `detail` says why it failed, or what is damaged in it, `lastMadeAt` when the newest automatic one was made. */
  health(): JsonObject {
    const state = this.#failure !== undefined ? 'failed' : this.#options.everyHours === 0 ? 'off' : 'ok';
    return { state, lastMadeAt: this.#lastMadeAt, ...(this.#failure === undefined ? {} : { detail: this.#failure }) };
  }

  /** Makes one now, which the timer never removes. Rejects with `BACKUP_FAILED`, `JOURNAL_CLOSED`. */
  make(evidence: boolean, onProgress: (progress: BackupProgress) => void): Promise<BackupMade> {
    return this.#make(ASKED, evidence, onProgress);
  }

  async #make(prefix: string, evidence: boolean, onProgress: (progress: BackupProgress) => void): Promise<BackupMade> {
    const { journal, directory, release, config, clock } = this.#options;
    // The journal refuses a second one itself; here only the remains of one under way must be left alone.
    const alone = !this.#busy;
    this.#busy = true;
    try {
      if (alone) await removeRemains(directory).catch((error: unknown) => this.#options.log.warn({ error: errorText(error) }, 'remains of an old backup stay'));
      const made = await journal.backup({ into: directory, name: freeName(directory, prefix, clock.wallMs()), evidence, release, ...(config === undefined ? {} : { config }) }, onProgress);
      const damage = damageOf(made);
      if (damage !== undefined) this.#options.log.error({ backup: basename(made.path), damage }, 'a backup was made of a damaged journal');
      return made;
    } finally {
      if (alone) this.#busy = false;
    }
  }

  #arm(): void {
    if (this.#stopped) return;
    this.#timer = this.#options.clock.after(LOOK_MS, () => {
      this.#look()
        .catch((error: unknown) => this.#failed(error))
        .finally(() => this.#arm());
    });
  }

  async #look(): Promise<void> {
    const { clock, record } = this.#options;
    if (this.#busy || clock.monoMs() < this.#retryMs || !(await this.#due())) return;
    await this.#lookBack();
    const made = await this.#make(AUTOMATIC, false, () => undefined);
    this.#sinceMs = clock.monoMs();
    this.#madeOne = true;
    this.#lastMadeAt = made.manifest.madeAt;
    const damage = damageOf(made);
    if (damage !== undefined) {
      if (this.#failure !== damage) record({ type: 'journal.backup-failed', payload: { detail: damage } });
    } else if (this.#failure !== undefined) {
      record({ type: 'journal.backup-recovered', payload: { madeAt: made.manifest.madeAt, bytes: made.bytes } });
    }
    this.#failure = damage;
    await this.#removeOld(made.path);
  }

  /**
   * Hours of this run count by the monotonic clock. Before its first backup the newest on disk counts too, so that restarts
   * do not multiply them: by wall time where that is known to be right; one from the future was made by a wrong clock.
   */
  async #due(): Promise<boolean> {
    const { clock, clockTrusted, directory, everyHours } = this.#options;
    const everyMs = everyHours * HOUR_MS;
    if (clock.monoMs() - this.#sinceMs >= everyMs) return true;
    if (this.#madeOne) return false;
    const [newest] = await listBackups(directory, AUTOMATIC);
    if (newest === undefined) return true;
    this.#lastMadeAt = newest.manifest.madeAt;
    const ageMs = clock.wallMs() - Date.parse(newest.manifest.madeAt);
    return clockTrusted() && !(ageMs >= 0 && ageMs < everyMs);
  }

  /** Whether the last run ended with a failure on record. */
  async #lookBack(): Promise<void> {
    if (this.#lookedBack) return;
    const [last] = await this.#options.journal.events({ types: ['journal.backup-failed', 'journal.backup-recovered'], limit: 1, newestFirst: true });
    this.#lookedBack = true;
    const { detail } = last?.payload ?? {};
    if (last?.type === 'journal.backup-failed') this.#failure ??= typeof detail === 'string' ? detail : '';
  }

  #failed(error: unknown): void {
    // A stop breaks a backup off; that is no failure.
    if (this.#stopped) return;
    const { clock, log, record } = this.#options;
    const detail = errorText(error);
    this.#retryMs = clock.monoMs() + RETRY_MS;
    log.error({ error: detail }, 'the backup failed; it is tried again in an hour');
    if (this.#failure === undefined) record({ type: 'journal.backup-failed', payload: { detail } });
    this.#failure = detail;
  }

  /** Only once the new one is whole. A folder that cannot be removed costs room, and no backup. */
  async #removeOld(newest: string): Promise<void> {
    const { directory, keep, log } = this.#options;
    try {
      const listed = await listBackups(directory, AUTOMATIC);
      const inOrder = [...listed.filter(({ path }) => path === newest), ...listed.filter(({ path }) => path !== newest)];
      for (const { path } of surplus(inOrder, keep)) await rm(path, { recursive: true, force: true });
    } catch (error) {
      log.warn({ error: errorText(error) }, 'an old backup could not be removed');
    }
  }
}

function damageOf({ manifest: { verified } }: BackupMade): string | undefined {
  const damage = verified === undefined ? undefined : damageIn(verified);
  return damage === undefined ? undefined : `the journal is damaged, and so is its backup: ${damage}; compare with the platform's record, and keep earlier backups`;
}

/** A name with the time, for people; clocks jump, so it may be taken. */
function freeName(directory: string, prefix: string, wallMs: number): string {
  const stem = `${prefix}${new Date(wallMs).toISOString().slice(0, 19).replaceAll(':', '')}Z`;
  let name = stem;
  for (let count = 2; existsSync(join(directory, name)); count += 1) name = `${stem}-${count}`;
  return name;
}
