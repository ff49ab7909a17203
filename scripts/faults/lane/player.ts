import { withinWindows, type Decision } from '../../../src/access/index.js';
import { GateError, LocalTime, ManualClock, silentLog, type Log } from '../../../src/base/index.js';
import { LaneRunner, laneSettings, type CommandTarget, type EndedPassage, type LaneEvent, type LaneSettings, type LearnedRunTimes, type OutputName, type RelayWatch, type WillReport } from '../../../src/lane/index.js';
import { carryOut, type DigitalOutput } from '../../../src/device/index.js';
import type { PlateRead } from '../../../src/plate/index.js';
import { drawPlate, Random, SimDevice, World, type SimLane, type SimPlate } from '../../../src/sim/index.js';
import { breakLane, type Neighbours, type Stage } from './breakage.js';
import { miscounts, usedLane } from './counts.js';
import { touches, type LaneFaultKind } from './kinds.js';
import type { LanePlan, PlannedFault, PlannedLane, PlannedVehicle } from './plan.js';
import { GatewayProcess } from './process.js';
import { Recogniser } from './recogniser.js';
import { Watch } from './watch.js';

export interface LaneWorldReport {
  /** True vehicles that used the lane. */
  readonly passages: number;
  /** Passages the lane told of. */
  readonly told: number;
  /** By the world's own judgement, without those nobody could have prevented. */
  readonly unsafeMovements: number;
  readonly excusedMovements: number;
  /** True vehicles without their one passage and its right end; counted only while nothing is broken that a count rests on. */
  readonly miscounted: number;
  /** How often each fault happened. */
  readonly faults: Readonly<Partial<Record<LaneFaultKind, number>>>;
  /** Broken laws in words, with the world's time. */
  readonly violations: readonly string[];
  readonly simulatedMs: number;
}

const stepMs = 10;
const pictureMs = 150;
const guardLooksMs = 500;
/** Long enough for the last opening to end and for a boom that was forgotten to be noticed. */
const afterLastMs = 45_000;
/** Rounds of questions and answers that one moment may take; a lane that needs more would never let go of the processor. */
const mostRounds = 500;

/** What a lane may take to carry out its last will. */
const stopsWithinMs = 10_000;

class Spinning extends Error {}

/** Turns of the microtask queue until the answers of all ports have arrived. */
const settleTurns = 12;
/** 2026-01-01, eight in the morning by this clock. */
const startWallMs = 1_767_225_600_000;
const localTime = new LocalTime('Asia/Shanghai');
const scheduleWindow = { from: 7 * 60, to: 8 * 60 + 3 };
const scheduleLooksMs = 1_000;

function settingsOf(plan: PlannedLane): LaneSettings {
  const wired = { device: 'sim', line: '' };
  const when = (present: boolean): typeof wired | undefined => (present ? wired : undefined);
  const { closing, drive, antiTailgate, learnRunTimes, powerUp, softwareDeath, inputsLost, relayLost } = plan;
  const barrier = {
    closing,
    drive,
    antiTailgate,
    learnRunTimes,
    failState: { powerUp, softwareDeath, inputsLost, relayLost },
    greenLight: when(plan.lamps),
    redLight: when(plan.lamps),
    close: when(plan.closeContact),
    stop: when(plan.stopContact),
    pulseMs: plan.pulseMs,
    deadTimeMs: plan.deadTimeMs,
    openTimeMs: plan.openTimeMs,
    closeTimeMs: plan.closeTimeMs,
    runWatchdogMs: 3_000,
    closeDelayMs: plan.closeDelayMs,
    autoCloseMs: plan.autoCloseMs,
  };
  return laneSettings({
    id: 'lane',
    name: 'lane',
    direction: plan.direction,
    barrier,
    inputs: {
      approach: wired,
      closing: wired,
      beam: when(plan.beam),
      openLimit: when(plan.openLimit),
      closedLimit: when(plan.closedLimit),
      fire: wired,
      stop: wired,
      button: wired,
    },
    readTimeoutMs: 3_000,
    earlyDecision: plan.earlyDecision,
  });
}

/** One random world with one lane, driven by the real lane logic until its vehicles are through. */
class Player implements Stage {
  readonly plan: PlannedLane;
  readonly settings: LaneSettings;
  readonly clock = new ManualClock(startWallMs, 0);
  readonly device: SimDevice;
  readonly lane: SimLane;
  readonly recogniser = new Recogniser((track) => this.#runner.track(track));
  readonly neighbours: Neighbours = { journalDelayMs: 0, journalFails: false, decisionDelayMs: 0, decisionFails: false };
  readonly #log: Log;
  readonly #world: World;
  readonly #plan: LanePlan;
  readonly #plates: Random;
  readonly #entitled = new Set<string>();
  readonly #ended: EndedPassage[] = [];
  readonly #recorded: LaneEvent[] = [];
  readonly #counts: Partial<Record<LaneFaultKind, number>> = {};
  readonly #watch: Watch;
  readonly #later: { readonly atMs: number; readonly run: () => void }[] = [];
  #process: GatewayProcess;
  #runner: LaneRunner;
  #serial = 0;
  #commands = 0;
  #busy = false;
  #arrived = 0;
  #learned: LearnedRunTimes | undefined;
  #heldByPerson = false;
  #heldBySchedule = false;
  #will: WillReport = { will: 'release', watch: 'calm', closeOffMs: null };
  #stopping = false;

  constructor(plan: LanePlan, log: Log) {
    this.#plan = plan;
    this.#log = log;
    this.plan = plan.lane;
    this.settings = settingsOf(plan.lane);
    this.#plates = new Random(plan.seed, 'plates');
    const { lane } = plan;
    this.#world = new World({
      seed: plan.seed,
      lanes: [
        {
          id: 'lane',
          direction: lane.direction,
          closing: lane.closing,
          drive: lane.drive,
          openTimeMs: lane.openTimeMs,
          closeTimeMs: lane.closeTimeMs,
          deadTimeMs: lane.deadTimeMs,
          beam: lane.beam,
          openLimit: lane.openLimit,
          closedLimit: lane.closedLimit,
          longestEnergisedMs: lane.pulseMs + 300,
          boardAutoCloseMs: lane.autoCloseMs + 2_000,
        },
      ],
    });
    this.lane = this.#world.lane('lane');
    this.lane.boom.slowness = lane.motor;
    this.device = new SimDevice({ id: 'sim', world: this.#world, clock: this.clock, timesPulses: lane.timesPulses });
    this.#watch = new Watch(this);
    this.#process = new GatewayProcess(this.clock);
    this.#runner = this.#newRunner();
  }

  get nowMs(): number {
    return this.#world.nowMs;
  }

  async run(): Promise<LaneWorldReport> {
    try {
      await this.#play();
    } catch (error) {
      if (!(error instanceof Spinning)) throw error;
      this.#process.kill();
    }
    return this.#report();
  }

  async #play(): Promise<void> {
    await this.device.start();
    this.#startRunner([]);
    const { vehicles, walkers, faults } = this.#plan;
    const comingFaults = [...faults].sort((a, b) => a.atMs - b.atMs);
    const comingWalkers = [...walkers].sort((a, b) => a.atMs - b.atMs);
    const longestMs = 120_000 + vehicles.length * 40_000;
    let nextArrivalMs = 500 + (vehicles[0]?.gapMs ?? 0);
    let clearSinceMs = 0;
    for (;;) {
      const { nowMs } = this;
      if (nowMs >= longestMs) {
        this.#watch.break(`${this.lane.vehicles.length} vehicles never got away`);
        break;
      }
      const arriving = this.#arrived < vehicles.length;
      const vehicle = vehicles[this.#arrived];
      if (vehicle !== undefined && nowMs >= nextArrivalMs && this.#hasRoom(vehicle)) {
        this.#arrive(vehicle);
        nextArrivalMs = nowMs + (vehicles[this.#arrived]?.gapMs ?? 0);
      }
      if (arriving || this.lane.vehicles.length > 0) {
        for (let fault = comingFaults[0]; fault !== undefined && nowMs >= fault.atMs; fault = comingFaults[0]) {
          comingFaults.shift();
          this.#break(fault);
        }
        for (let walker = comingWalkers[0]; walker !== undefined && nowMs >= walker.atMs; walker = comingWalkers[0]) {
          comingWalkers.shift();
          this.#world.walk('lane', walker.forMs);
        }
      }
      this.#runLater(nowMs);
      await this.#step();
      if (nowMs % pictureMs === 0) this.recogniser.look(this.lane, nowMs);
      if (this.plan.schedule && nowMs % scheduleLooksMs === 0) this.#followSchedule();
      if (nowMs % guardLooksMs === 0) this.#watch.look(this.#runner.view());
      if (arriving || this.lane.vehicles.length > 0 || this.#later.length > 0) clearSinceMs = nowMs;
      else if (nowMs - clearSinceMs > afterLastMs) break;
    }
    await this.#end();
  }

  async #end(): Promise<void> {
    const lane = { stopped: false };
    void this.#runner.stop().then(() => (lane.stopped = true));
    // A boom that was going down is raised first: each of its orders waits for the one before, and for its time.
    for (let waitedMs = 0; !lane.stopped && waitedMs <= stopsWithinMs; waitedMs += stepMs) {
      for (let turn = 0; turn < settleTurns; turn += 1) await Promise.resolve();
      this.clock.advance(stepMs);
    }
    if (!lane.stopped) this.#watch.break('the lane does not stop');
  }

  #report(): LaneWorldReport {
    const { truth } = this.#world;
    for (const { kind, atMs, vehicle, boomPosition } of truth.unsafeMovements) this.#watch.break(`unsafe: ${kind} on ${vehicle}, boom ${boomPosition.toFixed(2)}`, atMs);
    for (const { law, atMs, detail } of truth.lawsBroken) this.#watch.break(`${law}: ${detail}`, atMs);
    // Whoever passes while the boom is held for everybody is let through, whatever the lists say.
    const counted = !this.plan.schedule && this.#plan.faults.every((fault) => touches(fault.kind) === 'nothing');
    const wrong = counted ? miscounts(truth.passages, this.#ended, (plate) => this.#entitled.has(plate)) : [];
    for (const line of wrong) this.#watch.break(line);
    return {
      passages: truth.passages.filter(usedLane).length,
      told: this.#ended.length,
      unsafeMovements: truth.unsafeMovements.length,
      excusedMovements: truth.excusedMovements.length,
      miscounted: wrong.length,
      faults: this.#counts,
      violations: this.#watch.violations,
      simulatedMs: this.nowMs,
    };
  }

  // ---- the road

  #hasRoom({ intention }: PlannedVehicle): boolean {
    // Nobody crosses, or drives in from the far side, where somebody is in the way.
    if (intention.kind === 'cross') return this.lane.vehicles.every((other) => !other.overlaps(-10, 2));
    return this.lane.hasRoom(intention.kind === 'wrong-way' || intention.kind === 'peek');
  }

  #arrive(vehicle: PlannedVehicle): void {
    const { kind, tag, intention, speedMps, patienceMs, queueGapM, lateralM } = vehicle;
    this.#arrived += 1;
    this.#world.arrive('lane', { kind, tag, intention, speedMps, patienceMs, queueGapM, lateralM, plate: vehicle.plated ? this.#plate(vehicle) : undefined });
  }

  #plate({ tag, kind }: PlannedVehicle): SimPlate {
    for (;;) {
      const type = tag === 'emergency' ? 'emergency' : kind === 'truck' || kind === 'truck-trailer' ? 'large-car' : this.#plates.chance(0.3) ? 'new-energy-small' : 'small-car';
      const plate = drawPlate(this.#plates, type, '京津冀', 1);
      if (this.#entitled.has(plate.text)) continue;
      if (tag === 'resident' || tag === 'emergency') this.#entitled.add(plate.text);
      return plate;
    }
  }

  // ---- time

  async #step(): Promise<void> {
    this.clock.advance(stepMs);
    this.#world.step(stepMs);
    // Promises of ports settle only where something was asked of them: most steps need no turn of the microtask queue.
    for (let round = 1; this.#busy; round += 1) {
      this.#busy = false;
      if (round > mostRounds) {
        this.#watch.break('the lane asks its ports for ever within one moment');
        throw new Spinning();
      }
      for (let turn = 0; turn < settleTurns; turn += 1) await Promise.resolve();
    }
  }

  later(delayMs: number, run: () => void): void {
    this.#later.push({ atMs: this.nowMs + delayMs, run });
  }

  #runLater(nowMs: number): void {
    for (let index = 0; index < this.#later.length; ) {
      const due = this.#later[index];
      if (due === undefined || due.atMs > nowMs) index += 1;
      else {
        this.#later.splice(index, 1);
        this.#busy = true;
        due.run();
      }
    }
  }

  #afterClock(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.after(delayMs, () => {
        this.#busy = true;
        resolve();
      });
    });
  }

  // ---- the gateway

  #newRunner(): LaneRunner {
    const process = this.#process;
    const line = (name: string): { device: string; line: string } => ({ device: 'sim', line: `lane.${name}` });
    const { sensors, outputs } = this.settings;
    if (this.plan.drive === 'hold-to-open' || this.plan.closing === 'barrier-closes') this.#output('open').preserve?.();
    return new LaneRunner({
      settings: this.settings,
      clock: process.clock,
      log: this.#log,
      ports: {
        inputs: Object.fromEntries(sensors.map((sensor) => [sensor, process.input(this.device.input(line(sensor)))])),
        outputs: Object.fromEntries(outputs.map((output) => [output, process.output(this.#output(output))])),
        journal: { append: (event) => process.settled(this.#append(event)) },
        decide: ({ plate }) => this.#decide(plate, process),
        photograph: () => undefined,
        show: () => undefined,
        newPassageId: () => `p${(this.#serial += 1)}`,
        onView: () => {
          this.#busy = true;
        },
        onPassageEnd: (ended) => this.#ended.push(ended),
        relays: this.#relays(process),
        onLastWill: (report) => {
          this.#will = report;
        },
        onLearned: (times) => {
          this.#learned = times;
        },
      },
    });
  }

  #relays(process: GatewayProcess): RelayWatch {
    const { outputs } = this.settings;
    return {
      available: () => outputs.every((output) => this.#output(output).state() !== 'unknown'),
      detail: () => 'a simulated loss',
      onChange: (listener) => this.device.onHealth(() => process.run(listener)),
    };
  }

  #output(output: OutputName): DigitalOutput {
    return this.device.output({ device: 'sim', line: `lane.${output === 'stop' ? 'stopRelay' : output}` });
  }

  #startRunner(unfinished: readonly string[]): void {
    this.#busy = true;
    this.#runner.start(unfinished, this.#learned);
    this.#runner.visionAvailable(this.recogniser.up);
    this.#followSchedule();
  }

  /** As the house does once a second, by the wall clock. */
  #followSchedule(): void {
    if (!this.plan.schedule) return;
    const runner = this.#runner;
    const hold = withinWindows(localTime.at(this.clock.wallMs()), [scheduleWindow]);
    this.#process.run(() => runner.schedule(hold));
    this.#heldBySchedule = hold;
    this.#orderHeld();
  }

  #orderHeld(): void {
    this.lane.orderHeld(this.#heldByPerson || this.#heldBySchedule);
  }

  #append(event: LaneEvent): Promise<unknown> {
    this.#recorded.push(event);
    this.#busy = true;
    if (this.neighbours.journalFails) return Promise.reject(new GateError('JOURNAL_WRITE_FAILED', 'the disk is full; free some space'));
    return this.neighbours.journalDelayMs === 0 ? Promise.resolve() : this.#afterClock(this.neighbours.journalDelayMs);
  }

  #decide(plate: PlateRead | null, process: GatewayProcess): Decision | Promise<Decision> {
    const { decisionDelayMs, decisionFails } = this.neighbours;
    if (decisionFails) return Promise.reject(new GateError('JOURNAL_WRITE_FAILED', 'the lists cannot be read; check the disk'));
    const decision = this.#decision(plate);
    if (decisionDelayMs === 0) return decision;
    return process.settled(this.#afterClock(decisionDelayMs).then(() => decision));
  }

  #decision(plate: PlateRead | null): Decision {
    if (plate === null) return { outcome: 'refuse', rule: 'no-plate', visitorClass: 'unplated' };
    if (plate.text.endsWith('应急')) return { outcome: 'admit', rule: 'emergency-class', visitorClass: 'emergency' };
    if (this.#entitled.has(plate.text)) return { outcome: 'admit', rule: 'resident', visitorClass: 'resident' };
    return { outcome: 'refuse', rule: 'outside-refuse', visitorClass: 'outside' };
  }

  #unfinished(): readonly string[] {
    const open = new Set<string>();
    for (const event of this.#recorded) {
      if (event.passage === undefined) continue;
      if (event.type === 'passage.started') open.add(event.passage);
      else if (event.type === 'passage.ended') open.delete(event.passage);
    }
    return [...open];
  }

  // ---- faults

  #break(fault: PlannedFault): void {
    if (!breakLane(this, fault)) return;
    this.#counts[fault.kind] = (this.#counts[fault.kind] ?? 0) + 1;
    this.#watch.note(fault);
  }

  command(target: CommandTarget, times = 1): void {
    if (!this.#process.alive) return;
    this.#busy = true;
    const id = `c${(this.#commands += 1)}`;
    for (let time = 1; time <= times; time += 1) {
      const runner = this.#runner;
      const sentMs = this.nowMs;
      this.#process.run(() => {
        void runner.command({ id, target, issuer: 'platform:test', reason: 'campaign' }).then((reply) => this.#watch.replied(target, time, sentMs, reply));
      });
    }
    this.#watch.ordered(target);
    if (target === 'hold' || target === 'release') this.#heldByPerson = target === 'hold';
    this.#orderHeld();
  }

  press(name: 'fire' | 'stop' | 'button', pressed: boolean): void {
    this.lane.press(name, pressed);
  }

  vision(available: boolean): void {
    this.recogniser.up = available;
    const runner = this.#runner;
    this.#process.run(() => runner.visionAvailable(available));
  }

  stall(forMs: number): void {
    const process = this.#process;
    if (!process.alive) return;
    process.stall();
    this.device.freeze(true);
    this.later(forMs, () => {
      if (process !== this.#process || !process.alive) return;
      process.wake();
      this.device.freeze(false);
    });
  }

  restart(): void {
    if (!this.#process.alive || this.#stopping) return;
    this.#stopping = true;
    this.#busy = true;
    void this.#runner.stop().then(() => {
      this.#stopping = false;
      this.#busy = true;
      this.#process.kill();
      this.#reboot();
    });
  }

  crash(supervisedMs: number, bootMs: number): void {
    if (!this.#process.alive || this.#stopping) return;
    this.#process.kill();
    this.device.die();
    const { will, closeOffMs } = this.#will;
    this.later(supervisedMs, () => {
      const done = this.#supervise(will, closeOffMs);
      // The supervisor hands the devices over when it is through with them.
      this.later(bootMs, () => void done.then(() => this.#reboot()));
    });
  }

  /** What the supervisor does: it opens the devices, and carries out what the lane said last. */
  #supervise(will: WillReport['will'], closeOffMs: number | null): Promise<void> {
    this.#busy = true;
    void this.device.stop();
    void this.device.start();
    const { outputs, pulseMs, deadTimeMs } = this.settings;
    const others = outputs.filter((output) => output !== 'open' && output !== 'close').map((output) => this.#output(output));
    const close = outputs.includes('close') ? this.#output('close') : undefined;
    // A board that takes no order now leaves it to its own timer; the gateway comes back and finds what it finds.
    return carryOut(will, { open: this.#output('open'), close, others }, { pulseMs, deadTimeMs, closeOffMs }, this.clock).catch(() => undefined);
  }

  #reboot(): void {
    this.#heldByPerson = false;
    this.#orderHeld();
    this.#watch.ordered('release');
    this.device.freeze(false);
    this.#process = new GatewayProcess(this.clock);
    this.#runner = this.#newRunner();
    this.#startRunner(this.#unfinished());
  }
}

/**
 * Plays a plan through the real lane logic, as fast as the machine can, and judges it by what the world itself observed.
 * @returns what happened; `violations` is empty where every law held
 */
export async function playLane(plan: LanePlan, log: Log = silentLog): Promise<LaneWorldReport> {
  return new Player(plan, log).run();
}
