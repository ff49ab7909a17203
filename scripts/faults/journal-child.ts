/**
 * The victim of the journal's fault rounds: the real journal and uplink, with a load, which tells its parent what it was
 * told is on record, and kills itself at the point it is given.
 */
import { openSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { isGateError, silentLog, type Clock } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { SqliteJournal } from '../../src/journal/client.js';
import type { JournalStart } from '../../src/journal/index.js';
import { ClockTrust, type ClockKnown } from '../../src/ops/clock-trust.js';
import { Uplink } from '../../src/uplink/uplink.js';
import { FACT, PHOTOGRAPHS_MB } from './journal-limits.js';
import { whenOpened } from './opening.js';
import { tellingLog } from './telling-log.js';
import { endWithParent } from './with-parent.js';

const settingsSchema = z.object({
  directory: z.string(),
  gate: z.string(),
  /** File for what was told: a killed process's writes stay, and it never blocks as a pipe does. */
  told: z.string(),
  url: z.string(),
  protocol: z.enum(['5', '3.1.1']),
  /** First number of the events' payload; numbers grow over all rounds. */
  firstNumber: z.number(),
  point: z.enum(['start', 'write', 'publish', 'acknowledge', 'delete', 'time', 'none']),
  /** The point is met so many times before it kills. */
  countdown: z.number(),
  delayMs: z.number(),
  burst: z.number(),
  ballastMB: z.number(),
  /** Saves photographs too. */
  photographs: z.boolean(),
  /** Steps of the wall clock: from `afterMs` on it is `offsetMs` off, and a time service stands behind it or not. */
  clockSteps: z.array(z.object({ afterMs: z.number(), offsetMs: z.number(), vouched: z.boolean() })),
  /** The run of the machine that this process belongs to. */
  boot: z.string(),
  tellsTimeOffMs: z.number(),
});

const settings = settingsSchema.parse(JSON.parse(process.argv[2] ?? '{}'));
let countdown = settings.countdown;

const bornMs = performance.now();
const stepNow = (): z.output<typeof settingsSchema>['clockSteps'][number] | undefined => settings.clockSteps.findLast(({ afterMs }) => afterMs <= performance.now() - bornMs);
/** The true time is that of this machine. */
const clock: Clock = {
  monoMs: () => systemClock.monoMs(),
  wallMs: () => Math.max(0, systemClock.wallMs() + (stepNow()?.offsetMs ?? 0)),
  after: (delayMs, run) => systemClock.after(delayMs, run),
};

/** Tidying is due after seconds and minutes: here it comes as often as it can be killed in. */
const HASTE = 200;
const RARE_MS = 5_000;
const journalClock: Clock = {
  ...clock,
  after: (delayMs, run) =>
    clock.after(delayMs < RARE_MS ? delayMs : delayMs / HASTE, () => {
      run();
      // What is due seldom is the deleting of what need not be kept; it is under way in the journal's thread now.
      if (delayMs >= RARE_MS) at('delete');
    }),
};

/** Who looks after the clock looks once a second: here a step is noticed within the life of a victim. */
const LOOKS = 50;
const trustClock: Clock = { ...clock, after: (delayMs, run) => clock.after(delayMs / LOOKS, run) };

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

endWithParent();
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

  override eventBatches(query: Parameters<SqliteJournal['eventBatches']>[0]): ReturnType<SqliteJournal['eventBatches']> {
    at('publish');
    return super.eventBatches(query);
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const codeOf = (error: unknown): string => (isGateError(error) ? error.code : 'UNKNOWN');

async function load(journal: SqliteJournal): Promise<never> {
  let number = settings.firstNumber;
  for (;;) {
    const handed = Array.from({ length: settings.burst }, () => {
      const own = number;
      number += 1;
      const trueMs = systemClock.wallMs();
      const appended = journal.append({ type: 'passage.read', lane: own % 2 === 0 ? 'entry' : 'exit', payload: { number: own } });
      at('write');
      return appended.then(
        (event) => {
          tell(`event ${own} ${event.seq} ${Math.round(trueMs)}`);
          return true;
        },
        (error: unknown) => {
          tell(`refused ${own} ${codeOf(error)}`);
          return false;
        },
      );
    });
    const stored = await Promise.all(handed);
    const value = number;
    await journal.remember(FACT, { value }).then(
      () => tell(`fact ${value}`),
      () => undefined,
    );
    if (settings.photographs) {
      const jpeg = Buffer.alloc(6_000 + (number % 20_000), number);
      jpeg.writeUInt32LE(number);
      await journal.saveEvidence(`p-${number}`, 'frame', jpeg).then(
        ({ id, bytes }) => tell(`photograph ${id} ${bytes}`),
        () => undefined,
      );
    }
    // Who is refused does not ask again at once.
    if (stored.includes(false)) await pause(5);
  }
}

/** As the gate does: it ends, and is started again. */
function giveUp(error: unknown): never {
  tell(`failed 0 ${codeOf(error)}`);
  process.exit(3);
}

async function main(): Promise<void> {
  let known: (moment: ClockKnown) => void = () => undefined;
  const trust = new ClockTrust({
    clock: trustClock,
    log: silentLog,
    evidence: () => Promise.resolve((stepNow()?.vouched ?? true) ? { state: 'disciplined', source: 'ntp' } : { state: 'unset', source: null }),
    onTrusted: (moment) => known(moment),
  });
  const journal = new ExposedJournal({
    directory: settings.directory,
    gateId: settings.gate,
    clock: journalClock,
    log: tellingLog(tell),
    clockTrusted: () => trust.trusted(),
    clockVouched: () => trust.vouched(),
    boot: { id: settings.boot, aheadMs: Number(process.hrtime.bigint()) / 1e6 - performance.now() },
    retention: { eventsDays: 365, eventsMB: 0.4, photographsDays: 30, photographsMB: PHOTOGRAPHS_MB },
    ballastMB: settings.ballastMB,
  });
  if (settings.point === 'time') setTimeout(die, settings.delayMs);
  whenOpened('journal.db', () => {
    tell('opened');
    at('start');
  });
  trust.start();
  let start: JournalStart;
  try {
    start = await journal.start();
    const fact = await journal.recall(FACT);
    tell(`started ${start.epoch} ${typeof fact?.value === 'number' ? fact.value : 0} ${start.origin}`);
  } catch (error) {
    giveUp(error);
  }
  const uplink = new Uplink({
    config: { brokers: [{ url: settings.url }], protocol: settings.protocol, keepAliveS: 30, batch: 5, window: 4, telemetryS: 60, platformAcknowledges: true },
    site: 'faults',
    gate: settings.gate,
    journal,
    epoch: start.epoch,
    clock,
    log: silentLog,
    random: Math.random,
    status: () => ({}),
    telemetry: () => ({}),
    command: () => Promise.resolve({ outcome: 'done' }),
    timing: { backoffMs: 20, backoffMostMs: 200, stableMs: 1_000, resendMs: 500, connectTimeoutMs: 2_000, answerMs: 10_000 },
  });
  // As the gate does: here, and at the platform.
  known = ({ wallMs: believedMs, monoMs, source, vouched }) => {
    const wallMs = believedMs + settings.tellsTimeOffMs;
    const offsetMs = wallMs - monoMs;
    const epochs = start.sameBoot.map(({ epoch, behindMs }) => ({ epoch, offsetMs: offsetMs + behindMs }));
    Promise.all([journal.knowClock({ wallMs, monoMs, source }), journal.append({ type: 'clock.trusted', payload: { source, vouched, offsetMs, epochs } })]).then(
      () => tell(`known ${settings.boot}`),
      () => undefined,
    );
    uplink.clockKnown();
  };
  trust.remember({ boundMs: start.wallHighMs, known: start.clockKnown });
  journal.onStored(() => at('publish'));
  // Asked by a parent that has waited in vain: where it stands.
  process.on('SIGUSR2', () => {
    process.stderr.write(`${JSON.stringify({ point: settings.point, countdown, uplink: uplink.state() })}\n`);
    void journal.outbox().then((outbox) => process.stderr.write(`${JSON.stringify({ outbox })}\n`));
  });
  await uplink.start().catch(giveUp);
  if (settings.point !== 'none') await load(journal);
  while (uplink.state().backlog > 0 || uplink.state().connection !== 'online') await pause(10);
  const { checked, brokenAt } = await journal.verify();
  tell(`verified ${checked} ${brokenAt ?? 0}`);
  await uplink.stop();
  trust.stop();
  await journal.stop();
  tell('drained');
}

await main();
