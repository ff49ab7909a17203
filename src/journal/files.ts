import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Only the gate's own user reads plates, photographs and commands. */
export const FILE_MODE = 0o600;
export const DIRECTORY_MODE = 0o700;

/** Directories whose names this process has synchronised. */
const lasting = new Set<string>();

/**
 * Makes a directory, and those above it, whose names survive a power cut. One that is there already may be what a killed
 * process left, its name not on the disk yet.
 */
export function makeDirectory(path: string): void {
  const wanted = resolve(path);
  const first = mkdirSync(wanted, { recursive: true, mode: DIRECTORY_MODE });
  if (first === undefined && lasting.has(wanted)) return;
  for (let made = wanted; ; made = dirname(made)) {
    try {
      syncDirectory(dirname(made));
    } catch (error) {
      // One that was there lies in a directory of somebody else, who need not let it be read.
      if (first !== undefined || systemCode(error) !== 'EACCES') throw error;
    }
    if (first === undefined || made === first) break;
  }
  lasting.add(wanted);
}

/** Waits until a file is on the disk, whole or (`fdatasyncSync`) its bytes alone. */
export function syncFile(path: string, sync: (handle: number) => void = fsyncSync): void {
  const handle = openSync(path, 'r+');
  try {
    sync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Makes a rename or a new name in a directory survive a power cut. */
export function syncDirectory(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** The operating system's code of an error (`ENOENT`), or SQLite's (`SQLITE_FULL`); empty when it has none. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
