import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { damageJournal } from '../../scripts/faults/damage.js';
import { runDiskSweep } from '../../scripts/faults/disk-sweep.js';
import { compileDiskShim, diskShimEnvironment, type DiskShimOptions } from '../../scripts/faults/disk-shim.js';
import { journalDiskFaultKinds, runJournalRounds } from '../../scripts/faults/journal-rounds.js';
import { seeded } from '../../scripts/faults/random.js';
import { NumberBook, judge } from '../../scripts/faults/verdict.js';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { SqliteJournal } from '../../src/journal/index.js';
import type { LedgerReport } from '../../src/uplink/index.js';

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true });
});

const record = { lost: 0, doubled: 0, reordered: 0, chainBroken: 0, undeclaredLoss: 0 };

describe('the journal and its uplink, held against the ledger of the platform', () => {
  it('lose, double and reorder nothing when they are killed, lose their power, their disk, their clock, their broker and their database', { timeout: 240_000 }, async () => {
    const { violations, faults, told, leftOut, ...found } = await runJournalRounds({ rounds: 10, seed: 5 });
    expect(violations).toEqual([]);
    expect(found).toMatchObject(record);
    expect(told).toBeGreaterThan(0);
    const met = (kinds: RegExp): number => Object.entries(faults).reduce((sum, [kind, count]) => sum + (kinds.test(kind) ? count : 0), 0);
    expect(met(/^killed-/u)).toBeGreaterThanOrEqual(10);
    for (const kinds of [/^clock-/u, /^(?:database|log|guard)-/u]) expect(met(kinds), String(kinds)).toBeGreaterThan(0);
    if (leftOut.length > 0) {
      console.log(`left out, because there is no C compiler (cc) here: ${leftOut.join(', ')}`);
      return;
    }
    expect(met(/^power-cut(-nothing-dropped)?$/u)).toBeGreaterThanOrEqual(2);
    expect(Object.keys(faults).some((kind) => !kind.startsWith('power-cut') && journalDiskFaultKinds.includes(kind))).toBe(true);
  });

  it('are seen to give events a wrong time where they take a wrong one for known', { timeout: 120_000 }, async () => {
    const { violations } = await runJournalRounds({ rounds: 4, seed: 2, tellsTimeOffMs: 5_000 });
    expect(violations.join('\n')).toMatch(/the platform has \d+ events with a wrong time: \d+ by (?:49|50)\d\d ms \(corrected\)/u);
  });

  it('do lose events on a disk that lies about synchronising, and that is noticed', { timeout: 240_000 }, async () => {
    const { lost, doubled, leftOut } = await runJournalRounds({ rounds: 4, seed: 1, liesAboutSync: true });
    if (leftOut.length > 0) {
      console.log('skipped: there is no C compiler (cc) here');
      return;
    }
    expect(lost + doubled).toBeGreaterThan(0);
  });
});

describe('a disk that is made to fail', () => {
  function watchedDisk(): { readonly directory: string; readonly shim: string; readonly root: string; readonly hits: string } | undefined {
    const directory = mkdtempSync(join(tmpdir(), 'laurel-strikes-'));
    directories.push(directory);
    const shim = compileDiskShim(directory);
    if (shim !== undefined) return { directory, shim, root: join(directory, 'disk'), hits: join(directory, 'hits') };
    console.log('skipped: there is no C compiler (cc) here');
    return undefined;
  }

  it('tells whether its fault struck, so that one that came to lie beside what was done is not counted', () => {
    const disk = watchedDisk();
    if (disk === undefined) return;
    const { shim, root, hits } = disk;
    /** A process that writes eight times and synchronises after each. */
    const program = `const fs = require('node:fs'); fs.mkdirSync(${JSON.stringify(root)}, { recursive: true }); const file = fs.openSync(${JSON.stringify(join(root, 'file'))}, 'w');
      for (let write = 0; write < 8; write += 1) for (const does of [() => fs.writeSync(file, 'x'.repeat(100)), () => fs.fsyncSync(file)]) try { does(); } catch {}`;
    const strikes = (options: Omit<DiskShimOptions, 'root'>): string => {
      rmSync(hits, { force: true });
      rmSync(root, { recursive: true, force: true });
      execFileSync(process.execPath, ['-e', program], { env: { ...process.env, ...diskShimEnvironment(shim, { root, hits, ...options }) } });
      return existsSync(hits) ? readFileSync(hits, 'utf8') : '';
    };
    expect(strikes({ fail: { first: 1_000, count: 4, error: 'EIO', kinds: ['write'] } })).toBe('');
    expect(strikes({ spaceBytes: 10_000 })).toBe('');
    expect(strikes({ fail: { first: 7, count: 2, error: 'EIO', kinds: ['sync', 'own'] } })).toBe('ss');
    // Three of eight writes fit.
    expect(strikes({ spaceBytes: 300 })).toBe('nnnnn');
    // The folder and the file are made by writes too.
    expect(strikes({ fullFromWrite: 2 + 5 })).toBe('nnnn');
  });

  it('leaves a connection alone whose handle has the number of a file that was closed', () => {
    const disk = watchedDisk();
    if (disk === undefined) return;
    const { directory, shim, root, hits } = disk;
    const log = join(directory, 'record');
    const program = `const fs = require('node:fs'); fs.mkdirSync(${JSON.stringify(root)}); const files = Array.from({ length: 40 }, (_, at) => fs.openSync(${JSON.stringify(root)} + '/' + at, 'w')); for (const file of files) fs.closeSync(file);
      const net = require('node:net'); const server = net.createServer((socket) => socket.on('data', (data) => { console.log(String(data)); process.exit(0); })); server.listen(0, '127.0.0.1', () => net.connect(server.address().port, '127.0.0.1').write('through'));`;
    // 41 writes make the folder and the files.
    const said = execFileSync(process.execPath, ['-e', program], { env: { ...process.env, ...diskShimEnvironment(shim, { root, hits, log, fail: { first: 42, count: 1_000, error: 'EIO', kinds: ['write', 'own'] } }) }, encoding: 'utf8' });
    expect(said).toBe('through\n');
    expect(readFileSync(hits, 'utf8')).toBe('');
    expect(readFileSync(log).includes('through')).toBe(false);
  });
});

describe('a disk that fails at one operation after the other', () => {
  const skipped = 'skipped: there is no C compiler (cc) here';

  it('takes nothing of what a gate was told, new or not: neither at a write nor at a synchronisation nor at a read, nor when the power goes after it', { timeout: 240_000 }, async () => {
    const found = await runDiskSweep({ seed: 3, every: 16, kinds: ['sweep-io-error-write', 'sweep-io-error-sync', 'sweep-io-error-read'] });
    if (found === undefined) {
      console.log(skipped);
      return;
    }
    const { violations, faults, told, ...counts } = found;
    expect(violations).toEqual([]);
    expect(counts).toMatchObject(record);
    expect(told).toBeGreaterThan(0);
    for (const kind of ['sweep-io-error-write', 'sweep-io-error-sync', 'sweep-io-error-read', 'sweep-power-cut']) expect(faults[kind], kind).toBeGreaterThan(0);
  });

  it('is seen to take what was told where it lies about synchronising', { timeout: 240_000 }, async () => {
    const found = await runDiskSweep({ seed: 3, every: 30, kinds: ['sweep-io-error-sync'], liesAboutSync: true });
    if (found === undefined) {
      console.log(skipped);
      return;
    }
    expect(found.lost + found.doubled).toBeGreaterThan(0);
    expect(found.violations.join('\n')).toMatch(/sweep-io-error-sync at \d+ on .*--sweep --seed 3/u);
  });
});

describe('the judge of these rounds', () => {
  /** A gate of 20 epochs with 10 events each; the events come as told, but for those of which `kept` says no. */
  function judged(kept: (seq: number) => boolean, declared: LedgerReport['declared'], destroyed?: ReadonlySet<number>) {
    const told = new Map(Array.from({ length: 200 }, (_, index) => [index + 1, index + 1]));
    const book = new NumberBook();
    for (const [number, seq] of told) if (kept(seq)) book.enter(number, seq);
    const report = { events: book.numbers.size, repeated: 0, conflicting: [], reordered: [], chainBroken: [], reduced: [], missing: [], declared, through: 200, highest: 200, earlier: [] };
    return judge(told, book, report, destroyed);
  }

  it('does not excuse a gate that declares every fifth epoch damaged and throws away every tenth event', () => {
    const kept = (seq: number): boolean => Math.ceil(seq / 10) % 5 !== 0 && seq % 10 !== 0;
    const declared = Array.from({ length: 200 }, (_, index) => ({ first: index + 1, last: index + 1 })).filter(({ first }) => !kept(first));
    expect(judged(kept, declared)).toMatchObject({ told: 200, lost: 56, undeclaredLoss: 0 });
    expect(judged(kept, declared, new Set([50, 60])), 'a damage took two of them').toMatchObject({ lost: 54 });
  });

  it('excuses what a damage to the files took where the gate says so, and only then', () => {
    const kept = (seq: number): boolean => seq <= 150 || seq > 160;
    const destroyed = new Set([150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 160]);
    expect(judged(kept, [{ first: 151, last: 160 }], destroyed)).toMatchObject({ lost: 0 });
    expect(judged(kept, [], destroyed)).toMatchObject({ lost: 10 });
  });
});

describe('a damage to the files of a journal', () => {
  const freshDirectory = (): string => {
    const directory = mkdtempSync(join(tmpdir(), 'laurel-damage-'));
    directories.push(directory);
    return directory;
  };
  /** Stopped in order, or as a kill leaves it: what came last is in the log alone. */
  async function journalOf(events: number, killed = false): Promise<string> {
    const directory = freshDirectory();
    const journal = new SqliteJournal({ directory, gateId: 'east', clock: systemClock, log: silentLog, retention: { eventsDays: 365, photographsDays: 30, photographsMB: 100 }, ballastMB: 0 });
    await journal.start();
    await Promise.all(Array.from({ length: events }, (_, number) => journal.append({ type: 'passage.read', lane: 'entry', payload: { number } })));
    await journal.remember('seen', { value: 7 });
    const left = killed ? freshDirectory() : directory;
    if (killed) cpSync(directory, left, { recursive: true });
    await journal.stop();
    return left;
  }
  const damage = (directory: string, kind: Parameters<typeof damageJournal>[0], seed: number) => damageJournal(kind, { directory, older: join(directory, 'older.db'), factKey: 'seen', random: seeded(seed) });

  it('is answered for as far as it goes: a few flipped bits for the rows on their pages, an emptied file for all', async () => {
    const directory = await journalOf(2_000);
    const flipped = damage(directory, 'database-flipped', 3);
    expect(flipped?.destroyed.size).toBeGreaterThan(0);
    expect(flipped?.destroyed.size).toBeLessThan(100);
    expect([...(flipped?.destroyed ?? [])].every((seq) => seq >= 1 && seq <= 2_000)).toBe(true);
    const other = await journalOf(500);
    expect(damage(other, 'database-empty', 1)).toMatchObject({ destroyed: new Set(Array.from({ length: 500 }, (_, index) => index + 1)), fact: 0 });
  });

  it('of the log takes what has not come into the database, and one of the guard takes nothing', async () => {
    const directory = await journalOf(300, true);
    expect(damage(directory, 'guard-gone', 1)).toEqual({ destroyed: new Set(), fact: undefined });
    expect(existsSync(join(directory, 'sequence.guard'))).toBe(false);
    const flipped = damage(directory, 'log-flipped', 2);
    expect(flipped?.destroyed.size).toBeGreaterThan(0);
    expect(damage(await journalOf(20), 'log-gone', 1), 'stopped in order there is no log').toBeUndefined();
  });

  it('of zeroed pages takes what lay on them', async () => {
    const destroyed = damage(await journalOf(3_000), 'database-pages-zeroed', 5)?.destroyed.size;
    expect(destroyed).toBeGreaterThan(0);
    expect(destroyed).toBeLessThan(150);
  });

  it('is not done to one that cannot be read any more: what else it would take could not be told', async () => {
    const directory = await journalOf(10);
    expect(damage(directory, 'database-empty', 1)).toBeDefined();
    expect(damage(directory, 'database-truncated', 1)).toBeUndefined();
  });
});
