import type * as z from 'zod/mini';
import { errorSchema, eventsSchema, sessionSchema, statusSchema, type EventData, type SessionData, type StatusData } from '../messages.js';

/** A request the gate refused, or that did not reach it (`UNREACHABLE`). */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

async function call<Schema extends z.ZodMiniType>(schema: Schema, path: string, body?: object): Promise<z.output<Schema>> {
  let response: Response;
  try {
    response = await fetch(
      path,
      body === undefined ? { cache: 'no-store' } : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
    );
  } catch {
    throw new Refusal('UNREACHABLE', 'The gate does not answer.');
  }
  const text = await response.text();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal('UNREACHABLE', `The gate answered ${response.status} without an explanation.`);
  }
  if (!response.ok) {
    const refused = errorSchema.safeParse(value);
    throw refused.success ? new Refusal(refused.data.error.code, refused.data.error.message) : new Refusal('HTTP_INTERNAL', `HTTP ${response.status}`);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw new Refusal('MESSAGE_INVALID', parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
  return parsed.data;
}

export function fetchSession(): Promise<SessionData> {
  return call(sessionSchema, '/api/session');
}

export function fetchStatus(): Promise<StatusData> {
  return call(statusSchema, '/api/status');
}

/** Newest first. */
export async function fetchEvents(query: { readonly lane?: string; readonly before?: number; readonly limit: number }): Promise<readonly EventData[]> {
  const search = new URLSearchParams({ limit: String(query.limit) });
  if (query.lane !== undefined) search.set('lane', query.lane);
  if (query.before !== undefined) search.set('before', String(query.before));
  return (await call(eventsSchema, `/api/events?${search.toString()}`)).events;
}

export function signIn(body: { readonly name: string; readonly password: string; readonly code?: string }): Promise<SessionData> {
  return call(sessionSchema, '/api/sign-in', body);
}

export function signOut(): Promise<SessionData> {
  return call(sessionSchema, '/api/sign-out', {});
}

export type Target = 'open' | 'close' | 'hold' | 'release';

/** Orders a lane; resolves with the gate's own account of how it went. */
export function order<Schema extends z.ZodMiniType>(schema: Schema, lane: string, target: Target, reason: string): Promise<z.output<Schema>> {
  return call(schema, `/api/lanes/${encodeURIComponent(lane)}/command`, { target, reason });
}
