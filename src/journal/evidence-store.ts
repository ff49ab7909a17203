import { hash } from 'node:crypto';
import { chmod, open, readdir, readFile, rename, rm, stat, unlink } from 'node:fs/promises';
import { existsSync, readdirSync, statSync, unlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { GateError } from '../base/index.js';
import { DIRECTORY_MODE, FILE_MODE, makeDirectory, syncDirectory, systemCode } from './files.js';

/** The store's folder in a journal's directory. */
export const EVIDENCE_NAME = 'evidence';
const EVIDENCE_ID = /^[0-9a-f]{64}$/u;
/** A photograph beyond this is no photograph of a gate. */
export const MOST_EVIDENCE_BYTES = 16 * 1024 * 1024;

/** A photograph as it lies on the disk, whether a row knows it or not. */
export interface PictureFile {
  readonly id: string;
  readonly path: string;
  readonly bytes: number;
  readonly mtimeMs: number;
}

/** All pictures below a store's folder, by their files: also where no row can be read. */
export function picturesIn(directory: string): PictureFile[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true }).flatMap((entry) => {
    const path = join(entry.parentPath, entry.name);
    const id = `${basename(entry.parentPath)}${basename(entry.name, '.jpg')}`;
    const state = entry.isFile() && EVIDENCE_ID.test(id) ? statSync(path, { throwIfNoEntry: false }) : undefined;
    return state === undefined ? [] : [{ id, path, bytes: state.size, mtimeMs: state.mtimeMs }];
  });
}

/**
 * Photographs as files named by the SHA-256 of their bytes: `ab/cdef….jpg`. Written beside, synced, renamed, so that a
 * name never stands for half a picture.
 */
export class EvidenceStore {
  readonly #directory: string;
  #temporary = 0;

  constructor(directory: string) {
    this.#directory = directory;
    makeDirectory(directory);
  }

  path(id: string): string {
    return join(this.#directory, id.slice(0, 2), `${id.slice(2)}.jpg`);
  }

  /**
   * @returns id of the stored bytes
   * @throws GateError EVENT_INVALID for an empty or oversized picture; the file system's own errors
   */
  async save(jpeg: Uint8Array): Promise<string> {
    if (jpeg.byteLength === 0 || jpeg.byteLength > MOST_EVIDENCE_BYTES) {
      throw new GateError('EVENT_INVALID', `a photograph of ${jpeg.byteLength} bytes is refused; 1 to ${MOST_EVIDENCE_BYTES} bytes are kept`);
    }
    const id = hash('sha256', Buffer.from(jpeg.buffer, jpeg.byteOffset, jpeg.byteLength), 'hex');
    const path = this.path(id);
    const directory = dirname(path);
    makeDirectory(directory);
    if (await this.#intact(id)) {
      // It may be of a save that failed, or was killed, before its name was on the disk.
      syncDirectory(directory);
      return id;
    }
    this.#temporary += 1;
    const temporary = join(directory, `.${id.slice(2, 10)}-${this.#temporary}.tmp`);
    try {
      const file = await open(temporary, 'w', FILE_MODE);
      try {
        await file.writeFile(jpeg);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      syncDirectory(directory);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    return id;
  }

  /** Undefined where there is no such picture, or where its bytes are not the ones that were stored. */
  async read(id: string): Promise<Uint8Array | undefined> {
    if (!EVIDENCE_ID.test(id)) return undefined;
    try {
      const bytes = await readFile(this.path(id));
      return hash('sha256', bytes, 'hex') === id ? new Uint8Array(bytes) : undefined;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /**
   * Synchronous, because a full disk is made room on in the middle of a failed write.
   * @returns whether there was one
   */
  remove(id: string): boolean {
    try {
      unlinkSync(this.path(id));
      return true;
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      return false;
    }
  }

  /** All pictures, the oldest first by the files' own times: for when no row can be read. */
  oldestFirst(): PictureFile[] {
    return picturesIn(this.#directory).sort((one, other) => one.mtimeMs - other.mtimeMs);
  }

  /**
   * Clears one of the 256 folders of half-written files and of pictures that no row knows and that are older than
   * `oldestMs` (by the file's own time): those of a kill between the file and its row.
   */
  async sweep(folder: number, oldestMs: number, known: (id: string) => boolean): Promise<void> {
    const prefix = folder.toString(16).padStart(2, '0');
    const directory = join(this.#directory, prefix);
    let names: string[];
    try {
      names = await readdir(directory);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return;
      throw error;
    }
    for (const name of names) {
      const path = join(directory, name);
      if (!name.endsWith('.tmp') && known(prefix + name.replace('.jpg', ''))) continue;
      const { mtimeMs } = await stat(path);
      if (mtimeMs < oldestMs) await unlink(path);
    }
  }

  /** Makes the folders private to the gate's user, also those of an older release or a careless copy. */
  async protect(): Promise<void> {
    await chmod(this.#directory, DIRECTORY_MODE);
  }

  /** Held against its hash: a failing disk leaves a file its size. */
  async #intact(id: string): Promise<boolean> {
    try {
      return (await this.read(id)) !== undefined;
    } catch {
      // One that cannot be read is written anew; what is in the way of that says so itself.
      return false;
    }
  }
}
