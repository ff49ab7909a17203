import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { GateError } from '../base/index.js';
import { lockJournal } from './database.js';
import { makeDirectory } from './files.js';

/**
 * Keeps a gate from starting on a journal while something is done to its files.
 * @returns the way to let go
 * @throws GateError JOURNAL_IN_USE when a gate runs on it
 */
export function holdJournal(directory: string): () => void {
  makeDirectory(directory);
  const lock = lockJournal(join(directory, 'lock.db'));
  return () => lock.close();
}

/** @throws GateError JOURNAL_CLOSED where no journal is */
export function assertJournal(directory: string): void {
  if (existsSync(join(directory, 'journal.db'))) return;
  throw new GateError('JOURNAL_CLOSED', `There is no journal at ${directory}. Give the gate's data directory with --data.`, { directory });
}
