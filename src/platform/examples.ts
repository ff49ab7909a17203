import { createHash, createPrivateKey, type KeyObject } from 'node:crypto';
import { GENESIS_HASH, canonicalJson, hashOfEvent } from '../journal/index.js';
import { listDigest, type ListEntry } from '../lists/index.js';
import { signCommand, type AckMessage, type CommandMessage, type ConfigReport, type EventMessage, type FullListPart, type ListDelta, type ListReport, type ReplyMessage, type StatusMessage, type TelemetryMessage } from '../uplink/index.js';

/**
 * Messages as they go over the line, for a site `laurel` and its gate `east`. Hashes and the signature are true, so that a
 * platform can check its own code against them.
 */

type WireEvent = EventMessage['events'][number];

const site = 'laurel';
const gate = 'east';
const bootMs = Date.UTC(2026, 4, 1, 0, 0, 0);
const epoch = 3_491_758_080_001;

/** Private key of the first test vector of RFC 8032, §7.1: known to everybody, good for examples only. */
export function exampleKey(): KeyObject {
  const seed = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
  return createPrivateKey({ key: Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex'), format: 'der', type: 'pkcs8' });
}

function chain(events: readonly Pick<WireEvent, 'type' | 'lane' | 'passage' | 'payload'>[]): WireEvent[] {
  const made: WireEvent[] = [];
  for (const [index, event] of events.entries()) {
    const seq = index + 1;
    const monoMs = 1_500 * seq;
    const plain = { id: `${site}-${gate}-${epoch}-${seq}`, epoch, seq, ...event, wallMs: bootMs + monoMs, monoMs, clockTrusted: true, previousHash: made.at(-1)?.hash ?? GENESIS_HASH };
    made.push({ ...plain, hash: hashOfEvent({ ...plain, hash: '' }) });
  }
  return made;
}

const passage = `${gate}-${epoch}-1`;
const plate = { plate: '京QM86H8', confidence: 0.997, colour: 'blue', rows: 1 };
const events = chain([
  { type: 'gate.started', lane: null, passage: null, payload: { version: '0.1.0', journal: 'new', lanes: ['entry'] } },
  { type: 'passage.started', lane: 'entry', passage, payload: { origin: 'loop', direction: 'entry' } },
  { type: 'passage.read', lane: 'entry', passage, payload: plate },
  { type: 'passage.decided', lane: 'entry', passage, payload: { outcome: 'admit', rule: 'resident', visitorClass: 'resident', note: '1201', listedPlate: '京QM86H8', matched: 'exact', ...plate } },
  { type: 'boom.opening', lane: 'entry', passage, payload: { cause: { kind: 'decision', detail: 'resident 京QM86H8' }, urgency: 'plain' } },
]);

const event: EventMessage = { historical: false, lost: [], events: events.slice(0, 3) };
const backlog: EventMessage = { historical: true, lost: [], events: events.slice(3) };
const ack: AckMessage = { epoch, seq: 3, accepts: { encodings: ['gzip'], batchEvents: 200, batchBytes: 131_072 } };
const online: StatusMessage = { state: 'online', epoch, instance: '8c9f7a3e-5b1d-4f0a-9a55-2f4d0f1c7b21', atMs: bootMs + 2_000, promise: 'platform', gate: { versions: { laurelGate: '0.1.0' }, lanes: [{ lane: 'entry', boom: 'closed' }] } };
const offline: StatusMessage = { state: 'offline', epoch, instance: '8c9f7a3e-5b1d-4f0a-9a55-2f4d0f1c7b21', reason: 'lost' };
const telemetry: TelemetryMessage = { epoch, atMs: bootMs + 60_000, backlog: 0, health: { memoryMB: 96 } };
const plain: CommandMessage = { id: 'c-20260501-17', issuer: 'platform:alice', expires: '2026-05-01T08:00:30+08:00', lane: 'entry', target: 'open', reason: 'delivery for 1201' };
const command = signCommand(plain, { site, gate }, { id: 'example', privateKey: exampleKey() });
const accepted: ReplyMessage = { id: plain.id, state: 'accepted', lane: 'entry', epoch, atMs: bootMs + 12_000 };
const refused: ReplyMessage = { id: plain.id, state: 'refused', code: 'COMMAND_EXPIRED', reason: 'expired 812 ms ago', lane: 'entry', epoch, atMs: bootMs + 30_812 };
const entries: ListEntry[] = [
  { kind: 'blocked', plate: '皖F99999', reason: 'damaged the boom' },
  { kind: 'household', id: 'b3-1201', name: '1201', spaces: 1, plates: ['京QM86H8'] },
  { kind: 'visitor', id: 'v-77', plate: '浙D55555', from: '2026-05-01T08:00:00+08:00', until: '2026-05-01T18:00:00+08:00', note: 'plumber for 1201' },
];
const list: FullListPart = { kind: 'full', version: 1, digest: listDigest(entries), part: 1, parts: 1, entries, merged: [] };
const delta: ListDelta = { kind: 'delta', base: 1, version: 2, digest: listDigest(entries.slice(0, 2)), put: [], remove: ['visitor/v-77'], merged: [] };
const listReport: ListReport = {
  epoch,
  atMs: bootMs + 20_000,
  held: { version: 2, digest: delta.digest, counts: { entries: 2, households: 1, plates: 1, visitors: 0, blocked: 1 }, ignored: { count: 0, first: [] } },
  wants: null,
  edits: { count: 0, first: [] },
};
const config = { version: 12, id: 'd-12', issuer: 'platform:alice', whole: false, config: { access: { spaces: 120 }, lanes: [{ id: 'entry', earlyDecision: true }] } };
const digest = createHash('sha256').update(canonicalJson(config.config)).digest('hex');
const configReport: ConfigReport = {
  epoch,
  atMs: bootMs + 90_000,
  active: { source: 'managed', version: 12, id: 'd-12', digest, effectiveDigest: digest },
  trial: null,
  highest: 12,
  outcome: { version: 12, id: 'd-12', issuer: 'platform:alice', outcome: 'applied', code: null, reasons: [], faults: [], atMs: bootMs + 89_000 },
  reported: { access: { spaces: 120 } },
};

export const examples = { event, backlog, ack, online, offline, telemetry, command, accepted, refused, list, delta, listReport, config, configReport };
