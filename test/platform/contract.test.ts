import { createRequire } from 'node:module';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { Ajv } from 'ajv';
import { connect, type IPublishPacket } from 'mqtt';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { GENESIS_HASH, canonicalJson, hashOfEvent } from '../../src/journal/index.js';
import { contractDocument } from '../../src/platform/index.js';
import { exampleKey, examples } from '../../src/platform/examples.js';
import { PlatformLists, signedBytes, topicOf } from '../../src/uplink/index.js';
import { runHere } from '../cli/run-here.js';
import { atEnd, drained, online, settings, startGate, startMosquitto, startPlatform, until } from '../uplink/support.js';

const messageSchema = z.object({
  contentType: z.string(),
  payload: z.object({ $ref: z.string() }),
  examples: z.array(z.object({ name: z.string(), payload: z.unknown() })).default([]),
  'x-codes': z.record(z.string(), z.string()).optional(),
});
const documentSchema = z.object({
  channels: z.record(z.string(), z.object({ address: z.string(), messages: z.record(z.string(), z.object({ $ref: z.string() })) })),
  operations: z.record(z.string(), z.object({ action: z.enum(['send', 'receive']), channel: z.object({ $ref: z.string() }), bindings: z.object({ mqtt: z.object({ qos: z.number(), retain: z.boolean().optional() }) }) })),
  components: z.object({ messages: z.record(z.string(), messageSchema), schemas: z.record(z.string(), z.unknown()) }),
});

const raw = contractDocument('0.1.0');
const document = documentSchema.parse(raw);

/** Judges by nothing but the document: another validator than the one the gate checks with. */
function judge(): (message: string, value: unknown) => readonly string[] {
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: 'contract', components: { schemas: document.components.schemas } });
  return (message, value) => {
    const ref = document.components.messages[message]?.payload.$ref ?? 'none';
    const validate = ajv.compile({ $ref: `contract${ref}` });
    return validate(value) ? [] : (validate.errors ?? []).map(({ instancePath, message: said }) => `${message}${instancePath}: ${said ?? ''}`);
  };
}

const messagesOf = (topic: string): readonly string[] => Object.keys(Object.values(document.channels).find(({ address }) => address.endsWith(`}/${topic}`))?.messages ?? {});
const operationOf = (topic: string): z.output<typeof documentSchema>['operations'][string] | undefined => {
  const channel = Object.entries(document.channels).find(([, { address }]) => address.endsWith(`}/${topic}`))?.[0] ?? '';
  return Object.values(document.operations).find((operation) => operation.channel.$ref === `#/channels/${channel}`);
};

describe('the contract', () => {
  it('is an AsyncAPI 3.0 document', () => {
    const meta: unknown = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.0.0-without-$id.json');
    const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
    const valid = ajv.compile(z.record(z.string(), z.unknown()).parse(meta));
    expect(valid(raw) ? [] : valid.errors).toEqual([]);
    expect(valid({ ...raw, channels: { event: { address: 7 } } })).toBe(false);
  });

  it('has nothing it refers to missing', () => {
    const refs = [...JSON.stringify(raw).matchAll(/"\$ref":"#\/([^"]+)"/gu)].map(([, path]) => path ?? '');
    const found = (path: string): unknown => path.split('/').reduce<unknown>((at, step) => (typeof at === 'object' && at !== null ? Reflect.get(at, step) : undefined), raw);
    expect(refs.length).toBeGreaterThan(50);
    expect(refs.filter((path) => found(path) === undefined)).toEqual([]);
  });

  it('shows examples that fit it, with hashes, digests and a signature that are true', () => {
    const faults = judge();
    const shown = Object.entries(document.components.messages).flatMap(([name, message]) => message.examples.map(({ payload }) => [name, payload] as const));
    expect(shown.length).toBeGreaterThan(11);
    for (const [name, payload] of shown) expect(faults(name, payload)).toEqual([]);
    expect(faults('command', { ...examples.command, target: 'toggle' })).not.toEqual([]);
    expect(faults('event', { ...examples.event, events: examples.event.events.map((event) => ({ ...event, payload: { end: 'entered' } })) })).not.toEqual([]);

    let before = GENESIS_HASH;
    for (const event of [...examples.event.events, ...examples.backlog.events]) {
      expect([event.previousHash, event.hash]).toEqual([before, hashOfEvent(event)]);
      before = event.hash;
    }
    const { signature, ...plain } = examples.command;
    const bytes = signedBytes(topicOf('laurel', 'east', 'command'), plain);
    expect(verify(null, bytes, createPublicKey(exampleKey().export({ format: 'pem', type: 'pkcs8' })), Buffer.from(signature?.value ?? '', 'base64'))).toBe(true);
    const lines = [...examples.list.entries].map((entry) => `${canonicalJson(entry)}\n`);
    expect(createHash('sha256').update(lines.join('')).digest('hex')).toBe(examples.list.digest);
  });

  it('is printed by gatectl as YAML and as JSON, the same', async () => {
    const yaml = await runHere(['platform', 'contract']);
    const json = await runHere(['platform', 'contract', '--json']);
    expect([yaml.status, json.status, yaml.err, json.err]).toEqual([0, 0, '', '']);
    expect(parse(yaml.out)).toEqual(JSON.parse(json.out));
    expect(JSON.parse(json.out)).toEqual(raw);
  });
});

describe('what a gate and a platform really say', () => {
  it('fits the contract in form, quality of service and retain flag; refusals carry codes that are in it', async () => {
    const broker = await startMosquitto();
    const seen: { topic: string; text: string; packet: IPublishPacket; packed: boolean }[] = [];
    const listener = connect(broker.url, { protocolVersion: 5 });
    atEnd(() => listener.endAsync(true).then(() => undefined));
    listener.on('message', (topic, payload, packet) => {
      const packed = payload[0] === 0x1f;
      seen.push({ topic: topic.split('/').slice(4).join('/'), text: (packed ? gunzipSync(payload) : payload).toString('utf8'), packet, packed });
    });
    // Retain as published: the flag as the sender set it.
    await listener.subscribeAsync('laurel/v1/#', { qos: 1, rap: true });

    const platform = await startPlatform({ url: broker.url, accepts: { encodings: ['gzip'], batchEvents: 50 } });
    const lists = new PlatformLists(platform);
    lists.start();
    atEnd(() => lists.stop());
    const gate = await startGate(settings(broker.url), { lanes: ['entry', 'exit'] });
    await online(gate);
    await Promise.all(Array.from({ length: 60 }, () => gate.journal.append({ type: 'passage.read', lane: 'entry', passage: 'p-1', payload: { plate: '京QM86H8', confidence: 0.99, colour: 'blue', rows: 1 } })));
    await drained(gate);
    const order = { issuer: 'platform:alice', expires: Date.now() + 30_000, lane: 'entry', target: 'open', reason: 'parcel' } as const;
    const refused = [{ ...order, id: 'late', expires: Date.now() - 1_000 }, { ...order, id: 'nowhere', lane: 'roof' }, { ...order, id: 'done-before' }, { ...order, id: 'done-before', target: 'close' as const }];
    platform.send('laurel', 'east', { ...order, id: 'good' });
    for (const command of refused) platform.send('laurel', 'east', command);
    lists.sendList('laurel', 'east', { entries: examples.list.entries });
    await until(() => platform.replies.filter(({ state }) => state !== 'accepted').length >= 5, { what: 'the replies' });
    await until(() => seen.some(({ topic }) => topic === 'telemetry') && seen.some(({ packed }) => packed), { what: 'telemetry and a compressed message' });
    await gate.uplink.stop();
    await until(() => seen.some(({ topic, text }) => topic === 'status' && text.includes('offline')), { what: 'the death' });

    const faults = judge();
    for (const { topic, text, packet, packed } of seen) {
      const names = messagesOf(topic);
      expect(names.some((name) => faults(name, JSON.parse(text)).length === 0), `${topic}: ${text}`).toBe(true);
      const { qos, retain } = operationOf(topic)?.bindings.mqtt ?? {};
      expect([topic, packet.qos, packet.retain]).toEqual([topic, qos, retain]);
      const sent = document.components.messages[packed ? 'eventCompressed' : (names[0] ?? '')];
      if (operationOf(topic)?.action === 'send') expect([topic, packet.properties?.contentType]).toEqual([topic, sent?.contentType]);
    }
    const topics = new Set(seen.map(({ topic }) => topic));
    expect([...topics].sort()).toEqual(['ack', 'command', 'event', 'list', 'reply', 'status', 'telemetry']);
    const codes = platform.replies.flatMap(({ code }) => (code === undefined ? [] : [code]));
    expect(new Set(codes)).toEqual(new Set(['COMMAND_EXPIRED', 'LANE_UNKNOWN', 'COMMAND_DUPLICATE']));
    for (const code of codes) expect(document.components.messages['reply']?.['x-codes']).toHaveProperty(code);
  });
});
