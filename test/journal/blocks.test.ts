import { cpSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { JournalCore } from '../../src/journal/core.js';
import { parseEvent } from '../../src/journal/event-text.js';
import type { EventBatch, EventQuery, Journal, NewEvent, StoredEvent } from '../../src/journal/index.js';
import { verifyFile } from '../../src/journal/offline.js';
import { SequenceGuard } from '../../src/journal/sequence-guard.js';
import { eventMessageSchema } from '../../src/uplink/index.js';
import { atRest, batchOf } from './core.js';
import { asVersion } from './old-version.js';
import { freshDirectory, openJournal, read } from './support.js';

afterEach(() => vi.restoreAllMocks());

/** A vehicle now and then, and something rare in the first, the third and the newest block. */
function eventAt(seq: number): NewEvent {
  if ([17, 1_203, 1_690].includes(seq)) return { type: 'vision.lost', payload: { seq } };
  const number = Math.floor(seq / 4);
  // The lane of the other direction is a text that a payload may hold too.
  return { type: seq % 4 === 0 ? 'passage.started' : 'passage.read', lane: number % 3 === 0 ? 'exit' : 'entry', passage: `p-${number}`, payload: { seq, note: '"lane":"exit" 出口' } };
}

async function filled(count: number, directory = freshDirectory()): Promise<{ readonly directory: string; readonly journal: Journal; readonly events: readonly StoredEvent[] }> {
  const journal = await openJournal({ directory });
  const events = await Promise.all(Array.from({ length: count }, (_, index) => journal.append(eventAt(index + 1))));
  return { directory, journal, events };
}

const messagesOf = (batches: readonly EventBatch[]): readonly StoredEvent[] => batches.flatMap(({ message }) => z.object({ events: z.array(z.custom<StoredEvent>()) }).parse(JSON.parse(Buffer.from(message).toString('utf8'))).events);

/** What the table of blocks says, beside what the events themselves say. */
function blocks(directory: string): { readonly said: unknown; readonly true: unknown } {
  const db = new SqliteDatabase(join(directory, 'journal.db'), { readonly: true });
  try {
    const said = db.prepare('SELECT block, events, untrusted, hex(digest) AS digest FROM block ORDER BY block').all();
    const keys = db.prepare<[], { key: string; block: number }>('SELECT key, block FROM block_key ORDER BY key, block').all().map(({ key, block }) => `${block} ${key}`);
    const rows = db.prepare<[], { block: number; text: string }>('SELECT (seq - 1) / 500 AS block, text FROM event WHERE (seq - 1) / 500 < (SELECT (max(seq) - 1) / 500 FROM event) ORDER BY seq').all();
    const texts = new Map<number, string[]>();
    const occurs = new Set<string>();
    for (const { block, text } of rows) {
      texts.set(block, [...(texts.get(block) ?? []), text]);
      const { type, lane, passage } = parseEvent(text);
      occurs.add(`${block} type ${type}`);
      if (lane !== null) occurs.add(`${block} lane ${lane}`);
      if (passage !== null) occurs.add(`${block} passage ${passage}`);
    }
    const sums = [...texts].map(([block, some]) => ({
      block,
      events: some.length,
      untrusted: some.filter((text) => text.includes('"clockTrusted":false')).length,
      digest: createHash('sha256').update(some.join(',')).digest('hex').toUpperCase(),
    }));
    return { said: [said, keys.sort()], true: [sums, [...occurs].sort()] };
  } finally {
    db.close();
  }
}

describe('a search', () => {
  it('finds the same as a look at every event: by kind, lane and passage, both ways, in pages, after a restart too', async () => {
    const { directory, journal, events } = await filled(1_700);
    const queries: readonly Omit<EventQuery, 'limit'>[] = [
      { types: ['vision.lost'] },
      { types: ['vision.lost', 'passage.started'], lane: 'exit' },
      { types: ['vision.lost'], after: 17, before: 1_690 },
      { lane: 'exit' },
      { passage: 'p-124' },
      { passage: 'p-125', types: ['passage.started'] },
      { passage: 'nowhere' },
      { types: ['gate.started'] },
      { lane: 'entry', after: 499, before: 502 },
    ];
    const expected = ({ types, lane, passage, after = 0, before = Infinity }: Omit<EventQuery, 'limit'>): number[] =>
      events.filter((event) => event.seq > after && event.seq < before && (types?.includes(event.type) ?? true) && (lane ?? event.lane) === event.lane && (passage ?? event.passage) === event.passage).map(({ seq }) => seq);
    const holds = async (from: Journal): Promise<void> => {
      for (const query of queries) {
        const all = expected(query);
        const found = async (more: Partial<EventQuery>): Promise<number[]> => (await from.events({ ...query, limit: 5_000, ...more })).map(({ seq }) => seq);
        expect(await found({}), JSON.stringify(query)).toEqual(all);
        expect(await found({ newestFirst: true })).toEqual([...all].reverse());
        expect(await found({ limit: 2 })).toEqual(all.slice(0, 2));
        expect(await found({ limit: 2, newestFirst: true })).toEqual(all.slice(-2).reverse());
      }
    };
    await holds(journal);
    await journal.stop();
    const again = await openJournal({ directory });
    await holds(again);
    expect((await again.append(eventAt(1_701))).seq).toBe(1_701);
    expect(await again.events({ passage: 'p-425', limit: 10 })).toMatchObject([{ seq: 1_700 }, { seq: 1_701 }]);
  });
});

describe('blocks of events', () => {
  it('say what is in them, also where a batch that crossed from one to the next failed first, and after a restart in between', () => {
    const directory = freshDirectory();
    const core = new JournalCore(atRest(directory), () => undefined);
    core.commit(batchOf(450));
    vi.spyOn(SequenceGuard.prototype, 'bound').mockImplementationOnce(() => {
      throw new Error('no such device');
    });
    // Beyond the numbers that are reserved: the bound is written in the middle of the batch.
    expect(() => core.commit(batchOf(4_000))).toThrow(/JOURNAL_WRITE_FAILED/u);
    core.commit(batchOf(4_000));
    core.close();
    const again = new JournalCore(atRest(directory), () => undefined);
    again.commit(batchOf(300));
    again.commit(batchOf(700));
    again.close();
    const { said, true: really } = blocks(directory);
    expect(said).toEqual(really);
  });

  it('go with their events, and nothing is left of them', async () => {
    const directory = freshDirectory();
    const core = new JournalCore(atRest(directory, { retention: { eventsDays: 10, eventsMB: 1_000, photographsDays: 30, platePicturesDays: 30, photographsMB: 100 } }), () => undefined);
    const at = (days: number): ReturnType<typeof atRest>['moment'] => ({ ...atRest('').moment, wallMs: atRest('').moment.wallMs + days * 86_400_000 });
    core.commit(batchOf(1_250, at(0)));
    core.commit(batchOf(1_250, at(20)));
    core.commit({ ...batchOf(0), writes: [{ op: 'acknowledge', seq: 2_500 }] });
    for (let slice = 0; slice < 400; slice += 1) if ((await core.answer({ ask: 'maintain' }, at(25))) === false) break;
    expect(await core.answer({ ask: 'verify' }, at(25))).toEqual({ checked: 1_250, brokenAt: null });
    core.close();
    const db = new SqliteDatabase(join(directory, 'journal.db'), { readonly: true });
    expect(db.prepare('SELECT min(seq) AS first FROM event').get()).toEqual({ first: 1_251 });
    // The third block has lost its first half.
    expect(db.prepare('SELECT min(block) AS first FROM block').get()).toEqual({ first: 2 });
    expect(db.prepare('SELECT min(block) AS first FROM block_key').get()).toEqual({ first: 2 });
    db.close();
  });

  it('go out whole as their events would one by one, from anywhere on, by number and by bytes, with what became known of their time', async () => {
    let trusted = true;
    const directory = freshDirectory();
    const journal = await openJournal({ directory, clockTrusted: () => trusted });
    const some = (count: number): Promise<readonly StoredEvent[]> => Promise.all(Array.from({ length: count }, (_, number) => journal.append({ ...read(number), payload: { number, note: '车牌'.repeat(number % 50) } })));
    await some(1_100);
    trusted = false;
    await some(300);
    trusted = true;
    await some(800);
    const events = await journal.events({ limit: 5_000 });
    const drain = async (first: number, limits: { readonly events: number; readonly bytes: number }, batches: number): Promise<readonly EventBatch[]> => {
      const made: EventBatch[] = [];
      for (let after = first; ; after = made.at(-1)?.last ?? after) {
        const more = await journal.eventBatches({ after, before: 2_201, ...limits, batches });
        if (more.length === 0) return made;
        made.push(...more);
      }
    };
    for (const [first, limits, batches] of [
      [0, { events: 50, bytes: 1_000_000 }, 10],
      [0, { events: 7, bytes: 2_000 }, 3],
      [738, { events: 200, bytes: 100_000 }, 1],
      [499, { events: 1, bytes: 1 }, 500],
    ] as const) {
      const made = await drain(first, limits, batches);
      expect(messagesOf(made)).toEqual(events.slice(first));
      made.forEach((batch, index) => {
        expect(batch.first).toBe((made[index - 1]?.last ?? first) + 1);
        expect(batch.last - batch.first).toBeLessThan(limits.events);
        expect(eventMessageSchema.safeParse(JSON.parse(Buffer.from(batch.message).toString('utf8'))).success).toBe(true);
      });
    }
    await journal.knowClock({ wallMs: 1_800_000_000_000, monoMs: 5_000, source: 'ntp' });
    const [dated] = await drain(1_149, { events: 1, bytes: 1 }, 1);
    const [event] = messagesOf(dated === undefined ? [] : [dated]);
    expect(event).toMatchObject({ seq: 1_150, clockTrusted: false });
    expect(event?.correctedWallMs).toBeGreaterThan(1_799_999_990_000);
  });

  it('whose digest is damaged still go out, event by event; where an event is, its loss is declared', async () => {
    const { directory, journal, events } = await filled(1_400);
    await journal.stop();
    const change = (sql: string): void => {
      const db = new SqliteDatabase(join(directory, 'journal.db'));
      db.exec(sql);
      db.close();
    };
    change("UPDATE block SET digest = x'00' WHERE block = 1");
    const again = await openJournal({ directory });
    expect(messagesOf(await again.eventBatches({ after: 500, before: 1_001, events: 500, bytes: 1_000_000, batches: 1 }))).toEqual(events.slice(500, 1_000));
    await again.stop();
    change(`UPDATE event SET text = replace(text, '"seq":300,"note"', '"seq":301,"note"') WHERE seq = 300; UPDATE event SET text = replace(text, '出口', '入口') WHERE seq = 300`);
    const last = await openJournal({ directory });
    const batches = await last.eventBatches({ after: 0, before: 1_401, events: 500, bytes: 1_000_000, batches: 3 });
    expect(batches.flatMap(({ lost }) => lost)).toEqual([{ first: 300, last: 300 }]);
    expect(messagesOf(batches)).toEqual(events.filter(({ seq }) => seq !== 300));
    expect((await last.events({ types: ['vision.lost'], limit: 10 })).map(({ seq }) => seq)).toEqual([17, 1_203]);
    expect((await last.verify()).brokenAt).toBeNull();
  });
});

describe('what is written with the newest event', () => {
  it('is all there after a power cut, and a damaged one costs no event', async () => {
    const { directory, journal } = await filled(20);
    await journal.acknowledge(7);
    const last = await journal.append(eventAt(21));
    // What is on the disk now, without an orderly end.
    const cut = freshDirectory();
    cpSync(directory, cut, { recursive: true });
    const again = await openJournal({ directory: cut });
    expect(await again.outbox()).toEqual({ head: 21, acknowledged: 7 });
    expect(await again.append(eventAt(22))).toMatchObject({ seq: 22, epoch: 2, previousHash: last.hash });
    expect((await again.verify()).brokenAt).toBeNull();
    await again.stop();
    const db = new SqliteDatabase(join(cut, 'journal.db'));
    expect(db.prepare("UPDATE event SET batch = replace(batch, '[', '[ ') WHERE seq = 22").run().changes).toBe(1);
    db.close();
    const repaired = await openJournal({ directory: cut });
    // Whether it was the newest is no longer certain: numbers above it may have been used.
    expect(await repaired.events({ after: 21, limit: 10 })).toMatchObject([{ seq: 22 }, { type: 'journal.recovered', payload: { gaps: [{ first: 23 }], kept: { events: 22 } } }]);
    expect((await repaired.outbox()).acknowledged).toBe(7);
    expect((await repaired.verify()).brokenAt).toBeNull();
  });
});

describe('a journal of a release before, while its events move', () => {
  /** The move is cut off in its second step. */
  async function halfMoved(): Promise<{ readonly directory: string; readonly events: readonly StoredEvent[] }> {
    const { directory, journal, events } = await filled(4_500);
    await journal.stop();
    const path = join(directory, 'journal.db');
    asVersion(path, 3);
    const db = new SqliteDatabase(path);
    db.exec("CREATE TRIGGER stop BEFORE DELETE ON event WHEN old.seq = 2500 BEGIN SELECT RAISE(ABORT, 'cut off'); END");
    db.close();
    await expect(openJournal({ directory })).rejects.toMatchObject({ code: 'JOURNAL_WRITE_FAILED' });
    return { directory, events };
  }

  it('is cut off, can be verified as it lies there, and goes on where it was', async () => {
    const { directory, events } = await halfMoved();
    const path = join(directory, 'journal.db');
    expect(await verifyFile(directory)).toEqual({ checked: 4_500, brokenAt: null });
    const db = new SqliteDatabase(path);
    expect([db.prepare('SELECT count(*) AS moved FROM event').get(), db.prepare('SELECT count(*) AS waiting FROM event_before').get()]).toEqual([{ moved: 2_000 }, { waiting: 2_500 }]);
    db.exec('DROP TRIGGER stop');
    db.close();
    const journal = await openJournal({ directory });
    expect(await journal.events({ limit: 5_000 })).toEqual(events);
    expect(await journal.events({ passage: 'p-124', limit: 10 })).toEqual(events.slice(495, 499));
    expect(await journal.append(eventAt(4_501))).toMatchObject({ seq: 4_501, previousHash: events.at(-1)?.hash });
    await journal.stop();
    const { said, true: really } = blocks(directory);
    expect(said).toEqual(really);
  });

  it('and is damaged then: what can be read of both forms is kept, the rest declared', async () => {
    const { directory, events } = await halfMoved();
    const path = join(directory, 'journal.db');
    const db = new SqliteDatabase(path);
    db.exec('DROP TRIGGER stop');
    db.exec("UPDATE event SET text = replace(text, 'p-10', 'p-11') WHERE seq = 40; UPDATE event_before SET payload = '{}' WHERE seq = 4000");
    db.close();
    const journal = await openJournal({ directory });
    // Met when it is read.
    await journal.eventBatches({ after: 0, before: 100, events: 99, bytes: 1_000_000, batches: 1 });
    const kept = await journal.events({ limit: 5_000 });
    expect(kept.slice(0, -1)).toEqual(events.filter(({ seq }) => seq !== 40 && seq !== 4_000));
    expect(kept.at(-1)).toMatchObject({ type: 'journal.recovered', payload: { kept: { events: 4_498 } } });
    expect((await journal.verify()).brokenAt).toBeNull();
  });
});
