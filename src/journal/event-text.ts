import { GateError } from '../base/index.js';
import { hashBytes, hashText } from './canonical.js';
import type { StoredEvent } from './types.js';

/**
 * An event's text is what the journal keeps and what goes out: the canonical form with the hash added as the last key. An
 * object's keys have no order, so it is the event as JSON, and it is made, hashed and looked at once.
 */
export interface EventText {
  readonly seq: number;
  readonly text: string;
}

const HASH_DIGITS = 64;
const HASH_END = '"}';
const HASH_KEY = ',"hash":"';
const TAIL_LENGTH = HASH_KEY.length + HASH_DIGITS + HASH_END.length;
/** How the text of an event begins that was recorded under a clock that was not trusted. */
export const UNTRUSTED = '{"clockTrusted":false,';

const tailOf = (hash: string): string => `${HASH_KEY}${hash}${HASH_END}`;

/** Most bytes a text can have, by its canonical form. */
export function mostBytes(canonical: string): number {
  return 3 * canonical.length + TAIL_LENGTH;
}

/**
 * Writes the text of an event that is recorded now, as UTF-8: encoded once, for its hash, its row and its block's digest.
 * @returns its end in the memory, and its hash (hex)
 */
export function writeText(memory: Buffer, at: number, canonical: string): { readonly end: number; readonly hash: string } {
  const end = at + memory.write(canonical, at);
  const hash = hashBytes(memory.subarray(at, end));
  // Over the last brace.
  return { end: end - 1 + memory.write(tailOf(hash), end - 1, 'latin1'), hash };
}

/** A canonical form with a hash that was recorded before, whether it fits or not. */
export function withHash(canonical: string, hash: string): string {
  return `${canonical.slice(0, -1)}${tailOf(hash)}`;
}

/** The hash (hex) that the text names. */
export function statedHash(text: string): string {
  return text.slice(-(HASH_DIGITS + HASH_END.length), -HASH_END.length);
}

/** Whether the text is what was recorded under this sequence: what a failing disk made of an event is no event. */
export function isSound({ seq, text }: EventText): boolean {
  // The end as well, which the hash is not over: a flipped bit in it makes another key, or no JSON.
  return text.includes(`","seq":${seq},"type":"`) && text.endsWith(tailOf(hashText(`${text.slice(0, -TAIL_LENGTH)}}`)));
}

/** Whether the event was recorded under a clock that was not trusted. */
export function isUntrusted(text: string): boolean {
  return text.startsWith(UNTRUSTED);
}

/** The text with what became known of the event since; it is not hashed. */
export function withKnown(text: string, known: object): string {
  const more = JSON.stringify(known).slice(1, -1);
  return more === '' ? text : `${text.slice(0, -1)},${more}}`;
}

/**
 * Reads an event's text.
 * @throws GateError JOURNAL_CORRUPT where it is none
 */
export function parseEvent(text: string): StoredEvent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new GateError('JOURNAL_CORRUPT', 'a stored event is no JSON text; run gatectl journal verify', {}, error);
  }
  if (!isEvent(value)) throw new GateError('JOURNAL_CORRUPT', 'a stored text is no event; run gatectl journal verify');
  return value;
}

/** The event of a text, where it is one as it was recorded under this sequence. */
export function soundEvent(row: EventText): StoredEvent | undefined {
  if (!isSound(row)) return undefined;
  try {
    return parseEvent(row.text);
  } catch {
    // A hash that fits makes no event of a text.
    return undefined;
  }
}

function isEvent(value: unknown): value is StoredEvent {
  if (typeof value !== 'object' || value === null) return false;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  return (
    Number.isSafeInteger(fields.seq) &&
    Number.isSafeInteger(fields.epoch) &&
    Number.isSafeInteger(fields.wallMs) &&
    typeof fields.monoMs === 'number' &&
    typeof fields.clockTrusted === 'boolean' &&
    typeof fields.id === 'string' &&
    typeof fields.type === 'string' &&
    typeof fields.hash === 'string' &&
    typeof fields.previousHash === 'string' &&
    isName(fields.lane) &&
    isName(fields.passage) &&
    typeof fields.payload === 'object' &&
    fields.payload !== null
  );
}

function isName(value: unknown): boolean {
  return value === null || typeof value === 'string';
}
