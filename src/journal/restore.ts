import SqliteDatabase from 'better-sqlite3';
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GateError, errorText, isGateError } from '../base/index.js';
import { BackupFolder, INSTEAD, copyFile } from './backup.js';
import { CONFIG_NAME, DATABASE_NAME, MANIFEST_NAME, damageIn, type BackupManifest } from './backup-manifest.js';
import { canonicalJson } from './canonical.js';
import { openDatabase } from './database.js';
import type { SequenceRange } from './declared.js';
import { makeDirectory, syncDirectory, syncFile } from './files.js';
import { holdJournal } from './hold.js';
import { inspect } from './inspect.js';
import { REBUILT_NAME, hashBefore, pathAside, salvage, setAside, shortName } from './salvage.js';
import { migrate, migrations } from './schema.js';
import { GENESIS_STATE, RESTORED_KEY, readState, writeState } from './store.js';

export interface Restored {
  readonly manifest: BackupManifest;
  /** Events whose chain was walked before anything was changed. */
  readonly checked: number;
  /** What was wrong with the backup, and could be read of it; null where it was whole. */
  readonly salvaged: Salvaged | null;
  /** Where the journal that was there lies now; null where there was none. */
  readonly setAside: string | null;
  /** Photographs brought back. */
  readonly photographs: number;
  /** The configuration file in the backup; restoring leaves the one in use alone. */
  readonly config: string | null;
}

export interface Salvaged {
  readonly damage: string;
  readonly events: number;
  readonly facts: number;
  /** Photographs that it knows of. */
  readonly photographs: number;
  /** Sequences below the last event that are missing. */
  readonly missing: readonly SequenceRange[];
}

/**
 * Puts a backup in the place of the journal of a gate that does not run. Checks the manifest and walks the chain before it
 * changes anything; sets aside what is there, and deletes nothing. The next start takes numbers that no start after the
 * backup can have used, and declares what lies between lost (see `numbering.ts`), and what is missing in a damaged one.
 * @param gateId of the configuration, where it is known
 * @param damaged whether to put back what can be read of a damaged backup, as a start does with a damaged journal
 * @throws GateError JOURNAL_IN_USE, BACKUP_INVALID (damaged, of another gate), JOURNAL_VERSION_UNKNOWN (of a newer release),
 * JOURNAL_WRITE_FAILED (the disk refuses; then what was there is still there, or set aside, and restoring can be tried again)
 */
export async function restoreBackup(backup: string, journal: string, now: { readonly wallMs: number }, gateId?: string, damaged: 'refuse' | 'salvage' = 'refuse'): Promise<Restored> {
  const folder = BackupFolder.open(backup);
  const { manifest } = folder;
  if (gateId !== undefined && manifest.gate !== gateId) {
    throw new GateError('BACKUP_INVALID', `the backup is of gate ${manifest.gate}, this box is ${gateId}; take a backup of this gate, or set site.id and gate.id as they were`, { backup: manifest.gate, gate: gateId });
  }
  const newest = migrations.at(-1)?.version ?? 0;
  if (manifest.journal.schema > newest) {
    throw new GateError('JOURNAL_VERSION_UNKNOWN', `the backup has journal version ${manifest.journal.schema}, this release knows ${newest}; install release ${manifest.release} first`, {});
  }
  const faults = new Map([...folder.faults()].map(({ path, fault }) => [path, fault]));
  const [fault] = faults.values();
  if (fault !== undefined && (damaged === 'refuse' || !existsSync(join(backup, DATABASE_NAME)))) throw fault;
  const letGo = holdJournal(journal);
  const temporary = join(journal, '.restore.tmp');
  try {
    rmSync(temporary, { recursive: true, force: true });
    makeDirectory(temporary);
    const database = join(temporary, DATABASE_NAME);
    copyFile(join(backup, DATABASE_NAME), database);
    const { checked, damage } = await checkDatabase(database, manifest, faults.get(DATABASE_NAME));
    if (damage !== undefined && damaged === 'refuse') throw new GateError('BACKUP_INVALID', `the journal in the backup is damaged: ${damage}; ${INSTEAD}`, { damage });
    const salvaged = damage === undefined ? null : salvageDatabase(database, damage, manifest);
    const photographs = restorePhotographs(folder, journal, faults);
    mark(database, manifest, salvaged?.missing ?? []);
    const current = join(journal, DATABASE_NAME);
    const aside = existsSync(current) || existsSync(`${current}-wal`) ? pathAside(join(journal, 'replaced'), `replaced-${Math.round(now.wallMs)}`) : null;
    // Whenever it is cut off, a start goes on with the journal that was there, or with this one.
    const rebuilt = join(journal, REBUILT_NAME);
    renameSync(database, rebuilt);
    syncDirectory(journal);
    if (aside !== null) setAside(current, aside);
    renameSync(rebuilt, current);
    syncDirectory(journal);
    const config = folder.has(CONFIG_NAME) && !faults.has(CONFIG_NAME) ? join(backup, CONFIG_NAME) : null;
    return { manifest, checked, salvaged, setAside: aside === null ? null : join('replaced', shortName(aside)), photographs, config };
  } catch (error) {
    if (isGateError(error)) throw error;
    throw new GateError('JOURNAL_WRITE_FAILED', `the backup could not be put in place: ${errorText(error)}; check the disk, then try again`, {}, error);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
    letGo();
  }
}

/** @param changed what is known to be wrong with the file */
async function checkDatabase(path: string, { journal }: BackupManifest, changed: GateError | undefined): Promise<{ readonly checked: number; readonly damage: string | undefined }> {
  if (changed !== undefined) return { checked: 0, damage: 'it is not as it was written' };
  const found = await inspect(path, () => undefined);
  const damage = damageIn(found);
  if (damage !== undefined) return { checked: found.checked, damage };
  const db = new SqliteDatabase(path, { readonly: true });
  try {
    const state = readState(db);
    const ends = state?.head === journal.head && state.headHash === journal.headHash && state.epoch === journal.epoch;
    return { checked: found.checked, damage: ends ? undefined : 'it does not end as the manifest says' };
  } finally {
    db.close();
  }
}

/** Puts in its place what can be read of a damaged database, which stays in the backup. */
function salvageDatabase(path: string, damage: string, { gate, journal, guard }: BackupManifest): Salvaged {
  const rebuilt = `${path}.rebuilt`;
  const db = openDatabase(rebuilt, false);
  let salvaged: Salvaged;
  try {
    migrate(db, migrations, { backup: () => undefined, gate });
    const { state = GENESIS_STATE, epoch, last, lastHash, named, missing, events, facts, evidence } = salvage(path, db, gate, { pruned: journal.prunedThrough });
    const { prunedThrough, prunedHash } = state.prunedThrough < journal.prunedThrough ? { prunedThrough: journal.prunedThrough, prunedHash: hashBefore(db) } : state;
    writeState(db, {
      ...state,
      prunedThrough,
      prunedHash,
      epoch: Math.max(state.epoch, epoch, journal.epoch),
      head: Math.max(last, prunedThrough),
      headHash: last > prunedThrough ? lastHash : prunedHash,
      reserved: Math.max(state.reserved, journal.head, named, guard?.reserved ?? 0),
      acknowledged: Math.max(state.acknowledged, journal.acknowledged),
    });
    // One file, without a log beside it.
    db.pragma('journal_mode = DELETE');
    salvaged = { damage, events, facts: facts.copied, photographs: evidence.copied, missing };
  } finally {
    db.close();
  }
  syncFile(rebuilt);
  renameSync(rebuilt, path);
  return salvaged;
}

/** Brings back the photographs that are not there: their names are the hashes of their bytes. */
function restorePhotographs(folder: BackupFolder, journal: string, faults: ReadonlyMap<string, GateError>): number {
  let count = 0;
  for (const { path } of folder.manifest.files) {
    if (!path.startsWith('evidence/') || faults.has(path)) continue;
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
function mark(path: string, { madeAt, release, journal: { epoch, head } }: BackupManifest, missing: readonly SequenceRange[]): void {
  const db = new SqliteDatabase(path);
  try {
    db.pragma('synchronous = FULL');
    db.prepare('INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)').run(RESTORED_KEY, canonicalJson({ madeAt, release, epoch, head, missing: missing.map(({ first, last }) => ({ first, last })) }));
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
