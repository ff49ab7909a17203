import { z } from 'zod';
import { CHALLENGE_MS } from './challenges.js';

/**
 * Every message between gate and platform. The root of all topics is `laurel/v1/{site}/{gate}/`; the same schemas
 * validate what comes in and describe the contract to integrators. Receivers ignore properties they do not know.
 */

const sequence = z.number().int().min(0);
const epoch = z.number().int().min(1).describe('boot epoch: grows at every start of the gate');
const wallMs = z.number().int().describe('ms since 1970 UTC, as the gate believes');
const json = z.json();
export const jsonObjectSchema = z.record(z.string(), json);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/u);

export const eventSchema = z.object({
  id: z.string().min(1).describe("{gate}-{epoch}-{seq}; the platform's key against doubles"),
  epoch,
  seq: z.number().int().min(1).describe('contiguous per gate over all epochs, from 1, never reused'),
  type: z.string().min(1).describe('what happened; a receiver keeps types it does not know'),
  lane: z.string().nullable(),
  passage: z.string().nullable().describe('one vehicle in the lane, from its coming to its going'),
  wallMs,
  monoMs: z.number().describe("ms of the boot epoch's monotonic clock"),
  clockTrusted: z.boolean().describe('false: the wall time is not to be relied on. A later clock.trusted event of the same epoch, or one that names the epoch in its payload, gives the true time: monoMs + offsetMs'),
  correctedWallMs: wallMs.optional().describe('where clockTrusted is false: the true wall time, reckoned from monoMs once it was known; a repetition of the event may bring it where the first arrival did not'),
  wallNotBeforeMs: wallMs.optional().describe('where the true wall time never became known: it is not before this'),
  wallNotAfterMs: wallMs.optional().describe('as above: it is not after this'),
  payload: jsonObjectSchema.describe('by type'),
  reduced: z.literal(true).optional().describe('the event was too large for the broker: payload is {tooLarge: bytes}, all else, hash too, is that of the whole event, which the gate keeps'),
  previousHash: sha256.describe('hash of the event before; 64 zeros before the first'),
  hash: sha256.describe('SHA-256 of the RFC 8785 form of all other fields but correctedWallMs, wallNotBeforeMs, wallNotAfterMs and reduced'),
});

/** `event`, up, QoS 1. */
export const eventMessageSchema = z.object({
  historical: z.boolean().describe('true: backlog, sent after the fact; false: as it happens'),
  lost: z
    .array(z.object({ first: sequence, last: sequence }))
    .describe('sequences below the events of this message that the gate no longer has and that will never come'),
  events: z.array(eventSchema).min(1).describe('in order of seq'),
});

/** `ack`, down, QoS 1. May be retained. */
export const ackMessageSchema = z.object({
  epoch: epoch.describe('epoch of the event with that seq'),
  seq: sequence.describe('everything up to here, without a hole, is ingested'),
  hash: sha256.optional().describe('of the event with that seq, as the platform has it: the gate lets go of nothing where its own is another, as after two boxes were signed in under one id'),
  accepts: z
    .object({
      encodings: z.array(z.string()).optional().describe('gzip: event messages may come compressed (RFC 1952; they begin with 1f 8b)'),
      batchEvents: z.number().int().min(1).optional().describe('most events in one message'),
      batchBytes: z.number().int().min(1_024).optional().describe('most bytes of one message before compression; a single larger event comes whole'),
    })
    .optional()
    .describe('what the platform understands besides plain messages; holds until an acknowledgement says otherwise or the connection ends'),
});

const instance = z.string().optional().describe('drawn anew by every process of a gate: two boxes under one id show by it');

/** `status`, up, QoS 1, retained; the `offline` form with reason `lost` is the last will. */
export const statusMessageSchema = z.discriminatedUnion('state', [
  z.object({
    state: z.literal('online'),
    epoch,
    instance,
    atMs: wallMs,
    promise: z.enum(['platform', 'broker']).describe('who has to take an event before the gate lets go of it'),
    gate: jsonObjectSchema.describe('lane states, versions'),
  }),
  z.object({
    state: z.literal('offline'),
    epoch,
    instance,
    reason: z.enum(['stopped', 'lost', 'moved']).describe('stopped: shut down in order; lost: the broker missed it; moved: to a broker it prefers'),
  }),
]);

/** `telemetry`, up, QoS 0, never queued. */
export const telemetryMessageSchema = z.object({
  epoch,
  atMs: wallMs,
  backlog: sequence.describe('events the platform has not acknowledged'),
  health: jsonObjectSchema.describe('for people and graphs: what is in it may change with every release'),
});

const plainName = z.string().min(1).max(64);

/** `command`, down, QoS 1, never retained. Names a target state, never "toggle". */
export const commandMessageSchema = z.object({
  id: plainName.describe('new for each command; repeating one repeats the answer, not the act'),
  issuer: plainName.describe('who asks, e.g. platform:alice'),
  expires: z
    .union([z.iso.datetime({ offset: true }), z.number().int().positive()])
    .describe('not carried out after this: ISO 8601 with offset, or ms since 1970; at most 24 hours ahead'),
  lane: plainName.describe("id of the lane, as in the gate's configuration and its status"),
  target: z
    .enum(['open', 'close', 'hold', 'release', 'stop', 'fire', 'fire-over'])
    .describe('open: closes again by its own rules; hold: stays open until release; stop: stays where it is; fire: open over everything but STOP, until fire-over'),
  reason: z.string().max(200).describe('why; goes on record'),
  challenge: z
    .object({
      nonce: z.string().min(1).max(64).describe('from the reply of this gate that handed it out'),
      withinMs: z.number().int().min(1).max(CHALLENGE_MS).describe("ms since that reply within which the command must begin; measured by the gate's monotonic clock"),
    })
    .optional()
    .describe('proof of freshness for a gate whose clock is not set'),
  signature: z
    .object({
      key: plainName.describe("name of the key in the gate's uplink.commandKeys"),
      value: z
        .string()
        .regex(/^[A-Za-z0-9+/]{86}==$/u)
        .describe('base64 of the Ed25519 signature (RFC 8032) over the RFC 8785 form of {"message": this message without signature, "topic": the full topic}'),
    })
    .optional()
    .describe('required once a key is configured'),
});

/** `reply`, up, QoS 1: `accepted` first, then exactly one of the others; `refused` may come at once. */
export const replyMessageSchema = z.object({
  id: z.string().describe('of the command'),
  state: z.enum(['accepted', 'done', 'failed', 'refused']),
  code: z.string().optional().describe('why, e.g. COMMAND_EXPIRED; with failed and refused'),
  reason: z.string().optional().describe('the same in words, or a word of the lane, e.g. obstructed'),
  lane: z.string().optional(),
  challenge: z
    .object({ nonce: z.string(), validMs: z.number().int().min(1) })
    .optional()
    .describe('with COMMAND_CLOCK_UNSET: what a new command has to name to be carried out without a clock'),
  epoch,
  atMs: wallMs,
});

export { fullListPartSchema, listDeltaSchema, listMessageSchema, listReportSchema } from './list-messages.js';

export type EventMessage = z.output<typeof eventMessageSchema>;
export type AckMessage = z.output<typeof ackMessageSchema>;
export type StatusMessage = z.output<typeof statusMessageSchema>;
export type TelemetryMessage = z.output<typeof telemetryMessageSchema>;
export type CommandMessage = z.output<typeof commandMessageSchema>;
export type ReplyMessage = z.output<typeof replyMessageSchema>;

/** `evidence/{id}`, up, QoS 1: a photograph (JPEG), after the `passage.photographed` event that names it is acknowledged; `id` is the SHA-256 of the bytes, hex. */
export type PhotographTopic = `evidence/${string}`;
export type UpTopic = 'status' | 'event' | 'telemetry' | 'reply' | 'list/report' | 'config/report' | PhotographTopic;
export type DownTopic = 'ack' | 'command' | 'list' | 'config';

/** Full name of a topic of one gate. */
export function topicOf(site: string, gate: string, name: UpTopic | DownTopic): string {
  return `laurel/v1/${site}/${gate}/${name}`;
}
