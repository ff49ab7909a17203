import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { GateError } from '../../src/base/index.js';
import { Mosquitto, mosquittoPath } from '../faults/mosquitto.js';
import { usageOf } from './fleet/machine.js';
import { BenchProcess } from './load/child.js';
import { asInstalled, type ProcessSettings } from './load/gate-unit.js';
import { appendAll, openedAt } from './load/journal-events.js';
import { quantile, round } from './load/probe.js';
import { halvesOfProcessors, runOn } from './load/processors.js';
import { bareId, gateId, usualBatch, windowMessages } from './load/uplink-config.js';
import type { BenchOptions } from './options.js';

const usualBacklog = 1_000_000;
/** Broker and platform are other machines in life: they have their own half of the processors, or at least give way. */
const outsidePriority = 10;
const liveEveryMs = 100;
const lookEveryMs = 1_000;
const atOnce = 10_000;
/** Events of the journal whose messages the bare client publishes. */
const sampleEvents = 20_000;
/** So many of them at least, full ones as the drain is made of. */
const sampleMessages = 50;
/** Longest time without a new event at the platform. */
const stuckMs = 60_000;
const mostBareMs = 600_000;

const readySchema = z.object({ kind: z.literal('ready') });
const begunSchema = z.object({ kind: z.literal('begun') });
const recordedSchema = z.object({ kind: z.literal('recorded'), messages: z.array(z.string()) });
const doneSchema = z.object({ kind: z.literal('done'), messages: z.number(), seconds: z.number() });
const reportSchema = z.object({
  kind: z.literal('report'),
  messages: z.number(),
  events: z.number(),
  historical: z.number(),
  repeated: z.number(),
  reordered: z.number(),
  firstMs: z.number(),
  lastMs: z.number(),
  liveDelaysMs: z.array(z.number()),
  through: z.number(),
});
type Report = z.output<typeof reportSchema>;

async function writeBacklog(directory: string, count: number, progress: (text: string) => void): Promise<void> {
  const journal = openedAt(directory);
  await journal.start();
  for (let done = 0; done < count; done += atOnce) {
    await appendAll(journal, done, Math.min(count, done + atOnce));
    if (done % (10 * atOnce) === 0) progress(`backlog of ${done} events written`);
  }
  await journal.stop();
}

/** Events of the backlog a second, from the first arrival to the last. */
function rateOf({ historical, firstMs, lastMs }: Report): number {
  return (historical * 1_000) / (lastMs - firstMs);
}

class UplinkBench {
  readonly #directory: string;
  readonly #broker: Mosquitto;
  readonly #platform: BenchProcess;
  readonly #gate: ProcessSettings;
  readonly #batch: number;
  readonly #progress: (text: string) => void;

  /** @param gate how the gate is started, and the bare client */
  constructor(directory: string, broker: Mosquitto, platform: BenchProcess, gate: ProcessSettings, batch: number, progress: (text: string) => void) {
    this.#directory = directory;
    this.#broker = broker;
    this.#platform = platform;
    this.#gate = gate;
    this.#batch = batch;
    this.#progress = progress;
  }

  async #report(gate: string): Promise<Report> {
    const answer = this.#platform.next(reportSchema);
    this.#platform.send({ kind: 'report', gate });
    return await answer;
  }

  async #begin(gate: string): Promise<void> {
    const answer = this.#platform.next(begunSchema);
    this.#platform.send({ kind: 'begin', gate });
    await answer;
  }

  async #startGate(journal: string): Promise<BenchProcess> {
    const gate = new BenchProcess('uplink-gate', [journal, this.#broker.url, String(liveEveryMs), String(this.#batch)], this.#gate);
    await gate.next(readySchema);
    return gate;
  }

  /** Messages as a gate makes them, for the bare client. */
  async record(journal: string): Promise<string> {
    const gate = await this.#startGate(journal);
    let messages: string[] = [];
    while (messages.length < Math.min(sampleMessages, sampleEvents / this.#batch / 2)) {
      await sleep(100);
      const answer = this.#platform.next(recordedSchema);
      this.#platform.send({ kind: 'recorded', gate: gateId });
      ({ messages } = await answer);
    }
    await gate.stop();
    const file = join(this.#directory, 'messages.json');
    writeFileSync(file, JSON.stringify(messages));
    return file;
  }

  /** Publishes the messages again and again, until so many events have been told, and waits until all have arrived. */
  async bare(file: string, count: number): Promise<{ readonly taken: number; readonly arrived: number; readonly cpuMs: number; readonly events: number; readonly messages: number }> {
    await this.#begin(bareId);
    const messages = Math.ceil(count / this.#batch);
    const bare = new BenchProcess('uplink-bare', [file, this.#broker.url, String(messages)], this.#gate);
    const { seconds } = await bare.next(doneSchema, mostBareMs);
    const { cpuMs } = usageOf(bare.pid);
    await bare.stop();
    let seen = { events: 0, sinceMs: performance.now() };
    for (;;) {
      const report = await this.#report(bareId);
      if (report.messages >= messages) {
        const arrived = rateOf(report);
        this.#progress(`bare client: ${Math.round(arrived)} events a second`);
        return { taken: report.events / seconds, arrived, cpuMs, events: report.events, messages: report.messages };
      }
      seen = this.#moved(seen, report);
      await sleep(lookEveryMs);
    }
  }

  #moved(seen: { readonly events: number; readonly sinceMs: number }, { events }: Report): { readonly events: number; readonly sinceMs: number } {
    if (events > seen.events) return { events, sinceMs: performance.now() };
    if (performance.now() - seen.sinceMs > stuckMs) throw new GateError('BROKER_UNREACHABLE', `nothing arrives any more after ${events} events`);
    return seen;
  }

  /** Lets the whole backlog drain, with live events meanwhile; memory is looked at once a second. */
  async drain(journal: string): Promise<{ readonly report: Report; readonly rssMB: readonly number[]; readonly cpuMs: Readonly<Record<'gate' | 'platform' | 'broker', number>> }> {
    await this.#begin(gateId);
    const gate = await this.#startGate(journal);
    const rssMB: number[] = [];
    const pids = { gate: gate.pid, platform: this.#platform.pid, broker: this.#broker.pid };
    const cpuNow = (): Record<keyof typeof pids, number> => ({ gate: usageOf(pids.gate).cpuMs, platform: usageOf(pids.platform).cpuMs, broker: usageOf(pids.broker).cpuMs });
    const from = cpuNow();
    let report = await this.#report(gateId);
    let seen = { events: 0, sinceMs: performance.now() };
    for (;;) {
      await sleep(lookEveryMs);
      rssMB.push(usageOf(gate.pid).rssMB);
      report = await this.#report(gateId);
      const answer = gate.next(z.object({ kind: z.literal('state'), backlog: z.number(), handed: z.number() }));
      gate.send({ kind: 'state' });
      const { backlog } = await answer;
      // What is left is of the last moments.
      if (backlog < 2 * this.#batch && report.historical > 0) break;
      seen = this.#moved(seen, report);
      if (rssMB.length % 10 === 0) this.#progress(`${report.historical} events drained, ${round(rssMB.at(-1) ?? 0)} MB`);
    }
    const to = cpuNow();
    await gate.stop();
    return { report, rssMB, cpuMs: { gate: to.gate - from.gate, platform: to.platform - from.platform, broker: to.broker - from.broker } };
  }
}

/**
 * How fast a backlog drains over a real broker to a platform that acknowledges, beside MQTT.js alone publishing the same
 * messages with the same window to the same broker and platform, before and after; how late live events are meanwhile; and
 * whether the gate's memory stays flat. The gate, and the bare client after it, has half of the processors, broker and
 * platform the other: where all share two, the platform waits for the gate's threads while the other one is idle, which
 * does not happen to machines of their own.
 */
export async function run(options: BenchOptions): Promise<object> {
  if (!existsSync(mosquittoPath)) throw new GateError('CONFIG_INVALID', "this bench needs Debian's mosquitto: apt-get install mosquitto");
  const progress = (text: string): void => void process.stderr.write(`uplink: ${text}\n`);
  const backlog = options.backlog ?? usualBacklog;
  const batch = options.batch ?? usualBatch;
  const directory = mkdtempSync(join(options.directory ?? tmpdir(), 'laurel-bench-'));
  let broker: Mosquitto | undefined;
  let platform: BenchProcess | undefined;
  try {
    await writeBacklog(join(directory, 'sample'), sampleEvents, progress);
    await writeBacklog(join(directory, 'journal'), backlog, progress);
    setPriority(outsidePriority);
    const halves = halvesOfProcessors();
    if (halves !== undefined) runOn(halves.outside);
    broker = await Mosquitto.start({ directory, lines: ['allow_anonymous true', 'set_tcp_nodelay true', 'max_queued_messages 0'] });
    platform = new BenchProcess('uplink-platform', [broker.url, String(batch)], { priority: outsidePriority });
    await platform.next(readySchema);
    const bench = new UplinkBench(directory, broker, platform, { ...asInstalled, processors: halves?.gate }, batch, progress);
    const file = await bench.record(join(directory, 'sample'));
    const before = await bench.bare(file, backlog / 2);
    const { report, rssMB, cpuMs } = await bench.drain(join(directory, 'journal'));
    const cpuUs = (ms: number, events = report.events): number => round((ms * 1_000) / events);
    const after = await bench.bare(file, backlog / 2);
    const drain = rateOf(report);
    const bare = (before.arrived + after.arrived) / 2;
    return {
      name: 'uplink',
      figures: {
        drainPerSecond: Math.round(drain),
        bareClientPerSecond: Math.round(bare),
        liveDelayP99Ms: round(quantile(report.liveDelaysMs, 0.99)),
        rssMB: round(Math.max(...rssMB)),
      },
      reference: {
        what: `MQTT.js alone, started as the gate is, the gate's own full messages made ready before, ${windowMessages} in flight, same broker and platform, half of the backlog before the gate and as much after it; events a second from the first arrival at the platform to the last, as for the gate. The broker keeps all that waits; takenPerSecond is how fast it gave receipts`,
        processors: halves === undefined ? 'shared by all, broker and platform give way' : { gateAndBareClient: halves.gate, brokerAndPlatform: halves.outside },
        before: Math.round(before.arrived),
        after: Math.round(after.arrived),
        takenPerSecond: Math.round((before.taken + after.taken) / 2),
        drainToBare: round(drain / bare),
        eventsAMessage: { gate: round(report.historical / (report.messages - report.liveDelaysMs.length)), bareClient: round((before.events + after.events) / (before.messages + after.messages)) },
      },
      live: { events: report.liveDelaysMs.length, p50Ms: round(quantile(report.liveDelaysMs, 0.5)), mostMs: round(Math.max(0, ...report.liveDelaysMs)) },
      memory: { what: 'resident, whole process, once a second: after the first tenth of the drain, in its middle, at its end', rssMB: [0.1, 0.5, 1].map((part) => round(rssMB[Math.min(rssMB.length - 1, Math.floor(rssMB.length * part))] ?? 0)) },
      drained: { events: report.historical, seconds: round((report.lastMs - report.firstMs) / 1_000), messages: report.messages, window: windowMessages, batch, repeated: report.repeated, reordered: report.reordered, cpuUsPerEvent: { gate: cpuUs(cpuMs.gate), platform: cpuUs(cpuMs.platform), broker: cpuUs(cpuMs.broker), bareClient: cpuUs(before.cpuMs + after.cpuMs, before.events + after.events) } },
    };
  } finally {
    await platform?.stop();
    await broker?.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}
