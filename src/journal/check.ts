import { GateError } from '../base/index.js';
import { canonicalJson } from './canonical.js';
import { MOST_PAYLOAD_BYTES, MOST_ROWS } from './protocol.js';
import type { BatchQuery, EventQuery, NewEvent } from './types.js';

const MOST_NAME = 128;
const MOST_KEY = 256;

function name(value: string | undefined, what: string): string | null {
  if (value === undefined) return null;
  if (value.length === 0 || value.length > MOST_NAME) throw new GateError('EVENT_INVALID', `${what} has ${value.length} characters; 1 to ${MOST_NAME} are kept`);
  return value;
}

/**
 * Checks an event before it is handed to the thread and freezes its payload as text.
 * @throws GateError EVENT_INVALID
 */
export function checkEvent(event: NewEvent): { lane: string | null; passage: string | null; payloadText: string } {
  if (!/^[a-z]+(?:[.-][a-z]+)+$/u.test(event.type)) throw new GateError('EVENT_INVALID', `"${event.type}" is no event type`);
  const payloadText = canonicalJson(event.payload);
  if (!payloadText.startsWith('{')) throw new GateError('EVENT_INVALID', 'the payload has to be a JSON object');
  if (payloadText.length > MOST_PAYLOAD_BYTES / 4 && Buffer.byteLength(payloadText) > MOST_PAYLOAD_BYTES) {
    throw new GateError('EVENT_INVALID', `a payload of ${Buffer.byteLength(payloadText)} bytes is refused; ${MOST_PAYLOAD_BYTES} are kept. Pictures go to saveEvidence`);
  }
  return { lane: name(event.lane, 'a lane'), passage: name(event.passage, 'a passage'), payloadText };
}

/** @throws GateError EVENT_INVALID */
export function checkKey(key: string): string {
  if (key.length === 0 || key.length > MOST_KEY) throw new GateError('EVENT_INVALID', `a key of ${key.length} characters is refused; 1 to ${MOST_KEY} are kept`);
  return key;
}

/** A sequence number. @throws GateError EVENT_INVALID */
export function checkSequence(seq: number): number {
  if (!Number.isSafeInteger(seq) || seq < 0) throw new GateError('EVENT_INVALID', `${seq} is no sequence number`);
  return seq;
}

/** A query with its limit kept within what one answer may hold. @throws GateError EVENT_INVALID */
export function checkQuery(query: EventQuery): EventQuery {
  if (query.after !== undefined) checkSequence(query.after);
  if (query.before !== undefined) checkSequence(query.before);
  if (query.types?.length === 0) throw new GateError('EVENT_INVALID', 'a query for no types finds nothing; leave types out for all');
  if (!Number.isSafeInteger(query.limit) || query.limit < 1) throw new GateError('EVENT_INVALID', `a limit of ${query.limit} is no limit; 1 to ${MOST_ROWS}`);
  return { ...query, limit: Math.min(query.limit, MOST_ROWS) };
}

/** A query for batches that one answer can hold. @throws GateError EVENT_INVALID */
export function checkBatchQuery(query: BatchQuery): BatchQuery {
  checkSequence(query.after);
  checkSequence(query.before);
  const most = query.events * query.batches;
  if (!Number.isSafeInteger(most) || most < 1 || most > MOST_ROWS) throw new GateError('EVENT_INVALID', `${query.batches} batches of ${query.events} events are not answered at once; 1 to ${MOST_ROWS} events`);
  return query;
}
