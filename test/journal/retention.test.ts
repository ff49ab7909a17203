import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import SqliteDatabase from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/base/index.js';
import { BACKUP_FORMAT, DATABASE_NAME, MANIFEST_NAME, type BackupManifest } from '../../src/journal/backup-manifest.js';
import { freeBytes } from '../../src/journal/ballast.js';
import { JournalCore } from '../../src/journal/core.js';
import { canonicalJson } from '../../src/journal/canonical.js';
import { parseEvent } from '../../src/journal/event-text.js';
import type { Batch, Moment, ThreadOptions } from '../../src/journal/protocol.js';
import { freshDirectory, openJournal } from './support.js';

const DAY_MS = 86_400_000;
const options = (directory: string, more: Partial<ThreadOptions> = {}): ThreadOptions => ({
  directory,
  gateId: 'east-gate',
  client: 'test',
  epoch: undefined,
  moment: moment(0),
  firstEpoch: 'one',
  retention: { eventsDays: 365, eventsMB: 1_000, photographsDays: 30, platePicturesDays: 30, photographsMB: 100 },
  ballastBytes: 0,
  endBackup: new Int32Array(new SharedArrayBuffer(4)),
  exclusive: false,
  ...more,
});
const moment = (days: number, clockTrusted = true): Moment => ({ wallMs: 1_767_225_600_000 + days * DAY_MS, monoMs: 1_000 + days * DAY_MS, clockTrusted });

let batchNumber = 0;
const batch = (count: number, when: Moment, bytes = 10): Batch => {
  batchNumber += 1;
  const payloadText = canonicalJson({ text: 'x'.repeat(bytes) });
  return { number: batchNumber, moment: when, unstored: 0, writes: Array.from({ length: count }, () => ({ op: 'append', type: 'passage.read', lane: 'entry', passage: null, payloadText, ...when })) };
};
const acknowledge = (core: JournalCore, seq: number): void => {
  batchNumber += 1;
  core.commit({ number: batchNumber, moment: moment(0), unstored: 0, writes: [{ op: 'acknowledge', seq }] });
};
async function tidy(core: JournalCore, when: Moment): Promise<void> {
  for (let slice = 0; slice < 400; slice += 1) if ((await core.answer({ ask: 'maintain' }, when)) === false) return;
}
async function sequences(core: JournalCore): Promise<number[]> {
  const rows = await core.answer({ ask: 'events', query: { limit: 5_000 } }, moment(0));
  return Array.isArray(rows) ? rows.map((text: unknown) => parseEvent(String(text)).seq) : [];
}

describe('photographs', () => {
  it('are found by passage, read back unchanged, kept once, private, and refused when their bytes changed', async () => {
    const directory = freshDirectory();
    const journal = await openJournal({ directory });
    const jpeg = new Uint8Array(randomBytes(50_000));
    const frame = await journal.saveEvidence('p-1', 'frame', jpeg);
    const plate = await journal.saveEvidence('p-1', 'plate', new Uint8Array(randomBytes(900)));
    const again = await journal.saveEvidence('p-2', 'frame', jpeg);
    expect(again.id).toBe(frame.id);
    expect(await journal.evidence('p-1')).toEqual([frame, plate]);
    expect(await journal.readEvidence(frame.id)).toEqual(jpeg);
    const path = join(directory, 'evidence', frame.id.slice(0, 2), `${frame.id.slice(2)}.jpg`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'evidence')).mode & 0o777).toBe(0o700);
    writeFileSync(path, 'another picture');
    expect(await journal.readEvidence(frame.id)).toBeUndefined();
    expect(await journal.readEvidence('../../../etc/passwd')).toBeUndefined();
    expect(await journal.readEvidence('0'.repeat(64))).toBeUndefined();
    await expect(journal.saveEvidence('p-1', 'frame', new Uint8Array())).rejects.toMatchObject({ code: 'EVENT_INVALID' });
  });

  it('are whole again when they are saved again over what a failing disk made of them', async () => {
    const directory = freshDirectory();
    const journal = await openJournal({ directory });
    const jpeg = new Uint8Array(randomBytes(5_000));
    const { id } = await journal.saveEvidence('p-1', 'frame', jpeg);
    const path = join(directory, 'evidence', id.slice(0, 2), `${id.slice(2)}.jpg`);
    const damages: readonly (() => void)[] = [
      () => writeFileSync(path, randomBytes(5_000)),
      () => truncateSync(path, 3_000),
      () => {
        rmSync(path);
        // Not to be read.
        symlinkSync(path, path);
      },
    ];
    for (const damage of damages) {
      damage();
      await journal.saveEvidence('p-2', 'frame', jpeg);
      expect(await journal.readEvidence(id)).toEqual(jpeg);
    }
  });

  it('go after their time, and the oldest first when there are too many bytes', async () => {
    const directory = freshDirectory();
    const clock = new ManualClock();
    const journal = await openJournal({ directory, clock, retention: { eventsDays: 365, photographsDays: 30, photographsMB: 1 } });
    const save = (passage: string): Promise<unknown> => journal.saveEvidence(passage, 'frame', new Uint8Array(randomBytes(400_000)));
    for (const passage of ['p-1', 'p-2', 'p-3', 'p-4']) await save(passage);
    clock.advance(10_000);
    await clock.advanceAsync(1_000);
    // Questions are answered in order: this one is behind the tidying.
    const left = async (): Promise<number[]> => Promise.all(['p-1', 'p-2', 'p-3', 'p-4'].map(async (passage) => (await journal.evidence(passage)).length));
    expect(await left()).toEqual([0, 0, 1, 1]);
    expect(readdirSync(join(directory, 'evidence'), { recursive: true }).filter((name) => String(name).endsWith('.jpg')).length).toBe(2);
  });

  it('left half written by a kill are cleared away, those no passage knows after their time', async () => {
    const directory = freshDirectory();
    const folder = join(directory, 'evidence', '00');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, '.x.tmp'), 'half');
    const core = new JournalCore(options(directory), () => undefined);
    await tidy(core, { wallMs: Date.now() + 31 * DAY_MS, monoMs: 1, clockTrusted: true });
    expect(existsSync(join(folder, '.x.tmp'))).toBe(false);
    core.close();
  });
});

describe('events', () => {
  it('go after their time, but never before the platform has them, and the chain stays whole', async () => {
    const core = new JournalCore(options(freshDirectory()), () => undefined);
    core.commit(batch(100, moment(0)));
    core.commit(batch(100, moment(200)));
    await tidy(core, moment(400));
    expect((await sequences(core)).length).toBe(200);
    acknowledge(core, 150);
    await tidy(core, moment(400));
    expect((await sequences(core))[0]).toBe(101);
    expect(await core.answer({ ask: 'verify' }, moment(400))).toEqual({ checked: 100, brokenAt: null });
    core.close();
  });

  it('stay while the clock is not trusted, and age with the next trusted one', async () => {
    const core = new JournalCore(options(freshDirectory()), () => undefined);
    core.commit(batch(10, moment(-20_000, false)));
    core.commit(batch(10, moment(0)));
    acknowledge(core, 20);
    await tidy(core, moment(5_000, false));
    await tidy(core, moment(300));
    expect((await sequences(core)).length).toBe(20);
    await tidy(core, moment(400));
    expect(await sequences(core)).toEqual([]);
    core.commit(batch(1, moment(400)));
    expect(await core.answer({ ask: 'verify' }, moment(400))).toEqual({ checked: 1, brokenAt: null });
    core.close();
  });

  it('beyond the byte limit go from the oldest acknowledged on', async () => {
    const core = new JournalCore(options(freshDirectory(), { retention: { eventsDays: 365, eventsMB: 1, photographsDays: 30, platePicturesDays: 30, photographsMB: 1 } }), () => undefined);
    for (let round = 0; round < 3; round += 1) core.commit(batch(1_000, moment(0), 300));
    acknowledge(core, 3_000);
    await tidy(core, moment(0));
    const left = await sequences(core);
    expect(left.length).toBeGreaterThan(500);
    expect(left.length).toBeLessThan(2_000);
    expect(left.at(-1)).toBe(3_000);
    core.close();
  });
});

/** A small file system of its own; needs the right to mount. */
function mounted(megabytes: number): string | undefined {
  const directory = freshDirectory();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory], { stdio: 'ignore' });
    return directory;
  } catch {
    console.log('skipped: no right to mount a small file system here');
    return undefined;
  }
}

describe('a full disk', () => {
  it('takes photographs first, then acknowledged events; the gate goes on writing', async () => {
    const directory = mounted(20);
    if (directory === undefined) return;
    const said: string[] = [];
    const core = new JournalCore(options(join(directory, 'journal'), { ballastBytes: 4 * 1024 * 1024 }), (_, __, message) => said.push(message));
    try {
      for (let picture = 0; picture < 2; picture += 1) {
        await core.answer({ ask: 'saveEvidence', passage: `p-${picture}`, kind: 'frame', jpeg: new Uint8Array(randomBytes(500_000)) }, moment(0));
      }
      let head = 0;
      for (let round = 0; round < 120; round += 1) {
        const committed = core.commit(batch(100, moment(0), 2_000));
        expect(committed.first).toBeGreaterThan(head);
        head = committed.first + 99;
        acknowledge(core, head);
      }
      expect(said.some((message) => message.includes('photographs'))).toBe(true);
      expect(await core.answer({ ask: 'evidence', passage: 'p-0' }, moment(0))).toEqual([]);
      expect((await sequences(core)).at(-1)).toBe(head);
      expect(core.takeOwn()).toEqual([]);
      expect(await core.answer({ ask: 'verify' }, moment(0))).toMatchObject({ brokenAt: null });
      core.close();
    } finally {
      execFileSync('umount', ['-l', directory]);
    }
  });

  it('takes older automatic backups before photographs, the newest after them, and none made by hand', async () => {
    const root = mounted(40);
    if (root === undefined) return;
    const backups = join(root, 'backup');
    const backup = (name: string, epoch: number): void => {
      mkdirSync(join(backups, name), { recursive: true });
      writeFileSync(join(backups, name, DATABASE_NAME), randomBytes(3_000_000));
      const sha256 = '0'.repeat(64);
      const manifest: BackupManifest = {
        format: BACKUP_FORMAT,
        gate: 'east-gate',
        release: '0.1.0',
        madeAt: '2026-01-01T00:00:00.000Z',
        clockTrusted: true,
        photographs: false,
        journal: { schema: 3, epoch, head: 10, headHash: sha256, acknowledged: 0, prunedThrough: 0 },
        guard: null,
        files: [{ path: DATABASE_NAME, bytes: 3_000_000, sha256 }],
      };
      writeFileSync(join(backups, name, MANIFEST_NAME), JSON.stringify(manifest));
    };
    // By what they hold, not by name or time: clocks jump.
    backup('auto-b', 1);
    backup('auto-a', 2);
    backup('manual-a', 1);
    const said: string[] = [];
    const core = new JournalCore(options(join(root, 'journal'), { ballastBytes: 4 * 1024 * 1024, expendable: { directory: backups, prefix: 'auto-' } }), (_, facts, message) => {
      if (message.includes('backup was removed')) said.push(JSON.stringify(facts));
    });
    try {
      await core.answer({ ask: 'saveEvidence', passage: 'p-0', kind: 'frame', jpeg: new Uint8Array(randomBytes(500_000)) }, moment(0));
      for (let round = 0; round < 400 && said.length === 0; round += 1) core.commit(batch(100, moment(0), 2_000));
      expect(said[0]).toContain('auto-b');
      for (let round = 0; round < 400 && said.length === 1; round += 1) core.commit(batch(100, moment(0), 2_000));
      expect(said[1]).toContain('auto-a');
      expect(await core.answer({ ask: 'evidence', passage: 'p-0' }, moment(0))).toEqual([]);
      expect(readdirSync(backups)).toEqual(['manual-a']);
      expect(core.takeOwn()).toEqual([]);
      core.close();
    } finally {
      execFileSync('umount', ['-l', root]);
    }
  });

  it('gives up events the platform does not have only at the very last, and declares them', async () => {
    const directory = mounted(18);
    if (directory === undefined) return;
    const core = new JournalCore(options(join(directory, 'journal'), { ballastBytes: 4 * 1024 * 1024 }), () => undefined);
    try {
      let written = 0;
      for (let round = 0; round < 120; round += 1) {
        core.commit(batch(100, moment(0), 2_000));
        written += 100;
      }
      const lost = core.takeOwn().map(parseEvent);
      expect(lost.length).toBeGreaterThan(0);
      expect(lost.every((event) => event.type === 'journal.lost' && event.payload.reason === 'disk-full')).toBe(true);
      const left = await sequences(core);
      expect(left.at(-1)).toBeGreaterThanOrEqual(written);
      const ranges = lost.map((event) => /"first":(\d+),"last":(\d+)/u.exec(JSON.stringify(event.payload)));
      expect(Number(ranges[0]?.[1])).toBe(1);
      expect(Number(ranges.at(-1)?.[2])).toBe((left[0] ?? 0) - 1);
      expect(await core.answer({ ask: 'verify' }, moment(0))).toMatchObject({ brokenAt: null });
      core.close();
    } finally {
      execFileSync('umount', ['-l', directory]);
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

describe('a damaged journal on a disk without room for another one', () => {
  interface Gate {
    readonly root: string;
    readonly directory: string;
    readonly core: JournalCore;
    readonly said: string[];
    readonly filler: string;
  }

  /** 3,000 events of 2,000 bytes, of which one is damaged; `freeMB` are left on the disk. */
  async function damaged(freeMB: number, { acknowledged = 0, photographs = 0 }, use: (gate: Gate) => Promise<void>): Promise<void> {
    const root = mounted(40);
    if (root === undefined) return;
    const directory = join(root, 'journal');
    const said: string[] = [];
    const core = new JournalCore(options(directory), (_, __, message) => said.push(message));
    try {
      for (let round = 0; round < 30; round += 1) core.commit(batch(100, moment(0), 2_000));
      if (acknowledged > 0) acknowledge(core, acknowledged);
      for (let picture = 0; picture < photographs; picture += 1) {
        const saved = await core.answer({ ask: 'saveEvidence', passage: `p-${picture}`, kind: 'frame', jpeg: new Uint8Array(randomBytes(500_000)) }, moment(0));
        if (typeof saved !== 'object' || !('id' in saved)) continue;
        const path = join(directory, 'evidence', saved.id.slice(0, 2), `${saved.id.slice(2)}.jpg`);
        utimesSync(path, picture + 1, picture + 1);
      }
      const db = new SqliteDatabase(join(directory, 'journal.db'));
      db.exec(`UPDATE event SET text = replace(text, 'xxxx"', 'xxxy"') WHERE seq = 2950`);
      db.pragma('wal_checkpoint(TRUNCATE)');
      db.close();
      const filler = join(root, 'filler');
      writeFileSync(filler, Buffer.alloc(Math.max(0, freeBytes(root) - freeMB * 1_000_000)));
      await use({ root, directory, core, said, filler });
      core.close();
    } finally {
      execFileSync('umount', ['-l', root]);
    }
  }
  const meet = (core: JournalCore, when = moment(0)): Promise<unknown> => core.answer({ ask: 'eventBatches', query: { after: 2_900, before: 3_001, events: 100, bytes: 1_000_000, batches: 1 } }, when);

  it('gives up the oldest photographs for it, and keeps every event but the damaged one', async () => {
    await damaged(4, { photographs: 28 }, async ({ directory, core }) => {
      expect(await meet(core)).toMatchObject([{ first: 2_901, last: 3_000, lost: [{ first: 2_950, last: 2_950 }] }]);
      const { first } = core.commit(batch(1, moment(0)));
      expect((await sequences(core)).length).toBe(3_001);
      expect(core.takeOwn().map(parseEvent)).toMatchObject([{ seq: first - 1, type: 'journal.recovered', payload: { kept: { events: 2_999 } } }]);
      const left = await Promise.all(Array.from({ length: 28 }, async (_, picture) => {
        const rows = await core.answer({ ask: 'evidence', passage: `p-${picture}` }, moment(0));
        const id = JSON.stringify(rows).slice(8, 72);
        return (await core.answer({ ask: 'readEvidence', id }, moment(0))) !== undefined;
      }));
      expect(left[0]).toBe(false);
      expect(left.at(-1)).toBe(true);
      expect(left).toEqual([...left].sort((one, other) => Number(one) - Number(other)));
      expect(existsSync(join(directory, 'journal.rebuilt'))).toBe(false);
      expect(await core.answer({ ask: 'verify' }, moment(0))).toMatchObject({ brokenAt: null });
      // What is left of those that went is tidied with the rest.
      await tidy(core, moment(400));
      expect(await core.answer({ ask: 'evidence', passage: 'p-0' }, moment(400))).toEqual([]);
    });
  });

  it('keeps those that the platform does not have, and the photographs, where those would not make room enough', async () => {
    await damaged(3, { acknowledged: 2_700, photographs: 2 }, async ({ directory, core, said }) => {
      expect(await meet(core)).toMatchObject([{ first: 2_901, last: 3_000, lost: [{ first: 2_950, last: 2_950 }] }]);
      core.commit(batch(1, moment(0)));
      const left = await sequences(core);
      expect([left[0], left.length]).toEqual([2_700, 302]);
      expect(core.takeOwn().map(parseEvent)).toMatchObject([{ type: 'journal.recovered', payload: { noRoomFor: 'events the platform has', gaps: [{ first: 2_950, last: 2_950 }] } }]);
      expect(said.some((message) => message.includes('rebuilt without events for which the disk has no room'))).toBe(true);
      expect(readdirSync(join(directory, 'evidence'), { recursive: true }).filter((name) => String(name).endsWith('.jpg'))).toHaveLength(2);
      expect(await core.answer({ ask: 'outbox' }, moment(0))).toMatchObject({ acknowledged: 2_700 });
      expect(await core.answer({ ask: 'verify' }, moment(0))).toMatchObject({ brokenAt: null });
    });
  });

  it('where not even those have room records on without, and declares them; they are in the damaged file', async () => {
    await damaged(3, {}, async ({ directory, core }) => {
      await meet(core);
      const { first } = core.commit(batch(1, moment(0)));
      expect(await sequences(core)).toEqual([first - 1, first]);
      expect(core.takeOwn().map(parseEvent)).toMatchObject([{ type: 'journal.recovered', payload: { noRoomFor: 'events', gaps: [{ first: 1, last: first - 2, reason: 'disk-full' }] } }]);
      expect(await core.answer({ ask: 'verify' }, moment(0))).toEqual({ checked: 2, brokenAt: null });
      const [aside] = readdirSync(join(directory, 'damaged')).filter((name) => name.endsWith('.db'));
      expect(statSync(join(directory, 'damaged', aside ?? '')).size).toBeGreaterThan(6_000_000);
    });
  });

  it('that is quite full refuses events at once instead of reading the damaged one for each, and goes on when there is room', async () => {
    await damaged(0, {}, async ({ core, said, filler }) => {
      const tries = (): number => said.filter((message) => message.includes('no room to rebuild')).length;
      await expect(meet(core)).rejects.toThrow(/make room/u);
      const tried = tries();
      expect(tried).toBeGreaterThan(0);
      expect(said.some((message) => message.includes('nothing can be recorded'))).toBe(true);
      for (let count = 0; count < 3; count += 1) expect(() => core.commit(batch(1, moment(0)))).toThrow(/make room/u);
      expect(tries()).toBe(tried);
      rmSync(filler);
      // The batch is still the one of then.
      const { first } = core.commit(batch(1, moment(0)), { ...moment(0), monoMs: moment(0).monoMs + 1_000 });
      expect((await sequences(core)).at(-1)).toBe(first);
      expect((await sequences(core)).length).toBe(3_001);
    });
  });
});
