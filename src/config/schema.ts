import { z } from 'zod';
import { readCommandKey } from './command-key.js';

/** Identifiers appear in topics, file names and URLs, so they stay plain. */
const identifier = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/u, 'lower-case letters, digits and hyphens, at most 32, e.g. east-gate')
  .meta({ title: 'identifier (lower-case letters, digits and hyphens, at most 32)', examples: ['east-gate'] });

const durationMs = (least: number, most: number): z.ZodNumber => z.number().int().min(least).max(most);

/** A secret by reference, so that a configuration can be shown, mailed and kept in version control. */
export const secretSchema = z
  .union([
    z.strictObject({ file: z.string().min(1).describe('path of a file that holds the secret alone') }),
    z.strictObject({
      env: z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*$/u, 'the name of an environment variable: letters, digits and _')
        .describe('name of an environment variable'),
    }),
  ])
  .meta({ title: 'secret by reference: {file: PATH} or {env: NAME}', examples: [{ file: 'secrets/password' }] });

const registerValue = z.number().int().min(0).max(65_535);

export const lineRefSchema = z
  .strictObject({
  device: identifier.meta({ description: 'id of an entry under devices', examples: ['relays'] }),
  line: z.union([z.number().int().min(0).max(65_535), z.string().min(1)]).meta({ description: 'GPIO offset, Modbus address, name that a device on a serial line sends, or name of a simulated line such as entry.approach', examples: [17] }),
  chip: z.string().min(1).optional().meta({ description: 'GPIO chip label as gpiodetect shows it; only for gpio', examples: ['pinctrl-rp1'] }),
  unit: z.number().int().min(1).max(255).optional().describe('Modbus unit address, listed under the units of the device; only for modbus'),
  table: z.enum(['coil', 'discrete', 'holding', 'input']).optional().describe('Modbus table; inputs default to discrete, outputs are coils'),
  bit: z.number().int().min(0).max(15).optional().describe('bit of a Modbus register, 0 the lowest; only with table holding or input'),
  equals: z.array(registerValue).min(1).optional().describe('values of a Modbus register that mean on, all others off; only with table holding or input'),
  faultValues: z.array(registerValue).min(1).optional().describe('values of a Modbus register that mean fault; only with equals'),
  write: z
    .strictObject({
      on: registerValue.describe('written to switch on'),
      off: registerValue.describe('written to switch off'),
      readOn: registerValue.optional().describe('read back while it is on; as on where omitted'),
      readOff: registerValue.optional().describe('read back while it is off; as off where omitted'),
    })
    .optional()
    .meta({ description: 'output behind a Modbus holding register: values for on and off', examples: [{ on: 1, off: 0 }] }),
  frequency: z
    .strictObject({
      table: z.enum(['holding', 'input']).describe('Modbus table'),
      line: z.number().int().min(0).max(65_535).meta({ description: 'Modbus address of the register', examples: [10] }),
      words: z.union([z.literal(1), z.literal(2)]).default(1).describe('registers the number takes'),
      lowWordFirst: z.boolean().default(false).describe('true where the first of two registers is the low word'),
      scaleHz: z.number().positive().default(1).describe('hertz of one step'),
    })
    .optional()
    .meta({ description: 'register in which a loop detector on Modbus tells the frequency of this loop; drift is watched with it', examples: [{ table: 'input', line: 10 }] }),
  pull: z.enum(['up', 'down', 'off']).optional().describe('pull resistor of a GPIO input; as the board has it where omitted'),
  activeLow: z.boolean().optional().describe('true where 0 means occupied, pressed or energised'),
  debounceMs: durationMs(0, 2_000).optional().describe('a change must last this long to count'),
  })
  .meta({ title: 'line of a device', examples: [{ device: 'relays', line: 17 }] });

/** A serial port; the keys are those of every driver on one. */
const serialPort = {
  path: z.string().min(1).meta({ description: 'serial port, best by id so that it survives replugging', examples: ['/dev/serial/by-id/usb-FTDI_USB-RS485-if00-port0'] }),
  baudRate: z.number().int().min(1_200).max(921_600).default(9_600).describe('bits per second, as set on the boards'),
  parity: z.enum(['none', 'even', 'odd']).default('none').describe('as set on the boards'),
  stopBits: z.union([z.literal(1), z.literal(2)]).default(1).describe('as set on the boards'),
};

/** What a device on a line of text may send or be sent: printable ASCII. */
const lineText = z.string().regex(/^[\x20-\x7e]{1,64}$/u, 'printable ASCII, at most 64 characters');
const linePatterns = (description: string, example: string): z.ZodOptional<z.ZodArray<typeof lineText>> =>
  z.array(lineText).min(1).optional().meta({ description, examples: [[example]] });
const lineName = z.string().regex(/^[A-Za-z0-9_.-]{1,32}$/u, 'letters, digits, _, . and -, at most 32').meta({ title: 'name of a line', examples: ['L1'] });

const lineDeviceSchema = z.strictObject({
  id: identifier.describe('name of this device, used by the lines of the lanes'),
  driver: z.literal('line').describe('a simple detector or relay board on a serial port that speaks lines of text'),
  ...serialPort,
  dataBits: z.union([z.literal(7), z.literal(8)]).default(8).describe('as set on the device'),
  lineEnd: z.enum(['lf', 'cr', 'crlf']).default('crlf').describe('what ends a line that is sent; any of them ends one that is received'),
  checksum: z.enum(['none', 'xor', 'sum']).default('none').describe('two hexadecimal digits after a * at the end of every line, both ways: xor as NMEA 0183, or sum of the characters; lines without it are dropped'),
  silenceMs: durationMs(200, 60_000).default(3_000).describe('what the device said about an input holds so long, then the input is unknown; it has to repeat itself more often, or be polled'),
  timeoutMs: durationMs(20, 5_000).default(300).describe('time for an answer'),
  poll: z
    .strictObject({ send: lineText.meta({ description: 'text that asks for the state', examples: ['STATUS?'] }), everyMs: durationMs(20, 10_000).default(100).describe('time between two questions') })
    .optional()
    .meta({ description: 'for a device that has to be asked; absent where it sends by itself', examples: [{ send: 'STATUS?' }] }),
  heartbeat: lineText.optional().meta({ description: 'line that says only that the device lives and nothing has changed', examples: ['ALIVE*'] }),
  inputs: z
    .array(
      z.strictObject({
        name: lineName.describe('name used by the lines of the lanes'),
        on: linePatterns('texts that mean on; ? stands for one character, * for any number', 'L1=1'),
        off: linePatterns('texts that mean off', 'L1=0'),
        fault: linePatterns('texts that mean fault', 'L1=ERR*'),
        hex: z
          .strictObject({ after: lineText.describe('text before the number'), bit: z.number().int().min(0).max(31).describe('bit of the number, 0 the lowest') })
          .optional()
          .meta({ description: 'the input is a bit of a hexadecimal number', examples: [{ after: 'IN=', bit: 0 }] }),
        frequency: z
          .strictObject({ after: lineText.describe('text before the number'), scaleHz: z.number().positive().default(1).describe('hertz of one step') })
          .optional()
          .meta({ description: 'frequency of the loop as a decimal number', examples: [{ after: 'F1=' }] }),
      }),
    )
    .default([])
    .describe('what the device says about its inputs; an input not listed is NAME=1, NAME=0, or NAME=F or NAME=E for a fault'),
  outputs: z
    .array(
      z.strictObject({
        name: lineName.describe('name used by the lines of the lanes'),
        on: lineText.meta({ description: 'text that switches on', examples: ['R1=1'] }),
        off: lineText.meta({ description: 'text that switches off', examples: ['R1=0'] }),
        pulse: lineText.optional().meta({ description: 'text for a board that ends pulses itself, with {ms}, {ds} (100 ms) or {s} for the time', examples: ['R1P{ms}'] }),
        answer: z
          .strictObject({ on: lineText.describe('line that confirms on'), off: lineText.describe('line that confirms off') })
          .optional()
          .meta({ description: 'lines by which the device confirms; without them an order counts as done when it is sent', examples: [{ on: 'R1=1', off: 'R1=0' }] }),
      }),
    )
    .default([])
    .describe('texts for outputs'),
});

export const deviceSchema = z.discriminatedUnion('driver', [
  z.strictObject({
    id: identifier.describe('name of this device, used by the lines of the lanes'),
    driver: z.literal('gpio').describe('GPIO lines of this box'),
    interface: z
      .enum(['auto', 'chardev', 'sysfs'])
      .default('auto')
      .describe('way to the kernel: chardev (/dev/gpiochipN, can set pulls), sysfs (through onoff), or auto: chardev where the chip has one that may be opened'),
  }),
  z.strictObject({
    id: identifier.describe('name of this device, used by the lines of the lanes'),
    driver: z.literal('modbus').describe('Modbus RTU boards and loop detectors on one serial bus'),
    ...serialPort,
    pollMs: durationMs(10, 5_000).default(50).describe('time between two rounds of reading the inputs'),
    timeoutMs: durationMs(20, 5_000).default(200).describe('a unit that does not answer within this counts as lost'),
    units: z
      .array(
        z.strictObject({
          unit: z.number().int().min(1).max(255).describe('address set on the board'),
          profile: z
            .enum(['generic', 'waveshare-relay', 'procon-ld120', 'lc-modbus-8r'])
            .default('generic')
            .describe('make of the board; decides about hardware pulses, fault inputs and checks at start'),
          pollMs: durationMs(10, 60_000).optional().describe('in place of that of the bus'),
          timeoutMs: durationMs(20, 5_000).optional().describe('in place of that of the bus'),
          pulses: z
            .enum(['board', 'gateway'])
            .optional()
            .describe('who ends a pulse; a board does it even if this box dies. waveshare-relay: board where omitted; lc-modbus-8r: gateway, as its makers describe the mode in several ways'),
          setup: z
            .array(z.strictObject({ address: z.number().int().min(0).max(65_535).describe('holding register'), value: registerValue.describe('value it shall hold') }))
            .optional()
            .meta({
              description: 'holding registers set whenever the board is first heard, e.g. the communication watchdog that releases its relays when the bus goes silent, where it has one',
              examples: [[{ address: 8, value: 10 }]],
            }),
        }),
      )
      .min(1)
      .meta({ description: 'boards on this bus', examples: [[{ unit: 1, profile: 'waveshare-relay' }]] }),
  }),
  lineDeviceSchema,
  z.strictObject({
    id: identifier.describe('name of this device, used by the lines of the lanes'),
    driver: z.literal('sim').describe('a simulated estate: vehicles, loops and booms as physics'),
    seed: z.number().int().default(1).describe('the same seed gives the same traffic'),
    scenario: z.enum(['idle', 'estate', 'video']).default('idle').describe('what drives up by itself'),
    speed: z.number().min(0.1).max(50).default(1).describe('how much faster than life'),
  }),
]);

const timeOfDay = { title: 'time of day, HH:MM', examples: ['07:30'] };
const hours = z.strictObject({
  from: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d$/u, 'HH:MM')
    .meta({ ...timeOfDay, description: 'first minute; after "to" for a night' }),
  to: z
    .string()
    .regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/u, 'HH:MM')
    .meta({ ...timeOfDay, description: 'first minute that is no longer in', examples: ['18:00'] }),
});
const weekday = z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']);

const failStateSchema = z.strictObject({
  powerUp: z
    .enum(['close', 'stay', 'open'])
    .default('close')
    .describe('a boom not known to be closed at start: lower it when nothing is under it, leave it, or raise it'),
  softwareDeath: z
    .enum(['release', 'open'])
    .default('release')
    .describe('this program stops, crashes, hangs or is killed: release every contact and raise a boom that was being lowered, or raise it in any case'),
  inputsLost: z.enum(['stay', 'open']).default('stay').describe('loop or beam under the boom cannot be read: stay, never to close, or raise the boom'),
  relayLost: z.enum(['release', 'open']).default('release').describe('a relay board answers again after a loss: release its contacts, or raise the boom as well'),
});

const barrierSchema = z.strictObject({
  closing: z
    .enum(['gateway-closes', 'barrier-closes'])
    .describe('who lowers the boom: this gateway, or the barrier board when its own loop clears'),
  drive: z
    .enum(['pulse', 'hold-to-open'])
    .default('pulse')
    .describe('pulse: a short contact starts a run; hold-to-open: the OPEN contact stays closed as long as the boom shall be up'),
  open: lineRefSchema.describe('output: OPEN contact'),
  close: lineRefSchema.optional().describe('output: CLOSE contact; needed for gateway-closes with pulses'),
  stop: lineRefSchema.optional().describe('output: STOP contact'),
  greenLight: lineRefSchema.optional().describe('output: green lamp, on while whoever waits may pass'),
  redLight: lineRefSchema.optional().describe('output: red lamp, on whenever green is not'),
  pulseMs: durationMs(100, 2_000).default(400).describe('length of the open, close and stop contact'),
  deadTimeMs: durationMs(0, 5_000).default(500).describe('least time between the open and the close contact'),
  openTimeMs: durationMs(500, 30_000).default(3_000).describe('time the boom needs to rise'),
  closeTimeMs: durationMs(500, 30_000).default(3_000).describe('time the boom needs to fall'),
  learnRunTimes: z.boolean().default(true).describe('measure the run times at the limit switches and go by them when a switch fails'),
  runWatchdogMs: durationMs(0, 60_000).default(10_000).describe('grace beyond the run time before a motor fault is raised'),
  closeDelayMs: durationMs(0, 60_000).default(1_000).describe('clear time of the closing loop before the boom is lowered'),
  autoCloseMs: durationMs(1_000, 255_000).default(15_000).describe('an opening nobody used is ended after this'),
  antiTailgate: z
    .union([z.literal(0), z.literal(1), z.literal(2), z.literal(3), z.literal(4)])
    .default(0)
    .describe(
      '0: closes when the vehicle it opened for is through; 1: any occupied loop holds open and restarts the close delay; 2: closes autoCloseMs after it is up; 3: closes at once when both loops were occupied together and are clear; 4: as 3, and stops opening when a second vehicle follows',
    ),
  heldOpen: z
    .array(
      hours.extend({ days: z.array(weekday).min(1).optional().meta({ description: 'days it begins on; every day where omitted', examples: [['mon', 'tue', 'wed', 'thu', 'fri']] }) }),
    )
    .default([])
    .describe('times at which the boom is held open for everybody, e.g. the morning rush'),
  failState: failStateSchema.prefault({}).describe('what the boom does when something fails'),
});

const inputsSchema = z.strictObject({
  approach: lineRefSchema.describe('loop before the boom'),
  closing: lineRefSchema.describe('loop under the boom'),
  beam: lineRefSchema.optional().describe('photocell across the lane; on while interrupted'),
  openLimit: lineRefSchema.optional().describe('switch: on while the boom is fully up'),
  closedLimit: lineRefSchema.optional().describe('switch: on while the boom is fully down'),
  fire: lineRefSchema.optional().describe('contact of the fire alarm: opens and holds; may serve several lanes'),
  stop: lineRefSchema.optional().describe('STOP button; may serve several lanes'),
  button: lineRefSchema.optional().describe("guard's OPEN button"),
});

/** Field facts and standards behind the defaults stand beside them. */
export const diagnosisSchema = z.strictObject({
  // Detectors offer a presence limit of 5 min (Feig, CPSG); NTCIP 1202 controllers fail a detector that is on for 10 min.
  approachStuckMs: durationMs(60_000, 86_400_000).default(600_000).describe('approach loop occupied so long with nothing there: stuck'),
  closingStuckMs: durationMs(60_000, 86_400_000).default(300_000).describe('closing loop occupied so long over a clear beam, or while vehicles roll past: stuck; it keeps the boom up'),
  unexplainedStuckMs: durationMs(60_000, 86_400_000).default(1_800_000).describe('a loop occupied so long is a finding even if a vehicle may stand there'),
  // Traffic outstations pair loops the same way: a fault after 1 to 32 detections in a row on one loop of a pair (Siemens).
  missedVehicles: z.number().int().min(2).max(32).default(4).describe('vehicles in a row that a loop or the beam did not notice'),
  // The shortest vehicle, 2.1 m over a 2 m loop at 40 km/h, takes 370 ms; detectors stretch what is shorter to 200 ms (Feig VEK S4).
  shortPulseMs: durationMs(50, 1_000).default(350).describe('a loop occupied for less was not tripped by a vehicle'),
  flutterPerMinute: z.number().int().min(3).max(200).default(10).describe('such short changes in one minute, for more than a few seconds, are flutter'),
  // Reaction times differ by 25 ms, dual detectors take turns of 50 ms (Matrix), buses are read every 50 ms.
  crosstalkWindowMs: durationMs(10, 1_000).default(100).describe('two loops that trip within this trip together'),
  crosstalkTimes: z.number().int().min(3).max(100).default(6).describe('trips together, beyond what chance explains, that are crosstalk'),
  disturbedMovements: z.number().int().min(2).max(6).default(3).describe('of the last 6 movements of the boom, so many that tripped a loop without a vehicle'),
  visionDisagreements: z.number().int().min(2).max(5).default(4).describe('of the last 8 vehicles seen at the line, so many that the loop did not feel; twice as many of 10 stays on the loop without a plate'),
  nearPlateWidth: z.number().min(0.01).max(1).default(0.1).describe("width of a plate at the line, in parts of the picture's width, until the lane has learned it"),
  // Warmth and rain move a loop's inductance by a per cent or two in a day; a frequency moves by half of that.
  driftPercent: z.number().min(0.1).max(50).default(3).describe("change of a clear loop's frequency within 24 hours"),
  // A vehicle changes the inductance by 1 to 5 per cent. Detectors call 25 per cent at once a failed loop (Reno S series), 11 to 15 of the frequency.
  jumpPercent: z.number().min(1).max(50).default(5).describe("change of a loop's frequency at once that no vehicle makes"),
  minFrequencyHz: z.number().int().min(1_000).max(1_000_000).default(15_000).describe('lowest frequency a detector works at; Matrix: 20 kHz'),
  maxFrequencyHz: z.number().int().min(1_000).max(1_000_000).default(150_000).describe('highest frequency a detector works at; Matrix: 130 kHz'),
  faultsPerHour: z.number().int().min(2).max(50).default(5).describe('times in an hour that a line could not be read or reported a fault'),
  quietMs: durationMs(10_000, 86_400_000).default(600_000).describe('flutter and lost lines are over after so long without another'),
});

export const laneSchema = z.strictObject({
  id: identifier.meta({ description: 'used in topics and addresses', examples: ['entry'] }),
  name: z.string().min(1).max(40).meta({ description: 'shown to people', examples: ['East gate, in'] }),
  direction: z.enum(['entry', 'exit']).describe('which way vehicles pass'),
  camera: identifier.optional().meta({ description: 'id of an entry under cameras', examples: ['entry-camera'] }),
  barrier: barrierSchema.describe('the boom and how it is driven'),
  inputs: inputsSchema.describe('what the lane feels: loops, beam, switches, buttons'),
  readTimeoutMs: durationMs(500, 30_000).default(4_000).describe('a vehicle still unread after this is decided without a plate'),
  earlyDecision: z.boolean().default(true).describe('decide an unambiguous read before the loop trips'),
  diagnosis: diagnosisSchema.prefault({}).describe('from when on a sign of trouble with loops, beam and switches is a finding'),
});

/** Corners of an area of the image, 0 to 1 from the top left, at least three. */
const zoneSchema = z
  .array(z.tuple([z.number().min(0).max(1), z.number().min(0).max(1)]))
  .min(3)
  .meta({ title: 'list of at least three corners [x, y], 0 to 1 from the top left', examples: [[[0.1, 0.3], [0.9, 0.3], [0.9, 1], [0.1, 1]]] });

export const cameraSchema = z.strictObject({
  id: identifier.meta({ description: 'name of this camera, used by the lanes', examples: ['entry-camera'] }),
  source: z
    .discriminatedUnion('kind', [
      z.strictObject({
        kind: z.literal('rtsp').describe('a network camera'),
        url: z
          .string()
          .regex(/^rtsps?:\/\/[^@\s]+$/u, 'rtsp://host:554/path without user or password; those go in their own fields')
          .meta({ description: 'without user and password; those go in their own fields', examples: ['rtsp://192.168.1.64:554/stream1'] }),
        username: z.string().min(1).optional().meta({ description: 'for the camera', examples: ['gate'] }),
        password: secretSchema.optional().describe('for the camera, by reference'),
      }),
      z.strictObject({
        kind: z.literal('file').describe('a video file, played at its own speed'),
        path: z.string().min(1).meta({ description: 'relative to the folder of this configuration, or absolute', examples: ['garage.mp4'] }),
        loop: z.boolean().default(false).describe('start over at the end'),
      }),
      z.strictObject({
        kind: z.literal('directory').describe('pictures of a folder, in the order of their names'),
        path: z.string().min(1).meta({ description: 'relative to the folder of this configuration, or absolute', examples: ['pictures'] }),
      }),
      z.strictObject({
        kind: z.literal('http').describe('an MJPEG stream or snapshot address'),
        url: z
          .string()
          .regex(/^https?:\/\//u, 'http://host/stream.mjpeg')
          .meta({ description: 'address of the stream', examples: ['http://192.168.1.64/stream.mjpeg'] }),
      }),
      z.strictObject({
        kind: z.literal('sim').describe('a camera in the simulated estate'),
        device: identifier.meta({ description: 'id of a device with the driver sim', examples: ['world'] }),
        view: identifier.meta({ description: 'lane the simulated camera looks at', examples: ['entry'] }),
      }),
    ])
    .describe('where the pictures come from'),
  framesPerSecond: z.number().min(1).max(30).default(8).describe('pictures looked at in a second'),
  zone: zoneSchema.optional().describe('where plates are looked for; the whole image where omitted'),
});

const plateText = z.string().min(1).max(16).meta({ title: 'plate', examples: ['京A12345'] });
const isoTime = z.iso.datetime({ offset: true }).meta({ title: 'time with its offset', examples: ['2026-05-01T08:00:00+08:00'] });
const lanesOf = z.array(identifier).meta({ title: 'list of lane ids', examples: [['entry']] });

const accessSchema = z.strictObject({
  openingConfidence: z.number().min(0).max(1).default(0.9).describe('a read below this never opens by itself'),
  lookAlike: z
    .strictObject({
      enabled: z.boolean().default(true).describe('admit a plate that was read one usual confusion wrong (0/D, 8/B, province)'),
      leastConfidence: z.number().min(0).max(1).default(0.8).describe('only reads at least this sure are forgiven'),
    })
    .prefault({})
    .describe('forgiveness for look-alikes; only ever to admit, and on record'),
  spaces: z.number().int().min(0).max(100_000).default(500).describe('parking spaces; strangers are admitted only while some are free'),
  outside: z
    .discriminatedUnion('policy', [
      z.strictObject({ policy: z.literal('refuse').describe('unknown vehicles stay out') }),
      z.strictObject({ policy: z.literal('admit-while-space').describe('unknown vehicles come in while there is space') }),
      z.strictObject({
        policy: z.literal('admit-for-hours').describe('unknown vehicles come in for some hours'),
        hours: z.number().min(0.25).max(72).meta({ description: 'how long they may stay', examples: [2] }),
      }),
      z.strictObject({ policy: z.literal('ask').describe('a person decides on unknown vehicles') }),
    ])
    .default({ policy: 'refuse' })
    .describe('what happens with vehicles on no list'),
  exit: z.enum(['free', 'listed']).default('free').describe('free: whoever is inside may leave'),
  antiPassback: z.boolean().default(false).describe('ask a person about a plate that is inside already and comes in again'),
  households: z
    .array(
      z.strictObject({
        id: identifier.meta({ description: 'name of the household', examples: ['b3-1201'] }),
        name: z.string().max(40).optional().meta({ description: 'shown to the guard', examples: ['Building 3, 1201'] }),
        spaces: z.number().int().min(0).max(20).default(1).describe('cars of this household that may be inside as residents at one time'),
        plates: z.array(plateText).min(1).meta({ description: 'cars of this household', examples: [['京A12345']] }),
        lanes: lanesOf.optional().describe('only through these lanes; all where omitted'),
        hours: hours.optional().meta({ description: 'only at these hours; always where omitted', examples: [{ from: '20:00', to: '08:00' }] }),
        validFrom: isoTime.optional().describe('not before this'),
        validUntil: isoTime.optional().describe('not from this on'),
      }),
    )
    .default([])
    .describe('residents (业主 / 月租)'),
  visitors: z
    .array(
      z.strictObject({
        plate: plateText.describe('plate of the visitor'),
        from: isoTime.describe('start of the pass'),
        until: isoTime.describe('end of the pass'),
        lanes: lanesOf.optional().describe('only through these lanes; all where omitted'),
        note: z.string().max(80).optional().meta({ description: 'shown to the guard', examples: ['plumber for 1201'] }),
      }),
    )
    .default([])
    .describe('visitor passes (访客)'),
  blocked: z
    .array(
      z.strictObject({
        plate: plateText.describe('plate that stays out'),
        reason: z.string().min(1).max(80).meta({ description: 'shown to the guard', examples: ['damaged the boom'] }),
      }),
    )
    .default([])
    .describe('blocked vehicles (黑名单)'),
  emergency: z
    .array(
      z.strictObject({
        plate: plateText.describe('plate that always passes'),
        note: z.string().max(80).optional().meta({ description: 'shown to the guard', examples: ['ambulance of the clinic'] }),
      }),
    )
    .default([])
    .describe('ambulances and the like with ordinary plates; police and 应急 plates pass without being listed'),
});

const brokerSchema = z.strictObject({
  url: z.string().regex(/^(mqtts?|wss?):\/\/[^@\s]+$/u, 'mqtts://platform.example:8883 without user or password; those go in their own fields').meta({
    description: 'without user and password; those go in their own fields',
    examples: ['mqtts://platform.example:8883'],
  }),
  username: z.string().min(1).optional().meta({ description: 'for the broker', examples: ['gate-east'] }),
  password: secretSchema.optional().describe('for the broker, by reference'),
  ca: z.string().min(1).optional().meta({ description: 'path of the CA certificate', examples: ['tls/ca.pem'] }),
  certificate: z.string().min(1).optional().meta({ description: "path of the client's certificate", examples: ['tls/gate.pem'] }),
  key: secretSchema.optional().describe("the client's private key, by reference"),
});

export const uplinkSchema = z.strictObject({
  broker: z
    .union([
      z.literal('embedded').describe('a broker inside this process, loopback only, for demonstrations'),
      brokerSchema,
      z.array(brokerSchema).min(1).max(8).describe('several of the same platform, the preferred one first'),
    ])
    .default('embedded')
    .meta({ description: 'the platform', examples: [{ url: 'mqtts://platform.example:8883' }] }),
  protocol: z.enum(['5', '3.1.1']).default('5').describe('version of MQTT; write it in quotes'),
  keepAliveS: z.number().int().min(5).max(3_600).default(30).describe('seconds of silence after which the line is tested'),
  batch: z.number().int().min(1).max(200).default(125).describe('most events in one message; fewer on a slow line'),
  window: z.number().int().min(1).max(1_000).default(20).describe('most messages in flight'),
  telemetryS: z.number().int().min(1).max(3_600).default(30).describe('seconds between two health reports'),
  commandKeys: z
    .array(
      z.strictObject({
        id: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/u, 'letters, digits, dot, hyphen and _, at most 64').meta({ description: 'name of the key, as commands give it', examples: ['ed25519-0f3a5c7e9b1d2f40'] }),
        publicKey: z
          .string()
          .refine((text) => readCommandKey(text) !== undefined, 'an Ed25519 public key: PEM, or its 32 bytes in base64; openssl genpkey -algorithm ed25519 makes a pair')
          .meta({ description: 'Ed25519 public key, PEM or its 32 bytes in base64', examples: ['11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo='] }),
        notBefore: z.iso.datetime({ offset: true }).optional().meta({ description: 'valid from, ISO 8601 with offset', examples: ['2026-03-01T00:00:00+08:00'] }),
        notAfter: z.iso.datetime({ offset: true }).optional().meta({ description: 'valid until; a key with a time limit needs a gate whose clock is set', examples: ['2027-03-01T00:00:00+08:00'] }),
        issuers: z.array(z.string().min(1).max(64)).min(1).optional().meta({ description: 'issuers this key may speak for; any where omitted', examples: [['platform:dispatch']] }),
      }),
    )
    .default([])
    .describe('keys that may sign commands; with one or more, an unsigned command is refused. Several are valid at once, so that keys can be changed without a pause'),
  commandRate: z
    .strictObject({
      burst: z.number().int().min(1).max(1_000).default(30).describe('commands of one issuer that may come at once'),
      perMinute: z.number().int().min(1).max(6_000).default(60).describe('commands of one issuer per minute in the long run'),
    })
    .prefault({})
    .describe('how many commands of the platform are taken; fire and stop have an allowance of their own that no other command uses up'),
  platformAcknowledges: z
    .boolean()
    .default(true)
    .describe('false for a platform that cannot acknowledge: then the broker taking an event counts, a weaker promise'),
  photographs: z.enum(['none', 'plate', 'all']).default('none').describe('which photographs go to the platform, once it has the event that names them: none; plate (only what the plate was read from); all'),
  photographsKBPerS: z.number().int().min(1).max(10_000).default(50).describe('photographs are sent no faster than this, kilobytes a second'),
  remoteConfiguration: z
    .enum(['none', 'settings', 'all'])
    .default('settings')
    .describe('what the platform may change: nothing; settings (access, retention, uplink, names, hours and waiting times of lanes); all, wiring too. Itself never from afar'),
  configurationTrialS: z.number().int().min(2).max(3_600).default(90).describe('seconds a new configuration has to prove itself before it counts; without it the previous one returns'),
});

export const configSchema = z.strictObject({
  version: z.literal(1).default(1).describe('version of this format'),
  site: z
    .strictObject({
      id: identifier.meta({ description: 'name of the estate on the platform', examples: ['laurel-gardens'] }),
      name: z.string().min(1).max(40).meta({ description: 'shown to people', examples: ['月桂社区'] }),
      timezone: z.string().min(1).default('Asia/Shanghai').describe('IANA name; hours of the lists are meant in it'),
    })
    .describe('the estate'),
  gate: z
    .strictObject({
      id: identifier.meta({ description: 'name of this box on the platform', examples: ['east-gate'] }),
      name: z.string().min(1).max(40).meta({ description: 'shown to people', examples: ['East gate'] }),
      dataDirectory: z.string().min(1).meta({ description: 'the one writable directory', examples: ['/var/lib/laurel-gate'] }),
    })
    .describe('this box'),
  devices: z.array(deviceSchema).min(1).meta({ description: 'GPIO, serial buses and simulations that lines are on', examples: [[{ id: 'gpio', driver: 'gpio' }]] }),
  cameras: z.array(cameraSchema).default([]).describe('sources of pictures'),
  lanes: z.array(laneSchema).min(1).describe('one entry a lane'),
  access: accessSchema.prefault({}).describe('who may pass'),
  vision: z
    .strictObject({
      models: z.string().min(1).optional().meta({ description: 'directory with manifest.json; the shipped models where omitted', examples: ['models'] }),
      threads: z.number().int().min(1).max(8).default(1).describe('processor cores recognition may use'),
    })
    .prefault({})
    .describe('recognition'),
  uplink: uplinkSchema.prefault({}).describe('the way to the platform'),
  web: z
    .strictObject({
      host: z.string().min(1).default('127.0.0.1').describe('address to listen on; 0.0.0.0 for the whole network'),
      port: z.number().int().min(0).max(65_535).default(8_080).describe('port to listen on; 0 takes a free one'),
    })
    .prefault({})
    .describe('the page at the gate'),
  supervisor: z
    .strictObject({
      lowering: durationMs(200, 60_000).default(500).describe('silence of this program, while it lowers a boom, after which the supervisor kills it and raises the boom, ms'),
      urgent: durationMs(200, 60_000).default(1_000).describe('the same while it drives a contact, or its death would raise or hold a boom, ms'),
      idle: durationMs(200, 300_000).default(15_000).describe('the same while no contact is driven and nothing would have to be done, ms'),
    })
    .prefault({})
    .describe('the process that outlives this one and puts the outputs in their fail state when it dies'),
  retention: z
    .strictObject({
      eventsDays: z.number().int().min(1).max(3_650).default(365).describe('GA/T 1742-2020 asks for at least 365'),
      eventsMB: z.number().int().min(50).max(1_000_000).default(4_000).describe('most that events may take up; the oldest that the platform has give way'),
      photographsDays: z.number().int().min(1).max(3_650).default(30).describe('whole pictures; no longer than the purpose needs (PIPL)'),
      platePicturesDays: z.number().int().min(1).max(3_650).default(30).describe('cut-out plates; they are small'),
      photographsMB: z.number().int().min(10).max(1_000_000).default(2_000).describe('most that photographs may take up; the oldest give way'),
      backup: z
        .strictObject({
          everyHours: z.number().int().min(0).max(8_760).default(24).describe('how often the journal is backed up into the data directory; 0 = never by itself'),
          keep: z.number().int().min(1).max(100).default(3).describe('how many of those backups are kept'),
        })
        .prefault({})
        .describe('backups of the journal that the gate makes by itself, without photographs'),
    })
    .prefault({})
    .describe('how long what is kept'),
});

export type GateConfig = z.output<typeof configSchema>;
export type LaneConfig = GateConfig['lanes'][number];
export type CameraConfig = GateConfig['cameras'][number];
export type DeviceConfig = GateConfig['devices'][number];
export type AccessConfig = GateConfig['access'];
export type UplinkConfig = GateConfig['uplink'];
export type BrokerConfig = z.output<typeof brokerSchema>;
export type SecretRef = z.output<typeof secretSchema>;
