import SqliteDatabase, { type Database } from 'better-sqlite3';
import { chmodSync, closeSync, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { GateError, errorText } from '../base/index.js';
import { FILE_MODE, syncDirectory, systemCode } from './files.js';
import { PageFile } from './page-file.js';

/** 2 MB of pages. */
const LOG_PAGES = 512;
/** Bytes of the log written anew at a go. */
const RENEW_BYTES = 1024 * 1024;

/**
 * Opens the journal's database with the durability it needs; commits of the running journal get it from `LogFile`.
 * `synchronous` is set after the switch to WAL on purpose: better-sqlite3 is built with SQLITE_DEFAULT_WAL_SYNCHRONOUS=1,
 * so without an explicit pragma it falls to NORMAL at the first write, and a power cut then takes acknowledged rows.
 * @throws GateError JOURNAL_WRITE_FAILED when the file system refuses WAL; SQLite's own errors for a damaged file
 */
export function openDatabase(path: string, exclusive: boolean): Database {
  // SQLite gives -wal and -shm the database's mode, so the file is made first.
  try {
    closeSync(openSync(path, 'wx', FILE_MODE));
    syncDirectory(dirname(path));
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
    chmodSync(path, FILE_MODE);
  }
  const db = new SqliteDatabase(path);
  try {
    if (exclusive) db.pragma('locking_mode = EXCLUSIVE');
    const mode: unknown = db.pragma('journal_mode = WAL', { simple: true });
    if (mode !== 'wal') {
      throw new GateError('JOURNAL_WRITE_FAILED', `this file system gives journal mode ${String(mode)} instead of WAL; put the data directory on a local file system`);
    }
    db.pragma('synchronous = FULL');
    // A short log: what a restart replays, and what the ballast has to make room for on a full disk.
    db.pragma(`wal_autocheckpoint = ${LOG_PAGES}`);
    // A read makes the log's file. SQLite synchronises its name once, and does not look whether that failed.
    db.pragma('user_version');
    syncDirectory(dirname(path));
    renewLog(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Bytes of the header that say of which form the file is, and the highest value that SQLite has for each (file format, section
 * 1.3): of a turned bit there it says that the database is read only, or not supported, which a start would not get over.
 */
const FORMS = [
  { at: 18, most: 2 },
  { at: 19, most: 2 },
  { at: 47, most: 4 },
] as const;

/**
 * Looks at the files of a database before SQLite does, which takes a damaged log for the end of it, and writes over what is
 * behind.
 * @throws GateError JOURNAL_CORRUPT with what is wrong, the file system's own errors
 */
export function checkFiles(path: string): void {
  const files = PageFile.open(path);
  try {
    if (files.goesOnBehindDamage) throw new GateError('JOURNAL_CORRUPT', 'the log is damaged in its middle');
    const header = files.header();
    if (header?.toString('latin1', 0, 6) === 'SQLite' && FORMS.some(({ at, most }) => header.readUInt8(at) > most)) throw new GateError('JOURNAL_CORRUPT', 'the header of the database is damaged');
  } finally {
    files.close();
  }
}

/**
 * Writes what the log holds over itself, synchronised. Linux takes what a failed synchronisation left for written: it is
 * read from memory, no later synchronisation writes it, and after a power cut the log ends before it, with all that was
 * committed since. Emptying the log would do, but not past a reader (a backup, the sqlite3 shell), and a process does not
 * know what the one before it was refused.
 * @throws SQLite's and the file system's own errors; then nothing is known of what reached the disk
 */
export function renewLog(db: Database): void {
  // As a writer: nobody else may lengthen the log meanwhile.
  db.transaction(() => rewrite(`${db.name}-wal`)).immediate();
}

function rewrite(path: string): void {
  const handle = openSync(path, 'r+');
  try {
    const chunk = Buffer.allocUnsafe(RENEW_BYTES);
    let at = 0;
    for (let read = readSome(handle, chunk, at); read > 0; read = readSome(handle, chunk, at)) at += writeSync(handle, chunk, 0, read, at);
    if (at > 0) fdatasyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** What cannot be read SQLite does not read either: it lies behind what was committed, left over from a longer log. */
function readSome(handle: number, into: Buffer, at: number): number {
  try {
    return readSync(handle, into, 0, into.length, at);
  } catch (error) {
    if (systemCode(error) !== 'EIO') throw error;
    return 0;
  }
}

/** The device did not take what was committed; nothing is known of what reached it. */
class LogNotDurable extends Error {
  /** Whatever the system called it: the database has to be opened anew. */
  readonly code = 'EIO';

  constructor(cause: unknown) {
    super(`the journal's log could not be synchronised: ${errorText(cause)}`, { cause });
  }
}

/**
 * The log of an open database as a file, by which a commit becomes durable. SQLite would do it by `fsync` (better-sqlite3 is
 * built without HAVE_FDATASYNC), which waits for the file's time of change as well: on ext4 a commit of the file system's own
 * journal beside the few kilobytes, twice the wait and more wear of a card. So SQLite is set to NORMAL, in which it
 * synchronises the log before it goes into the database and the database before the log begins anew, and each commit is
 * followed by `fdatasync` of the log. The log's name is on the disk since the database was opened.
 */
export class LogFile {
  #handle: number | undefined;

  /** Commits of this connection are durable from now on only after `sync`. */
  constructor(db: Database) {
    db.pragma('synchronous = NORMAL');
    this.#handle = openSync(`${db.name}-wal`, 'r+');
  }

  /**
   * Waits until all that was committed is on the disk.
   * @throws an error of kind `io`: what was committed may be on the disk or not
   */
  sync(): void {
    if (this.#handle === undefined) throw new LogNotDurable('it is closed');
    try {
      fdatasyncSync(this.#handle);
    } catch (error) {
      throw new LogNotDurable(error);
    }
  }

  /** Once or more often. */
  close(): void {
    const handle = this.#handle;
    this.#handle = undefined;
    if (handle !== undefined) closeSync(handle);
  }
}

/**
 * Holds the journal for this process alone. The lock is SQLite's own on a small file, so the kernel lifts it whenever the
 * process ends, however it ends.
 * @throws GateError JOURNAL_IN_USE when another process has it
 */
export function lockJournal(path: string): Database {
  const db = new SqliteDatabase(path, { timeout: 2_000 });
  try {
    chmodSync(path, FILE_MODE);
    db.pragma('locking_mode = EXCLUSIVE');
    db.exec('BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db.close();
    if (systemCode(error).startsWith('SQLITE_BUSY')) {
      throw new GateError('JOURNAL_IN_USE', 'another process has this journal open; stop it first (systemctl status laurel-gate)', {}, error);
    }
    throw error;
  }
}

/**
 * Writes what the log holds into the database, synchronised, and empties the log; where a reader is in the way (a backup,
 * the sqlite3 shell), as far as it lets.
 * @returns whether it is empty
 * @throws SQLite's own errors
 */
export function emptyLog(db: Database): boolean {
  return checkpoint(db, 'TRUNCATE');
}

/**
 * Writes what the log holds into the database as far as readers let at once.
 * @returns whether all of it is there
 * @throws SQLite's own errors
 */
export function drainLog(db: Database): boolean {
  return checkpoint(db, 'PASSIVE');
}

function checkpoint(db: Database, mode: 'PASSIVE' | 'TRUNCATE'): boolean {
  const found = db.prepare<[], { busy: number; log: number; checkpointed: number }>(`PRAGMA wal_checkpoint(${mode})`).get();
  return found?.busy === 0 && found.log === found.checkpointed;
}

export type FailureKind = 'corrupt' | 'full' | 'io' | 'other';

/** What kind of trouble an error of SQLite or of the file system is, by what helps against it; see also `mayBeUnread`. */
export function failureKind(error: unknown): FailureKind {
  const code = systemCode(error);
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB' || code === 'JOURNAL_CORRUPT' || code === 'SQLITE_IOERR_SHORT_READ') return 'corrupt';
  // The -shm file lies on the same disk and only grows.
  if (code === 'SQLITE_IOERR_SHMSIZE') return 'full';
  if (code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT') return 'full';
  if (code.startsWith('SQLITE_IOERR') || code.startsWith('SQLITE_READONLY') || code === 'SQLITE_CANTOPEN' || code === 'EIO' || code === 'EROFS') return 'io';
  return 'other';
}

/**
 * Whether an error of kind `corrupt` may as well come of a page that the device did not give: of EIO SQLite says that the
 * file is damaged (`SQLITE_IOERR_CORRUPTFS` becomes `SQLITE_CORRUPT`), and a device may give later what it did not give now.
 */
export function mayBeUnread(error: unknown): boolean {
  const code = systemCode(error);
  return code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_IOERR_SHORT_READ' || error instanceof PageNotRead;
}

/** What a check of the whole database found, where that begins with a page it could not read. */
class PageNotRead extends GateError {}

/**
 * Looks over every page, and whether indices lead to their rows: of a turned bit in one a row is not damaged but not found.
 * @param table this one only
 * @throws GateError JOURNAL_CORRUPT with what is wrong
 */
export function checkPages(db: Database, table?: string): void {
  const verdict: unknown = db.pragma(`integrity_check(${table ?? 1})`, { simple: true });
  if (verdict === 'ok') return;
  const found = String(verdict);
  throw found.includes('unable to get the page') ? new PageNotRead('JOURNAL_CORRUPT', found) : new GateError('JOURNAL_CORRUPT', found);
}
