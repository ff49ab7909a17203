/**
 * Some of the fleet's gates in one process: each with the real journal (its own thread and files) and the real uplink, and
 * a light lane that writes passages. Argument: `gatesSettingsSchema` as JSON.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { errorText, silentLog, type Timer } from '../../../src/base/index.js';
import { systemClock } from '../../../src/base/system-clock.js';
import { SqliteJournal, type NewEvent, type StoredEvent } from '../../../src/journal/index.js';
import { Uplink, type UplinkSettings } from '../../../src/uplink/index.js';
import { Counts } from './counts.js';
import { gateOrderSchema, gatesSettingsSchema, type GatesTold } from './messages.js';
import { gateNames } from './names.js';
import { measuredPassage, passageSteps, seededRandom } from './passage.js';

/** Gates whose files are made at the same time. */
const atOnce = 8;
/** Backlog events handed over at once. */
const burst = 500;

const settings = gatesSettingsSchema.parse(JSON.parse(process.argv[2] ?? '{}'));
const appendMs = new Counts();
const tally = { handed: 0, acknowledged: 0 };
const tell = (message: GatesTold): void => void process.send?.(message);

/** The journal, with what is handed to it counted and timed. */
class TimedJournal extends SqliteJournal {
  override async append(event: NewEvent): Promise<StoredEvent> {
    const startedMs = systemClock.monoMs();
    tally.handed += 1;
    const stored = await super.append(event);
    appendMs.add(systemClock.monoMs() - startedMs);
    return stored;
  }

  override acknowledge(seq: number, epoch?: number): ReturnType<SqliteJournal['acknowledge']> {
    tally.acknowledged += 1;
    return super.acknowledge(seq, epoch);
  }
}

/** As the daemon's messages are in size: two lanes with their sensors, and a health report. */
const lane = (id: string): object => ({
  lane: id,
  name: id === 'entry' ? '入口 Entry' : '出口 Exit',
  direction: id,
  boom: 'closed',
  boomPosition: 0,
  held: false,
  heldBySchedule: false,
  fire: false,
  lamp: null,
  sensors: { approach: 'off', closing: 'off', beam: 'off', openLimit: 'off', closedLimit: 'on', button: 'off' },
  visionAvailable: true,
  attention: [],
  findings: [],
  passage: null,
  counts: { passages: 0, opened: 0, refused: 0 },
});
const status = z.record(z.string(), z.json()).parse({ versions: { laurelGate: '0.1.0', node: process.versions.node }, lanes: [lane('entry'), lane('exit')] });
const camera = (id: string): object => ({ lane: id, camera: `${id}-camera`, state: 'live', framesPerSecond: 7.851641984662167, lastFrameAgeMs: 108 });
const health = z.record(z.string(), z.json()).parse({
  memoryMB: 258.5,
  heapMB: 55.8,
  cpuPercent: 7.4,
  uptimeS: 92,
  load1: 1.69,
  eventLoop: { p50Ms: 0.41, p999Ms: 16.11, maxMs: 29.54 },
  vision: { state: 'ok', restarts: 0, cameras: [camera('entry'), camera('exit')] },
  access: { inside: 0, spaces: 500, free: 500, byClass: { emergency: 1, blocked: 0, resident: 3, visitor: 0, outside: 2, unplated: 0 }, unknownExits: 6 },
  guard: { supervisor: 'off' },
  lostDevices: [],
  findings: [],
});

class LightGate {
  readonly names: ReturnType<typeof gateNames>;
  readonly #number: number;
  readonly #random: () => number;
  readonly #journal: TimedJournal;
  /** Events that are still to come or to be on disk. */
  #underWay = 0;
  #uplink: Uplink | undefined;
  #passages = 0;
  #arrival: Timer | undefined;
  #head = 0;
  #connected = false;
  /** Monotonic time at which the line came up last. */
  onlineAtMs: number | undefined;

  constructor(number: number) {
    this.#number = number;
    this.names = gateNames(number);
    this.#random = seededRandom(settings.seed * 1_000_003 + number);
    const { site, gate } = this.names;
    this.#journal = new TimedJournal({
      directory: join(settings.directory, `${site}-${gate}`),
      gateId: `${site}-${gate}`,
      clock: systemClock,
      log: silentLog,
      retention: { eventsDays: 365, photographsDays: 30, photographsMB: 100 },
      ballastMB: 0,
    });
  }

  async open(backlog: number): Promise<void> {
    const { epoch } = await this.#journal.start();
    this.#journal.onStored((events) => (this.#head = Math.max(this.#head, events.at(-1)?.seq ?? 0)));
    const waiting: NewEvent[] = [];
    while (waiting.length < backlog) waiting.push(...this.#nextPassage().map(({ event }) => event));
    for (let at = 0; at < backlog; at += burst) await Promise.all(waiting.slice(at, Math.min(backlog, at + burst)).map((event) => this.#journal.append(event)));
    const config: UplinkSettings = {
      brokers: [{ url: settings.url, ...(settings.ca === null ? {} : { ca: settings.ca }) }],
      protocol: '5',
      keepAliveS: 30,
      batch: 50,
      window: 20,
      telemetryS: settings.telemetryS,
      platformAcknowledges: true,
    };
    const { site, gate } = this.names;
    const uplink = new Uplink({
      config,
      site,
      gate,
      journal: this.#journal,
      epoch,
      clock: systemClock,
      log: silentLog,
      random: Math.random,
      status: () => status,
      telemetry: () => health,
      command: () => Promise.resolve({ outcome: 'done' }),
    });
    uplink.onState(({ connection }) => {
      const connected = connection === 'online';
      if (connected && !this.#connected) this.onlineAtMs = systemClock.monoMs();
      this.#connected = connected;
    });
    this.#uplink = uplink;
  }

  async connect(): Promise<void> {
    await this.#uplink?.start();
  }

  get head(): number {
    return this.#head;
  }

  get online(): boolean {
    return this.#connected;
  }

  get backlog(): number {
    return this.#uplink?.state().backlog ?? 0;
  }

  get connects(): number {
    return this.#uplink?.state().connects ?? 0;
  }

  /** From now on so many events a minute, as whole passages at random moments; 0 ends it, and the passages under way end. */
  load(eventsPerMinute: number): void {
    this.#arrival?.cancel();
    if (eventsPerMinute > 0) this.#arrive((measuredPassage.events / eventsPerMinute) * 60_000);
  }

  get busy(): boolean {
    return this.#underWay > 0;
  }

  #arrive(meanMs: number): void {
    this.#arrival = systemClock.after(-Math.log(1 - this.#random()) * meanMs, () => {
      this.#drive(this.#nextPassage(), 0);
      this.#arrive(meanMs);
    });
  }

  #drive(steps: ReturnType<typeof passageSteps>, at: number): void {
    const step = steps[at];
    if (step === undefined) return;
    this.#underWay += 1;
    systemClock.after(step.afterMs, () => {
      this.#journal
        .append(step.event)
        .catch((error: unknown) => tell({ kind: 'failed', error: errorText(error) }))
        .finally(() => (this.#underWay -= 1));
      this.#drive(steps, at + 1);
    });
  }

  #nextPassage(): ReturnType<typeof passageSteps> {
    this.#passages += 1;
    return passageSteps(this.#random, `${this.names.gate}-1-${this.#passages}`);
  }
}

const gates = Array.from({ length: settings.count }, (_, index) => new LightGate(settings.first + index));
const waiting = [...gates];
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (let gate = waiting.shift(); gate !== undefined; gate = waiting.shift()) await gate.open(settings.backlog);
  }),
);
appendMs.take();
tally.handed = 0;

let sinceMs = systemClock.monoMs();
process.on('message', (message: unknown) => {
  const order = gateOrderSchema.parse(message);
  switch (order.kind) {
    case 'connect':
      sinceMs = systemClock.monoMs();
      for (const gate of gates) void gate.connect();
      return;
    case 'since':
      sinceMs = systemClock.monoMs();
      return;
    case 'load':
      for (const gate of gates) gate.load(order.eventsPerMinute);
      return;
    case 'state':
      tell({
        kind: 'state',
        online: gates.filter((gate) => gate.online && (gate.onlineAtMs ?? 0) >= sinceMs).length,
        offline: gates.filter((gate) => !gate.online).length,
        busy: gates.filter((gate) => gate.busy).length,
        backlog: gates.reduce((sum, gate) => sum + gate.backlog, 0),
        connects: gates.reduce((sum, gate) => sum + gate.connects, 0),
      });
      return;
    case 'figures':
      tell({
        kind: 'figures',
        ...tally,
        appendMs: appendMs.take(),
        onlineMs: gates.flatMap((gate) => (gate.onlineAtMs === undefined || gate.onlineAtMs < sinceMs ? [] : [gate.onlineAtMs - sinceMs])),
        heads: gates.map((gate) => ({ ...gate.names, head: gate.head })),
      });
  }
});
process.once('disconnect', () => process.exit(0));
tell({ kind: 'ready' });
