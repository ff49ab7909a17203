import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { GateError, ManualClock, silentLog } from '../../src/base/index.js';
import { CommandDesk } from '../../src/uplink/command-desk.js';
import { CommandKeys } from '../../src/uplink/command-signature.js';
import type { Desk, DeskReply, ReplyMessage } from '../../src/uplink/index.js';
import { saying } from './scripted-broker.js';
import { drained, errorCode, freshDirectory, online, openJournal, passage, quick, settings, startGate, startMosquitto, startPlatform, until } from './support.js';

describe('an acknowledgement', () => {
  it('left at the broker for a journal this gate had before lets no event go that the platform never got', async () => {
    const broker = await startMosquitto();
    // Of the card that was exchanged: its journal had come further than this one has.
    execFileSync('mosquitto_pub', ['-p', String(broker.port), '-t', 'laurel/v1/laurel/east/ack', '-q', '1', '-r', '-m', '{"epoch":7,"seq":40}']);
    const directory = freshDirectory();
    const { journal } = await openJournal(directory);
    await Promise.all(Array.from({ length: 60 }, (_, number) => journal.append(passage(number))));
    await journal.stop();
    const gate = await startGate(settings(broker.url), { directory });
    await online(gate);
    await until(() => errorCode(gate) === 'MESSAGE_INVALID', { what: 'the refusal' });
    expect(gate.uplink.state().acknowledged).toBe(0);
    const platform = await startPlatform({ url: broker.url });
    await drained(gate);
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 60, missing: [], declared: [], conflicting: [] });
  });
});

describe('replies', () => {
  it('of a command keep their order when the connection goes between them', async () => {
    const heard: string[] = [];
    const command = JSON.stringify({ id: 'c1', issuer: 'platform:alice', expires: Date.now() + 60_000, lane: 'entry', target: 'open', reason: 'parcel' });
    const url = await saying(({ cmd, messageId = 0, subscriptions, topic = '', payload }, connection) => {
      if (cmd === 'connect') return { cmd: 'connack', reasonCode: 0, sessionPresent: false };
      if (cmd === 'subscribe') return { cmd: 'suback', messageId, granted: Array.from({ length: subscriptions?.length ?? 1 }, () => 1) };
      if (cmd !== 'publish') return undefined;
      const taken = { cmd: 'puback' as const, messageId, reasonCode: 0 };
      if (connection > 1) {
        if (topic.endsWith('/reply')) heard.push(String(payload));
        return topic.endsWith('/telemetry') ? undefined : taken;
      }
      if (topic.endsWith('/status')) return [taken, { cmd: 'publish', topic: 'laurel/v1/laurel/east/command', payload: command, qos: 0, dup: false, retain: false }];
      if (topic.endsWith('/event')) return taken;
      // The first reply is never answered, so the second waits behind it; then the connection goes.
      return topic.endsWith('/telemetry') ? { cmd: 'disconnect', reasonCode: 0x8b } : undefined;
    });
    const gate = await startGate(settings(url, { window: 1 }));
    await until(() => heard.length === 2, { what: 'both replies' });
    expect(heard.map((text) => /"state":"(\w+)"/u.exec(text)?.[1])).toEqual(['accepted', 'done']);
    expect(gate.commands).toHaveLength(1);
  });
});

describe('reports', () => {
  it('do not pile up over connections that die: of what a broker retains only the newest waits', async () => {
    const heard: string[] = [];
    let deaths = 0;
    const url = await saying(({ cmd, messageId = 0, subscriptions, topic = '', payload }) => {
      if (cmd === 'connect') return { cmd: 'connack', reasonCode: 0, sessionPresent: false };
      if (cmd === 'subscribe') return { cmd: 'suback', messageId, granted: Array.from({ length: subscriptions?.length ?? 1 }, () => 1) };
      if (cmd !== 'publish' || topic.endsWith('/telemetry')) return undefined;
      if (deaths < 20) {
        deaths += 1;
        return { cmd: 'disconnect', reasonCode: 0x8b };
      }
      if (topic.endsWith('/list/report')) heard.push(String(payload));
      return { cmd: 'puback', messageId, reasonCode: 0 };
    });
    let connected = 0;
    const desk = (reply: DeskReply): Desk => ({
      topic: 'list',
      start: () => Promise.resolve(),
      handle: () => Promise.resolve(),
      connected: () => {
        connected += 1;
        reply('list/report', { report: connected }, { retain: true });
      },
    });
    const gate = await startGate(settings(url), { timing: { ...quick, backoffMs: 1, backoffMostMs: 2 }, desks: [desk] });
    await gate.journal.append(passage(1));
    await until(() => heard.length > 0 && gate.uplink.state().inFlight === 0, { what: 'the report' });
    await until(() => heard.at(-1) === JSON.stringify({ report: connected }), { what: 'the newest' });
    expect(heard.length).toBeLessThanOrEqual(2);
  });
});

describe('commands that a restart cut off', () => {
  it('are answered, and new ones taken, also where the disk takes no record of it', async () => {
    const directory = freshDirectory();
    const before = await openJournal(directory);
    const { journal, epoch } = before;
    await journal.remember('command/c1', { state: 'accepted', expiresMs: 1_767_225_660_000, lane: 'entry', issuer: 'platform:alice', target: 'open' });
    const replies: ReplyMessage[] = [];
    const failing = new Proxy(journal, {
      get: (target, name) => {
        if (name === 'append') return () => Promise.reject(new GateError('JOURNAL_WRITE_FAILED', 'the disk is full'));
        const value: unknown = Reflect.get(target, name, target);
        const bound: unknown = typeof value === 'function' ? value.bind(target) : value;
        return bound;
      },
    });
    const desk = new CommandDesk({
      journal: failing, epoch, clock: new ManualClock(), clockTrusted: () => true, log: silentLog, keys: new CommandKeys([], 'laurel/v1/laurel/east/command'), rate: { burst: 5, perMinute: 60 }, lanes: ['entry'],
      command: () => Promise.resolve({ outcome: 'done' }),
      reply: (reply) => void replies.push(reply),
    });
    await desk.start();
    expect(replies).toMatchObject([{ id: 'c1', state: 'failed', code: 'COMMAND_INTERRUPTED' }]);
  });
});
