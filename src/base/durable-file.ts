import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Owner and mode of a file that takes another's place. */
export interface FileOwner {
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** Makes a rename or a new name in a directory survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}

/**
 * Puts a text in the place of a file so that after a power cut there is either the old or the new one, whole. Rejects with
 * the system's error, and then nothing was changed.
 * @param before called when the new text is on disk and not yet in its place
 */
export async function replaceDurably(path: string, text: string, owner: FileOwner, before: () => Promise<void> = () => Promise.resolve()): Promise<void> {
  const fresh = `${path}.new`;
  try {
    const file = await open(fresh, 'w', owner.mode);
    try {
      await file.writeFile(text);
      if (owner.uid !== undefined && owner.gid !== undefined) await file.chown(owner.uid, owner.gid).catch(() => undefined);
      await file.sync();
    } finally {
      await file.close();
    }
    await before();
    await rename(fresh, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}
