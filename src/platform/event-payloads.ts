import { z } from 'zod';
import type { EventType } from '../journal/index.js';
import { localEditSchema } from '../lists/index.js';

/**
 * What the events of a gate carry, by type. Payloads are open: a later release may add properties, and receivers ignore
 * what they do not know. What is required here is always there, unless the event is `reduced`.
 */

const text = z.string();
const count = z.number().int().min(0);
const atMs = z.number().int();
const open = z.looseObject;
const range = open({ first: count, last: count, reason: text.optional() });

const plate = {
  plate: text.nullable().describe('null: no plate was read'),
  confidence: z.number().min(0).max(1).optional().describe('how often reads like this are right'),
  colour: z.enum(['blue', 'green', 'yellow', 'white', 'black']).optional(),
  rows: z.union([z.literal(1), z.literal(2)]).optional(),
};
const decision = {
  outcome: z.enum(['admit', 'refuse', 'ask']),
  rule: text.describe('the rule that decided, e.g. resident, visitor-pass, blocked-list'),
  visitorClass: text,
  note: text.nullable().describe('household, note of the pass or reason of the block'),
  listedPlate: text.nullable().describe('entry that matched; differs from plate for a forgiven look-alike'),
  matched: z.enum(['exact', 'look-alike']).nullable(),
};
const cause = open({ kind: text.describe('e.g. decision, command, button, fire, obstruction, passage-complete, auto-close'), detail: text }).describe('why the boom moved or stopped');
const order = { id: text.nullable(), issuer: text.nullable(), target: text.nullable().optional() };
const why = { code: text.optional().describe('as in the reply'), reason: text.nullable().optional() };
const part = { device: text, unit: z.number().optional().describe('one board of a bus') };
const finding = { code: text, sensors: z.array(text), facts: z.record(text, z.union([text, z.number(), z.boolean()])).describe('what was measured') };
const configuration = {
  version: z.number().int().nullable().describe('null: applied on the box by a technician'),
  id: text,
  issuer: text,
  whole: z.boolean().nullable().optional().describe('null: not known of one that an earlier release took in'),
  digest: text.describe('of `config`, without `whole`'),
};
const outcome = open({ ...configuration, code: text.nullable(), reasons: z.array(text), faults: z.array(open({ path: text, code: text, text })), faultCount: count, atMs });
const numbers = z.array(range).describe('numbers that will never come');

/** By type; typed so that every type the journal knows is here. */
export const eventPayloads = {
  'gate.started': open({ version: text, journal: text.nullable().describe('new: an empty journal, numbers begin at 1; continued; else how it came to be as it is: recovered, rolled-back, restored, guard-lost, record-lost'), lanes: z.array(text) }).describe('the gate has started'),
  'gate.stopped': open({ reason: text }).describe('it stops in order'),
  'gate.taken-over': open({ reason: text, wallMs: z.number(), tookMs: z.number().nullable(), acts: z.array(open({})) }).describe('the supervisor acted in place of a dead gate'),
  'passage.foreseen': open({ ...decision, ...plate, cause }).describe('a vehicle is admitted before it reaches the loop'),
  'passage.started': open({ origin: text, direction: z.enum(['entry', 'exit']) }).describe('a vehicle is in the lane'),
  'passage.read': open(plate).describe('its plate was read, or read anew'),
  'passage.decided': open({ ...decision, ...plate }).describe('whether it may pass'),
  'passage.photographed': open({ reason: text, pictures: z.array(open({ kind: z.enum(['frame', 'plate']), id: text.describe('SHA-256 of the JPEG, and its name on `evidence/{id}`'), bytes: count })) }).describe('photographs were taken'),
  'passage.ended': open({
    end: z.enum(['entered', 'exited', 'backed-out', 'refused', 'abandoned', 'forced', 'unfinished']).describe('unfinished: the gate was restarted meanwhile'),
    detail: text.nullable(),
    plate: plate.plate.optional(),
    confidence: plate.confidence,
    colour: plate.colour,
    rows: plate.rows,
    rule: text.nullable().optional(),
    clearedBy: z.enum(['decision', 'command', 'button', 'held']).nullable().optional().describe('who let it through'),
    durationMs: z.number().optional(),
  }).describe('it has left the lane'),
  'boom.opening': open({ cause, urgency: text }).describe('the boom is raised'),
  'boom.closing': open({ cause, urgency: text.optional(), by: text.optional().describe('barrier: by its own board') }).describe('the boom is lowered'),
  'boom.stopped': open({ cause, withheld: text.optional().describe('a movement that did not begin'), by: text.optional() }).describe('a movement was ended or withheld'),
  'boom.fault': open({ detail: text, output: text.optional(), action: text.optional() }).describe('the boom or a relay did not do what it was told'),
  'boom.learned': open({ openMs: z.number().nullable(), closeMs: z.number().nullable() }).describe('run times as measured'),
  'lane.attention': open({ code: text, detail: text.nullable() }).describe('a person is called for'),
  'lane.attention-cleared': open({ code: text }).describe('no longer'),
  'input.fault': open({ sensor: text, state: z.enum(['unknown', 'fault']) }).describe('an input cannot be relied on'),
  'input.cleared': open({ sensor: text, state: z.enum(['on', 'off']) }).describe('it can again'),
  'diagnosis.raised': open({ ...finding, todo: open({ zh: text, en: text }).describe('what to do') }).describe('the gate found something wrong with its sensors'),
  'diagnosis.cleared': open({ ...finding, activeMs: z.number() }).describe('it is right again'),
  'device.lost': open({ ...part, detail: text }).describe('a board does not answer'),
  'device.recovered': open(part).describe('it answers again'),
  'device.tested': open({ by: text }).describe('a technician tested a device'),
  'camera.lost': open({ camera: text, state: text, detail: text }).describe('no pictures come'),
  'camera.recovered': open({ camera: text }).describe('pictures come again'),
  'vision.lost': open({ detail: text, restarts: count }).describe('plates are not read'),
  'vision.recovered': open({ restarts: count }).describe('plates are read again'),
  'command.accepted': open({ id: text.optional(), issuer: text, target: text.optional(), reason: text.optional(), expiresMs: z.number().optional(), key: text.optional().describe('key that signed it') }).describe('an order of the platform, the page or the console is on record and is carried out'),
  'command.done': open({ ...order, reason: text.nullable().optional() }).describe('it was carried out'),
  'command.failed': open({ ...order, ...why }).describe('it was tried and failed'),
  'command.refused': open({ ...order, ...why, unrecordedBefore: count.optional().describe('refusals before it that are not on record: a flood') }).describe('it was not carried out'),
  'config.staged': open({ ...configuration, whole: z.boolean() }).describe('a new configuration waits for quiet lanes'),
  'config.applied': outcome.describe('it has passed its trial'),
  'config.refused': open({ id: text, code: text.nullable(), version: z.number().int().nullable().optional(), reasons: z.array(text).optional(), reason: text.optional() }).describe('it never ran'),
  'config.returned': outcome.describe('it ran, and the one before is in force again'),
  'list.applied': open({ version: count, digest: text, form: text, counts: z.record(text, count), edits: count, tookMs: z.number() }).describe('a list of the platform is in force'),
  'list.refused': open({ version: z.number().nullable(), code: text, reason: text, held: count.nullable() }).describe('a list was not taken'),
  'list.damaged': open({ file: text, detail: text, fallback: count.nullable() }).describe('the stored list cannot be read'),
  'list.edited': localEditSchema.describe('a change made at the gate; the platform takes it in and names its id in merged'),
  'clock.trusted': open({
    source: text.describe('who vouches for it, e.g. ntp, gnss, rtc'),
    offsetMs: z.number().describe('wall time minus monotonic time, of this epoch'),
    epochs: z.array(open({ epoch: count, offsetMs: z.number() })).describe('the same of earlier epochs of this run of the machine'),
  }).describe('wall times can be relied on from now on; events of these epochs that came before get their true time from it'),
  'clock.stepped': open({}).describe('the wall clock jumped'),
  'clock.backwards': open({ boundMs: z.number(), wallMs: z.number() }).describe('the clock says a time before one that was vouched for; it is not relied on'),
  'clock.bound-lowered': open({ fromMs: z.number(), toMs: z.number(), source: text }).describe('a later time that had been taken for true was wrong'),
  'journal.recovered': open({ reason: text, gaps: numbers, kept: open({}), lost: open({ facts: count.nullable(), photographs: count.nullable() }).optional().describe('what the gate remembered and records of photographs that could not be read; null: not known how many, absent: of a release that did not count'), damagedFile: text.nullable(), lastKnown: z.number().nullable() }).describe('the journal was damaged and has been rebuilt'),
  'journal.lost': open({ reason: text, gaps: numbers }).describe('events are lost'),
  'journal.backup-failed': open({ detail: text }).describe('the periodic backup does not succeed, or the journal in it is damaged'),
  'journal.backup-recovered': open({ bytes: count }).describe('it does again, and is whole'),
  'uplink.duplicate-client': open({ clientId: text, detail: text }).describe("another box uses this gate's name at the broker"),
  'uplink.recovered': open({ clientId: text, detail: text }).describe('nobody else does any more'),
} as const satisfies Record<EventType, z.ZodType>;
