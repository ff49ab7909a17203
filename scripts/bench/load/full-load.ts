import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { loadavg, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { GateError, silentLog } from '../../../src/base/index.js';
import { systemClock } from '../../../src/base/system-clock.js';
import { SqliteJournal } from '../../../src/journal/index.js';
import { lookAlikeDistance } from '../../../src/plate/index.js';
import { Random, drawPlate, type SimPlate } from '../../../src/sim/index.js';
import { Mosquitto, mosquittoPath } from '../../faults/mosquitto.js';
import { BenchCameras } from './camera.js';
import { BenchProcess } from './child.js';
import { boardLines, gateId, lanes, pollMs, siteId, type BenchLane, type BenchSite } from './config.js';
import { asInstalled } from './gate-unit.js';
import type { LoopDelay } from './probe.js';
import { Viewers } from './viewers.js';

const delaySchema = z.object({ p999Ms: z.number(), maxMs: z.number(), histogram: z.object({ p999Ms: z.number(), maxMs: z.number() }) });
const readySchema = z.object({ kind: z.literal('ready') });
const gateReadySchema = z.object({ kind: z.literal('ready'), url: z.string(), code: z.string() });
const reportSchema = z.object({
  kind: z.literal('report'),
  delay: delaySchema.optional(),
  status: z.object({
    journal: z.object({ head: z.number(), acknowledged: z.number() }),
    vision: z.object({ state: z.string(), cameras: z.array(z.object({ framesPerSecond: z.number() })) }),
  }),
});
const closedSchema = z.object({ kind: z.literal('closed'), relay: z.number(), ms: z.number(), wireMs: z.number() });
const gateSaysSchema = z.discriminatedUnion('kind', [z.object({ kind: z.literal('opened'), lane: z.string(), ms: z.number() }), z.object({ kind: z.literal('ended'), lane: z.string() })]);

/** What drives besides the measured passages, for the report. */
export interface LoadFigures {
  readonly framesPerSecond: number;
  readonly backlog: number;
  readonly eventsDrained: number;
  readonly eventsWaiting: number;
  readonly viewers: number;
  readonly picturesShown: number;
  readonly liveKilobytes: number;
  readonly passwordChecks: number;
  /** Of the machine over the last minute, at the end: others may work on it. */
  readonly loadAverage: number;
}

/** One vehicle that was let in. */
export interface BenchPassage {
  /** From the loop's edge to the closed relay, ms. */
  readonly ms: number;
  /** How long of that requests and answers were passing over the bus; 0 where there is none. */
  readonly wireMs: number;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => void systemClock.after(ms, resolve));
const passageMs = 8_000;
const drainsWithinMs = 90_000;
/** Boards are hardware and wait for no processor. */
const boardPriority = -10;
/** Cameras, people at the page, broker and platform are other machines in life: they give way to the gate. */
const outsidePriority = 10;
const tripMs = 250;
/** Plates drawn for the cameras, and plates that only warm lanes hear of: enough that none comes again while it is quiet. */
const cameraPlates = 12;
const warmPlates = 24;

/** Plates that no look-alike rule takes for another. */
function drawPlates(count: number): SimPlate[] {
  const random = new Random(1, 'bench');
  const plates: SimPlate[] = [];
  while (plates.length < count) {
    const plate = drawPlate(random, 'small-car', '京');
    if (plates.every((other) => lookAlikeDistance(other.text, plate.text) > 3)) plates.push(plate);
  }
  return plates;
}

async function writeBacklog(directory: string, count: number): Promise<void> {
  const journal = new SqliteJournal({ directory: join(directory, 'journal'), gateId: `${siteId}-${gateId}`, clock: systemClock, log: silentLog, retention: { eventsDays: 365, photographsDays: 30, photographsMB: 100 } });
  await journal.start();
  for (let done = 0; done < count; done += 5_000) {
    const part = Array.from({ length: Math.min(5_000, count - done) }, (_, at) =>
      journal.append({ type: 'passage.decided', lane: 'sim-warm', passage: `before-${String(done + at)}`, payload: { outcome: 'admit', rule: 'resident', plate: '京A12345', confidence: 0.998, colour: 'blue', rows: 1 } }),
    );
    await Promise.all(part);
  }
  await journal.stop();
}

/**
 * A whole gate in its own process under all the work it can have at once, and the world around it: two cameras that are
 * recognised at eight pictures a second each, viewers with live feeds and pictures, sign-ins, a backlog that drains over
 * Debian's mosquitto to the reference platform, and vehicles in simulated lanes and in lanes on a relay board over a pty.
 */
export class FullLoad {
  readonly #directory: string;
  readonly #backlog: number;
  readonly #cameras = new BenchCameras();
  readonly #children: ChildProcess[] = [];
  readonly #plates = drawPlates(cameraPlates + warmPlates);
  readonly #waiting = new Map<string, (passage: BenchPassage) => void>();
  readonly #ends = new Map<string, () => void>();
  #board: BenchProcess | undefined;
  #referenceBoard: BenchProcess | undefined;
  #broker: Mosquitto | undefined;
  #platform: BenchProcess | undefined;
  #gate: BenchProcess | undefined;
  #reference: BenchProcess | undefined;
  #viewers: Viewers | undefined;
  readonly #turns = new Map<string, number>();
  #drainedFrom = 0;

  private constructor(directory: string, backlog: number) {
    this.#directory = directory;
    this.#backlog = backlog;
  }

  /** Rejects with `CONFIG_INVALID` where socat or mosquitto is missing. */
  static async start(options: { readonly backlog: number; readonly progress: (text: string) => void }): Promise<FullLoad> {
    if (!existsSync(mosquittoPath) || !existsSync('/usr/bin/socat')) {
      throw new GateError('CONFIG_INVALID', 'this bench needs Debian\'s mosquitto and socat: apt-get install mosquitto socat');
    }
    setPriority(outsidePriority);
    const load = new FullLoad(await mkdtemp(join(tmpdir(), 'laurel-gate-bench-')), options.backlog);
    try {
      await load.#start(options.progress);
      return load;
    } catch (error) {
      await load.stop();
      throw error;
    }
  }

  async #start(progress: (text: string) => void): Promise<void> {
    progress('drawing what the cameras see');
    await this.#cameras.start(this.#plates.slice(0, cameraPlates));
    progress(`writing a backlog of ${this.#backlog} events`);
    const dataDirectory = join(this.#directory, 'data');
    await writeBacklog(dataDirectory, this.#backlog);
    const [gateEnd, boardEnd, bareEnd, bareBoardEnd] = ['gate', 'board', 'bare', 'bare-board'].map((name) => join(this.#directory, name));
    if (gateEnd === undefined || boardEnd === undefined || bareEnd === undefined || bareBoardEnd === undefined) return;
    this.#cable(gateEnd, boardEnd);
    this.#cable(bareEnd, bareBoardEnd);
    await pause(300);
    const busLanes = lanes.filter(({ hardware }) => hardware === 'modbus');
    this.#board = await this.#boardAt(boardEnd, (relay) => busLanes[relay]?.id ?? '');
    this.#referenceBoard = await this.#boardAt(bareBoardEnd, () => 'reference');
    this.#broker = await Mosquitto.start({ directory: this.#directory });
    this.#reference = new BenchProcess('bus-reference', [bareEnd, String(pollMs)], asInstalled);
    await this.#reference.next(readySchema);
    progress('starting the gate');
    const site: BenchSite = { dataDirectory, port: gateEnd, brokerUrl: this.#broker.url, cameraUrl: this.#cameras.url, plates: this.#plates.map(({ text }) => text) };
    const gate = new BenchProcess('gate-process', [JSON.stringify(site)], asInstalled);
    this.#gate = gate;
    gate.onMessage((message) => {
      const said = gateSaysSchema.safeParse(message).data;
      if (said?.kind === 'opened') this.#waiting.get(said.lane)?.({ ms: said.ms, wireMs: 0 });
      if (said?.kind === 'ended') this.#ends.get(said.lane)?.();
    });
    const { url, code } = await gate.next(gateReadySchema, 90_000);
    this.#viewers = new Viewers(url, lanes.filter(({ kind }) => kind === 'cold').map(({ id }) => id));
    await this.#viewers.start(code);
    // The first pictures and compilations of a start belong to no day's work.
    await pause(5_000);
    this.#drainedFrom = (await this.#report()).status.journal.acknowledged;
  }

  /** Bytes on a wire wait for no processor either. */
  #cable(one: string, other: string): void {
    this.#children.push(spawn('/usr/bin/nice', ['-n', String(boardPriority - outsidePriority), 'socat', `pty,raw,echo=0,link=${one}`, `pty,raw,echo=0,link=${other}`], { stdio: 'ignore' }));
  }

  async #boardAt(path: string, laneOf: (relay: number) => string): Promise<BenchProcess> {
    const board = new BenchProcess('board-process', [path], { priority: boardPriority });
    board.onMessage((message) => {
      const closed = closedSchema.safeParse(message).data;
      if (closed !== undefined) this.#waiting.get(laneOf(closed.relay))?.(closed);
    });
    await board.next(readySchema);
    return board;
  }

  /** Waits for a lane's relay; undefined where it does not close. */
  #relay(lane: string): Promise<BenchPassage | undefined> {
    return new Promise((resolve) => {
      const settle = (value: BenchPassage | undefined): void => {
        timer.cancel();
        this.#waiting.delete(lane);
        resolve(value);
      };
      const timer = systemClock.after(passageMs, () => settle(undefined));
      this.#waiting.set(lane, settle);
    });
  }

  /** One vehicle through a lane. @returns undefined where it was not let in */
  async passage(lane: BenchLane): Promise<BenchPassage | undefined> {
    const gate = this.#gate;
    if (gate === undefined) return undefined;
    const cold = lane.kind === 'cold';
    const turn = this.#turns.get(lane.id) ?? 0;
    this.#turns.set(lane.id, turn + 1);
    const plate = this.#plates[cold ? turn % cameraPlates : cameraPlates + (turn % warmPlates)]?.text ?? '';
    if (cold) this.#cameras.show(lane.id, plate);
    else {
      gate.send({ kind: 'see', lane: lane.id, plate, ended: false });
      // A car at 3 m/s whose plate is sure a metre and a half before the loop, and at no fixed phase to the polls of the bus.
      await pause(500 + Math.random() * 40);
    }
    const ended = new Promise<void>((resolve) => {
      const timer = systemClock.after(passageMs, resolve);
      this.#ends.set(lane.id, () => {
        timer.cancel();
        resolve();
      });
    });
    const relay = this.#relay(lane.id);
    this.#drive(lane, 'approach');
    const value = await relay;
    if (cold) this.#cameras.show(lane.id, undefined);
    else gate.send({ kind: 'see', lane: lane.id, plate, ended: true });
    await pause(tripMs);
    for (const place of ['both', 'closing', 'gone'] as const) {
      this.#drive(lane, place);
      await pause(tripMs);
    }
    await ended;
    this.#drive(lane, 'away');
    // A plate must be out of the picture before the next one drives up.
    if (cold) await pause(800);
    return value;
  }

  #drive(lane: BenchLane, place: 'approach' | 'both' | 'closing' | 'gone' | 'away'): void {
    if (lane.hardware === 'simulated') {
      // Positions of a car of 4.6 m: loops at -6 to -4 and -1 to 1.
      const frontM = { approach: -3.5, both: -0.2, closing: 2, gone: 6, away: null }[place];
      this.#gate?.send({ kind: 'place', lane: lane.id, frontM });
      return;
    }
    const { relay, approach, closing } = boardLines(lane);
    const inputs = { [approach]: place === 'approach' || place === 'both', [closing]: place === 'both' || place === 'closing' };
    this.#board?.send({ kind: 'inputs', inputs, ...(place === 'approach' ? { relay } : {}) });
  }

  /** The same edge before a bare client on a bus of its own. */
  async barePassage(): Promise<BenchPassage | undefined> {
    await pause(60 + Math.random() * 40);
    const relay = this.#relay('reference');
    this.#referenceBoard?.send({ kind: 'inputs', inputs: { 0: true }, relay: 0 });
    const value = await relay;
    await pause(tripMs);
    this.#referenceBoard?.send({ kind: 'inputs', inputs: { 0: false } });
    await pause(tripMs + 200);
    return value;
  }

  /** Lets the backlog drain from now on, and begins to watch the gate's event loop. */
  async probe(): Promise<void> {
    if (this.#broker === undefined) return;
    this.#platform = new BenchProcess('platform-process', [this.#broker.url], { priority: outsidePriority });
    await this.#platform.next(readySchema);
    // Nobody took its events so far, so the gate tries again only after a while.
    const endMs = systemClock.monoMs() + drainsWithinMs;
    while ((await this.#report()).status.journal.acknowledged === this.#drainedFrom) {
      if (systemClock.monoMs() > endMs) throw new GateError('BROKER_UNREACHABLE', `the backlog of the bench did not begin to drain within ${drainsWithinMs} ms; run it again on a quiet machine`);
      await pause(200);
    }
    this.#gate?.send({ kind: 'probe' });
  }

  async #report(): Promise<z.output<typeof reportSchema>> {
    if (this.#gate === undefined) throw new GateError('CONTROL_UNREACHABLE', 'the gate of the bench is not running');
    const answer = this.#gate.next(reportSchema);
    this.#gate.send({ kind: 'report' });
    return await answer;
  }

  /** What ran, and how late the event loop was since `probe`. */
  async figures(): Promise<{ readonly load: LoadFigures; readonly delay: LoopDelay | undefined }> {
    const { status, delay } = await this.#report();
    const viewers = this.#viewers;
    return {
      delay,
      load: {
        framesPerSecond: Math.round(status.vision.cameras.reduce((sum, camera) => sum + camera.framesPerSecond, 0) * 10) / 10,
        backlog: this.#backlog,
        eventsDrained: status.journal.acknowledged - this.#drainedFrom,
        eventsWaiting: status.journal.head - status.journal.acknowledged,
        viewers: viewers?.count ?? 0,
        picturesShown: viewers?.pictures ?? 0,
        liveKilobytes: Math.round((viewers?.liveBytes ?? 0) / 1_024),
        passwordChecks: viewers?.passwordChecks ?? 0,
        loadAverage: Math.round((loadavg()[0] ?? 0) * 100) / 100,
      },
    };
  }

  async stop(): Promise<void> {
    this.#viewers?.stop();
    await this.#gate?.stop();
    await this.#reference?.stop();
    await this.#platform?.stop();
    await this.#board?.stop();
    await this.#referenceBoard?.stop();
    await this.#broker?.kill();
    this.#cameras.stop();
    for (const child of this.#children) child.kill('SIGKILL');
    await rm(this.#directory, { recursive: true, force: true });
  }
}
