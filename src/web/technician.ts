import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod/mini';
import { GateError, type JsonObject, type LaneId } from '../base/index.js';
import type { GatePort } from './port.js';
import { laneParams, noStore, parse, type Caller } from './requests.js';

/** Outputs a technician may pulse by themselves: none of them moves a boom. */
export const pulsedOutputs = ['stop', 'greenLight', 'redLight'] as const;
export type PulsedOutput = (typeof pulsedOutputs)[number];

/** A movement that lasts only while its operator renews it. */
export interface SupervisedOrder {
  /** Names this movement; the operator's end makes it up. */
  readonly session: string;
  readonly lane: LaneId;
  readonly direction: 'open' | 'close';
  readonly issuer: string;
}

/** What a technician may ask of the running gate; plain JSON, as everything of `GatePort`. */
export interface TechnicianPort {
  /** Every device with its units and lines, see `deviceTableSchema`. */
  devices(): JsonObject;
  /** Changes of lines and health from now on, see `deviceChangeSchema`. Returns the way to stop. */
  onDevices(listener: (message: JsonObject) => void): () => void;
  /** Raw bytes of a serial device. Throws `HTTP_NOT_FOUND` where there is no such device or it has none. */
  onTraffic(device: string, listener: (message: JsonObject) => void): () => void;
  /** Energises a lamp or the STOP contact for a while. Rejects with `LANE_UNKNOWN`, `DEVICE_*`, `HTTP_NOT_FOUND`. */
  pulse(order: { lane: LaneId; output: PulsedOutput; ms: number; issuer: string }): Promise<void>;
  /** Puts what a test found on record; resolves once it is durable. */
  record(test: { lane: LaneId; issuer: string; test: string; passed: boolean; result: JsonObject }): Promise<void>;
  /** Begins a movement held by its operator: `{session, renewWithinMs}`. Rejects with `LANE_UNKNOWN`, `COMMAND_REFUSED`. */
  supervise(order: SupervisedOrder): Promise<JsonObject>;
  /** The operator still holds: `{active, ended, boom}`, `ended` with why it is over. Throws `LANE_UNKNOWN`. */
  renew(lane: LaneId, session: string): JsonObject;
  /** The operator let go; answers as `renew`. */
  letGo(lane: LaneId, session: string): JsonObject;
}

const pulseBody = z.strictObject({
  output: z.enum(pulsedOutputs),
  ms: z.number().check(z.int(), z.minimum(100, 'at least 100 ms'), z.maximum(10_000, 'at most 10,000 ms')),
});
const testBody = z.strictObject({
  test: z.string().check(z.regex(/^[\w.-]{1,40}$/u, 'a word such as loop.approach')),
  passed: z.boolean(),
  result: z.record(z.string(), z.json()),
});
const supervisedBody = z.strictObject({ direction: z.enum(['open', 'close']) });
const sessionParams = z.object({ lane: laneParams.shape.lane, session: z.uuid() });
const deviceParams = z.object({ device: z.string().check(z.regex(/^[a-z0-9][a-z0-9-]{0,31}$/u, 'a device id such as relays')) });

function technicianOf(gate: GatePort): TechnicianPort {
  if (gate.technician === undefined) throw new GateError('HTTP_NOT_FOUND', 'This gate has no devices to look at.');
  return gate.technician;
}

/** Devices and tests: for technicians alone, on the page as on the console. */
export function registerTechnicianApi(app: FastifyInstance, { gate, callerOf }: { readonly gate: GatePort; readonly callerOf: (request: FastifyRequest) => Caller }): void {
  const technician = (request: FastifyRequest): string => {
    const { issuer, role } = callerOf(request);
    if (issuer === undefined) throw new GateError('HTTP_UNAUTHENTICATED', 'Sign in as a technician to look at devices.');
    if (role !== 'technician') throw new GateError('HTTP_FORBIDDEN', 'Devices and tests are for technicians; gatectl sign-in-code --role technician on the box makes one.');
    return issuer;
  };

  app.get('/api/devices', (request, reply) => {
    technician(request);
    noStore(reply);
    return technicianOf(gate).devices();
  });

  app.post('/api/lanes/:lane/pulse', { config: { rateLimit: { max: 60, timeWindow: 60_000 } } }, async (request, reply) => {
    const issuer = technician(request);
    const { lane } = parse(laneParams, request.params, 'address');
    const { output, ms } = parse(pulseBody, request.body, 'pulse');
    noStore(reply);
    await technicianOf(gate).pulse({ lane, output, ms, issuer });
    return { lane, output, ms };
  });

  app.post('/api/lanes/:lane/test', { config: { rateLimit: { max: 60, timeWindow: 60_000 } } }, async (request, reply) => {
    const issuer = technician(request);
    const { lane } = parse(laneParams, request.params, 'address');
    const { test, passed, result } = parse(testBody, request.body, 'test');
    noStore(reply);
    await technicianOf(gate).record({ lane, issuer, test, passed, result });
    return { lane, test, passed, issuer };
  });

  app.post('/api/lanes/:lane/supervised', async (request, reply) => {
    const issuer = technician(request);
    const { lane } = parse(laneParams, request.params, 'address');
    const { direction } = parse(supervisedBody, request.body, 'order');
    noStore(reply);
    const session = randomUUID();
    return technicianOf(gate).supervise({ session, lane, direction, issuer });
  });

  app.post('/api/lanes/:lane/supervised/:session/renew', (request, reply) => {
    technician(request);
    const { lane, session } = parse(sessionParams, request.params, 'address');
    noStore(reply);
    return technicianOf(gate).renew(lane, session);
  });

  app.post('/api/lanes/:lane/supervised/:session/end', (request, reply) => {
    technician(request);
    const { lane, session } = parse(sessionParams, request.params, 'address');
    noStore(reply);
    return technicianOf(gate).letGo(lane, session);
  });
}

/** A reader slower than this is cut off; it asks for the whole table again. */
const mostWaitingBytes = 512 * 1024;

/** Endless answers of one JSON object a line, on the control socket alone. */
export function registerTechnicianFeeds(app: FastifyInstance, gate: GatePort): void {
  const stream = (reply: FastifyReply, subscribe: (send: (message: JsonObject) => void) => () => void): void => {
    const { raw } = reply;
    const send = (message: JsonObject): void => {
      if (raw.writableLength > mostWaitingBytes) raw.destroy();
      else raw.write(`${JSON.stringify(message)}\n`);
    };
    // Before the reply is taken over, so that a refusal still gets its answer.
    const end = subscribe(send);
    reply.hijack();
    raw.once('close', end);
    raw.flushHeaders();
  };
  const head = (reply: FastifyReply): void => {
    reply.raw.setHeader('content-type', 'application/jsonl; charset=utf-8');
    reply.raw.setHeader('cache-control', 'no-store');
  };

  app.get('/api/devices/live.jsonl', (_request, reply) => {
    const port = technicianOf(gate);
    stream(reply, (send) => {
      head(reply);
      const end = port.onDevices(send);
      send({ kind: 'table', ...port.devices() });
      return end;
    });
  });

  app.get('/api/devices/:device/traffic.jsonl', (request, reply) => {
    const { device } = parse(deviceParams, request.params, 'address');
    const port = technicianOf(gate);
    stream(reply, (send) => {
      const end = port.onTraffic(device, send);
      head(reply);
      return end;
    });
  });
}
