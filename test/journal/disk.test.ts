import SqliteDatabase from 'better-sqlite3';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DiskImage } from '../../scripts/faults/disk-image.js';
import { compileDiskShim, diskShimEnvironment, type DiskShimOptions } from '../../scripts/faults/disk-shim.js';
import { seeded } from '../../scripts/faults/random.js';
import { freshDirectory, openJournal } from './support.js';

const program = fileURLToPath(new URL('disk-child.ts', import.meta.url));
const acknowledging = fileURLToPath(new URL('acknowledge-child.ts', import.meta.url));
const reportSchema = z.object({ stored: z.array(z.number()), refused: z.array(z.string()), photograph: z.string(), brokenAt: z.number().nullable() });

const acknowledgedSchema = z.object({ stored: z.array(z.number()), tenth: z.number(), acknowledged: z.number() });

const library = mkdtempSync(join(tmpdir(), 'laurel-disk-'));
afterAll(() => rmSync(library, { recursive: true, force: true }));
const shim = compileDiskShim(library);
if (shim === undefined) console.log('skipped: there is no C compiler (cc) here, so no disk can be made to fail');

/** Runs a program on a disk that does as is asked, to its end. @returns what it said */
async function run(path: string, data: string, options: Omit<DiskShimOptions, 'root'>, args: readonly string[]): Promise<string> {
  const environment = diskShimEnvironment(shim ?? '', { root: data, ...options });
  return new Promise((resolve) => {
    execFile(process.execPath, ['--import', 'tsx', path, data, ...args], { env: { ...process.env, ...environment } }, (_, stdout) => resolve(stdout));
  });
}

/** Runs a journal on a disk that does as is asked, to its end. @returns what it said */
function child(data: string, count: number, options: Omit<DiskShimOptions, 'root'>, reader = ''): Promise<string> {
  return run(program, data, options, [String(count), reader]);
}

/** Runs one to the moment the power goes. */
async function onDisk(...run: Parameters<typeof child>): Promise<z.output<typeof reportSchema>> {
  return reportSchema.parse(JSON.parse(await child(...run)));
}

/** What a journal holds after the power went, and the disk forgot all that was not synchronised. */
async function leftAfterPowerCut(data: string, image: DiskImage, log: string): Promise<readonly number[]> {
  image.play(readFileSync(log));
  image.cut('none', seeded(1));
  const journal = await openJournal({ directory: data });
  return (await journal.events({ limit: 1_000, types: ['passage.read'] })).map(({ seq }) => seq);
}

describe.skipIf(shim === undefined)('a disk of so much room', () => {
  it('gives none back for what the system refuses, and all of it for what is gone', () => {
    const data = freshDirectory();
    const program = `
      const { mkdirSync, openSync, renameSync, statfsSync, unlinkSync, writeFileSync } = require('node:fs');
      const free = () => { const { bavail, bsize } = statfsSync(process.argv[1]); return bavail * bsize; };
      const refused = (run) => { try { run(); return false; } catch { return free(); } };
      const [file, other, folder] = ['file', 'other', 'folder'].map((name) => process.argv[1] + '/' + name);
      mkdirSync(folder);
      writeFileSync(file, Buffer.alloc(1_000_000));
      const full = free();
      const after = [() => openSync(file, 'wx'), () => renameSync(folder, file), () => unlinkSync(folder)].map(refused);
      writeFileSync(other, Buffer.alloc(500_000));
      renameSync(other, file);
      const renamed = free();
      unlinkSync(file);
      process.stdout.write(JSON.stringify({ full, after, renamed, empty: free() }));`;
    const said = execFileSync(process.execPath, ['-e', program, data], { env: { ...process.env, ...diskShimEnvironment(shim ?? '', { root: data, spaceBytes: 4_096_000 }) }, encoding: 'utf8' });
    const { full, after, renamed, empty } = z.object({ full: z.number(), after: z.array(z.number()), renamed: z.number(), empty: z.number() }).parse(JSON.parse(said));
    expect(after).toEqual([full, full, full]);
    expect(renamed).toBeGreaterThan(full + 400_000);
    expect(empty).toBe(4_096_000);
  });
});

describe.skipIf(shim === undefined)('a journal', () => {
  it('on a disk that fails for a moment keeps its events in memory and has them on record afterwards, each once', async () => {
    const data = join(freshDirectory(), 'journal');
    const { stored, refused, brokenAt } = await onDisk(data, 60, { fail: { first: 150, count: 40, error: 'EIO', kinds: ['write', 'sync'] } });
    expect(refused).toEqual([]);
    expect(new Set(stored).size).toBe(60);
    expect(brokenAt).toBeNull();
    const events = await (await openJournal({ directory: data })).events({ limit: 1_000, types: ['passage.read'] });
    expect(events.map(({ payload }) => payload.number)).toEqual(Array.from({ length: 60 }, (_, number) => number));
  });

  it('has every event and every photograph it called recorded after a power cut that takes all that was not synchronised, in new folders too', async () => {
    const parent = freshDirectory();
    const data = join(parent, 'journal');
    const log = join(freshDirectory(), 'record');
    const image = new DiskImage(data);
    const { stored, photograph } = await onDisk(data, 30, { log });
    image.play(readFileSync(log));
    expect(image.cut('none', seeded(1))).toBe(true);
    expect(existsSync(join(data, 'evidence', photograph.slice(0, 2), `${photograph.slice(2)}.jpg`))).toBe(true);
    const journal = await openJournal({ directory: data });
    expect((await journal.events({ limit: 1_000, types: ['passage.read'] })).map(({ seq }) => seq)).toEqual(stored);
    expect(await journal.readEvidence(photograph)).toEqual(new Uint8Array(Buffer.from('a picture of a car')));
  });

  it('that is read by somebody while the disk refuses for a moment keeps what it called recorded afterwards over a power cut', async () => {
    for (const first of [190, 220]) {
      const data = join(freshDirectory(), 'journal');
      mkdirSync(data);
      const log = join(freshDirectory(), 'record');
      const image = new DiskImage(data);
      const { stored, refused } = await onDisk(data, 40, { log, fail: { first, count: 4, error: 'EIO', kinds: ['sync'] } }, 'reader');
      expect(refused).toEqual([]);
      expect(await leftAfterPowerCut(data, image, log), `refused at ${first}`).toEqual(expect.arrayContaining(stored));
    }
  });

  it('that is started anew, and read by somebody, after the disk refused keeps what it then calls recorded over a power cut', async () => {
    for (const first of [60, 80]) {
      const data = join(freshDirectory(), 'journal');
      mkdirSync(data);
      const log = join(freshDirectory(), 'record');
      const image = new DiskImage(data);
      await onDisk(data, 10, { log });
      const reader = new SqliteDatabase(join(data, 'journal.db'), { readonly: true });
      reader.exec('BEGIN; SELECT count(*) FROM event');
      // Killed before it could do anything about it.
      expect(await child(data, 100, { log, cutAt: first + 4, fail: { first, count: 4, error: 'EIO', kinds: ['sync'] } })).toBe('');
      const { stored, refused } = await onDisk(data, 20, { log });
      expect(refused).toEqual([]);
      reader.close();
      expect(await leftAfterPowerCut(data, image, log), `refused at ${first}`).toEqual(expect.arrayContaining(stored));
    }
  });

  it.each([
    { then: 'event', kept: 'all' },
    { then: 'minute', kept: 'all' },
    { then: 'nothing', kept: 'some' },
  ] as const)('acknowledged and then cut from power after $then has lost no event, lets go of none the platform lacks, and knows $kept of what was acknowledged', async ({ then, kept }) => {
    const data = join(freshDirectory(), 'journal');
    mkdirSync(data);
    const log = join(freshDirectory(), 'record');
    const image = new DiskImage(data);
    const { stored, tenth, acknowledged } = acknowledgedSchema.parse(JSON.parse(await run(acknowledging, data, { log }, [then])));
    expect(acknowledged).toBe(tenth);
    image.play(readFileSync(log));
    image.cut('none', seeded(1));
    const journal = await openJournal({ directory: data });
    expect((await journal.events({ limit: 1_000, types: ['passage.read'] })).map(({ seq }) => seq)).toEqual(stored);
    expect(await journal.verify()).toMatchObject({ brokenAt: null });
    const now = await journal.outbox();
    expect(now.acknowledged).toBeLessThanOrEqual(tenth);
    if (kept === 'all') expect(now.acknowledged).toBe(tenth);
    expect((await journal.acknowledge(tenth)).acknowledged).toBe(tenth);
  });
});
