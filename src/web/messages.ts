import * as z from 'zod/mini';

/**
 * What the page and the command line read of the gate's JSON. Both look at other rooms' data from outside, so they name
 * only what they show, and unknown additions pass.
 */
const signal = z.enum(['on', 'off', 'unknown', 'fault']);

export const plateSchema = z.object({
  text: z.string(),
  confidence: z.number(),
  colour: z.enum(['blue', 'green', 'yellow', 'white', 'black']),
  rows: z.union([z.literal(1), z.literal(2)]),
});

export const decisionSchema = z.object({
  outcome: z.enum(['admit', 'refuse', 'ask']),
  rule: z.string(),
  visitorClass: z.nullish(z.string()),
  note: z.nullish(z.string()),
  listedPlate: z.nullish(z.string()),
  matched: z.nullish(z.string()),
  stayHours: z.nullish(z.number()),
});

/** A finding of the diagnosis, in a lane and in its events. */
export const findingSchema = z.object({
  code: z.string(),
  sensors: z.array(z.string()),
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
});

/** A lane as `LaneView` shows it. */
export const laneSchema = z.object({
  lane: z.string(),
  name: z.string(),
  direction: z.enum(['entry', 'exit']),
  boom: z.enum(['unknown', 'closed', 'opening', 'open', 'closing', 'stopped', 'fault']),
  boomPosition: z.number(),
  held: z.boolean(),
  fire: z.boolean(),
  sensors: z.record(z.string(), signal),
  visionAvailable: z.boolean(),
  attention: z.array(z.string()),
  findings: z._default(z.array(findingSchema), []),
  passage: z.nullable(z.object({ id: z.string(), phase: z.string(), plate: z.nullable(plateSchema), decision: z.nullable(decisionSchema) })),
  counts: z.object({ passages: z.number(), opened: z.number(), refused: z.number() }),
});

/** One row of the journal as `StoredEvent` shows it. */
export const eventSchema = z.object({
  id: z.string(),
  epoch: z.number(),
  seq: z.number(),
  type: z.string(),
  lane: z.nullable(z.string()),
  passage: z.nullable(z.string()),
  wallMs: z.number(),
  clockTrusted: z.boolean(),
  /** Of an untrusted clock: the true time, once known, or what bounds it. */
  correctedWallMs: z.optional(z.number()),
  wallNotBeforeMs: z.optional(z.number()),
  wallNotAfterMs: z.optional(z.number()),
  payload: z.record(z.string(), z.unknown()),
});

export const eventsSchema = z.object({ events: z.array(eventSchema) });

const named = z.object({ id: z.string(), name: z.string() });

export const statusSchema = z.object({
  versions: z.optional(z.record(z.string(), z.string())),
  site: z.optional(named),
  gate: z.optional(named),
  uptimeS: z.optional(z.number()),
  epoch: z.optional(z.number()),
  wallMs: z.optional(z.number()),
  clockTrusted: z.optional(z.boolean()),
  clock: z.optional(
    z.object({
      source: z.nullable(z.string()),
      vouched: z.boolean(),
      backwards: z.boolean(),
      oscillatorPpm: z.nullable(z.number()),
      alonePpm: z.nullable(z.number()),
      health: z.object({ state: z.string(), detail: z.optional(z.string()), advice: z.optional(z.string()) }),
    }),
  ),
  simulation: z.optional(z.boolean()),
  lanes: z.array(laneSchema),
  devices: z.optional(z.array(z.object({ id: z.string(), driver: z.optional(z.string()), state: z.string(), detail: z.optional(z.string()) }))),
  /** Whether a supervisor outlives the gate; `off` in a simulation. */
  guard: z.optional(z.object({ supervisor: z.enum(['watching', 'absent', 'off']), detail: z.optional(z.string()) })),
  vision: z.optional(
    z.object({
      state: z.string(),
      restarts: z.optional(z.number()),
      detail: z.optional(z.string()),
      cameras: z.optional(
        z.array(
          z.object({
            lane: z.string(),
            camera: z.optional(z.string()),
            state: z.string(),
            framesPerSecond: z.optional(z.number()),
            lastFrameAgeMs: z.optional(z.nullable(z.number())),
          }),
        ),
      ),
    }),
  ),
  /** `head` is the newest durable sequence, `acknowledged` the newest one the platform has ingested. */
  journal: z.optional(z.object({ head: z.number(), acknowledged: z.number() })),
  uplink: z.optional(
    z.object({
      /** `connected` or a word for what is missing. */
      state: z.string(),
      detail: z.optional(z.string()),
    }),
  ),
});

const point = z.tuple([z.number(), z.number()]);

export const trackSchema = z.object({
  lane: z.string(),
  track: z.string(),
  vote: z.optional(plateSchema),
  /** Corners from the top left, clockwise, 0 to 1 of the picture. */
  corners: z.tuple([point, point, point, point]),
  ended: z.boolean(),
});

/** A simulation's truth about one lane: what stands where. Metres along the lane, the boom at 0, arrivals from below. */
export const worldSchema = z.object({
  lane: z.string(),
  /** The arm itself, 0 lying to 1 upright. */
  boom: z.optional(z.number()),
  vehicles: z.array(
    z.object({
      id: z.union([z.string(), z.number()]),
      frontM: z.number(),
      lengthM: z.number(),
      widthM: z.optional(z.number()),
      heightM: z.optional(z.number()),
      paint: z.optional(z.string()),
      colour: z.optional(z.string()),
    }),
  ),
});

/** A message of the live feed. What is unknown is left alone by the page. */
export const liveSchema = z.discriminatedUnion('kind', [
  z.extend(laneSchema, { kind: z.literal('lane') }),
  z.extend(eventSchema, { kind: z.literal('event') }),
  z.extend(trackSchema, { kind: z.literal('track') }),
  z.extend(worldSchema, { kind: z.literal('world') }),
  z.extend(statusSchema, { kind: z.literal('status') }),
  z.object({ kind: z.literal('outbox'), head: z.number(), acknowledged: z.number() }),
]);

/** A line of a device as `LineReport` shows it, with what the lanes use it for. */
export const deviceLineSchema = z.object({
  /** Names the line among all of the gate: device, use and place. */
  id: z.string(),
  device: z.string(),
  ref: z.object({
    line: z.union([z.number(), z.string()]),
    chip: z.optional(z.string()),
    unit: z.optional(z.number()),
    table: z.optional(z.string()),
    bit: z.optional(z.number()),
    pull: z.optional(z.string()),
    activeLow: z.optional(z.boolean()),
    debounceMs: z.optional(z.number()),
  }),
  use: z.enum(['input', 'output']),
  /** By lane: `closing`, `open`, …. One contact may serve several lanes. */
  roles: z.array(z.object({ lane: z.string(), name: z.string() })),
  state: signal,
  raw: z.nullable(z.string()),
  /** Monotonic time of the gate, as `nowMs` of the table. */
  sinceMs: z.nullable(z.number()),
  changes: z.number(),
  frequencyHz: z.optional(z.number()),
});

const deviceHealthSchema = z.object({
  id: z.string(),
  driver: z.string(),
  state: z.string(),
  detail: z.optional(z.string()),
  units: z.optional(
    z.array(
      z.object({
        unit: z.number(),
        profile: z.string(),
        state: z.string(),
        detail: z.optional(z.string()),
        answered: z.number(),
        failed: z.number(),
        roundTripMs: z.optional(z.number()),
      }),
    ),
  ),
});

/** Every device with its lines, as a technician looks at them. */
export const deviceTableSchema = z.object({
  nowMs: z.number(),
  wallMs: z.number(),
  devices: z.array(z.extend(deviceHealthSchema, { lines: z.array(deviceLineSchema) })),
});

/** A message of the feed of devices; the first one is the whole table. */
export const deviceChangeSchema = z.discriminatedUnion('kind', [
  z.extend(deviceTableSchema, { kind: z.literal('table') }),
  z.object({ kind: z.literal('line'), atMs: z.number(), wallMs: z.number(), line: deviceLineSchema }),
  z.object({ kind: z.literal('device'), atMs: z.number(), wallMs: z.number(), device: deviceHealthSchema }),
]);

export const trafficSchema = z.object({ wallMs: z.number(), atMs: z.number(), direction: z.enum(['sent', 'received']), hex: z.string() });

export const sessionSchema = z.object({
  signedIn: z.boolean(),
  name: z.nullable(z.string()),
  role: z.nullable(z.string()),
  firstSignIn: z.boolean(),
  openView: z.boolean(),
});

export const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

export type PlateData = z.output<typeof plateSchema>;
export type FindingData = z.output<typeof findingSchema>;
export type DecisionData = z.output<typeof decisionSchema>;
export type LaneData = z.output<typeof laneSchema>;
export type EventData = z.output<typeof eventSchema>;
export type StatusData = z.output<typeof statusSchema>;
export type TrackData = z.output<typeof trackSchema>;
export type WorldData = z.output<typeof worldSchema>;
export type DeviceLineData = z.output<typeof deviceLineSchema>;
export type DeviceHealthData = z.output<typeof deviceHealthSchema>;
export type DeviceTableData = z.output<typeof deviceTableSchema>;
export type DeviceChangeData = z.output<typeof deviceChangeSchema>;
export type SessionData = z.output<typeof sessionSchema>;
export type SignalData = z.output<typeof signal>;
