import { hash } from 'node:crypto';
import { closeSync, copyFileSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seeded, whole } from '../../scripts/faults/random.js';
import { emptyLog, openDatabase } from '../../src/journal/database.js';
import { salvage, type Salvage } from '../../src/journal/salvage.js';
import { migrate, migrations } from '../../src/journal/schema.js';
import { JournalStore } from '../../src/journal/store.js';
import { atRest } from './core.js';

const PAGE_BYTES = 4096;
const gate = 'east-gate';
const { moment } = atRest('');

interface Cell {
  /** Pages that a row lies on: its leaf, and the chain that hangs on it. */
  readonly pages: readonly number[];
}

interface Subject {
  readonly directory: string;
  readonly path: string;
  readonly texts: ReadonlyMap<number, string>;
  readonly cells: ReadonlyMap<number, Cell>;
  readonly prunedThrough: number;
  readonly pages: number;
  readonly named: ReadonlyMap<string, readonly number[]>;
}

function withTables(db: SqliteDatabase.Database): SqliteDatabase.Database {
  migrate(db, migrations, { backup: () => undefined, gate });
  return db;
}

/**
 * A journal that was cut off while it ran: events of many lengths, numbers that were jumped over, a page and more of facts,
 * old events that retention has removed, the newest in the log alone.
 */
function makeSubject(seed: number): Subject {
  const random = seeded(seed);
  const directory = mkdtempSync(join(tmpdir(), 'laurel-salvage-'));
  const live = join(directory, 'live.db');
  const db = withTables(openDatabase(live, false));
  const store = new JournalStore(db, (head) => head + 100_000_000, gate);
  let batch = 0;
  const write = (writes: Parameters<JournalStore['apply']>[1]['writes']): void => {
    batch += 1;
    store.apply('test', { number: batch, moment, unstored: 0, writes });
  };
  store.beginEpoch(1, undefined, moment, { reserved: 100_000_000_000 });
  for (let part = 1; part <= 12; part += 1) {
    for (let burst = whole(random, 3, 12); burst > 0; burst -= 1) {
      const payload = (): string => JSON.stringify({ note: 'x'.repeat(random() < 0.04 ? whole(random, 400, 12_000) : whole(random, 0, 200)) });
      write(Array.from({ length: whole(random, 1, 20) }, () => ({ op: 'append', type: 'passage.read', lane: 'entry', passage: `p-${part}`, payloadText: payload(), ...moment })));
    }
    for (let fact = 0; fact < 8; fact += 1) write([{ op: 'remember', key: `inside/${part}-${fact}`, value: `{"since":${part},"note":"${'y'.repeat(60)}"}` }]);
    if (part === 5) store.pruneThrough(Math.floor(store.state.head / 3));
    if (part === 9) emptyLog(db);
    // What this leaves behind nothing is written over.
    if (part === 12) store.pruneThrough(store.eventAges(store.state.prunedThrough, store.state.head, 80).at(-1)?.place ?? 0);
    const { head } = store.state;
    const reserved = head + (random() < 0.3 ? whole(random, 1_000_000_000, 20_000_000_000) : whole(random, 10, 8_000));
    const gaps = [{ first: head + 1, last: reserved, reason: 'rolled-back' }];
    if (part < 12) store.beginEpoch(part + 1, undefined, moment, { head: reserved, reserved: reserved + 100_000_000 }, { type: 'journal.lost', payloadText: JSON.stringify({ gaps }), gaps });
  }
  // In every other journal nothing is in the log alone.
  if (seed % 2 === 0) emptyLog(db);
  const path = join(directory, 'journal.db');
  for (const suffix of ['', '-wal']) copyFileSync(live + suffix, path + suffix);
  const texts = new Map(db.prepare<[], { seq: number; text: string }>('SELECT seq, text FROM event ORDER BY seq').all().map(({ seq, text }) => [seq, text]));
  const { prunedThrough } = store.state;
  store.release();
  db.close();
  // With all of the log in the file, as SQLite sees both together.
  const look = new SqliteDatabase(live);
  const list = look.prepare<[], { name: string; path: string; pageno: number; pagetype: string; ncell: number }>('SELECT name, path, pageno, pagetype, ncell FROM dbstat ORDER BY path').all();
  look.close();
  const named = new Map<string, number[]>();
  for (const { name, pageno } of list) named.set(name, [...(named.get(name) ?? []), pageno]);
  const cells = new Map<number, Cell>();
  const seqs = [...texts.keys()];
  for (const leaf of list.filter(({ name, pagetype }) => name === 'event' && pagetype === 'leaf')) {
    seqs.splice(0, leaf.ncell).forEach((seq, cell) => {
      const chain = `${leaf.path}${cell.toString(16).padStart(3, '0')}+`;
      cells.set(seq, { pages: [leaf.pageno, ...list.filter((page) => page.path.startsWith(chain)).map(({ pageno }) => pageno)] });
    });
  }
  expect([seqs, texts.size > 300]).toEqual([[], true]);
  return { directory, path, texts, cells, prunedThrough, pages: Math.floor(statSync(path).size / PAGE_BYTES), named };
}

let salvages = 0;

/** Salvages a journal, once what is given was done to a copy of it. */
function salvaged(subject: Subject, damage: (path: string) => void): { readonly found: Salvage; readonly texts: ReadonlyMap<number, string>; readonly facts: number } {
  salvages += 1;
  const path = join(subject.directory, `damaged-${salvages}.db`);
  for (const suffix of ['', '-wal']) copyFileSync(subject.path + suffix, path + suffix);
  damage(path);
  const bytes = (suffix: string): string => (existsSync(path + suffix) ? hash('sha256', readFileSync(path + suffix)) : 'none');
  const before = [bytes(''), bytes('-wal')];
  const into = withTables(new SqliteDatabase(':memory:'));
  try {
    const found = salvage(path, into, gate);
    expect([bytes(''), bytes('-wal'), existsSync(`${path}-shm`)], 'the damaged one is left as it is').toEqual([...before, false]);
    const texts = new Map(into.prepare<[], { seq: number; text: string }>('SELECT seq, text FROM event').all().map(({ seq, text }) => [seq, text]));
    const facts = into.prepare<[], number>('SELECT count(*) FROM fact').pluck().get() ?? 0;
    return { found, texts, facts };
  } finally {
    into.close();
  }
}

function overwrite(path: string, at: number, bytes: Buffer): void {
  const handle = openSync(path, 'r+');
  writeSync(handle, bytes, 0, bytes.length, at);
  closeSync(handle);
}

/** @param random for pages of any bytes that begin as a page does that is taken for a part of a table; else of zeros */
const destroy = (path: string, pages: Iterable<number>, random?: () => number): void => {
  for (const page of pages) {
    const bytes = Buffer.from(Array.from({ length: PAGE_BYTES }, () => (random === undefined ? 0 : whole(random, 0, 255))));
    if (random !== undefined) bytes.writeUInt8([0x05, 0x0d, 0x02, 0x0a][whole(random, 0, 3)] ?? 0);
    overwrite(path, (page - 1) * PAGE_BYTES, bytes);
  }
};

/** What is missing though none of it lay where the damage was, and what is there and should not be. */
function wrong(subject: Subject, hit: ReadonlySet<number>, { found, texts }: { readonly found: Salvage; readonly texts: ReadonlyMap<number, string> }): readonly string[] {
  const missed = [...subject.texts].filter(([seq, text]) => texts.get(seq) !== text && subject.cells.get(seq)?.pages.every((page) => !hit.has(page)) === true);
  const strange = [...texts].filter(([seq, text]) => subject.texts.get(seq) !== text && (found.state !== undefined || seq > subject.prunedThrough));
  const silent = [...subject.texts.keys()].filter((seq) => !texts.has(seq) && seq < found.last && !found.missing.some(({ first, last }) => first <= seq && seq <= last));
  return [
    ...missed.slice(0, 3).map(([seq]) => `event ${seq} is not there, though nothing destroyed it`),
    ...strange.slice(0, 3).map(([seq]) => `event ${seq} is not what was recorded`),
    ...silent.slice(0, 3).map((seq) => `event ${seq} is gone and not said to be`),
  ];
}

describe('the salvage of a damaged journal', () => {
  const subjects: Subject[] = [];
  beforeAll(() => {
    for (let seed = 1; seed <= 4; seed += 1) subjects.push(makeSubject(seed));
  });
  afterAll(() => {
    for (const { directory } of subjects) rmSync(directory, { recursive: true, force: true });
  });

  it('loses with destroyed pages no event but theirs, wherever they lie in the file', () => {
    const random = seeded(17);
    const failed: string[] = [];
    for (let round = 1; round <= 120; round += 1) {
      const subject = subjects[round % subjects.length];
      if (subject === undefined) continue;
      const hit = new Set(Array.from({ length: whole(random, 1, 4) }, () => whole(random, 1, subject.pages)));
      const result = salvaged(subject, (path) => destroy(path, hit, round % 3 === 0 ? random : undefined));
      failed.push(...wrong(subject, hit, result).map((text) => `pages ${[...hit].join(', ')} of journal ${round % subjects.length}: ${text}`));
    }
    expect(failed).toEqual([]);
  });

  it('loses with turned bits no event but those of their pages', () => {
    const random = seeded(18);
    const failed: string[] = [];
    for (let round = 1; round <= 120; round += 1) {
      const subject = subjects[round % subjects.length];
      if (subject === undefined) continue;
      // Half of them in what orders a page, where a bit does most.
      const places = Array.from({ length: 4 }, () => (whole(random, 1, subject.pages) - 1) * PAGE_BYTES + whole(random, 0, random() < 0.5 ? 60 : PAGE_BYTES - 1));
      const result = salvaged(subject, (path) => {
        const bytes = readFileSync(path);
        for (const place of places) overwrite(path, place, Buffer.from([bytes.readUInt8(place) ^ (1 << whole(random, 0, 7))]));
      });
      const hit = new Set(places.map((place) => 1 + Math.floor(place / PAGE_BYTES)));
      failed.push(...wrong(subject, hit, result).map((text) => `bits at ${places.join(', ')} of journal ${round % subjects.length}: ${text}`));
    }
    expect(failed).toEqual([]);
  });

  it.each([1, 2, 3, 4])('finds every event of journal %i without the page that says where its tables are, and its facts', (number) => {
    const subject = subjects[number - 1];
    if (subject === undefined) return;
    const hit = new Set([1]);
    const result = salvaged(subject, (path) => destroy(path, hit));
    expect(wrong(subject, hit, result)).toEqual([]);
    expect(result.texts.size).toBe(subject.texts.size);
    expect(result).toMatchObject({ facts: 96, found: { state: { epoch: 12, prunedThrough: subject.prunedThrough } } });
  });

  it('finds every event without the top of their table, and without that and the page of the tables', () => {
    for (const subject of subjects) {
      const [top = 0] = subject.named.get('event') ?? [];
      for (const hit of [new Set([top]), new Set([1, top])]) {
        const result = salvaged(subject, (path) => destroy(path, hit));
        expect(wrong(subject, hit, result)).toEqual([]);
      }
    }
  });

  it('of a file that ends too soon takes what is before the end, and what only its log has', () => {
    for (const [index, subject] of subjects.entries()) {
      for (const part of [0, 0.1, 0.5, 0.9]) {
        const left = Math.floor(subject.pages * part);
        const result = salvaged(subject, (path) => truncateSync(path, left * PAGE_BYTES));
        const hit = new Set(Array.from({ length: subject.pages - left }, (_, index) => left + 1 + index));
        // What the log holds is there whatever becomes of the file.
        expect(wrong(subject, hit, result)).toEqual([]);
        expect(result.texts.size > 0, `${part} of journal ${index + 1}`).toBe(part > 0 || index % 2 === 0);
      }
    }
  });

  it('does not bring back what retention removed where nothing says what it removed', () => {
    for (const subject of subjects) {
      const result = salvaged(subject, (path) => destroy(path, subject.named.get('state') ?? []));
      expect([...result.texts.keys()]).toEqual([...subject.texts.keys()]);
    }
  });

  it('leaves lost what was declared lost, though its page is still in the file', () => {
    const subject = makeSubject(9);
    subjects.push(subject);
    const [seq, text] = [...subject.texts].at(40) ?? [0, ''];
    const gone = [...subject.texts.keys()].filter((other) => other >= seq && other <= seq + 5);
    // Events of a journal that was put back to an older state: what came after was declared lost, and lies on pages out of use.
    const result = salvaged(subject, (path) => {
      const db = new SqliteDatabase(path);
      const epoch = db.prepare<[], number>('SELECT epoch FROM state').pluck().get();
      db.prepare('DELETE FROM event WHERE seq BETWEEN ? AND ?').run(seq, seq + 5);
      db.prepare('INSERT INTO gap (first, last, reason) VALUES (?, ?, ?)').run(seq, seq + 5, 'rolled-back');
      db.exec(`CREATE TABLE out_of_use (seq INTEGER PRIMARY KEY, text TEXT NOT NULL, batch TEXT)`);
      db.prepare('INSERT INTO out_of_use (seq, text) VALUES (?, ?)').run(seq, text);
      db.pragma('wal_checkpoint(TRUNCATE)');
      const [top = 0] = db.prepare<[], number>("SELECT rootpage FROM sqlite_schema WHERE name = 'event'").pluck().all();
      db.pragma('journal_mode = DELETE');
      db.close();
      expect([epoch, gone.length]).toEqual([12, 6]);
      destroy(path, [top]);
    });
    expect([...result.texts.keys()].filter((other) => gone.includes(other))).toEqual([]);
    expect(result.texts.size).toBeGreaterThan(subject.texts.size - 40);
  });
});
