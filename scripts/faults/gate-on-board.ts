import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { GateError } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { World, type SimLane, type SimSensor } from '../../src/sim/index.js';
import { RelayBoard } from './modbus-board.js';

export const site = 'faults';
export const gate = 'east';
export const lane = 'entry';
const repository = fileURLToPath(new URL('../..', import.meta.url));

/** Relay of each contact, and the board's inputs in order. */
export const relayOf = { open: 0, close: 1, stop: 2 } as const;
export type ContactName = keyof typeof relayOf;
const contactNames: readonly ContactName[] = ['open', 'close', 'stop'];
const inputOrder: readonly SimSensor[] = ['approach', 'closing', 'openLimit', 'closedLimit', 'button', 'fire', 'stop'];

const timings = { openTimeMs: 1_200, closeTimeMs: 1_400, closeDelayMs: 300, deadTimeMs: 300, pulseMs: 400 };

export interface GateOnBoardOptions {
  readonly seed: number;
  /** YAML of the uplink section. */
  readonly uplink?: string;
  /** More keys of the barrier, YAML. */
  readonly barrier?: string;
  readonly autoCloseMs?: number;
}

/** A relay that picked up or dropped; `performance.now()` of this process. */
export interface RelayEdge {
  readonly atMs: number;
  readonly contact: ContactName;
  readonly on: boolean;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => void systemClock.after(ms, resolve));

/** Asks again every few milliseconds. Rejects with `DEVICE_TIMEOUT` after the limit. */
export async function until(what: string, limitMs: number, condition: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = systemClock.monoMs() + limitMs;
  while (!(await condition())) {
    if (systemClock.monoMs() > endMs) throw new GateError('DEVICE_TIMEOUT', `the campaign waited ${limitMs} ms in vain for ${what}`);
    await pause(5);
  }
}

/**
 * The whole gate as it stands at a barrier: a real daemon and a real supervisor, each a process of its own, a relay and
 * input board on a serial line (a pty) with a pulse timer of its own, and behind it the physical world. World and board
 * go on whatever becomes of the gate.
 */
export class GateOnBoard {
  readonly directory: string;
  readonly world: World;
  readonly lane: SimLane;
  readonly edges: RelayEdge[] = [];
  readonly configPath: string;
  readonly dataDirectory: string;
  board: RelayBoard;
  daemon: ChildProcess | undefined;
  supervisor: ChildProcess | undefined;
  /** What the daemon said last. */
  words = '';
  readonly #gatewayEnd: string;
  readonly #boardEnd: string;
  readonly #socketPath: string;
  readonly #options: GateOnBoardOptions;
  #cable: ChildProcess | undefined;

  private constructor(directory: string, options: GateOnBoardOptions) {
    this.directory = directory;
    this.#options = options;
    this.configPath = join(directory, 'gate.yaml');
    this.dataDirectory = join(directory, 'data');
    this.#socketPath = join(directory, 'supervisor.sock');
    [this.#gatewayEnd, this.#boardEnd] = [join(directory, 'gateway'), join(directory, 'board')];
    this.world = new World({
      seed: options.seed,
      lanes: [{ id: lane, direction: 'entry', closing: 'gateway-closes', openTimeMs: timings.openTimeMs, closeTimeMs: timings.closeTimeMs, deadTimeMs: timings.deadTimeMs, beam: false, longestEnergisedMs: timings.pulseMs + 300 }],
    });
    this.lane = this.world.lane(lane);
    this.board = this.#newBoard();
  }

  /** Needs Debian's `socat`. Runs the program as it is shipped, built anew where it is stale. The daemon is not running yet. */
  static async start(options: GateOnBoardOptions): Promise<GateOnBoard> {
    await build();
    const rig = new GateOnBoard(await mkdtemp(join(tmpdir(), 'laurel-gate-faults-')), options);
    await rig.plug();
    await mkdir(rig.dataDirectory);
    await writeFile(rig.configPath, rig.#configText());
    rig.world.start(systemClock);
    await rig.startSupervisor();
    return rig;
  }

  #newBoard(): RelayBoard {
    return new RelayBoard({
      path: this.#boardEnd,
      unit: 1,
      coils: 8,
      clock: systemClock,
      inputs: () => {
        const wires = this.lane.wires();
        return inputOrder.map((sensor) => wires[sensor] !== 'off');
      },
      onRelay: (index, on) => {
        const contact = contactNames[index];
        if (contact === undefined) return;
        this.edges.push({ atMs: performance.now(), contact, on });
        this.lane.setContact(contact, on, this.world.nowMs);
      },
    });
  }

  /** The cable between box and board. */
  async plug(): Promise<void> {
    this.#cable = spawn('socat', [`pty,raw,echo=0,link=${this.#gatewayEnd}`, `pty,raw,echo=0,link=${this.#boardEnd}`], { stdio: 'ignore' });
    await pause(200);
    await this.board.start();
  }

  async unplug(): Promise<void> {
    await this.board.disconnect();
    const cable = this.#cable;
    if (cable === undefined) return;
    cable.kill('SIGKILL');
    await once(cable, 'exit');
  }

  async startSupervisor(): Promise<void> {
    this.supervisor = this.#run(['dist/supervisor.js', '--socket', this.#socketPath]);
    await until('the supervisor', 30_000, () => existsSync(this.#socketPath));
  }

  /** Starts the daemon. @param death what SIGUSR2 does to it */
  launch(death = 'abort'): ChildProcess {
    this.words = '';
    this.daemon = this.#run(['dist/main.js', '--config', this.configPath], { LAUREL_DEATH: death }, ['--import', join(repository, 'scripts/faults/die-on-signal.mjs'), '--max-old-space-size=160']);
    return this.daemon;
  }

  async stop(): Promise<void> {
    this.world.stop();
    for (const child of [this.daemon, this.supervisor]) if (child !== undefined && isAlive(child)) child.kill('SIGKILL');
    await this.board.stop();
    if (this.#cable !== undefined && isAlive(this.#cable)) this.#cable.kill('SIGKILL');
    await rm(this.directory, { recursive: true, force: true });
  }

  #run([entry, ...rest]: readonly [string, ...string[]], environment: NodeJS.ProcessEnv = {}, options: readonly string[] = []): ChildProcess {
    const child = spawn(process.execPath, [...options, join(repository, entry), ...rest], {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: repository,
      env: { ...process.env, LAUREL_GATE_SUPERVISOR: this.#socketPath, ...environment },
    });
    const hear = (chunk: Buffer): void => void (this.words = (this.words + chunk.toString('utf8')).slice(-4_000));
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    return child;
  }

  #configText(): string {
    const line = (index: number): string => `{device: board, unit: 1, line: ${index}}`;
    const { openTimeMs, closeTimeMs, closeDelayMs, deadTimeMs, pulseMs } = timings;
    return `
site: {id: ${site}, name: campaign}
gate: {id: ${gate}, name: campaign, dataDirectory: ${JSON.stringify(this.dataDirectory)}}
devices:
  - {id: board, driver: modbus, path: ${JSON.stringify(this.#gatewayEnd)}, pollMs: 20, units: [{unit: 1, profile: waveshare-relay}]}
lanes:
  - id: ${lane}
    name: campaign
    direction: entry
    barrier:
      closing: gateway-closes
${contactNames.map((name) => `      ${name}: ${line(relayOf[name])}`).join('\n')}
      openTimeMs: ${openTimeMs}
      closeTimeMs: ${closeTimeMs}
      closeDelayMs: ${closeDelayMs}
      autoCloseMs: ${this.#options.autoCloseMs ?? 5_000}
      deadTimeMs: ${deadTimeMs}
      pulseMs: ${pulseMs}
${this.#options.barrier ?? ''}
    inputs:
${inputOrder.map((sensor, index) => `      ${sensor}: ${line(index)}`).join('\n')}
    readTimeoutMs: 500
access: {outside: {policy: ask}}
${this.#options.uplink ?? ''}
web: {port: 0}
`;
  }
}

async function build(): Promise<void> {
  const child = spawn(process.execPath, [join(repository, 'scripts/build.mjs')], { cwd: repository, stdio: ['ignore', 'ignore', 'inherit'] });
  await once(child, 'exit');
  if (child.exitCode !== 0) throw new GateError('CLI_USAGE', 'The program does not build; see above.');
}

export function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
