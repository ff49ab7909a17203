/**
 * The part of a gate that decides and takes lists in, for the bench of the lists: takes the messages of a file, one a line,
 * when told to, and says how long it took, how late its event loop was meanwhile, and what the slowest decision took that a
 * lane asked for meanwhile. Files are read before the watch begins.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { AccessRepository, type AccessRules } from '../../../src/access/index.js';
import { GateError, silentLog } from '../../../src/base/index.js';
import { systemClock } from '../../../src/base/system-clock.js';
import { ListKeeper } from '../../../src/lists/index.js';
import { parsePlate } from '../../../src/plate/index.js';
import { openedAt } from './journal-events.js';
import { benchHouseholds, benchPlate } from './list-messages.js';
import { LoopProbe } from './probe.js';

const [directory, fullFile, deltaFile] = z.tuple([z.string(), z.string(), z.string()]).parse(process.argv.slice(2));
const askEveryMs = 10;

const messagesIn = (file: string): readonly Buffer[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => Buffer.from(line));
const [full, delta] = [messagesIn(fullFile), messagesIn(deltaFile)];

const nothing = { remember: () => Promise.resolve(), recallAll: () => Promise.resolve(new Map()), forget: () => Promise.resolve() };
const rules: AccessRules = { openingConfidence: 0.9, lookAlike: { enabled: true, leastConfidence: 0.9 }, spaces: 1_000, outside: { policy: 'refuse' }, exit: 'listed', antiPassback: false, households: [], visitors: [], blocked: [] };
const access = new AccessRepository({ rules, timezone: 'Asia/Shanghai', store: nothing });
const journal = openedAt(join(directory, 'journal'));
await journal.start();
const keeper = new ListKeeper({ directory: join(directory, 'lists'), journal, clock: systemClock, log: silentLog, clockTrusted: () => true, configured: () => access.configured, lanes: ['entry'] });
access.layOver((text, base) => keeper.listing(text, base));
await keeper.load();
await keeper.restore();

let asked = 0;
let slowestMs = 0;
function ask(): void {
  asked += 1;
  const from = performance.now();
  access.decide({ laneId: 'entry', direction: 'entry', wallMs: systemClock.wallMs(), plate: { ...parsePlate(benchPlate('A', (asked * 7_919) % benchHouseholds)), colour: 'blue', confidence: 0.99 } });
  slowestMs = Math.max(slowestMs, performance.now() - from);
}

async function taken(parts: readonly Buffer[]): Promise<void> {
  [asked, slowestMs] = [0, 0];
  const asking = setInterval(ask, askEveryMs);
  const probe = new LoopProbe();
  probe.start();
  const from = performance.now();
  const outcomes = await Promise.all(parts.map((part) => keeper.take(part)));
  const ms = performance.now() - from;
  const delay = probe.stop();
  clearInterval(asking);
  if (outcomes.at(-1)?.kind !== 'applied') throw new GateError('LIST_INVALID', `the bench's list was not taken: ${JSON.stringify(outcomes.at(-1))}`);
  process.send?.({ kind: 'taken', ms, messages: parts.length, bytes: parts.reduce((sum, { length }) => sum + length, 0), plates: keeper.held()?.counts.plates ?? 0, asked, slowestMs, delay });
}

const requestSchema = z.object({ form: z.enum(['full', 'delta']) });
process.on('message', (message) => {
  void taken(requestSchema.parse(message).form === 'full' ? full : delta).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
});
process.once('disconnect', () => void keeper.stop().then(() => journal.stop()));
process.send?.({ kind: 'ready' });
