import { z } from 'zod';

/** Moments of a gate's work at which it can be killed. */
export const killPoints = ['start', 'write', 'publish', 'acknowledge', 'delete', 'time'] as const;
export type KillPoint = (typeof killPoints)[number];

const deathSchema = z.object({
  point: z.enum(killPoints),
  /** The point is met so many times before it kills. */
  countdown: z.number(),
  delayMs: z.number(),
});
export type Death = z.output<typeof deathSchema>;

/** What the gate process is started with. */
export const gateSettingsSchema = z.object({
  directory: z.string(),
  site: z.string(),
  gate: z.string(),
  /** File for what was told: a killed process's writes stay, and it never blocks as a pipe does. */
  told: z.string(),
  url: z.string(),
  protocol: z.enum(['5', '3.1.1']),
  /** First number of the events' payload; numbers grow over all lives. */
  firstNumber: z.number(),
  /** The wall clock is so far off. */
  clockOffsetMs: z.number(),
  death: deathSchema.optional(),
});
export type GateSettings = z.output<typeof gateSettingsSchema>;

/** To the gate process. */
export const orderSchema = z.discriminatedUnion('order', [
  z.object({ order: z.literal('die'), death: deathSchema }),
  z.object({ order: z.literal('clock'), offsetMs: z.number() }),
  /** Write no more, drain, verify, end. */
  z.object({ order: z.literal('finish') }),
]);
export type Order = z.output<typeof orderSchema>;

/** From the gate process, when it changes. */
export const gateNewsSchema = z.object({
  connection: z.enum(['connecting', 'online', 'offline', 'stopped']),
  connects: z.number(),
  backlog: z.number(),
  acknowledged: z.number(),
  inFlight: z.number(),
  duplicate: z.string().nullable(),
  lastError: z.string().nullable(),
});
export type GateNews = z.output<typeof gateNewsSchema>;
