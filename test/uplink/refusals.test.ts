import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { authority, signed, type Authority } from './certificates.js';
import { saying } from './scripted-broker.js';
import { atEnd, errorCode, errorMessage, failed, freshDirectory, online, openJournal, passage, settings, startGate, startMosquitto, until } from './support.js';

describe('a refusal', () => {
  it('at the sign-in is named as the standard names it, with what to do', async () => {
    const opened = await openJournal();
    for (const [reasonCode, words] of [
      [0x86, /^BROKER_REFUSED: .*Bad User Name or Password \(0x86\); check uplink\.broker\.username and password/u],
      [0x89, /Server busy \(0x89\); nothing to do/u],
      [0x8a, /Banned \(0x8a\); .*lift the ban/u],
      [0x9f, /Connection rate exceeded \(0x9f\)/u],
    ] as const) {
      const gate = await startGate(settings(await saying((packet) => (packet.cmd === 'connect' ? { cmd: 'connack', reasonCode, sessionPresent: false } : undefined))), { opened });
      await failed(gate);
      expect(errorMessage(gate)).toMatch(words);
      await gate.uplink.stop();
    }
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

describe('what a broker refuses for a while', () => {
  it('goes out again later: birth, replies and events', async () => {
    const heard: string[] = [];
    const refused = new Set<string>();
    const command = JSON.stringify({ id: 'c1', issuer: 'platform:alice', expires: Date.now() + 60_000, lane: 'entry', target: 'open', reason: 'parcel' });
    const url = await saying(({ cmd, messageId = 0, subscriptions, topic = '', payload }) => {
      if (cmd === 'connect') return { cmd: 'connack', reasonCode: 0, sessionPresent: false };
      if (cmd === 'subscribe') return { cmd: 'suback', messageId, granted: Array.from({ length: subscriptions?.length ?? 1 }, () => 1) };
      if (cmd !== 'publish' || topic.endsWith('/telemetry')) return undefined;
      const state = /"state":"(\w+)"/u.exec(String(payload))?.[1] ?? '';
      const name = `${topic.split('/').at(-1) ?? ''} ${state}`.trim();
      if (!refused.has(name)) {
        refused.add(name);
        const order = { cmd: 'publish' as const, topic: 'laurel/v1/laurel/east/command', payload: command, qos: 0 as const, dup: false, retain: false };
        return [{ cmd: 'puback', messageId, reasonCode: 0x97 }, ...(name === 'status online' ? [order] : [])];
      }
      heard.push(name);
      return { cmd: 'puback', messageId, reasonCode: 0 };
    });
    const gate = await startGate(settings(url));
    await until(() => ['status online', 'reply accepted', 'reply done', 'event'].every((name) => heard.includes(name)), { what: 'everything once more' });
    expect(gate.uplink.state()).toMatchObject({ connection: 'online', connects: 1 });
    expect(gate.commands).toHaveLength(1);
  });
});

describe('the end of a connection', () => {
  it('is told within what the broker takes at once, also when it has answered nothing for a while', async () => {
    const heard: { name: string; qos: unknown }[] = [];
    const url = await saying(({ cmd, messageId = 0, subscriptions, topic = '', payload, ...packet }) => {
      if (cmd === 'connect') return { cmd: 'connack', reasonCode: 0, sessionPresent: false, properties: { receiveMaximum: 3 } };
      if (cmd === 'subscribe') return { cmd: 'suback', messageId, granted: Array.from({ length: subscriptions?.length ?? 1 }, () => 1) };
      if (cmd === 'publish' && !topic.endsWith('/telemetry')) heard.push({ name: topic.endsWith('/status') ? String(payload) : 'event', qos: 'qos' in packet ? packet.qos : undefined });
      if (cmd === 'disconnect') heard.push({ name: 'goodbye', qos: undefined });
      return undefined;
    });
    const gate = await startGate(settings(url, { window: 50, batch: 1 }));
    await online(gate);
    await Promise.all(Array.from({ length: 20 }, (_, number) => gate.journal.append(passage(number))));
    await until(() => heard.length === 3, { what: 'as many as may be on the way' });
    await gate.uplink.stop();
    await until(() => heard.at(-1)?.name === 'goodbye', { what: 'the goodbye' });
    expect(heard.filter(({ qos }) => qos === 1)).toHaveLength(3);
    expect(heard.at(-2)?.name).toContain('"reason":"stopped"');
    expect(heard.at(-2)?.qos).toBe(0);
  });
});

describe('TLS', () => {
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

  type Messages = (url: string, broker: Parameters<typeof settings>[2]) => Promise<string>;

  /** What a gate with these settings says, one after the other over one journal: nothing is written to it. */
  async function messages(): Promise<{ readonly messageFor: Messages; readonly signsIn: (...given: Parameters<Messages>) => Promise<void> }> {
    const opened = await openJournal();
    return {
      messageFor: async (url, broker) => {
        const gate = await startGate(settings(url, {}, broker), { opened });
        await failed(gate);
        expect(gate.uplink.state().connects).toBe(0);
        await gate.uplink.stop();
        return errorMessage(gate);
      },
      signsIn: async (url, broker) => {
        const gate = await startGate(settings(url, {}, broker), { opened });
        await online(gate);
        await gate.uplink.stop();
      },
    };
  }

  it("says what is wrong with the broker's certificate", async () => {
    const { messageFor, signsIn } = await messages();
    const own = authority();
    const good = await serve(own, signed(own, 'good'));
    await signsIn(good, { ca: own.ca });
    expect(await messageFor(good, { ca: authority().ca })).toMatch(/^BROKER_TLS: .*not signed by an authority this gate knows; write the broker's CA into uplink\.broker\.ca/u);
    expect(await messageFor(good, {})).toMatch(/^BROKER_TLS: .*uplink\.broker\.ca/u);
    expect(await messageFor(good, { ca: '/nowhere/ca.pem' })).toMatch(/^BROKER_TLS: .*\/nowhere\/ca\.pem cannot be read \(ENOENT\)/u);
    expect(await messageFor(await serve(own, signed(own, 'named', { altName: 'DNS:other.example' })), { ca: own.ca })).toMatch(/^BROKER_TLS: .*certificate is for another name; write the name/u);
    expect(await messageFor(await serve(own, signed(own, 'old', { days: '-1' })), { ca: own.ca })).toMatch(/^BROKER_TLS: .*certificate has expired; check the gate's clock first/u);
  });

  it("says what is wrong with the gate's own certificate", async () => {
    const { messageFor, signsIn } = await messages();
    const own = authority();
    const url = await serve(own, signed(own, 'server'), ['require_certificate true']);
    const mine = (name: string, of: Authority, days = '2'): { ca: string; certificate: string; key: string } => {
      const { certificate, key } = signed(of, name, { days });
      return { ca: own.ca, certificate, key: readFileSync(key, 'utf8') };
    };
    await signsIn(url, mine('gate', own));
    expect(await messageFor(url, { ca: own.ca })).toMatch(/^BROKER_TLS: .*the broker wants a client certificate.*set uplink\.broker\.certificate and uplink\.broker\.key/u);
    expect(await messageFor(url, mine('expired', own, '-1'))).toMatch(/^BROKER_TLS: .*this gate's certificate has expired; check the gate's clock/u);
    expect(await messageFor(url, mine('foreign', authority()))).toMatch(/^BROKER_TLS: .*does not accept this gate's certificate/u);
    expect(await messageFor(url, { ...mine('one', own), key: mine('two', own).key })).toMatch(/^BROKER_TLS: .*does not belong to/u);
  });

  it('says that there is no TLS at the port, or that the broker wants it', async () => {
    const { messageFor } = await messages();
    const plain = await startMosquitto();
    expect(await messageFor(`mqtts://127.0.0.1:${plain.port}`, {})).toMatch(/whether TLS belongs there|there is no TLS at this port/u);
    const own = authority();
    const url = await serve(own, signed(own, 'server'));
    expect(await messageFor(url.replace('mqtts:', 'mqtt:'), {})).toMatch(/^BROKER_UNREACHABLE: .*closed the connection before it had answered|BROKER_UNREACHABLE: .*cut the line/u);
    expect(await messageFor(await serveOldTls(signed(own, 'old')), { ca: own.ca })).toMatch(/^BROKER_TLS: .*the broker offers no TLS 1\.2 or newer/u);
  });
});
