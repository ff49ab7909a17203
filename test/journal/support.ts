import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterEach } from 'vitest';
import { ManualClock, silentLog, type Clock } from '../../src/base/index.js';
import { SqliteJournal, type NewEvent, type SqliteJournalOptions } from '../../src/journal/index.js';

const directories: string[] = [];
const open: SqliteJournal[] = [];

afterEach(async () => {
  for (const journal of open.splice(0)) await journal.stop();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'laurel-journal-'));
  directories.push(directory);
  return directory;
}

export const generous = { eventsDays: 365, photographsDays: 30, photographsMB: 100 };

export interface OpenOptions extends Partial<SqliteJournalOptions> {
  readonly directory: string;
  readonly clock?: Clock;
}

export function makeJournal(options: OpenOptions): SqliteJournal {
  const journal = new SqliteJournal({ gateId: 'east-gate', clock: new ManualClock(), log: silentLog, retention: generous, ballastMB: 0, ...options });
  open.push(journal);
  return journal;
}

export async function openJournal(options: OpenOptions): Promise<SqliteJournal> {
  const journal = makeJournal(options);
  await journal.start();
  return journal;
}

/** Ends the journal as a kill does: nothing is flushed, nothing is said. */
export async function crash(journal: SqliteJournal, thread: Worker): Promise<void> {
  const at = open.indexOf(journal);
  if (at >= 0) open.splice(at, 1);
  await thread.terminate();
}

export const read = (number: number, lane = 'entry'): NewEvent => ({
  type: 'passage.read',
  lane,
  passage: `p-${Math.floor(number / 4)}`,
  payload: { number, plate: '京QM86H8', confidence: 0.991 },
});
