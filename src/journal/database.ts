import SqliteDatabase, { type Database } from 'better-sqlite3';
import { chmodSync, closeSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { GateError } from '../base/index.js';
import { FILE_MODE, syncDirectory, systemCode } from './files.js';

const SYNCHRONOUS_FULL = 2;
/** 2 MB of pages. */
const LOG_PAGES = 512;

/**
 * Opens the journal's database with the durability it needs.
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
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Checks after a write that every commit still waits for the disk, and sets it again where it does not.
 * @throws GateError JOURNAL_WRITE_FAILED when FULL cannot be had
 */
export function assertFullSync(db: Database): void {
  if (db.pragma('synchronous', { simple: true }) === SYNCHRONOUS_FULL) return;
  db.pragma('synchronous = FULL');
  if (db.pragma('synchronous', { simple: true }) !== SYNCHRONOUS_FULL) {
    throw new GateError('JOURNAL_WRITE_FAILED', 'SQLite does not keep synchronous=FULL; events would not survive a power cut');
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
 * @throws SQLite's own errors
 */
export function emptyLog(db: Database): void {
  db.pragma('wal_checkpoint(TRUNCATE)');
}

export type FailureKind = 'corrupt' | 'full' | 'io' | 'other';

/** What kind of trouble an error of SQLite or of the file system is, by what helps against it. */
export function failureKind(error: unknown): FailureKind {
  const code = systemCode(error);
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB' || code === 'JOURNAL_CORRUPT' || code === 'SQLITE_IOERR_SHORT_READ') return 'corrupt';
  if (code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT') return 'full';
  if (code.startsWith('SQLITE_IOERR') || code.startsWith('SQLITE_READONLY') || code === 'SQLITE_CANTOPEN' || code === 'EIO' || code === 'EROFS') return 'io';
  return 'other';
}
