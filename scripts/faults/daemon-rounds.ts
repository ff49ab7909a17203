import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GateError, silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { Random, World, drawPlate, type Intention } from '../../src/sim/index.js';
import { ReferencePlatform } from '../../src/uplink/index.js';
import { Mosquitto } from './mosquitto.js';
import { RelayBoard } from './modbus-board.js';

export interface DaemonRoundsOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly onProgress?: (done: number) => void;
}

export interface DaemonRoundsResult {
  readonly rounds: number;
  /** Vehicles that passed or tried to while the campaign ran, as the world counted them. */
  readonly passages: number;
  /** Movements that endangered a body although the gateway was alive and could have known. */
  readonly unsafeMovements: number;
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  readonly chainBroken: number;
  readonly undeclaredLoss: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
}

const site = 'faults';
const gate = 'east';
const lane = 'entry';
const repository = fileURLToPath(new URL('../..', import.meta.url));
const readyMs = 30_000;
const drainMs = 60_000;
const spawnOf = { open: 0, close: 1 } as const;
const inputOrder = ['approach', 'closing', 'openLimit', 'closedLimit', 'button'] as const;

const pause = (ms: number): Promise<void> => new Promise((resolve) => void systemClock.after(ms, resolve));

async function until(what: string, limitMs: number, condition: () => boolean): Promise<void> {
  const endMs = systemClock.monoMs() + limitMs;
  while (!condition()) {
    if (systemClock.monoMs() > endMs) throw new GateError('DEVICE_TIMEOUT', `the campaign waited ${limitMs} ms in vain for ${what}`);
    await pause(10);
  }
}

function configText(options: { readonly port: string; readonly brokerUrl: string; readonly dataDirectory: string }): string {
  const line = (index: number): string => `{device: board, unit: 1, line: ${index}}`;
  return `
site: {id: ${site}, name: campaign}
gate: {id: ${gate}, name: campaign, dataDirectory: ${JSON.stringify(options.dataDirectory)}}
devices:
  - {id: board, driver: modbus, path: ${JSON.stringify(options.port)}, pollMs: 20, units: [{unit: 1, profile: waveshare-relay}]}
lanes:
  - id: ${lane}
    name: campaign
    direction: entry
    barrier: {closing: gateway-closes, open: ${line(spawnOf.open)}, close: ${line(spawnOf.close)}, openTimeMs: 1200, closeTimeMs: 1400, closeDelayMs: 300, autoCloseMs: 5000, deadTimeMs: 300}
    inputs:
${inputOrder.map((sensor, index) => `      ${sensor}: ${line(index)}`).join('\n')}
    readTimeoutMs: 500
access: {outside: {policy: ask}}
uplink: {broker: {url: ${JSON.stringify(options.brokerUrl)}}}
web: {port: 0}
`;
}

/**
 * Rounds of the whole daemon, killed with SIGKILL at random moments while vehicles pass. The world, the relay board (over
 * a pty, with a pulse timer of its own), the broker and the platform with its ledger live outside of the daemon and go on
 * when it dies; vehicles are let in by commands of the platform.
 *
 * Needs Debian's `socat` and `mosquitto`.
 */
export async function runDaemonRounds({ rounds, seed, onProgress }: DaemonRoundsOptions): Promise<DaemonRoundsResult> {
  const directory = await mkdtemp(join(tmpdir(), 'laurel-gate-faults-'));
  const children: ChildProcess[] = [];
  const started = (command: string, args: readonly string[]): ChildProcess => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], cwd: repository });
    children.push(child);
    return child;
  };
  const random = new Random(seed, 'daemon-rounds');
  const faults: Record<string, number> = {};
  const count = (kind: string): void => void (faults[kind] = (faults[kind] ?? 0) + 1);
  const violations: string[] = [];
  let board: RelayBoard | undefined;
  let broker: Mosquitto | undefined;
  let platform: ReferencePlatform | undefined;
  const world = new World({
    seed,
    lanes: [{ id: lane, direction: 'entry', closing: 'gateway-closes', openTimeMs: 1_200, closeTimeMs: 1_400, deadTimeMs: 300, beam: false, longestEnergisedMs: 700 }],
  });
  try {
    const [gatewayEnd, boardEnd] = [join(directory, 'gateway'), join(directory, 'board')];
    started('socat', [`pty,raw,echo=0,link=${gatewayEnd}`, `pty,raw,echo=0,link=${boardEnd}`]);
    broker = await Mosquitto.start({ directory });

    const simulated = world.lane(lane);
    board = new RelayBoard({
      path: boardEnd,
      unit: 1,
      coils: 8,
      clock: systemClock,
      inputs: () => {
        const wires = simulated.wires();
        return inputOrder.map((sensor) => wires[sensor] !== 'off');
      },
      onRelay: (index, on) => {
        if (index === spawnOf.open) simulated.setContact('open', on, world.nowMs);
        if (index === spawnOf.close) simulated.setContact('close', on, world.nowMs);
      },
    });
    await pause(200);
    await board.start();

    let alive = false;
    world.onUnsafe((movement) => {
      // A run that a dead gateway can no longer take back is what the barrier's own safety edge is for; it is counted apart.
      if (!alive) count('closing-unsupervised');
      else if (movement.excuse !== undefined) count(`excused-${movement.excuse}`);
      else violations.push(`unsafe movement: ${movement.kind} at ${movement.vehicle}`);
    });
    world.start(systemClock);

    const platformOf = new ReferencePlatform({
      url: broker.url,
      log: silentLog,
      onEvent: (_gate, event, historical) => {
        if (historical || event.type !== 'passage.decided' || event.payload['outcome'] !== 'ask') return;
        platformOf.send(site, gate, { id: `cmd-${event.seq}`, issuer: 'platform:campaign', expires: systemClock.wallMs() + 10_000, lane, target: 'open', reason: 'campaign' });
        count('command-sent');
      },
    });
    platform = platformOf;
    await platform.start();

    const dataDirectory = join(directory, 'data');
    await mkdir(dataDirectory);
    const configPath = join(directory, 'gate.yaml');
    await writeFile(configPath, configText({ port: gatewayEnd, brokerUrl: broker.url, dataDirectory }));

    // Traffic goes on whatever the gateway does.
    let nextArrivalMs = 0;
    world.onStep((nowMs) => {
      if (nowMs < nextArrivalMs || !simulated.hasRoom() || simulated.vehicles.length > 2) return;
      nextArrivalMs = nowMs + random.between(1_500, 4_000);
      const intention: Intention =
        random.weighted({ drive: 6, stop: 2, back: 1 }, 'drive') === 'stop'
          ? { kind: 'stop-under', forMs: random.between(500, 2_500) }
          : random.chance(0.12)
            ? { kind: 'back-out', fromM: -1.5, forMs: 800 }
            : { kind: 'drive' };
      world.arrive(lane, { kind: 'car', plate: drawPlate(random, 'small-car', '京'), tag: 'resident', intention, patienceMs: 20_000 });
    });

    const online = (): boolean => platformOf.status(site, gate)?.state === 'online';
    let lastErrors = '';
    const launch = async (): Promise<ChildProcess> => {
      const epochBefore = platformOf.status(site, gate)?.epoch ?? 0;
      const daemon = started(process.execPath, ['--import', 'tsx', join(repository, 'src/main.ts'), '--config', configPath]);
      lastErrors = '';
      daemon.stderr?.on('data', (chunk: Buffer) => (lastErrors = (lastErrors + chunk.toString('utf8')).slice(-2_000)));
      await until(`the daemon to come up (${lastErrors})`, readyMs, () => (online() && (platformOf.status(site, gate)?.epoch ?? 0) > epochBefore) || daemon.exitCode !== null);
      if (daemon.exitCode !== null) throw new GateError('CONTROL_UNREACHABLE', `the daemon ended with status ${daemon.exitCode}: ${lastErrors}`);
      alive = true;
      return daemon;
    };
    for (let round = 1; round <= rounds; round += 1) {
      const daemon = await launch();
      await pause(random.between(100, 6_000));
      const phase = simulated.boom.movingDown ? 'closing' : simulated.boom.position > 0.03 ? 'open' : simulated.vehicles.length > 0 ? 'vehicle-waiting' : 'idle';
      count(`kill-while-${phase}`);
      alive = false;
      daemon.kill('SIGKILL');
      await once(daemon, 'exit');
      onProgress?.(round);
    }

    // The books are closed by a last run that is stopped in order, once it has served a vehicle.
    const last = await launch();
    const passedBefore = world.truth.passages.length;
    await until('a vehicle to pass after the last restart', drainMs, () => world.truth.passages.length > passedBefore);
    const head = (): number => platformOf.ledger(site, gate).highest;
    await until('the backlog to reach the platform', drainMs, () => platformOf.ledger(site, gate).through >= head() && head() > 0);
    world.stop();
    last.kill('SIGTERM');
    await once(last, 'exit');
    alive = false;
    if (last.exitCode !== 0) violations.push(`an ordered stop ended with status ${String(last.exitCode)}: ${lastErrors}`);

    const ledger = platform.ledger(site, gate);
    const missing = ledger.missing.reduce((sum, { first, last: end }) => sum + end - first + 1, 0);
    for (const broken of world.truth.lawsBroken) {
      // Energised for too long is judged also while the gateway is dead: the board's own timer must end the pulse.
      if (broken.law !== 'S1') violations.push(`${broken.law}: ${broken.detail}`);
    }
    return {
      rounds,
      passages: world.truth.passages.length,
      unsafeMovements: violations.filter((text) => text.startsWith('unsafe')).length,
      lost: missing,
      doubled: ledger.conflicting.length,
      reordered: ledger.reordered.length,
      chainBroken: ledger.chainBroken.length,
      undeclaredLoss: missing,
      faults: { 'kill-9-daemon': rounds, ...faults },
      violations,
    };
  } finally {
    world.stop();
    await platform?.stop();
    await board?.stop();
    await broker?.kill();
    for (const child of children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  }
}
