/**
 * Owner of a journal, for the journal bench: fills it to so many events, says so, and goes on writing, one event after the
 * other and now and then many at once, until it is killed.
 */
import { z } from 'zod';
import { appendAll, eventOf, openedAt } from './journal-events.js';

const [directory, rows] = z.tuple([z.string(), z.coerce.number().int().min(0)]).parse(process.argv.slice(2));
const atOnce = 10_000;
const burst = 500;

const journal = openedAt(directory);
await journal.start();
let { head } = await journal.outbox();
while (head < rows) {
  const next = Math.min(rows, head + atOnce);
  await appendAll(journal, head, next);
  head = next;
}
process.send?.({ filled: head });
// Without a parent there is nobody left to kill it.
while (process.connected) {
  for (let alone = 0; alone < burst; alone += 1) await journal.append(eventOf(head + alone));
  await appendAll(journal, head + burst, head + 2 * burst);
  head += 2 * burst;
}
await journal.stop();
