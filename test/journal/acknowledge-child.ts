/** A journal whose platform has ten of its twenty events; then another event comes, a minute goes by, or nothing happens. */
import { ManualClock, silentLog } from '../../src/base/index.js';
import { SqliteJournal } from '../../src/journal/index.js';

const [directory = '', then = ''] = process.argv.slice(2);
const clock = new ManualClock();
const journal = new SqliteJournal({ directory, gateId: 'east-gate', clock, log: silentLog, retention: { eventsDays: 365, photographsDays: 30, photographsMB: 100 }, ballastMB: 0 });
await journal.start();
const append = async (number: number): Promise<number> => (await journal.append({ type: 'passage.read', lane: 'entry', payload: { number } })).seq;
const stored: number[] = [];
for (let number = 0; number < 20; number += 1) stored.push(await append(number));
const tenth = stored[9] ?? 0;
for (const seq of stored.slice(0, 10)) await journal.acknowledge(seq);
if (then === 'event') stored.push(await append(20));
if (then === 'minute') {
  clock.advance(60_000);
  // Answered in order.
  await journal.outbox();
}
const { acknowledged } = await journal.outbox();
process.stdout.write(JSON.stringify({ stored, tenth, acknowledged }));
// As the power goes: nothing is closed.
process.kill(process.pid, 'SIGKILL');
