import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { systemCode } from './files.js';

/** Of the journal's own databases; taken where nothing readable says another. */
const USUAL_PAGE_BYTES = 4096;
const LEAST_PAGE_BYTES = 512;
const MOST_PAGE_BYTES = 65_536;
const DATABASE_MAGIC = Buffer.from('SQLite format 3\0', 'latin1');
const LOG_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Checksums of the log over words whose lowest byte comes first; one more: whose highest does. */
const LOG_MAGIC = 0x377f0682;
/** A device may give later what it did not give now. */
const MOST_READS = 4;

/**
 * The pages of a SQLite database that nobody writes to, as its next reader would find them: those committed to the log before
 * those in the file. Read as bytes, without a lock, without changing anything, and however damaged the rest is. By SQLite's
 * file format, https://sqlite.org/fileformat2.html, sections 1.3 and 4.
 */
export class PageFile {
  readonly pageBytes: number;
  /** Bytes of a page that hold something: some builds of SQLite keep the last few for themselves. */
  readonly usableBytes: number;
  /** Highest number of a page. */
  readonly count: number;
  readonly #file: number | undefined;
  readonly #log: number | undefined;
  /** Where in the log the newest committed form of a page lies. */
  readonly #logged: ReadonlyMap<number, number>;

  private constructor(file: number | undefined, log: number | undefined) {
    this.#file = file;
    this.#log = log;
    const header = file === undefined ? undefined : readAll(file, 0, 100);
    const named = header?.subarray(0, DATABASE_MAGIC.length).equals(DATABASE_MAGIC) === true ? header : undefined;
    const logHeader = log === undefined ? undefined : readAll(log, 0, LOG_HEADER_BYTES);
    this.pageBytes = pageBytesOf(logHeader?.readUInt32BE(8)) ?? pageBytesOf(named?.readUInt16BE(16)) ?? USUAL_PAGE_BYTES;
    this.usableBytes = this.pageBytes - (named?.readUInt8(20) ?? 0);
    this.#logged = log === undefined || logHeader === undefined ? new Map() : committedPages(log, logHeader, this.pageBytes);
    const inFile = file === undefined ? 0 : Math.floor(fstatSync(file).size / this.pageBytes);
    let count = inFile;
    for (const page of this.#logged.keys()) count = Math.max(count, page);
    this.count = count;
  }

  /**
   * Opens what there is of a database and its log (`-wal`), be it nothing.
   * @throws the file system's own errors
   */
  static open(path: string): PageFile {
    const file = openIfThere(path);
    try {
      return new PageFile(file, openIfThere(`${path}-wal`));
    } catch (error) {
      if (file !== undefined) closeSync(file);
      throw error;
    }
  }

  /** A page by its number, from 1; undefined where it is beyond the end or the device does not give it. */
  page(number: number): Buffer | undefined {
    if (number < 1) return undefined;
    const logged = this.#logged.get(number);
    if (logged !== undefined && this.#log !== undefined) return readAll(this.#log, logged, this.pageBytes);
    return this.#file === undefined ? undefined : readAll(this.#file, (number - 1) * this.pageBytes, this.pageBytes);
  }

  close(): void {
    for (const handle of [this.#file, this.#log]) if (handle !== undefined) closeSync(handle);
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

/** Undefined where the file is shorter, or the device keeps refusing. */
function readAll(handle: number, at: number, bytes: number): Buffer | undefined {
  const room = Buffer.allocUnsafe(bytes);
  for (let reads = 1; ; reads += 1) {
    try {
      return readSync(handle, room, 0, bytes, at) === bytes ? room : undefined;
    } catch (error) {
      if (systemCode(error) !== 'EIO') throw error;
      if (reads === MOST_READS) return undefined;
    }
  }
}

function pageBytesOf(stated: number | undefined): number | undefined {
  const bytes = stated === 1 ? MOST_PAGE_BYTES : stated;
  return bytes !== undefined && bytes >= LEAST_PAGE_BYTES && bytes <= MOST_PAGE_BYTES && (bytes & (bytes - 1)) === 0 ? bytes : undefined;
}

/** Of the frames up to the last commit before the first that is not whole: where each page lies. */
function committedPages(log: number, header: Buffer, pageBytes: number): ReadonlyMap<number, number> {
  const committed = new Map<number, number>();
  const magic = header.readUInt32BE(0);
  if (magic !== LOG_MAGIC && magic !== LOG_MAGIC + 1) return committed;
  const highestFirst = magic === LOG_MAGIC + 1;
  let sums = addSums([0, 0], header.subarray(0, 24), highestFirst);
  if (!areSums(header, 24, sums)) return committed;
  const salts = header.subarray(16, 24);
  let pending: [page: number, at: number][] = [];
  for (let at = LOG_HEADER_BYTES; ; at += FRAME_HEADER_BYTES + pageBytes) {
    const frame = readAll(log, at, FRAME_HEADER_BYTES + pageBytes);
    if (frame?.subarray(8, 16).equals(salts) !== true) return committed;
    sums = addSums(addSums(sums, frame.subarray(0, 8), highestFirst), frame.subarray(FRAME_HEADER_BYTES), highestFirst);
    if (!areSums(frame, 16, sums)) return committed;
    pending.push([frame.readUInt32BE(0), at + FRAME_HEADER_BYTES]);
    const endsCommit = frame.readUInt32BE(4) > 0;
    if (!endsCommit) continue;
    for (const [page, place] of pending) committed.set(page, place);
    pending = [];
  }
}

type Sums = readonly [number, number];

function areSums(bytes: Buffer, at: number, [one, other]: Sums): boolean {
  return bytes.readUInt32BE(at) === one && bytes.readUInt32BE(at + 4) === other;
}

/** Section 4.2 of the file format. */
function addSums(before: Sums, bytes: Buffer, highestFirst: boolean): Sums {
  let [one, other] = before;
  for (let at = 0; at < bytes.length; at += 8) {
    one = (one + (highestFirst ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + other) >>> 0;
    other = (other + (highestFirst ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + one) >>> 0;
  }
  return [one, other];
}
