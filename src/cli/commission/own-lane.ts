import { GateError, silentLog } from '../../base/index.js';
import { systemClock } from '../../base/system-clock.js';
import type { GateConfig } from '../../config/index.js';
import { createDrivers, wireLane } from '../../daemon/index.js';
import type { Device, DigitalOutput } from '../../device/index.js';
import { LaneRunner, laneSettings } from '../../lane/index.js';
import { sleep } from '../dialogue.js';
import { inTheWay } from '../testing/in-the-way.js';
import type { Mover } from '../testing/boom.js';
import type { CliWords } from '../words/index.js';

const startMs = 5_000;

/**
 * One lane run by the commissioning itself, while no gate runs: the same reducer and laws, so that a boom under test is
 * as safe as one in service. It lets nobody in; it only takes the technician's orders.
 */
export class OwnLane implements Mover {
  readonly closes: boolean;
  readonly #runner: LaneRunner;
  readonly #devices: readonly Device[];
  readonly #words: CliWords;
  #onDriven: (atMs: number) => void = () => undefined;
  #orders = 0;

  /** @param config a right configuration with the lane in it */
  constructor(config: GateConfig, id: string, words: CliWords) {
    const lane = config.lanes.find((one) => one.id === id);
    if (lane === undefined) throw new GateError('LANE_UNKNOWN', `The configuration has no lane "${id}".`);
    const { devices } = createDrivers({ ...config, lanes: [lane] }, systemClock, silentLog);
    const { inputs, outputs } = wireLane(lane, devices);
    this.#words = words;
    this.#devices = [...devices.values()].filter((device) => device.lines().length > 0);
    this.closes = lane.barrier.drive === 'hold-to-open' || lane.barrier.close !== undefined;
    this.#runner = new LaneRunner({
      settings: laneSettings(lane),
      clock: systemClock,
      log: silentLog,
      ports: {
        inputs,
        outputs: Object.fromEntries(Object.entries(outputs).map(([name, output]) => [name, this.#timed(name, output)])),
        // There is no journal yet; what the commissioning did is in the file it writes.
        journal: { append: () => Promise.resolve() },
        decide: () => ({ outcome: 'refuse', rule: 'outside-refuse', visitorClass: 'outside' }),
        photograph: () => undefined,
        show: () => undefined,
        newPassageId: () => `commission-${(this.#orders += 1)}`,
        onView: () => undefined,
        onPassageEnd: () => undefined,
      },
    });
  }

  /** Rejects with `DEVICE_TIMEOUT` where inputs cannot be read. */
  async start(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#devices.map((device) => device.start()));
    this.#runner.start();
    const untilMs = systemClock.monoMs() + startMs;
    while (this.#runner.view().attention.some((code) => code.startsWith('input-fault:')) && systemClock.monoMs() < untilMs && !signal.aborted) await sleep(50, signal);
  }

  async stop(): Promise<void> {
    await this.#runner.stop();
    await Promise.all(this.#devices.map((device) => device.stop()));
  }

  inTheWay(): readonly string[] {
    const { sensors } = this.#runner.view();
    const states = new Map(Object.entries(sensors));
    return inTheWay((name) => states.get(name), this.#words);
  }

  async move(direction: 'open' | 'close'): Promise<number> {
    const driven = new Promise<number>((resolve) => (this.#onDriven = resolve));
    const ordered = this.#runner.command({ id: `commission-${(this.#orders += 1)}`, target: direction, issuer: 'console:commission', reason: 'times the boom' });
    const refused = ordered.then(({ outcome, reason }) => {
      if (outcome !== 'done') throw new GateError('COMMAND_REFUSED', `${direction}: ${reason ?? outcome}.`);
      return systemClock.monoMs();
    });
    return await Promise.race([driven, refused]);
  }

  #timed(name: string, output: DigitalOutput): DigitalOutput {
    // What starts a run: a contact that closes, or one that held the boom up and lets go.
    const note = (): void => (name === 'stop' ? undefined : this.#onDriven(systemClock.monoMs()));
    return {
      ref: output.ref,
      timesPulses: output.timesPulses,
      pulse: (durationMs) => {
        note();
        return output.pulse(durationMs);
      },
      hold: () => {
        note();
        return output.hold();
      },
      release: () => {
        if (output.state() === 'on') note();
        return output.release();
      },
      state: () => output.state(),
    };
  }
}
