/**
 * The victim of the sweep over the disk's operations: a short, fixed piece of work of the real journal, with a restart in
 * it, which tells its parent what it was told is on record, takes the platform's part, and kills itself in the end.
 */
import { openSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { isGateError, type Clock } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { SqliteJournal } from '../../src/journal/client.js';
import { FACT } from './journal-limits.js';
import { tellingLog } from './telling-log.js';
import { endWithParent } from './with-parent.js';

const settings = z
  .object({
    directory: z.string(),
    /** Files for what was told, and for the messages as the platform has them: what a killed process wrote stays. */
    told: z.string(),
    platform: z.string(),
    firstNumber: z.number(),
    /** `drain`: only brings the platform what it does not have, and stops in order. */
    does: z.enum(['work', 'drain']),
  })
  .parse(JSON.parse(process.argv[2] ?? '{}'));

/** The journal holds on for ten seconds and tidies up as often: time runs faster here. */
const FAST = 100;
const TIDY_MS = 130;
const RUNS = 2;
const BURST = 4;
const clock: Clock = {
  monoMs: () => systemClock.monoMs() * FAST,
  wallMs: () => systemClock.wallMs(),
  after: (delayMs, run) => systemClock.after(delayMs / FAST, run),
};

endWithParent();
const told = openSync(settings.told, 'a');
const platform = openSync(settings.platform, 'a');
const tell = (line: string): void => void writeSync(told, `${line}\n`);
const codeOf = (error: unknown): string => (isGateError(error) ? error.code : 'UNKNOWN');
/** What fails is the fault's doing, and its caller was told so. */
const refused = (): undefined => undefined;
let number = settings.firstNumber;

async function append(journal: SqliteJournal): Promise<void> {
  await Promise.all(
    Array.from({ length: BURST }, () => {
      const own = number;
      number += 1;
      return journal.append({ type: 'passage.read', lane: 'entry', payload: { number: own } }).then(
        ({ seq }) => tell(`event ${own} ${seq}`),
        (error: unknown) => tell(`refused ${own} ${codeOf(error)}`),
      );
    }),
  );
}

async function remember(journal: SqliteJournal): Promise<void> {
  const value = number;
  await journal.remember(FACT, { value }).then(() => tell(`fact ${value}`), refused);
}

async function photograph(journal: SqliteJournal): Promise<void> {
  const jpeg = Buffer.alloc(9_000, number);
  jpeg.writeUInt32LE(number);
  await journal.saveEvidence(`p-${number}`, 'frame', jpeg).then(({ id, bytes }) => tell(`photograph ${id} ${bytes}`), refused);
}

/** The platform gets what it does not have, and says so. @returns whether there may be more */
async function deliver(journal: SqliteJournal): Promise<boolean> {
  const { acknowledged, head } = await journal.outbox();
  const batches = await journal.eventBatches({ after: acknowledged, before: head + 1, events: 20, bytes: 100_000, batches: 10 });
  for (const { message } of batches) writeSync(platform, `${Buffer.from(message).toString('utf8')}\n`);
  const last = batches.at(-1)?.last;
  if (last === undefined) return false;
  await journal.acknowledge(last);
  return last < head;
}

async function run(): Promise<void> {
  const journal = new SqliteJournal({
    directory: settings.directory,
    gateId: 'victim',
    clock,
    log: tellingLog(tell),
    // Little enough that every event the platform has is deleted.
    retention: { eventsDays: 365, eventsMB: 0.01, photographsDays: 30, photographsMB: 100 },
    // A whole number of bytes.
    ballastMB: 1 / 32,
  });
  try {
    const { epoch, origin } = await journal.start();
    const fact = await journal.recall(FACT);
    tell(`started ${epoch} ${typeof fact?.value === 'number' ? fact.value : 0} ${origin}`);
  } catch (error) {
    tell(`failed ${codeOf(error)}`);
    return;
  }
  if (settings.does === 'drain') {
    while (await deliver(journal));
    const { brokenAt } = await journal.verify();
    tell(`verified ${brokenAt ?? 0}`);
    await journal.stop();
    tell('drained');
    return;
  }
  await append(journal);
  await remember(journal);
  await deliver(journal).catch(refused);
  await photograph(journal);
  await append(journal);
  await new Promise((resolve) => setTimeout(resolve, TIDY_MS));
  await append(journal);
  await remember(journal);
  await deliver(journal).catch(refused);
  await append(journal);
  await journal.stop().catch(refused);
}

for (let runs = settings.does === 'work' ? RUNS : 1; runs > 0; runs -= 1) await run();
if (settings.does === 'work') process.kill(process.pid, 'SIGKILL');
