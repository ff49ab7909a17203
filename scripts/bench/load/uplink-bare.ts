/**
 * The reference of the uplink bench: MQTT.js alone, publishing ready messages with so many in flight. Arguments: a file
 * with the messages (a JSON array of texts), the broker's address, and how many to publish.
 */
import { readFileSync } from 'node:fs';
import { connectAsync } from 'mqtt';
import { z } from 'zod';
import { bareId, eventTopic, windowMessages } from './uplink-config.js';

const [file, url, count] = z.tuple([z.string(), z.string(), z.coerce.number()]).parse(process.argv.slice(2));
const payloads = z.array(z.string()).min(1).parse(JSON.parse(readFileSync(file, 'utf8'))).map((text) => Buffer.from(text));
const client = await connectAsync(url, { protocolVersion: 5, clean: true });
const startedMs = performance.now();
let sent = 0;

async function publishOneAfterAnother(): Promise<void> {
  while (sent < count) {
    const payload = payloads[sent % payloads.length] ?? Buffer.alloc(0);
    sent += 1;
    await client.publishAsync(eventTopic(bareId), payload, { qos: 1 });
  }
}

await Promise.all(Array.from({ length: windowMessages }, publishOneAfterAnother));
const seconds = (performance.now() - startedMs) / 1_000;
await client.endAsync();
process.send?.({ kind: 'done', messages: sent, seconds });
