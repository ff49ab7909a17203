import { spawnSync } from 'node:child_process';
import { appendFileSync, closeSync, cpSync, existsSync, openSync, readFileSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { makeBackup, type BackupMade } from '../../src/journal/backup.js';
import type { BackupManifest } from '../../src/journal/backup-manifest.js';
import { restoreBackup } from '../../src/journal/restore.js';
import { JournalStore } from '../../src/journal/store.js';
import { freshDirectory, makeJournal, openJournal, read } from './support.js';

const now = { wallMs: 1_767_225_600_000 };

describe('a backup', () => {
  it('of a running journal is restored on another box, whose numbers collide with none that were used after it', async () => {
    const [home, away, box] = [freshDirectory(), freshDirectory(), freshDirectory()];
    const journal = await openJournal({ directory: home });
    await Promise.all(Array.from({ length: 300 }, (_, number) => journal.append(read(number))));
    const picture = await journal.saveEvidence('p-1', 'frame', new Uint8Array(5_000).fill(7));
    const made = await journal.backup({ into: away, name: 'one', evidence: true, config: 'version: 1\n', release: '0.1.0' });
    const after = await journal.append(read(301));
    expect(made.manifest.journal).toMatchObject({ head: 300, epoch: 1 });
    const restored = await restoreBackup(made.path, box, now, 'east-gate');
    expect(restored).toMatchObject({ checked: 300, photographs: 1, setAside: null });
    const again = await openJournal({ directory: box });
    const [lost] = await again.events({ types: ['journal.lost'], limit: 5 });
    expect(lost?.payload).toMatchObject({ reason: 'restored', lastKnown: 300 });
    expect(lost?.epoch).toBeGreaterThan(after.epoch);
    expect(lost?.seq).toBeGreaterThan(after.seq);
    expect(await again.readEvidence(picture.id)).toBeDefined();
    expect((await again.verify()).brokenAt).toBeNull();
    await expect(restoreBackup(made.path, box, now)).rejects.toMatchObject({ code: 'JOURNAL_IN_USE' });
    await again.stop();
    expect((await restoreBackup(made.path, box, now)).setAside).toMatch(/^replaced/u);
  });

  it('that was changed, or is of another gate, is refused before anything is touched', async () => {
    const [home, away, box] = [freshDirectory(), freshDirectory(), freshDirectory()];
    const journal = await openJournal({ directory: home });
    await journal.append(read(1));
    const { path } = await makeBackup({ journal: home, into: away, name: 'one', gateId: 'east-gate', evidence: false, clockTrusted: true, release: '0.1.0', pace: false, ...now }, () => false, () => undefined);
    await expect(restoreBackup(path, box, now, 'west-gate')).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
    appendFileSync(join(path, 'journal.db'), 'x');
    await expect(restoreBackup(path, box, now)).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
    expect(existsSync(join(box, 'journal.db'))).toBe(false);
    await expect(restoreBackup(away, box, now)).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
  });

  it('that is given up leaves nothing behind', async () => {
    const [home, away] = [freshDirectory(), freshDirectory()];
    const journal = await openJournal({ directory: home });
    await Promise.all(Array.from({ length: 3_000 }, (_, number) => journal.append(read(number))));
    const request = { journal: home, into: away, name: 'one', gateId: 'east-gate', evidence: false, clockTrusted: true, release: '0.1.0', pace: false, ...now };
    await expect(makeBackup(request, () => true, () => undefined)).rejects.toMatchObject({ code: 'BACKUP_FAILED' });
    expect(readdirSync(away)).toEqual([]);
  });
});

describe('a restore', () => {
  /** Restores in a process of its own, which is killed before the file that comes then is renamed. @returns whether it came to its end */
  function cutAt(renames: number, backup: string, directory: string): boolean {
    const program = join(freshDirectory(), 'restore.mts');
    writeFileSync(
      program,
      `import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const { renameSync } = fs;
let left = ${renames};
fs.renameSync = (from, to) => {
  if (left === 0) process.kill(process.pid, 'SIGKILL');
  left -= 1;
  renameSync(from, to);
};
syncBuiltinESMExports();
const { restoreBackup } = await import(${JSON.stringify(new URL('../../src/journal/restore.ts', import.meta.url).pathname)});
await restoreBackup(${JSON.stringify(backup)}, ${JSON.stringify(directory)}, { wallMs: ${now.wallMs} });
`,
    );
    const { status, signal, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program], { env: { ...process.env, TSX_DISABLE_CACHE: '1' }, encoding: 'utf8' });
    expect(signal === 'SIGKILL' || status === 0, stderr).toBe(true);
    return status === 0;
  }

  it.each([true, false])('that is cut off before any of its renames leaves the journal that was there, or the one of the backup (a journal is there: %s)', async (there) => {
    const home = freshDirectory();
    const journal = await openJournal({ directory: home });
    await Promise.all(Array.from({ length: 20 }, (_, number) => journal.append(read(number))));
    await journal.remember('inside/京QM86H8', { since: 1 });
    const { path } = await journal.backup({ into: freshDirectory(), name: 'one', evidence: false, release: '0.1.0' });
    await Promise.all(Array.from({ length: 10 }, (_, number) => journal.append(read(number))));
    // As the power goes: with its log, which is set aside with it.
    const killed = freshDirectory();
    cpSync(home, killed, { recursive: true });
    const seen: string[] = [];
    for (let renames = 0, done = false; !done; renames += 1) {
      const directory = freshDirectory();
      if (there) cpSync(killed, directory, { recursive: true });
      done = cutAt(renames, path, directory);
      const again = makeJournal({ directory });
      const { origin } = await again.start();
      seen.push(origin);
      const events = await again.events({ limit: 100 });
      expect(await again.recall('inside/京QM86H8'), `${origin}, cut before rename ${renames}`).toEqual(origin === 'new' ? undefined : { since: 1 });
      expect(events.filter(({ type }) => type === 'passage.read').length).toBe(origin === 'new' ? 0 : origin === 'continued' ? 30 : 20);
      expect((await again.verify()).brokenAt).toBeNull();
      expect(existsSync(join(directory, 'journal.rebuilt'))).toBe(false);
      await again.stop();
    }
    expect(new Set(seen)).toEqual(new Set([there ? 'continued' : 'new', 'restored']));
    expect(seen.length).toBeGreaterThan(there ? 4 : 2);
  });
});

const request = { name: 'one', gateId: 'east-gate', evidence: false, clockTrusted: true, release: '0.1.0', pace: false, ...now };
const backUp = (journal: string, more: { readonly evidence?: boolean } = {}): Promise<BackupMade> => makeBackup({ journal, into: freshDirectory(), ...request, ...more }, () => false, () => undefined);

/** A stopped journal of 2,000 events, a fact and a photograph. */
async function stopped(): Promise<string> {
  const directory = freshDirectory();
  const journal = await openJournal({ directory });
  await Promise.all(Array.from({ length: 2_000 }, (_, number) => journal.append(read(number))));
  await journal.remember('inside/京QM86H8', { since: 1 });
  await journal.saveEvidence('p-1', 'frame', new Uint8Array(5_000).fill(7));
  await journal.acknowledge(2_000);
  await journal.stop();
  return directory;
}

function inDatabase<Found>(directory: string, run: (db: InstanceType<typeof SqliteDatabase>) => Found): Found {
  const db = new SqliteDatabase(join(directory, 'journal.db'));
  try {
    return run(db);
  } finally {
    db.close();
  }
}

/** Destroys a page of a table. */
function destroy(directory: string, table: string): void {
  const pages = inDatabase(directory, (db) => z.array(z.object({ pageno: z.number() })).parse(db.prepare("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path").all(table)));
  const handle = openSync(join(directory, 'journal.db'), 'r+');
  writeSync(handle, Buffer.alloc(4096, 0xa5), 0, 4096, ((pages[Math.floor(pages.length / 2)]?.pageno ?? 1) - 1) * 4096);
  closeSync(handle);
}

const gapSchema = z.object({ gaps: z.array(z.object({ first: z.number(), last: z.number() })) });

/** Starts a gate on what was restored, and expects each event that was there to be there or to be declared lost. @returns how many are there */
async function expectAccounted(directory: string, head: number): Promise<number> {
  const journal = await openJournal({ directory });
  const events = await journal.events({ limit: 5_000 });
  const [lost] = await journal.events({ types: ['journal.lost'], limit: 5 });
  expect(lost?.payload).toMatchObject({ reason: 'restored' });
  const { gaps } = gapSchema.parse(lost?.payload);
  const there = new Set(events.map(({ seq }) => seq));
  for (let seq = 1; seq <= head; seq += 1) expect(there.has(seq) !== gaps.some(({ first, last }) => first <= seq && seq <= last), `event ${seq}`).toBe(true);
  expect((await journal.verify()).brokenAt).toBeNull();
  expect((await journal.append(read(1))).seq).toBeGreaterThan(head);
  await journal.stop();
  return events.length - 1;
}

describe('a backup of a damaged journal', () => {
  it.each<[string, number, (directory: string) => void]>([
    ['a changed event', 1_999, (directory) => inDatabase(directory, (db) => db.exec(`UPDATE event SET text = replace(text, '"payload":{', '"payload":{"more":1,') WHERE seq = 777`))],
    ['a destroyed page of events', 1_900, (directory) => destroy(directory, 'event')],
    ['a removed event', 1_999, (directory) => inDatabase(directory, (db) => db.exec('DELETE FROM event WHERE seq = 777'))],
    ['a destroyed page of what is known of photographs', 2_000, (directory) => destroy(directory, 'evidence')],
  ])('with %s is made and says so; it is restored when asked for what can be read, and what is gone is declared', async (_, least, damage) => {
    const [home, box] = [await stopped(), freshDirectory()];
    damage(home);
    const { path, manifest } = await backUp(home);
    expect(manifest.verified?.brokenAt !== null || manifest.verified.unreadable.length > 0).toBe(true);
    await expect(restoreBackup(path, box, now, 'east-gate')).rejects.toThrow(/^BACKUP_INVALID: .*damaged.*gatectl restore --salvage/u);
    expect(existsSync(join(box, 'journal.db'))).toBe(false);
    const restored = await restoreBackup(path, box, now, 'east-gate', 'salvage');
    expect(restored.salvaged).toMatchObject({ facts: 1 });
    expect(await expectAccounted(box, 2_000)).toBeGreaterThanOrEqual(least);
  });

  it('in which nothing can be read any more of what is known of photographs has them all the same', async () => {
    const home = await stopped();
    destroy(home, 'evidence');
    const { manifest } = await backUp(home, { evidence: true });
    expect(manifest.verified?.unreadable).not.toEqual([]);
    const { manifest: before } = await backUp(await stopped(), { evidence: true });
    const pictures = (files: BackupManifest['files']): readonly string[] => files.map(({ path }) => path).filter((path) => path.startsWith('evidence/'));
    expect(pictures(manifest.files)).toEqual(pictures(before.files));
    expect(pictures(before.files)).not.toEqual([]);
  });

  it('that was damaged where it was kept is restored as far as it can be read, photographs too', async () => {
    const [home, box] = [await stopped(), freshDirectory()];
    const { path, manifest } = await backUp(home, { evidence: true });
    expect(manifest.verified).toEqual({ checked: 2_000, brokenAt: null, unreadable: [] });
    destroy(path, 'event');
    const picture = manifest.files.find((file) => file.path.startsWith('evidence/'))?.path ?? '';
    appendFileSync(join(path, picture), 'x');
    await expect(restoreBackup(path, box, now)).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
    expect(await restoreBackup(path, box, now, undefined, 'salvage')).toMatchObject({ photographs: 0, salvaged: { facts: 1, photographs: 1 } });
    expect(await expectAccounted(box, 2_000)).toBeGreaterThan(1_900);
    // Not even its first page, nor the file itself.
    writeFileSync(join(path, 'journal.db'), Buffer.alloc(8_192, 0xa5));
    const empty = freshDirectory();
    expect(await restoreBackup(path, empty, now, undefined, 'salvage')).toMatchObject({ salvaged: { events: 0 } });
    expect(await expectAccounted(empty, 2_000)).toBe(0);
    rmSync(join(path, 'journal.db'));
    await expect(restoreBackup(path, freshDirectory(), now, undefined, 'salvage')).rejects.toMatchObject({ code: 'BACKUP_INVALID' });
  });

  it('that has lost the row of its state does not bring back what retention had removed', async () => {
    const [home, box] = [await stopped(), freshDirectory()];
    inDatabase(home, (db) => {
      const store = new JournalStore(db, (head) => head, 'east-gate');
      store.pruneThrough(1_200);
      store.release();
    });
    const { path, manifest } = await backUp(home);
    expect(manifest.journal.prunedThrough).toBe(1_200);
    destroy(path, 'state');
    const restored = await restoreBackup(path, box, now, 'east-gate', 'salvage');
    expect(restored.salvaged).toMatchObject({ events: 800, missing: [] });
    const journal = await openJournal({ directory: box });
    expect((await journal.events({ limit: 1 }))[0]?.seq).toBe(1_201);
    expect((await journal.verify()).brokenAt).toBeNull();
  });

  it('that a release before made, which did not look, is looked through before it is restored', async () => {
    const [home, box] = [await stopped(), freshDirectory()];
    const { path } = await backUp(home);
    const { verified: _, ...manifest } = z.looseObject({}).parse(JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8')));
    writeFileSync(join(path, 'manifest.json'), JSON.stringify(manifest));
    expect(await restoreBackup(path, box, now, 'east-gate')).toMatchObject({ checked: 2_000, salvaged: null });
  });

  it('is given up in the middle of looking through the copy', async () => {
    const [home, into] = [await stopped(), freshDirectory()];
    let looked = 0;
    await expect(makeBackup({ journal: home, into, ...request }, () => looked > 2, ({ part }) => (looked += part === 'check' ? 1 : 0))).rejects.toMatchObject({ code: 'BACKUP_FAILED' });
    expect(readdirSync(into)).toEqual([]);
  });
});
