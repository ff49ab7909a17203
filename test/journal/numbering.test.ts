import { closeSync, copyFileSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import SqliteDatabase, { type Database } from 'better-sqlite3';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { makeBackup } from '../../src/journal/backup.js';
import { JournalCore } from '../../src/journal/core.js';
import { parseEvent } from '../../src/journal/event-text.js';
import type { StoredEvent } from '../../src/journal/index.js';
import type { ThreadOptions } from '../../src/journal/protocol.js';
import { unusedSequence } from '../../src/journal/numbering.js';
import { restoreBackup } from '../../src/journal/restore.js';
import { migrations } from '../../src/journal/schema.js';
import { SequenceGuard } from '../../src/journal/sequence-guard.js';
import { JournalStore } from '../../src/journal/store.js';
import { atRest, batchOf } from './core.js';
import { freshDirectory } from './support.js';

afterEach(() => vi.restoreAllMocks());

/** What a platform has: every event it was ever given, over all that happened to the gate. */
class Book {
  readonly #bySequence = new Map<number, StoredEvent>();
  readonly #byId = new Map<string, StoredEvent>();
  readonly #declared: { readonly first: number; readonly last: number }[] = [];

  take(events: readonly StoredEvent[]): void {
    for (const event of events) {
      const known = this.#byId.get(event.id);
      if (known !== undefined) expect(event, `${event.id} was issued twice`).toEqual(known);
      this.#byId.set(event.id, event);
      const other = this.#bySequence.get(event.seq);
      if (other !== undefined) expect(event.id, `number ${event.seq} was issued twice`).toBe(other.id);
      this.#bySequence.set(event.seq, event);
      const { gaps } = payloadOf(event);
      for (const gap of Array.isArray(gaps) ? gaps : []) if (isGap(gap)) this.#declared.push(gap);
    }
  }

  get last(): StoredEvent {
    const last = [...this.#bySequence.values()].reduce((one, other) => (other.seq > one.seq ? other : one));
    return last;
  }

  /** Numbers up to the last one that are neither here nor declared lost. */
  unexplained(): readonly number[] {
    const known = [...this.#bySequence.keys()].sort((one, other) => one - other);
    const found: number[] = [];
    for (let at = 1, seq = 1; at <= known.length; at += 1) {
      const next = known[at - 1] ?? 0;
      while (seq < next) {
        const gap = this.#declared.find(({ first, last }) => first <= seq && seq <= last);
        if (gap === undefined) found.push(seq);
        seq = gap === undefined ? seq + 1 : Math.min(next, gap.last + 1);
      }
      seq = next + 1;
    }
    return found;
  }
}

function isGap(value: unknown): value is { first: number; last: number } {
  return typeof value === 'object' && value !== null && 'first' in value && 'last' in value;
}

function payloadOf({ payload }: StoredEvent): Readonly<Record<string, unknown>> {
  return payload;
}

async function all(core: JournalCore): Promise<readonly StoredEvent[]> {
  const texts = await core.answer({ ask: 'events', query: { limit: 10_000 } }, atRest('').moment);
  return Array.isArray(texts) ? texts.map((text: unknown) => parseEvent(String(text))) : [];
}

/** One run of the gate: `count` events more, all of them told to the book. */
async function run(book: Book, directory: string, count: number, more: Partial<ThreadOptions> = {}): Promise<readonly StoredEvent[]> {
  const core = new JournalCore(atRest(directory, more), () => undefined);
  core.commit(batchOf(count));
  const events = await all(core);
  book.take(events);
  expect(await core.answer({ ask: 'verify' }, atRest('').moment)).toMatchObject({ brokenAt: null });
  core.close();
  return events;
}

const guardOf = (directory: string): string => join(directory, 'sequence.guard');
const databaseOf = (directory: string): string => join(directory, 'journal.db');
function withoutDatabase(directory: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(databaseOf(directory) + suffix, { force: true });
}
function destroyPage(path: string, page: number): void {
  const handle = openSync(path, 'r+');
  writeSync(handle, Buffer.alloc(4096, 0xa5), 0, 4096, page * 4096);
  closeSync(handle);
}

describe('a batch', () => {
  it('that is sent again because nobody heard of it says the same again, and what was given up is on record once', async () => {
    for (const count of [3, 0]) {
      const core = new JournalCore(atRest(freshDirectory()), () => undefined);
      const batch = { ...batchOf(count), unstored: 5 };
      const answer = core.commit(batch);
      const own = core.takeOwn();
      expect(own.map(parseEvent)).toMatchObject([{ seq: count + 1, type: 'journal.lost', payload: { reason: 'not-written', count: 5 } }]);
      expect(core.commit(batch)).toMatchObject({ first: answer.first, hashes: answer.hashes });
      expect(core.takeOwn()).toEqual(own);
      expect((await all(core)).map(({ seq }) => seq)).toEqual(Array.from({ length: count + 1 }, (_, at) => at + 1));
      core.close();
    }
  });
});

describe('numbers', () => {
  it('of a gate whose record was lost are far above the lost ones, which are declared', async () => {
    const [book, directory] = [new Book(), freshDirectory()];
    const core = new JournalCore(atRest(directory), () => undefined);
    await core.answer({ ask: 'saveEvidence', passage: 'p-1', kind: 'frame', jpeg: new Uint8Array(100) }, atRest('').moment);
    core.close();
    await run(book, directory, 50);
    withoutDatabase(directory);
    rmSync(guardOf(directory));
    const [recovered] = await run(book, directory, 5, { moment: { wallMs: 1_780_000_000_000, monoMs: 1_000, clockTrusted: true } });
    expect(recovered?.type).toBe('journal.recovered');
    expect(recovered === undefined ? {} : payloadOf(recovered)).toMatchObject({ reason: 'missing', lastKnown: null });
    expect(recovered?.epoch).toBeGreaterThan(1_000_000);
    expect(book.unexplained()).toEqual([]);
  });

  it('of a new card in a gate that served before have an epoch that no card before it had', async () => {
    const ids = new Set<string>();
    for (let card = 0; card < 6; card += 1) for (const { id } of await run(new Book(), freshDirectory(), 2, { firstEpoch: 'unused' })) ids.add(id);
    expect(ids.size).toBe(12);
  });

  it('of boxes that go on from one copy differ from box to box, also where their clocks are at the same wrong time', async () => {
    const [book, directory, away] = [new Book(), freshDirectory(), freshDirectory()];
    await run(book, directory, 40);
    const { path } = await makeBackup({ journal: directory, into: away, name: 'one', gateId: 'east-gate', evidence: false, clockTrusted: true, release: '0.1.0', pace: false, wallMs: 1_767_225_600_000 }, () => false, () => undefined);
    for (const wallMs of [1_767_225_600_000, 0]) {
      const boxes = Array.from({ length: 6 }, () => freshDirectory());
      for (const [index, box] of boxes.entries()) {
        if (index < 2) await restoreBackup(path, box, { wallMs });
        else copyFileSync(join(path, 'journal.db'), databaseOf(box));
        if (index >= 4) destroyPage(databaseOf(box), 0);
        await run(book, box, 50, { moment: { wallMs, monoMs: 1_000, clockTrusted: false }, firstEpoch: 'unused' });
      }
    }
  });

  it('stay exact in JSON, whatever year a clock believes in, and are the higher the later a box went on', () => {
    for (const bound of [0, 40, 70_000_000_000_000]) {
      const [thousandYears, now, nextYear, beginning] = [64_000_000_000_000, 1_767_225_600_000, 1_798_761_600_000, 0].map((wallMs) => unusedSequence(bound, wallMs));
      for (const seq of [thousandYears, now, nextYear, beginning]) expect(seq).toBeGreaterThan(bound + 1_000_000_000);
      expect(nextYear).toBeGreaterThan(now ?? Infinity);
      for (let [seq, jumps] = [thousandYears ?? 0, 0]; jumps < 1_000; seq = unusedSequence(seq, 64_000_000_000_000), jumps += 1) expect(Number.isSafeInteger(seq + 1)).toBe(true);
    }
  });

  it('go on without a loss where the guard alone went back: the database knows', async () => {
    const [book, directory] = [new Book(), freshDirectory()];
    await run(book, directory, 20);
    copyFileSync(guardOf(directory), `${guardOf(directory)}.old`);
    await run(book, directory, 4_180);
    copyFileSync(`${guardOf(directory)}.old`, guardOf(directory));
    const after = await run(book, directory, 1);
    expect(after.at(-1)).toMatchObject({ seq: 4_201, epoch: 3 });
    expect(after.filter(({ type }) => type.startsWith('journal.'))).toEqual([]);
    expect(after).toHaveLength(4_201);
  });

  it('jump where the database went back, and what it has forgotten is declared', async () => {
    const [book, directory] = [new Book(), freshDirectory()];
    await run(book, directory, 20);
    copyFileSync(databaseOf(directory), `${databaseOf(directory)}.old`);
    await run(book, directory, 30);
    withoutDatabase(directory);
    copyFileSync(`${databaseOf(directory)}.old`, databaseOf(directory));
    const after = await run(book, directory, 5);
    const lost = after.find(({ type }) => type === 'journal.lost');
    expect(lost === undefined ? {} : payloadOf(lost)).toMatchObject({ reason: 'rolled-back', lastKnown: 50 });
    expect(book.unexplained()).toEqual([]);
  });
});

describe('a first start', () => {
  /** Cuts it off before one of the steps that change what is on the disk. @returns whether it came to its end */
  function cutAt(step: number, options: ThreadOptions): boolean {
    const killed = new Error('killed');
    let left = step;
    const next = (): void => {
      if (left === 0) throw killed;
      left -= 1;
    };
    const [exec, bound]: unknown[] = [Reflect.get(SqliteDatabase.prototype, 'exec'), Reflect.get(SequenceGuard.prototype, 'bound')];
    vi.spyOn(SqliteDatabase.prototype, 'exec').mockImplementation(function (this: Database, sql) {
      next();
      if (typeof exec === 'function') Reflect.apply(exec, this, [sql]);
      return this;
    });
    vi.spyOn(SequenceGuard.prototype, 'bound').mockImplementation(function (this: SequenceGuard, mark) {
      next();
      if (typeof bound === 'function') Reflect.apply(bound, this, [mark]);
      next();
    });
    let core: JournalCore | undefined;
    try {
      core = new JournalCore(options, () => undefined);
    } catch (error) {
      expect(error).toBe(killed);
    } finally {
      vi.restoreAllMocks();
    }
    core?.close();
    return core !== undefined;
  }

  const expectNew = (options: ThreadOptions, what: string): void => {
    const core = new JournalCore(options, () => undefined);
    expect(core.origin, what).toBe('new');
    expect(core.takeOwn(), what).toEqual([]);
    expect(core.commit(batchOf(2)), what).toMatchObject({ first: 1, outbox: { head: 2 } });
    core.close();
  };

  it('that is cut off after any of its steps, again and again, declares nothing lost: the next one begins at 1', () => {
    const fresh = (): ThreadOptions => atRest(freshDirectory(), { firstEpoch: 'unused' });
    let steps = 0;
    for (let options = fresh(); !cutAt(steps, options); options = fresh()) {
      // The next one right after it has the lock.
      cutAt(1, options);
      expectNew(options, `cut before step ${steps}`);
      steps += 1;
    }
    // The lock, each step of the tables, and the guard's bound before and after.
    expect(steps).toBeGreaterThanOrEqual(migrations.length + 3);
  });

  it.each<[string, (directory: string) => void]>([
    ['has made an empty database file', (directory) => writeFileSync(databaseOf(directory), '')],
    ['has made an empty guard', (directory) => writeFileSync(guardOf(directory), '')],
    ['was writing the first bound of its guard, which is torn', (directory) => {
      cutAt(migrations.length + 1, atRest(directory));
      writeFileSync(guardOf(directory), Buffer.alloc(512));
    }],
  ])('that is cut off when it %s, neither', (_, left) => {
    const directory = freshDirectory();
    left(directory);
    expectNew(atRest(directory, { firstEpoch: 'unused' }), '');
  });
});

interface Cut {
  readonly what: string;
  /** Brings a journal that has told the book all into the state in which a start jumps. */
  readonly prepare: (directory: string, book: Book) => Promise<void>;
}

const cuts: readonly Cut[] = [
  {
    what: 'a database that went back',
    prepare: async (directory, book) => {
      copyFileSync(databaseOf(directory), `${databaseOf(directory)}.old`);
      await run(book, directory, 30);
      withoutDatabase(directory);
      copyFileSync(`${databaseOf(directory)}.old`, databaseOf(directory));
    },
  },
  {
    what: 'a lost guard',
    prepare: (directory) => {
      rmSync(guardOf(directory));
      return Promise.resolve();
    },
  },
  {
    what: 'a restored backup',
    prepare: async (directory, book) => {
      const away = freshDirectory();
      const { path } = await makeBackup({ journal: directory, into: away, name: 'one', gateId: 'east-gate', evidence: false, clockTrusted: true, release: '0.1.0', pace: false, wallMs: 1_767_225_600_000 }, () => false, () => undefined);
      await run(book, directory, 30);
      await restoreBackup(path, directory, { wallMs: 1_767_225_600_000 });
    },
  },
  {
    what: 'a missing database',
    prepare: (directory) => {
      withoutDatabase(directory);
      return Promise.resolve();
    },
  },
  {
    what: 'a lost guard beside a damaged database',
    prepare: async (directory, book) => {
      await run(book, directory, 600);
      copyFileSync(databaseOf(directory), `${databaseOf(directory)}.old`);
      await run(book, directory, 30);
      copyFileSync(`${databaseOf(directory)}.old`, databaseOf(directory));
      rmSync(guardOf(directory));
      // That of the boots: its events are whole, and look as if they were all there were.
      destroyPage(databaseOf(directory), 2);
    },
  },
  {
    what: 'pages destroyed in its middle',
    prepare: async (directory, book) => {
      await run(book, directory, 600);
      destroyPage(databaseOf(directory), Math.floor(statSync(databaseOf(directory)).size / 4096 / 2));
    },
  },
];

/** Ends a start at a moment, as a kill does: nothing after it happens, and what was written stays. */
function killedAt(moment: 'before the guard is written' | 'after the guard is written' | 'after the database is written', directory: string): void {
  const killed = new Error('killed');
  const bound: unknown = Reflect.get(SequenceGuard.prototype, 'bound');
  const beginEpoch: unknown = Reflect.get(JournalStore.prototype, 'beginEpoch');
  const spy =
    moment === 'after the database is written'
      ? vi.spyOn(JournalStore.prototype, 'beginEpoch').mockImplementation(function (this: JournalStore, ...given) {
          if (typeof beginEpoch === 'function') Reflect.apply(beginEpoch, this, given);
          throw killed;
        })
      : vi.spyOn(SequenceGuard.prototype, 'bound').mockImplementation(function (this: SequenceGuard, mark) {
          if (moment === 'after the guard is written' && typeof bound === 'function') Reflect.apply(bound, this, [mark]);
          throw killed;
        });
  expect(() => new JournalCore(atRest(directory), () => undefined)).toThrow(killed);
  spy.mockRestore();
}

describe('a start that jumps', () => {
  it.each(cuts)('over the numbers of $what, killed at any of its steps, issues none twice and declares what is gone', { timeout: 60_000 }, async ({ prepare }) => {
    for (const moment of ['before the guard is written', 'after the guard is written', 'after the database is written'] as const) {
      const [book, directory] = [new Book(), freshDirectory()];
      await run(book, directory, 40);
      await prepare(directory, book);
      const { last } = book;
      killedAt(moment, directory);
      killedAt(moment, directory);
      const after = await run(book, directory, 5);
      expect(after.some(({ type, seq }) => (type === 'journal.lost' || type === 'journal.recovered') && seq > last.seq), moment).toBe(true);
      expect(after.at(-1)?.seq, moment).toBeGreaterThan(last.seq);
      expect(after.at(-1)?.epoch, moment).toBeGreaterThan(last.epoch);
      expect(book.unexplained(), moment).toEqual([]);
    }
  });
});
