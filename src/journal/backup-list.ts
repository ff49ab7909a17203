import { readFileSync, readdirSync } from 'node:fs';
import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isGateError } from '../base/index.js';
import { MANIFEST_NAME, isVerified, parseManifest, type BackupManifest } from './backup-manifest.js';
import { systemCode } from './files.js';
import type { ExpendableBackups } from './protocol.js';

export interface ListedBackup {
  readonly path: string;
  readonly manifest: BackupManifest;
}

/**
 * Whole backups in a folder whose names begin with `prefix`, the newest first: by what they hold, since clocks jump. What
 * is no backup is passed over. Loads no SQLite.
 */
export async function listBackups(directory: string, prefix: string): Promise<readonly ListedBackup[]> {
  const found: ListedBackup[] = [];
  for (const name of await namesIn(directory)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(directory, name);
    try {
      found.push({ path, manifest: parseManifest(await readFile(join(path, MANIFEST_NAME), 'utf8'), path) });
    } catch (error) {
      if (!isGateError(error, 'BACKUP_INVALID') && !['ENOENT', 'ENOTDIR'].includes(systemCode(error))) throw error;
    }
  }
  return found.sort(newestFirst);
}

function newestFirst({ manifest: one }: ListedBackup, { manifest: other }: ListedBackup): number {
  return other.journal.epoch - one.journal.epoch || other.journal.head - one.journal.head || other.madeAt.localeCompare(one.madeAt);
}

/**
 * Those that give way once there are more than `keep`. One that was found whole never gives way to one that was not: of the
 * others stay as many as fit beside, and the newest of all.
 * @param backups the newest first
 */
export function surplus(backups: readonly ListedBackup[], keep: number): readonly ListedBackup[] {
  const [newest] = backups;
  const whole = backups.filter(({ manifest }) => isVerified(manifest)).slice(0, keep);
  const others = backups.filter(({ manifest }) => !isVerified(manifest));
  const room = Math.max(keep - whole.length, newest !== undefined && newest === others[0] ? 1 : 0);
  const stay = new Set([...whole, ...others.slice(0, room)]);
  return backups.filter((backup) => !stay.has(backup));
}

/** Paths of the backups that give way, those found whole first, the newest first; for the journal's own thread. @throws ENOENT */
export function automaticBackups({ directory, prefix }: ExpendableBackups): string[] {
  const [listed, damaged]: [ListedBackup[], string[]] = [[], []];
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(directory, name);
    try {
      listed.push({ path, manifest: parseManifest(readFileSync(join(path, MANIFEST_NAME), 'utf8'), path) });
    } catch {
      damaged.push(path);
    }
  }
  listed.sort((one, other) => Number(isVerified(other.manifest)) - Number(isVerified(one.manifest)) || newestFirst(one, other));
  return [...listed.map(({ path }) => path), ...damaged];
}

/** Removes what a power cut left of a backup. Only while none is being made there. */
export async function removeRemains(directory: string): Promise<void> {
  for (const name of await namesIn(directory)) {
    if (/^\..+\.tmp$/u.test(name)) await rm(join(directory, name), { recursive: true, force: true });
  }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
