import { GateError, toJsonObject, type Clock, type JsonObject, type LaneId, type Timer } from '../base/index.js';
import type { GateConfig } from '../config/index.js';
import type { Device, DigitalOutput } from '../device/index.js';
import { RENEW_WITHIN_MS, type LaneRunner, type SupervisionView } from '../lane/index.js';
import type { TechnicianPort } from '../web/index.js';
import { DeviceTable } from './device-table.js';

export interface TechnicianOptions {
  readonly config: GateConfig;
  readonly devices: ReadonlyMap<string, Device>;
  /** Claimed outputs by lane and name. */
  readonly outputs: ReadonlyMap<LaneId, Readonly<Partial<Record<string, DigitalOutput>>>>;
  readonly lanes: ReadonlyMap<LaneId, { readonly runner: LaneRunner }>;
  readonly clock: Clock;
  /** Resolves once the event is durable. */
  readonly record: (event: { readonly type: 'device.tested' | 'command.accepted'; readonly lane: LaneId; readonly payload: JsonObject }) => Promise<unknown>;
}

/** The technician's side of a running gate: looks at lines, pulses what moves nothing, keeps tests on record. */
export class Technician implements TechnicianPort {
  readonly #options: TechnicianOptions;
  readonly #table: DeviceTable;
  /** Lamps that shall be lit again after their test. */
  readonly #restoring = new Map<DigitalOutput, Timer>();

  constructor(options: TechnicianOptions) {
    const { config, devices, clock } = options;
    this.#options = options;
    this.#table = new DeviceTable({ devices, drivers: new Map(config.devices.map(({ id, driver }) => [id, driver])), lanes: config.lanes, clock });
  }

  devices(): JsonObject {
    return this.#table.table();
  }

  onDevices(listener: (message: JsonObject) => void): () => void {
    return this.#table.watch(listener);
  }

  onTraffic(id: string, listener: (message: JsonObject) => void): () => void {
    const { devices, clock } = this.#options;
    const device = devices.get(id);
    if (device === undefined) throw new GateError('HTTP_NOT_FOUND', `There is no device "${id}"; this gate has ${[...devices.keys()].join(', ')}.`, { device: id });
    if (device.onTraffic === undefined) throw new GateError('HTTP_NOT_FOUND', `Device ${id} has no serial traffic to show; only serial buses have.`, { device: id });
    return device.onTraffic(({ atMs, direction, bytes }) => {
      listener({ atMs, wallMs: clock.wallMs() - (clock.monoMs() - atMs), direction, hex: Buffer.from(bytes).toString('hex') });
    });
  }

  async pulse({ lane, output, ms, issuer }: Parameters<TechnicianPort['pulse']>[0]): Promise<void> {
    const outputs = this.#options.outputs.get(lane);
    if (outputs === undefined) throw this.#unknown(lane);
    const line = outputs[output];
    if (line === undefined) throw new GateError('HTTP_NOT_FOUND', `Lane ${lane} has no ${output}; wire it and name it under barrier.${output}.`, { lane, output });
    await this.record({ lane, issuer, test: `pulse.${output}`, passed: true, result: { ms } });
    // A lamp that is lit is dark for the while, so that the test is seen either way.
    if (output !== 'stop' && (line.state() === 'on' || this.#restoring.has(line))) {
      this.#restoring.get(line)?.cancel();
      await line.release();
      this.#restoring.set(line, this.#options.clock.after(ms, () => {
        this.#restoring.delete(line);
        // A lamp that does not come back is the lane's to notice: it drives its lamps at every change.
        line.hold().catch(() => undefined);
      }));
      return;
    }
    await line.pulse(ms);
  }

  async record({ lane, issuer, test, passed, result }: Parameters<TechnicianPort['record']>[0]): Promise<void> {
    if (!this.#options.outputs.has(lane)) throw this.#unknown(lane);
    await this.#options.record({ type: 'device.tested', lane, payload: toJsonObject({ test, by: issuer, passed, result }) });
  }

  async supervise({ session, lane, direction, issuer }: Parameters<TechnicianPort['supervise']>[0]): Promise<JsonObject> {
    const runner = this.#runner(lane);
    // Handed to the journal before the lane hears of it, and not waited for: a slow disk is the lane's to bear (S9).
    this.#options.record({ type: 'command.accepted', lane, payload: { command: session, target: `hold-to-${direction}`, issuer, reason: 'hold-to-run' } }).catch(() => undefined);
    const { outcome, reason } = await runner.supervise({ session, direction, issuer });
    if (outcome !== 'done') throw new GateError('COMMAND_REFUSED', `${direction} of lane ${lane} by hold-to-run was refused: ${reason ?? 'no reason given'}.`, { lane, reason });
    return { session, lane, direction, renewWithinMs: RENEW_WITHIN_MS };
  }

  renew(lane: LaneId, session: string): JsonObject {
    return this.#held(lane, (runner) => runner.renew(session));
  }

  letGo(lane: LaneId, session: string): JsonObject {
    return this.#held(lane, (runner) => runner.letGo(session));
  }

  #held(lane: LaneId, ask: (runner: LaneRunner) => SupervisionView): JsonObject {
    const runner = this.#runner(lane);
    return toJsonObject({ ...ask(runner), boom: runner.view().boom });
  }

  #runner(lane: LaneId): LaneRunner {
    const runner = this.#options.lanes.get(lane)?.runner;
    if (runner === undefined) throw this.#unknown(lane);
    return runner;
  }

  #unknown(lane: LaneId): GateError {
    return new GateError('LANE_UNKNOWN', `There is no lane "${lane}"; this gate has ${[...this.#options.outputs.keys()].join(', ')}.`, { lane });
  }
}
