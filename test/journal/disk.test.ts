import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
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
const reportSchema = z.object({ stored: z.array(z.number()), refused: z.array(z.string()), photograph: z.string(), brokenAt: z.number().nullable() });

const library = mkdtempSync(join(tmpdir(), 'laurel-disk-'));
afterAll(() => rmSync(library, { recursive: true, force: true }));
const shim = compileDiskShim(library);
if (shim === undefined) console.log('skipped: there is no C compiler (cc) here, so no disk can be made to fail');

/** Runs a journal on a disk that does as is asked, to the moment the power goes. */
async function onDisk(data: string, count: number, options: Omit<DiskShimOptions, 'root'>): Promise<z.output<typeof reportSchema>> {
  const environment = diskShimEnvironment(shim ?? '', { root: data, ...options });
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, ['--import', 'tsx', program, data, String(count)], { env: { ...process.env, ...environment } }, (_, stdout) => resolve(stdout));
  });
  return reportSchema.parse(JSON.parse(output));
}

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
});
