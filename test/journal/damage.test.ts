import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync, writeSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import SqliteDatabase from 'better-sqlite3';
import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { ManualClock } from '../../src/base/index.js';
import { hashOfEvent, type Journal, type SqliteJournal, type StoredEvent } from '../../src/journal/index.js';
import { JournalCore } from '../../src/journal/core.js';
import { LogFile } from '../../src/journal/database.js';
import { migrate } from '../../src/journal/schema.js';
import { SequenceGuard, type GuardMark } from '../../src/journal/sequence-guard.js';
import { JournalStore } from '../../src/journal/store.js';
import { eventMessageSchema } from '../../src/uplink/index.js';
import { atRest, batchOf } from './core.js';
import { crash, freshDirectory, makeJournal, openJournal, read } from './support.js';

/** A journal of `count` events, closed in order; gives its directory. */
async function filled(count: number): Promise<string> {
  const directory = freshDirectory();
  const journal = await openJournal({ directory });
  await Promise.all(Array.from({ length: count }, (_, number) => journal.append(read(number))));
  await journal.remember('inside/京QM86H8', { since: 1 });
  await journal.acknowledge(Math.floor(count / 2));
  await journal.stop();
  return directory;
}

function overwrite(path: string, offset: number, bytes: Buffer): void {
  const handle = openSync(path, 'r+');
  writeSync(handle, bytes, 0, bytes.length, offset);
  closeSync(handle);
}

/** Pages of a table or an index that hold its rows, in order; all that was written is in the database's file afterwards. */
function leavesOf(directory: string, name: string): readonly number[] {
  const db = new SqliteDatabase(join(directory, 'journal.db'));
  db.pragma('wal_checkpoint(TRUNCATE)');
  const pages = z.array(z.object({ pageno: z.number() })).parse(db.prepare("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path").all(name));
  db.close();
  return pages.map(({ pageno }) => pageno);
}

function destroy(directory: string, pages: readonly number[]): void {
  for (const page of pages) overwrite(join(directory, 'journal.db'), (page - 1) * 4096, Buffer.alloc(4096, 0xa5));
}

interface GapPayload {
  readonly gaps: readonly { readonly first: number; readonly last: number }[];
}

function gapsOf(event: StoredEvent | undefined): GapPayload['gaps'] {
  const gaps = event?.payload.gaps;
  if (!Array.isArray(gaps)) return [];
  return gaps.map((gap: unknown) => {
    const { first, last } = Object.assign({ first: 0, last: 0 }, gap);
    return { first, last };
  });
}

const headSchema = z.object({ head: z.number() });

const declared = (gaps: GapPayload['gaps'], seq: number): boolean => gaps.some(({ first, last }) => first <= seq && seq <= last);

describe('a damaged journal', () => {
  it('with destroyed pages is set aside and salvaged row by row; what is missing is declared; numbers go on', async () => {
    const directory = await filled(3_000);
    const path = join(directory, 'journal.db');
    const size = statSync(path).size;
    for (const page of [20, 21, 60]) overwrite(path, page * 4096, Buffer.alloc(4096, 0xa5));
    const journal = await openJournal({ directory });
    const events = await journal.events({ limit: 5_000 });
    const recovered = events.find((event) => event.type === 'journal.recovered');
    const gaps = gapsOf(recovered);
    const kept = new Set(events.map((event) => event.seq));
    for (let seq = 1; seq <= 3_000; seq += 1) expect(kept.has(seq) !== declared(gaps, seq), `event ${seq}`).toBe(true);
    expect(kept.size).toBeGreaterThan(2_500);
    expect(recovered?.seq).toBeGreaterThan(3_000);
    expect(await journal.recall('inside/京QM86H8')).toEqual({ since: 1 });
    expect((await journal.outbox()).acknowledged).toBe(1_500);
    expect((await journal.verify()).brokenAt).toBeNull();
    const aside = readdirSync(join(directory, 'damaged')).find((name) => name.endsWith('.db')) ?? '';
    expect(statSync(join(directory, 'damaged', aside)).size).toBe(size);
    expect((await journal.append(read(1))).seq).toBe((recovered?.seq ?? 0) + 1);
  });

  it.each<[string, (path: string) => void]>([
    ['of zero bytes', (path) => truncateSync(path, 0)],
    ['cut in half', (path) => truncateSync(path, Math.floor(statSync(path).size / 8192) * 4096)],
    ['that is missing', (path) => rmSync(path)],
    ['that is no database', (path) => writeFileSync(path, 'not a database at all'.repeat(400))],
    ['with its first page destroyed', (path) => overwrite(path, 0, Buffer.alloc(4096, 0xff))],
  ])('%s never issues a number twice and says what was lost', async (_, damage) => {
    const directory = await filled(400);
    damage(join(directory, 'journal.db'));
    const journal = await openJournal({ directory });
    const events = await journal.events({ limit: 5_000 });
    const own = events.find((event) => event.type === 'journal.recovered');
    expect(own?.seq).toBeGreaterThan(400);
    expect(own?.epoch).toBe(2);
    const kept = new Set(events.map((event) => event.seq));
    for (let seq = 1; seq <= 400; seq += 1) expect(kept.has(seq) !== declared(gapsOf(own), seq), `event ${seq}`).toBe(true);
    expect((await journal.verify()).brokenAt).toBeNull();
  });

  it('replaced by an older copy is noticed: the later events are declared lost, their numbers stay used', async () => {
    const directory = freshDirectory();
    const path = join(directory, 'journal.db');
    const first = await openJournal({ directory });
    await Promise.all(Array.from({ length: 100 }, (_, number) => first.append(read(number))));
    await first.stop();
    copyFileSync(path, `${path}.old`);
    const second = await openJournal({ directory });
    await Promise.all(Array.from({ length: 50 }, (_, number) => second.append(read(number))));
    await second.stop();
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
    copyFileSync(`${path}.old`, path);
    const third = await openJournal({ directory });
    const lost = await third.events({ types: ['journal.lost'], limit: 5 });
    expect(lost).toMatchObject([{ epoch: 3, payload: { reason: 'rolled-back', lastKnown: 150 } }]);
    expect(declared(gapsOf(lost[0]), 101) && declared(gapsOf(lost[0]), 150)).toBe(true);
    expect(lost[0]?.seq).toBeGreaterThan(150);
    expect((await third.verify()).brokenAt).toBeNull();
  });

  it('whose log is lost after a kill right after an answer declares what was told, and gives no number out again', async () => {
    const directory = await filled(20);
    const core = new JournalCore(atRest(directory), () => undefined);
    core.commit(batchOf(5));
    // As the files are when the answer is on its way.
    const left = freshDirectory();
    cpSync(directory, left, { recursive: true, filter: (source) => !/-(?:wal|shm)$/u.test(source) });
    core.close();
    const journal = await openJournal({ directory: left });
    const [lost] = await journal.events({ types: ['journal.lost'], limit: 5 });
    expect(lost?.payload).toMatchObject({ reason: 'rolled-back', lastKnown: 25 });
    expect(declared(gapsOf(lost), 21) && declared(gapsOf(lost), 25)).toBe(true);
    expect((await journal.append(read(1))).seq).toBeGreaterThan(25);
  });

  it('by a power cut that took the hint of its guard, in the page of its newest events, declares those and issues no number twice', async () => {
    const directory = freshDirectory();
    const threads: Worker[] = [];
    const journal = await openJournal({ directory, onThread: (thread) => threads.push(thread) });
    const told = await Promise.all(Array.from({ length: 600 }, (_, number) => journal.append(read(number))));
    const [thread] = threads;
    if (thread !== undefined) await crash(journal, thread);
    // The hint is never synchronised: it may be gone.
    overwrite(join(directory, 'sequence.guard'), 2 * 4096, Buffer.alloc(512));
    destroy(directory, leavesOf(directory, 'event').slice(-1));
    const again = await openJournal({ directory });
    const events = await again.events({ limit: 5_000 });
    const recovered = events.find(({ type }) => type === 'journal.recovered');
    const kept = new Set(events.map(({ id }) => id));
    for (const { id, seq } of told) expect(kept.has(id) !== declared(gapsOf(recovered), seq), `event ${seq}`).toBe(true);
    expect(events.filter(({ type }) => type === 'passage.read').length).toBeGreaterThan(580);
    expect((await again.append(read(1))).seq).toBeGreaterThan(600);
    expect((await again.verify()).brokenAt).toBeNull();
  });

  it.each<[string, number]>([
    ['', 0],
    [', and the page of its newest events with it,', 1],
  ])('that has lost its guard and the row of its state%s keeps every event that can be read', async (_, leaves) => {
    const directory = await filled(1_200);
    destroy(directory, [...leavesOf(directory, 'state'), ...[...leavesOf(directory, 'event')].reverse().slice(0, leaves)]);
    rmSync(join(directory, 'sequence.guard'));
    const journal = await openJournal({ directory });
    const events = await journal.events({ limit: 5_000 });
    const recovered = events.find(({ type }) => type === 'journal.recovered');
    const kept = new Set(events.map(({ seq }) => seq));
    for (let seq = 1; seq <= 1_200; seq += 1) expect(kept.has(seq) !== declared(gapsOf(recovered), seq), `event ${seq}`).toBe(true);
    expect(kept.size).toBeGreaterThan(leaves === 0 ? 1_200 : 1_180);
    expect((await journal.append(read(1))).seq).toBeGreaterThan(1_000_000_000);
    expect((await journal.verify()).brokenAt).toBeNull();
  });

  describe('of a gate that has served for years', () => {
    const FACTS = 2_000;
    const PHOTOGRAPHS = 1_500;

    /** Row numbers have grown far, epochs are made of time, numbers were jumped over. */
    async function served(): Promise<string> {
      const directory = freshDirectory();
      const boot = { id: 'dark', aheadMs: 0 };
      const dark = await openJournal({ directory, firstEpoch: 'unused', boot, clockTrusted: () => false });
      await Promise.all(Array.from({ length: 50 }, (_, number) => dark.append(read(number))));
      await dark.stop();
      rmSync(join(directory, 'sequence.guard'));
      const journal = await openJournal({ directory, boot, clockTrusted: () => false });
      await journal.append(read(1));
      await journal.knowClock({ wallMs: 1_790_000_000_000, monoMs: 5_000, source: 'ntp' });
      await Promise.all(Array.from({ length: FACTS }, (_, number) => journal.remember(`command/${number}`, { done: 'once', number })));
      await journal.stop();
      const db = new SqliteDatabase(join(directory, 'journal.db'));
      db.exec('UPDATE fact SET rowid = rowid + 700000');
      const insert = db.prepare("INSERT INTO evidence (row, id, passage, kind, bytes, wall_ms, clock_trusted) VALUES (?, ?, ?, 'frame', 100, 1, 1)");
      db.transaction(() => {
        for (let number = 0; number < PHOTOGRAPHS; number += 1) insert.run(90_000 + number, number.toString(16).padStart(64, '0'), `p-${number}`);
      })();
      db.close();
      return directory;
    }

    async function recoveredIn(directory: string): Promise<{ readonly journal: SqliteJournal; readonly payload: unknown; readonly facts: number; readonly photographs: number }> {
      const journal = await openJournal({ directory });
      const [recovered] = await journal.events({ types: ['journal.recovered'], limit: 1 });
      const db = new SqliteDatabase(join(directory, 'journal.db'), { readonly: true });
      const photographs = z.number().parse(db.prepare('SELECT count(*) FROM evidence').pluck().get());
      db.close();
      return { journal, payload: recovered?.payload, facts: (await journal.recallAll('command/')).size, photographs };
    }

    const rowsOn = (directory: string, pages: readonly number[]): number => {
      const db = new SqliteDatabase(join(directory, 'journal.db'), { readonly: true });
      const cells = db.prepare('SELECT ncell FROM dbstat WHERE pageno = ?').pluck();
      const rows = pages.map((page) => z.number().parse(cells.get(page))).reduce((one, other) => one + other, 0);
      db.close();
      return rows;
    };

    it('keeps what it remembers, its photographs, its times and what was declared lost, whatever else is destroyed', async () => {
      const directory = await served();
      destroy(directory, leavesOf(directory, 'block_key').slice(0, 1));
      const { journal, payload, facts, photographs } = await recoveredIn(directory);
      expect(payload).toMatchObject({ gaps: [], kept: { events: 52, facts: FACTS, photographs: PHOTOGRAPHS }, lost: { facts: 0, photographs: 0 } });
      expect({ facts, photographs }).toEqual({ facts: FACTS, photographs: PHOTOGRAPHS });
      expect(await journal.evidence('p-1234')).toHaveLength(1);
      expect((await journal.events({ limit: 1 }))[0]?.correctedWallMs).toBe(1_789_999_996_000);
      expect((await journal.verify()).brokenAt).toBeNull();
    });

    it('loses of what it remembers and of its photographs what lay on destroyed pages, and says how much that was', async () => {
      const directory = await served();
      const picked = (leaves: readonly number[], at: readonly number[]): readonly number[] => at.map((index) => leaves.at(index) ?? 0);
      // One alone, some beside each other, two with a good one between, the first and the last.
      const factPages = picked(leavesOf(directory, 'fact'), [3, 6, 8, -1]);
      const photographPages = picked(leavesOf(directory, 'evidence'), [0, 5, 6, 7, 9, -1]);
      const lost = { facts: rowsOn(directory, factPages), photographs: rowsOn(directory, photographPages) };
      destroy(directory, [...factPages, ...photographPages]);
      const { payload, facts, photographs } = await recoveredIn(directory);
      expect(lost.facts).toBeGreaterThan(100);
      expect(lost.photographs).toBeGreaterThan(100);
      expect({ facts, photographs }).toEqual({ facts: FACTS - lost.facts, photographs: PHOTOGRAPHS - lost.photographs });
      expect(payload).toMatchObject({ kept: { facts, photographs }, lost });
    });

    it('says that it does not know how much was lost where nothing is left that could say it', async () => {
      const directory = await served();
      const indices = ['sqlite_autoindex_fact_1', 'sqlite_autoindex_evidence_1', 'evidence_by_id', 'evidence_by_kind'];
      destroy(directory, ['fact', 'evidence', ...indices].flatMap((name) => leavesOf(directory, name).slice(1, 2)));
      const { payload, facts, photographs } = await recoveredIn(directory);
      expect(facts).toBeGreaterThan(FACTS - 200);
      expect(photographs).toBeGreaterThan(PHOTOGRAPHS - 100);
      expect(payload).toMatchObject({ kept: { facts, photographs }, lost: { facts: null, photographs: null } });
    });
  });

  it('that has jumped a long way loses what lies on destroyed pages and nothing behind the jump, and does not declare the jump again unless its declaration is lost as well', async () => {
    const directory = await filled(600);
    const path = join(directory, 'journal.db');
    rmSync(join(directory, 'sequence.guard'));
    const jumped = await openJournal({ directory });
    await Promise.all(Array.from({ length: 700 }, (_, number) => jumped.append(read(number))));
    await jumped.stop();
    const db = new SqliteDatabase(path);
    const pages = z.array(z.object({ pageno: z.number() })).parse(db.prepare("SELECT pageno FROM dbstat WHERE name = 'event' AND pagetype = 'leaf' ORDER BY path").all());
    const last = z.object({ seq: z.number() }).parse(db.prepare('SELECT max(seq) AS seq FROM event').get()).seq;
    db.close();
    for (const known of [true, false]) {
      const copy = freshDirectory();
      cpSync(directory, copy, { recursive: true });
      const copied = join(copy, 'journal.db');
      if (!known) {
        const other = new SqliteDatabase(copied);
        other.exec('DELETE FROM gap; DELETE FROM block');
        other.close();
      }
      // Those on both sides of the jump.
      const middle = Math.floor((pages.length * 600) / 1_301);
      for (const page of pages.slice(middle - 2, middle + 2)) overwrite(copied, (page.pageno - 1) * 4096, Buffer.alloc(4096, 0xa5));
      const journal = await openJournal({ directory: copy });
      const events = await journal.events({ limit: 5_000 });
      expect(events.length).toBeGreaterThan(1_200);
      expect(events.filter(({ seq }) => seq > 1_000_000_000).length).toBeGreaterThan(650);
      expect(events.some(({ seq }) => seq === last)).toBe(true);
      const gaps = gapsOf(events.find(({ type }) => type === 'journal.recovered'));
      expect(gaps.some((gap) => gap.last - gap.first > 1_000_000)).toBe(!events.some(({ type }) => type === 'journal.lost'));
      expect((await journal.verify()).brokenAt).toBeNull();
      await journal.stop();
    }
  });

  it('met while it runs is repaired under way: the event at hand is written', async () => {
    const directory = await filled(3_000);
    const journal = await openJournal({ directory });
    await journal.append(read(1));
    const path = join(directory, 'journal.db');
    // A commit of another connection makes the journal forget the pages it holds in memory.
    const other = new SqliteDatabase(path);
    other.exec(`INSERT INTO fact (key, value) VALUES ('other', '{}')`);
    other.close();
    for (let page = 2; page < statSync(path).size / 4096; page += 1) overwrite(path, page * 4096, Buffer.alloc(4096, 0x5a));
    const stored: number[] = [];
    journal.onStored((events) => stored.push(...events.map((event) => event.seq)));
    // Reads what lies on destroyed pages, then writes.
    await journal.events({ limit: 5_000 });
    const event = await journal.append(read(2));
    expect(event.seq).toBeGreaterThan(3_001);
    expect(event.epoch).toBe(2);
    expect((await journal.events({ types: ['journal.recovered'], limit: 5 })).length).toBeGreaterThanOrEqual(1);
    expect([...stored].sort((one, other) => one - other)).toEqual(stored);
    expect((await journal.verify()).brokenAt).toBeNull();
  });

  it('with a flipped bit in an event that the platform does not have yet declares it, and never sends a broken chain', async () => {
    const directory = await filled(400);
    const db = new SqliteDatabase(join(directory, 'journal.db'));
    db.exec(`UPDATE event SET text = replace(text, '京QM86H8', '京QM86H9') WHERE seq = 300`);
    db.close();
    const journal = await openJournal({ directory });
    const stored: StoredEvent[] = [];
    journal.onStored((events) => stored.push(...events));
    const batches = await journal.eventBatches({ after: 200, before: 401, events: 100, bytes: 1_000_000, batches: 4 });
    const sent = batches.flatMap(({ message }) => eventMessageSchema.parse(JSON.parse(Buffer.from(message).toString('utf8'))).events);
    expect(sent).toHaveLength(199);
    expect(batches.flatMap(({ lost }) => lost)).toEqual([{ first: 300, last: 300 }]);
    expect(sent.every((event) => hashOfEvent(event) === event.hash)).toBe(true);
    expect((await journal.verify()).brokenAt).toBeNull();
    expect(stored.map(({ type }) => type)).toEqual(['journal.recovered']);
    expect(gapsOf(stored[0])).toContainEqual({ first: 300, last: 300 });
  });

  /** Flips the lowest bit of a byte near the end of an event's text, without SQLite. */
  function flip(directory: string, seq: number, fromEnd: number): void {
    const path = join(directory, 'journal.db');
    const db = new SqliteDatabase(path);
    const { text } = z.object({ text: z.string() }).parse(db.prepare('SELECT text FROM event WHERE seq = ?').get(seq));
    db.close();
    const bytes = readFileSync(path);
    const at = bytes.indexOf(text) + Buffer.byteLength(text) - fromEnd;
    overwrite(path, at, Buffer.from([(bytes[at] ?? 0) ^ 1]));
  }

  const looks: Readonly<Record<string, (journal: Journal) => Promise<unknown>>> = {
    sent: (journal) => journal.eventBatches({ after: 700, before: 900, events: 50, bytes: 1_000_000, batches: 5 }),
    shown: (journal) => journal.events({ limit: 5_000 }),
    'looked for': (journal) => journal.events({ passage: 'p-194', limit: 10 }),
  };

  it.each([
    ['the comma before its hash', 75, 'sent'],
    ['the name of its hash', 72, 'shown'],
    ['its last quotation mark', 2, 'looked for'],
    ['its last brace', 1, 'sent'],
  ])('with a flipped bit in %s declares that event too, when it is to be shown or sent, and goes on', async (_, fromEnd, how) => {
    const directory = await filled(1_200);
    flip(directory, 778, fromEnd);
    const journal = await openJournal({ directory });
    expect(await journal.verify()).toEqual({ checked: 777, brokenAt: 778 });
    await looks[how]?.(journal);
    expect((await journal.append(read(1))).seq).toBe(1_202);
    const events = await journal.events({ limit: 5_000 });
    expect(gapsOf(events.find(({ type }) => type === 'journal.recovered'))).toEqual([{ first: 778, last: 778 }]);
    expect(events.some(({ seq }) => seq === 778)).toBe(false);
    expect((await journal.verify()).brokenAt).toBeNull();
  });

  it.each([
    ['its hash', 40],
    ['its last brace', 1],
  ])('with a flipped bit in %s, in the block that is written to, never sends that event with the full block', async (_, fromEnd) => {
    const directory = await filled(200);
    flip(directory, 150, fromEnd);
    const journal = await openJournal({ directory });
    await Promise.all(Array.from({ length: 400 }, (__, number) => journal.append(read(number))));
    const batches = await journal.eventBatches({ after: 0, before: 501, events: 100, bytes: 1_000_000, batches: 10 });
    const sent = batches.flatMap(({ message }) => eventMessageSchema.parse(JSON.parse(Buffer.from(message).toString('utf8'))).events);
    expect(sent).toHaveLength(499);
    expect(sent.every((event) => hashOfEvent(event) === event.hash)).toBe(true);
    expect(batches.flatMap(({ lost }) => lost)).toEqual([{ first: 150, last: 150 }]);
  });

  it('with a text that is no event, though its hash fits, declares it and goes on', async () => {
    const directory = await filled(400);
    const db = new SqliteDatabase(join(directory, 'journal.db'));
    const body = '{"id":"","seq":300,"type":""}';
    db.prepare('UPDATE event SET text = ? WHERE seq = 300').run(`${body.slice(0, -1)},"hash":"${createHash('sha256').update(body).digest('hex')}"}`);
    db.exec('DELETE FROM state');
    db.close();
    const journal = await openJournal({ directory });
    expect(gapsOf((await journal.events({ types: ['journal.recovered'], limit: 1 }))[0])).toContainEqual({ first: 300, last: 300 });
    expect((await journal.verify()).brokenAt).toBeNull();
    expect((await journal.append(read(1))).seq).toBeGreaterThan(400);
  });

  it('whose outbox was turned further on than the platform is sends what the platform lacks all the same', async () => {
    const directory = freshDirectory();
    const before = await openJournal({ directory });
    await Promise.all(Array.from({ length: 400 }, (_, number) => before.append(read(number))));
    await before.acknowledge(100);
    await before.stop();
    const db = new SqliteDatabase(join(directory, 'journal.db'));
    db.exec('UPDATE state SET acknowledged = 356');
    db.close();
    const journal = makeJournal({ directory });
    expect(await journal.start()).toMatchObject({ origin: 'recovered' });
    expect(await journal.outbox()).toMatchObject({ acknowledged: 100 });
    expect((await journal.events({ limit: 500 })).filter(({ type }) => type === 'passage.read')).toHaveLength(400);
    expect((await journal.verify()).brokenAt).toBeNull();
  });

  it('with a fact that is not what was remembered forgets that one alone, and says so', async () => {
    const directory = freshDirectory();
    const before = await openJournal({ directory });
    for (const number of [1, 2, 3]) await before.remember(`command/${number}`, { outcome: 'done' });
    await before.stop();
    const db = new SqliteDatabase(join(directory, 'journal.db'));
    db.exec(`UPDATE fact SET value = '{"outcome":"dond"}' WHERE key = 'command/2'`);
    db.close();
    const journal = await openJournal({ directory });
    expect([...(await journal.recallAll('command/')).keys()]).toEqual(['command/1', 'command/3']);
    expect(await journal.recall('command/2')).toBeUndefined();
    expect((await journal.events({ types: ['journal.recovered'], limit: 1 }))[0]?.payload).toMatchObject({ gaps: [], lost: { facts: 1, photographs: 0 } });
  });

  describe('by a turned bit in the middle of its log', () => {
    /** A journal that is killed with its events in the log, in its file as well or not. */
    async function killed(events: number, drained: boolean): Promise<string> {
      const directory = freshDirectory();
      const core = new JournalCore(atRest(directory), () => undefined);
      for (let batch = 0; batch < events / 3; batch += 1) core.commit(batchOf(3));
      expect(await core.answer({ ask: 'outbox' }, atRest('').moment)).toEqual({ head: events, acknowledged: 0 });
      if (drained) {
        const db = new SqliteDatabase(join(directory, 'journal.db'));
        db.pragma('wal_checkpoint(PASSIVE)');
        db.close();
      }
      const left = freshDirectory();
      cpSync(directory, left, { recursive: true });
      rmSync(join(left, 'journal.db-shm'), { force: true });
      core.close();
      return left;
    }

    it.each<[string, boolean, (log: Buffer) => number]>([
      ['early', false, () => 32 + 20 * 4_120 + 2_000],
      ['early, of a log that is in the file already', true, () => 32 + 20 * 4_120 + 2_000],
      ['in what a frame says of itself', false, () => 32 + 20 * 4_120 + 9],
      ['in its header', false, () => 17],
      ['of whose frames only a few are behind it', false, (log) => 32 + (Math.floor((log.length - 32) / 4_120) - 8) * 4_120 + 500],
    ])('%s loses no event but those whose page is gone, and gives no number out again, though the guard has lost its last word', async (_, drained, placeIn) => {
      const directory = await killed(300, drained);
      const log = join(directory, 'journal.db-wal');
      const bytes = readFileSync(log);
      const place = placeIn(bytes);
      overwrite(log, place, Buffer.from([bytes.readUInt8(place) ^ 4]));
      overwrite(join(directory, 'sequence.guard'), 2 * 4096, Buffer.alloc(512));
      const journal = await openJournal({ directory });
      const events = await journal.events({ limit: 1_000 });
      const recovered = events.find(({ type }) => type === 'journal.recovered');
      const kept = new Set(events.map(({ seq }) => seq));
      const gone = Array.from({ length: 300 }, (_item, index) => index + 1).filter((seq) => !kept.has(seq));
      // A batch or two may be in the damaged frame alone.
      expect(gone.length).toBeLessThanOrEqual(drained ? 0 : 6);
      for (const seq of gone) expect(declared(gapsOf(recovered), seq), `event ${seq}`).toBe(true);
      expect(recovered?.seq).toBeGreaterThan(300);
      expect((await journal.append(read(1))).seq).toBeGreaterThan(301);
      expect((await journal.verify()).brokenAt).toBeNull();
    });

    it('that only tears the commit that was being written when the power went is no damage', async () => {
      const directory = await killed(300, false);
      const log = join(directory, 'journal.db-wal');
      const bytes = readFileSync(log);
      const frames = Math.floor((bytes.length - 32) / 4_120);
      const commits = Array.from({ length: frames }, (_, frame) => frame).filter((frame) => bytes.readUInt32BE(32 + frame * 4_120 + 4) > 0);
      // The first frame of the last commit.
      overwrite(log, 32 + ((commits.at(-2) ?? 0) + 1) * 4_120 + 500, Buffer.alloc(16, 0xa5));
      overwrite(join(directory, 'sequence.guard'), 2 * 4096, Buffer.alloc(512));
      const journal = await openJournal({ directory });
      expect((await journal.events({ limit: 1_000 })).filter(({ type }) => type.startsWith('journal.'))).toEqual([]);
      expect(existsSync(join(directory, 'damaged'))).toBe(false);
    });
  });

  it('that is missing though its log is there, killed while it is rebuilt, is rebuilt from the log all the same', async () => {
    const directory = freshDirectory();
    const first = new JournalCore(atRest(directory), () => undefined);
    for (let batch = 0; batch < 60; batch += 1) first.commit(batchOf(3));
    const [left, cut] = [freshDirectory(), freshDirectory()];
    cpSync(directory, left, { recursive: true, filter: (source) => !/journal\.db(?:-shm)?$/u.test(source) });
    first.close();
    const beginEpoch: unknown = Reflect.get(JournalStore.prototype, 'beginEpoch');
    const spy = vi.spyOn(JournalStore.prototype, 'beginEpoch').mockImplementationOnce(function (this: JournalStore, ...given) {
      if (typeof beginEpoch === 'function') Reflect.apply(beginEpoch, this, given);
      // As the files are when it is killed here.
      cpSync(left, cut, { recursive: true });
    });
    new JournalCore(atRest(left), () => undefined).close();
    spy.mockRestore();
    for (const each of [left, cut]) {
      const journal = await openJournal({ directory: each });
      expect((await journal.events({ limit: 1_000 })).slice(0, 180).map(({ seq }) => seq)).toEqual(Array.from({ length: 180 }, (_, index) => index + 1));
    }
  });

  it('without the row of its state, or that and where its tables are, does not bring back what retention removed, and does not call it lost', async () => {
    for (const pages of [[2], [1, 2], [2, 20]]) {
      const directory = freshDirectory();
      const core = new JournalCore(atRest(directory), () => undefined);
      for (let batch = 0; batch < 10; batch += 1) core.commit(batchOf(100));
      core.close();
      const db = new SqliteDatabase(join(directory, 'journal.db'));
      const pruning = new JournalStore(db, (head) => head, 'east-gate');
      pruning.pruneThrough(700);
      pruning.release();
      db.close();
      // The gate has run since.
      new JournalCore(atRest(directory), () => undefined).close();
      destroy(directory, pages);
      const journal = await openJournal({ directory });
      const events = await journal.events({ limit: 2_000 });
      const recovered = events.find(({ type }) => type === 'journal.recovered');
      expect(gapsOf(recovered).filter(({ first }) => first <= 700), String(pages)).toEqual([]);
      expect(events[0]?.seq, String(pages)).toBeGreaterThan(700);
      expect((await journal.verify()).brokenAt, String(pages)).toBeNull();
    }
  });

  it('with any one bit of its header turned opens all the same, and has its events', async () => {
    const directory = await filled(30);
    const path = join(directory, 'journal.db');
    const bytes = readFileSync(path);
    for (const at of [16, 18, 19, 20, 44, 47, 60, 61, 63]) {
      for (const bit of [0x01, 0x04, 0x80]) {
        const box = freshDirectory();
        cpSync(directory, box, { recursive: true });
        overwrite(join(box, 'journal.db'), at, Buffer.from([bytes.readUInt8(at) ^ bit]));
        const core = new JournalCore(atRest(box), () => undefined);
        expect(await core.answer({ ask: 'outbox' }, atRest('').moment), `byte ${at}, ${bit}`).toMatchObject({ acknowledged: 15 });
        const { checked, brokenAt } = z.object({ checked: z.number(), brokenAt: z.null() }).parse(await core.answer({ ask: 'verify' }, atRest('').moment));
        expect([checked >= 30, brokenAt], `byte ${at}, ${bit}`).toEqual([true, null]);
        core.close();
      }
    }
  });

  /** Everywhere: a row that was written anew leaves its old form behind. */
  const every = (bytes: Buffer, text: string): number[] => {
    const places: number[] = [];
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) places.push(at + text.length - 1);
    return places;
  };
  it.each<[string, (bytes: Buffer) => number[], number]>([
    ['the name of a column', (bytes) => every(bytes, '  acknowledged'), 0x01],
    ['the name of the table of events', (bytes) => every(bytes, 'CREATE TABLE event'), 0x01],
    ['its version', () => [63], 0x02],
  ])('with a turned bit in %s opens all the same, with all its events and facts', async (_, placesIn, bit) => {
    const directory = await filled(400);
    const path = join(directory, 'journal.db');
    const bytes = readFileSync(path);
    for (const place of placesIn(bytes)) overwrite(path, place, Buffer.from([bytes.readUInt8(place) ^ bit]));
    const journal = await openJournal({ directory });
    const events = await journal.events({ limit: 1_000 });
    expect(events.slice(0, 400).map(({ seq }) => seq)).toEqual(Array.from({ length: 400 }, (_item, index) => index + 1));
    expect(events[400]).toMatchObject({ type: 'journal.recovered', seq: 401, payload: { gaps: [], lost: { facts: 0 } } });
    expect(await journal.recall('inside/京QM86H8')).toEqual({ since: 1 });
    expect(await journal.outbox()).toEqual({ head: 401, acknowledged: 200 });
  });

  it('with a turned bit in the index of its facts finds the fact all the same, in a journal small and large, and what was remembered last', async () => {
    for (const events of [20, 45_000]) {
      const directory = await filled(events);
      const path = join(directory, 'journal.db');
      const [page = 0] = leavesOf(directory, 'sqlite_autoindex_fact_1');
      const at = readFileSync(path).indexOf('inside/京QM86H8', (page - 1) * 4096, 'utf8');
      expect(at).toBeGreaterThan(0);
      expect(at).toBeLessThan(page * 4096);
      overwrite(path, at, Buffer.from('I'));
      if (events > 20) {
        // Remembered anew while nobody knew: under the same key twice then.
        const db = new SqliteDatabase(path);
        const store = new JournalStore(db, (head) => head + 1_000, 'east-gate');
        store.apply('other', { number: 1, moment: atRest('').moment, unstored: 0, writes: [{ op: 'remember', key: 'inside/京QM86H8', value: '{"since":2}' }] });
        store.release();
        db.close();
      }
      const journal = await openJournal({ directory });
      expect(await journal.recall('inside/京QM86H8')).toEqual({ since: events > 20 ? 2 : 1 });
      expect(statSync(path).size > 16 * 1024 * 1024).toBe(events > 20);
      expect((await journal.verify()).brokenAt).toBeNull();
    }
  });

  it('of a release before, whose rows have no checksums, is taken as it is and gets them', async () => {
    const directory = freshDirectory();
    const before = await openJournal({ directory });
    await before.remember('command/1', { outcome: 'done' });
    await before.stop();
    const db = new SqliteDatabase(join(directory, 'journal.db'));
    db.exec('UPDATE fact SET sum = NULL; UPDATE state SET sum = NULL');
    db.close();
    const journal = makeJournal({ directory });
    expect(await journal.start()).toMatchObject({ origin: 'continued' });
    expect(await journal.recall('command/1')).toEqual({ outcome: 'done' });
    await journal.remember('command/1', { outcome: 'failed' });
    await journal.stop();
    const after = new SqliteDatabase(join(directory, 'journal.db'), { readonly: true });
    expect(after.prepare('SELECT (SELECT sum IS NULL FROM state) + (SELECT sum IS NULL FROM fact) AS bare').pluck().get()).toBe(0);
    after.close();
  });

  it('is not what a journal is taken for that somebody reads while it starts', async () => {
    const directory = freshDirectory();
    const threads: Worker[] = [];
    const journal = await openJournal({ directory, onThread: (thread) => threads.push(thread) });
    await journal.append(read(1));
    const reader = new SqliteDatabase(join(directory, 'journal.db'), { readonly: true });
    reader.exec('BEGIN; SELECT count(*) FROM event');
    // More than the database's file has room for: it stays in the log.
    await Promise.all(Array.from({ length: 300 }, (_, number) => journal.append(read(number))));
    for (const thread of threads) await crash(journal, thread);
    const again = makeJournal({ directory });
    expect(await again.start()).toMatchObject({ origin: 'continued', epoch: 2 });
    reader.close();
    expect(await again.verify()).toEqual({ checked: 301, brokenAt: null });
    expect(existsSync(join(directory, 'damaged'))).toBe(false);
  });

  it('whose record of a boot names another gate keeps all of its events', async () => {
    const directory = await filled(30);
    const db = new SqliteDatabase(join(directory, 'journal.db'));
    db.exec(`UPDATE boot SET gate = 'east-gata'`);
    db.close();
    const journal = await openJournal({ directory });
    const batches = await journal.eventBatches({ after: 0, before: 31, events: 30, bytes: 1_000_000, batches: 1 });
    expect(batches).toMatchObject([{ first: 1, last: 30, lost: [] }]);
    expect((await journal.verify()).brokenAt).toBeNull();
  });

  it('that cannot be rebuilt at once, because the disk refuses, is rebuilt with a write a second later and not only after a restart', async () => {
    const directory = await filled(400);
    const clock = new ManualClock();
    const journal = await openJournal({ directory, clock });
    const db = new SqliteDatabase(join(directory, 'journal.db'));
    db.exec(`UPDATE event SET text = replace(text, '"payload":{', '"payload":{"more":1,') WHERE seq = 300`);
    db.close();
    // Where the damaged database has to go, something is in the way.
    writeFileSync(join(directory, 'damaged'), '');
    await expect(journal.eventBatches({ after: 200, before: 401, events: 200, bytes: 1_000_000, batches: 1 })).rejects.toThrow();
    await expect(journal.append(read(1))).rejects.toThrow(/^JOURNAL_WRITE_FAILED/u);
    rmSync(join(directory, 'damaged'));
    clock.advance(1_000);
    const event = await journal.append(read(2));
    const events = await journal.events({ limit: 5_000 });
    expect(events.find(({ type }) => type === 'journal.recovered')?.payload).toMatchObject({ kept: { events: 399 } });
    expect(events.find(({ type, payload }) => type === 'journal.lost' && payload.reason === 'not-written')?.payload).toMatchObject({ count: 1 });
    expect(events.at(-1)?.seq).toBeGreaterThanOrEqual(event.seq);
    expect((await journal.verify()).brokenAt).toBeNull();
  });

  it.each<[string, (path: string, older: string) => void]>([
    ['as it was earlier', (path, older) => copyFileSync(older, path)],
    ['without its file', (path) => rmSync(path)],
    ['with an empty file', (path) => truncateSync(path, 0)],
  ])('whose device refuses a synchronisation and comes back %s: what was told is declared lost, and no number is given out again', async (_, comeBack) => {
    const directory = await filled(20);
    const path = join(directory, 'journal.db');
    const older = join(freshDirectory(), 'journal.db');
    copyFileSync(path, older);
    const core = new JournalCore(atRest(directory), () => undefined);
    core.commit(batchOf(10));
    const { head } = headSchema.parse(await core.answer({ ask: 'outbox' }, atRest('').moment));
    const sync = vi.spyOn(LogFile.prototype, 'sync').mockImplementationOnce(() => {
      throw Object.assign(new Error('i/o error'), { code: 'EIO' });
    });
    const release: unknown = Reflect.get(JournalStore.prototype, 'release');
    // Called once the database is closed.
    const closed = vi.spyOn(JournalStore.prototype, 'release').mockImplementationOnce(function (this: JournalStore) {
      if (typeof release === 'function') Reflect.apply(release, this, []);
      for (const end of ['-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
      comeBack(path, older);
    });
    try {
      const { first } = core.commit(batchOf(1));
      expect(closed).toHaveBeenCalled();
      expect(first).toBeGreaterThan(head);
    } finally {
      sync.mockRestore();
      closed.mockRestore();
    }
    core.close();
    const journal = await openJournal({ directory });
    const events = await journal.events({ limit: 5_000 });
    const there = new Set(events.map(({ seq }) => seq));
    const gaps = events.flatMap(gapsOf);
    for (let seq = 1; seq <= head; seq += 1) expect(there.has(seq) !== declared(gaps, seq), `event ${seq}`).toBe(true);
    expect(there.size).toBe(events.length);
    expect((await journal.verify()).brokenAt).toBeNull();
  });

  it.each<[string, (path: string) => void]>([
    [
      'before the damaged one was set aside is rebuilt again from it',
      (path) => {
        writeFileSync(join(path, '..', 'journal.rebuilt'), 'half');
        overwrite(path, 20 * 4096, Buffer.alloc(4096, 0xa5));
      },
    ],
    [
      'before the new one got its name goes on with it, without the log of the damaged one',
      (path) => {
        renameSync(path, join(path, '..', 'journal.rebuilt'));
        writeFileSync(`${path}-wal`, Buffer.alloc(8_192, 0x37));
      },
    ],
  ])('whose rebuilding was cut off %s', async (_, cutOff) => {
    const directory = await filled(3_000);
    cutOff(join(directory, 'journal.db'));
    const journal = await openJournal({ directory });
    expect((await journal.events({ limit: 5_000 })).length).toBeGreaterThan(2_500);
    expect((await journal.append(read(1))).seq).toBeGreaterThan(3_000);
    expect((await journal.verify()).brokenAt).toBeNull();
    expect(existsSync(join(directory, 'journal.rebuilt'))).toBe(false);
  });

  it('whose guard was torn by a power cut while it wrote a bound still knows the bound before', () => {
    const path = join(freshDirectory(), 'sequence.guard');
    const guard = SequenceGuard.open(path);
    const mark = (reserved: number): GuardMark => ({ epoch: 1, reserved, used: 0, acknowledged: 0 });
    guard.bound(mark(4_096));
    guard.hint(mark(4_096));
    const before = readFileSync(path);
    guard.bound(mark(8_192));
    guard.close();
    const after = readFileSync(path);
    const at = [...after].findIndex((byte, index) => byte !== before[index]);
    overwrite(path, Math.floor(at / 512) * 512, Buffer.alloc(512, 0xa5));
    // The hint is never synchronised: it may be gone.
    overwrite(path, 2 * 4096, Buffer.alloc(512));
    expect(SequenceGuard.read(path)).toMatchObject(mark(4_096));
  });

  it('whose payload was changed by hand is found by the walk of the chain', async () => {
    const directory = await filled(20);
    const db = new SqliteDatabase(join(directory, 'journal.db'));
    db.exec(`UPDATE event SET text = replace(text, '京QM86H8', '京A00001') WHERE seq = 7`);
    db.close();
    const journal = await openJournal({ directory });
    expect(await journal.verify()).toEqual({ checked: 6, brokenAt: 7 });
  });

  it('from which an event was removed by hand is found too', async () => {
    const directory = await filled(20);
    const db = new SqliteDatabase(join(directory, 'journal.db'));
    db.exec('DELETE FROM event WHERE seq = 7');
    db.close();
    expect(await (await openJournal({ directory })).verify()).toEqual({ checked: 6, brokenAt: 7 });
  });

  it.each<[string, (path: string) => void]>([
    ['lost', (path) => rmSync(path)],
    ['torn', (path) => writeFileSync(path, 'torn')],
  ])('whose guard file is %s may be a copy of any age: it takes an epoch and numbers that nobody can have used', async (_, damage) => {
    const directory = await filled(30);
    damage(join(directory, 'sequence.guard'));
    const journal = await openJournal({ directory });
    const [lost] = await journal.events({ types: ['journal.lost'], limit: 5 });
    expect(lost?.payload).toMatchObject({ reason: 'guard-lost', lastKnown: 30 });
    expect(lost?.seq).toBeGreaterThan(1_000_000_000);
    expect(lost?.epoch).toBeGreaterThan(1_000_000);
    expect(declared(gapsOf(lost), 31) && declared(gapsOf(lost), (lost?.seq ?? 0) - 1)).toBe(true);
    expect((await journal.verify()).brokenAt).toBeNull();
  });
});

describe('the tables', () => {
  it('of a newer release are left alone', async () => {
    const directory = await filled(3);
    const db = new SqliteDatabase(join(directory, 'journal.db'));
    // Each release changes what the database says of its tables.
    db.exec('ALTER TABLE gap ADD COLUMN later INTEGER');
    db.pragma('user_version = 99');
    db.close();
    await expect(openJournal({ directory })).rejects.toMatchObject({ code: 'JOURNAL_VERSION_UNKNOWN' });
    expect(existsSync(join(directory, 'damaged'))).toBe(false);
  });

  it('are changed step by step after a backup, and not at all when a step fails', () => {
    const directory = freshDirectory();
    const db = new SqliteDatabase(join(directory, 'x.db'));
    const backups: number[] = [];
    const hooks = { gate: 'east-gate', backup: (version: number): void => void backups.push(version) };
    const one = { version: 1, sql: 'CREATE TABLE a (x INTEGER) STRICT' };
    const two = { version: 2, sql: 'ALTER TABLE a ADD COLUMN y TEXT' };
    migrate(db, [one], hooks);
    expect(backups).toEqual([]);
    expect(() => migrate(db, [one, { version: 2, sql: 'CREATE TABLE b (x INTEGER); NONSENSE' }], hooks)).toThrow();
    expect(db.pragma('user_version', { simple: true })).toBe(1);
    migrate(db, [one, two], hooks);
    migrate(db, [one, two], hooks);
    expect(db.pragma('user_version', { simple: true })).toBe(2);
    expect(backups).toEqual([1, 1]);
    db.close();
  });
});

describe('the guard file', () => {
  it('can be read by a supporter', async () => {
    const directory = await filled(5);
    expect(readFileSync(join(directory, 'sequence.guard'), 'latin1')).toContain('"used":5');
  });
});
