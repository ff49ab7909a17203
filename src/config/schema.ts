import { z } from 'zod';

/** Identifiers appear in topics, file names and URLs, so they stay plain. */
const identifier = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/u, 'lower-case letters, digits and hyphens, at most 32, e.g. east-gate');

const durationMs = (least: number, most: number): z.ZodNumber => z.number().int().min(least).max(most);

/** A secret by reference, so that a configuration can be shown, mailed and kept in version control. */
export const secretSchema = z.union([
  z.strictObject({ file: z.string().min(1).describe('path of a file that holds the secret alone') }),
  z.strictObject({ env: z.string().min(1).describe('name of an environment variable') }),
]);

export const lineRefSchema = z.strictObject({
  device: identifier.describe('id of an entry under devices'),
  line: z.union([z.number().int().min(0).max(65_535), z.string().min(1)]).describe('GPIO offset, Modbus address or simulated line'),
  chip: z.string().min(1).optional().describe('GPIO chip label, e.g. pinctrl-rp1 (gpiodetect shows it)'),
  unit: z.number().int().min(1).max(254).optional().describe('Modbus unit address'),
  table: z.enum(['coil', 'discrete']).optional().describe('Modbus table; inputs default to discrete, outputs are coils'),
  activeLow: z.boolean().optional().describe('true where 0 means occupied, pressed or energised'),
  debounceMs: durationMs(0, 2_000).optional(),
});

const deviceSchema = z.discriminatedUnion('driver', [
  z.strictObject({ id: identifier, driver: z.literal('onoff') }),
  z.strictObject({
    id: identifier,
    driver: z.literal('modbus'),
    path: z.string().min(1).describe('serial port, best by id: /dev/serial/by-id/…'),
    baudRate: z.number().int().min(1_200).max(921_600).default(9_600),
    parity: z.enum(['none', 'even', 'odd']).default('none'),
    stopBits: z.union([z.literal(1), z.literal(2)]).default(1),
    pollMs: durationMs(10, 5_000).default(50),
    timeoutMs: durationMs(20, 5_000).default(200),
    units: z
      .array(
        z.strictObject({
          unit: z.number().int().min(1).max(254),
          profile: z.enum(['generic', 'waveshare-relay', 'procon-ld120']).default('generic'),
        }),
      )
      .min(1),
  }),
  z.strictObject({
    id: identifier,
    driver: z.literal('sim'),
    seed: z.number().int().default(1),
    scenario: z.enum(['idle', 'estate', 'video']).default('idle').describe('what drives up by itself'),
    speed: z.number().min(0.1).max(50).default(1),
  }),
]);

const barrierSchema = z.strictObject({
  closing: z
    .enum(['gateway-closes', 'barrier-closes'])
    .describe('who lowers the boom: this gateway, or the barrier board when its own loop clears'),
  open: lineRefSchema.describe('output: OPEN contact'),
  close: lineRefSchema.optional().describe('output: CLOSE contact; needed for gateway-closes'),
  stop: lineRefSchema.optional().describe('output: STOP contact'),
  pulseMs: durationMs(100, 2_000).default(400),
  deadTimeMs: durationMs(0, 5_000).default(500).describe('least time between the open and the close contact'),
  openTimeMs: durationMs(500, 30_000).default(3_000).describe('time the boom needs to rise'),
  closeTimeMs: durationMs(500, 30_000).default(3_000).describe('time the boom needs to fall'),
  runWatchdogMs: durationMs(0, 60_000).default(10_000).describe('grace beyond the run time before a motor fault is raised'),
  closeDelayMs: durationMs(0, 60_000).default(1_000).describe('clear time of the closing loop before the boom is lowered'),
  autoCloseMs: durationMs(1_000, 255_000).default(15_000).describe('an opening nobody used is ended after this'),
});

const inputsSchema = z.strictObject({
  approach: lineRefSchema.describe('loop before the boom'),
  closing: lineRefSchema.describe('loop under the boom'),
  beam: lineRefSchema.optional(),
  openLimit: lineRefSchema.optional(),
  closedLimit: lineRefSchema.optional(),
  fire: lineRefSchema.optional(),
  stop: lineRefSchema.optional(),
  button: lineRefSchema.optional().describe("guard's OPEN button"),
});

export const laneSchema = z.strictObject({
  id: identifier,
  name: z.string().min(1).max(40),
  direction: z.enum(['entry', 'exit']),
  camera: identifier.optional().describe('id of an entry under cameras'),
  barrier: barrierSchema,
  inputs: inputsSchema,
  readTimeoutMs: durationMs(500, 30_000).default(4_000).describe('a vehicle still unread after this is decided without a plate'),
  earlyDecision: z.boolean().default(true).describe('decide an unambiguous read before the loop trips'),
});

/** Corners of an area of the image, 0 to 1 from the top left, at least three. */
const zoneSchema = z.array(z.tuple([z.number().min(0).max(1), z.number().min(0).max(1)])).min(3);

export const cameraSchema = z.strictObject({
  id: identifier,
  source: z.discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('rtsp'),
      url: z.string().regex(/^rtsps?:\/\/[^@\s]+$/u, 'rtsp://host:554/path without user or password; those go in their own fields'),
      username: z.string().min(1).optional(),
      password: secretSchema.optional(),
    }),
    z.strictObject({ kind: z.literal('file'), path: z.string().min(1), loop: z.boolean().default(false) }),
    z.strictObject({ kind: z.literal('directory'), path: z.string().min(1) }),
    z.strictObject({ kind: z.literal('http'), url: z.string().regex(/^https?:\/\//u, 'http://host/stream.mjpeg') }),
    z.strictObject({ kind: z.literal('sim'), device: identifier, view: identifier.describe('lane the simulated camera looks at') }),
  ]),
  framesPerSecond: z.number().min(1).max(30).default(8),
  zone: zoneSchema.optional().describe('where plates are looked for; the whole image where omitted'),
});

const plateText = z.string().min(1).max(16);
const isoTime = z.iso.datetime({ offset: true });
const hours = z.strictObject({
  from: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/u, 'HH:MM'),
  to: z.string().regex(/^([01]\d|2[0-4]):[0-5]\d$/u, 'HH:MM'),
});

const accessSchema = z.strictObject({
  openingConfidence: z.number().min(0).max(1).default(0.9).describe('a read below this never opens by itself'),
  lookAlike: z
    .strictObject({ enabled: z.boolean().default(true), leastConfidence: z.number().min(0).max(1).default(0.8) })
    .prefault({}),
  spaces: z.number().int().min(0).max(100_000).default(500),
  outside: z
    .discriminatedUnion('policy', [
      z.strictObject({ policy: z.literal('refuse') }),
      z.strictObject({ policy: z.literal('admit-while-space') }),
      z.strictObject({ policy: z.literal('admit-for-hours'), hours: z.number().min(0.25).max(72) }),
      z.strictObject({ policy: z.literal('ask') }),
    ])
    .default({ policy: 'refuse' }),
  exit: z.enum(['free', 'listed']).default('free').describe('free: whoever is inside may leave'),
  antiPassback: z.boolean().default(false),
  households: z
    .array(
      z.strictObject({
        id: identifier,
        name: z.string().max(40).optional(),
        spaces: z.number().int().min(0).max(20).default(1).describe('cars of this household that may be inside as residents at one time'),
        plates: z.array(plateText).min(1),
        lanes: z.array(identifier).optional(),
        hours: hours.optional(),
        validFrom: isoTime.optional(),
        validUntil: isoTime.optional(),
      }),
    )
    .default([]),
  visitors: z
    .array(z.strictObject({ plate: plateText, from: isoTime, until: isoTime, lanes: z.array(identifier).optional(), note: z.string().max(80).optional() }))
    .default([]),
  blocked: z.array(z.strictObject({ plate: plateText, reason: z.string().min(1).max(80) })).default([]),
});

const uplinkSchema = z.strictObject({
  broker: z
    .union([
      z.literal('embedded').describe('a broker inside this process, loopback only, for demonstrations'),
      z.strictObject({
        url: z.string().regex(/^(mqtts?|wss?):\/\/[^@\s]+$/u, 'mqtts://platform.example:8883 without user or password'),
        username: z.string().min(1).optional(),
        password: secretSchema.optional(),
        ca: z.string().optional().describe('path of the CA certificate'),
        certificate: z.string().optional().describe("path of the client's certificate"),
        key: secretSchema.optional(),
      }),
    ])
    .default('embedded'),
  protocol: z.enum(['5', '3.1.1']).default('5'),
  keepAliveS: z.number().int().min(5).max(3_600).default(30),
  batch: z.number().int().min(1).max(200).default(50).describe('most events in one message'),
  window: z.number().int().min(1).max(1_000).default(20).describe('most messages in flight'),
  telemetryS: z.number().int().min(1).max(3_600).default(30),
  platformAcknowledges: z
    .boolean()
    .default(true)
    .describe('false for a platform that cannot acknowledge: then the broker taking an event counts, a weaker promise'),
});

export const configSchema = z.strictObject({
  version: z.literal(1).default(1),
  site: z.strictObject({ id: identifier, name: z.string().min(1).max(40), timezone: z.string().default('Asia/Shanghai') }),
  gate: z.strictObject({
    id: identifier,
    name: z.string().min(1).max(40),
    dataDirectory: z.string().min(1).describe('the one writable directory, e.g. /var/lib/laurel-gate'),
  }),
  devices: z.array(deviceSchema).min(1),
  cameras: z.array(cameraSchema).default([]),
  lanes: z.array(laneSchema).min(1),
  access: accessSchema.prefault({}),
  vision: z
    .strictObject({ models: z.string().optional().describe('directory with manifest.json; the shipped models where omitted'), threads: z.number().int().min(1).max(8).default(1) })
    .prefault({}),
  uplink: uplinkSchema.prefault({}),
  web: z
    .strictObject({ host: z.string().default('127.0.0.1'), port: z.number().int().min(0).max(65_535).default(8_080) })
    .prefault({}),
  retention: z
    .strictObject({
      eventsDays: z.number().int().min(1).max(3_650).default(365).describe('GA/T 1742-2020 asks for at least 365'),
      photographsDays: z.number().int().min(1).max(3_650).default(30),
      photographsMB: z.number().int().min(10).max(1_000_000).default(2_000),
    })
    .prefault({}),
});

export type GateConfig = z.output<typeof configSchema>;
export type LaneConfig = GateConfig['lanes'][number];
export type CameraConfig = GateConfig['cameras'][number];
export type DeviceConfig = GateConfig['devices'][number];
export type AccessConfig = GateConfig['access'];
export type UplinkConfig = GateConfig['uplink'];
export type SecretRef = z.output<typeof secretSchema>;
