/** A consumer of the platform, in a process of its own. Argument: `platformSettingsSchema` as JSON. */
import { readFileSync } from 'node:fs';
import { silentLog } from '../../../src/base/index.js';
import { systemClock } from '../../../src/base/system-clock.js';
import { ReferencePlatform } from '../../../src/uplink/index.js';
import { Counts } from './counts.js';
import { platformOrderSchema, platformSettingsSchema, type PlatformTold } from './messages.js';

const settings = platformSettingsSchema.parse(JSON.parse(process.argv[2] ?? '{}'));
const tell = (message: PlatformTold): void => void process.send?.(message);
const liveMs = new Counts();
const historicalMs = new Counts();
let events = 0;

const platform = new ReferencePlatform({
  url: settings.url,
  log: silentLog,
  ...(settings.ca === null ? {} : { ca: readFileSync(settings.ca) }),
  ...(settings.sites === null ? {} : { sites: settings.sites }),
  ...(settings.connections === 1 ? {} : { share: { group: 'fleet', connections: settings.connections } }),
  onEvent: (_gate, event, historical) => {
    events += 1;
    (historical ? historicalMs : liveMs).add(systemClock.wallMs() - event.wallMs);
  },
});
await platform.start();
process.on('message', (message: unknown) => {
  const order = platformOrderSchema.parse(message);
  if (order.kind === 'figures') {
    tell({ kind: 'figures', events, ...platform.traffic, malformed: platform.faults, liveMs: liveMs.take(), historicalMs: historicalMs.take() });
    return;
  }
  const gates = order.gates.map(({ site, gate }) => {
    const { events: here, repeated, conflicting, reordered, chainBroken, missing, through } = platform.ledger(site, gate);
    return { site, gate, events: here, repeated, doubled: conflicting.length, reordered: reordered.length, chainBroken: chainBroken.length, missing: missing.reduce((sum, { first, last }) => sum + last - first + 1, 0), through };
  });
  tell({ kind: 'books', gates });
});
process.once('disconnect', () => process.exit(0));
tell({ kind: 'ready' });
