import { execFileSync } from 'node:child_process';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { JournalCore } from '../../src/journal/core.js';
import { SequenceGuard } from '../../src/journal/sequence-guard.js';
import { freshDirectory, makeJournal, openJournal, read } from './support.js';
import { atRest, batchOf } from './core.js';

afterEach(() => vi.restoreAllMocks());

const SLOT_STRIDE = 4096;
const HINT_SLOT = 2;

describe('the guard of the numbers', () => {
  it('keeps a bound when the next one is torn by a power cut, however many hints lie between the two', () => {
    for (const hints of [0, 1, 2, 3]) {
      const path = join(freshDirectory(), 'sequence.guard');
      const guard = SequenceGuard.open(path);
      const mark = (reserved: number) => ({ epoch: 1, reserved, used: 0, acknowledged: 0 });
      guard.bound(mark(100));
      for (let count = 0; count < hints; count += 1) guard.hint(mark(100));
      guard.bound(mark(200));
      guard.close();
      // The slot that was being written, and the hint, which nothing has synced.
      const torn = [0, 1].find((slot) => execFileSync('dd', [`if=${path}`, 'bs=1', `skip=${slot * SLOT_STRIDE}`, 'count=512', 'status=none']).includes('"reserved":200')) ?? 0;
      const handle = openSync(path, 'r+');
      for (const slot of [torn, HINT_SLOT]) writeSync(handle, Buffer.alloc(512, 0xa5), 0, 512, slot * SLOT_STRIDE);
      closeSync(handle);
      expect(SequenceGuard.read(path)?.reserved, `${hints} hints`).toBe(100);
    }
  });

  it('that cannot take a hint is no reason to call events lost that are on disk', async () => {
    const said: string[] = [];
    const core = new JournalCore(atRest(freshDirectory()), (_, __, message) => said.push(message));
    vi.spyOn(SequenceGuard.prototype, 'hint').mockImplementation(() => {
      throw Object.assign(new Error('i/o error'), { code: 'EIO' });
    });
    expect(core.commit(batchOf(3))).toMatchObject({ first: 1, outbox: { head: 3 } });
    expect(core.commit(batchOf(2))).toMatchObject({ first: 4, outbox: { head: 5 } });
    expect(core.takeOwn()).toEqual([]);
    expect(said.filter((message) => message.includes('guard'))).toHaveLength(1);
    expect(await core.answer({ ask: 'verify' }, atRest('').moment)).toEqual({ checked: 5, brokenAt: null });
    core.close();
  });
});

describe('an acknowledgement', () => {
  it('for the same number in another journal of this gate lets go of nothing', async () => {
    const journal = await openJournal({ directory: freshDirectory() });
    await Promise.all(Array.from({ length: 10 }, (_, number) => journal.append(read(number))));
    await expect(journal.acknowledge(8, 7)).rejects.toMatchObject({ code: 'MESSAGE_INVALID' });
    expect(await journal.outbox()).toEqual({ head: 10, acknowledged: 0 });
    expect(await journal.acknowledge(8, 1)).toEqual({ head: 10, acknowledged: 8 });
    // What is let go of already is no question any more.
    expect(await journal.acknowledge(5, 7)).toEqual({ head: 10, acknowledged: 8 });
  });
});

describe('a journal that is stopped', () => {
  it('before it was open ends all the same', { timeout: 15_000 }, async () => {
    const journal = makeJournal({ directory: freshDirectory() });
    const started = journal.start();
    await journal.stop();
    expect(await started).toMatchObject({ epoch: 1 });
    await expect(journal.append(read(1))).rejects.toMatchObject({ code: 'JOURNAL_CLOSED' });
  });
});

describe('a file of a backup', () => {
  it('that the disk takes in part only is a failure, not a shorter file', () => {
    const directory = freshDirectory();
    const [from, to, program] = ['from', 'to', 'copy.ts'].map((name) => join(directory, name));
    writeFileSync(from ?? '', Buffer.alloc(300_000, 7));
    writeFileSync(program ?? '', `import { copyFile } from ${JSON.stringify(new URL('../../src/journal/backup.ts', import.meta.url).pathname)};\ncopyFile(${JSON.stringify(from)}, ${JSON.stringify(to)});\n`);
    // A limit on the size of files makes a write end in its middle, as the last free block of a disk does.
    const limited = (): unknown => execFileSync('bash', ['-c', `trap '' XFSZ; ulimit -f 200; exec "$0" --import tsx "$1"`, process.execPath, program ?? ''], { stdio: 'pipe', env: { ...process.env, TSX_DISABLE_CACHE: '1' } });
    expect(limited).toThrow(/EFBIG/u);
  });
});
