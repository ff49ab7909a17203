import { tryParsePlate, type PlateText } from '../plate/index.js';
import { compareKeys, keyOf } from './digest.js';
import { listEntrySchema, type ListEntry } from './messages.js';

/** Code units of the longest plate. */
const WIDTH = 8;

/**
 * A list ready to be looked up, in a few flat arrays: they go from thread to thread without being copied, cost the
 * collector nothing, and need no building where they arrive. An entry is parsed when it is asked for.
 */
export interface TableData {
  /** The entries' canonical lines in UTF-8, each with its line feed, in order of their keys. */
  readonly text: Uint8Array<ArrayBuffer>;
  /** Where each line begins in `text`, and where the last one ends. */
  readonly lines: Uint32Array<ArrayBuffer>;
  /** Plates in order, `WIDTH` UTF-16 code units each, filled up with zeros. */
  readonly plates: Uint16Array<ArrayBuffer>;
  /** Where the lines of each plate begin in `refs`, and where the last ones end. */
  readonly firsts: Uint32Array<ArrayBuffer>;
  /** Numbers of lines. */
  readonly refs: Uint32Array<ArrayBuffer>;
}

export interface Ignored {
  readonly key: string;
  readonly why: string;
}

export interface ListCounts {
  readonly entries: number;
  readonly households: number;
  /** Different plates that can be looked up. */
  readonly plates: number;
  readonly visitors: number;
  readonly blocked: number;
}

export const NO_LIST: TableData = { text: new Uint8Array(0), lines: new Uint32Array(1), plates: new Uint16Array(0), firsts: new Uint32Array(1), refs: new Uint32Array(0) };

const NO_PLATE = 'no plate that the gate could ever read; correct it at the platform';

interface Row {
  readonly key: string;
  readonly line: string;
  readonly entry: ListEntry;
}

/** The buffers of a table, to hand it over. */
export function transferOf({ text, lines, plates, firsts, refs }: TableData): ArrayBuffer[] {
  return [text, lines, plates, firsts, refs].map(({ buffer }) => buffer);
}

/**
 * Builds a table from entries in order of their keys. An entry whose plate no car can carry stays in the list and is
 * ignored; of two households with one plate the first has it.
 */
export function buildTable(rows: readonly Row[]): { readonly table: TableData; readonly counts: ListCounts; readonly ignored: readonly Ignored[] } {
  const byPlate = new Map<PlateText, number[]>();
  const residents = new Map<PlateText, string>();
  const ignored: Ignored[] = [];
  const of = { household: 0, visitor: 0, blocked: 0 };
  const enter = (raw: string, row: number, key: string, takes: (plate: PlateText) => boolean = () => true): void => {
    const plate = tryParsePlate(raw)?.text;
    if (plate === undefined || plate.length > WIDTH) {
      ignored.push({ key, why: `${raw}: ${NO_PLATE}` });
      return;
    }
    if (!takes(plate)) return;
    const known = byPlate.get(plate);
    if (known === undefined) byPlate.set(plate, [row]);
    else if (known.at(-1) !== row) known.push(row);
  };
  const lines = new Uint32Array(rows.length + 1);
  let bytes = 0;
  for (const [at, { key, line, entry }] of rows.entries()) {
    lines[at] = bytes;
    bytes += Buffer.byteLength(line) + 1;
    of[entry.kind] += 1;
    if (entry.kind !== 'household') {
      enter(entry.plate, at, key);
      continue;
    }
    for (const raw of entry.plates) {
      enter(raw, at, key, (plate) => {
        const owner = residents.get(plate) ?? entry.id;
        residents.set(plate, owner);
        if (owner !== entry.id) ignored.push({ key, why: `${plate} belongs to household ${owner} already; a plate has one household` });
        return owner === entry.id;
      });
    }
  }
  lines[rows.length] = bytes;
  const text = new Uint8Array(bytes);
  const writer = Buffer.from(text.buffer);
  for (const [at, { line }] of rows.entries()) writer.write(`${line}\n`, lines[at] ?? 0, 'utf8');

  const sorted = [...byPlate].sort(([a], [b]) => (a < b ? -1 : 1));
  const plates = new Uint16Array(sorted.length * WIDTH);
  const firsts = new Uint32Array(sorted.length + 1);
  const refs = new Uint32Array(sorted.reduce((sum, [, rowsOf]) => sum + rowsOf.length, 0));
  let ref = 0;
  for (const [at, [plate, rowsOf]] of sorted.entries()) {
    plates.set(unitsOf(plate), at * WIDTH);
    firsts[at] = ref;
    for (const row of rowsOf) refs[ref++] = row;
  }
  firsts[sorted.length] = ref;
  return {
    table: { text, lines, plates, firsts, refs },
    counts: { entries: rows.length, households: of.household, plates: sorted.length, visitors: of.visitor, blocked: of.blocked },
    ignored,
  };
}

function unitsOf(plate: string): Uint16Array {
  const units = new Uint16Array(WIDTH);
  for (let at = 0; at < WIDTH && at < plate.length; at += 1) units[at] = plate.charCodeAt(at);
  return units;
}

/** Looks up in a table. */
export class ListTable {
  readonly #data: TableData;
  readonly #decoder = new TextDecoder();

  constructor(data: TableData = NO_LIST) {
    this.#data = data;
  }

  get size(): number {
    return this.#data.firsts.length - 1;
  }

  has(plate: PlateText): boolean {
    return this.#find(plate) >= 0;
  }

  /** Entries that name a plate. */
  entriesOf(plate: PlateText): readonly ListEntry[] {
    const at = this.#find(plate);
    if (at < 0) return [];
    const { firsts, refs } = this.#data;
    return Array.from(refs.subarray(firsts[at], firsts[at + 1]), (row) => this.#entry(row));
  }

  /** The entry with a key, see `keyOf`. */
  entry(key: string): ListEntry | undefined {
    let low = 0;
    let high = this.#data.lines.length - 2;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const entry = this.#entry(middle);
      const order = compareKeys(keyOf(entry), key);
      if (order === 0) return entry;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  #entry(row: number): ListEntry {
    const { text, lines } = this.#data;
    return listEntrySchema.parse(JSON.parse(this.#decoder.decode(text.subarray(lines[row], lines[row + 1]))));
  }

  #find(plate: PlateText): number {
    if (plate.length > WIDTH) return -1;
    const { plates } = this.#data;
    let low = 0;
    let high = this.size - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      let order = 0;
      for (let at = 0; at < WIDTH && order === 0; at += 1) order = (plates[middle * WIDTH + at] ?? 0) - (at < plate.length ? plate.charCodeAt(at) : 0);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}
