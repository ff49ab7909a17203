import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs';
import { hash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { GateError, errorText } from '../base/index.js';

const NAME = /^list-(\d{1,16})\.jsonl$/u;
/** In force, and the one before it. */
const KEPT = 2;
/** A damaged file is put aside under this name, for a supporter; the newest one only. */
const DAMAGED = 'damaged.jsonl';
const NEW = 'new.tmp';

const headSchema = z.object({ version: z.number().int().min(1), digest: z.string(), merged: z.array(z.string()) });
export type FileHead = z.output<typeof headSchema>;

export interface StoredList {
  readonly head: FileHead;
  /** Canonical lines in order of their keys, each with its line feed. */
  readonly text: Buffer;
}

/**
 * A list on disk: one file a version, a line about it first, then its lines. It is written beside the others, brought to
 * the disk and then given its name, so that a cut at any moment leaves a whole list; what it holds is proved by its digest.
 */
export class ListFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * The newest whole list; damaged ones are put aside.
   * @param onDamaged told of each file that is not what it should be
   * @throws the system's error where the directory cannot be read
   */
  newest(onDamaged: (file: string, why: string) => void): StoredList | undefined {
    for (const version of this.#versions()) {
      const file = nameOf(version);
      try {
        return this.#read(version);
      } catch (error) {
        onDamaged(file, errorText(error));
        this.#putAside(file);
      }
    }
    return undefined;
  }

  /** Where it cannot be moved (a disk that takes no writes) the one before counts all the same. */
  #putAside(file: string): void {
    try {
      renameSync(join(this.#directory, file), join(this.#directory, DAMAGED));
    } catch {
      // What is wrong with the file is told already; the next start finds it again.
    }
  }

  /** @throws GateError LIST_WRITE_FAILED, and then the list before is still the newest */
  write(head: FileHead, text: Uint8Array): void {
    const path = join(this.#directory, NEW);
    try {
      if (mkdirSync(this.#directory, { recursive: true, mode: 0o700 }) !== undefined) syncDirectory(dirname(this.#directory));
      const file = openSync(path, 'w', 0o600);
      try {
        writeWhole(file, Buffer.from(`${JSON.stringify(head)}\n`));
        writeWhole(file, text);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(path, join(this.#directory, nameOf(head.version)));
      syncDirectory(this.#directory);
    } catch (error) {
      this.#clear(path);
      throw new GateError('LIST_WRITE_FAILED', `the list cannot be written to ${this.#directory} (${errorText(error)}); free some space there`, {}, error);
    }
    for (const version of this.#versions().slice(KEPT)) rmSync(join(this.#directory, nameOf(version)), { force: true });
  }

  /** What a failed write left; where not even that can go, the next write overwrites it. */
  #clear(path: string): void {
    try {
      rmSync(path, { force: true });
    } catch {
      // The reason for the failure is told already.
    }
  }

  #versions(): readonly number[] {
    let names: readonly string[];
    try {
      names = readdirSync(this.#directory);
    } catch (error) {
      // No such directory: no list has ever come. Anything else hides one that may be there.
      if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return [];
      throw error;
    }
    return names.flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number).sort((a, b) => b - a);
  }

  #read(version: number): StoredList {
    const bytes = readFileSync(join(this.#directory, nameOf(version)));
    const end = bytes.indexOf(0x0a);
    if (end < 0) throw new GateError('LIST_DAMAGED', 'the file is cut short');
    const head = headSchema.parse(JSON.parse(bytes.subarray(0, end).toString('utf8')));
    const text = bytes.subarray(end + 1);
    if (head.version !== version || hash('sha256', text, 'hex') !== head.digest) throw new GateError('LIST_DAMAGED', 'the digest does not fit the entries');
    return { head, text };
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function writeWhole(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength; ) at += writeSync(file, bytes, at);
}

function nameOf(version: number): string {
  return `list-${version}.jsonl`;
}
