import { GateError, silentLog, toJsonObject } from '../base/index.js';
import { systemClock } from '../base/system-clock.js';
import { controlSocketPath, deviceChangeSchema, deviceTableSchema, trafficSchema, type DeviceChangeData, type DeviceTableData } from '../web/view.js';
import * as z from 'zod/mini';
import { configPath, type GlobalOptions } from './context.js';
import { ControlClient } from './control-client.js';
import { connectionEnded } from './events.js';

export type TrafficLine = z.output<typeof trafficSchema>;

/** Where the table of devices comes from: a running gate, or the devices themselves. */
export interface DeviceSource {
  table(): Promise<DeviceTableData>;
  /** Calls back with the whole table first, then with every change; resolves when `signal` ends it. */
  follow(onChange: (change: DeviceChangeData) => void, signal: AbortSignal): Promise<void>;
  traffic(device: string, onTraffic: (line: TrafficLine) => void, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** Devices as the running gate sees them. */
export class GateDevices implements DeviceSource {
  readonly #client: ControlClient;

  constructor(client: ControlClient) {
    this.#client = client;
  }

  table(): Promise<DeviceTableData> {
    return this.#client.get(deviceTableSchema, '/api/devices');
  }

  async follow(onChange: (change: DeviceChangeData) => void, signal: AbortSignal): Promise<void> {
    await this.#stream('/api/devices/live.jsonl', (value) => {
      const parsed = deviceChangeSchema.safeParse(value);
      if (parsed.success) onChange(parsed.data);
    }, signal);
  }

  async traffic(device: string, onTraffic: (line: TrafficLine) => void, signal: AbortSignal): Promise<void> {
    await this.#stream(`/api/devices/${encodeURIComponent(device)}/traffic.jsonl`, (value) => onTraffic(z.parse(trafficSchema, value)), signal);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #stream(path: string, onValue: (value: unknown) => void, signal: AbortSignal): Promise<void> {
    const asked = await this.#client.follow(path, (text) => onValue(JSON.parse(text)), signal);
    if (!asked) throw connectionEnded();
  }
}

/** True where a gate answers on the configuration's control socket. */
export async function gateRuns(dataDirectory: string): Promise<boolean> {
  try {
    await new ControlClient(controlSocketPath(dataDirectory)).get(z.record(z.string(), z.unknown()), '/api/status');
    return true;
  } catch (cause) {
    if (cause instanceof GateError && cause.code === 'CONTROL_UNREACHABLE') return false;
    throw cause;
  }
}

/**
 * Devices opened by this command, to be read only.
 * Rejects with `CONTROL_BUSY` where a gate runs on the same configuration, `CONFIG_*`.
 */
export async function openDevices(options: GlobalOptions): Promise<{ readonly source: DeviceSource; readonly unread: number }> {
  const [{ loadEffective }, { openForReading }] = await Promise.all([import('../config/index.js'), import('../daemon/index.js')]);
  const { config } = await loadEffective(configPath(options));
  if (await gateRuns(config.gate.dataDirectory)) {
    throw new GateError('CONTROL_BUSY', 'A gate runs on this configuration and holds the devices: leave out --offline and it shows them itself, or stop it first (systemctl stop laurel-gate).');
  }
  const reading = await openForReading(config, systemClock, silentLog);
  const table = (): DeviceTableData => z.parse(deviceTableSchema, reading.table.table());
  const ended = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  const source: DeviceSource = {
    table: () => Promise.resolve(table()),
    follow: async (onChange, signal) => {
      const stop = reading.table.watch((message) => onChange(z.parse(deviceChangeSchema, message)));
      onChange({ kind: 'table', ...table() });
      await ended(signal);
      stop();
    },
    traffic: async (device, onTraffic, signal) => {
      const listen = reading.traffic(device);
      if (listen === undefined) throw new GateError('HTTP_NOT_FOUND', `There is no device ${device} with serial traffic; devices are ${config.devices.map(({ id }) => id).join(', ')}, and only serial buses have traffic.`);
      const stop = listen(({ atMs, direction, bytes }) => {
        onTraffic(z.parse(trafficSchema, toJsonObject({ atMs, wallMs: systemClock.wallMs() - (systemClock.monoMs() - atMs), direction, hex: Buffer.from(bytes).toString('hex') })));
      });
      await ended(signal);
      stop();
    },
    close: () => reading.stop(),
  };
  return { source, unread: reading.unread };
}
