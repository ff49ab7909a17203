import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { GateError, errorText } from '../base/index.js';
import type { ListEntry } from '../lists/index.js';
import { listEntrySchema } from '../uplink/index.js';

/** Columns of a table of entries; which of them an entry needs goes by its kind. */
const COLUMNS = ['kind', 'id', 'plates', 'name', 'spaces', 'lanes', 'hours', 'from', 'until', 'note', 'reason'] as const;
type Row = Partial<Record<(typeof COLUMNS)[number], string>>;

const fileSchema = z.union([z.array(listEntrySchema), z.object({ entries: z.array(listEntrySchema) }).transform(({ entries }) => entries)]);

/**
 * Fields of a table as RFC 4180 has them: separated by commas, in quotes where they hold commas, quotes (doubled) or line
 * breaks. Lines end with LF or CRLF; empty lines are left out. A byte order mark is skipped: spreadsheets write one.
 */
export function csvRows(text: string): readonly (readonly string[])[] {
  const rows: string[][] = [[]];
  for (const [, lead = '', quoted, plain = ''] of text.replace(/^\uFEFF/u, '').matchAll(/(,|\r?\n|^)(?:"((?:[^"]|"")*)"|([^,\r\n]*))/gu)) {
    if (lead.endsWith('\n')) rows.push([]);
    rows.at(-1)?.push(quoted === undefined ? plain.trim() : quoted.replaceAll('""', '"'));
  }
  return rows.filter((row) => row.some((field) => field !== ''));
}

function entryOf({ kind, id, plates = '', name, spaces, lanes, hours, from, until, note, reason }: Row): unknown {
  const several = (text: string): string[] => text.split(/[\s;]+/u).filter((one) => one !== '');
  const some = (values: Readonly<Record<string, unknown>>): object => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== ''));
  const only = lanes === undefined || lanes === '' ? undefined : several(lanes);
  if (kind === 'household') {
    const [begin, end] = (hours ?? '').split('-');
    return some({ kind, id, name, spaces: spaces === undefined || spaces === '' ? undefined : Number(spaces), plates: several(plates), lanes: only, hours: hours === undefined || hours === '' ? undefined : { from: begin?.trim(), to: end?.trim() }, validFrom: from, validUntil: until });
  }
  if (kind === 'visitor') return some({ kind, id, plate: plates, from, until, lanes: only, note });
  return some({ kind, plate: plates, reason });
}

/**
 * Reads a list from a file: JSON (an array of entries as in the contract, or an object with `entries`), or CSV with a
 * header of these columns in any order: kind, id, plates, name, spaces, lanes, hours, from, until, note, reason. Several
 * plates or lanes are separated by blanks or semicolons; hours are written 07:00-22:00.
 * @throws GateError LIST_INVALID with the place of every fault
 */
export async function readListFile(path: string): Promise<readonly ListEntry[]> {
  const bad = (why: string, cause?: unknown): GateError => new GateError('LIST_INVALID', `${path}: ${why}`, { path }, cause);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw bad(`cannot be read (${errorText(cause)})`, cause);
  }
  if (/^\s*[[{]/u.test(text)) {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw bad(`is no JSON (${errorText(cause)})`, cause);
    }
    const parsed = fileSchema.safeParse(value);
    if (!parsed.success) throw bad(faultsOf(parsed.error));
    return parsed.data;
  }
  const [header = [], ...rows] = csvRows(text);
  const columns = header.map((title) => COLUMNS.find((column) => column === title.toLowerCase()));
  const unknown = header.filter((_, at) => columns[at] === undefined);
  if (!columns.includes('kind') || unknown.length > 0) throw bad(`a table begins with a line of its columns, among them kind; ${unknown.length > 0 ? `"${unknown.join('", "')}" is none of` : 'there are'} ${COLUMNS.join(', ')}`);
  const faults: string[] = [];
  const entries = rows.flatMap((fields, at): readonly ListEntry[] => {
    const row: Row = {};
    for (const [index, column] of columns.entries()) if (column !== undefined) row[column] = fields[index] ?? '';
    const parsed = listEntrySchema.safeParse(entryOf(row));
    if (parsed.success) return [parsed.data];
    faults.push(`row ${at + 2}: ${faultsOf(parsed.error)}`);
    return [];
  });
  if (faults.length > 0) throw bad(faults.slice(0, 20).join('\n'));
  return entries;
}

/**
 * Writes a list as JSON, one entry a line, for `readListFile`; whole or not at all.
 * @throws GateError LIST_INVALID where the file cannot be written
 */
export async function writeListFile(path: string, entries: readonly ListEntry[]): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    await writeFile(temporary, `[\n${entries.map((entry) => JSON.stringify(entry)).join(',\n')}\n]\n`);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new GateError('LIST_INVALID', `${path}: cannot be written (${errorText(cause)})`, { path }, cause);
  }
}

function faultsOf(error: z.ZodError): string {
  return error.issues.slice(0, 5).map(({ path, message }) => `${path.join('.')}${path.length === 0 ? '' : ': '}${message}`).join('; ');
}
