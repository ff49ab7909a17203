/**
 * The gate of the uplink's fault rounds: the real journal and uplink, with a load, which tells its parent what it was told
 * is on record, steps its clock and kills itself as its parent says.
 */
import { openSync, writeSync } from 'node:fs';
import { isGateError, silentLog, type Clock } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { SqliteJournal } from '../../src/journal/index.js';
import { Uplink, type UplinkState } from '../../src/uplink/index.js';
import { whenOpened } from './opening.js';
import { gateSettingsSchema, orderSchema, type Death, type GateNews, type KillPoint } from './uplink-messages.js';

const settings = gateSettingsSchema.parse(JSON.parse(process.argv[2] ?? '{}'));
/** The journal tidies up after ten seconds, then once a minute, and soon again where there is more; here as often as its deletions are to be met. */
const TIDY_MS: readonly number[] = [10_000, 60_000, 20];
const TIDY_HERE_MS = 40;
const NEWS_MS = 25;
/** The load waits for the platform beyond it, so that a segment ends some day. */
const MOST_BACKLOG = 1_500;

let death: (Death & { left: number }) | undefined;
let offsetMs = settings.clockOffsetMs;
let finishing = false;

function condemn(next: Death): void {
  death = { ...next, left: next.countdown };
  at('time');
}

function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

function at(point: KillPoint): void {
  if (death?.point !== point) return;
  death.left -= 1;
  if (death.left > 0) return;
  if (death.delayMs === 0) die();
  else setTimeout(die, death.delayMs);
}

const clock: Clock = {
  monoMs: () => systemClock.monoMs(),
  wallMs: () => Math.max(0, systemClock.wallMs() + offsetMs),
  after: (delayMs, run) => {
    if (!TIDY_MS.includes(delayMs)) return systemClock.after(delayMs, run);
    return systemClock.after(TIDY_HERE_MS, () => {
      run();
      at('delete');
    });
  },
};

const told = openSync(settings.told, 'a');

/** Straight to the system: what is written here outlives the kill. */
function tell(line: string): void {
  writeSync(told, `${line}\n`);
}

/** The journal, with the moments between write, publish and acknowledge laid open. */
class ExposedJournal extends SqliteJournal {
  override acknowledge(seq: number, epoch?: number): ReturnType<SqliteJournal['acknowledge']> {
    at('acknowledge');
    const written = super.acknowledge(seq, epoch);
    written.then(
      ({ acknowledged }) => tell(`let-go ${acknowledged}`),
      () => undefined,
    );
    return written;
  }

  override eventBatches(query: Parameters<SqliteJournal['eventBatches']>[0]): ReturnType<SqliteJournal['eventBatches']> {
    at('publish');
    return super.eventBatches(query);
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const codeOf = (error: unknown): string => (isGateError(error) ? error.code : 'UNKNOWN');

async function load(journal: SqliteJournal, uplink: Uplink): Promise<void> {
  let number = settings.firstNumber;
  while (!finishing) {
    if (uplink.state().backlog < MOST_BACKLOG) {
      await Promise.all(
        Array.from({ length: 1 + Math.floor(Math.random() * 4) }, () => {
          const own = number;
          number += 1;
          const appended = journal.append({ type: 'passage.read', lane: own % 2 === 0 ? 'entry' : 'exit', payload: { number: own } });
          at('write');
          return appended.then(
            (event) => tell(`event ${own} ${event.seq}`),
            (error: unknown) => tell(`refused ${own} ${codeOf(error)}`),
          );
        }),
      );
    }
    await pause(10 + Math.random() * 40);
  }
}

function report({ connection, connects, backlog, acknowledged, inFlight, duplicate, lastError }: UplinkState): void {
  const news: GateNews = { connection, connects, backlog, acknowledged, inFlight, duplicate: duplicate?.message ?? null, lastError: lastError?.message ?? null };
  if (process.connected) process.send?.(news);
}

async function main(): Promise<void> {
  if (settings.death !== undefined) condemn(settings.death);
  whenOpened('journal.db', () => at('start'));
  const journal = new ExposedJournal({
    directory: settings.directory,
    gateId: settings.gate,
    clock,
    log: silentLog,
    // Little enough that acknowledged events are deleted all the time.
    retention: { eventsDays: 200, eventsMB: 0.06, photographsDays: 30, photographsMB: 50 },
    ballastMB: 0,
  });
  const { epoch } = await journal.start();
  tell(`started ${epoch}`);
  const uplink = new Uplink({
    config: { brokers: [{ url: settings.url }], protocol: settings.protocol, keepAliveS: 2, batch: 5, window: 4, telemetryS: 1, platformAcknowledges: true },
    site: settings.site,
    gate: settings.gate,
    journal,
    epoch,
    clock,
    log: silentLog,
    random: Math.random,
    status: () => ({}),
    telemetry: () => ({}),
    command: () => Promise.resolve({ outcome: 'done' }),
    timing: { backoffMs: 10, backoffMostMs: 100, stableMs: 300, resendMs: 300, connectTimeoutMs: 2_000, answerMs: 2_000, ackPauseMs: 15, duplicateQuietMs: 3_000 },
  });
  process.on('message', (message) => {
    const order = orderSchema.parse(message);
    if (order.order === 'die') condemn(order.death);
    else if (order.order === 'clock') ({ offsetMs } = order);
    else finishing = true;
  });
  // A gate whose keeper is gone has nobody to work for.
  process.on('disconnect', die);
  journal.onStored(() => at('publish'));
  uplink.onState(report);
  await uplink.start();
  const news = setInterval(() => report(uplink.state()), NEWS_MS);
  await load(journal, uplink);
  while (uplink.state().backlog > 0 || uplink.state().connection !== 'online') await pause(5);
  const { checked, brokenAt } = await journal.verify();
  const [oldest] = await journal.events({ limit: 1 });
  tell(`verified ${checked} ${brokenAt ?? 0}`);
  tell(`oldest ${oldest?.seq ?? (await journal.outbox()).head + 1}`);
  clearInterval(news);
  await uplink.stop();
  await journal.stop();
  tell('drained');
  process.off('disconnect', die);
  process.disconnect();
}

await main();
