import { generate, type Packet } from 'mqtt-packet';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Frame } from '../../scripts/faults/mqtt-proxy.js';
import { runUplinkRounds, type Liar, type UplinkRoundsOptions } from '../../scripts/faults/uplink-rounds.js';
import { eventMessageSchema, type EventMessage } from '../../src/uplink/index.js';

const clean = { lost: 0, doubled: 0, reordered: 0, chainBroken: 0, undeclaredLoss: 0 };

const json = z.string().transform((text): unknown => JSON.parse(text));
/** The events on their way to the broker; compressed ones are let pass. */
function eventsOf({ direction, packet }: Frame): EventMessage | undefined {
  if (direction !== 'up' || packet.cmd !== 'publish' || !packet.topic.endsWith('/event')) return undefined;
  const text = packet.payload.toString();
  return text.startsWith('{') ? eventMessageSchema.parse(json.parse(text)) : undefined;
}
const written = (packet: Packet, { connection }: Frame): Buffer => generate(packet, { protocolVersion: connection.version });
/** Is gone in a moment, and leaves the packets alone. */
const harmless: Omit<UplinkRoundsOptions, 'liar'> = { rounds: 2, seed: 3, sideBySide: 1, kinds: ['acknowledgement-old'] };

describe('the uplink under bad lines, brokers, platforms and clocks, and kill -9', () => {
  it('loses nothing, doubles nothing, keeps the order and the chain', { timeout: 240_000 }, async () => {
    const report = await runUplinkRounds({ rounds: 20, seed: 7, sideBySide: 4, segmentRounds: 5 });
    expect(report.violations).toEqual([]);
    expect(report).toMatchObject({ rounds: 20, ...clean });
    expect(report.told).toBeGreaterThan(50);
    expect(Object.keys(report.faults).length).toBeGreaterThan(10);
  });
});

describe('the gate of these rounds', () => {
  it('notices that another client fights it for its id', { timeout: 120_000 }, async () => {
    const report = await runUplinkRounds({ rounds: 2, seed: 3, sideBySide: 1, kinds: ['client-id-fought-over'] });
    expect(report.violations).toEqual([]);
    expect(report).toMatchObject({ ...clean, faults: { 'client-id-fought-over': 2 } });
  });
});

describe('the judge of these rounds', () => {
  it('sees that a line swallows an event and acknowledges it in the name of broker and platform', { timeout: 120_000 }, async () => {
    let messages = 0;
    const liar = (): Liar => ({
      done: () => messages > 6,
      rule: (frame) => {
        const { packet, bytes } = frame;
        const events = eventsOf(frame);
        if (events === undefined || packet.cmd !== 'publish') return undefined;
        messages += 1;
        const last = events.events.at(-1);
        if (messages < 3 || last === undefined || packet.messageId === undefined) return undefined;
        const acknowledgement = written({ cmd: 'publish', topic: packet.topic.replace(/event$/u, 'ack'), payload: JSON.stringify({ epoch: last.epoch, seq: last.seq }), qos: 0, dup: false, retain: false }, frame);
        // From then on it has to go on acknowledging: the platform waits for what it never got.
        if (messages > 3) return { forward: [bytes], back: [acknowledgement] };
        return { forward: [], back: [written({ cmd: 'puback', messageId: packet.messageId }, frame), acknowledgement] };
      },
    });
    const report = await runUplinkRounds({ ...harmless, liar });
    expect(report.lost).toBeGreaterThan(0);
    expect(report.undeclaredLoss).toBeGreaterThan(0);
    expect(report.violations.join('\n')).toMatch(/told to be on record are lost.*--only uplink --seed 3/u);
  });

  it('sees that a line lets a live event overtake another', { timeout: 120_000 }, async () => {
    let held: Frame | undefined;
    let swapped = 0;
    const liar = (): Liar => ({
      done: () => swapped > 0,
      rule: (frame) => {
        if (swapped > 0 || eventsOf(frame)?.historical !== false) return undefined;
        if (held === undefined || held.connection !== frame.connection) {
          held = frame;
          return { forward: [] };
        }
        swapped += 1;
        return { forward: [frame.bytes, held.bytes] };
      },
    });
    const report = await runUplinkRounds({ ...harmless, liar });
    expect(report.reordered).toBeGreaterThan(0);
    expect(report).toMatchObject({ ...clean, reordered: report.reordered });
    expect(report.violations.join('\n')).toMatch(/came out of order: event \d+ \(live, .* was overtaken by \d+/u);
  });

  it('sees that a line changes an event', { timeout: 120_000 }, async () => {
    let changed = 0;
    const liar = (): Liar => ({
      done: () => changed > 0,
      rule: (frame) => {
        const { packet } = frame;
        const message = eventsOf(frame);
        if (changed > 0 || message === undefined || packet.cmd !== 'publish' || !message.events.some(({ lane }) => lane === 'entry')) return undefined;
        changed += 1;
        const events = message.events.map((event) => (event.lane === 'entry' ? { ...event, lane: 'exit' } : event));
        return { forward: [written({ ...packet, payload: JSON.stringify({ ...message, events }) }, frame)] };
      },
    });
    const report = await runUplinkRounds({ ...harmless, liar });
    expect(report.chainBroken).toBeGreaterThan(0);
    expect(report).toMatchObject({ ...clean, chainBroken: report.chainBroken, doubled: report.doubled });
  });
});
