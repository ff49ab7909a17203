import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AccessRepository, minutesOf, withinWindows, type DaysWindow, type Decision } from '../access/index.js';
import { GateError, LocalTime, errorText, toJsonObject, type Clock, type GateErrorCode, type JsonObject, type LaneId, type Log, type MachineBoot, type PassageId, type Timer } from '../base/index.js';
import type { GateConfig } from '../config/index.js';
import { SqliteJournal, type JournalOrigin, type JournalStart, type NewEvent, type OutboxState, type StoredEvent } from '../journal/index.js';
import { DiagnosisWatch, LaneRunner, diagnosisSettings, laneSettings, type CommandOutcome, type CommandTarget, type DecisionRequest, type DriverMessage, type EndedPassage, type FindingChange, type LaneCommand, type LaneEvent, type LaneMeasure, type LaneView, type LearnedRunTimes, type PhotographReason } from '../lane/index.js';
import { plateTypesFor } from '../plate/index.js';
import { ListKeeper } from '../lists/index.js';
import { ConfigDesk, EmbeddedBroker, ListDesk, Uplink, type DeskReply } from '../uplink/index.js';
import { VisionClient, type CameraState, type TrackReport, type Vision, type VisionHealth, type VisionOptions } from '../vision/index.js';
import { WebServer, type GatePort } from '../web/index.js';
import { chinese, english, findingWords } from '../web/view.js';
import type { Device } from '../device/index.js';
import { ClockTrust, EventLoopDelay, Heartbeats, clockHealth, processMetrics, type ClockKnown, type ClockTrustOptions } from '../ops/index.js';
import { AUTOMATIC, Backups } from './backups.js';
import type { Configuration } from './configuration.js';
import { createDrivers, watchRelays, wireLane, type Drivers } from './drivers.js';
import { Guard } from './guard.js';
import { endInterruptedCommands } from './interrupted-commands.js';
import { recallLastRun, runTimesKey, type LastRun } from './last-run.js';
import { LostDevices } from './lost-devices.js';
import { resolveCamera, resolveUplink, type GateSecrets } from './secrets.js';
import { SimulatedSite } from './simulated-site.js';
import { Technician } from './technician.js';

/** The journal may be slow to open (repair, a worn card); lanes do not wait for it longer than this (S8). */
const journalStartMs = 5_000;
/** Runs of one passage's photographs: the disk shall not fill because a car stands and honks. */
const photographsPerPassage = 4;
const visionStartMs = 20_000;
/** A stored list comes into force before lanes work, unless the disk is slower than this; then as soon as it is read. */
/** Earlier starts in the same run of the machine that an event names: enough for a daemon that fell again and again. */
const mostEpochsTold = 100;
const listStartMs = 5_000;
const worldViewMs = 100;
const drainPollMs = 50;
const frameLimitMs = 30_000;
const laneLimitMs = 15_000;
const roomLimitMs = 300_000;
const scheduleCheckMs = 1_000;

function outcomeCode(reason: CommandOutcome['reason']): GateErrorCode {
  return reason === 'duplicate' ? 'COMMAND_DUPLICATE' : 'COMMAND_REFUSED';
}

/** Something moves in this lane, is inside, or is kept open in a way that a restart would end. */
function isBusy({ boom, passage, held, fire }: LaneView): boolean {
  return boom === 'opening' || boom === 'closing' || passage !== null || held || fire;
}

export interface GateHooks {
  onMeasure?(lane: LaneId, measure: LaneMeasure): void;
  onPassageEnd?(ended: EndedPassage): void;
  onMessage?(lane: LaneId, message: DriverMessage): void;
  /** The embedded broker is up and the uplink is not yet connected: a platform that connects now misses nothing. */
  onBroker?(url: string): Promise<void>;
}

export interface GateOptions {
  readonly config: GateConfig;
  readonly secrets: GateSecrets;
  readonly clock: Clock;
  /** Run of the machine, so that what one process learns of the time dates what another recorded before it. */
  readonly boot?: MachineBoot | undefined;
  /** What the machine says about its clock; read from the system where omitted. */
  readonly clockEvidence?: ClockTrustOptions['evidence'];
  readonly log: Log;
  readonly version: string;
  /** 0 to 1, for back-off jitter. */
  readonly random: () => number;
  /** Text of the configuration file, for backups; without secrets. */
  readonly configText?: string;
  /** Shows a sign-in code on the console. */
  readonly printCode: (code: string) => void;
  /** The page may be looked at without a sign-in: simulations only. */
  readonly openView?: boolean;
  /** Makes the recognition; the vision process where omitted. */
  readonly createVision?: (options: VisionOptions) => Vision;
  readonly hooks?: GateHooks;
  /** Takes new configurations in; none are taken where omitted. */
  readonly configuration?: Configuration;
  /** Ends this process in order, for whoever started it to start it again. */
  readonly restart?: (reason: string) => void;
  /** Where the supervisor listens; none is looked for where omitted. */
  readonly supervisorSocket?: string;
}

interface Lane {
  readonly runner: LaneRunner;
  readonly photographs: Map<PassageId, number>;
  readonly heldOpen: readonly DaysWindow[];
}

/**
 * One gate: wires the rooms, starts and stops them, and is what the page and the command line talk to. A room that does
 * not start is on record and tried again or reported; it never keeps a lane from working (S8).
 */
export class Gate implements GatePort {
  readonly journal: SqliteJournal;
  readonly drivers: Drivers;
  readonly access: AccessRepository;
  readonly lists: ListKeeper;
  readonly #options: GateOptions;
  readonly #lanes = new Map<LaneId, Lane>();
  readonly #liveListeners = new Set<(message: JsonObject) => void>();
  readonly #heartbeats: Heartbeats;
  readonly #eventLoop = new EventLoopDelay();
  readonly #guard: Guard;
  #journalStarted: Promise<void> = Promise.resolve();
  readonly #clockTrust: ClockTrust;
  readonly #cameraStates = new Map<string, CameraState>();
  readonly #lostDevices = new LostDevices();
  readonly #backups: Backups;
  readonly site: SimulatedSite | undefined;
  readonly #diagnosis: DiagnosisWatch;
  readonly technician: Technician;
  #vision: Vision | undefined;
  #visionLost = false;
  #broker: EmbeddedBroker | undefined;
  #brokerUrl: string | undefined;
  #uplink: Uplink | undefined;
  #web: WebServer | undefined;
  #webUrl: string | undefined;
  #epoch = 0;
  #sameBoot: JournalStart['sameBoot'] = [];
  #journalOrigin: JournalOrigin | null = null;
  #startedMs = 0;
  #passageCount = 0;
  #lastRunKnown = false;
  #worldTimer: Timer | undefined;
  #scheduleTimer: Timer | undefined;
  readonly #localTime: LocalTime;
  #stopping = false;

  constructor(options: GateOptions) {
    const { config, clock, log } = options;
    this.#options = options;
    this.#heartbeats = new Heartbeats(clock);
    this.#localTime = new LocalTime(config.site.timezone);
    this.#clockTrust = new ClockTrust({
      clock,
      log,
      evidence: options.clockEvidence,
      onStep: (step) => this.#record({ type: 'clock.stepped', payload: toJsonObject(step) }),
      onTrusted: (known) => this.#clockKnown(known),
      onBackwards: (backwards) => this.#record({ type: 'clock.backwards', payload: { ...backwards } }),
      onBoundLowered: (lowered) => this.#boundLowered(lowered),
    });
    this.journal = new SqliteJournal({
      directory: join(config.gate.dataDirectory, 'journal'),
      gateId: `${config.site.id}-${config.gate.id}`,
      clock,
      log,
      clockTrusted: () => this.#clockTrust.trusted(),
      clockVouched: () => this.#clockTrust.vouched(),
      boot: options.boot,
      firstEpoch: 'unused',
      retention: config.retention,
      expendable: { directory: join(config.gate.dataDirectory, 'backup'), prefix: AUTOMATIC },
    });
    this.#backups = new Backups({
      journal: this.journal,
      directory: join(config.gate.dataDirectory, 'backup'),
      ...config.retention.backup,
      release: options.version,
      config: options.configText,
      clock,
      clockTrusted: () => this.#clockTrust.trusted(),
      log,
      record: (event) => this.#record(event),
    });
    this.drivers = createDrivers(config, clock, log);
    const { world } = this.drivers;
    this.site = world === undefined ? undefined : new SimulatedSite({ world: world.world, device: world.config, config, clock, log });
    this.#guard = new Guard({ config, socketPath: options.supervisorSocket, clock, log, onTakeOver: (takeOver) => void this.#journalStarted.then(() => this.#record({ type: 'gate.taken-over', payload: toJsonObject(takeOver) })) });
    this.access = new AccessRepository({ rules: this.site?.accessRules() ?? config.access, timezone: config.site.timezone, store: this.journal });
    this.lists = new ListKeeper({
      directory: join(config.gate.dataDirectory, 'lists'),
      journal: this.journal,
      clock,
      log,
      clockTrusted: () => this.#clockTrust.trusted(),
      configured: () => this.access.configured,
      lanes: config.lanes.map(({ id }) => id),
    });
    this.access.layOver((plate, base) => this.lists.listing(plate, base));
    const lanes = config.lanes.map((lane) => ({ lane, wiring: wireLane(lane, this.drivers.devices) }));
    this.#diagnosis = new DiagnosisWatch({
      clock,
      lanes: lanes.map(({ lane, wiring }) => ({ settings: diagnosisSettings(laneSettings(lane), lane.diagnosis), inputs: wiring.inputs })),
      onChange: (change) => this.#found(change),
    });
    this.technician = new Technician({
      config,
      devices: this.drivers.devices,
      outputs: new Map(lanes.map(({ lane, wiring }) => [lane.id, wiring.outputs])),
      lanes: this.#lanes,
      clock,
      record: (event) => this.#append(event),
    });
    for (const { lane, wiring } of lanes) {
      const runner = new LaneRunner({
        settings: laneSettings(lane),
        clock,
        log,
        ports: {
          ...wiring,
          diagnosis: this.#diagnosis.lane(lane.id),
          journal: { append: (event: LaneEvent) => this.#append({ ...event, lane: lane.id }) },
          decide: (request) => this.#decide(request),
          photograph: (passage, reason) => void this.#photograph(lane.id, passage, reason),
          show: (message) => options.hooks?.onMessage?.(lane.id, message),
          newPassageId: () => this.#newPassageId(),
          onView: (view) => this.#live('lane', view),
          onPassageEnd: (ended) => this.#passageEnded(ended),
          relays: watchRelays(wiring, this.drivers.devices),
          onLearned: (times) => this.#measured(lane.id, times),
          onMeasure: (measure) => options.hooks?.onMeasure?.(lane.id, measure),
          onLastWill: (report) => this.#guard.will(lane.id, report),
        },
      });
      const heldOpen = lane.barrier.heldOpen.map(({ from, to, days }) => ({ from: minutesOf(from) ?? 0, to: minutesOf(to) ?? 0, days }));
      this.#lanes.set(lane.id, { runner, photographs: new Map(), heldOpen });
    }
  }

  /** Where the page is, once started. */
  get webUrl(): string | undefined {
    return this.#webUrl;
  }

  get configuration(): Configuration | undefined {
    return this.#options.configuration;
  }

  /** Starts everything; resolves when lanes work and the other rooms have been started or reported. */
  async start(): Promise<void> {
    const { config, clock, version } = this.#options;
    this.#startedMs = clock.monoMs();
    await this.#attempt('data directory', async () => {
      await mkdir(config.gate.dataDirectory, { recursive: true, mode: 0o700 });
    });
    this.#eventLoop.start();
    this.#clockTrust.start();
    this.journal.onStored((events) => {
      for (const event of events) this.#live('event', event);
    });

    this.#journalStarted = this.#startJournal();
    const listsLoaded = this.#attempt('lists', () => this.lists.load());
    await this.#guard.start();
    await Promise.all([...this.drivers.devices.values()].map((device) => this.#startDevice(device)));
    await this.#atMost(journalStartMs, this.#journalStarted);
    // Without a record of earlier times the clock has to be judged all the same.
    if (this.#epoch === 0) this.#clockTrust.remember({ boundMs: 0, known: null });
    await this.#atMost(listStartMs, listsLoaded);
    this.#record({ type: 'gate.started', payload: { version, journal: this.#journalOrigin, lanes: config.lanes.map((lane) => lane.id) } });
    // Asked of a journal that is not open yet, the answer would come when it is: lanes do not wait for that (S8).
    const lastRun = this.#epoch > 0 ? await this.#makeUp() : undefined;
    this.#diagnosis.start();
    for (const [id, lane] of this.#lanes) lane.runner.start(lastRun?.unfinished.get(id) ?? [], lastRun?.learned.get(id));
    const madeUp = lastRun === undefined ? this.#attempt('last run', () => this.#makeUpLate()) : this.#journalStarted;
    this.#followSchedule();

    for (const id of this.#lanes.keys()) this.#heartbeats.expect(`lane ${id}`, laneLimitMs);
    this.#heartbeats.expect('journal', roomLimitMs);

    this.#backups.start();
    await this.#attempt('simulation', () => this.#startSite());
    // These two ask the journal. One that is still under repair holds up neither the page nor the recognition (S8).
    const uplink = madeUp.then(() => this.#attempt('uplink', () => this.#startUplink()));
    if (lastRun !== undefined) await uplink;
    await this.#attempt('web', () => this.#startWeb());
    const configuration = uplink.then(() => this.#attempt('configuration', () => this.#startConfiguration()));
    if (lastRun !== undefined) await configuration;
    // Loading networks takes seconds on a small box, and one that never comes up is tried for ever: nothing waits long for it.
    await this.#atMost(visionStartMs, this.#attempt('vision', () => this.#startVision()));
    this.site?.open();
  }

  /** Stops in the order that keeps the barrier safe: lanes carry out their last wills first, the journal closes last. */
  async stop(reason: string): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#worldTimer?.cancel();
    this.#scheduleTimer?.cancel();
    this.#backups.stop();
    this.#diagnosis.stop();
    const carriedOut = await Promise.all([...this.#lanes.values()].map((lane) => lane.runner.stop()));
    this.#record({ type: 'gate.stopped', payload: { reason } });
    const attempt = (what: string, stop: () => Promise<void> | undefined): Promise<void> => this.#attempt(what, async () => await stop());
    await attempt('web', () => this.#web?.stop());
    await attempt('vision', () => this.#vision?.stop());
    await attempt('simulation', () => this.site?.stop());
    await attempt('uplink', () => this.#uplink?.stop());
    await attempt('broker', () => this.#broker?.stop());
    await attempt('lists', () => this.lists.stop());
    await Promise.all([...this.drivers.devices.values()].map((device) => attempt(`device ${device.id}`, () => device.stop())));
    await attempt('journal', () => this.journal.stop());
    await this.#guard.stop(!carriedOut.includes(false));
    this.#clockTrust.stop();
    this.#eventLoop.stop();
  }

  /**
   * A look at the real work for the watchdog: lanes answer, the journal answers, pictures of live cameras come.
   * @returns what has stood still for too long; empty when all goes on. A slow disk or a dead camera alone is given long:
   * starting anew mends neither, and a lane works without them (S8)
   */
  async stuck(): Promise<readonly string[]> {
    for (const [id, lane] of this.#lanes) if (lane.runner.view().lane === id) this.#heartbeats.beat(`lane ${id}`);
    const vision = this.#vision?.health();
    const blind = vision?.cameras.some(({ state, lastFrameAgeMs }) => state === 'live' && (lastFrameAgeMs ?? 0) > frameLimitMs) ?? false;
    if (vision?.state === 'ok' && !blind) this.#heartbeats.beat('vision');
    void this.journal.outbox().then(
      () => this.#heartbeats.beat('journal'),
      () => undefined,
    );
    await Promise.resolve();
    return this.#heartbeats.stuck();
  }

  laneView(id: LaneId): LaneView {
    return this.#lane(id).runner.view();
  }

  async status(): Promise<JsonObject> {
    const { config, clock, version } = this.#options;
    const outbox = await this.journal.outbox().catch(() => ({ head: 0, acknowledged: 0 }));
    const vision = this.#vision?.health();
    const uplink = this.#uplink?.state();
    return toJsonObject({
      versions: { laurelGate: version, node: process.versions.node },
      site: { id: config.site.id, name: config.site.name },
      gate: { id: config.gate.id, name: config.gate.name },
      uptimeS: Math.round((clock.monoMs() - this.#startedMs) / 1_000),
      epoch: this.#epoch,
      wallMs: clock.wallMs(),
      clockTrusted: this.#clockTrust.trusted(),
      clock: this.#clockView(),
      simulation: this.site !== undefined,
      lanes: [...this.#lanes.values()].map((lane) => lane.runner.view()),
      devices: config.devices.map(({ id, driver }) => ({ id, driver, ...this.drivers.devices.get(id)?.health() })),
      guard: this.#guard.health(),
      ...(vision === undefined ? {} : { vision }),
      journal: outbox,
      backup: this.#backups.health(),
      uplink: uplink === undefined ? { state: 'off' } : { ...uplink, state: uplink.connection },
      access: this.access.counts(),
      lists: this.lists.summary({ edits: 0 }),
      process: { ...processMetrics(), eventLoop: this.#eventLoop.read() },
    });
  }

  async events(query: { after?: number; before?: number; limit: number; lane?: LaneId; newestFirst: boolean }): Promise<readonly JsonObject[]> {
    return (await this.journal.events(query)).map(toJsonObject);
  }

  async photograph(lane: LaneId): Promise<Uint8Array | undefined> {
    this.#lane(lane);
    return (await this.#vision?.photograph(lane))?.frameJpeg;
  }

  evidence(id: string): Promise<Uint8Array | undefined> {
    return this.journal.readEvidence(id);
  }

  async verifyJournal(): Promise<JsonObject> {
    return toJsonObject(await this.journal.verify());
  }

  async backup(evidence: boolean, onProgress: (progress: JsonObject) => void): Promise<JsonObject> {
    return toJsonObject(await this.#backups.make(evidence, (progress) => onProgress(toJsonObject(progress))));
  }

  /** An order from the page or the console, on record before the lane hears of it. */
  async command(command: { id: string; lane: LaneId; target: CommandTarget; issuer: string; reason: string }): Promise<JsonObject> {
    const { id, lane, target, issuer, reason } = command;
    if (!this.#lanes.has(lane)) this.#record({ type: 'command.refused', payload: { id, target, issuer, code: 'LANE_UNKNOWN', reason: `this gate has no lane "${lane}"` } });
    const { runner } = this.#lane(lane);
    this.#record({ type: 'command.accepted', lane, payload: { id, target, issuer, reason } });
    const result = await this.#order(runner, lane, { id, target, issuer, reason });
    if (result.outcome !== 'done') {
      throw new GateError(outcomeCode(result.reason), `${target} of lane ${lane} was ${result.outcome}: ${result.reason ?? 'no reason given'}.`, { ...result });
    }
    return { id, lane, target, outcome: 'done' };
  }

  /** Every order ends on record: by its lane, or here where the lane has stopped. */
  async #order(runner: LaneRunner, lane: LaneId, command: LaneCommand): Promise<CommandOutcome> {
    const ended = await runner.command(command);
    if (ended.reason === 'lane-stopped') {
      const { id, target, issuer } = command;
      this.#record({ type: ended.outcome === 'failed' ? 'command.failed' : 'command.refused', lane, payload: { id, target, issuer, reason: ended.reason } });
    }
    return ended;
  }

  onLive(listener: (message: JsonObject) => void): () => void {
    this.#liveListeners.add(listener);
    return () => this.#liveListeners.delete(listener);
  }

  #lane(id: LaneId): Lane {
    const lane = this.#lanes.get(id);
    if (lane === undefined) {
      throw new GateError('LANE_UNKNOWN', `There is no lane "${id}"; this gate has ${[...this.#lanes.keys()].join(', ')}.`, { lane: id });
    }
    return lane;
  }

  #live(kind: 'lane' | 'event' | 'track' | 'world', message: object): void {
    if (this.#liveListeners.size === 0) return;
    const plain = { ...toJsonObject(message), kind };
    for (const listener of this.#liveListeners) listener(plain);
  }

  /** A room that fails is reported; the others go on (S8). */
  async #attempt(what: string, run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#options.log.error({ room: what, error: errorText(error) }, `${what}: ${errorText(error)}`);
    }
  }

  /** Waits for work that goes on by itself, but not for ever. */
  async #atMost(limitMs: number, work: Promise<void>): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = this.#options.clock.after(limitMs, resolve);
      work.then(resolve, reject).finally(() => timer.cancel());
    });
  }

  #append(event: NewEvent): Promise<StoredEvent> {
    return this.journal.append(event);
  }

  /** Hands over an event nobody waits for. */
  #record(event: NewEvent): void {
    this.#append(event).catch((error: unknown) => {
      this.#options.log.error({ event: event.type, error: errorText(error) }, 'an event could not be stored');
    });
  }

  async #startJournal(): Promise<void> {
    await this.#attempt('journal', async () => {
      const { epoch, origin, wallHighMs, clockKnown, sameBoot } = await this.journal.start();
      this.#epoch = epoch;
      this.#journalOrigin = origin;
      this.#sameBoot = sameBoot;
      this.#clockTrust.remember({ boundMs: wallHighMs, known: clockKnown });
      await this.access.start();
      await this.lists.restore();
    });
  }

  async #startDevice(device: Device): Promise<void> {
    device.onHealth((health) => {
      for (const event of this.#lostDevices.note(device, health)) this.#record(event);
    });
    await this.#attempt(`device ${device.id}`, () => device.start());
  }

  /** What the last run left open is ended on record, and what it measured is told to the lanes. */
  async #makeUp(): Promise<LastRun> {
    const { log } = this.#options;
    const lastRun = await recallLastRun(this.journal, this.#epoch, log);
    await endInterruptedCommands(this.journal, this.#epoch, log);
    this.#lastRunKnown = true;
    return lastRun;
  }

  /** The same where the journal opened after the lanes had begun to work. One that does not open leaves it to the next start. */
  async #makeUpLate(): Promise<void> {
    await this.#journalStarted;
    if (this.#epoch === 0 || this.#stopping) return;
    const { unfinished, learned } = await this.#makeUp();
    for (const [id, { runner }] of this.#lanes) runner.recall(unfinished.get(id) ?? [], learned.get(id) ?? { openMs: null, closeMs: null });
  }

  /** Not over what an earlier run measured, before that is known. */
  #measured(lane: LaneId, { openMs, closeMs }: LearnedRunTimes): void {
    if (this.#lastRunKnown) this.#remember(runTimesKey(lane), { openMs, closeMs });
  }

  #remember(key: string, value: JsonObject): void {
    this.journal.remember(key, value).catch((error: unknown) => this.#options.log.warn({ key, error: errorText(error) }, 'a measured value could not be stored'));
  }

  /** Wall time is known: what was recorded before, in this run of the machine, gets it, here and at the platform. */
  #clockKnown({ wallMs, monoMs, source, vouched }: ClockKnown): void {
    this.journal.knowClock({ wallMs, monoMs, source }).catch((error: unknown) => this.#options.log.warn({ error: errorText(error) }, 'what is known of the time could not be stored'));
    const offsetMs = wallMs - monoMs;
    const epochs = this.#sameBoot.slice(-mostEpochsTold).map(({ epoch, behindMs }) => ({ epoch, offsetMs: offsetMs + behindMs }));
    this.#record({ type: 'clock.trusted', payload: { source, vouched, offsetMs, epochs } });
    this.#uplink?.clockKnown();
  }

  #boundLowered(lowered: { readonly fromMs: number; readonly toMs: number; readonly source: string }): void {
    this.journal.doubtClock(lowered.toMs).catch((error: unknown) => this.#options.log.warn({ error: errorText(error) }, 'that a later time was wrong could not be stored'));
    this.#record({ type: 'clock.bound-lowered', payload: { ...lowered } });
  }

  #clockView(): JsonObject {
    const state = this.#clockTrust.state();
    return toJsonObject({ ...state, health: clockHealth(state) });
  }

  /** Windows in which lanes are held open. With a clock that cannot be trusted nobody knows whether it is morning. */
  #followSchedule(): void {
    const { clock } = this.#options;
    const now = this.#localTime.at(clock.wallMs());
    for (const { runner, heldOpen } of this.#lanes.values()) {
      if (heldOpen.length > 0) runner.schedule(this.#clockTrust.trusted() && withinWindows(now, heldOpen));
    }
    this.#scheduleTimer = clock.after(scheduleCheckMs, () => this.#followSchedule());
  }

  /** What is wrong with the sensors of which lane, for the platform. */
  #findings(): readonly JsonObject[] {
    return [...this.#lanes].flatMap(([lane]) => this.#diagnosis.lane(lane).findings().map(({ code, sensors, facts, sinceMs }) => ({ lane, code, sensors, facts, forMs: Math.round(this.#options.clock.monoMs() - sinceMs) })));
  }

  /** Puts a finding on record with what to do about it, for a platform that knows no codes. */
  #found({ lane, change, finding }: FindingChange): void {
    const { code, sensors, facts, sinceMs } = finding;
    const plain = { code, sensors, facts };
    if (change === 'cleared') this.#record({ type: 'diagnosis.cleared', lane, payload: { ...plain, activeMs: Math.round(this.#options.clock.monoMs() - sinceMs) } });
    else this.#record({ type: 'diagnosis.raised', lane, payload: { ...plain, todo: { zh: findingWords(finding, chinese).todo, en: findingWords(finding, english).todo } } });
    this.#live('lane', this.laneView(lane));
  }

  #newPassageId(): PassageId {
    this.#passageCount += 1;
    // Without a journal there is no epoch; the start's wall time then keeps ids of two runs apart.
    const run = this.#epoch > 0 ? String(this.#epoch) : `t${Math.round(this.#options.clock.wallMs() - this.#options.clock.monoMs())}`;
    return `${this.#options.config.gate.id}-${run}-${this.#passageCount}`;
  }

  #decide(request: DecisionRequest): Decision {
    const { laneId, direction, plate } = request;
    return this.access.decide({
      laneId,
      direction,
      wallMs: this.#options.clock.wallMs(),
      clockTrusted: this.#clockTrust.trusted(),
      ...(plate === null ? {} : { plate: { text: plate.text, types: plateTypesFor(plate.text), colour: plate.colour, confidence: plate.confidence } }),
    });
  }

  #passageEnded(ended: EndedPassage): void {
    this.#lane(ended.lane).photographs.delete(ended.id);
    const { id, lane, direction, end, plate, decision } = ended;
    this.access
      .recordPassage({ passage: id, lane, direction, end, plate: plate?.text, decision: decision ?? undefined, wallMs: this.#options.clock.wallMs() })
      .catch((error: unknown) => this.#options.log.error({ passage: id, error: errorText(error) }, 'who is inside could not be stored'));
    this.#options.hooks?.onPassageEnd?.(ended);
  }

  async #photograph(lane: LaneId, passage: PassageId | null, reason: PhotographReason): Promise<void> {
    if (passage === null || this.#vision === undefined) return;
    const { photographs } = this.#lane(lane);
    const taken = photographs.get(passage) ?? 0;
    if (taken >= photographsPerPassage) return;
    photographs.set(passage, taken + 1);
    try {
      const photograph = await this.#vision.photograph(lane);
      if (photograph === undefined) return;
      const saved = [await this.journal.saveEvidence(passage, 'frame', photograph.frameJpeg)];
      if (photograph.plateJpeg !== undefined) saved.push(await this.journal.saveEvidence(passage, 'plate', photograph.plateJpeg));
      // Their digests become part of the chain: a photograph that is shown later is proved to be this one.
      await this.journal.append({ type: 'passage.photographed', lane, passage, payload: { reason, pictures: saved.map(({ id, kind, bytes }) => ({ kind, id, bytes })) } });
    } catch (error) {
      this.#options.log.warn({ lane, passage, reason, error: errorText(error) }, 'no photograph of this moment');
    }
  }

  async #startSite(): Promise<void> {
    const { site } = this;
    if (site === undefined) return;
    await site.start();
    const tick = (): void => {
      this.#worldTimer = this.#options.clock.after(worldViewMs, tick);
      if (this.#liveListeners.size > 0) for (const view of site.laneViews()) this.#live('world', view);
    };
    tick();
  }

  async #startVision(): Promise<void> {
    const { config, clock, log, secrets, random, createVision } = this.#options;
    const cameras = config.lanes.flatMap((lane) => {
      const camera = config.cameras.find(({ id }) => id === lane.camera);
      if (camera === undefined) return [];
      return [{ lane: lane.id, camera: resolveCamera(this.site?.cameraFor(camera) ?? camera, secrets) }];
    });
    if (cameras.length === 0) return;
    const lastGoodDirectory = join(config.gate.dataDirectory, 'models');
    const options: VisionOptions = { cameras, modelsDirectory: config.vision.models, lastGoodDirectory, threads: config.vision.threads, clock, log, random };
    const vision = createVision?.(options) ?? new VisionClient(options);
    this.#vision = vision;
    vision.onTrack((track) => this.#tracked(track));
    vision.onCamera((camera) => this.#cameraChanged(camera));
    vision.onHealth((health) => this.#visionChanged(health));
    this.#heartbeats.expect('vision', roomLimitMs);
    await vision.start();
  }

  #tracked(report: TrackReport): void {
    const xs = report.corners.map(([x]) => x);
    this.#lanes.get(report.lane)?.runner.track({ ...report, width: Math.max(...xs) - Math.min(...xs) });
    this.site?.followTrack(report);
    this.#live('track', report);
  }

  #cameraChanged({ lane, camera, state, detail }: { readonly lane: LaneId; readonly camera: string; readonly state: CameraState; readonly detail?: string }): void {
    const before = this.#cameraStates.get(camera);
    this.#cameraStates.set(camera, state);
    const gone = (it: CameraState | undefined): boolean => it === 'lost' || it === 'ended';
    if (gone(state) && !gone(before)) this.#record({ type: 'camera.lost', lane, payload: { camera, state, detail: detail ?? '' } });
    if (state === 'live' && gone(before)) this.#record({ type: 'camera.recovered', lane, payload: { camera } });
    // Reconnecting after a loss is still a loss until pictures come.
    if (state === 'connecting' && gone(before)) this.#cameraStates.set(camera, 'lost');
    this.#tellVisionAvailable();
  }

  #visionChanged(health: VisionHealth): void {
    if (health.state === 'down' && !this.#visionLost) {
      this.#visionLost = true;
      this.#record({ type: 'vision.lost', payload: { detail: health.detail ?? '', restarts: health.restarts } });
    } else if (health.state === 'ok' && this.#visionLost) {
      this.#visionLost = false;
      this.#record({ type: 'vision.recovered', payload: { restarts: health.restarts } });
    }
    this.#tellVisionAvailable();
  }

  #tellVisionAvailable(): void {
    const up = this.#vision?.health().state === 'ok';
    for (const lane of this.#options.config.lanes) {
      const live = lane.camera !== undefined && this.#cameraStates.get(lane.camera) === 'live';
      this.#lane(lane.id).runner.visionAvailable(up && live);
    }
  }

  async #startUplink(): Promise<void> {
    if (this.#stopping) return;
    const { config, secrets, clock, log, random, version, hooks } = this.#options;
    if (config.uplink.broker === 'embedded') {
      this.#broker = new EmbeddedBroker();
      this.#brokerUrl = (await this.#broker.start()).url;
      await hooks?.onBroker?.(this.#brokerUrl);
    }
    const { configuration } = this.#options;
    this.#uplink = new Uplink({
      desks: [
        (reply) => new ListDesk({ lists: this.lists, epoch: this.#epoch, clock, log, reply }),
        ...(configuration === undefined ? [] : [(reply: DeskReply) => new ConfigDesk({ epoch: this.#epoch, clock, log, port: configuration, reply })]),
      ],
      config: resolveUplink(config.uplink, secrets, this.#brokerUrl),
      site: config.site.id,
      gate: config.gate.id,
      journal: this.journal,
      epoch: this.#epoch,
      clock,
      log,
      random,
      clockTrusted: () => this.#clockTrust.trusted(),
      status: () => toJsonObject({ versions: { laurelGate: version, node: process.versions.node }, lanes: [...this.#lanes.values()].map((lane) => lane.runner.view()) }),
      telemetry: () => toJsonObject({ ...processMetrics(), eventLoop: this.#eventLoop.read(), clock: this.#clockView(), vision: this.#vision?.health(), access: this.access.counts(), guard: this.#guard.health(), lostDevices: [...this.#lostDevices.names()], backup: this.#backups.health(), findings: this.#findings() }),
      lanes: [...this.#lanes.keys()],
      command: async (command) => {
        const lane = this.#lanes.get(command.lane);
        if (lane === undefined) {
          const detail = `this gate has no lane "${command.lane}"; it has ${[...this.#lanes.keys()].join(', ')}`;
          this.#record({ type: 'command.refused', payload: { id: command.id, issuer: command.issuer, target: command.target, code: 'LANE_UNKNOWN', reason: detail } });
          return { outcome: 'refused', code: 'LANE_UNKNOWN', reason: detail };
        }
        const { outcome, reason } = await this.#order(lane.runner, command.lane, command);
        return outcome === 'done' ? { outcome } : { outcome, code: outcomeCode(reason), reason: reason ?? outcome };
      },
    });
    await this.#uplink.start();
  }

  async #startConfiguration(): Promise<void> {
    if (this.#stopping) return;
    const { configuration, restart } = this.#options;
    await configuration?.start({
      busyLanes: () => [...this.#lanes].flatMap(([id, { runner }]) => (isBusy(runner.view()) ? [id] : [])),
      parts: () => this.#parts(),
      journalAnswers: async () => {
        await this.journal.outbox();
      },
      append: (event) => this.#append(event),
      remember: (key, value) => this.journal.remember(key, value),
      recall: (key) => this.journal.recall(key),
      restart: (reason) => restart?.(reason),
    });
  }

  /** What a new configuration could make unwell, by name. */
  #parts(): ReadonlyMap<string, boolean> {
    const { config } = this.#options;
    const cameras = new Set(config.lanes.flatMap(({ camera }) => (camera === undefined ? [] : [camera])));
    return new Map([
      ...[...this.#lanes].map(([id, { runner }]): [string, boolean] => [`lane ${id}`, runner.view().lane === id]),
      ...[...this.drivers.devices].map(([id, device]): [string, boolean] => [`device ${id}`, device.health().state === 'ok']),
      ...[...cameras].map((id): [string, boolean] => [`camera ${id}`, this.#cameraStates.get(id) === 'live']),
      ['uplink', this.#uplink?.state().connection === 'online'],
      ['page', this.#webUrl !== undefined],
    ]);
  }

  async #startWeb(): Promise<void> {
    const { config, clock, log, printCode, openView } = this.#options;
    this.#web = new WebServer({
      host: config.web.host,
      port: config.web.port,
      gate: this,
      clock,
      log,
      dataDirectory: config.gate.dataDirectory,
      printCode,
      openView: openView ?? false,
    });
    this.#webUrl = (await this.#web.start()).url;
  }

  /** Waits until the platform has acknowledged everything on record, at most `limitMs`; says how far it came. */
  async drained(limitMs: number): Promise<OutboxState> {
    const { clock } = this.#options;
    const untilMs = clock.monoMs() + limitMs;
    for (;;) {
      const outbox = await this.journal.outbox();
      if (outbox.acknowledged >= outbox.head || clock.monoMs() >= untilMs) return outbox;
      await new Promise<void>((resolve) => void clock.after(drainPollMs, resolve));
    }
  }
}
