import SqliteDatabase from 'better-sqlite3';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GateError } from '../base/index.js';
import { failureKind } from './database.js';
import { eventSource } from './event-source.js';
import { systemCode } from './files.js';
import { assertJournal } from './hold.js';
import { SequenceGuard } from './sequence-guard.js';
import { readState } from './store.js';
import { verifyChain } from './verify.js';

export interface ChainVerdict {
  readonly checked: number;
  /** First sequence at which the chain does not hold; null where it does. */
  readonly brokenAt: number | null;
}

/**
 * Walks the chain of a journal that no gate has open, on a copy: SQLite itself may write when it opens a file, and looking
 * at evidence must not change it. Its head is held against `sequence.guard`, where that lies beside it.
 * @throws GateError JOURNAL_CLOSED (no journal there), JOURNAL_CORRUPT (the file cannot be read at all)
 */
export async function verifyFile(directory: string): Promise<ChainVerdict> {
  assertJournal(directory);
  const copy = temporaryFolder(directory);
  // Before the database: a gate that starts meanwhile must not look like one whose end was cut off.
  const used = SequenceGuard.read(join(directory, 'sequence.guard'))?.used ?? 0;
  try {
    for (const name of ['journal.db', 'journal.db-wal']) if (existsSync(join(directory, name))) copyFileSync(join(directory, name), join(copy, name));
    return await verifyDatabase(join(copy, 'journal.db'), used);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** Beside the journal, since the system's folder for such things is often small, or memory; there where the journal's cannot be written. */
function temporaryFolder(directory: string): string {
  try {
    return mkdtempSync(join(directory, '.verify-'));
  } catch (error) {
    if (!['EROFS', 'EACCES', 'EPERM'].includes(systemCode(error))) throw error;
    return mkdtempSync(join(tmpdir(), 'laurel-verify-'));
  }
}

/**
 * Walks the chain of one database file.
 * @param used highest sequence that is known to have been durable
 * @throws GateError JOURNAL_CORRUPT
 */
export async function verifyDatabase(path: string, used = 0): Promise<ChainVerdict> {
  const db = new SqliteDatabase(path, { fileMustExist: true });
  try {
    const state = readState(db);
    if (state === undefined) return { checked: 0, brokenAt: used > 0 ? 1 : null };
    const boot = db.prepare<[], { gate: string }>('SELECT gate FROM boot ORDER BY epoch DESC LIMIT 1').get();
    const source = eventSource(db, boot?.gate ?? 'unknown');
    const verdict = await verifyChain(() => ({ state, texts: (seq, limit) => source.after(seq, limit) }));
    return verdict.brokenAt === null && used > state.head ? { ...verdict, brokenAt: state.head + 1 } : verdict;
  } catch (error) {
    if (failureKind(error) !== 'corrupt') throw error;
    throw new GateError('JOURNAL_CORRUPT', 'the database is damaged, so its chain cannot be walked; the gate sets it aside and salvages it when it starts', {}, error);
  } finally {
    db.close();
  }
}
