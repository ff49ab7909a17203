import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { systemCode } from './files.js';
import { PAGE_BYTES } from './page-format.js';

/** The table `state` is made first, and has one row. */
const STATE_PAGE = 2;
const LOG_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;
/** Checksums of the log over words whose lowest byte comes first; one more: whose highest does. */
const LOG_MAGIC = 0x377f0682;
/** A device may give later what it did not give now. */
const MOST_READS = 4;

/** Frames that were committed together. */
interface LoggedCommit {
  /** Each page of it that is whole, and where in the log it lies. */
  readonly pages: readonly (readonly [page: number, at: number])[];
  /** Whether it has all its pages, and all commits before it have. */
  readonly sound: boolean;
}

/**
 * The pages of a SQLite database that nobody writes to: those committed to the log before those in the file. Read as bytes,
 * without a lock, without changing anything, and however damaged the rest is. Where a frame of the log is damaged, SQLite
 * takes what is before it for all there is, and writes older pages over newer ones; here the frames behind it count as well.
 * By SQLite's file format, https://sqlite.org/fileformat2.html, sections 1.3 and 4.
 */
export class PageFile {
  /** Highest number of a page; a page that names a higher one is damaged. */
  readonly last: number;
  /** Highest number under which there is something. */
  readonly count: number;
  readonly #commits: readonly LoggedCommit[];
  readonly #file: number | undefined;
  readonly #log: number | undefined;
  /** Where in the log the newest form of a page lies. */
  readonly #logged: ReadonlyMap<number, number>;
  /** Other forms of pages, which have the numbers after them: as they were earlier in the log (where), or are in the file below it (page). */
  readonly #others: readonly ({ readonly at: number } | { readonly page: number })[];

  private constructor(file: number | undefined, log: number | undefined) {
    this.#file = file;
    this.#log = log;
    this.#commits = log === undefined ? [] : commitsIn(log);
    this.#logged = new Map(this.#commits.flatMap(({ pages }) => pages));
    let last = file === undefined ? 0 : Math.floor(fstatSync(file).size / PAGE_BYTES);
    for (const page of this.#logged.keys()) last = Math.max(last, page);
    this.last = last;
    const earlier = this.#commits.flatMap(({ pages }) => pages.filter(([page, at]) => this.#logged.get(page) !== at));
    this.#others = [...earlier.map(([, at]) => ({ at })), ...[...this.#logged.keys()].map((page) => ({ page }))];
    this.count = last + this.#others.length;
  }

  /**
   * Opens what there is of a database and its log (`-wal`), be it nothing.
   * @throws the file system's own errors
   */
  static open(path: string): PageFile {
    const file = openIfThere(path);
    let log: number | undefined;
    try {
      log = openIfThere(`${path}-wal`);
      return new PageFile(file, log);
    } catch (error) {
      for (const handle of [file, log]) if (handle !== undefined) closeSync(handle);
      throw error;
    }
  }

  /**
   * Whether the log goes on behind a damaged frame with what was synchronised, so that SQLite must not open it. One commit may
   * be torn by a power cut, with the acknowledgements before it, which wait for its synchronisation; the next was not begun
   * before that.
   */
  get goesOnBehindDamage(): boolean {
    // What follows a damaged frame first may be the rest of its own commit.
    const [, ...behind] = this.#commits.filter(({ sound }) => !sound);
    return behind.filter(({ pages }) => pages.some(([page]) => page !== STATE_PAGE)).length >= 2;
  }

  /** A page by its number, from 1; undefined where it is beyond the end or the device does not give it. */
  page(number: number): Buffer | undefined {
    const other = this.#others[number - this.last - 1];
    if (other !== undefined) return 'at' in other ? this.#inLog(other.at) : this.#inFile(other.page);
    const logged = this.#logged.get(number);
    return logged === undefined ? this.#inFile(number) : this.#inLog(logged);
  }

  /** What the file begins with, by itself; undefined where there is no whole page. */
  header(): Buffer | undefined {
    return this.#inFile(1);
  }

  close(): void {
    for (const handle of [this.#file, this.#log]) if (handle !== undefined) closeSync(handle);
  }

  #inFile(number: number): Buffer | undefined {
    return this.#file === undefined || number < 1 ? undefined : readAll(this.#file, (number - 1) * PAGE_BYTES, PAGE_BYTES);
  }

  #inLog(at: number): Buffer | undefined {
    return this.#log === undefined ? undefined : readAll(this.#log, at, PAGE_BYTES);
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

/**
 * Each frame's checksum goes on from the one that the frame before it states, so that one is known to be whole though the
 * one before is not. Frames left over from before the log began anew have other salts.
 */
function commitsIn(log: number): readonly LoggedCommit[] {
  const header = readAll(log, 0, LOG_HEADER_BYTES);
  const { size } = fstatSync(log);
  const first = readAll(log, LOG_HEADER_BYTES, FRAME_HEADER_BYTES);
  if (header === undefined || first === undefined) return [];
  const magic = header.readUInt32BE(0);
  const known = (magic === LOG_MAGIC || magic === LOG_MAGIC + 1) && areSums(header, 24, addSums([0, 0], header.subarray(0, 24), magic !== LOG_MAGIC));
  // Every box that a gate runs on has its lowest byte first.
  const highestFirst = known && magic !== LOG_MAGIC;
  const salts = known ? header.subarray(16, 24) : first.subarray(8, 16);
  const commits: LoggedCommit[] = [];
  let stated: Sums = [header.readUInt32BE(24), header.readUInt32BE(28)];
  let sound = known;
  let pages: [page: number, at: number][] = [];
  for (let at = LOG_HEADER_BYTES; at + FRAME_BYTES <= size; at += FRAME_BYTES) {
    const frame = readAll(log, at, FRAME_BYTES);
    const sums = frame === undefined ? undefined : addSums(addSums(stated, frame.subarray(0, 8), highestFirst), frame.subarray(FRAME_HEADER_BYTES), highestFirst);
    if (frame === undefined || sums === undefined || !frame.subarray(8, 16).equals(salts) || !areSums(frame, 16, sums)) sound = false;
    else {
      pages.push([frame.readUInt32BE(0), at + FRAME_HEADER_BYTES]);
      const endsCommit = frame.readUInt32BE(4) > 0;
      if (endsCommit) {
        commits.push({ pages, sound });
        pages = [];
      }
    }
    stated = frame === undefined ? [0, 0] : [frame.readUInt32BE(16), frame.readUInt32BE(20)];
  }
  return commits;
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
