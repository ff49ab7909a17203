import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { AccessRepository, AccessRules, Decision } from '../../src/access/index.js';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { SqliteJournal, type EventType, type StoredEvent } from '../../src/journal/index.js';
import { ListKeeper, type ListEntry } from '../../src/lists/index.js';
import { parsePlate } from '../../src/plate/index.js';
import { estate } from '../access/estate.js';

const cleanups: (() => void | Promise<void>)[] = [];

export function atEnd(run: () => void | Promise<void>): void {
  cleanups.push(run);
}

afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'laurel-lists-'));
  atEnd(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The digest as the contract tells it, computed here from the words alone; entries in this file have flat keys. */
export function digestInWords(entries: readonly ListEntry[]): string {
  const key = (entry: ListEntry): string => (entry.kind === 'blocked' ? `blocked/${entry.plate}` : `${entry.kind}/${entry.id}`);
  const canonical = (value: unknown): string => {
    if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
    if (typeof value !== 'object' || value === null) return JSON.stringify(value);
    return `{${Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`;
  };
  const lines = entries.map((entry) => [key(entry), `${canonical(entry)}\n`] as const).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(lines.map(([, line]) => line).join('')).digest('hex');
}

export const message = (value: object): Uint8Array => Buffer.from(JSON.stringify(value));

/** A full list as messages, `size` entries a part. */
export function fullList(version: number, entries: readonly ListEntry[], size = 2, more: object = {}): readonly Uint8Array[] {
  const parts = Math.max(1, Math.ceil(entries.length / size));
  const digest = digestInWords(entries);
  return Array.from({ length: parts }, (_, at) => message({ kind: 'full', version, digest, part: at + 1, parts, entries: entries.slice(at * size, (at + 1) * size), ...more }));
}

export function delta(base: number, version: number, after: readonly ListEntry[], change: { readonly put?: readonly ListEntry[]; readonly remove?: readonly string[]; readonly merged?: readonly string[] }): Uint8Array {
  return message({ kind: 'delta', base, version, digest: digestInWords(after), put: [], remove: [], ...change });
}

export const household = (id: string, plates: string[], spaces = 1): ListEntry => ({ kind: 'household', id, name: `flat ${id}`, spaces, plates });
export const blocked = (plate: string, reason = 'damaged the boom'): ListEntry => ({ kind: 'blocked', plate, reason });
export const visitor = (id: string, plate: string): ListEntry => ({ kind: 'visitor', id, plate, from: '2020-01-01T00:00:00+08:00', until: '2099-01-01T00:00:00+08:00', note: 'plumber' });

export interface Box {
  readonly keeper: ListKeeper;
  readonly access: AccessRepository;
  readonly journal: SqliteJournal;
  readonly epoch: number;
  decide(plate: string): Decision;
  events(...types: EventType[]): Promise<readonly StoredEvent[]>;
  /** As a power cut leaves it, as far as one process can show it: what is on disk counts. */
  stop(): Promise<void>;
}

/** A gate's lists, journal and decisions over one data directory. */
export async function openBox(directory: string, changes: Partial<AccessRules> = {}): Promise<Box> {
  const journal = new SqliteJournal({ directory: join(directory, 'journal'), gateId: 'east', clock: systemClock, log: silentLog, retention: { eventsDays: 365, photographsDays: 30, photographsMB: 100 }, ballastMB: 0 });
  const { epoch } = await journal.start();
  const access = estate({ households: [], visitors: [], blocked: [], emergency: [], ...changes });
  const keeper = new ListKeeper({ directory: join(directory, 'lists'), journal, clock: systemClock, log: silentLog, clockTrusted: () => true, configured: () => access.configured, lanes: ['south', 'north'] });
  access.layOver((plate, base) => keeper.listing(plate, base));
  await keeper.load();
  await keeper.restore();
  let open = true;
  const stop = async (): Promise<void> => {
    if (!open) return;
    open = false;
    await keeper.stop();
    await journal.stop();
  };
  atEnd(stop);
  return {
    keeper,
    access,
    journal,
    epoch,
    stop,
    decide: (plate) => access.decide({ laneId: 'south', direction: 'entry', wallMs: Date.now(), plate: { ...parsePlate(plate), colour: 'blue', confidence: 0.99 } }),
    events: (...types) => journal.events({ limit: 100, types }),
  };
}
