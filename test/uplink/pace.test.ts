import { connectAsync } from 'mqtt';
import { describe, expect, it } from 'vitest';
import { eventMessageSchema } from '../../src/uplink/index.js';
import { Pace } from '../../src/uplink/pace.js';
import { Line } from './line.js';
import { atEnd, drained, freshDirectory, online, openJournal, passage, settings, startGate, startMosquitto, startPlatform, until } from './support.js';

describe('the pace of the backlog', () => {
  it('grows by a message for each early answer, up to its bound; falls by half for a late one, once for all that was sent before, and never ends', () => {
    const pace = new Pace(16, 100);
    const now = (): [number, number] => [pace.messages, pace.events];
    const begun = pace.events;
    expect(begun).toBeLessThan(100);
    expect(pace.messages).toBeLessThan(16);
    pace.answered(0, 100);
    expect(pace.events).toBeGreaterThan(begun);
    for (let count = 0; count < 20; count += 1) pace.answered(100, 150);
    expect(now()).toEqual([16, 100]);
    // As late as neither says much.
    pace.answered(200, 600);
    expect(now()).toEqual([16, 100]);
    pace.answered(300, 1_000);
    pace.answered(400, 1_010);
    pace.answered(990, 1_600);
    expect(now()).toEqual([8, 100]);
    pace.answered(2_000, 2_900);
    expect(now()).toEqual([4, 100]);
    // Fewer would leave the line idle: they become smaller.
    pace.answered(3_000, 3_900);
    expect(now()).toEqual([4, 50]);
    for (const sentMs of [4_000, 5_000, 6_000, 7_000, 8_000, 9_000]) pace.answered(sentMs, sentMs + 900);
    expect(now()).toEqual([1, 10]);
    pace.answered(10_000, 10_020);
    expect(now()).toEqual([2, 10]);
    expect(new Pace(1, 1)).toMatchObject({ messages: 1, events: 1 });
  });

  it('takes a long way for no slow line', () => {
    const pace = new Pace(16, 100);
    // A satellite: the birth, with nothing before it, took as long.
    pace.reached(620);
    for (let sentMs = 0; sentMs < 40_000; sentMs += 1_000) pace.answered(sentMs, sentMs + 640);
    expect(pace).toMatchObject({ messages: 16, events: 100 });
    pace.answered(41_000, 42_500);
    expect(pace).toMatchObject({ messages: 8, events: 100 });
  });

  it('keeps to a platform that takes smaller messages', () => {
    const pace = new Pace(16, 200);
    for (let count = 0; count < 40; count += 1) pace.answered(100, 150);
    pace.limit(5);
    expect(pace).toMatchObject({ messages: 16, events: 5 });
    pace.answered(200, 250);
    expect(pace).toMatchObject({ messages: 16, events: 5 });
  });

  it('lets a live event overtake nearly all of it on a narrow line', async () => {
    const broker = await startMosquitto();
    const line = await Line.to(broker.port, 100_000);
    const directory = freshDirectory();
    const { journal } = await openJournal(directory);
    await Promise.all(Array.from({ length: 2_000 }, (_, number) => journal.append(passage(number))));
    await journal.stop();
    const platform = await startPlatform({ url: broker.url });
    /** Messages of the backlog and live events as they arrive. */
    const arrived: { readonly historical: boolean; readonly last: number }[] = [];
    const watcher = await connectAsync(broker.url, { protocolVersion: 5 });
    atEnd(() => watcher.endAsync(true));
    watcher.on('message', (_, payload) => {
      const { historical, events } = eventMessageSchema.parse(JSON.parse(payload.toString('utf8')));
      arrived.push({ historical, last: events.at(-1)?.seq ?? 0 });
    });
    await watcher.subscribeAsync('laurel/v1/+/+/event', { qos: 1 });
    const gate = await startGate(settings(line.url, { batch: 50 }), { directory });
    await online(gate);
    // By then the gate knows the line.
    await until(() => arrived.filter(({ historical }) => historical).length >= 8, { timeoutMs: 30_000, what: 'the backlog on its way' });
    const before: number[] = [];
    for (let count = 0; count < 3; count += 1) {
      const at = arrived.length;
      const { seq } = await gate.journal.append(passage(10_000 + count));
      await until(() => arrived.some(({ last }) => last === seq), { timeoutMs: 30_000, what: 'the live event' });
      before.push(arrived.slice(at).findIndex(({ last }) => last === seq));
    }
    // Sixteen messages may be on the way where the line takes them.
    expect(Math.max(...before), JSON.stringify(before)).toBeLessThanOrEqual(5);
    expect(arrived.at(-1)?.historical === true || gate.uplink.state().backlog > 0).toBe(true);
    await drained(gate);
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 2_003, conflicting: [], chainBroken: [], missing: [] });
  });
});
