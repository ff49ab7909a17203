import { join, resolve } from 'node:path';
import { GateError, isGateError } from '../base/index.js';
import { systemClock } from '../base/system-clock.js';
import { loadConfig } from '../config/index.js';
import { holdJournal, restoreBackup } from '../journal/offline.js';
import { assertUser } from './backup.js';
import { configPath, dataDirectory, type GlobalOptions } from './context.js';
import { print } from './output.js';

/**
 * `gatectl restore`: puts a backup in the place of a stopped gate's journal.
 * @throws GateError JOURNAL_IN_USE (the gate runs), BACKUP_INVALID, JOURNAL_VERSION_UNKNOWN, JOURNAL_WRITE_FAILED, CONFIG_*
 */
export async function restore(globals: GlobalOptions, backup: string, { salvage, json }: { readonly salvage: boolean; readonly json: boolean }): Promise<void> {
  const data = await dataDirectory(globals);
  assertUser(data);
  // A data directory named alone may be that of any gate.
  const gateId = globals.data !== undefined && globals.config === undefined ? undefined : await gateOf(configPath(globals));
  const journal = join(data, 'journal');
  assertStopped(journal, data);
  const { manifest, checked, salvaged, setAside, photographs, config } = await restoreBackup(resolve(backup), journal, { wallMs: systemClock.wallMs() }, gateId, salvage ? 'salvage' : 'refuse');
  const { gate, madeAt, journal: held } = manifest;
  const aside = setAside === null ? null : join(journal, setAside);
  if (json) {
    print(JSON.stringify({ gate, madeAt, epoch: held.epoch, head: held.head, checked, salvaged, setAside: aside, photographs, config }));
    return;
  }
  if (salvaged === null) print(`The journal of ${gate} is as it was at ${madeAt}: ${checked} events checked, the last is number ${held.head}. ${photographs} photographs were brought back.`);
  else {
    const { damage, events, facts, missing } = salvaged;
    print(`The backup is damaged: ${damage}. Of the journal of ${gate} at ${madeAt}, ${events} events and ${facts} facts could be read and are back; the event journal.lost that the gate writes when it starts declares what is missing${missing.length === 0 ? '' : ` (${missing.slice(0, 5).map(({ first, last }) => `${first} to ${last}`).join(', ')}${missing.length > 5 ? ', …' : ''})`}. ${photographs} photographs were brought back.`);
  }
  print(aside === null ? 'There was no journal before.' : `The journal that was there is kept in ${aside}.`);
  if (config !== null) print(`The configuration in use was left alone; the one of the backup is ${config}.`);
  print(`When the gate starts, its events go on at a much higher number and epoch, so that none meets one that was used after the backup. An event journal.lost declares the numbers between ${held.head} and it: the platform keeps what it has of them.`);
}

async function gateOf(path: string): Promise<string> {
  const { site, gate } = await loadConfig(path);
  return `${site.id}-${gate.id}`;
}

/** Before a large backup is read for nothing. */
function assertStopped(journal: string, data: string): void {
  try {
    holdJournal(journal)();
  } catch (cause) {
    if (!isGateError(cause, 'JOURNAL_IN_USE')) throw cause;
    throw new GateError('JOURNAL_IN_USE', `The gate on ${data} runs; stop it first (systemctl stop laurel-gate), then restore.`, { data }, cause);
  }
}
