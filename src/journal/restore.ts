import SqliteDatabase from 'better-sqlite3';
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GateError, errorText, isGateError } from '../base/index.js';
import { BackupFolder, copyFile } from './backup.js';
import { CONFIG_NAME, DATABASE_NAME, MANIFEST_NAME, type BackupManifest } from './backup-manifest.js';
import { canonicalJson } from './canonical.js';
import { makeDirectory, syncDirectory } from './files.js';
import { holdJournal } from './hold.js';
import { pathAside, setAside, shortName } from './salvage.js';
import { migrations } from './schema.js';
import { RESTORED_KEY, readState } from './store.js';
import { verifyDatabase } from './verify-file.js';

export interface Restored {
  readonly manifest: BackupManifest;
  /** Events whose chain was walked before anything was changed. */
  readonly checked: number;
  /** Where the journal that was there lies now; null where there was none. */
  readonly setAside: string | null;
  /** Photographs brought back. */
  readonly photographs: number;
  /** The configuration file in the backup; restoring leaves the one in use alone. */
  readonly config: string | null;
}

/**
 * Puts a backup in the place of the journal of a gate that does not run. Checks the manifest and walks the chain before it
 * changes anything; sets aside what is there, and deletes nothing. The next start takes numbers that no start after the
 * backup can have used, and declares what lies between lost (see `numbering.ts`).
 * @param gateId of the configuration, where it is known
 * @throws GateError JOURNAL_IN_USE, BACKUP_INVALID (damaged, of another gate), JOURNAL_VERSION_UNKNOWN (of a newer release),
 * JOURNAL_WRITE_FAILED (the disk refuses; then what was there is still there, or set aside, and restoring can be tried again)
 */
export async function restoreBackup(backup: string, journal: string, now: { readonly wallMs: number }, gateId?: string): Promise<Restored> {
  const folder = BackupFolder.open(backup);
  const { manifest } = folder;
  if (gateId !== undefined && manifest.gate !== gateId) {
    throw new GateError('BACKUP_INVALID', `the backup is of gate ${manifest.gate}, this box is ${gateId}; take a backup of this gate, or set site.id and gate.id as they were`, { backup: manifest.gate, gate: gateId });
  }
  const newest = migrations.at(-1)?.version ?? 0;
  if (manifest.journal.schema > newest) {
    throw new GateError('JOURNAL_VERSION_UNKNOWN', `the backup has journal version ${manifest.journal.schema}, this release knows ${newest}; install release ${manifest.release} first`, {});
  }
  folder.check();
  const letGo = holdJournal(journal);
  const temporary = join(journal, '.restore.tmp');
  try {
    rmSync(temporary, { recursive: true, force: true });
    makeDirectory(temporary);
    const database = join(temporary, DATABASE_NAME);
    copyFile(join(backup, DATABASE_NAME), database);
    const checked = await checkDatabase(database, manifest);
    const photographs = restorePhotographs(folder, journal);
    mark(database, manifest);
    const current = join(journal, DATABASE_NAME);
    const aside = existsSync(current) || existsSync(`${current}-wal`) ? pathAside(join(journal, 'replaced'), `replaced-${Math.round(now.wallMs)}`) : null;
    if (aside !== null) setAside(current, aside);
    renameSync(database, current);
    syncDirectory(journal);
    const config = folder.has(CONFIG_NAME) ? join(backup, CONFIG_NAME) : null;
    return { manifest, checked, setAside: aside === null ? null : join('replaced', shortName(aside)), photographs, config };
  } catch (error) {
    if (isGateError(error)) throw error;
    throw new GateError('JOURNAL_WRITE_FAILED', `the backup could not be put in place: ${errorText(error)}; check the disk, then try again`, {}, error);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
    letGo();
  }
}

async function checkDatabase(path: string, { journal }: BackupManifest): Promise<number> {
  const { checked, brokenAt } = await verifyDatabase(path);
  if (brokenAt !== null) throw new GateError('BACKUP_INVALID', `the chain of the backup breaks at event ${brokenAt}; use another backup`, { brokenAt });
  const db = new SqliteDatabase(path, { readonly: true });
  try {
    const state = readState(db);
    if (state?.head !== journal.head || state.headHash !== journal.headHash || state.epoch !== journal.epoch) {
      throw new GateError('BACKUP_INVALID', 'the database of the backup does not end as its manifest says; use another backup', {});
    }
  } finally {
    db.close();
  }
  return checked;
}

/** Brings back the photographs that are not there: their names are the hashes of their bytes. */
function restorePhotographs(folder: BackupFolder, journal: string): number {
  let count = 0;
  for (const { path } of folder.manifest.files) {
    if (!path.startsWith('evidence/')) continue;
    const target = join(journal, path);
    if (existsSync(target)) continue;
    makeDirectory(dirname(target));
    const temporary = `${target}.tmp`;
    rmSync(temporary, { force: true });
    copyFile(join(folder.path, path), temporary);
    renameSync(temporary, target);
    syncDirectory(dirname(target));
    count += 1;
  }
  return count;
}

/** Tells the next start that numbers above may be used already. In the database itself: no kill can part the two. */
function mark(path: string, { madeAt, release, journal: { epoch, head } }: BackupManifest): void {
  const db = new SqliteDatabase(path);
  try {
    db.pragma('synchronous = FULL');
    db.prepare('INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)').run(RESTORED_KEY, canonicalJson({ madeAt, release, epoch, head }));
  } finally {
    db.close();
  }
}

/**
 * Moves a backup that was just made into another folder, on whichever disk, whole or not at all.
 * @returns its new path
 * @throws GateError BACKUP_FAILED; then it stays where it was
 */
export function moveBackup(from: string, into: string): string {
  const name = shortName(from);
  const target = join(into, name);
  const temporary = join(into, `.${name}.tmp`);
  try {
    makeDirectory(into);
    if (existsSync(target)) throw new GateError('BACKUP_FAILED', `${target} is there already; name another folder`, { target });
    const { manifest } = BackupFolder.open(from);
    rmSync(temporary, { recursive: true, force: true });
    for (const path of [...manifest.files.map((file) => file.path), MANIFEST_NAME]) {
      makeDirectory(dirname(join(temporary, path)));
      copyFile(join(from, path), join(temporary, path));
    }
    BackupFolder.open(temporary).check();
    for (const folder of folders(temporary)) syncDirectory(folder);
    renameSync(temporary, target);
    syncDirectory(into);
    rmSync(from, { recursive: true, force: true });
    return target;
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (isGateError(error)) throw error;
    throw new GateError('BACKUP_FAILED', `the backup could not be moved to ${into}: ${errorText(error)}; it is at ${from}`, { path: from }, error);
  }
}

function* folders(directory: string): Generator<string> {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (statSync(path).isDirectory()) yield* folders(path);
  }
  yield directory;
}
