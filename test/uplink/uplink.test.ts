import { readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { createServer, connect as connectSocket, type Socket } from 'node:net';
import { join } from 'node:path';
import { generate, parser } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { EmbeddedBroker, type CommandMessage } from '../../src/uplink/index.js';
import { atEnd, drained, freshDirectory, online, passage, selfSigned, settings, startGate, startMosquitto, startPlatform, until } from './support.js';

const command = (id: string, more: Partial<CommandMessage> = {}): CommandMessage => ({
  id,
  issuer: 'platform:alice',
  expires: Date.now() + 30_000,
  lane: 'entry',
  target: 'open',
  reason: 'parcel',
  ...more,
});

describe('birth and death', () => {
  it('tells the platform that it is there, how it is, and that it goes down in order', async () => {
    const broker = await startMosquitto();
    const platform = await startPlatform({ url: broker.url });
    const gate = await startGate(settings(broker.url));
    await until(() => platform.status('laurel', 'east')?.state === 'online', { what: 'the birth' });
    expect(platform.status('laurel', 'east')).toMatchObject({ state: 'online', epoch: 1, promise: 'platform', gate: { version: '0.1.0' } });
    await gate.uplink.stop();
    await until(() => platform.status('laurel', 'east')?.state === 'offline', { what: 'the death' });
    expect(platform.status('laurel', 'east')).toMatchObject({ state: 'offline', epoch: 1, reason: 'stopped' });
    expect(gate.uplink.state().connection).toBe('stopped');
  });

  it('is reported lost by the broker when the line is cut without a word, and comes back by itself', async () => {
    const broker = await startMosquitto();
    const sockets = new Set<Socket>();
    const line = createServer((near) => {
      const far = connectSocket(broker.port, '127.0.0.1');
      for (const [one, other] of [[near, far], [far, near]] as const) {
        sockets.add(one);
        one.pipe(other);
        one.on('error', () => undefined);
        one.on('close', () => other.destroy());
      }
    });
    await new Promise<void>((resolve) => line.listen(0, '127.0.0.1', resolve));
    atEnd(() => {
      line.close();
      for (const socket of sockets) socket.destroy();
    });
    const address = line.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const platform = await startPlatform({ url: broker.url });
    const gate = await startGate(settings(`mqtt://127.0.0.1:${port}`));
    await until(() => platform.status('laurel', 'east')?.state === 'online', { what: 'the birth' });
    const seen: string[] = [];
    gate.uplink.onState((state) => seen.push(state.connection));
    for (const socket of sockets) socket.destroy();
    await until(() => seen.includes('offline') && gate.uplink.state().connection === 'online', { what: 'the reconnect' });
    await until(() => platform.status('laurel', 'east')?.state === 'online', { what: 'the second birth' });
    expect(gate.uplink.state().connects).toBeGreaterThan(1);
    expect(seen).toContain('connecting');
  });

  it('shows a change of a lane in the retained status, also to a platform that comes later', async () => {
    const broker = await startMosquitto();
    let boom = 'closed';
    const gate = await startGate(settings(broker.url), { status: () => ({ boom }) });
    await online(gate);
    boom = 'open';
    gate.uplink.statusChanged();
    gate.uplink.statusChanged();
    const platform = await startPlatform({ url: broker.url });
    await until(() => JSON.stringify([platform.status('laurel', 'east')]).includes('"boom":"open"'), { what: 'the changed status' });
  });
});

describe('events', () => {
  it('reach the platform once, in order, with the chain whole, and are let go only when it has them', async () => {
    const broker = await startMosquitto();
    const platform = await startPlatform({ url: broker.url, acknowledge: false });
    const gate = await startGate(settings(broker.url), { timing: { resendMs: 60_000 } });
    await Promise.all(Array.from({ length: 300 }, (_, number) => gate.journal.append(passage(number))));
    await until(() => platform.through('laurel', 'east') === 300, { what: 'the events at the platform' });
    expect(gate.uplink.state().backlog).toBe(300);
    platform.acknowledge(true);
    await drained(gate);
    expect(await gate.journal.outbox()).toEqual({ head: 300, acknowledged: 300 });
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 300, repeated: 0, conflicting: [], reordered: [], chainBroken: [], missing: [], through: 300 });
    expect(platform.faults).toBe(0);
  });

  it('are sent again from the last acknowledgement when the platform was not there to hear them', async () => {
    const broker = await startMosquitto();
    const gate = await startGate(settings(broker.url));
    await online(gate);
    await Promise.all(Array.from({ length: 50 }, (_, number) => gate.journal.append(passage(number))));
    await until(() => gate.uplink.state().lastError?.message.includes('nobody has subscribed') === true, { what: 'the missing subscriber noticed' });
    expect((await gate.journal.outbox()).acknowledged).toBe(0);
    const platform = await startPlatform({ url: broker.url });
    await drained(gate);
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 50, missing: [], chainBroken: [] });
  });

  it('survive a broker that is killed in the middle and flaps: none lost, none doubled, order kept', async () => {
    const broker = await startMosquitto();
    const arrived: { seq: number; historical: boolean }[] = [];
    const platform = await startPlatform({ url: broker.url, onEvent: (_, event, historical) => arrived.push({ seq: event.seq, historical }) });
    const gate = await startGate(settings(broker.url, { batch: 3, window: 4 }));
    let number = 0;
    for (let flap = 0; flap < 4; flap += 1) {
      await online(gate);
      const handed = Array.from({ length: 150 }, () => gate.journal.append(passage((number += 1))));
      await handed[40];
      await broker.kill();
      await Promise.all(handed);
      await broker.start();
    }
    await drained(gate);
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 600, conflicting: [], reordered: [], chainBroken: [], missing: [], through: 600 });
    expect(new Set(arrived.map(({ seq }) => seq)).size).toBe(600);
    expect(arrived.some(({ historical }) => historical)).toBe(true);
  });

  it('that happen now pass a long backlog without holding it up', async () => {
    const broker = await startMosquitto();
    const directory = freshDirectory();
    const before = await startGate(settings('mqtt://127.0.0.1:1'), { directory });
    await Promise.all(Array.from({ length: 6_000 }, (_, number) => before.journal.append(passage(number))));
    await before.uplink.stop();
    await before.journal.stop();
    const arrivals: { seq: number; historical: boolean }[] = [];
    const platform = await startPlatform({ url: broker.url, onEvent: (_, event, historical) => arrivals.push({ seq: event.seq, historical }) });
    const gate = await startGate(settings(broker.url, { batch: 2, window: 5 }), { directory });
    await until(() => arrivals.length > 200, { what: 'the backlog under way' });
    const live = await gate.journal.append(passage(9_999));
    const arrivedBefore = arrivals.length;
    await until(() => arrivals.some(({ seq }) => seq === live.seq), { what: 'the live event' });
    const place = arrivals.findIndex(({ seq }) => seq === live.seq);
    expect(arrivals[place]?.historical).toBe(false);
    expect(place - arrivedBefore).toBeLessThan(500);
    expect(place).toBeLessThan(6_000);
    await drained(gate, 40_000);
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 6_001, missing: [], reordered: [], conflicting: [] });
  });

  it('count as delivered with the broker where the platform cannot acknowledge, and the state says so', async () => {
    const broker = await startMosquitto();
    const platform = await startPlatform({ url: broker.url, acknowledge: false });
    const gate = await startGate(settings(broker.url, { platformAcknowledges: false }));
    await Promise.all(Array.from({ length: 120 }, (_, number) => gate.journal.append(passage(number))));
    await drained(gate);
    expect(gate.uplink.state().promise).toBe('broker');
    expect(platform.status('laurel', 'east')).toMatchObject({ promise: 'broker' });
    await until(() => platform.through('laurel', 'east') === 120, { what: 'the events' });
  });

  it('keep within the receive maximum that the broker names', async () => {
    // A broker of our own that takes its time to acknowledge: it counts what is on the way.
    let outstanding = 0;
    let most = 0;
    const taken: string[] = [];
    const server = createServer((socket) => {
      const packets = parser({ protocolVersion: 5 });
      const say = (packet: Parameters<typeof generate>[0]): unknown => !socket.destroyed && socket.write(generate(packet, { protocolVersion: 5 }));
      socket.on('data', (bytes) => packets.parse(bytes));
      socket.on('error', () => undefined);
      packets.on('packet', (packet) => {
        if (packet.cmd === 'connect') say({ cmd: 'connack', reasonCode: 0, sessionPresent: false, properties: { receiveMaximum: 3 } });
        if (packet.cmd === 'subscribe') say({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: packet.subscriptions.map(() => 1) });
        if (packet.cmd !== 'publish' || packet.qos !== 1) return;
        outstanding += 1;
        most = Math.max(most, outstanding);
        taken.push(packet.topic);
        setTimeout(() => {
          outstanding -= 1;
          say({ cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode: 0 });
        }, 5);
      });
      atEnd(() => void socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    atEnd(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const gate = await startGate(settings(`mqtt://127.0.0.1:${port}`, { window: 50, batch: 1, platformAcknowledges: false }));
    await online(gate);
    await Promise.all(Array.from({ length: 60 }, (_, number) => gate.journal.append(passage(number))));
    await drained(gate);
    expect(taken.filter((topic) => topic.endsWith('/event')).length).toBe(60);
    expect(most).toBe(3);
  });
});

describe('commands', () => {
  it('are accepted, carried out once and answered, and are on record', async () => {
    const broker = await startMosquitto();
    const platform = await startPlatform({ url: broker.url });
    const gate = await startGate(settings(broker.url));
    await until(() => platform.status('laurel', 'east')?.state === 'online', { what: 'the birth' });
    const ended = platform.replyTo('c-1');
    platform.send('laurel', 'east', command('c-1', { expires: new Date(Date.now() + 20_000).toISOString(), target: 'hold' }));
    expect(await ended).toMatchObject({ id: 'c-1', state: 'done', lane: 'entry', epoch: 1 });
    expect(platform.replies.map((reply) => reply.state)).toEqual(['accepted', 'done']);
    expect(gate.commands).toMatchObject([{ id: 'c-1', target: 'hold', issuer: 'platform:alice' }]);
    expect(await gate.journal.events({ types: ['command.accepted'], limit: 5 })).toMatchObject([{ lane: 'entry', payload: { id: 'c-1', target: 'hold', reason: 'parcel' } }]);
  });

  it('act once however often they come, also after a restart of the gate', async () => {
    const broker = await startMosquitto();
    const directory = freshDirectory();
    const platform = await startPlatform({ url: broker.url });
    const first = await startGate(settings(broker.url), { directory, outcome: { outcome: 'failed', code: 'DEVICE_LOST', reason: 'the relay board does not answer' } });
    await online(first);
    const order = command('c-2');
    for (let copy = 0; copy < 3; copy += 1) platform.send('laurel', 'east', order);
    await until(() => platform.replies.filter((reply) => reply.state === 'failed').length >= 1 && platform.replies.length >= 4, { what: 'the answers' });
    expect(first.commands.length).toBe(1);
    await first.uplink.stop();
    await first.journal.stop();
    const second = await startGate(settings(broker.url), { directory });
    await online(second);
    const again = platform.replyTo('c-2');
    platform.send('laurel', 'east', order);
    expect(await again).toMatchObject({ state: 'failed', code: 'DEVICE_LOST', epoch: 2 });
    expect(second.commands).toEqual([]);
  });

  it('that a restart cut off are answered as failed and not begun again', async () => {
    const broker = await startMosquitto();
    const directory = freshDirectory();
    const platform = await startPlatform({ url: broker.url });
    const first = await startGate(settings(broker.url), { directory, command: () => new Promise(() => undefined) });
    await online(first);
    platform.send('laurel', 'east', command('c-3'));
    await until(() => platform.replies.some((reply) => reply.state === 'accepted'), { what: 'accepted' });
    await first.uplink.stop();
    await first.journal.stop();
    const ended = platform.replyTo('c-3');
    const second = await startGate(settings(broker.url), { directory });
    expect(await ended).toMatchObject({ state: 'failed', code: 'COMMAND_INTERRUPTED' });
    expect(second.commands).toEqual([]);
  });

  it.each<[string, Partial<CommandMessage>, string]>([
    ['has expired', { expires: 1_000 }, 'COMMAND_EXPIRED'],
    ['expires in a week', { expires: Date.now() + 7 * 86_400_000 }, 'COMMAND_INVALID'],
  ])('is refused with a code when it %s', async (_, more, code) => {
    const broker = await startMosquitto();
    const platform = await startPlatform({ url: broker.url });
    const gate = await startGate(settings(broker.url));
    await online(gate);
    const ended = platform.replyTo('c-4');
    platform.send('laurel', 'east', command('c-4', more));
    expect(await ended).toMatchObject({ state: 'refused', code });
    expect(gate.commands).toEqual([]);
    expect(await gate.journal.events({ types: ['command.refused'], limit: 5 })).toMatchObject([{ payload: { id: 'c-4', code } }]);
  });

  it('is refused when retained, at once and at every reconnect, and when it is no command or the clock is not set', async () => {
    const broker = await startMosquitto();
    const platform = await startPlatform({ url: broker.url });
    let trusted = true;
    const gate = await startGate(settings(broker.url), { clockTrusted: () => trusted });
    await online(gate);
    const retained = platform.replyTo('c-5');
    platform.send('laurel', 'east', command('c-5'), { retain: true });
    expect(await retained).toMatchObject({ state: 'refused', code: 'COMMAND_RETAINED' });
    const invalid = platform.replyTo('c-6');
    execFileSync('mosquitto_pub', ['-p', String(broker.port), '-t', 'laurel/v1/laurel/east/command', '-q', '1', '-m', '{"id":"c-6","target":"toggle"}']);
    expect(await invalid).toMatchObject({ state: 'refused', code: 'COMMAND_INVALID' });
    trusted = false;
    const unsure = platform.replyTo('c-7');
    platform.send('laurel', 'east', command('c-7'));
    expect(await unsure).toMatchObject({ state: 'refused', code: 'COMMAND_REFUSED' });
    expect(gate.commands).toEqual([]);
  });
});

describe('brokers', () => {
  it('of MQTT 3.1.1, such as the embedded one, are served too', async () => {
    const broker = new EmbeddedBroker();
    const { url } = await broker.start();
    atEnd(() => broker.stop());
    const platform = await startPlatform({ url, protocol: '3.1.1' });
    const gate = await startGate(settings(url, { protocol: '3.1.1' }));
    await Promise.all(Array.from({ length: 100 }, (_, number) => gate.journal.append(passage(number))));
    await drained(gate);
    const ended = platform.replyTo('c-8');
    platform.send('laurel', 'east', command('c-8'));
    expect(await ended).toMatchObject({ state: 'done' });
    expect(platform.ledger('laurel', 'east')).toMatchObject({ missing: [], chainBroken: [], reordered: [] });
  });

  it('that want a password get it, and a wrong one is named in the state', async () => {
    const passwords = join(freshDirectory(), 'passwords');
    execFileSync('mosquitto_passwd', ['-b', '-c', passwords, 'east', 'right'], { stdio: 'ignore' });
    const broker = await startMosquitto(['allow_anonymous false', `password_file ${passwords}`, 'user root']);
    const wrong = await startGate(settings(broker.url, {}, { username: 'east', password: 'wrong' }));
    await until(() => wrong.uplink.state().lastError !== null, { what: 'the refusal' });
    expect(wrong.uplink.state().lastError?.message).toMatch(/not authorized|password/iu);
    expect(wrong.uplink.state().lastError?.message).not.toContain('wrong');
    await wrong.uplink.stop();
    await online(await startGate(settings(broker.url, {}, { username: 'east', password: 'right' })));
  });

  it('are reached over TLS with a CA and a client certificate, and not with a foreign CA', async () => {
    const { key, certificate } = selfSigned();
    const broker = await startMosquitto(['allow_anonymous true', 'user root'], [`certfile ${certificate}`, `keyfile ${key}`, `cafile ${certificate}`, 'require_certificate true']);
    const url = `mqtts://127.0.0.1:${broker.port}`;
    const foreign = await startGate(settings(url, {}, { ca: selfSigned().certificate }));
    await until(() => foreign.uplink.state().lastError !== null, { what: 'the refusal' });
    expect(foreign.uplink.state().connects).toBe(0);
    await foreign.uplink.stop();
    await online(await startGate(settings(url, {}, { ca: certificate, certificate, key: readFileSync(key, 'utf8') })));
  });

  it('that turn away or accept and drop at once are met with growing, random pauses', async () => {
    let accepted = 0;
    const server = createServer((socket) => {
      accepted += 1;
      socket.on('error', () => undefined);
      const packets = parser({ protocolVersion: 5 });
      socket.on('data', (bytes) => packets.parse(bytes));
      packets.on('packet', () => socket.end(generate({ cmd: 'connack', reasonCode: 0, sessionPresent: false }, { protocolVersion: 5 })));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    atEnd(() => void server.close());
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const gate = await startGate(settings(`mqtt://127.0.0.1:${port}`), { random: () => 0.999, timing: { backoffMs: 20, backoffMostMs: 100_000, stableMs: 60_000 } });
    const begun = performance.now();
    await until(() => accepted >= 5, { what: 'five attempts' });
    expect(performance.now() - begun).toBeGreaterThan(20 + 40 + 80 + 160 - 20);
    expect(gate.uplink.state().lastError).not.toBeNull();
  });
});
