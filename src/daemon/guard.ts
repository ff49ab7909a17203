import type { Clock, LaneId, LastWill, Log } from '../base/index.js';
import type { GateConfig, LaneConfig } from '../config/index.js';
import type { WillReport } from '../lane/index.js';
import { SupervisorClient, toMachineMs, type GuardHealth, type TakeOver, type Ward } from '../supervisor/index.js';

export interface GuardOptions {
  readonly config: GateConfig;
  /** Undefined: no supervisor is wanted. */
  readonly socketPath: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** What the supervisor did after the process before this one died. */
  readonly onTakeOver: (takeOver: TakeOver) => void;
}

/** A lane on hardware that outlives this process; a simulated boom dies with it. */
function isReal(config: GateConfig, lane: LaneConfig): boolean {
  const { open } = lane.barrier;
  return config.devices.some(({ id, driver }) => id === open.device && driver !== 'sim');
}

/** Lanes somebody should watch from outside of this process. */
export function realLanes(config: GateConfig): readonly LaneConfig[] {
  return config.lanes.filter((lane) => isReal(config, lane));
}

/** The OPEN contact of this lane may be held, so that a hold has to outlive the program. */
export function holdsOpen({ barrier }: LaneConfig): boolean {
  return barrier.drive === 'hold-to-open' || barrier.closing === 'barrier-closes';
}

/** What is done with a lane whose program says nothing of itself: the configured state alone. */
export function configuredWill({ barrier }: LaneConfig): LastWill {
  if (barrier.failState.softwareDeath === 'release') return 'release';
  return barrier.drive === 'hold-to-open' ? 'hold' : 'raise';
}

/** A lane as the supervisor has to know it. */
export function wardOf(lane: LaneConfig): Ward {
  const { open, close, stop, greenLight, redLight, pulseMs, deadTimeMs } = lane.barrier;
  return {
    lane: lane.id,
    outputs: { open, close, others: [stop, greenLight, redLight].filter((ref) => ref !== undefined) },
    holds: holdsOpen(lane),
    pulseMs,
    deadTimeMs,
    last: { will: configuredWill(lane), watch: 'calm', closeOffMs: null },
  };
}

/** The gate's line to its supervisor: who is to act for which lane when this process dies. */
export class Guard {
  readonly #client: SupervisorClient | undefined;
  readonly #holding = new Set<LaneId>();

  constructor({ config, socketPath, clock, log, onTakeOver }: GuardOptions) {
    const lanes = realLanes(config);
    if (socketPath === undefined || lanes.length === 0) return;
    const estate = { devices: config.devices.filter(({ driver }) => driver !== 'sim'), lanes: lanes.map(wardOf), silenceMs: config.supervisor };
    this.#client = new SupervisorClient({ socketPath, estate, clock, log, onTakeOver });
  }

  /** Before the devices are opened: a supervisor that holds them lets go. Never rejects. */
  async start(): Promise<void> {
    await this.#client?.start();
  }

  will(lane: LaneId, { will, watch, closeOffMs }: WillReport): void {
    if (will === 'hold') this.#holding.add(lane);
    else this.#holding.delete(lane);
    this.#client?.will(lane, { will, watch, closeOffMs: closeOffMs === null ? null : toMachineMs(closeOffMs) });
  }

  /**
   * After an ordered stop.
   * @param carriedOut every lane's will was carried out; else, and while a contact has to stay held, the supervisor acts
   */
  async stop(carriedOut: boolean): Promise<void> {
    await this.#client?.stop(carriedOut && this.#holding.size === 0);
  }

  health(): GuardHealth {
    return this.#client?.health() ?? { supervisor: 'off' };
  }
}
