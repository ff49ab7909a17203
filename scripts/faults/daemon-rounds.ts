import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GateError, silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { Random, drawPlate, type Intention } from '../../src/sim/index.js';
import { ReferencePlatform } from '../../src/uplink/index.js';
import { GateOnBoard, gate, isAlive, lane, pause, site, until } from './gate-on-board.js';
import { Mosquitto } from './mosquitto.js';

export interface DaemonRoundsOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly onProgress?: (done: number) => void;
}

export interface DaemonRoundsResult {
  readonly rounds: number;
  /** Vehicles that passed or tried to while the campaign ran, as the world counted them. */
  readonly passages: number;
  /** Movements that endangered a body although the gateway, or its supervisor when it was dead, could have known. */
  readonly unsafeMovements: number;
  /** Commands told carried out whose acceptance never came to the platform, whatever is declared. */
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  readonly chainBroken: number;
  readonly undeclaredLoss: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
  /** Commands that the daemon told the platform it carried out, or tried to; of each one the acceptance is on record before. */
  readonly told: number;
}

const readyMs = 30_000;
const closingWaitMs = 20_000;
const drainMs = 60_000;

/**
 * Rounds of the whole daemon, killed with SIGKILL at random moments while vehicles pass. Its supervisor lives on and takes
 * back what the daemon had begun. The world, the relay board (over a pty, with a pulse timer of its own), the broker and
 * the platform with its ledger live outside of both; vehicles are let in by commands of the platform.
 *
 * Needs Debian's `socat` and `mosquitto`.
 */
export async function runDaemonRounds({ rounds, seed, onProgress }: DaemonRoundsOptions): Promise<DaemonRoundsResult> {
  const directory = await mkdtemp(join(tmpdir(), 'laurel-gate-broker-'));
  const random = new Random(seed, 'daemon-rounds');
  const faults: Record<string, number> = {};
  const count = (kind: string): void => void (faults[kind] = (faults[kind] ?? 0) + 1);
  const violations: string[] = [];
  let rig: GateOnBoard | undefined;
  let broker: Mosquitto | undefined;
  let platform: ReferencePlatform | undefined;
  try {
    broker = await Mosquitto.start({ directory });
    const running = await GateOnBoard.start({ seed, uplink: `uplink: {broker: {url: ${JSON.stringify(broker.url)}}}` });
    rig = running;
    const { world, lane: simulated } = running;
    world.onUnsafe((movement) => {
      if (movement.excuse !== undefined) count(`excused-${movement.excuse}`);
      else violations.push(`unsafe movement: ${movement.kind} at ${movement.vehicle}${running.daemon !== undefined && isAlive(running.daemon) ? '' : ', the gateway dead'}`);
    });

    const told = new Set<string>();
    const accepted = new Map<string, number>();
    const platformOf = new ReferencePlatform({
      url: broker.url,
      log: silentLog,
      onEvent: (_gate, event, historical) => {
        if (event.type === 'gate.taken-over') count('supervisor-acted');
        const { id: command } = event.payload;
        if (event.type === 'command.accepted' && typeof command === 'string') accepted.set(command, (accepted.get(command) ?? 0) + 1);
        if (historical || event.type !== 'passage.decided' || event.payload['outcome'] !== 'ask') return;
        const id = `cmd-${event.seq}`;
        void platformOf.replyTo(id).then(({ state }) => {
          if (state !== 'refused') told.add(id);
        });
        platformOf.send(site, gate, { id, issuer: 'platform:campaign', expires: systemClock.wallMs() + 10_000, lane, target: 'open', reason: 'campaign' });
        count('command-sent');
      },
    });
    platform = platformOf;
    await platform.start();

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
    const launch = async (): Promise<void> => {
      const epochBefore = platformOf.status(site, gate)?.epoch ?? 0;
      const daemon = running.launch();
      await until(`the daemon to come up (${running.words})`, readyMs, () => (online() && (platformOf.status(site, gate)?.epoch ?? 0) > epochBefore) || !isAlive(daemon));
      if (!isAlive(daemon)) throw new GateError('CONTROL_UNREACHABLE', `the daemon ended with status ${String(daemon.exitCode)}: ${running.words}`);
    };
    const duringClosing = async (): Promise<void> => {
      const endMs = systemClock.monoMs() + closingWaitMs;
      while (!simulated.boom.movingDown && systemClock.monoMs() < endMs) await pause(5);
      await pause(random.between(0, 600));
    };
    for (let round = 1; round <= rounds; round += 1) {
      await launch();
      // Every second kill falls in a closing, where it does the most harm; the others at any time.
      if (round % 2 === 0) await duringClosing();
      else await pause(random.between(100, 6_000));
      const phase = simulated.boom.movingDown ? 'closing' : simulated.boom.position > 0.03 ? 'open' : simulated.vehicles.length > 0 ? 'vehicle-waiting' : 'idle';
      count(`kill-while-${phase}`);
      await kill(running);
      onProgress?.(round);
    }

    // The books are closed by a last run that is stopped in order, once it has served a vehicle: the first one to pass may
    // owe its opening to a run before, so a command must have been answered too.
    await launch();
    const [passedBefore, toldBefore] = [world.truth.passages.length, told.size];
    await until('a vehicle to pass after the last restart', drainMs, () => world.truth.passages.length > passedBefore);
    await until('the daemon to tell of a command after the last restart', drainMs, () => told.size > toldBefore);
    const head = (): number => platformOf.ledger(site, gate).highest;
    await until('the backlog to reach the platform', drainMs, () => platformOf.ledger(site, gate).through >= head() && head() > 0);
    world.stop();
    const last = running.daemon;
    if (last !== undefined) {
      last.kill('SIGTERM');
      await once(last, 'exit');
      if (last.exitCode !== 0) violations.push(`an ordered stop ended with status ${String(last.exitCode)}: ${running.words}`);
    }

    const ledger = platform.ledger(site, gate);
    const missing = ledger.missing.reduce((sum, { first, last: end }) => sum + end - first + 1, 0);
    const lost = [...told].filter((id) => !accepted.has(id));
    const twice = [...accepted].filter(([, times]) => times > 1);
    if (lost.length > 0) violations.push(`commands told carried out are not on record at the platform: ${lost.join(', ')}`);
    if (twice.length > 0) violations.push(`commands are on record twice: ${twice.map(([id]) => id).join(', ')}`);
    for (const broken of world.truth.lawsBroken) violations.push(`${broken.law}: ${broken.detail}`);
    return {
      rounds,
      passages: world.truth.passages.length,
      unsafeMovements: violations.filter((text) => text.startsWith('unsafe')).length,
      told: told.size,
      lost: lost.length,
      doubled: ledger.conflicting.length + twice.length,
      reordered: ledger.reordered.length,
      chainBroken: ledger.chainBroken.length,
      undeclaredLoss: missing,
      faults: { 'kill-9-daemon': rounds, ...faults },
      violations,
    };
  } finally {
    await platform?.stop();
    await rig?.stop();
    await broker?.kill();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Also of a daemon that its supervisor has just ended for its silence. */
async function kill({ daemon }: GateOnBoard): Promise<void> {
  if (daemon === undefined || !isAlive(daemon)) return;
  daemon.kill('SIGKILL');
  await once(daemon, 'exit');
}
