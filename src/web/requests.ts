import type { FastifyReply } from 'fastify';
import * as z from 'zod/mini';
import { GateError } from '../base/index.js';
import type { Role } from './accounts.js';

/** Who asks: a signed-in browser, somebody on the control socket, or a viewer of an open view. */
export interface Caller {
  /** For the record: `web:guard`, `console:pi`; undefined for a viewer who may only look. */
  readonly issuer?: string;
  readonly role: Role | 'viewer';
}

export const laneName = z.string().check(z.regex(/^[a-z0-9][a-z0-9-]{0,31}$/u, 'a lane id such as entry'));
export const laneParams = z.object({ lane: laneName });

/** Checks what came in; says every fault by field. Throws `HTTP_BAD_REQUEST`. */
export function parse<Schema extends z.ZodMiniType>(schema: Schema, value: unknown, what: string): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.') || what}: ${faultOf(issue)}`);
  throw new GateError('HTTP_BAD_REQUEST', `The ${what} is not right. ${faults.join('; ')}.`, { faults });
}

function faultOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return `unknown: ${issue.keys.join(', ')}`;
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`;
    case 'invalid_type':
      return issue.input === undefined ? 'missing' : `expected ${issue.expected}`;
    default:
      return issue.message;
  }
}

export function noStore(reply: FastifyReply): void {
  void reply.header('cache-control', 'no-store');
}
