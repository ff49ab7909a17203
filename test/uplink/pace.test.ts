import { connectAsync } from 'mqtt';
import { assert, describe, expect, it } from 'vitest';
import { eventMessageSchema } from '../../src/uplink/index.js';
import { Outbox, type OutboxMessage } from '../../src/uplink/outbox.js';
import { Pace } from '../../src/uplink/pace.js';
import { Line } from './line.js';
import { atEnd, drained, freshDirectory, online, openJournal, passage, quick, settings, startGate, startMosquitto, startPlatform, until } from './support.js';

/** What an answer takes on a line with nothing on it. */
const WAY_MS = 30;
const fail = (): void => assert.fail('nothing here fails or is too large');

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

  /** A line on a clock of its own: messages leave it one after the other at its rate, and each answer is back a way later. */
  async function overtakenBy(bytesPerSecond: number): Promise<{ /** Messages of the backlog on the way at once. */ readonly most: number; /** Of the live events, until they are answered. */ readonly delaysMs: readonly number[] }> {
    const { journal } = await openJournal();
    await Promise.all(Array.from({ length: 4_000 }, (_, number) => journal.append(passage(number))));
    const { head } = await journal.outbox();
    const hooks = { changed: () => undefined, failed: fail, reduced: fail };
    const outbox = new Outbox(journal, { events: 50, bytes: 100_000, ahead: 16, most: 1_000_000 }, { head, acknowledged: 0 }, hooks);
    journal.onStored((events) => outbox.stored(events));
    outbox.reached(WAY_MS);
    let nowMs = 0;
    let freeMs = 0;
    let most = 0;
    const delaysMs: number[] = [];
    const onTheWay: { readonly message: OutboxMessage; readonly sentMs: number; readonly answerMs: number }[] = [];
    const send = (message: OutboxMessage): void => {
      freeMs = Math.max(freeMs, nowMs) + (message.payload.byteLength * 1_000) / bytesPerSecond;
      onTheWay.push({ message, sentMs: nowMs, answerMs: freeMs + WAY_MS });
    };
    const sendBacklog = (): boolean => {
      const { length } = onTheWay;
      for (let message = outbox.nextBacklog(); message !== undefined; message = outbox.nextBacklog()) send(message);
      return onTheWay.length > length;
    };
    for (let answered = 0; delaysMs.length < 12; answered += 1) {
      // By then the gate knows the line.
      if (answered >= 12 && answered % 4 === 0) await journal.append(passage(10_000 + answered));
      for (let live = outbox.nextLive(); live !== undefined; live = outbox.nextLive()) send(live);
      sendBacklog();
      // Reads are answered in order: with the one awaited, whatever was being read is there.
      do await journal.eventBatches({ after: head - 1, before: head + 1, events: 1, bytes: 10_000, batches: 1 });
      while (sendBacklog());
      most = Math.max(most, onTheWay.filter(({ message }) => message.historical).length);
      const first = onTheWay.shift();
      if (first === undefined) throw new Error('the backlog came to its end too early');
      nowMs = first.answerMs;
      outbox.answered(first.sentMs, nowMs);
      // The platform has what goes before it too: true of the backlog alone.
      if (first.message.historical) outbox.ingested(first.message.last);
      else delaysMs.push(nowMs - first.sentMs);
    }
    return { most, delaysMs };
  }

  it('keeps little of it before a live event on a narrow line, and a wide one full', async () => {
    const narrow = await overtakenBy(50_000);
    // Sixteen messages of fifty would be six seconds of this line, the four that go first one and a half.
    expect(Math.max(...narrow.delaysMs), JSON.stringify(narrow)).toBeLessThan(1_000);
    const wide = await overtakenBy(10_000_000);
    expect(wide.most).toBe(16);
    expect(Math.max(...wide.delaysMs), JSON.stringify(wide)).toBeLessThan(250);
  });

  it('lets live events overtake it on a real line, and brings all of it, each once in order', async () => {
    const broker = await startMosquitto();
    const line = await Line.to(broker.port, 100_000);
    const directory = freshDirectory();
    const { journal } = await openJournal(directory);
    await Promise.all(Array.from({ length: 2_000 }, (_, number) => journal.append(passage(number))));
    await journal.stop();
    const platform = await startPlatform({ url: broker.url });
    /** Last sequence of each message with live events, and what had come of the backlog before it. */
    const live: { readonly last: number; readonly behind: number }[] = [];
    let historical = 0;
    const watcher = await connectAsync(broker.url, { protocolVersion: 5 });
    atEnd(() => watcher.endAsync(true));
    watcher.on('message', (_, payload) => {
      const message = eventMessageSchema.parse(JSON.parse(payload.toString('utf8')));
      const last = message.events.at(-1)?.seq ?? 0;
      if (message.historical) historical = Math.max(historical, last);
      else live.push({ last, behind: historical });
    });
    await watcher.subscribeAsync('laurel/v1/+/+/event', { qos: 1 });
    // A busy machine's late answers are no reason to send anything twice here.
    const gate = await startGate(settings(line.url, { batch: 50 }), { directory, timing: { ...quick, resendMs: 60_000 } });
    await online(gate);
    await until(() => historical > 400, { timeoutMs: 30_000, what: 'the backlog on its way' });
    for (let count = 0; count < 3; count += 1) {
      const { seq } = await gate.journal.append(passage(10_000 + count));
      await until(() => live.some(({ last }) => last >= seq), { timeoutMs: 30_000, what: 'the live event' });
    }
    // All that had not come by then was overtaken.
    expect(live[0]?.behind).toBeLessThan(1_500);
    await drained(gate, 50_000);
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 2_003, conflicting: [], chainBroken: [], missing: [] });
  });
});
