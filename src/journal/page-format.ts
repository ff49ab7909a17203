/**
 * SQLite's pages and records as bytes, of which any may be damaged: nothing here throws. By SQLite's file format,
 * https://sqlite.org/fileformat2.html, sections 1.6 and 2.1.
 */

export type SqlValue = string | number | bigint | Buffer | null;

/** Of every journal, and all of it in use: what a damaged header says of that is not asked. */
export const PAGE_BYTES = 4096;

/** Kinds of page, by their first byte; an inner page's is eight less than that of the leaves below it. */
export const INDEX_LEAF = 0x0a;
export const TABLE_LEAF = 0x0d;
export type LeafKind = typeof INDEX_LEAF | typeof TABLE_LEAF;
export const INNER = 8;
/** Least bytes of a cell and the pointer to it. */
const LEAST_CELL_BYTES = 4;
const LONGEST_VARINT = 9;

export interface Page {
  readonly bytes: Buffer;
  /** Where its header begins. */
  readonly header: number;
  readonly kind: number;
  /** Where its cells begin. */
  readonly cells: readonly number[];
  /** Whether it has all its cells. */
  readonly whole: boolean;
}

/** @param header where its header begins */
export function pageOf(bytes: Buffer, header: number): Page {
  const kind = bytes.readUInt8(header);
  const count = bytes.readUInt16BE(header + 3);
  const pointers = header + (kind === TABLE_LEAF || kind === INDEX_LEAF ? 8 : 12);
  const room = Math.floor((PAGE_BYTES - pointers) / LEAST_CELL_BYTES);
  const cells: number[] = [];
  for (let cell = 0; cell < Math.min(count, room); cell += 1) cells.push(bytes.readUInt16BE(pointers + 2 * cell));
  return { bytes, header, kind, cells, whole: count <= room };
}

/** A number of up to nine bytes; beyond 2^53 no longer exact. Undefined where the page ends before it does. */
export function varint(bytes: Buffer, start: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let at = start; at < Math.min(bytes.length, start + LONGEST_VARINT); at += 1) {
    const byte = bytes.readUInt8(at);
    if (at === start + LONGEST_VARINT - 1) return { value: value * 256 + byte, end: at + 1 };
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, end: at + 1 };
  }
  return undefined;
}

/** The number of the row in a cell of a leaf; undefined for one that no row of the journal has. */
export function rowNumber(bytes: Buffer, cell: number): number | undefined {
  const size = varint(bytes, cell);
  const row = size === undefined ? undefined : varint(bytes, size.end)?.value;
  return Number.isSafeInteger(row) ? row : undefined;
}

/** The values of a record, in order; undefined where it ends before they do. */
export function valuesOf(payload: Buffer): readonly SqlValue[] | undefined {
  const header = varint(payload, 0);
  if (header === undefined) return undefined;
  const values: SqlValue[] = [];
  let body = header.value;
  for (let at = header.end; at < header.value; ) {
    const type = varint(payload, at);
    if (type === undefined) return undefined;
    at = type.end;
    const bytes = bytesOf(type.value);
    if (bytes === undefined || body + bytes > payload.length) return undefined;
    values.push(valueOf(type.value, payload.subarray(body, body + bytes)));
    body += bytes;
  }
  return values;
}

const FIRST_TEXT_TYPE = 12;
const FIXED_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0];

function bytesOf(type: number): number | undefined {
  return type < FIRST_TEXT_TYPE ? FIXED_BYTES[type] : Math.floor((type - FIRST_TEXT_TYPE) / 2);
}

function valueOf(type: number, bytes: Buffer): SqlValue {
  if (type >= FIRST_TEXT_TYPE) return type % 2 === 0 ? Buffer.from(bytes) : bytes.toString('utf8');
  switch (type) {
    case 0:
      return null;
    case 6: {
      const value = bytes.readBigInt64BE();
      const number = Number(value);
      return Number.isSafeInteger(number) ? number : value;
    }
    case 7:
      return bytes.readDoubleBE();
    case 8:
    case 9:
      return type - 8;
    default:
      return bytes.readIntBE(0, bytes.length);
  }
}
