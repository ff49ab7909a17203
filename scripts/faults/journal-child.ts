/**
 * The victim of the journal's fault rounds: the real journal and uplink, with a load, which tells its parent what it was
 * told is on record, and kills itself at the point it is given.
 */
import { openSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { SqliteJournal } from '../../src/journal/index.js';
import { Uplink } from '../../src/uplink/index.js';

const settingsSchema = z.object({
  directory: z.string(),
  /** File for what was told: a killed process's writes stay, and it never blocks as a pipe does. */
  told: z.string(),
  url: z.string(),
  protocol: z.enum(['5', '3.1.1']),
  /** First number of the events' payload; numbers grow over all rounds. */
  firstNumber: z.number(),
  point: z.enum(['start', 'write', 'publish', 'acknowledge', 'time', 'none']),
  /** The point is met so many times before it kills. */
  countdown: z.number(),
  delayMs: z.number(),
  burst: z.number(),
});

const settings = settingsSchema.parse(JSON.parse(process.argv[2] ?? '{}'));
let countdown = settings.countdown;

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

function at(point: z.output<typeof settingsSchema>['point']): void {
  if (point !== settings.point) return;
  countdown -= 1;
  if (countdown !== 0) return;
  if (settings.delayMs === 0) die();
  else setTimeout(die, settings.delayMs);
}

const told = openSync(settings.told, 'a');

/** Straight to the system: what is written here outlives the kill. */
function tell(line: string): void {
  writeSync(told, `${line}\n`);
}

/** The journal, with the moments between write, publish and acknowledge laid open. */
class ExposedJournal extends SqliteJournal {
  override acknowledge(seq: number, epoch?: number): ReturnType<SqliteJournal['acknowledge']> {
    at('acknowledge');
    return super.acknowledge(seq, epoch);
  }

  override events(query: Parameters<SqliteJournal['events']>[0]): ReturnType<SqliteJournal['events']> {
    at('publish');
    return super.events(query);
  }
}

async function main(): Promise<void> {
  const journal = new ExposedJournal({
    directory: settings.directory,
    gateId: 'victim',
    clock: systemClock,
    log: silentLog,
    retention: { eventsDays: 365, photographsDays: 30, photographsMB: 50 },
    ballastMB: 0,
  });
  if (settings.point === 'time') setTimeout(die, settings.delayMs);
  at('start');
  const { epoch } = await journal.start();
  const uplink = new Uplink({
    config: { brokers: [{ url: settings.url }], protocol: settings.protocol, keepAliveS: 30, batch: 5, window: 4, telemetryS: 60, platformAcknowledges: true },
    site: 'faults',
    gate: 'victim',
    journal,
    epoch,
    clock: systemClock,
    log: silentLog,
    random: Math.random,
    status: () => ({}),
    telemetry: () => ({}),
    command: () => Promise.resolve({ outcome: 'done' }),
    timing: { backoffMs: 20, backoffMostMs: 200, stableMs: 1_000, resendMs: 500, connectTimeoutMs: 2_000 },
  });
  journal.onStored(() => at('publish'));
  await uplink.start();
  let number = settings.firstNumber;
  while (settings.point !== 'none') {
    const handed = Array.from({ length: settings.burst }, () => {
      const own = number;
      number += 1;
      const appended = journal.append({ type: 'passage.read', lane: own % 2 === 0 ? 'entry' : 'exit', payload: { number: own } });
      at('write');
      return appended.then((event) => tell(`${own} ${event.seq}`));
    });
    await Promise.all(handed);
  }
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (uplink.state().backlog === 0 && uplink.state().connection === 'online') resolve();
      else setTimeout(look, 10);
    };
    look();
  });
  await uplink.stop();
  await journal.stop();
  tell('drained');
}

await main();
