// Opens a journal as the installed gate does, from dist/, in a process of its own; prints how long start() took, in ms, and
// the journal's head.
import { performance } from 'node:perf_hooks';

const [directory] = process.argv.slice(2);
const { SqliteJournal } = await import('../../../dist/journal/index.js');
const { silentLog } = await import('../../../dist/base/index.js');
const { systemClock } = await import('../../../dist/base/system-clock.js');
const journal = new SqliteJournal({ directory, gateId: 'bench-gate', clock: systemClock, log: silentLog, retention: { eventsDays: 365, photographsDays: 30, photographsMB: 1_000 } });
const from = performance.now();
await journal.start();
const ms = performance.now() - from;
const { head } = await journal.outbox();
const [last] = await journal.events({ limit: 1, newestFirst: true });
process.stdout.write(JSON.stringify({ ms, head, last: last?.seq ?? 0 }));
await journal.stop();
