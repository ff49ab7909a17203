import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as z from 'zod/mini';
import { GateError, isGateError } from '../base/index.js';
import { systemClock } from '../base/system-clock.js';
import { loadConfig, maskText, readConfigText } from '../config/index.js';
import { packageVersion } from '../daemon/version.js';
import { assertJournal, damageIn, holdJournal, makeBackup, moveBackup } from '../journal/offline.js';
import { controlSocketPath } from '../web/view.js';
import { configPath, dataDirectory, exitStatus, type GlobalOptions } from './context.js';
import { ControlClient, refusalFrom } from './control-client.js';
import { untilInterrupted } from './devices.js';
import { connectionEnded } from './events.js';
import { complain, print } from './output.js';

export interface BackUpOptions {
  /** Where the new folder is put; the gate's own folder of backups where undefined. */
  readonly into: string | undefined;
  readonly evidence: boolean;
  readonly json: boolean;
}

const madeSchema = z.object({
  path: z.string(),
  bytes: z.number(),
  manifest: z.object({ gate: z.string(), madeAt: z.string(), journal: z.object({ epoch: z.number(), head: z.number(), acknowledged: z.number() }), files: z.array(z.unknown()), verified: z.optional(z.object({ checked: z.number(), brokenAt: z.nullable(z.number()), unreadable: z.array(z.string()) })) }),
});
type Made = z.output<typeof madeSchema>;
const progressSchema = z.object({ part: z.enum(['journal', 'check', 'photographs']), done: z.number(), total: z.number() });
type Progress = z.output<typeof progressSchema>;
const messageSchema = z.discriminatedUnion('kind', [
  z.extend(progressSchema, { kind: z.literal('progress') }),
  z.extend(madeSchema, { kind: z.literal('made') }),
  z.object({ kind: z.literal('failed'), error: z.object({ code: z.string(), message: z.string() }) }),
]);

/**
 * `gatectl backup`: of the running gate over its control socket, else of a stopped one's files. Fails where the journal in
 * the backup is damaged, which is made all the same.
 * @throws GateError BACKUP_FAILED, JOURNAL_CLOSED (no journal there), JOURNAL_IN_USE, CONFIG_*
 */
export async function backUp(globals: GlobalOptions, { into, evidence, json }: BackUpOptions): Promise<number> {
  const data = await dataDirectory(globals);
  const progress = new ProgressLine();
  let made: Made;
  try {
    made = await backUpRunning(data, evidence, (now) => progress.show(now));
    if (into !== undefined) made = { ...made, path: moveBackup(made.path, resolve(into)) };
  } catch (cause) {
    if (!isGateError(cause, 'CONTROL_UNREACHABLE') || !/not running/u.test(cause.message)) throw cause;
    made = await backUpStopped(globals, data, into, evidence, (now) => progress.show(now));
  } finally {
    progress.end();
  }
  const { path, bytes, manifest } = made;
  const damage = manifest.verified === undefined ? undefined : damageIn(manifest.verified);
  if (json) print(JSON.stringify({ path, bytes, gate: manifest.gate, madeAt: manifest.madeAt, ...manifest.journal, files: manifest.files.length, damage: damage ?? null }));
  else print(`${path}\n${manifest.journal.head} events, ${manifest.files.length} files, ${(bytes / 1_000_000).toFixed(1)} MB. Put back with: gatectl restore ${damage === undefined ? '' : '--salvage '}${path}`);
  if (damage === undefined) return exitStatus.ok;
  complain(`The journal is damaged, and so is this backup of it: ${damage}. It holds what can still be read. Keep earlier backups, and compare with the platform's record.`);
  return exitStatus.failed;
}

/** The gate itself writes into its data directory: systemd lets it write nowhere else. */
async function backUpRunning(data: string, evidence: boolean, onProgress: (progress: Progress) => void): Promise<Made> {
  const stop = untilInterrupted();
  let made: Made | undefined;
  let failed: GateError | undefined;
  const onLine = (text: string): void => {
    const message = messageSchema.safeParse(JSON.parse(text));
    if (!message.success) return;
    if (message.data.kind === 'progress') onProgress(message.data);
    else if (message.data.kind === 'made') made = message.data;
    else failed = refusalFrom(message.data.error);
  };
  const asked = await new ControlClient(controlSocketPath(data)).postAndFollow('/api/journal/backup.jsonl', { evidence }, onLine, stop.signal);
  if (failed !== undefined) throw failed;
  if (made !== undefined) return made;
  if (asked) throw new GateError('BACKUP_FAILED', `Interrupted; the gate goes on with the backup, which will be in ${join(data, 'backup')}.`);
  throw connectionEnded();
}

async function backUpStopped(globals: GlobalOptions, data: string, into: string | undefined, evidence: boolean, onProgress: (progress: Progress) => void): Promise<Made> {
  const path = configPath(globals);
  const { site, gate } = await loadConfig(path);
  const config = maskText(await readConfigText(path));
  const journal = join(data, 'journal');
  assertJournal(journal);
  assertUser(data);
  const letGo = holdJournal(journal);
  const stop = untilInterrupted();
  try {
    const wallMs = systemClock.wallMs();
    const name = `manual-${new Date(wallMs).toISOString().slice(0, 19).replaceAll(':', '')}Z`;
    const request = { journal, into: resolve(into ?? join(data, 'backup')), name, gateId: `${site.id}-${gate.id}`, evidence, config, wallMs, clockTrusted: false, release: packageVersion(), pace: false };
    return z.parse(madeSchema, await makeBackup(request, () => stop.signal.aborted, onProgress));
  } finally {
    letGo();
  }
}

/**
 * Files that root makes cannot be opened by the gate afterwards.
 * @throws GateError CLI_USAGE
 */
export function assertUser(data: string): void {
  const owner = statSync(data, { throwIfNoEntry: false })?.uid ?? 0;
  if (process.getuid?.() === 0 && owner !== 0) {
    throw new GateError('CLI_USAGE', `${data} belongs to another user; run this as that user, e.g. sudo -u laurel gatectl …`, { data, owner });
  }
}

/** How far it is: redrawn on a terminal, now and then a line elsewhere. */
class ProgressLine {
  #said = -1;
  #part = '';

  show({ part, done, total }: Progress): void {
    const percent = total === 0 ? 100 : Math.floor((100 * done) / total);
    const step = process.stderr.isTTY ? percent : Math.floor(percent / 25);
    if (part === this.#part && step === this.#said) return;
    this.#part = part;
    this.#said = step;
    if (process.stderr.isTTY) process.stderr.write(`\r${part} ${percent} %   `);
    else complain(`${part} ${percent} %`);
  }

  end(): void {
    if (process.stderr.isTTY && this.#said >= 0) process.stderr.write('\n');
  }
}
