import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/base/index.js';
import { makeBackup } from '../../src/journal/backup.js';
import { schemaText } from '../../src/journal/offline.js';
import { restoreBackup } from '../../src/journal/restore.js';
import { migrations } from '../../src/journal/schema.js';
import { runCli } from '../cli/run-cli.js';
import { atRest } from './core.js';
import { asVersion } from './old-version.js';
import { freshDirectory, openJournal, read } from './support.js';

const { moment } = atRest('');

/** A journal as the first release left it: `count` events, half of them acknowledged, facts and a photograph. */
async function ofVersionOne(count: number): Promise<string> {
  const directory = freshDirectory();
  const journal = await openJournal({ directory });
  await Promise.all(Array.from({ length: count }, (_, number) => journal.append(read(number, number % 2 === 0 ? 'entry' : 'exit'))));
  await journal.acknowledge(Math.floor(count / 2));
  await journal.remember('access/京QM86H8', { since: 1 });
  await journal.saveEvidence('p-1', 'frame', new Uint8Array([1, 2, 3]));
  await journal.stop();
  asVersion(join(directory, 'journal.db'), 1);
  expect(versionOf(join(directory, 'journal.db'))).toBe(1);
  return directory;
}

const versionOf = (path: string): unknown => {
  const db = new SqliteDatabase(path, { readonly: true });
  try {
    return db.pragma('user_version', { simple: true });
  } finally {
    db.close();
  }
};
const copies = (directory: string): readonly string[] => readdirSync(join(directory, 'backup'));

describe('a journal of the release before', () => {
  it('is brought up with all it holds, after a copy of it was made, and goes on without a gap', async () => {
    const directory = await ofVersionOne(400);
    const journal = await openJournal({ directory });
    const events = await journal.events({ limit: 1_000 });
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 400 }, (_, at) => at + 1));
    expect(await journal.outbox()).toEqual({ head: 400, acknowledged: 200 });
    expect(await journal.recall('access/京QM86H8')).toEqual({ since: 1 });
    expect(await journal.evidence('p-1')).toMatchObject([{ bytes: 3, kind: 'frame' }]);
    expect(await journal.append(read(1))).toMatchObject({ seq: 401, epoch: 2, previousHash: events.at(-1)?.hash });
    expect(await journal.verify()).toEqual({ checked: 401, brokenAt: null });
    expect(versionOf(join(directory, 'journal.db'))).toBe(migrations.length);
    const [copy = '', ...more] = copies(directory);
    expect(more).toEqual([]);
    const kept = join(directory, 'backup', copy);
    expect(statSync(kept).mode & 0o777).toBe(0o600);
    const old = new SqliteDatabase(kept, { readonly: true });
    expect(old.pragma('user_version', { simple: true })).toBe(1);
    expect(old.prepare('SELECT count(*) AS events FROM event').get()).toEqual({ events: 400 });
    expect(old.pragma('integrity_check', { simple: true })).toBe('ok');
    old.close();
  });

  it('whose new tables cannot be made stays as it was, and each further try does not add another copy', async () => {
    const directory = await ofVersionOne(40);
    // Something of that name is there already.
    const db = new SqliteDatabase(join(directory, 'journal.db'));
    db.exec('CREATE TABLE readable_event (x INTEGER) STRICT');
    db.close();
    for (let time = 0; time < 3; time += 1) await expect(openJournal({ directory, clock: new ManualClock(moment.wallMs + time * 60_000) })).rejects.toMatchObject({ code: 'JOURNAL_WRITE_FAILED' });
    expect(versionOf(join(directory, 'journal.db'))).toBe(1);
    expect(copies(directory)).toHaveLength(1);
    const again = new SqliteDatabase(join(directory, 'journal.db'));
    again.exec('DROP TABLE readable_event');
    again.close();
    expect((await (await openJournal({ directory })).verify())).toEqual({ checked: 40, brokenAt: null });
  });

  it('is brought up without a copy on a disk that has no room for one', async () => {
    const directory = await ofVersionOne(40);
    mkdirSync(join(directory, 'backup'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', join(directory, 'backup')], { stdio: 'ignore' });
    } catch {
      console.log('skipped: no right to mount a small file system here');
      return;
    }
    try {
      const journal = await openJournal({ directory });
      expect(await journal.verify()).toEqual({ checked: 40, brokenAt: null });
      expect(copies(directory)).toEqual([]);
      await journal.stop();
    } finally {
      execFileSync('umount', ['-l', join(directory, 'backup')]);
    }
  });
});

describe('a newer release', () => {
  it('has written a journal or a backup: both are refused with a code, and left as they are', async () => {
    const [directory, away, box] = [freshDirectory(), freshDirectory(), freshDirectory()];
    const journal = await openJournal({ directory });
    await journal.append(read(1));
    await journal.stop();
    const db = new SqliteDatabase(join(directory, 'journal.db'));
    // Each release changes what the database says of its tables.
    db.exec('ALTER TABLE gap ADD COLUMN later INTEGER');
    db.pragma('user_version = 99');
    db.close();
    await expect(openJournal({ directory })).rejects.toMatchObject({ code: 'JOURNAL_VERSION_UNKNOWN' });
    expect(versionOf(join(directory, 'journal.db'))).toBe(99);
    expect(existsSync(join(directory, 'damaged'))).toBe(false);
    const { path } = await makeBackup({ journal: directory, into: away, name: 'one', gateId: 'east-gate', evidence: false, clockTrusted: true, release: '9.0.0', pace: false, wallMs: moment.wallMs }, () => false, () => undefined);
    await expect(restoreBackup(path, box, moment)).rejects.toMatchObject({ code: 'JOURNAL_VERSION_UNKNOWN' });
    expect(existsSync(join(box, 'journal.db'))).toBe(false);
  });
});

describe('the sqlite3 shell', () => {
  const shell = (directory: string, sql: string): string => execFileSync('sqlite3', ['-readonly', join(directory, 'journal.db'), sql], { encoding: 'utf8', env: { ...process.env, TZ: 'Asia/Shanghai' } }).trim();

  it('shows events and passages of a running gate in words and local time', async () => {
    const directory = freshDirectory();
    let trusted = true;
    const journal = await openJournal({ directory, clockTrusted: () => trusted });
    const passage = 'east-1-1';
    await journal.append({ type: 'passage.started', lane: 'entry', passage, payload: {} });
    await journal.append({ type: 'passage.decided', lane: 'entry', passage, payload: { plate: '京QM86H8', outcome: 'admit', rule: 'resident' } });
    await journal.saveEvidence(passage, 'frame', new Uint8Array(100));
    await journal.append({ type: 'passage.ended', lane: 'entry', passage, payload: { end: 'entered' } });
    trusted = false;
    await journal.append({ type: 'passage.started', lane: 'exit', passage: 'east-1-2', payload: {} });
    await journal.append({ type: 'gate.stopped', payload: {} });
    // 2026-01-01T00:00:00Z is eight in the morning there.
    expect(shell(directory, 'SELECT seq, time, type, lane FROM readable_event ORDER BY seq').split('\n')).toEqual([
      '1|2026-01-01 08:00:00.000|passage.started|entry',
      '2|2026-01-01 08:00:00.000|passage.decided|entry',
      '3|2026-01-01 08:00:00.000|passage.ended|entry',
      '4|2026-01-01 08:00:00.000 ?|passage.started|exit',
      '5|2026-01-01 08:00:00.000 ?|gate.stopped|',
    ]);
    expect(shell(directory, 'SELECT began, lane, plate, outcome, rule, ended, photographs FROM readable_passage ORDER BY first_seq').split('\n')).toEqual([
      '2026-01-01 08:00:00|entry|京QM86H8|admit|resident|entered|1',
      '2026-01-01 08:00:00 ?|exit|||||0',
    ]);
  });

  it('is given the real schema by gatectl journal schema', async () => {
    const directory = freshDirectory();
    await (await openJournal({ directory })).append(read(1));
    const printed = await runCli(['journal', 'schema']);
    expect(printed.status).toBe(0);
    expect(printed.out.trim()).toBe(schemaText().trim());
    const empty = join(freshDirectory(), 'journal.db');
    closeSync(openSync(empty, 'w'));
    execFileSync('sqlite3', [empty], { input: printed.out });
    const list = 'SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name';
    const shown = (path: string): unknown => execFileSync('sqlite3', ['-readonly', '-json', path, list], { encoding: 'utf8' });
    expect(shown(empty)).toBe(shown(join(directory, 'journal.db')));
    expect(printed.out).toContain(`Version ${String(versionOf(join(directory, 'journal.db')))} `);
    // What it advises works.
    for (const advised of printed.out.matchAll(/^-- {3}sqlite3 -readonly journal\.db "(.+)"$/gmu)) expect(() => shell(directory, advised[1] ?? '')).not.toThrow();
  });
});
