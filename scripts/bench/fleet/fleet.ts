import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, getPriority, totalmem } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import { GateError } from '../../../src/base/index.js';
import { Mosquitto } from '../../faults/mosquitto.js';
import { BenchProcess } from '../load/child.js';
import { shareOf } from './counts.js';
import { machineTicks, syncMs, usageOf, type Usage } from './machine.js';
import { failedSchema, gatesFiguresSchema, gatesStateSchema, platformBooksSchema, platformFiguresSchema, readySchema } from './messages.js';
import { sitesOf } from './names.js';
import type { FleetOptions } from './options.js';
import type { FleetReport, LoadFigures, Quantiles } from './report.js';

const openLimitMs = 15 * 60_000;
const connectLimitMs = 180_000;
const drainLimitMs = 300_000;
const pollMs = 200;
/** A passage takes some seconds to unfold: until then the load is below what is asked. */
const warmUpMs = 6_000;
const telemetryS = 30;
const mostDelayMs = 2_000;
/** Doublings of the rate at most. */
const mostSteps = 14;

const round = (value: number): number => Math.round(value * 100) / 100;
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type Pairs = readonly (readonly [number, number])[];

function quantilesOf(lists: readonly Pairs[]): Quantiles {
  return { p50: shareOf(lists, 0.5), p99: shareOf(lists, 0.99), most: shareOf(lists, 1) };
}

const asPairs = (values: readonly number[]): Pairs => values.map((value): [number, number] => [Math.round(value * 10) / 10, 1]);

function ask<Schema extends z.ZodType>(processes: readonly BenchProcess[], order: object, schema: Schema): Promise<z.output<Schema>[]> {
  return Promise.all(
    processes.map((process) => {
      const answer = process.next(schema);
      process.send(order);
      return answer;
    }),
  );
}

const sum = <Item>(items: readonly Item[], of: (item: Item) => number): number => items.reduce((total, item) => total + of(item), 0);

/** A certificate for 127.0.0.1 that signs itself. */
function certificate(directory: string): { readonly key: string; readonly certificate: string } {
  const key = join(directory, 'key.pem');
  const path = join(directory, 'certificate.pem');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', path], { stdio: 'ignore' });
  return { key, certificate: path };
}

/** What the processes had done at one moment. */
interface Mark {
  readonly atMs: number;
  readonly ticks: { readonly all: number; readonly idle: number };
  readonly broker: Usage;
  readonly platforms: readonly Usage[];
  readonly gates: readonly Usage[];
  readonly gateFigures: readonly z.output<typeof gatesFiguresSchema>[];
  readonly platformFigures: readonly z.output<typeof platformFiguresSchema>[];
}

class Fleet {
  readonly #options: FleetOptions;
  readonly #progress: (text: string) => void;
  readonly #broker: Mosquitto;
  readonly #platforms: readonly BenchProcess[];
  readonly #workers: readonly BenchProcess[];
  #failure: string | undefined;

  constructor(options: FleetOptions, progress: (text: string) => void, broker: Mosquitto, platforms: readonly BenchProcess[], workers: readonly BenchProcess[]) {
    this.#options = options;
    this.#progress = progress;
    this.#broker = broker;
    this.#platforms = platforms;
    this.#workers = workers;
    for (const worker of workers) {
      worker.onMessage((message) => {
        const failed = failedSchema.safeParse(message);
        if (failed.success) this.#failure ??= failed.data.error;
      });
    }
  }

  async connect(): Promise<Pick<FleetReport, 'connect' | 'backlog'>> {
    const { gates, backlog } = this.#options;
    this.#progress(`${gates} gates connect at once`);
    const before = usageOf(this.#broker.pid);
    const startedMs = performance.now();
    this.#tell({ kind: 'connect' });
    const seconds = await this.#until(({ offline }) => offline === 0, startedMs, connectLimitMs);
    const brokerCpuMsPerGate = round((usageOf(this.#broker.pid).cpuMs - before.cpuMs) / gates);
    const onlineMs = (await this.#gateFigures()).flatMap((figures) => figures.onlineMs);
    const connect = { connected: onlineMs.length, seconds, ms: quantilesOf([asPairs(onlineMs)]), brokerCpuMsPerGate };
    if (backlog === 0) return { connect, backlog: null };
    const events = gates * backlog;
    this.#progress(`${events} events of backlog`);
    const drained = await this.#until((state) => state.backlog === 0, startedMs, drainLimitMs);
    return { connect, backlog: { events, seconds: drained, eventsPerSecond: drained === null ? null : round(events / drained) } };
  }

  /** Leaves the load on. */
  async load(rate: number): Promise<LoadFigures> {
    const { gates, seconds } = this.#options;
    this.#progress(`${rate} events a minute and gate, for ${seconds} s`);
    this.#tell({ kind: 'load', eventsPerMinute: rate });
    await wait(Math.min(warmUpMs, seconds * 500));
    const begin = await this.#mark();
    await wait(seconds * 1_000);
    const end = await this.#mark();
    const spanS = (end.atMs - begin.atMs) / 1_000;
    const perSecond = (of: (mark: Mark) => number): number => round((of(end) - of(begin)) / spanS);
    const percent = (before: readonly Usage[], after: readonly Usage[]): number[] => after.map(({ cpuMs }, index) => round((cpuMs - (before[index]?.cpuMs ?? cpuMs)) / spanS / 10));
    const asked = round((gates * rate) / 60);
    const handed = perSecond((mark) => sum(mark.gateFigures, (figures) => figures.handed));
    const arrived = perSecond((mark) => sum(mark.platformFigures, ({ events }) => events));
    const messages = perSecond((mark) => sum(mark.platformFigures, (figures) => figures.messages));
    const bytes = perSecond((mark) => sum(mark.platformFigures, (figures) => figures.bytes));
    const delayMs = quantilesOf(end.platformFigures.map(({ liveMs }) => liveMs));
    const onDiskMs = quantilesOf(end.gateFigures.map(({ appendMs }) => appendMs));
    const [brokerPercent = 0] = percent([begin.broker], [end.broker]);
    const platformPercent = percent(begin.platforms, end.platforms);
    const gatesCpuPercent = round(sum(percent(begin.gates, end.gates), (value) => value));
    const busiestPercent = Math.max(0, ...platformPercent);
    const machineBusyPercent = round(100 * (1 - (end.ticks.idle - begin.ticks.idle) / Math.max(1, end.ticks.all - begin.ticks.all)));
    const followed = handed >= 0.8 * asked && arrived >= 0.9 * handed && (delayMs.p99 ?? Number.POSITIVE_INFINITY) <= mostDelayMs;
    const othersPercent = round(Math.max(0, machineBusyPercent - (brokerPercent + sum(platformPercent, (value) => value) + gatesCpuPercent) / availableParallelism()));
    const shares = { brokerPercent, busiestPercent, machineBusyPercent, othersPercent, onDiskMs: onDiskMs.p99 ?? 0, gatesCpuPercent };
    return {
      seconds: round(spanS),
      rate,
      asked,
      handed,
      arrived,
      messages,
      eventsPerMessage: messages === 0 ? null : round(arrived / messages),
      bytesPerEvent: arrived === 0 ? null : Math.round(bytes / arrived),
      acknowledgements: perSecond((mark) => sum(mark.platformFigures, (figures) => figures.acknowledgements)),
      acknowledgementsWritten: perSecond((mark) => sum(mark.gateFigures, (figures) => figures.acknowledged)),
      delayMs,
      onDiskMs,
      broker: { cpuPercent: brokerPercent, rssMB: round(end.broker.rssMB) },
      platform: { cpuPercent: round(sum(platformPercent, (value) => value)), busiestPercent, rssMB: round(sum(end.platforms, ({ rssMB }) => rssMB)) },
      perGate: { cpuPercent: round(gatesCpuPercent / gates), rssMB: round(sum(end.gates, ({ rssMB }) => rssMB) / gates) },
      gatesCpuPercent,
      machineBusyPercent,
      othersPercent,
      followed,
      limitedBy: followed ? null : limitOf(shares),
    };
  }

  /** Doubles the rate until the fleet does not follow. */
  async limit(steady: LoadFigures): Promise<FleetReport['limit']> {
    const steps: LoadFigures[] = [];
    let last = steady;
    while (last.followed && steps.length < mostSteps) {
      last = await this.load(last.rate * 2);
      steps.push(last);
    }
    this.#tell({ kind: 'load', eventsPerMinute: 0 });
    await this.#settle();
    const followed = Math.max(0, ...[steady, ...steps].filter((step) => step.followed).map(({ arrived }) => arrived));
    return { steps, followed, by: last.limitedBy ?? `not met within ${mostSteps} doublings` };
  }

  /** The broker dies under load, and comes back. */
  async outage(): Promise<FleetReport['outage']> {
    const { outage: seconds, gates, rate } = this.#options;
    if (seconds === 0) return null;
    this.#progress(`the broker is killed, for ${seconds} s`);
    this.#tell({ kind: 'load', eventsPerMinute: rate });
    await this.#broker.kill();
    await wait(seconds * 1_000);
    const waited = sum(await this.#states(), ({ backlog }) => backlog);
    this.#tell({ kind: 'since' });
    const startedMs = performance.now();
    await this.#broker.start();
    const backSeconds = await this.#until(({ offline }) => offline === 0, startedMs, connectLimitMs);
    const backMs = (await this.#gateFigures()).flatMap((figures) => figures.onlineMs);
    // The load goes on: two seconds of it may be under way.
    const underWay = Math.max(10, (2 * gates * rate) / 60);
    const drainedSeconds = await this.#until(({ backlog, offline }) => offline === 0 && backlog <= underWay, startedMs, drainLimitMs);
    return { seconds, back: backMs.length, backSeconds, backMs: quantilesOf([asPairs(backMs)]), waited, drainedSeconds };
  }

  /** Ends the load, waits until everything is through, and holds the platform's books against the gates'. */
  async close(): Promise<FleetReport['books']> {
    this.#tell({ kind: 'load', eventsPerMinute: 0 });
    await this.#settle();
    if (this.#failure !== undefined) throw new GateError('JOURNAL_WRITE_FAILED', `a gate could not write: ${this.#failure}`);
    const heads = (await this.#gateFigures()).flatMap((figures) => figures.heads);
    const gates = heads.map(({ site, gate }) => ({ site, gate }));
    const books = (await ask(this.#platforms, { kind: 'books', gates }, platformBooksSchema)).flatMap((told) => told.gates).filter(({ through, events }) => through > 0 || events > 0);
    const malformed = sum(await ask(this.#platforms, { kind: 'figures' }, platformFiguresSchema), (figures) => figures.malformed);
    const through = new Map(books.map((book) => [`${book.site}/${book.gate}`, book.through]));
    return {
      gates: books.length,
      events: sum(books, ({ events }) => events),
      lost: sum(heads, ({ site, gate, head }) => head - (through.get(`${site}/${gate}`) ?? 0)),
      doubled: sum(books, ({ doubled }) => doubled),
      reordered: sum(books, ({ reordered }) => reordered),
      chainBroken: sum(books, ({ chainBroken }) => chainBroken),
      malformed,
      repeated: sum(books, ({ repeated }) => repeated),
    };
  }

  async #settle(): Promise<void> {
    this.#progress('until everything is through');
    await this.#until(({ busy, backlog }) => busy === 0 && backlog === 0, performance.now(), drainLimitMs);
  }

  #tell(order: object): void {
    for (const worker of this.#workers) worker.send(order);
  }

  #states(): Promise<z.output<typeof gatesStateSchema>[]> {
    return ask(this.#workers, { kind: 'state' }, gatesStateSchema);
  }

  #gateFigures(): Promise<z.output<typeof gatesFiguresSchema>[]> {
    return ask(this.#workers, { kind: 'figures' }, gatesFiguresSchema);
  }

  async #mark(): Promise<Mark> {
    const [gateFigures, platformFigures] = await Promise.all([this.#gateFigures(), ask(this.#platforms, { kind: 'figures' }, platformFiguresSchema)]);
    const usages = (processes: readonly BenchProcess[]): Usage[] => processes.map(({ pid }) => usageOf(pid));
    return { atMs: performance.now(), ticks: machineTicks(), broker: usageOf(this.#broker.pid), platforms: usages(this.#platforms), gates: usages(this.#workers), gateFigures, platformFigures };
  }

  /** Seconds from `startedMs` until it holds over all gates; null where it does not within the limit. */
  async #until(holds: (total: { readonly offline: number; readonly busy: number; readonly backlog: number }) => boolean, startedMs: number, limitMs: number): Promise<number | null> {
    let toldMs = performance.now();
    for (;;) {
      const states = await this.#states();
      const total = { offline: sum(states, ({ offline }) => offline), busy: sum(states, ({ busy }) => busy), backlog: sum(states, ({ backlog }) => backlog) };
      const nowMs = performance.now();
      if (holds(total)) return round((nowMs - startedMs) / 1_000);
      if (nowMs - startedMs > limitMs) return null;
      if (nowMs - toldMs > 5_000) {
        toldMs = nowMs;
        this.#progress(`${total.offline} gates offline, ${total.backlog} events wait`);
      }
      await wait(pollMs);
    }
  }
}

/** What gave out, judged by who had nothing left. */
function limitOf({ brokerPercent, busiestPercent, machineBusyPercent, othersPercent, onDiskMs, gatesCpuPercent }: { readonly brokerPercent: number; readonly busiestPercent: number; readonly machineBusyPercent: number; readonly othersPercent: number; readonly onDiskMs: number; readonly gatesCpuPercent: number }): string {
  if (brokerPercent > 90) return `the broker, ${brokerPercent} % of the one processor it can use`;
  if (busiestPercent > 90) return `a consumer of the platform, ${busiestPercent} % of the one processor it can use`;
  if (machineBusyPercent > 90) return `the processors of this machine (broker ${brokerPercent} %, busiest consumer ${busiestPercent} %, gates ${gatesCpuPercent} % of one; others' work ${othersPercent} % of all)`;
  if (onDiskMs > mostDelayMs / 2) return `the disk: an event waits up to ${onDiskMs} ms (p99) for it`;
  return `nothing that was measured (broker ${brokerPercent} %, busiest consumer ${busiestPercent} %, gates ${gatesCpuPercent} % of one processor, on disk after ${onDiskMs} ms)`;
}

/**
 * Starts broker, platform and gates as processes, drives them through the run, and says what came of it.
 * @param progress told in words what happens
 * @throws GateError BROKER_UNREACHABLE where mosquitto does not start, DEVICE_TIMEOUT where a process does not answer
 */
export async function runFleet(options: FleetOptions, progress: (text: string) => void): Promise<FleetReport> {
  const { gates, workers: wanted, backlog, tls, seed, consumers, share } = options;
  const directory = mkdtempSync(join(options.directory, 'laurel-fleet-'));
  const processes: BenchProcess[] = [];
  let broker: Mosquitto | undefined;
  try {
    const keys = tls ? certificate(directory) : undefined;
    broker = await Mosquitto.start({
      directory,
      // A consumer that is behind is not to lose messages; the usual limit is a thousand. Started by root, mosquitto would
      // give root up before it reads the key.
      lines: ['allow_anonymous true', 'max_queued_messages 200000', 'max_inflight_messages 200', ...(tls ? ['user root'] : [])],
      ...(keys === undefined ? {} : { listenerLines: [`certfile ${keys.certificate}`, `keyfile ${keys.key}`] }),
    });
    const url = tls ? broker.url.replace('mqtt:', 'mqtts:') : broker.url;
    const ca = keys?.certificate ?? null;
    const begin = (name: string, settings: object): BenchProcess => {
      const process = new BenchProcess(name, [JSON.stringify(settings)], { priority: getPriority() }, import.meta.url);
      processes.push(process);
      return process;
    };
    const platforms = Array.from({ length: consumers }, (_, index) => begin('platform-process', { url, ca, sites: consumers === 1 ? null : sitesOf(index, consumers, gates), connections: share }));
    await Promise.all(platforms.map((platform) => platform.next(readySchema)));
    progress(`${gates} journals are opened`);
    const openedMs = performance.now();
    const count = Math.min(wanted, gates);
    const workers = Array.from({ length: count }, (_, index) => {
      const first = Math.floor((index * gates) / count);
      return begin('gates-process', { directory, url, ca, first, count: Math.floor(((index + 1) * gates) / count) - first, backlog, telemetryS, seed });
    });
    await Promise.all(workers.map((worker) => worker.next(readySchema, openLimitMs)));
    const journals = { seconds: round((performance.now() - openedMs) / 1_000) };
    const fleet = new Fleet(options, progress, broker, platforms, workers);
    const machine = { processors: availableParallelism(), node: process.versions.node, memoryGB: Math.round(totalmem() / 2 ** 30), syncMs: syncMs(directory) };
    const { connect, backlog: drained } = await fleet.connect();
    const steady = await fleet.load(options.rate);
    const limit = options.limit ? await fleet.limit(steady) : null;
    const outage = await fleet.outage();
    const books = await fleet.close();
    const { json: _json, arithmetic: _arithmetic, directory: _directory, ...asked } = options;
    return { name: 'fleet', options: asked, machine, journals, connect, backlog: drained, steady, limit, outage, books };
  } finally {
    await Promise.all(processes.map((process) => process.stop()));
    await broker?.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}
