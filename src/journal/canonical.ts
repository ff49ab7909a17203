import { hash } from 'node:crypto';
import { GateError, type JsonObject } from '../base/index.js';
import type { StoredEvent } from './types.js';

/** Hash before the first event of a journal. */
export const GENESIS_HASH = '0'.repeat(64);

/** Deepest nesting a payload may have; deeper is a programming error and would make hashing unbounded. */
const MOST_DEPTH = 32;

function isRecord(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/**
 * The one text a JSON value has in the journal: RFC 8785 (JSON Canonicalization Scheme), that is keys sorted by UTF-16
 * code units, no spaces, numbers as ECMAScript prints them. Properties that are `undefined` are left out, as
 * `JSON.stringify` does.
 * @throws GateError EVENT_INVALID for anything JSON cannot carry (NaN, functions, dates, class instances, cycles)
 */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > MOST_DEPTH) throw new GateError('EVENT_INVALID', `a payload is nested deeper than ${MOST_DEPTH} levels; flatten it`);
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw new GateError('EVENT_INVALID', `${value} is no JSON number; leave the property out or use null`);
      return JSON.stringify(value);
    case 'object': {
      if (value === null) return 'null';
      if (isList(value)) return `[${value.map((item) => canonicalJson(item ?? null, depth + 1)).join(',')}]`;
      if (!isRecord(value)) throw new GateError('EVENT_INVALID', 'a payload holds an object that is not plain JSON; convert it first');
      const parts: string[] = [];
      for (const key of Object.keys(value).sort()) {
        const item = value[key];
        if (item !== undefined) parts.push(`${JSON.stringify(key)}:${canonicalJson(item, depth + 1)}`);
      }
      return `{${parts.join(',')}}`;
    }
    default:
      throw new GateError('EVENT_INVALID', `a ${typeof value} is no JSON value; leave it out of the payload`);
  }
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads an object from JSON text.
 * @throws GateError JOURNAL_CORRUPT when the text is no JSON object
 */
export function parseJsonObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new GateError('JOURNAL_CORRUPT', 'a stored value is no JSON text; run gatectl journal verify', {}, error);
  }
  if (!isJsonObject(value)) throw new GateError('JOURNAL_CORRUPT', 'a stored value is no JSON object; run gatectl journal verify');
  return value;
}

/** Of an event as it was recorded: what became known of its time later is not hashed. */
type Recorded = Omit<StoredEvent, 'type' | 'correctedWallMs' | 'wallNotBeforeMs' | 'wallNotAfterMs'>;

/** An event as it is hashed, its payload already in canonical text. */
export interface HashedFields extends Omit<Recorded, 'payload' | 'hash'> {
  /** Any text: a receiver may be older than the gate. */
  readonly type: string;
  readonly payloadText: string;
}

/**
 * The canonical form whose SHA-256 is the event's hash: every field of the event as recorded but the hash itself, in RFC 8785 order.
 * Written out by hand because it runs for each event of a backlog.
 */
export function canonicalEvent(event: HashedFields): string {
  return (
    `{"clockTrusted":${event.clockTrusted ? 'true' : 'false'},"epoch":${event.epoch},"id":${JSON.stringify(event.id)},` +
    `"lane":${event.lane === null ? 'null' : JSON.stringify(event.lane)},"monoMs":${JSON.stringify(event.monoMs)},` +
    `"passage":${event.passage === null ? 'null' : JSON.stringify(event.passage)},"payload":${event.payloadText},` +
    `"previousHash":"${event.previousHash}","seq":${event.seq},"type":${JSON.stringify(event.type)},"wallMs":${JSON.stringify(event.wallMs)}}`
  );
}

/** SHA-256, hex, of an event's canonical form. */
export function hashFields(event: HashedFields): string {
  return hashText(canonicalEvent(event));
}

/** SHA-256, hex, of a canonical form that is there already. */
export function hashText(canonical: string): string {
  return hash('sha256', canonical, 'hex');
}

/** SHA-256, hex, of a canonical form as UTF-8. */
export function hashBytes(canonical: Uint8Array): string {
  return hash('sha256', canonical, 'hex');
}

/** What a received or stored event's hash has to be; a receiver compares it with `event.hash`. */
export function hashOfEvent(event: Recorded & { readonly type: string }): string {
  return hashFields({ ...event, payloadText: canonicalJson(event.payload) });
}

/** The platform's key of an event against doubles. */
export function eventId(gateId: string, epoch: number, seq: number): string {
  return `${gateId}-${epoch}-${seq}`;
}
