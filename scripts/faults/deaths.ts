import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import * as mini from 'zod/mini';
import { GateError, errorText } from '../../src/base/index.js';
import { ControlClient } from '../../src/cli/control-client.js';
import { controlSocketPath } from '../../src/web/view.js';
import { GateOnBoard, isAlive, lane, pause, until, type RelayEdge } from './gate-on-board.js';

/** What the lane does when death comes. */
export const laneStates = ['idle', 'open-pulse', 'rising', 'open-occupied', 'closing', 'closing-entering', 'held', 'fire', 'stop'] as const;
export type LaneStateName = (typeof laneStates)[number];

/** Ways to die: of the program, of the hardware beside it, of everything. */
export const waysToDie = [
  'SIGTERM',
  'SIGINT',
  'exception',
  'rejection',
  'SIGKILL',
  'SIGSTOP',
  'hang',
  'abort',
  'memory',
  'supervisor-too',
  'bus-unplugged',
  'relay-power-cycled',
  'inputs-lost',
  'box-power-cut',
] as const;
export type WayToDie = (typeof waysToDie)[number];

/** Here nobody is left who could act, so the barrier's own safety edge and the board's timer have to do. */
const leftToBarrier: ReadonlySet<WayToDie> = new Set(['supervisor-too', 'bus-unplugged', 'box-power-cut']);
const fromWithin: ReadonlySet<WayToDie> = new Set(['exception', 'rejection', 'hang', 'abort', 'memory']);

export interface DeathCase {
  readonly way: WayToDie;
  readonly state: LaneStateName;
}

export interface DeathReport extends DeathCase {
  /** What the relays did, e.g. `+0 open on, +212 close off`; ms after the death. */
  readonly relays: readonly string[];
  /** From the death to the OPEN contact being closed anew; null where it was not. */
  readonly openAfterMs: number | null;
  /** Position of the boom at the death and at the end of the look, before anything is started anew: 0 closed to 1 open. */
  readonly boom: { readonly before: number; readonly least: number; readonly after: number };
  /** `safe`: nobody was endangered that somebody alive could have saved. `left-to-barrier`: nobody was alive to do so. */
  readonly verdict: 'safe' | 'unsafe' | 'left-to-barrier';
  readonly violations: readonly string[];
}

/** How long the world is looked at before anything is started anew, ms. */
/** The supervisor gives a silent gate with nothing on and nothing moving so long, and some more. */
const hungMs = 25_000;
const lookMs = 2_600;
const readyMs = 60_000;

const laneView = z.object({ boom: z.string(), held: z.boolean(), fire: z.boolean(), sensors: z.record(z.string(), z.string()) });
const statusShape = mini.record(mini.string(), mini.unknown());
const orderShape = mini.record(mini.string(), mini.unknown());
const statusView = z.object({ lanes: z.array(laneView), guard: z.object({ supervisor: z.string() }) });

/** One gate that dies again and again, each time in another way and another moment. */
export class DeathBench {
  readonly rig: GateOnBoard;
  readonly #violations: string[] = [];
  #excused: string[] = [];
  #client: ControlClient;

  private constructor(rig: GateOnBoard) {
    this.rig = rig;
    this.#client = new ControlClient(controlSocketPath(rig.dataDirectory));
    rig.world.onUnsafe((movement) => {
      const text = `${movement.kind} at ${movement.vehicle}`;
      if (movement.excuse === undefined) this.#violations.push(text);
      else this.#excused.push(`${text} (${movement.excuse})`);
    });
  }

  static async start(seed: number, barrier = ''): Promise<DeathBench> {
    return new DeathBench(await GateOnBoard.start({ seed, barrier, autoCloseMs: 1_500 }));
  }

  async stop(): Promise<void> {
    await this.rig.stop();
  }

  async run({ way, state }: DeathCase): Promise<DeathReport> {
    const { rig } = this;
    const { boom } = rig.lane;
    await this.#ready(way);
    await this.#bring(state);
    this.#violations.length = 0;
    this.#excused = [];
    const laws = rig.world.truth.lawsBroken.length;
    rig.edges.length = 0;
    const before = boom.position;
    const diedMs = performance.now();
    const death = this.#die(way);
    if (state === 'closing-entering') rig.world.arrive(lane, { kind: 'car', tag: 'stranger', intention: { kind: 'cross', atM: 2, forMs: 20_000 } });
    let least = before;
    const endWatch = rig.world.onStep(() => void (least = Math.min(least, boom.position)));
    await Promise.all([death, pause(lookMs)]);
    endWatch();
    const after = boom.position;
    const edges = [...rig.edges];
    await this.#revive(way);
    // What comes after a restart must not endanger anybody either.
    await pause(1_000);
    const broken = rig.world.truth.lawsBroken.slice(laws).map(({ law, detail }) => `${law}: ${detail}`);
    const violations = [...this.#violations, ...broken];
    await this.#tidy();
    return {
      way,
      state,
      relays: edges.map(({ atMs, contact, on }) => `+${Math.round(atMs - diedMs)} ${contact} ${on ? 'on' : 'off'}`),
      openAfterMs: openAfter(edges, diedMs),
      boom: { before: round(before), least: round(least), after: round(after) },
      verdict: violations.length === 0 ? 'safe' : leftToBarrier.has(way) ? 'left-to-barrier' : 'unsafe',
      violations,
    };
  }

  // ---- life

  async #ready(way: WayToDie): Promise<void> {
    const { rig } = this;
    const { daemon } = rig;
    // The preloaded death is chosen at the start.
    if (daemon !== undefined && isAlive(daemon) && fromWithin.has(way)) {
      daemon.kill('SIGTERM');
      await once(daemon, 'exit');
    }
    if (rig.daemon === undefined || !isAlive(rig.daemon)) rig.launch(fromWithin.has(way) ? way : 'abort');
    await this.#isUp('with its boom down', ({ guard, lanes: [view] }) => guard.supervisor === 'watching' && view?.boom === 'closed' && view.sensors['closing'] === 'off' && rig.lane.boom.position === 0);
  }

  async #isUp(how: string, fits: (status: z.output<typeof statusView>) => boolean): Promise<void> {
    const { rig } = this;
    try {
      await until(`the gate to be up ${how}`, readyMs, async () => {
        // As the service manager would; on a starved machine a start may look like a hang.
        if (rig.daemon !== undefined && !isAlive(rig.daemon)) rig.launch();
        const status = await this.#status();
        return status !== undefined && fits(status);
      });
    } catch (error) {
      throw new GateError('CONTROL_UNREACHABLE', `${errorText(error)}; it said: ${rig.words}`, {}, error);
    }
  }

  async #status(): Promise<z.output<typeof statusView> | undefined> {
    try {
      return statusView.parse(await this.#client.get(statusShape, '/api/status'));
    } catch {
      return undefined;
    }
  }

  /** Back to a closed boom and an empty road. */
  async #tidy(): Promise<void> {
    const { rig } = this;
    for (const name of ['fire', 'stop', 'button'] as const) rig.world.press(lane, name, false);
    rig.lane.vehicles.length = 0;
    await until(`the boom to come down (${rig.words})`, readyMs, async () => {
      const view = (await this.#status())?.lanes[0];
      if (view?.held === true) await this.#order('release');
      else if (view?.boom === 'open' || view?.boom === 'stopped' || view?.boom === 'fault' || view?.boom === 'unknown') await this.#order('close');
      await pause(100);
      return rig.lane.boom.position === 0 && view?.boom === 'closed';
    });
  }

  async #order(target: 'close' | 'hold' | 'release'): Promise<void> {
    try {
      await this.#client.post(orderShape, `/api/lanes/${lane}/command`, { target, reason: 'campaign' });
    } catch {
      // Refused because something is still moving or under the boom: asked again.
    }
  }

  // ---- before death

  async #bring(state: LaneStateName): Promise<void> {
    const { rig } = this;
    const { boom, vehicles } = rig.lane;
    const reach = (what: string, condition: () => boolean): Promise<void> => until(`${what} (${rig.words})`, 20_000, condition);
    switch (state) {
      case 'idle':
        return;
      case 'open-pulse':
        await this.#press();
        await reach('the open contact', () => boom.contact('open'));
        return;
      case 'rising':
        await this.#press();
        await reach('the boom half-way up', () => boom.movingUp && boom.position > 0.3);
        return;
      case 'open-occupied':
        rig.world.arrive(lane, { kind: 'car', tag: 'stranger', intention: { kind: 'stop-under', forMs: 60_000 } });
        await reach('a vehicle before the boom', () => rig.lane.sensors.approach.reported === 'on');
        await this.#press();
        await reach('a vehicle under the boom', () => rig.lane.sensors.closing.reported === 'on' && Math.abs(vehicles[0]?.velocity ?? 1) < 0.01 && boom.position === 1);
        return;
      case 'closing':
      case 'closing-entering':
        await this.#press();
        await reach('the boom on its way down', () => boom.movingDown && boom.position < 0.85);
        return;
      case 'held':
        await this.#order('hold');
        await reach('the boom to be held', () => boom.position === 1);
        return;
      case 'fire':
        rig.world.press(lane, 'fire', true);
        await reach('fire to raise the boom', () => boom.position === 1);
        return;
      case 'stop':
        await this.#press();
        await reach('the boom half-way up', () => boom.position > 0.4);
        rig.world.press(lane, 'stop', true);
        await reach('STOP to stand the boom', () => !boom.movingUp && !boom.contact('stop'));
        return;
    }
  }

  /** A hand on the guard's button, as often as it takes until the boom obeys. */
  async #press(): Promise<void> {
    const { world, lane: simulated } = this.rig;
    const obeys = (): boolean => simulated.boom.target === 'open';
    for (let tries = 0; tries < 5 && !obeys(); tries += 1) {
      world.press(lane, 'button', true);
      await pause(250);
      world.press(lane, 'button', false);
      for (let turn = 0; turn < 100 && !obeys(); turn += 1) await pause(10);
    }
  }

  // ---- death

  async #die(way: WayToDie): Promise<void> {
    const { rig } = this;
    const { daemon, supervisor } = rig;
    if (daemon === undefined || supervisor === undefined) return;
    const failing = (on: boolean): void => rig.lane.setHardwareFailing('bus', on, rig.world.nowMs);
    switch (way) {
      case 'SIGTERM':
      case 'SIGINT':
      case 'SIGKILL':
      case 'SIGSTOP':
        daemon.kill(way);
        return;
      case 'supervisor-too':
        supervisor.kill('SIGKILL');
        daemon.kill('SIGKILL');
        return;
      case 'box-power-cut':
        supervisor.kill('SIGKILL');
        daemon.kill('SIGKILL');
        rig.board.setPower(false);
        return;
      case 'bus-unplugged':
        failing(true);
        await rig.unplug();
        await pause(1_500);
        await rig.plug();
        failing(false);
        return;
      case 'relay-power-cycled':
        failing(true);
        rig.board.setPower(false);
        await pause(1_000);
        rig.board.setPower(true);
        failing(false);
        return;
      case 'inputs-lost':
        rig.board.inputsAnswer = false;
        return;
      default:
        daemon.kill('SIGUSR2');
    }
  }

  /** As the service manager would: whatever ended is started anew. */
  async #revive(way: WayToDie): Promise<void> {
    const { rig } = this;
    rig.board.setPower(true);
    rig.board.inputsAnswer = true;
    if (rig.supervisor !== undefined && !isAlive(rig.supervisor)) await rig.startSupervisor();
    if (rig.daemon !== undefined && isAlive(rig.daemon)) {
      const hung = rig.daemon;
      if (way === 'SIGSTOP' || way === 'hang') await until(`the supervisor to end a hung gate (${rig.words})`, hungMs, () => !isAlive(hung));
      if (!isAlive(hung)) rig.launch();
    } else {
      rig.launch();
    }
    await this.#isUp('again', (status) => status.guard.supervisor === 'watching');
  }
}

/** First closing of the OPEN contact after the death that is not an earlier pulse going on. */
function openAfter(edges: readonly RelayEdge[], diedMs: number): number | null {
  const edge = edges.find(({ contact, on }) => contact === 'open' && on);
  return edge === undefined ? null : Math.round(edge.atMs - diedMs);
}

function round(position: number): number {
  return Math.round(position * 100) / 100;
}

export interface DeathsOptions {
  readonly seed: number;
  readonly cases?: readonly DeathCase[];
  /** More keys of the barrier, YAML, e.g. a fail state. */
  readonly barrier?: string;
  readonly onReport?: (report: DeathReport, done: number, of: number) => void;
}

/** Every way to die in every state of the lane, or the cases given. */
export async function runDeaths({ seed, cases = allDeaths(), barrier, onReport }: DeathsOptions): Promise<readonly DeathReport[]> {
  let bench = await DeathBench.start(seed, barrier);
  const reports: DeathReport[] = [];
  const again = async (one: DeathCase): Promise<DeathReport> => {
    await bench.stop();
    bench = await DeathBench.start(seed, barrier);
    return await bench.run(one);
  };
  try {
    for (const one of cases) {
      // A lane that could not be brought into its state has not died yet: once more, with everything new.
      const report = await bench.run(one).catch(() => again(one));
      reports.push(report);
      onReport?.(report, reports.length, cases.length);
    }
    return reports;
  } finally {
    await bench.stop();
  }
}

export function allDeaths(): readonly DeathCase[] {
  return waysToDie.flatMap((way) => laneStates.map((state) => ({ way, state })));
}

/** The reports as a table for people. */
export function deathsTable(reports: readonly DeathReport[]): string {
  const rows = [
    ['way to die', 'lane', 'relays, ms after the death', 'boom before > least > after', 'verdict'],
    ...reports.map(({ way, state, relays, boom, verdict, violations }) => [way, state, relays.join(', ') || 'nothing', `${boom.before} > ${boom.least} > ${boom.after}`, [verdict, ...violations].join('; ')]),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length))) ?? [];
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n');
}
