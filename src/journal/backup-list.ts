import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isGateError } from '../base/index.js';
import { MANIFEST_NAME, parseManifest, type BackupManifest } from './backup-manifest.js';
import { systemCode } from './files.js';

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
  return found.sort(({ manifest: one }, { manifest: other }) => other.journal.epoch - one.journal.epoch || other.journal.head - one.journal.head || other.madeAt.localeCompare(one.madeAt));
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
