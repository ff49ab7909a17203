import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { GateError } from '../../src/base/index.js';

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;
const HEADER_BYTES = 32;

/**
 * What is left of the writes that were not synchronised when the power went: `none` of them, those up to some moment
 * (`ordered`), each sector in any state it had since the last synchronisation (`torn`), or `mostly` all but some sectors.
 */
export const cutKinds = ['none', 'ordered', 'torn', 'mostly'] as const;
export type CutKind = (typeof cutKinds)[number];

interface Change {
  readonly order: number;
  readonly offset: number;
  /** Undefined: cut (or grown) to `offset` bytes. */
  readonly data: Buffer | undefined;
  /** Linux holds what a failed synchronisation left for clean: no later one writes it, though it is read from memory. */
  forsaken?: true;
}

interface Inode {
  durable: Buffer;
  pending: Change[];
  /** Size with all changes. */
  size: number;
}

type NameChange =
  | { readonly kind: 'link'; readonly path: string; readonly inode: number }
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly path: string };

/**
 * A directory as a disk may hold it after a power cut. Pessimistic as POSIX: a file's bytes are sure once the file was
 * synchronised, a name once its directory was.
 */
export class DiskImage {
  readonly #root: string;
  readonly #inodes = new Map<number, Inode>();
  readonly #names = new Map<string, number>();
  readonly #directories = new Set<string>();
  /** The file that has a number of the file system now: numbers of deleted files are given out again. */
  readonly #current = new Map<number, number>();
  #files = 0;
  #pendingNames: NameChange[] = [];
  #order = 0;

  /** Takes what lies below `root` as durable. */
  constructor(root: string) {
    this.#root = root;
    if (!existsSync(root)) return;
    for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const name = relative(root, path);
      if (entry.isDirectory()) this.#directories.add(name);
      else if (!name.endsWith('-shm')) {
        const inode = this.#enter(statSync(path).ino);
        const durable = readFileSync(path);
        this.#names.set(name, inode);
        this.#inodes.set(inode, { durable, pending: [], size: durable.length });
      }
    }
  }

  /** Unsynchronised changes of bytes and names. */
  get pending(): number {
    return this.#pendingNames.length + [...this.#inodes.values()].reduce((sum, { pending }) => sum + pending.length, 0);
  }

  /**
   * Plays a record of `disk-faults.c`; a last entry cut short is left out.
   * @throws GateError MESSAGE_INVALID for what is no such record
   */
  play(log: Buffer): void {
    let at = 0;
    while (at + HEADER_BYTES <= log.length) {
      const kind = String.fromCharCode(log.readUInt8(at));
      const pathBytes = log.readUInt32LE(at + 4);
      const dataBytes = log.readUInt32LE(at + 8);
      const inode = Number(log.readBigUInt64LE(at + 16));
      const offset = Number(log.readBigUInt64LE(at + 24));
      const end = at + HEADER_BYTES + pathBytes + dataBytes;
      if (end > log.length) return;
      const path = log.toString('utf8', at + HEADER_BYTES, at + HEADER_BYTES + pathBytes);
      const data = log.subarray(at + HEADER_BYTES + pathBytes, end);
      this.#apply(kind, path, data, inode, offset);
      at = end;
    }
  }

  /**
   * Replaces what lies below the root by what the disk holds when the power goes now.
   * @returns whether anything was dropped
   */
  cut(kind: CutKind, random: () => number): boolean {
    const kept = kind === 'none' ? 0 : Math.floor(random() * (this.#pendingNames.length + 1));
    let dropped = kept < this.#pendingNames.length;
    // File systems write changes of names in order: some of the first ones are there.
    for (const change of this.#pendingNames.slice(0, kept)) this.#rename(change);
    const moment = Math.floor(random() * (this.#order + 1));
    rmSync(this.#root, { recursive: true, force: true });
    mkdirSync(this.#root, { recursive: true, mode: 0o700 });
    for (const directory of [...this.#directories].sort()) if (this.#directories.has(dirname(directory)) || dirname(directory) === '.') mkdirSync(join(this.#root, directory), { recursive: true, mode: 0o700 });
    for (const [name, inode] of this.#names) {
      const file = this.#inodes.get(inode);
      const target = join(this.#root, name);
      // A file whose directory's own name is gone cannot be reached any more.
      if (file === undefined || !existsSync(dirname(target))) continue;
      const left = contentAfterCut(file, kind, moment, random);
      if (!left.equals(contentOf(file, file.pending))) dropped = true;
      writeFileSync(target, left, { mode: 0o600 });
    }
    return dropped;
  }

  #apply(kind: string, path: string, data: Buffer, number: number, offset: number): void {
    this.#order += 1;
    switch (kind) {
      case 'c': {
        const inode = this.#enter(number);
        this.#inodes.set(inode, { durable: Buffer.alloc(0), pending: [], size: 0 });
        this.#pendingNames.push({ kind: 'link', path, inode });
        return;
      }
      case 'm':
        // The root itself is somebody else's to keep.
        if (path !== '') this.#pendingNames.push({ kind: 'directory', path });
        return;
      case 'r':
        this.#pendingNames.push({ kind: 'rename', path, to: data.toString('utf8') });
        return;
      case 'u':
        this.#pendingNames.push({ kind: 'unlink', path });
        return;
      case 'd': {
        const here = path === '' ? '.' : path;
        const touched = (change: NameChange): boolean => dirname(change.path) === here || (change.kind === 'rename' && dirname(change.to) === here);
        for (const change of this.#pendingNames) if (touched(change)) this.#rename(change);
        this.#pendingNames = this.#pendingNames.filter((change) => !touched(change));
        return;
      }
      case 's': {
        const file = this.#file(number);
        if (file === undefined) return;
        file.durable = contentOf(file, file.pending.filter(({ forsaken }) => forsaken === undefined));
        file.pending = [];
        return;
      }
      case 'f':
        for (const change of this.#file(number)?.pending ?? []) change.forsaken = true;
        return;
      case 'w':
      case 't': {
        const file = this.#file(number);
        if (file === undefined) return;
        const written = kind === 'w' ? Buffer.from(data) : undefined;
        file.pending.push({ order: this.#order, offset, data: written });
        file.size = written === undefined ? offset : Math.max(file.size, offset + written.length);
        return;
      }
      default:
        throw new GateError('MESSAGE_INVALID', `an entry of kind "${kind}" is no entry of a disk record`);
    }
  }

  #enter(number: number): number {
    this.#files += 1;
    this.#current.set(number, this.#files);
    return this.#files;
  }

  #file(number: number): Inode | undefined {
    return this.#inodes.get(this.#current.get(number) ?? 0);
  }

  #rename(change: NameChange): void {
    switch (change.kind) {
      case 'link':
        this.#names.set(change.path, change.inode);
        return;
      case 'directory':
        this.#directories.add(change.path);
        return;
      case 'unlink':
        this.#names.delete(change.path);
        return;
      case 'rename': {
        const inode = this.#names.get(change.path);
        if (inode === undefined) return;
        this.#names.delete(change.path);
        this.#names.set(change.to, inode);
      }
    }
  }
}

function apply(content: Buffer, offset: number, data: Buffer): Buffer {
  const end = offset + data.length;
  const grown = end > content.length ? Buffer.concat([content, Buffer.alloc(end - content.length)]) : content;
  data.copy(grown, offset);
  return grown;
}

function resize(content: Buffer, bytes: number): Buffer {
  return bytes <= content.length ? content.subarray(0, bytes) : Buffer.concat([content, Buffer.alloc(bytes - content.length)]);
}

function contentOf(file: Inode, changes: readonly Change[]): Buffer {
  const most = changes.reduce((bytes, { offset, data }) => Math.max(bytes, offset + (data?.length ?? 0)), file.durable.length);
  const room = Buffer.alloc(most);
  file.durable.copy(room);
  let content: Buffer = room.subarray(0, file.durable.length);
  for (const { offset, data } of changes) {
    if (data === undefined) {
      if (offset < content.length) content = Buffer.from(content.subarray(0, offset));
      else content = resize(content, offset);
    } else content = apply(content, offset, data);
  }
  return content;
}

function contentAfterCut(file: Inode, kind: CutKind, moment: number, random: () => number): Buffer {
  const { pending } = file;
  if (pending.length === 0 || kind === 'none') return file.durable;
  if (kind === 'ordered') return contentOf(file, pending.filter(({ order }) => order <= moment));
  // A sector goes through the contents it was given, one after the other; the disk has any one of them.
  const left = new Map<number, number>();
  for (const { offset, data } of pending) {
    if (data === undefined) continue;
    for (let sector = Math.floor(offset / SECTOR_BYTES); sector * SECTOR_BYTES < offset + data.length; sector += 1) left.set(sector, (left.get(sector) ?? 0) + 1);
  }
  for (const [sector, count] of left) left.set(sector, kind === 'mostly' && random() < 0.9 ? count : Math.floor(random() * (count + 1)));
  let content: Buffer = Buffer.from(file.durable);
  for (const { offset, data } of pending) {
    if (data === undefined) {
      if (random() < 0.5) content = Buffer.from(resize(content, offset));
      continue;
    }
    for (let sector = Math.floor(offset / SECTOR_BYTES); sector * SECTOR_BYTES < offset + data.length; sector += 1) {
      const versions = left.get(sector) ?? 0;
      if (versions === 0) continue;
      left.set(sector, versions - 1);
      const start = Math.max(offset, sector * SECTOR_BYTES);
      content = apply(content, start, data.subarray(start - offset, (sector + 1) * SECTOR_BYTES - offset));
    }
  }
  // The new size may be there before the bytes are: zeros.
  return content.length < file.size && random() < 0.5 ? resize(content, file.size) : content;
}
