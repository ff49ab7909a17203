import SqliteDatabase from 'better-sqlite3';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { ManualClock, type MachineBoot } from '../../src/base/index.js';
import { hashOfEvent, type SqliteJournal } from '../../src/journal/index.js';
import { schemaText, verifyFile } from '../../src/journal/offline.js';
import { asVersion } from './old-version.js';
import { until } from '../support/until.js';
import { crash, freshDirectory, makeJournal, openJournal, read } from './support.js';

const noonMs = Date.UTC(2026, 6, 1, 12);
const dayMs = 86_400_000;
/** What a box without battery clock believes when it wakes. */
const wakesMs = Date.UTC(2026, 0, 1);

/** One process of one run of the machine, whose clock is not trusted until `trusted.now` says so. */
async function run(directory: string, boot: MachineBoot, { wallMs = wakesMs, monoMs = 1_000, trusted = false, vouched = true } = {}) {
  const clock = new ManualClock(wallMs, monoMs);
  const state = { trusted, vouched };
  const threads: Worker[] = [];
  const journal = makeJournal({ directory, clock, boot, clockTrusted: () => state.trusted, clockVouched: () => state.vouched, onThread: (thread) => threads.push(thread) });
  const started = await journal.start();
  const kill = async (): Promise<void> => {
    const thread = threads.at(-1);
    if (thread !== undefined) await crash(journal, thread);
  };
  return { clock, journal, started, state, kill };
}

const times = async (journal: SqliteJournal): Promise<(number | undefined)[]> => (await journal.events({ limit: 100, types: ['passage.read'] })).map((event) => (event.clockTrusted ? event.wallMs : event.correctedWallMs));

describe('the time of events recorded before the clock was known', () => {
  it('is corrected from their monotonic time once it is known, and the chain stays as it was', async () => {
    const { clock, journal } = await run(freshDirectory(), { id: 'one', aheadMs: 50_000 });
    const first = await journal.append(read(1));
    clock.advance(60_000);
    await journal.append(read(2));
    clock.advance(5_000);
    await journal.knowClock({ wallMs: noonMs, monoMs: clock.monoMs(), source: 'ntp' });
    clock.advance(1_000);
    const later = await journal.append(read(3));
    expect(first.correctedWallMs).toBeUndefined();
    expect(later).toMatchObject({ wallMs: clock.wallMs(), correctedWallMs: noonMs + 1_000 });
    expect(await times(journal)).toEqual([noonMs - 65_000, noonMs - 5_000, noonMs + 1_000]);
    const events = await journal.events({ limit: 10 });
    expect(events.map((event) => hashOfEvent(event))).toEqual(events.map((event) => event.hash));
    expect(events[0]?.hash).toBe(first.hash);
    expect((await journal.verify()).brokenAt).toBeNull();
    const [batch] = await journal.eventBatches({ after: 0, before: 10, events: 10, bytes: 100_000, batches: 1 });
    const sent: unknown = JSON.parse(Buffer.from(batch?.message ?? []).toString('utf8'));
    expect(sent).toMatchObject({ events: [noonMs - 65_000, noonMs - 5_000, noonMs + 1_000].map((correctedWallMs) => ({ correctedWallMs })) });
  });

  it('becomes known also for a process that was killed, from a later one in the same run of the machine, and survives it', async () => {
    const directory = freshDirectory();
    const killed = await run(directory, { id: 'one', aheadMs: 30_000 });
    await killed.journal.append(read(1));
    await killed.kill();
    const next = await run(directory, { id: 'one', aheadMs: 90_000 });
    await next.journal.append(read(2));
    expect(next.started).toMatchObject({ epoch: 2, clockKnown: null, sameBoot: [{ epoch: 1, behindMs: -60_000 }] });
    next.clock.advance(9_000);
    await next.journal.knowClock({ wallMs: noonMs, monoMs: next.clock.monoMs(), source: 'gnss' });
    expect(await times(next.journal)).toEqual([noonMs - 69_000, noonMs - 9_000]);
    await next.kill();
    const last = await run(directory, { id: 'one', aheadMs: 100_000 });
    await last.journal.append(read(3));
    expect(last.started.clockKnown).toEqual({ wallMs: noonMs, monoMs: 0, source: 'gnss' });
    expect(await times(last.journal)).toEqual([noonMs - 69_000, noonMs - 9_000, noonMs + 1_000]);
  });

  it('never became known: it is bounded by the runs before and after, and by nothing where there are none', async () => {
    const directory = freshDirectory();
    const before = await run(directory, { id: 'one', aheadMs: 0 }, { wallMs: noonMs, trusted: true });
    await before.journal.append(read(1));
    await before.journal.stop();
    const dark = await run(directory, { id: 'two', aheadMs: 0 });
    dark.clock.advance(10_000);
    await dark.journal.append(read(2));
    expect(await dark.journal.events({ after: 1, limit: 1 })).toMatchObject([{ clockTrusted: false, wallNotBeforeMs: noonMs + 10_000 }]);
    await dark.journal.stop();
    const after = await run(directory, { id: 'three', aheadMs: 0 });
    await after.journal.knowClock({ wallMs: noonMs + dayMs, monoMs: 5_000, source: 'ntp' });
    const [event] = await after.journal.events({ after: 1, limit: 1 });
    expect(event).toMatchObject({ wallMs: wakesMs + 10_000, wallNotBeforeMs: noonMs + 10_000, wallNotAfterMs: noonMs + dayMs - 5_000 });
    expect(event?.correctedWallMs).toBeUndefined();
    const alone = await run(freshDirectory(), { id: 'one', aheadMs: 0 });
    await alone.journal.append(read(1));
    expect(Object.keys((await alone.journal.events({ limit: 1 }))[0] ?? {})).not.toContain('wallNotBeforeMs');
  });

  it('follows the best source, and the next moment it was known', async () => {
    const { clock, journal } = await run(freshDirectory(), { id: 'one', aheadMs: 0 });
    await journal.append(read(1));
    await journal.knowClock({ wallMs: noonMs - dayMs, monoMs: clock.monoMs(), source: 'assumed' });
    expect(await times(journal)).toEqual([noonMs - dayMs]);
    await journal.knowClock({ wallMs: noonMs, monoMs: clock.monoMs(), source: 'ntp' });
    await journal.knowClock({ wallMs: noonMs - dayMs, monoMs: clock.monoMs(), source: 'rtc' });
    clock.advance(dayMs);
    const live = await journal.append(read(2));
    expect(live.correctedWallMs).toBe(noonMs + dayMs);
    clock.advance(dayMs);
    await journal.knowClock({ wallMs: noonMs + 2 * dayMs + 4_000, monoMs: clock.monoMs(), source: 'ntp' });
    expect(await times(journal)).toEqual([noonMs, noonMs + dayMs + 4_000]);
  });

  it('is kept by a salvage of a damaged database', async () => {
    const directory = freshDirectory();
    const { clock, journal } = await run(directory, { id: 'one', aheadMs: 0 });
    await journal.append(read(1));
    await journal.knowClock({ wallMs: noonMs, monoMs: clock.monoMs(), source: 'ntp' });
    await journal.stop();
    const db = new SqliteDatabase(join(directory, 'journal.db'));
    db.exec('DELETE FROM state');
    db.close();
    const again = await run(directory, { id: 'two', aheadMs: 0 });
    expect(again.started.origin).toBe('recovered');
    expect(await times(again.journal)).toEqual([noonMs]);
  });

  it('shows in the sqlite3 shell as it does in the program', async () => {
    const directory = freshDirectory();
    const dark = await run(directory, { id: 'dark', aheadMs: 0 });
    await dark.journal.append(read(1));
    await dark.journal.stop();
    const { clock, journal, state } = await run(directory, { id: 'one', aheadMs: 7_000.5 });
    await journal.append(read(2));
    clock.advance(3_000);
    await journal.knowClock({ wallMs: noonMs, monoMs: clock.monoMs(), source: 'ntp' });
    clock.advance(3_000);
    await journal.append(read(3));
    state.trusted = true;
    await journal.append(read(4));
    const db = new SqliteDatabase(join(directory, 'journal.db'), { readonly: true });
    const shown = db.prepare<[], { wall: number; mark: string }>('SELECT wall_ms AS wall, mark FROM event_time ORDER BY seq').all();
    const readable = db.prepare<[], { time: string }>('SELECT time FROM readable_event ORDER BY seq').all();
    const passages = db.prepare<[], { began: string }>('SELECT began FROM readable_passage ORDER BY first_seq').all();
    db.close();
    const events = await journal.events({ limit: 10 });
    expect(shown.map(({ wall }) => wall)).toEqual(events.map((event) => event.correctedWallMs ?? event.wallMs));
    expect(shown.map(({ mark }) => mark)).toEqual(['?', '~', '~', '']);
    expect(readable.map(({ time }) => time.at(-1))).toEqual(['?', '~', '~', expect.stringMatching(/\d/u)]);
    expect(passages.map(({ began }) => began.at(-1))).toEqual(['?', expect.stringMatching(/\d/u)]);
  });
});

describe('the bound of wall time', () => {
  it('is the latest time that was vouched for, over all starts; time nobody vouches for does not move it', async () => {
    const directory = freshDirectory();
    const one = await run(directory, { id: 'one', aheadMs: 0 }, { wallMs: noonMs, trusted: true });
    expect(one.started.wallHighMs).toBe(0);
    await one.journal.append(read(1));
    one.state.vouched = false;
    one.clock.advance(dayMs);
    await one.journal.append(read(2));
    await one.journal.stop();
    const two = await run(directory, { id: 'two', aheadMs: 0 });
    expect(two.started.wallHighMs).toBe(noonMs);
    await two.journal.append(read(3));
    await two.journal.stop();
    const three = await run(directory, { id: 'three', aheadMs: 0 });
    expect(three.started.wallHighMs).toBe(noonMs);
  });

  it('keeps up while nothing happens', async () => {
    const directory = freshDirectory();
    const { clock, journal } = await run(directory, { id: 'one', aheadMs: 0 }, { wallMs: noonMs, trusted: true });
    const path = join(directory, 'journal.db');
    const db = new SqliteDatabase(path, { readonly: true });
    const high = db.prepare<[], { high: number }>('SELECT wall_high_ms AS high FROM state');
    await until(
      async () => {
        clock.advance(60_000);
        await journal.outbox();
        return (high.get()?.high ?? 0) >= noonMs + 600_000;
      },
      { timeoutMs: 20_000, what: 'the bound to follow the clock' },
    );
    db.close();
  });

  it('falls where a time service stands by an earlier time, and what was reckoned from the wrong one is dropped', async () => {
    const directory = freshDirectory();
    const wrong = await run(directory, { id: 'one', aheadMs: 0 }, { wallMs: noonMs + 365 * dayMs, trusted: true });
    await wrong.journal.append(read(1));
    await wrong.journal.stop();
    const { journal, clock } = await run(directory, { id: 'two', aheadMs: 0 });
    await journal.append(read(2));
    await journal.knowClock({ wallMs: noonMs + 365 * dayMs, monoMs: clock.monoMs(), source: 'ntp' });
    await journal.doubtClock(noonMs);
    const [event] = await journal.events({ after: 1, limit: 1 });
    expect(event?.correctedWallMs).toBeUndefined();
    expect(event?.wallNotBeforeMs).toBeUndefined();
    await journal.knowClock({ wallMs: noonMs, monoMs: clock.monoMs(), source: 'ntp' });
    expect((await times(journal)).at(1)).toBe(noonMs);
    await journal.stop();
    expect((await run(directory, { id: 'three', aheadMs: 0 })).started.wallHighMs).toBe(noonMs);
  });
});

describe('a journal of the release before', () => {
  it('is read as it is, gets what is missing at its next start, after a backup, and keeps its chain', async () => {
    const directory = freshDirectory();
    const old = await openJournal({ directory, clockTrusted: () => false });
    for (let number = 0; number < 20; number += 1) await old.append(read(number));
    await old.stop();
    const path = join(directory, 'journal.db');
    asVersion(path, 2);
    expect(await verifyFile(directory)).toEqual({ checked: 20, brokenAt: null });
    const { clock, journal, started } = await run(directory, { id: 'one', aheadMs: 0 });
    expect(started).toMatchObject({ origin: 'continued', epoch: 2 });
    expect(readdirSync(join(directory, 'backup'))).toMatchObject([expect.stringMatching(/^journal-version-2-/u)]);
    await journal.append(read(20));
    await journal.knowClock({ wallMs: noonMs, monoMs: clock.monoMs(), source: 'ntp' });
    expect((await times(journal)).slice(19)).toEqual([undefined, noonMs]);
    expect(await journal.verify()).toEqual({ checked: 21, brokenAt: null });
    const db = new SqliteDatabase(path, { readonly: true });
    expect(db.prepare("SELECT count(*) AS shown FROM readable_event WHERE time LIKE '%?'").get()).toEqual({ shown: 20 });
    db.close();
  });

  it('and a new one are the same tables, and the printed schema is theirs', async () => {
    const directory = freshDirectory();
    await (await openJournal({ directory })).stop();
    const names = (db: SqliteDatabase.Database): unknown => db.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY name').all();
    const made = new SqliteDatabase(join(directory, 'journal.db'), { readonly: true });
    const printed = new SqliteDatabase(':memory:');
    printed.exec(schemaText());
    expect(names(printed)).toEqual(names(made));
    expect(schemaText()).not.toContain('DROP');
    made.close();
  });
});
