/**
 * The gate of the uplink bench: the real journal with its backlog, the real uplink, and a vehicle now and then. Arguments:
 * the journal's folder, the broker's address, ms from one live event to the next, and most events in a message.
 */
import { z } from 'zod';
import { silentLog } from '../../../src/base/index.js';
import { systemClock } from '../../../src/base/system-clock.js';
import { Uplink } from '../../../src/uplink/index.js';
import { eventOf, openedAt } from './journal-events.js';
import { gateId, siteId, windowMessages } from './uplink-config.js';

const [directory, url, everyMs, batch] = z.tuple([z.string(), z.string(), z.coerce.number(), z.coerce.number()]).parse(process.argv.slice(2));
const journal = openedAt(directory);
const { epoch } = await journal.start();
const uplink = new Uplink({
  config: { brokers: [{ url }], protocol: '5', keepAliveS: 30, batch, window: windowMessages, telemetryS: 30, platformAcknowledges: true },
  site: siteId,
  gate: gateId,
  journal,
  epoch,
  clock: systemClock,
  log: silentLog,
  random: Math.random,
  status: () => ({}),
  telemetry: () => ({}),
  command: () => Promise.resolve({ outcome: 'done' }),
});
let number = 0;
const live = setInterval(() => {
  number += 1;
  void journal.append(eventOf(number));
}, everyMs);
process.once('disconnect', () => {
  clearInterval(live);
  void uplink.stop().then(() => journal.stop()).finally(() => process.exit(0));
});
process.on('message', () => process.send?.({ kind: 'state', backlog: uplink.state().backlog, handed: number }));
await uplink.start();
process.send?.({ kind: 'ready' });
