import { execFileSync } from 'node:child_process';
import { cpSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import SqliteDatabase from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/base/index.js';
import { GENESIS_HASH, hashOfEvent, type EventBatch, type NewEvent, type StoredEvent } from '../../src/journal/index.js';
import { verifyFile } from '../../src/journal/offline.js';
import { crash, freshDirectory, makeJournal, openJournal, read } from './support.js';

describe('journal', () => {
  it('numbers events without a hole over all starts and chains them by hash', async () => {
    const directory = freshDirectory();
    const all: StoredEvent[] = [];
    for (const epoch of [1, 2, 3]) {
      const journal = makeJournal({ directory });
      expect(await journal.start()).toMatchObject({ gateId: 'east-gate', epoch, origin: epoch === 1 ? 'new' : 'continued' });
      all.push(...(await Promise.all(Array.from({ length: 50 }, (_, number) => journal.append(read(number))))));
      await journal.stop();
    }
    expect(all.map((event) => event.seq)).toEqual(Array.from({ length: 150 }, (_, index) => index + 1));
    expect(all[0]?.previousHash).toBe(GENESIS_HASH);
    all.forEach((event, index) => {
      expect(event.hash).toBe(hashOfEvent(event));
      if (index > 0) expect(event.previousHash).toBe(all[index - 1]?.hash);
    });
    expect(all[70]?.id).toBe('east-gate-2-71');
    const journal = await openJournal({ directory });
    expect(await journal.verify()).toEqual({ checked: 150, brokenAt: null });
    expect(await journal.events({ limit: 1_000 })).toEqual(all);
  });

  it('keeps what was handed over before the start was through, and answers in the order of the calls', async () => {
    const journal = makeJournal({ directory: freshDirectory() });
    const started = journal.start();
    const order: number[] = [];
    const first = journal.append(read(1)).then((event) => order.push(event.seq));
    const remembered = journal.remember('inside/京QM86H8', { since: 7 });
    const recalled = journal.recall('inside/京QM86H8');
    const second = journal.append(read(2)).then((event) => order.push(event.seq));
    await Promise.all([started, first, remembered, second]);
    expect(order).toEqual([1, 2]);
    expect(await recalled).toEqual({ since: 7 });
  });

  it('tells listeners of every event once it is durable, in order, also when one listener fails', async () => {
    const journal = await openJournal({ directory: freshDirectory() });
    const told: number[] = [];
    journal.onStored(() => {
      throw new Error('a page went away');
    });
    const stop = journal.onStored((events) => told.push(...events.map((event) => event.seq)));
    await Promise.all(Array.from({ length: 200 }, (_, number) => journal.append(read(number))));
    stop();
    await journal.append(read(0));
    expect(told).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
  });

  it('gives events in batches as they go out: by number, by bytes, and saying which numbers it will never have', async () => {
    const directory = freshDirectory();
    const journal = await openJournal({ directory });
    const events = await Promise.all(Array.from({ length: 12 }, (_, number) => journal.append({ ...read(number), payload: { number, note: '车牌"\\'.repeat(number) } })));
    const query = { after: 0, before: 13, events: 5, bytes: 100_000, batches: 2 };
    const [first, second, ...more] = await journal.eventBatches(query);
    expect(more).toEqual([]);
    expect([first, second]).toMatchObject([{ first: 1, last: 5, lost: [] }, { first: 6, last: 10, lost: [] }]);
    const sent = (batch: EventBatch | undefined): unknown => JSON.parse(Buffer.from(batch?.message ?? []).toString('utf8'));
    const message = (some: readonly StoredEvent[]): object => ({ historical: true, lost: [], events: some });
    expect([sent(first), sent(second)]).toEqual([message(events.slice(0, 5)), message(events.slice(5, 10))]);
    expect(await journal.eventBatches({ ...query, after: 12 })).toEqual([]);
    const small = await journal.eventBatches({ ...query, bytes: 900, batches: 12 });
    expect(small.map(sent)).toEqual(small.map(({ first: from, last }) => message(events.slice(from - 1, last))));
    small.forEach(({ first: from, last, message: bytes }, index) => {
      expect(from).toBe((small[index - 1]?.last ?? 0) + 1);
      expect(bytes.byteLength <= 950 || from === last).toBe(true);
    });
    expect(small.some(({ first: from, last }) => last > from)).toBe(true);
    await journal.stop();
    execFileSync('sqlite3', [join(directory, 'journal.db'), 'DELETE FROM event WHERE seq IN (1, 2, 7)']);
    const holed = await openJournal({ directory });
    expect(await holed.eventBatches({ ...query, before: 10 })).toMatchObject([
      { first: 1, last: 8, lost: [{ first: 1, last: 2 }, { first: 7, last: 7 }] },
      { first: 9, last: 9, lost: [] },
    ]);
    await expect(holed.eventBatches({ ...query, events: 0 })).rejects.toMatchObject({ code: 'EVENT_INVALID' });
  });

  it('finds events by lane, passage and kind, and pages both ways', async () => {
    const journal = await openJournal({ directory: freshDirectory() });
    for (let number = 0; number < 20; number += 1) await journal.append(read(number, number % 2 === 0 ? 'entry' : 'exit'));
    await journal.append({ type: 'vision.lost', payload: {} });
    const sequences = async (query: Parameters<typeof journal.events>[0]): Promise<number[]> => (await journal.events(query)).map((event) => event.seq);
    expect(await sequences({ lane: 'exit', limit: 3 })).toEqual([2, 4, 6]);
    expect(await sequences({ passage: 'p-1', limit: 10 })).toEqual([5, 6, 7, 8]);
    expect(await sequences({ types: ['vision.lost', 'vision.recovered'], limit: 10 })).toEqual([21]);
    expect(await sequences({ newestFirst: true, before: 20, limit: 2 })).toEqual([19, 18]);
    expect(await sequences({ after: 18, limit: 10 })).toEqual([19, 20, 21]);
    expect((await journal.events({ types: ['vision.lost'], limit: 1 }))[0]).toMatchObject({ lane: null, passage: null });
  });

  it('moves the outbox cursor forward only, keeps it over a restart, and refuses what it never had', async () => {
    const directory = freshDirectory();
    const journal = await openJournal({ directory });
    for (let number = 0; number < 5; number += 1) await journal.append(read(number));
    expect(await journal.acknowledge(3)).toEqual({ head: 5, acknowledged: 3 });
    expect(await journal.acknowledge(2)).toEqual({ head: 5, acknowledged: 3 });
    await expect(journal.acknowledge(6)).rejects.toMatchObject({ code: 'MESSAGE_INVALID' });
    await expect(journal.acknowledge(-1)).rejects.toMatchObject({ code: 'EVENT_INVALID' });
    await journal.stop();
    expect(await (await openJournal({ directory })).outbox()).toEqual({ head: 5, acknowledged: 3 });
  });

  it('remembers, recalls by prefix and forgets small facts over a restart', async () => {
    const directory = freshDirectory();
    const journal = await openJournal({ directory });
    await journal.remember('inside/a', { lane: 'entry' });
    await journal.remember('inside/b', { lane: 'exit' });
    await journal.remember('insider', { x: 1 });
    await journal.remember('inside/a', { lane: 'side' });
    await journal.forget('inside/b');
    await journal.stop();
    const again = await openJournal({ directory });
    expect([...(await again.recallAll('inside/'))]).toEqual([['inside/a', { lane: 'side' }]]);
    expect(await again.recall('inside/b')).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['not a number', { speed: Number.NaN }],
    ['a function', { run: () => 1 }],
    ['a date', { at: new Date(0) }],
    ['a list instead of an object', [1]],
    ['more than 64 KiB', { text: 'x'.repeat(70_000) }],
  ])('refuses a payload with %s and stays usable', async (_, payload) => {
    const journal = await openJournal({ directory: freshDirectory() });
    const broken: NewEvent = { type: 'passage.read', payload: {} };
    Object.assign(broken, { payload });
    await expect(journal.append(broken)).rejects.toMatchObject({ code: 'EVENT_INVALID' });
    expect((await journal.append(read(1))).seq).toBe(1);
  });

  it('refuses calls before the start and after the stop, and a second daemon on the same data', async () => {
    const directory = freshDirectory();
    const journal = makeJournal({ directory });
    await expect(journal.append(read(1))).rejects.toMatchObject({ code: 'JOURNAL_CLOSED' });
    await journal.start();
    await expect(makeJournal({ directory }).start()).rejects.toMatchObject({ code: 'JOURNAL_IN_USE' });
    await journal.stop();
    await journal.stop();
    await expect(journal.outbox()).rejects.toMatchObject({ code: 'JOURNAL_CLOSED' });
  });

  it('writes what was handed over before the stop', async () => {
    const directory = freshDirectory();
    const journal = await openJournal({ directory });
    const handed = Promise.all(Array.from({ length: 3_000 }, (_, number) => journal.append(read(number))));
    await journal.stop();
    expect((await handed).at(-1)?.seq).toBe(3_000);
  });

  it('survives a thread that dies in the middle: each event once, in order, in the same epoch', async () => {
    const threads: Worker[] = [];
    const clock = new ManualClock();
    const journal = await openJournal({ directory: freshDirectory(), clock, onThread: (thread) => threads.push(thread) });
    const stored: Promise<StoredEvent>[] = [];
    for (let round = 0; round < 5; round += 1) {
      for (let number = 0; number < 40; number += 1) stored.push(journal.append(read(round * 40 + number)));
      if (round % 2 === 0) await stored.at(-1);
      const dying = threads.at(-1);
      stored.push(journal.append(read(1_000 + round)));
      await dying?.terminate();
      await clock.advanceAsync(20_000);
      await stored.at(-1);
    }
    const events = await Promise.all(stored);
    expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
    expect(new Set(events.map((event) => event.epoch))).toEqual(new Set([1]));
    expect((await journal.events({ limit: 5_000 })).map((event) => event.payload)).toEqual(events.map((event) => event.payload));
    expect(await journal.verify()).toEqual({ checked: events.length, brokenAt: null });
    expect(threads.length).toBe(6);
  });

  it('can be read with the sqlite3 shell while it runs, and by nobody but its user', async () => {
    const directory = freshDirectory();
    const journal = await openJournal({ directory });
    await journal.append(read(1));
    const path = join(directory, 'journal.db');
    expect(execFileSync('sqlite3', ['-readonly', path, "SELECT seq, type, json_extract(payload, '$.plate') FROM event_field"], { encoding: 'utf8' })).toBe('1|passage.read|京QM86H8\n');
    expect(execFileSync('sqlite3', ['-readonly', path, '.schema event'], { encoding: 'utf8' })).toContain('-- contiguous over all epochs');
    for (const name of ['journal.db', 'journal.db-wal', 'sequence.guard', 'lock.db']) expect(statSync(join(directory, name)).mode & 0o777, name).toBe(0o600);
  });
});

describe('the walk of a chain', () => {
  const change = (directory: string, sql: string): string => {
    const copy = freshDirectory();
    cpSync(directory, copy, { recursive: true });
    const db = new SqliteDatabase(join(copy, 'journal.db'));
    db.exec(sql);
    db.close();
    return copy;
  };

  it('finds events that were removed, whatever was written into the tables beside them to hide it', async () => {
    const directory = freshDirectory();
    const journal = await openJournal({ directory });
    await Promise.all(Array.from({ length: 60 }, (_, number) => journal.append(read(number))));
    await journal.stop();
    expect(await verifyFile(directory)).toEqual({ checked: 60, brokenAt: null });
    const removed = change(directory, "DELETE FROM event WHERE seq BETWEEN 10 AND 20; INSERT INTO gap VALUES (10, 20, 'damaged')");
    expect(await verifyFile(removed)).toMatchObject({ brokenAt: 10 });
    expect(await (await openJournal({ directory: removed })).verify()).toMatchObject({ brokenAt: 10 });
    const cut = change(directory, 'UPDATE state SET head = 40, head_hash = unhex((SELECT substr(text, -66, 64) FROM event WHERE seq = 40)), sum = NULL; DELETE FROM event WHERE seq > 40');
    expect(await verifyFile(cut)).toMatchObject({ brokenAt: 41 });
    expect(await verifyFile(change(directory, 'DELETE FROM event; DELETE FROM state'))).toMatchObject({ brokenAt: 1 });
  });

  it('takes a loss for one only where an event of the chain declares all of it', async () => {
    const directory = freshDirectory();
    const journal = await openJournal({ directory });
    await Promise.all(Array.from({ length: 30 }, (_, number) => journal.append(read(number))));
    const gaps = (...ranges: readonly (readonly [number, number])[]): NewEvent => ({ type: 'journal.lost', payload: { reason: 'damaged', gaps: ranges.map(([first, last]) => ({ first, last })) } });
    await journal.append(gaps([15, 20], [5, 6], [12, 16]));
    // Of a kind that declares nothing, whatever it says.
    await journal.append({ ...read(31), payload: { type: 'journal.lost', gaps: [{ first: 1, last: 30 }], note: '"type":"journal.lost"' } });
    await journal.stop();
    const without = (...seqs: readonly number[]): Promise<{ readonly brokenAt: number | null }> => verifyFile(change(directory, `DELETE FROM event WHERE seq IN (${seqs.join(', ')})`));
    expect(await without(5, 6, 12, 13, 14, 15, 16, 17, 18, 19, 20)).toEqual({ checked: 21, brokenAt: null });
    expect(await without(5, 13, 18)).toMatchObject({ brokenAt: null });
    expect(await without(5, 11, 12, 13)).toMatchObject({ brokenAt: 11 });
    expect(await without(20, 21)).toMatchObject({ brokenAt: 21 });
    expect(await without(5, 31)).toMatchObject({ brokenAt: 5 });
  });

  it('holds again after the event that declared a loss was damaged: the loss is declared anew with it', async () => {
    const directory = freshDirectory();
    const first = await openJournal({ directory });
    await Promise.all(Array.from({ length: 20 }, (_, number) => first.append(read(number))));
    await first.stop();
    rmSync(join(directory, 'sequence.guard'));
    const jumped = await openJournal({ directory });
    await Promise.all(Array.from({ length: 5 }, (_, number) => jumped.append(read(number))));
    const [lost] = await jumped.events({ types: ['journal.lost'], limit: 1 });
    const seq = lost?.seq ?? 0;
    await jumped.stop();
    const damaged = change(directory, `UPDATE event SET text = replace(text, 'guard-lost', 'guard-lust') WHERE seq = ${seq}`);
    const journal = await openJournal({ directory: damaged });
    await journal.eventBatches({ after: 20, before: seq + 6, events: 6, bytes: 1_000_000, batches: 1 }).catch(() => undefined);
    const [recovered] = await journal.events({ types: ['journal.recovered'], limit: 1 });
    expect(recovered?.payload).toMatchObject({ gaps: [{ first: 21, last: seq }] });
    expect((await journal.verify()).brokenAt).toBeNull();
  });

  it('holds over a journal that was killed, and over one that has only begun', async () => {
    const directory = freshDirectory();
    const threads: Worker[] = [];
    const journal = await openJournal({ directory, onThread: (thread) => threads.push(thread) });
    expect(await verifyFile(directory)).toEqual({ checked: 0, brokenAt: null });
    await Promise.all(Array.from({ length: 20 }, (_, number) => journal.append(read(number))));
    const [thread] = threads;
    if (thread !== undefined) await crash(journal, thread);
    expect(await verifyFile(directory)).toEqual({ checked: 20, brokenAt: null });
  });
});
