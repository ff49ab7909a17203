import { createHash } from 'node:crypto';
import { canonicalJson } from '../journal/index.js';
import type { ListEntry } from './messages.js';

/** What makes an entry the same entry in another version. */
export function keyOf(entry: ListEntry): string {
  switch (entry.kind) {
    case 'household':
      return `household/${entry.id}`;
    case 'visitor':
      return `visitor/${entry.id}`;
    case 'blocked':
      return `blocked/${entry.plate}`;
  }
}

/** An entry's one text: RFC 8785, without the line feed. */
export function lineOf(entry: ListEntry): string {
  return canonicalJson(entry);
}

/** Order of the lines: UTF-16 code units, as RFC 8785 sorts property names. */
export function compareKeys(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Digest of lines already in order. */
export function digestOfLines(lines: Iterable<string>): string {
  const hash = createHash('sha256');
  for (const line of lines) hash.update(`${line}\n`, 'utf8');
  return hash.digest('hex');
}

/** Digest of a list, see `messages.ts`. */
export function listDigest(entries: Iterable<ListEntry>): string {
  const lines = Array.from(entries, (entry) => ({ key: keyOf(entry), line: lineOf(entry) }));
  return digestOfLines(lines.sort((a, b) => compareKeys(a.key, b.key)).map(({ line }) => line));
}
