import { randomFillSync } from 'node:crypto';
import { closeSync, fsyncSync, openSync, rmSync, statSync, statfsSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { FILE_MODE } from './files.js';

/** Free space needed before the ballast is filled again, as a multiple of it. */
export const REFILL_FACTOR = 2;

/**
 * A file that only takes up room. On a full disk SQLite cannot even delete, because a delete writes too; giving the
 * ballast up makes the few megabytes in which the oldest photographs and events can be removed.
 */
export class Ballast {
  readonly #path: string;
  readonly #bytes: number;

  constructor(path: string, bytes: number) {
    this.#path = path;
    // Of a part of a megabyte in the configuration; a file has whole bytes.
    this.#bytes = Math.ceil(bytes);
  }

  get held(): boolean {
    try {
      return statSync(this.#path).size >= this.#bytes;
    } catch {
      return false;
    }
  }

  release(): void {
    rmSync(this.#path, { force: true });
  }

  /** Fills the ballast where the disk has room for it and as much again. Random bytes, so that no file system squeezes them. */
  refill(): void {
    if (this.#bytes === 0 || this.held || freeBytes(dirname(this.#path)) < this.#bytes * REFILL_FACTOR) return;
    try {
      const handle = openSync(this.#path, 'w', FILE_MODE);
      try {
        const chunk = Buffer.allocUnsafe(64 * 1024);
        for (let written = 0; written < this.#bytes; written += chunk.length) writeSync(handle, randomFillSync(chunk), 0, Math.min(chunk.length, this.#bytes - written));
        fsyncSync(handle);
      } finally {
        closeSync(handle);
      }
    } catch {
      this.release();
    }
  }
}

/** Bytes a file may still take on the file system of a directory. */
export function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}
