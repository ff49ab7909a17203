import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';

/** Only the gate's own user reads plates, photographs and commands. */
export const FILE_MODE = 0o600;
export const DIRECTORY_MODE = 0o700;

export function makeDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE });
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
