import { GateError } from '../../base/index.js';
import { systemClock } from '../../base/system-clock.js';
import type { DeviceHealthData, DeviceLineData } from '../../web/view.js';
import type { DeviceSource } from '../device-source.js';
import { meaningOf } from '../device-words.js';
import { DeviceModel } from '../devices.js';
import { interrupted } from '../dialogue.js';
import type { CliWords } from '../words/index.js';

export type LineUse = 'input' | 'output';

/** The lines of the lanes as they are, kept up to date by a running gate. */
export class LaneLines {
  readonly #model = new DeviceModel();
  readonly #listeners = new Set<() => void>();
  readonly #stop = new AbortController();
  #failure: unknown;
  #following: Promise<void> = Promise.resolve();

  /** Resolves once every line is known. Rejects with `CONTROL_UNREACHABLE`. */
  static async open(source: DeviceSource): Promise<LaneLines> {
    const lines = new LaneLines();
    lines.#following = source
      .follow((change) => {
        lines.#model.take(change, systemClock.monoMs());
        for (const listener of [...lines.#listeners]) listener();
      }, lines.#stop.signal)
      .catch((cause: unknown) => {
        lines.#failure = cause;
        for (const listener of [...lines.#listeners]) listener();
      });
    await lines.until(() => (lines.#model.table(0) === undefined ? undefined : true), lines.#stop.signal);
    return lines;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }

  find(lane: string, use: LineUse, name: string): DeviceLineData | undefined {
    const lines = this.#model.table(0)?.devices.flatMap((device) => device.lines) ?? [];
    return lines.find((line) => line.use === use && line.roles.some((role) => role.lane === lane && role.name === name));
  }

  /** @throws GateError `LANE_UNKNOWN` or `DEVICE_LINE_INVALID` where the lane has no such line */
  need(lane: string, use: LineUse, name: string, words: CliWords): DeviceLineData {
    const line = this.find(lane, use, name);
    if (line !== undefined) return line;
    const lanes = this.lanes();
    if (!lanes.includes(lane)) throw new GateError('LANE_UNKNOWN', `There is no lane "${lane}"; this gate has ${lanes.join(', ')}.`, { lane });
    throw new GateError('DEVICE_LINE_INVALID', words.test.notWired(lane, words.roles[name] ?? name), { lane, name });
  }

  lanes(): readonly string[] {
    const roles = this.#model.table(0)?.devices.flatMap((device) => device.lines.flatMap((line) => line.roles)) ?? [];
    return [...new Set(roles.map(({ lane }) => lane))];
  }

  meaning(line: DeviceLineData, words: CliWords): string {
    return meaningOf(line, this.#device(line), words);
  }

  /** The gate's monotonic time now, as near as the feed tells, ms. */
  nowMs(): number {
    return this.#model.table(systemClock.monoMs())?.nowMs ?? 0;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Waits until `ask` answers something; it is asked now and after every change. Rejects when the gate goes away. */
  until<Value>(ask: () => Value | undefined, signal: AbortSignal): Promise<Value> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#listeners.delete(look);
        signal.removeEventListener('abort', aborted);
      };
      const aborted = (): void => {
        end();
        reject(interrupted());
      };
      const look = (): void => {
        const value = ask();
        if (value === undefined && this.#failure === undefined) return;
        end();
        if (value === undefined) reject(this.#failure instanceof Error ? this.#failure : interrupted());
        else resolve(value);
      };
      this.#listeners.add(look);
      signal.addEventListener('abort', aborted, { once: true });
      if (signal.aborted) aborted();
      else look();
    });
  }

  #device(line: DeviceLineData): DeviceHealthData | undefined {
    return this.#model.table(0)?.devices.find(({ id }) => id === line.device);
  }
}
