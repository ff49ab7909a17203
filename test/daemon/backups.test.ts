import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { ManualClock, silentLog } from '../../src/base/index.js';
import { Backups, type BackupsOptions } from '../../src/daemon/backups.js';
import { automaticBackups } from '../../src/journal/backup-list.js';
import { makeBackup } from '../../src/journal/backup.js';
import type { NewEvent, SqliteJournal, StoredEvent } from '../../src/journal/index.js';
import { restoreBackup } from '../../src/journal/restore.js';
import { JournalCore } from '../../src/journal/core.js';
import { atRest, batchOf } from '../journal/core.js';
import { until } from '../support/until.js';

const LOOK_MS = 600_000;
const folders: string[] = [];
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const run of cleanups.splice(0).reverse()) run();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'laurel-backups-'));
  folders.push(made);
  return made;
}

/** A clock that says when the next look has been armed, which is when the one before is over. */
class LookClock extends ManualClock {
  armed = 0;

  override after(delayMs: number, run: () => void): ReturnType<ManualClock['after']> {
    this.armed += 1;
    return super.after(delayMs, run);
  }

  async looks(count: number): Promise<void> {
    for (let look = 0; look < count; look += 1) {
      const { armed } = this;
      this.advance(LOOK_MS);
      await until(() => this.armed > armed, { what: 'the look to end' });
    }
  }
}

interface Site {
  readonly home: string;
  readonly directory: string;
  readonly clock: LookClock;
  readonly recorded: NewEvent[];
  /** One run of the gate on the same disk. */
  readonly run: (more?: Partial<BackupsOptions>) => Backups;
  readonly made: () => readonly string[];
}

/** A journal of ten events that is backed up in this thread: files and manifests are real. */
function site(directory = join(folder(), 'backup')): Site {
  const home = folder();
  const core = new JournalCore(atRest(home), () => undefined);
  core.commit(batchOf(10));
  cleanups.push(() => core.close());
  const clock = new LookClock();
  const recorded: NewEvent[] = [];
  const journal: Pick<SqliteJournal, 'backup' | 'events'> = {
    backup: (options, onProgress) => makeBackup({ ...options, journal: home, gateId: 'east-gate', wallMs: clock.wallMs(), clockTrusted: true, pace: false }, () => false, onProgress ?? (() => undefined)),
    events: ({ types }) => Promise.resolve(recorded.filter(({ type }) => types?.includes(type)).slice(-1).map((event): StoredEvent => ({ ...event, id: '', epoch: 1, seq: 1, lane: null, passage: null, wallMs: 0, monoMs: 0, clockTrusted: true, previousHash: '', hash: '' }))),
  };
  const run = (more: Partial<BackupsOptions> = {}): Backups => {
    const backups = new Backups({ journal, directory, everyHours: 1, keep: 2, release: '0.1.0', config: 'version: 1\n', clock, clockTrusted: () => true, log: silentLog, record: (event) => void recorded.push(event), ...more });
    backups.start();
    cleanups.push(() => backups.stop());
    return backups;
  };
  return { home, directory, clock, recorded, run, made: () => (existsSync(directory) ? readdirSync(directory).sort() : []) };
}

describe('backups by themselves', () => {
  it('are made when they are due, so many are kept, and one made by hand stays', async () => {
    const { directory, clock, run, made, recorded } = site();
    const backups = run();
    expect(made()).toEqual([]);
    await clock.looks(1);
    expect(made()).toEqual(['auto-2026-01-01T001000Z']);
    expect(backups.health()).toEqual({ state: 'ok', lastMadeAt: '2026-01-01T00:10:00.000Z' });
    await clock.looks(5);
    expect(made()).toHaveLength(1);
    await backups.make(false, () => undefined);
    await clock.looks(1);
    expect(made()).toEqual(['auto-2026-01-01T001000Z', 'auto-2026-01-01T011000Z', 'manual-2026-01-01T010000Z']);
    await clock.looks(12);
    expect(made()).toEqual(['auto-2026-01-01T021000Z', 'auto-2026-01-01T031000Z', 'manual-2026-01-01T010000Z']);
    expect(recorded).toEqual([]);
    // The newest one is good for a new box.
    const restored = await restoreBackup(join(directory, 'auto-2026-01-01T031000Z'), folder(), { wallMs: clock.wallMs() }, 'east-gate');
    expect(restored.checked).toBe(10);
    expect(restored.config).toMatch(/gate\.yaml$/u);
  });

  it('are not made anew by every restart; one from the future was made by a wrong clock', async () => {
    const { clock, run, made } = site();
    const first = run();
    await clock.looks(1);
    first.stop();
    const second = run();
    await clock.looks(4);
    expect(made()).toHaveLength(1);
    expect(second.health()).toMatchObject({ state: 'ok', lastMadeAt: '2026-01-01T00:10:00.000Z' });
    await clock.looks(2);
    expect(made()).toEqual(['auto-2026-01-01T001000Z', 'auto-2026-01-01T011000Z']);
    second.stop();
    clock.stepWall(-30 * 86_400_000);
    // While nobody knows the time, hours of this run count.
    const third = run({ clockTrusted: () => false });
    await clock.looks(5);
    expect(made()).toHaveLength(2);
    third.stop();
    run();
    await clock.looks(1);
    // The names are of the wall, what is kept is told by the events in them.
    expect(made()).toContain('auto-2025-12-02T021000Z');
  });

  it('are not made where they are switched off, and by hand all the same', async () => {
    const { clock, run, made } = site();
    const backups = run({ everyHours: 0 });
    clock.advance(10 * LOOK_MS);
    expect(clock.armed).toBe(0);
    expect(backups.health()).toEqual({ state: 'off', lastMadeAt: null });
    await backups.make(false, () => undefined);
    expect(made()).toHaveLength(1);
  });

  it('that fail are told once, tried again every hour, and told when they work again, over a restart too', async () => {
    const blocked = join(folder(), 'file');
    writeFileSync(blocked, '');
    const { clock, run, made, recorded } = site(join(blocked, 'backup'));
    const backups = run();
    await clock.looks(1);
    expect(recorded.map(({ type }) => type)).toEqual(['journal.backup-failed']);
    expect(recorded[0]?.payload['detail']).toMatch(/ENOTDIR/u);
    expect(backups.health()).toMatchObject({ state: 'failed', lastMadeAt: null });
    expect(backups.health()['detail']).toMatch(/ENOTDIR/u);
    await clock.looks(12);
    expect(recorded).toHaveLength(1);
    backups.stop();
    rmSync(blocked);
    const after = run();
    await clock.looks(1);
    expect(made()).toHaveLength(1);
    expect(recorded.map(({ type }) => type)).toEqual(['journal.backup-failed', 'journal.backup-recovered']);
    expect(after.health()).toMatchObject({ state: 'ok' });
    // In the hour after a failure nothing is tried, whatever is due.
    rmSync(join(blocked, 'backup'), { recursive: true });
    writeFileSync(join(blocked, 'backup'), '');
    await clock.looks(6);
    expect(recorded.at(-1)?.type).toBe('journal.backup-failed');
    rmSync(join(blocked, 'backup'));
    await clock.looks(5);
    expect(made()).toEqual([]);
    await clock.looks(1);
    expect(made()).toHaveLength(1);
    expect(recorded.at(-1)?.type).toBe('journal.backup-recovered');
  });

  it('leave a short disk alone, and say how much room they want', async () => {
    const small = folder();
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', small], { stdio: 'ignore' });
    } catch {
      console.log('skipped: no right to mount a small file system here');
      return;
    }
    cleanups.push(() => execFileSync('umount', ['-l', small]));
    const { clock, run, made, recorded } = site(join(small, 'backup'));
    const backups = run();
    await clock.looks(1);
    expect(made()).toEqual([]);
    expect(backups.health()).toMatchObject({ state: 'failed' });
    expect(backups.health()['detail']).toMatch(/BACKUP_FAILED: .*needs \d+ MB free; make room/u);
    expect(recorded).toMatchObject([{ type: 'journal.backup-failed' }]);
  });

  it('of a journal that has been damaged never take the place of those that were found whole; that is told once', async () => {
    const { home, directory, clock, run, made, recorded } = site();
    const backups = run();
    await clock.looks(13);
    const whole = made();
    expect(whole).toHaveLength(2);
    const change = (from: string, to: string): void => {
      const db = new SqliteDatabase(join(home, 'journal.db'));
      db.prepare('UPDATE event SET text = replace(text, ?, ?) WHERE seq = 4').run(from, to);
      db.close();
    };
    change('"payload":{', '"payload":{"more":1,');
    await clock.looks(18);
    // The newest one, which may be all there is of the newest events, stays beside them.
    expect(made()).toEqual([...whole, 'auto-2026-01-01T051000Z']);
    expect(recorded.map(({ type }) => type)).toEqual(['journal.backup-failed']);
    expect(recorded[0]?.payload['detail']).toContain('breaks at event 4');
    expect(backups.health()).toMatchObject({ state: 'failed', lastMadeAt: '2026-01-01T05:10:00.000Z', detail: recorded[0]?.payload['detail'] });
    // On a full disk it is the first to go.
    expect(automaticBackups({ directory, prefix: 'auto-' }).at(-1)).toMatch(/auto-2026-01-01T051000Z$/u);
    change('"payload":{"more":1,', '"payload":{');
    await clock.looks(6);
    expect(made()).toEqual([whole[1], 'auto-2026-01-01T061000Z']);
    expect(recorded.map(({ type }) => type)).toEqual(['journal.backup-failed', 'journal.backup-recovered']);
    expect(backups.health()).toMatchObject({ state: 'ok' });
  });

  it('end with the gate', async () => {
    const { clock, run, made } = site();
    const backups = run();
    await clock.looks(1);
    backups.stop();
    clock.advance(100 * LOOK_MS);
    expect(made()).toHaveLength(1);
  });
});
