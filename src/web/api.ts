import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import * as z from 'zod/mini';
import { GateError, type JsonObject } from '../base/index.js';
import { registerListsApi } from './lists.js';
import type { Photographs } from './photographs.js';
import type { GatePort } from './port.js';
import { laneName, laneParams, noStore, parse, type Caller } from './requests.js';
import { registerTechnicianApi } from './technician.js';

export interface ApiOptions {
  readonly gate: GatePort;
  readonly photographs: Photographs;
  /** Who sends this request; throws `HTTP_UNAUTHENTICATED` where nobody is known and looking is not free either. */
  readonly callerOf: (request: FastifyRequest) => Caller;
}

const evidenceParams = z.object({ id: z.string().check(z.regex(/^[0-9a-f]{64}$/u, '64 hexadecimal digits')) });
const count = (most: number): z.ZodMiniString => z.string().check(z.regex(/^\d{1,15}$/u, `a whole number up to ${most}`));
const eventQuery = z.strictObject({
  after: z.optional(count(Number.MAX_SAFE_INTEGER)),
  before: z.optional(count(Number.MAX_SAFE_INTEGER)),
  limit: z.optional(count(500)),
  lane: z.optional(laneName),
  order: z.optional(z.enum(['newest', 'oldest'])),
});
const commandBody = z.strictObject({
  target: z.enum(['open', 'close', 'hold', 'release', 'stop', 'fire', 'fire-over']),
  reason: z.string().check(z.trim(), z.minLength(1, 'why, in a few words'), z.maxLength(200, 'at most 200 characters')),
});

const mostEvents = 500;
const usualEvents = 100;

/** The gate's JSON interface; the same on the web port and on the control socket. */
export function registerApi(app: FastifyInstance, { gate, photographs, callerOf }: ApiOptions): void {
  app.get('/api/status', async (request, reply) => {
    callerOf(request);
    noStore(reply);
    return gate.status();
  });

  app.get('/api/events', async (request, reply) => {
    callerOf(request);
    noStore(reply);
    const query = parse(eventQuery, request.query, 'query');
    const limit = Math.min(mostEvents, Number(query.limit ?? usualEvents));
    if (limit < 1) throw new GateError('HTTP_BAD_REQUEST', 'The query is not right. limit: at least 1.');
    const events = await gate.events({
      limit,
      newestFirst: query.order !== 'oldest',
      ...(query.after === undefined ? {} : { after: Number(query.after) }),
      ...(query.before === undefined ? {} : { before: Number(query.before) }),
      ...(query.lane === undefined ? {} : { lane: query.lane }),
    });
    return { events };
  });

  app.get('/api/lanes/:lane/photo.jpg', async (request, reply) => {
    callerOf(request);
    const { lane } = parse(laneParams, request.params, 'address');
    const picture = await photographs.get(lane);
    if (picture === undefined) {
      throw new GateError('HTTP_NOT_FOUND', `There is no fresh picture of lane ${lane}; its camera or recognition may be down, the status says which.`, { lane });
    }
    noStore(reply);
    return reply.type('image/jpeg').send(asBuffer(picture));
  });

  app.get('/api/evidence/:file', async (request, reply) => {
    callerOf(request);
    const { file } = parse(z.object({ file: z.string().check(z.regex(/\.jpg$/u, 'ends in .jpg')) }), request.params, 'address');
    const { id } = parse(evidenceParams, { id: file.slice(0, -4) }, 'address');
    const picture = await gate.evidence(id);
    if (picture === undefined) {
      throw new GateError('HTTP_NOT_FOUND', `There is no evidence ${id.slice(0, 12)}…; it may have reached the end of its retention.`, { id });
    }
    // Named by its content, so it never changes; private, since a plate must not rest in a shared cache.
    void reply.header('cache-control', 'private, max-age=86400, immutable');
    return reply.type('image/jpeg').send(asBuffer(picture));
  });

  app.post('/api/lanes/:lane/command', { config: { rateLimit: { max: 60, timeWindow: 60_000 } } }, async (request, reply) => {
    const { issuer } = callerOf(request);
    if (issuer === undefined) throw new GateError('HTTP_UNAUTHENTICATED', 'Sign in to order a barrier.');
    const { lane } = parse(laneParams, request.params, 'address');
    const { target, reason } = parse(commandBody, request.body, 'command');
    noStore(reply);
    const id = randomUUID();
    const result: JsonObject = await gate.command({ id, lane, target, issuer, reason });
    return { id, lane, target, issuer, result };
  });

  registerListsApi(app, { gate, callerOf });
  registerTechnicianApi(app, { gate, callerOf });
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
