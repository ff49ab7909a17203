import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod/mini';
import { GateError, errorText, isGateError, silentLog } from '../base/index.js';
import { systemClock } from '../base/system-clock.js';
import { controlSocketPath } from '../web/view.js';
import { exitStatus } from './context.js';
import { ControlClient } from './control-client.js';
import { print } from './output.js';

const verdictSchema = z.object({ checked: z.number(), brokenAt: z.nullable(z.number()) });
type Verdict = z.output<typeof verdictSchema>;

/**
 * Verifies the journal of a gate that is not running, on a copy: opening a journal begins a boot epoch and may repair,
 * and looking at evidence must not change it.
 */
async function verifyCopy(dataDirectory: string): Promise<Verdict> {
  const directory = join(dataDirectory, 'journal');
  const copy = await mkdtemp(join(tmpdir(), 'laurel-verify-'));
  try {
    let names: string[];
    try {
      names = (await readdir(directory)).filter((name) => /^journal\.db(-wal)?$/u.test(name));
    } catch (cause) {
      throw new GateError('JOURNAL_CLOSED', `There is no journal at ${directory} (${errorText(cause)}). Give the gate's data directory with --data.`, { directory }, cause);
    }
    if (!names.includes('journal.db')) throw new GateError('JOURNAL_CLOSED', `There is no journal at ${directory}. Give the gate's data directory with --data.`, { directory });
    for (const name of names) await copyFile(join(directory, name), join(copy, name));
    const { SqliteJournal } = await import('../journal/index.js');
    const journal = new SqliteJournal({
      directory: copy,
      gateId: 'verify',
      clock: systemClock,
      log: silentLog,
      retention: { eventsDays: 3_650, photographsDays: 3_650, photographsMB: 1_000_000 },
      ballastMB: 0,
    });
    await journal.start();
    try {
      return await journal.verify();
    } finally {
      await journal.stop();
    }
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/** `gatectl journal verify`: asks the running gate, or reads a stopped one's journal. */
export async function verifyJournal(dataDirectory: string, json: boolean): Promise<number> {
  let verdict: Verdict;
  try {
    verdict = await new ControlClient(controlSocketPath(dataDirectory)).post(verdictSchema, '/api/journal/verify', {});
  } catch (cause) {
    if (!isGateError(cause, 'CONTROL_UNREACHABLE') || /may not open/u.test(cause.message)) throw cause;
    verdict = await verifyCopy(dataDirectory);
  }
  const { checked, brokenAt } = verdict;
  if (json) print(JSON.stringify({ ok: brokenAt === null, checked, brokenAt }));
  else if (brokenAt === null) print(`The chain holds over ${checked} events.`);
  else print(`The chain breaks at event ${brokenAt}, after ${checked} good ones: something was changed, removed or destroyed there. Keep the data directory as it is and compare with the platform's record.`);
  return brokenAt === null ? exitStatus.ok : exitStatus.failed;
}
