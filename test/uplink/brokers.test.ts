import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/system-clock.js';
import { Backoff } from '../../src/uplink/backoff.js';
import { BrokerChoice } from '../../src/uplink/broker-choice.js';
import { seeded } from '../../scripts/faults/random.js';
import { Line } from './line.js';
import { drained, duplicatesOf, errorMessage, online, passage, quick, settings, startGate, startMosquitto, startPlatform, until } from './support.js';

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
    expect(await duplicatesOf(gate, 'uplink.duplicate-client')).toEqual([]);
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

describe('a broker that restarts', () => {
  it('gets its fleet back spread over seconds, not all at once', () => {
    const random = seeded(7);
    const gates = Array.from({ length: 1_000 }, () => {
      const choice = new BrokerChoice(1, new Backoff(500, 60_000, random), new Backoff(5_000, 5_000, random));
      choice.held();
      return choice;
    });
    const waits = gates.map((choice) => choice.lost());
    expect(Math.max(...waits)).toBeLessThanOrEqual(5_000);
    const busiest = Math.max(...Array.from({ length: 10 }, (_, half) => waits.filter((ms) => Math.floor(ms / 500) === half).length));
    expect(busiest).toBeLessThan(150);
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
