import SqliteDatabase, { type Database } from 'better-sqlite3';
import type { Inspection } from './backup-manifest.js';
import { failureKind } from './database.js';
import { MOVING_TABLE, eventSource, type EventSource } from './event-source.js';
import type { EventText } from './event-text.js';
import { readState } from './store.js';
import { verifyChain } from './verify.js';

/** Read by the walk of the chain, slice by slice: they may be too large to look through at one go. */
const WALKED = ['event', MOVING_TABLE];

/**
 * Looks through a database file that nobody writes to, as far as it can be read: the chain of its events, and the pages of
 * its other tables.
 * @param pause called between slices, with the sequence that is reached; what it throws ends the look
 */
export async function inspect(path: string, pause: (through: number) => void): Promise<Inspection> {
  const unreadable: string[] = [];
  let db: Database | undefined;
  try {
    const opened = new SqliteDatabase(path, { readonly: true, fileMustExist: true });
    db = opened;
    const tables = opened.prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name").all();
    for (const { name } of tables) {
      if (WALKED.includes(name)) continue;
      pause(0);
      if (!unlessCorrupt(() => opened.pragma(`integrity_check(${name})`, { simple: true }) === 'ok', false)) unreadable.push(name);
    }
    const state = unlessCorrupt(() => readState(opened), undefined);
    if (state === undefined) return { checked: 0, brokenAt: null, unreadable: [...new Set([...unreadable, 'state'])] };
    const gate = unlessCorrupt(() => opened.prepare<[], { gate: string }>('SELECT gate FROM boot ORDER BY epoch DESC LIMIT 1').get()?.gate, undefined);
    const source = eventSource(opened, gate ?? 'unknown');
    let through = state.prunedThrough;
    const walk = await verifyChain(() => {
      pause(through);
      return {
        state,
        texts: (seq, limit) => {
          const texts = readable(source, seq, limit);
          through = texts.at(-1)?.seq ?? seq;
          return texts;
        },
      };
    });
    return { ...walk, unreadable };
  } catch (error) {
    if (failureKind(error) !== 'corrupt') throw error;
    return { checked: 0, brokenAt: null, unreadable: ['the file itself'] };
  } finally {
    db?.close();
  }
}

/** Events above `seq` up to the first that cannot be read: to the walk of a chain it is missing. */
function readable(source: EventSource, seq: number, limit: number): EventText[] {
  const all = unlessCorrupt(() => source.after(seq, limit), undefined);
  if (all !== undefined) return all;
  const found: EventText[] = [];
  for (;;) {
    const next = unlessCorrupt(() => source.after(found.at(-1)?.seq ?? seq, 1), []);
    if (next.length === 0) return found;
    found.push(...next);
  }
}

function unlessCorrupt<Found, Otherwise>(read: () => Found, otherwise: Otherwise): Found | Otherwise {
  try {
    return read();
  } catch (error) {
    if (failureKind(error) !== 'corrupt') throw error;
    return otherwise;
  }
}
