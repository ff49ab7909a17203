/**
 * The platform of the uplink bench: reads every message, acknowledges what is there without a hole, and counts. It does the
 * same for the gate's and for the bare client's messages. Arguments: the broker's address, and events of a full message.
 */
import { Socket } from 'node:net';
import { connectAsync } from 'mqtt';
import { z } from 'zod';
import { Coverage } from '../../../src/uplink/coverage.js';
import { eventMessageSchema } from '../../../src/uplink/index.js';
import { bareId, eventTopic, gateId, siteId } from './uplink-config.js';

const recordMessages = 200;
/** Fewer than this part of a full message is one of the gate's first, while it feels its way. */
const nearlyFull = 0.9;
const batch = Number(process.argv[3]);
/** Only the fields it needs: a platform that checks every field would be the slowest part of the run. */
const messageSchema = z.object({ historical: z.boolean(), events: z.array(z.object({ seq: z.number(), epoch: z.number(), wallMs: z.number() })) });

interface Book {
  readonly through: Coverage;
  messages: number;
  events: number;
  historical: number;
  repeated: number;
  reordered: number;
  highest: { live: number; historical: number };
  firstMs: number;
  lastMs: number;
  liveDelaysMs: number[];
}

const newBook = (): Book => ({ through: new Coverage(0), messages: 0, events: 0, historical: 0, repeated: 0, reordered: 0, highest: { live: 0, historical: 0 }, firstMs: 0, lastMs: 0, liveDelaysMs: [] });
const books = new Map([gateId, bareId].map((gate) => [gate, newBook()] as const));
const recorded: string[] = [];

const client = await connectAsync(process.argv[2] ?? '', { protocolVersion: 5, clean: true });
if (client.stream instanceof Socket) client.stream.setNoDelay(true);
client.on('message', (topic, payload) => {
  const gate = topic.split('/')[3] ?? '';
  const book = books.get(gate);
  if (book === undefined) return;
  const text = payload.toString('utf8');
  const message = messageSchema.parse(JSON.parse(text));
  const nowMs = performance.timeOrigin + performance.now();
  const kind = message.historical ? 'historical' : 'live';
  book.messages += 1;
  if (message.historical) {
    if (book.historical === 0) book.firstMs = nowMs;
    book.lastMs = nowMs;
    book.historical += message.events.length;
    // As strict as the contract is: the bare client publishes these.
    if (gate === gateId && recorded.length < recordMessages && message.events.length >= nearlyFull * batch) {
      eventMessageSchema.parse(JSON.parse(text));
      recorded.push(text);
    }
  } else {
    for (const { wallMs } of message.events) book.liveDelaysMs.push(nowMs - wallMs);
  }
  let epoch = 1;
  for (const event of message.events) {
    if (event.seq <= book.through.through) book.repeated += 1;
    if (event.seq < book.highest[kind]) book.reordered += 1;
    book.highest[kind] = event.seq;
    epoch = event.epoch;
  }
  book.events += message.events.length;
  const first = message.events[0]?.seq ?? 0;
  const last = message.events.at(-1)?.seq ?? 0;
  if (gate === gateId) book.through.add(first, last);
  client.publish(`laurel/v1/${siteId}/${gate}/ack`, JSON.stringify({ epoch, seq: gate === gateId ? book.through.through : last }), { qos: 1 });
});
await client.subscribeAsync([eventTopic(gateId), eventTopic(bareId)], { qos: 1 });

const orderSchema = z.object({ kind: z.enum(['report', 'recorded', 'begin']), gate: z.enum([gateId, bareId]) });
process.on('message', (order: unknown) => {
  const { kind, gate } = orderSchema.parse(order);
  const book = books.get(gate) ?? newBook();
  switch (kind) {
    case 'begin':
      books.set(gate, newBook());
      process.send?.({ kind: 'begun' });
      return;
    case 'recorded':
      process.send?.({ kind: 'recorded', messages: recorded });
      return;
    case 'report': {
      const { through, highest: _, ...counts } = book;
      process.send?.({ kind: 'report', ...counts, through: through.through });
    }
  }
});
process.once('disconnect', () => process.exit(0));
process.send?.({ kind: 'ready' });
