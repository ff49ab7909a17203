import SqliteDatabase, { type Database } from 'better-sqlite3';
import { closeSync, copyFileSync, existsSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { whole } from './random.js';

/** Of the database, its write-ahead log, and the guard file that outlives both. */
export const damages = [
  'database-truncated',
  'database-flipped',
  'database-pages-zeroed',
  'database-empty',
  'database-rolled-back',
  'log-cut',
  'log-flipped',
  'log-gone',
  'guard-gone',
  'guard-zeroed',
  'guard-flipped',
] as const;
export type DamageKind = (typeof damages)[number];

/** What the files of a journal lost by a damage, as far as it can be known. */
export interface Damage {
  /** Sequences of the events that were on the disk and that the damage may have taken; no other loss is its doing. */
  readonly destroyed: ReadonlySet<number>;
  /** A fact of the journal has this value at least afterwards; undefined where the damage did not touch facts. */
  readonly fact: number | undefined;
}

const PAGE_BYTES = 4096;
const FLIPS = 3;
const MOST_ZEROED = 3;
/** The part of a guard's line that says something. */
const GUARD_LINE_BYTES = 100;
const UNTOUCHED: Damage = { destroyed: new Set(), fact: undefined };

/** What a database and its log say together. */
interface Held {
  readonly events: ReadonlySet<number>;
  readonly fact: number;
}

interface Page {
  readonly name: string;
  readonly path: string;
  readonly pageno: number;
  readonly pagetype: string;
}

/**
 * Damages the files of a journal that nobody has open. What it may have taken is read from copies, before and after, with
 * SQLite alone: the journal's own word about its losses is what is to be judged.
 * @param older copy of the database of some time ago, for a roll back
 * @param factKey fact whose value (`{value}`) is watched
 * @returns undefined, and nothing is touched, where it cannot be done: the files are not whole already, or there is no copy
 */
export function damageJournal(kind: DamageKind, { directory, older, factKey, random }: { readonly directory: string; readonly older: string; readonly factKey: string; readonly random: () => number }): Damage | undefined {
  const path = join(directory, 'journal.db');
  const before = look(path, (db) => ({ held: heldIn(db, factKey), pages: pagesOf(db) }));
  if (before === undefined) return undefined;
  const all: Damage = { destroyed: before.held.events, fact: 0 };
  switch (kind) {
    case 'database-truncated': {
      const left = whole(random, 0, before.pages.count - 1);
      truncateSync(path, left * PAGE_BYTES);
      return onPages(before, (pageno) => pageno > left, 'gone');
    }
    case 'database-empty':
      truncateSync(path, 0);
      return all;
    case 'database-flipped': {
      const places = Array.from({ length: FLIPS }, () => Math.floor(random() * statSync(path).size));
      for (const place of places) flip(path, place, 1 << whole(random, 0, 7));
      return onPages(before, (pageno) => places.some((place) => Math.floor(place / PAGE_BYTES) === pageno - 1), 'turned');
    }
    case 'database-pages-zeroed': {
      const zeroed = Array.from({ length: whole(random, 1, MOST_ZEROED) }, () => whole(random, 1, Math.floor(statSync(path).size / PAGE_BYTES)));
      for (const page of zeroed) overwrite(path, (page - 1) * PAGE_BYTES, Buffer.alloc(PAGE_BYTES));
      return onPages(before, (pageno) => zeroed.includes(pageno), 'gone');
    }
    case 'database-rolled-back':
      if (!existsSync(older)) return undefined;
      for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
      copyFileSync(older, path);
      return leftAfter(before.held, path, factKey);
    case 'log-cut':
    case 'log-flipped':
    case 'log-gone': {
      const log = `${path}-wal`;
      const bytes = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
      if (bytes === 0) return undefined;
      if (kind === 'log-gone') rmSync(log);
      else if (kind === 'log-cut') truncateSync(log, Math.floor(random() * bytes));
      else flip(log, Math.floor(random() * bytes), 1 << whole(random, 0, 7));
      return leftAfter(before.held, path, factKey);
    }
    case 'guard-gone':
    case 'guard-zeroed':
    case 'guard-flipped': {
      // It holds no event: what is in the database has to be there whatever becomes of it.
      const guard = join(directory, 'sequence.guard');
      const bytes = statSync(guard, { throwIfNoEntry: false })?.size ?? 0;
      if (bytes === 0) return undefined;
      if (kind === 'guard-gone') rmSync(guard);
      else if (kind === 'guard-zeroed') overwrite(guard, 0, Buffer.alloc(bytes));
      else flip(guard, Math.min(bytes - 1, whole(random, 0, Math.floor((bytes - 1) / PAGE_BYTES)) * PAGE_BYTES + whole(random, 0, GUARD_LINE_BYTES)), 1 << whole(random, 0, 7));
      return UNTOUCHED;
    }
  }
}

/** Of these sequences: those whose events can be read in a database, damaged as it may be. */
export function readableEvents(path: string, seqs: readonly number[]): readonly number[] {
  const readable = onCopy(path, (db) => {
    const event = db.prepare<[number], { text: string }>('SELECT text FROM event WHERE seq = ?');
    return seqs.filter((seq) => {
      try {
        return event.get(seq) !== undefined;
      } catch {
        return false;
      }
    });
  });
  return readable ?? [];
}

/** Reads copies of a database and its log, if they are whole. */
function look<Result>(path: string, read: (db: Database) => Result): Result | undefined {
  return onCopy(path, (db) => {
    if (db.pragma('integrity_check(1)', { simple: true }) !== 'ok') return undefined;
    db.pragma('wal_checkpoint(TRUNCATE)');
    return read(db);
  });
}

/** Looking at the files themselves would change them. */
function onCopy<Result>(path: string, read: (db: Database) => Result): Result | undefined {
  if (!existsSync(path)) return undefined;
  const directory = mkdtempSync(join(tmpdir(), 'laurel-faults-look-'));
  try {
    const copy = join(directory, 'journal.db');
    for (const suffix of ['', '-wal']) if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix);
    const db = new SqliteDatabase(copy, { fileMustExist: true });
    try {
      return read(db);
    } finally {
      db.close();
    }
  } catch (error) {
    // A damaged file, or one in which the tables have not been made yet.
    if (error instanceof SqliteDatabase.SqliteError) return undefined;
    throw error;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const factSchema = z.object({ value: z.number() });

function heldIn(db: Database, factKey: string): Held {
  const fact = db.prepare<[string], { value: string }>('SELECT value FROM fact WHERE key = ?').get(factKey)?.value;
  return {
    events: new Set(db.prepare<[], { seq: number }>('SELECT seq FROM event').all().map(({ seq }) => seq)),
    fact: fact === undefined ? 0 : factSchema.parse(JSON.parse(fact)).value,
  };
}

/** What can no longer be read by anybody. */
function leftAfter({ events }: Held, path: string, factKey: string): Damage {
  const left = look(path, (db) => heldIn(db, factKey));
  if (left === undefined) return { destroyed: events, fact: 0 };
  return { destroyed: new Set([...events].filter((seq) => !left.events.has(seq))), fact: left.fact };
}

interface Pages {
  readonly count: number;
  readonly list: readonly Page[];
  /** Events whose rows lie on a page. */
  readonly eventsOn: ReadonlyMap<number, readonly number[]>;
}

function pagesOf(db: Database): Pages {
  const list = db.prepare<[], Page>('SELECT name, path, pageno, pagetype FROM dbstat').all();
  const handle = openSync(db.name, 'r');
  try {
    const leaves = list.filter(({ name, pagetype }) => name === 'event' && pagetype === 'leaf');
    return { count: Math.max(1, Math.floor(statSync(db.name).size / PAGE_BYTES)), list, eventsOn: new Map(leaves.map(({ pageno }) => [pageno, rowsOfLeaf(handle, pageno)])) };
  } finally {
    closeSync(handle);
  }
}

/** What lay on these pages: of a table whose page further up is destroyed, or the page that says where the tables are, the rows are still there. */
function onPages({ held, pages }: { readonly held: Held; readonly pages: Pages }, isHit: (pageno: number) => boolean, how: 'gone' | 'turned'): Damage {
  const met = pages.list.filter(({ pageno }) => isHit(pageno));
  const destroyed = new Set<number>();
  const leaves = new Map(pages.list.filter(({ name, pagetype }) => name === 'event' && pagetype === 'leaf').map(({ path, pageno }) => [path, pages.eventsOn.get(pageno) ?? []]));
  for (const { name, path } of met) {
    if (name !== 'event') continue;
    // A page of overflow belongs to the cell whose leaf and number its path begins with.
    const [, leaf = path, cell] = /^(.*\/)([0-9a-f]+)\+[0-9a-f]+$/u.exec(path) ?? [];
    const events = leaves.get(leaf) ?? [];
    for (const seq of cell === undefined ? events : events.slice(parseInt(cell, 16), parseInt(cell, 16) + 1)) if (held.events.has(seq)) destroyed.add(seq);
  }
  const hits = (table: string): boolean => met.some(({ name }) => name === table);
  // Where the facts lie is told from the state of the journal, if the table of tables does not say; what it says it may say wrong.
  return { destroyed, fact: hits('fact') || (hits('sqlite_schema') && (how === 'turned' || hits('state'))) ? 0 : undefined };
}

/** Row numbers on a leaf of a table (SQLite's file format, section 1.6). */
function rowsOfLeaf(handle: number, pageno: number): number[] {
  const page = Buffer.alloc(PAGE_BYTES);
  readSync(handle, page, 0, PAGE_BYTES, (pageno - 1) * PAGE_BYTES);
  return Array.from({ length: page.readUInt16BE(3) }, (_, cell) => {
    const payload = varint(page, page.readUInt16BE(8 + 2 * cell));
    return varint(page, payload.end).value;
  });
}

/** Seven bits a byte, the highest first; the ninth byte would have eight, but no row has so high a number. */
function varint(page: Buffer, start: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let at = start; ; at += 1) {
    const byte = page.readUInt8(at);
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, end: at + 1 };
  }
}

function flip(path: string, place: number, bit: number): void {
  overwrite(path, place, Buffer.from([readFileSync(path).readUInt8(place) ^ bit]));
}

function overwrite(path: string, place: number, bytes: Buffer): void {
  const handle = openSync(path, 'r+');
  writeSync(handle, bytes, 0, bytes.length, place);
  closeSync(handle);
}
