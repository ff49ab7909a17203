import { gunzipSync } from 'node:zlib';
import { connectAsync } from 'mqtt';
import { describe, expect, it } from 'vitest';
import { eventMessageSchema, GateLedger } from '../../src/uplink/index.js';
import { Line } from './line.js';
import { atEnd, drained, errorMessage, failed, freshDirectory, online, openJournal, passage, quick, settings, startGate, startMosquitto, startPlatform, until } from './support.js';

describe('a message larger than the broker takes', () => {
  const large = (bytes: number) => ({ type: 'passage.decided' as const, lane: 'entry', passage: 'p-large', payload: { text: '证'.repeat(bytes / 3) } });

  it('goes out without its payload, keeps its place in the chain and holds nothing up (limit named by the broker)', async () => {
    const broker = await startMosquitto(['allow_anonymous true', 'max_packet_size 8000']);
    const platform = await startPlatform({ url: broker.url });
    const gate = await startGate(settings(broker.url), { status: () => ({ lanes: 'x'.repeat(20_000) }) });
    await online(gate);
    await Promise.all(Array.from({ length: 60 }, (_, number) => gate.journal.append(number === 20 || number === 40 ? large(30_000) : passage(number))));
    await drained(gate);
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 60, reduced: [21, 41], chainBroken: [], missing: [], conflicting: [], reordered: [] });
    expect(gate.uplink.state()).toMatchObject({ connects: 1, lastError: { code: 'EVENT_TOO_LARGE' } });
    expect(errorMessage(gate)).toMatch(/event 41 .*max_packet_size/u);
    expect(platform.status('laurel', 'east')).toMatchObject({ state: 'online' });
    expect(JSON.stringify(platform.status('laurel', 'east'))).toMatch(/"tooLarge":[1-9]/u);
    expect(platform.faults).toBe(0);
    expect(await gate.journal.verify()).toEqual({ checked: 60, brokenAt: null });
  });

  it('is found out where the broker only cuts the line, as MQTT 3.1.1 brokers do', async () => {
    const broker = await startMosquitto(['allow_anonymous true', 'max_packet_size 8000']);
    const platform = await startPlatform({ url: broker.url, protocol: '3.1.1' });
    const gate = await startGate(settings(broker.url, { protocol: '3.1.1' }), { timing: { ...quick, backoffMs: 2, backoffMostMs: 10 } });
    await online(gate);
    await Promise.all(Array.from({ length: 60 }, (_, number) => gate.journal.append(number === 30 ? large(30_000) : passage(number))));
    await drained(gate);
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 60, reduced: [31], chainBroken: [], missing: [], conflicting: [], reordered: [] });
  });

  it('is found out there too where messages go packed, and what was packed says nothing of what may go plain', async () => {
    const broker = await startMosquitto(['allow_anonymous true', 'max_packet_size 20000', 'max_queued_messages 0']);
    // A platform that says what it understands with its acknowledgements only: each connection begins plain.
    const ledger = new GateLedger();
    const client = await connectAsync(broker.url, { protocolVersion: 4, reconnectPeriod: 50 });
    atEnd(() => client.endAsync(true));
    client.on('message', (_, payload) => {
      ledger.take(eventMessageSchema.parse(JSON.parse((payload.readUInt16BE(0) === 0x1f8b ? gunzipSync(payload) : payload).toString())));
      client.publish('laurel/v1/laurel/east/ack', JSON.stringify({ epoch: ledger.throughEpoch, seq: ledger.through, accepts: { encodings: ['gzip'] } }), { qos: 1 });
    });
    await client.subscribeAsync('laurel/v1/laurel/east/event', { qos: 1 });
    const gate = await startGate(settings(broker.url, { protocol: '3.1.1', batch: 100, window: 20 }), { timing: { ...quick, backoffMs: 2, backoffMostMs: 10 } });
    await online(gate);
    await gate.journal.append(passage(0));
    await until(() => gate.uplink.state().encoding === 'gzip', { what: 'the agreement' });
    const append = (count: number): Promise<unknown> => Promise.all(Array.from({ length: count }, (_, number) => gate.journal.append({ ...passage(number), payload: { number, note: 'x'.repeat(500) } })));
    await append(1_000);
    await drained(gate);
    await broker.kill();
    await append(1_000);
    await broker.start();
    await drained(gate, 40_000);
    expect(ledger.through).toBe(2_001);
    expect(gate.uplink.state().duplicate).toBeNull();
  });

  it('is no telemetry that keeps cutting the line: what is left out is said', async () => {
    const broker = await startMosquitto(['allow_anonymous true', 'max_packet_size 4000']);
    const heard: string[] = [];
    const watcher = await connectAsync(broker.url, { protocolVersion: 5 });
    atEnd(() => watcher.endAsync(true));
    watcher.on('message', (_, payload) => heard.push(payload.toString()));
    await watcher.subscribeAsync('laurel/v1/+/+/telemetry', { qos: 1 });
    const gate = await startGate(settings(broker.url, { telemetryS: 0.2 }), { telemetry: () => ({ findings: 'x'.repeat(5_000) }) });
    await until(() => heard.length >= 3, { what: 'telemetry' });
    expect(heard[0]).toMatch(/"health":\{"tooLarge":5\d{3}\}/u);
    expect(gate.uplink.state()).toMatchObject({ connection: 'online', connects: 1 });
  });

  it('is no reason to shrink anything when the line is bad: large events go whole', async () => {
    const broker = await startMosquitto();
    const line = await Line.to(broker.port);
    const platform = await startPlatform({ url: broker.url });
    const gate = await startGate(settings(line.url, { batch: 1, window: 2 }));
    await online(gate);
    await gate.journal.append(large(60_000));
    await drained(gate);
    for (let time = 0; time < 6; time += 1) {
      const handed = Array.from({ length: 5 }, () => gate.journal.append(large(60_000)));
      line.reset();
      await Promise.all(handed);
      await online(gate);
    }
    await drained(gate);
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 31, reduced: [], chainBroken: [], missing: [] });
  });

  it('is refused with what to do where the broker takes next to nothing', async () => {
    const broker = await startMosquitto(['allow_anonymous true', 'max_packet_size 1000']);
    const gate = await startGate(settings(broker.url));
    await failed(gate);
    expect(errorMessage(gate)).toMatch(/^BROKER_REFUSED: .*1000 bytes at most.*raise its limit/u);
  });
});

describe('what the platform accepts', () => {
  it('is used from its first word on: compressed, and in batches of its size', async () => {
    const broker = await startMosquitto();
    const directory = freshDirectory();
    const { journal } = await openJournal(directory);
    await Promise.all(Array.from({ length: 1_000 }, (_, number) => journal.append(passage(number))));
    await journal.stop();
    const seen: { bytes: number; gzip: boolean; type: string | undefined }[] = [];
    const watcher = await connectAsync(broker.url, { protocolVersion: 5 });
    atEnd(() => watcher.endAsync(true));
    watcher.on('message', (_, payload, packet) => seen.push({ bytes: payload.length, gzip: payload.readUInt16BE(0) === 0x1f8b, type: packet.properties?.contentType }));
    await watcher.subscribeAsync('laurel/v1/+/+/event', { qos: 1 });
    const platform = await startPlatform({ url: broker.url, accepts: { encodings: ['gzip'], batchEvents: 40 } });
    const gate = await startGate(settings(broker.url, { batch: 100 }), { directory });
    await until(() => gate.uplink.state().encoding === 'gzip', { what: 'the agreement' });
    await Promise.all(Array.from({ length: 400 }, (_, number) => gate.journal.append(passage(number))));
    await drained(gate);
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 1_400, conflicting: [], reordered: [], chainBroken: [], missing: [] });
    expect(platform.faults).toBe(0);
    const packed = seen.filter(({ gzip }) => gzip);
    // All that happened after the agreement.
    expect(packed.length).toBeGreaterThanOrEqual(400 / 40);
    expect(new Set(packed.map(({ type }) => type))).toEqual(new Set(['application/json+gzip']));
    // Forty events are some 16 kB as text.
    expect(Math.max(...packed.map(({ bytes }) => bytes))).toBeLessThan(8_000);
  });

  it('is understood over MQTT 3.1.1 too, and nothing is compressed for a platform that says nothing', async () => {
    const broker = await startMosquitto();
    const platform = await startPlatform({ url: broker.url, protocol: '3.1.1' });
    const plain = await startGate(settings(broker.url, { protocol: '3.1.1' }));
    await Promise.all(Array.from({ length: 100 }, (_, number) => plain.journal.append(passage(number))));
    await drained(plain);
    expect(plain.uplink.state().encoding).toBe('plain');
    await platform.stop();
    const other = await startPlatform({ url: broker.url, protocol: '3.1.1', accepts: { encodings: ['gzip'] } });
    await plain.uplink.stop();
    const packing = await startGate(settings(broker.url, { protocol: '3.1.1' }), { site: 'other' });
    await until(() => packing.uplink.state().encoding === 'gzip', { what: 'the agreement' });
    await Promise.all(Array.from({ length: 100 }, (_, number) => packing.journal.append(passage(number))));
    await drained(packing);
    expect(other.ledger('other', 'east')).toMatchObject({ events: 100, chainBroken: [], missing: [] });
    expect(other.faults).toBe(0);
  });
});
