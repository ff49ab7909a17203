import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { connectAsync } from 'mqtt';
import { generate, parser } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/system-clock.js';
import { Line } from './line.js';
import { atEnd, drained, freshDirectory, online, openJournal, passage, quick, settings, startGate, startMosquitto, startPlatform, until, type Gate } from './support.js';

const errorCode = (gate: Gate): string | undefined => gate.uplink.state().lastError?.code;
const errorMessage = (gate: Gate): string => gate.uplink.state().lastError?.message ?? '';
const eventsOf = async (gate: Gate, type: 'uplink.duplicate-client' | 'uplink.recovered') => gate.journal.events({ types: [type], limit: 10 });
const failed = (gate: Gate): Promise<boolean> => until(() => gate.uplink.state().lastError !== null, { what: 'the trouble in the state' });

/** A broker that gives the answers it is told to. */
async function saying(make: (packet: { cmd: string; messageId?: number | undefined; subscriptions?: readonly object[] }) => Parameters<typeof generate>[0] | undefined): Promise<string> {
  const server = createServer((socket) => {
    const packets = parser({ protocolVersion: 5 });
    socket.on('data', (bytes) => packets.parse(bytes));
    socket.on('error', () => undefined);
    packets.on('packet', (packet) => {
      const answer = make(packet);
      if (answer !== undefined) socket.write(generate(answer, { protocolVersion: 5 }));
    });
    atEnd(() => void socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => void server.close());
  const address = server.address();
  return `mqtt://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

describe('several brokers', () => {
  it('are tried in order of preference, and the preferred one is gone back to, with every event once and in order', async () => {
    const broker = await startMosquitto();
    // Two ways to the same platform, so that what arrives over both ends up in one book.
    const preferred = await Line.to(broker.port);
    const spare = await Line.to(broker.port);
    preferred.close();
    const platform = await startPlatform({ url: broker.url });
    const gate = await startGate(settings('', { brokers: [{ url: preferred.url }, { url: spare.url }], batch: 5 }), { timing: { ...quick, preferMs: 100, preferMostMs: 200 } });
    await online(gate);
    expect(gate.uplink.state()).toMatchObject({ broker: spare.url, preference: 2, brokers: 2 });
    expect(gate.uplink.state().detail).toContain('number 2 in order of preference');
    const append = (first: number): Promise<unknown> => Promise.all(Array.from({ length: 200 }, (_, number) => gate.journal.append(passage(first + number))));
    await append(0);
    preferred.open();
    await append(200);
    await until(() => gate.uplink.state().preference === 1 && gate.uplink.state().connection === 'online', { what: 'the way back to the preferred broker' });
    await append(400);
    preferred.close();
    await append(600);
    await drained(gate);
    await until(() => gate.uplink.state().preference === 2 && gate.uplink.state().connection === 'online', { what: 'the spare again' });
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 800, conflicting: [], reordered: [], chainBroken: [], missing: [] });
    expect(await eventsOf(gate, 'uplink.duplicate-client')).toEqual([]);
  });

  it('are told that the gate has moved away from them', async () => {
    const first = await startMosquitto();
    const second = await startMosquitto();
    const way = await Line.to(first.port);
    way.close();
    const there = await startPlatform({ url: first.url });
    const here = await startPlatform({ url: second.url });
    const gate = await startGate(settings('', { brokers: [{ url: way.url }, { url: second.url }] }), { timing: { ...quick, preferMs: 100, preferMostMs: 200 } });
    await until(() => here.status('laurel', 'east')?.state === 'online', { what: 'the birth at the spare broker' });
    await gate.journal.append(passage(1));
    await drained(gate);
    way.open();
    await until(() => there.status('laurel', 'east')?.state === 'online', { what: 'the birth at the preferred broker' });
    expect(here.status('laurel', 'east')).toMatchObject({ state: 'offline', reason: 'moved' });
    expect(gate.uplink.state()).toMatchObject({ broker: way.url, preference: 1, detail: '' });
  });

  it('are all tried before a pause, and the pauses lie between the rounds', async () => {
    const waits: number[] = [];
    const gate = await startGate(settings('', { brokers: [{ url: 'mqtt://127.0.0.1:1' }, { url: 'mqtt://127.0.0.1:2' }, { url: 'mqtt://127.0.0.1:3' }] }), {
      random: () => 0.5,
      timing: { ...quick, backoffMs: 40, backoffMostMs: 100_000 },
      clock: {
        ...systemClock,
        after: (ms, run) => {
          waits.push(ms);
          return systemClock.after(ms, run);
        },
      },
    });
    await until(() => waits.filter((ms) => ms === 80).length > 0, { what: 'three rounds' });
    // 1,000 is telemetry.
    expect(waits.filter((ms) => ms !== 1_000).slice(0, 9)).toEqual([0, 0, 20, 0, 0, 40, 0, 0, 80]);
    expect(errorMessage(gate)).toContain('nothing listens there');
  });
});

describe('a client id', () => {
  const twins = { backoffMs: 20, backoffMostMs: 100, stableMs: 60_000, duplicateQuietMs: 300 };

  it.each(['5', '3.1.1'] as const)('that a second box with the same gate id signs in with is reported on both, once, until the box is gone (MQTT %s)', async (protocol) => {
    const broker = await startMosquitto();
    const first = await startGate(settings(broker.url, { protocol }), { timing: { ...quick, ...twins } });
    await until(async () => (await first.journal.outbox()).head >= 0 && first.uplink.state().connection === 'online', { what: 'the first box online' });
    const second = await startGate(settings(broker.url, { protocol }), { timing: { ...quick, ...twins } });
    await until(() => first.uplink.state().duplicate !== null && second.uplink.state().duplicate !== null, { what: 'both to notice' });
    expect(first.uplink.state().duplicate?.message).toMatch(/^BROKER_CLIENT_ID_TAKEN: .*second box .*gate east of site laurel.*gate\.id of its own/u);
    expect(first.uplink.state().detail).toBe(first.uplink.state().duplicate?.message);
    expect(await eventsOf(first, 'uplink.recovered')).toEqual([]);
    await second.uplink.stop();
    await until(async () => (await eventsOf(first, 'uplink.recovered')).length === 1, { what: 'the all-clear' });
    expect(await eventsOf(first, 'uplink.duplicate-client')).toMatchObject([{ payload: { clientId: 'laurel-laurel-east', evidence: 'status', other: { epoch: 1 } } }]);
    expect(first.uplink.state()).toMatchObject({ connection: 'online', duplicate: null, detail: '' });
  });

  it.each(['5', '3.1.1'] as const)('that another program signs in with is told from a second box (MQTT %s)', async (protocol) => {
    const broker = await startMosquitto();
    const gate = await startGate(settings(broker.url, { protocol }), { timing: { ...quick, ...twins, duplicateQuietMs: 60_000 } });
    const platform = await startPlatform({ url: broker.url });
    for (let time = 0; gate.uplink.state().duplicate === null && time < 20; time += 1) {
      await until(() => gate.uplink.state().connection === 'online' && platform.status('laurel', 'east')?.state === 'online', { what: 'the gate online' });
      const connects = gate.uplink.state().connects;
      const other = await connectAsync(broker.url, { clientId: 'laurel-laurel-east', protocolVersion: protocol === '5' ? 5 : 4, reconnectPeriod: 0 });
      await until(() => gate.uplink.state().connects > connects, { what: 'the gate thrown out and back' });
      other.end(true);
    }
    expect(gate.uplink.state().duplicate?.message).toMatch(/^BROKER_CLIENT_ID_TAKEN: .*another client signs in with the client id laurel-laurel-east/u);
    await until(async () => (await eventsOf(gate, 'uplink.duplicate-client')).length === 1, { what: 'the record' });
    expect(await eventsOf(gate, 'uplink.duplicate-client')).toMatchObject([{ payload: { evidence: 'closed' } }]);
  });

  it('that the broker says was taken over is reported by the second time', async () => {
    const url = await saying((packet) => {
      if (packet.cmd === 'connect') return { cmd: 'connack', reasonCode: 0, sessionPresent: false };
      if (packet.cmd === 'subscribe') return { cmd: 'suback', messageId: packet.messageId ?? 0, granted: Array.from({ length: packet.subscriptions?.length ?? 1 }, () => 1) };
      return packet.cmd === 'publish' ? { cmd: 'disconnect', reasonCode: 0x8e } : undefined;
    });
    const gate = await startGate(settings(url), { timing: { ...quick, ...twins, duplicateQuietMs: 60_000 } });
    await until(() => gate.uplink.state().duplicate !== null, { what: 'the report' });
    expect(gate.uplink.state().duplicate?.message).toMatch(/another client signs in with the client id laurel-laurel-east \(2 times by now\)/u);
    await until(async () => (await eventsOf(gate, 'uplink.duplicate-client')).length === 1, { what: 'the record' });
    expect(await eventsOf(gate, 'uplink.duplicate-client')).toMatchObject([{ payload: { evidence: 'taken-over' } }]);
  });

  it('that this gate takes over from its own dead connection, or after a restart, is no duplicate', async () => {
    const broker = await startMosquitto();
    const line = await Line.to(broker.port);
    const directory = freshDirectory();
    const before = await startGate(settings(line.url), { directory });
    await online(before);
    for (let time = 0; time < 4; time += 1) {
      const { connects } = before.uplink.state();
      line.cut();
      await until(() => before.uplink.state().connects > connects && before.uplink.state().connection === 'online', { what: 'the reconnect' });
    }
    await before.uplink.stop();
    await before.journal.stop();
    const after = await startGate(settings(broker.url), { directory });
    await online(after);
    await after.journal.append(passage(1));
    const platform = await startPlatform({ url: broker.url });
    await drained(after);
    expect(platform.status('laurel', 'east')).toMatchObject({ state: 'online', epoch: 2 });
    expect(after.uplink.state().duplicate).toBeNull();
    expect(await eventsOf(after, 'uplink.duplicate-client')).toEqual([]);
  });
});

describe('a status', () => {
  it('that calls the gate dead, because an old last will came late, is put right', async () => {
    const broker = await startMosquitto();
    const platform = await startPlatform({ url: broker.url });
    const gate = await startGate(settings(broker.url));
    await until(() => platform.status('laurel', 'east')?.state === 'online', { what: 'the birth' });
    execFileSync('mosquitto_pub', ['-p', String(broker.port), '-t', 'laurel/v1/laurel/east/status', '-q', '1', '-r', '-m', '{"state":"offline","epoch":1,"reason":"lost"}']);
    await until(() => platform.status('laurel', 'east')?.state === 'online', { what: 'the birth anew' });
    expect(gate.uplink.state().connects).toBe(1);
  });
});

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
      line.cut();
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
    expect(packed.length).toBeGreaterThan(10);
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

describe('a refusal', () => {
  it.each([
    [0x86, /^BROKER_REFUSED: .*Bad User Name or Password \(0x86\); check uplink\.broker\.username and password/u],
    [0x89, /Server busy \(0x89\); nothing to do/u],
    [0x8a, /Banned \(0x8a\); .*lift the ban/u],
    [0x9f, /Connection rate exceeded \(0x9f\)/u],
  ])('at the sign-in, reason %i, is named as the standard names it, with what to do', async (reasonCode, words) => {
    const gate = await startGate(settings(await saying((packet) => (packet.cmd === 'connect' ? { cmd: 'connack', reasonCode, sessionPresent: false } : undefined))));
    await failed(gate);
    expect(errorMessage(gate)).toMatch(words);
  });

  it('right after the sign-in, for a quota, is named too', async () => {
    const gate = await startGate(settings(await saying((packet) => (packet.cmd === 'connect' ? { cmd: 'connack', reasonCode: 0, sessionPresent: false } : { cmd: 'disconnect', reasonCode: 0x97 }))));
    await failed(gate);
    expect(errorMessage(gate)).toMatch(/^BROKER_REFUSED: .*the broker ended the connection: Quota exceeded \(0x97\); raise this gate's quota/u);
  });

  it('of a subscription or of an event by the rules of a real broker says what to look at', async () => {
    const rules = join(freshDirectory(), 'rules');
    writeFileSync(rules, 'topic readwrite laurel/v1/laurel/east/#\n');
    const broker = await startMosquitto(['allow_anonymous true', `acl_file ${rules}`, 'user root']);
    const right = await startGate(settings(broker.url));
    await online(right);
    const wrong = await startGate(settings(broker.url), { site: 'elsewhere' });
    await wrong.journal.append(passage(1));
    await until(() => errorCode(wrong) === 'BROKER_REFUSED', { what: 'the refusal' });
    expect(errorMessage(wrong)).toMatch(/Not authorized \(0x87\); check what the broker's access rules allow this gate/u);
  });
});

describe('TLS', () => {
  interface Authority {
    readonly directory: string;
    readonly ca: string;
  }

  const openssl = (...args: readonly string[]): unknown => execFileSync('openssl', args, { stdio: 'ignore' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

  function authority(): Authority {
    const directory = freshDirectory();
    const ca = join(directory, 'ca.pem');
    openssl('req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=test authority', '-keyout', join(directory, 'ca.key'), '-out', ca);
    return { directory, ca };
  }

  function signed({ directory, ca }: Authority, name: string, { altName = 'IP:127.0.0.1', days = '2' } = {}): { readonly key: string; readonly certificate: string } {
    const [key = '', request = '', extensions = '', certificate = ''] = ['key', 'csr', 'ext', 'pem'].map((ending) => join(directory, `${name}.${ending}`));
    writeFileSync(extensions, `subjectAltName=${altName}\n`);
    openssl('req', '-new', ...newKey, '-subj', `/CN=${name}`, '-keyout', key, '-out', request);
    openssl('x509', '-req', '-in', request, '-CA', ca, '-CAkey', join(directory, 'ca.key'), '-CAcreateserial', '-days', days, '-extfile', extensions, '-out', certificate);
    return { key, certificate };
  }

  const serve = async (own: Authority, server: { key: string; certificate: string }, more: readonly string[] = []): Promise<string> => {
    const broker = await startMosquitto(['allow_anonymous true', 'user root'], [`certfile ${server.certificate}`, `keyfile ${server.key}`, `cafile ${own.ca}`, ...more]);
    return `mqtts://127.0.0.1:${broker.port}`;
  };

  /** mosquitto cannot be kept from newer versions; this one speaks TLS 1.1 at most. */
  const serveOldTls = async ({ key, certificate }: { key: string; certificate: string }): Promise<string> => {
    const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(certificate), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    atEnd(() => void server.close());
    const address = server.address();
    return `mqtts://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  };

  const messageFor = async (url: string, broker: Parameters<typeof settings>[2]): Promise<string> => {
    const gate = await startGate(settings(url, {}, broker));
    await failed(gate);
    expect(gate.uplink.state().connects).toBe(0);
    return errorMessage(gate);
  };

  it("says what is wrong with the broker's certificate", async () => {
    const own = authority();
    const good = await serve(own, signed(own, 'good'));
    await online(await startGate(settings(good, {}, { ca: own.ca })));
    expect(await messageFor(good, { ca: authority().ca })).toMatch(/^BROKER_TLS: .*not signed by an authority this gate knows; write the broker's CA into uplink\.broker\.ca/u);
    expect(await messageFor(good, {})).toMatch(/^BROKER_TLS: .*uplink\.broker\.ca/u);
    expect(await messageFor(good, { ca: '/nowhere/ca.pem' })).toMatch(/^BROKER_TLS: .*\/nowhere\/ca\.pem cannot be read \(ENOENT\)/u);
    expect(await messageFor(await serve(own, signed(own, 'named', { altName: 'DNS:other.example' })), { ca: own.ca })).toMatch(/^BROKER_TLS: .*certificate is for another name; write the name/u);
    expect(await messageFor(await serve(own, signed(own, 'old', { days: '-1' })), { ca: own.ca })).toMatch(/^BROKER_TLS: .*certificate has expired; check the gate's clock first/u);
  });

  it("says what is wrong with the gate's own certificate", async () => {
    const own = authority();
    const url = await serve(own, signed(own, 'server'), ['require_certificate true']);
    const mine = (name: string, of: Authority, days = '2'): { ca: string; certificate: string; key: string } => {
      const { certificate, key } = signed(of, name, { days });
      return { ca: own.ca, certificate, key: readFileSync(key, 'utf8') };
    };
    await online(await startGate(settings(url, {}, mine('gate', own))));
    expect(await messageFor(url, { ca: own.ca })).toMatch(/^BROKER_TLS: .*the broker wants a client certificate.*set uplink\.broker\.certificate and key/u);
    expect(await messageFor(url, mine('expired', own, '-1'))).toMatch(/^BROKER_TLS: .*this gate's certificate has expired; check the gate's clock/u);
    expect(await messageFor(url, mine('foreign', authority()))).toMatch(/^BROKER_TLS: .*does not accept this gate's certificate/u);
    expect(await messageFor(url, { ...mine('one', own), key: mine('two', own).key })).toMatch(/^BROKER_TLS: .*does not belong to/u);
  });

  it('says that there is no TLS at the port, or that the broker wants it', async () => {
    const plain = await startMosquitto();
    expect(await messageFor(`mqtts://127.0.0.1:${plain.port}`, {})).toMatch(/whether TLS belongs there|there is no TLS at this port/u);
    const own = authority();
    const url = await serve(own, signed(own, 'server'));
    expect(await messageFor(url.replace('mqtts:', 'mqtt:'), {})).toMatch(/^BROKER_UNREACHABLE: .*closed the connection before it had answered|BROKER_UNREACHABLE: .*cut the line/u);
    expect(await messageFor(await serveOldTls(signed(own, 'old')), { ca: own.ca })).toMatch(/^BROKER_TLS: .*the broker offers no TLS 1\.2 or newer/u);
  });
});
