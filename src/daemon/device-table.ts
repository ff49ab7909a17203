import { toJsonObject, type Clock, type JsonObject, type LaneId, type Timer } from '../base/index.js';
import type { LaneConfig } from '../config/index.js';
import type { Device, LineRef, LineReport } from '../device/index.js';

/** Lines are compared this often while somebody looks; a change keeps its own time and count, so none is lost between. */
const lookMs = 50;
/** Units and round trips change all the time; this often is enough for a person. */
const healthMs = 500;

interface Role {
  readonly lane: LaneId;
  readonly name: string;
}

/** Names a physical line: what a reference leaves to its default is filled in. */
function lineId(ref: LineRef, use: LineReport['use']): string {
  const { device, chip, unit, table, line, bit } = ref;
  const place = [chip, unit === undefined ? undefined : `unit ${unit}`, unit === undefined ? table : (table ?? (use === 'input' ? 'discrete' : 'coil')), String(line), bit === undefined ? undefined : `bit ${bit}`];
  return [device, use, ...place.filter((part) => part !== undefined)].join('/');
}

function isLine(value: unknown): value is LineRef {
  return typeof value === 'object' && value !== null && 'device' in value && 'line' in value;
}

/** Lines a lane names, inputs then outputs. */
export function linesOf(lane: LaneConfig): readonly { readonly use: LineReport['use']; readonly name: string; readonly ref: LineRef }[] {
  return ([['input', lane.inputs], ['output', lane.barrier]] as const).flatMap(([use, section]) =>
    Object.entries(section).flatMap(([name, ref]) => (isLine(ref) ? [{ use, name, ref }] : [])),
  );
}

interface Use {
  readonly id: string;
  readonly use: LineReport['use'];
  readonly roles: readonly Role[];
}

function usesOf(lanes: readonly LaneConfig[]): ReadonlyMap<string, Use> {
  const uses = new Map<string, Use>();
  for (const lane of lanes) {
    for (const { use, name, ref } of linesOf(lane)) {
      const id = lineId(ref, use);
      const entry = { id, use, roles: [...(uses.get(id)?.roles ?? []), { lane: lane.id, name }] };
      uses.set(id, entry);
      // Without a gate a coil is only read, as an input; to a technician it stays the output it is wired as.
      if (use === 'output') uses.set(lineId({ ...ref, table: 'coil' }, 'input'), entry);
    }
  }
  return uses;
}

/** As much of a device as is looked at. */
export type ReportingDevice = Pick<Device, 'id' | 'health' | 'lines' | 'units'>;

export interface DeviceTableOptions {
  readonly devices: ReadonlyMap<string, ReportingDevice>;
  /** Names of drivers by device id. */
  readonly drivers: ReadonlyMap<string, string>;
  readonly lanes: readonly LaneConfig[];
  readonly clock: Clock;
}

/** Every line of every device as a technician looks at it: raw, meaning, role; the shape is `deviceTableSchema`. */
export class DeviceTable {
  readonly #options: DeviceTableOptions;
  readonly #uses: ReadonlyMap<string, Use>;
  readonly #listeners = new Set<(message: JsonObject) => void>();
  readonly #seen = new Map<string, string>();
  #timer: Timer | undefined;
  #healthDueMs = 0;

  constructor(options: DeviceTableOptions) {
    this.#options = options;
    this.#uses = usesOf(options.lanes);
  }

  table(): JsonObject {
    const { devices, clock } = this.#options;
    return toJsonObject({
      nowMs: clock.monoMs(),
      wallMs: clock.wallMs(),
      devices: [...devices.values()].map((device) => ({ ...this.#health(device), lines: device.lines().map((report) => this.#line(report)) })),
    });
  }

  /** Calls back on every change of a line or of a device's health. Costs nothing while nobody looks. */
  watch(listener: (message: JsonObject) => void): () => void {
    if (this.#listeners.size === 0) {
      this.#seen.clear();
      this.#look(true);
    }
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#timer?.cancel();
      this.#timer = undefined;
    };
  }

  #look(first: boolean): void {
    const { devices, clock } = this.#options;
    this.#timer = clock.after(lookMs, () => this.#look(false));
    const healthDue = clock.monoMs() >= this.#healthDueMs;
    if (healthDue) this.#healthDueMs = clock.monoMs() + healthMs;
    for (const device of devices.values()) {
      if (healthDue || first) this.#compare(`device ${device.id}`, { kind: 'device', device: this.#health(device) }, first);
      for (const report of device.lines()) {
        const line = this.#line(report);
        this.#compare(JSON.stringify(line['id']), { kind: 'line', line }, first);
      }
    }
  }

  #compare(key: string, message: JsonObject, first: boolean): void {
    const text = JSON.stringify(message);
    if (this.#seen.get(key) === text) return;
    this.#seen.set(key, text);
    if (first) return;
    const { clock } = this.#options;
    const full = { ...message, atMs: clock.monoMs(), wallMs: clock.wallMs() };
    for (const listener of [...this.#listeners]) listener(full);
  }

  #health(device: ReportingDevice): JsonObject {
    const units = device.units?.();
    return toJsonObject({ id: device.id, driver: this.#options.drivers.get(device.id) ?? 'unknown', ...device.health(), ...(units === undefined ? {} : { units }) });
  }

  #line(report: LineReport): JsonObject {
    const { device, ...place } = report.ref;
    const id = lineId(report.ref, report.use);
    const wired = this.#uses.get(id) ?? { id, use: report.use, roles: [] };
    return toJsonObject({ ...report, ...wired, device, ref: place });
  }
}
