/**
 * A journal on a disk that fails: writes events one after the other, with `reader` beside somebody who reads it all the
 * while, then a photograph, and tells what it was told.
 */
import SqliteDatabase from 'better-sqlite3';
import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { SqliteJournal } from '../../src/journal/index.js';

const [directory = '', count = '0', reader] = process.argv.slice(2);
const journal = new SqliteJournal({ directory, gateId: 'east-gate', clock: systemClock, log: silentLog, retention: { eventsDays: 365, photographsDays: 30, photographsMB: 100 }, ballastMB: 0 });
await journal.start();
const stored: number[] = [];
const refused: string[] = [];
for (let number = 0; number < Number(count); number += 1) {
  // As a backup does, and an sqlite3 shell in a transaction.
  if (number === 5 && reader === 'reader') new SqliteDatabase(join(directory, 'journal.db'), { readonly: true }).exec('BEGIN; SELECT count(*) FROM event');
  await journal.append({ type: 'passage.read', lane: 'entry', payload: { number } }).then(
    ({ seq }) => stored.push(seq),
    (error: unknown) => refused.push(String(error)),
  );
}
const { id } = await journal.saveEvidence('p-1', 'frame', Buffer.from('a picture of a car'));
const { brokenAt } = await journal.verify();
process.stdout.write(JSON.stringify({ stored, refused, photograph: id, brokenAt }));
// As the power goes: nothing is closed.
process.kill(process.pid, 'SIGKILL');
