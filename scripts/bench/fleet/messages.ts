import { z } from 'zod';

/** What the processes of a fleet run say to each other. */

const counts = z.array(z.tuple([z.number(), z.number()]));

export const gatesSettingsSchema = z.object({
  directory: z.string(),
  url: z.string(),
  /** Path of the broker's certificate; null where the line is not encrypted. */
  ca: z.string().nullable(),
  /** Number of the first gate, and how many. */
  first: z.number(),
  count: z.number(),
  /** Events that wait in each journal before the line comes up. */
  backlog: z.number(),
  telemetryS: z.number(),
  seed: z.number(),
});

export const gateOrderSchema = z.discriminatedUnion('kind', [
  /** All gates begin to connect. */
  z.object({ kind: z.literal('connect') }),
  /** Lines that come up count from now on. */
  z.object({ kind: z.literal('since') }),
  z.object({ kind: z.literal('load'), eventsPerMinute: z.number() }),
  z.object({ kind: z.literal('state') }),
  z.object({ kind: z.literal('figures') }),
]);

export const readySchema = z.object({ kind: z.literal('ready') });
export const failedSchema = z.object({ kind: z.literal('failed'), error: z.string() });
export const gatesStateSchema = z.object({ kind: z.literal('state'), online: z.number(), offline: z.number(), busy: z.number(), backlog: z.number(), connects: z.number() });
export const gatesFiguresSchema = z.object({
  kind: z.literal('figures'),
  /** Events handed to the journals, and acknowledgements written, since the start. */
  handed: z.number(),
  acknowledged: z.number(),
  /** From handing over to on disk, ms, since asked last. */
  appendMs: counts,
  onlineMs: z.array(z.number()),
  heads: z.array(z.object({ site: z.string(), gate: z.string(), head: z.number() })),
});
export type GatesTold = z.output<typeof readySchema> | z.output<typeof failedSchema> | z.output<typeof gatesStateSchema> | z.output<typeof gatesFiguresSchema>;

export const platformSettingsSchema = z.object({
  url: z.string(),
  ca: z.string().nullable(),
  /** Sites this consumer takes; null for all. */
  sites: z.array(z.string()).nullable(),
  /** Connections among which the broker shares the events out; 1 is a plain subscription. */
  connections: z.number(),
});

export const platformOrderSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('figures') }),
  z.object({ kind: z.literal('books'), gates: z.array(z.object({ site: z.string(), gate: z.string() })) }),
]);

export const platformFiguresSchema = z.object({
  kind: z.literal('figures'),
  /** Since the start. */
  events: z.number(),
  messages: z.number(),
  bytes: z.number(),
  acknowledgements: z.number(),
  malformed: z.number(),
  /** From the moment an event was handed to its journal to its arrival, ms, since asked last: as it happens, and backlog. */
  liveMs: counts,
  historicalMs: counts,
});
export const platformBooksSchema = z.object({
  kind: z.literal('books'),
  gates: z.array(z.object({ site: z.string(), gate: z.string(), events: z.number(), repeated: z.number(), doubled: z.number(), reordered: z.number(), chainBroken: z.number(), missing: z.number(), through: z.number() })),
});
export type PlatformTold = z.output<typeof readySchema> | z.output<typeof platformFiguresSchema> | z.output<typeof platformBooksSchema>;
