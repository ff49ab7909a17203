import { z } from 'zod';
import { deviceSchema, lineRefSchema } from '../config/schema.js';

/**
 * What daemon and supervisor say to each other: one JSON object a line, over a Unix socket that only their user may open.
 * Times named `…Ms` of absolute moments are on CLOCK_MONOTONIC of the machine, which both processes share.
 */
export const protocolVersion = 1;

const willSchema = z.enum(['release', 'raise', 'hold']);
const lastWillSchema = z.strictObject({
  will: willSchema,
  /** The boom goes down by the daemon's act, a contact is on, or neither. */
  watch: z.enum(['calm', 'driven', 'lowering']),
  /** Since when, or from when on, the CLOSE contact is off, CLOCK_MONOTONIC, ms; null where nobody knows. */
  closeOffMs: z.number().nullable(),
});

/** The contacts of one lane, and how long they are driven. */
export const wardSchema = z.strictObject({
  lane: z.string().min(1),
  outputs: z.strictObject({ open: lineRefSchema, close: lineRefSchema.optional(), others: z.array(lineRefSchema) }),
  /** The OPEN contact may be held, and a hold outlives whoever holds it. */
  holds: z.boolean(),
  pulseMs: z.number().int().min(1),
  deadTimeMs: z.number().int().min(0),
  last: lastWillSchema,
});

export const helloSchema = z.strictObject({
  kind: z.literal('hello'),
  version: z.literal(protocolVersion),
  pid: z.number().int().min(2),
  devices: z.array(deviceSchema),
  lanes: z.array(wardSchema),
  /** Silence of a living process that counts as its death: while it lowers a boom, while something else is to be done for it, else. */
  silenceMs: z.strictObject({ lowering: z.number().int().min(100), urgent: z.number().int().min(100), idle: z.number().int().min(100) }),
});

/** From the daemon, or from whoever asks. */
export const requestSchema = z.discriminatedUnion('kind', [
  helloSchema,
  z.strictObject({ kind: z.literal('will'), lane: z.string().min(1), last: lastWillSchema }),
  z.strictObject({ kind: z.literal('beat') }),
  /** An ordered end: the wills have been carried out by the daemon itself. */
  z.strictObject({ kind: z.literal('goodbye') }),
  /** How it stands; with `settled`, only once nothing more is to be done. */
  z.strictObject({ kind: z.literal('ask'), settled: z.boolean() }),
]);

const actSchema = z.strictObject({
  lane: z.string(),
  will: willSchema,
  /** Done with every contact; else why not (yet). */
  done: z.boolean(),
  error: z.string().optional(),
});

/** What the supervisor did in place of a daemon that died. */
const takeOverSchema = z.strictObject({
  pid: z.number(),
  /** In words, e.g. `the connection ended`. */
  reason: z.string(),
  wallMs: z.number(),
  /** From the notice of the death to the last contact that obeyed, ms; null while something is to be done. */
  tookMs: z.number().nullable(),
  acts: z.array(actSchema),
});

/** From the supervisor. */
export const replySchema = z.discriminatedUnion('kind', [
  /** The devices are free; `takeOver` says what was done since the last daemon. */
  z.strictObject({ kind: z.literal('welcome'), takeOver: takeOverSchema.optional() }),
  z.strictObject({
    kind: z.literal('state'),
    /** `watching` a daemon; `acting` or `holding` in place of a dead one; `idle`: nothing known or all done. */
    state: z.enum(['idle', 'watching', 'acting', 'holding']),
    pid: z.number().optional(),
    /** The end before this moment was an ordered one. */
    goodbye: z.boolean(),
    takeOver: takeOverSchema.optional(),
  }),
  z.strictObject({ kind: z.literal('error'), code: z.string(), message: z.string() }),
]);

export type Ward = z.output<typeof wardSchema>;
export type LastWillReport = z.output<typeof lastWillSchema>;
export type Hello = z.output<typeof helloSchema>;
export type Request = z.output<typeof requestSchema>;
export type Reply = z.output<typeof replySchema>;
export type TakeOver = z.output<typeof takeOverSchema>;
export type SupervisorState = Extract<Reply, { kind: 'state' }>;
