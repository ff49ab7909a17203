import { GateError } from '../base/index.js';
import { systemClock } from '../base/system-clock.js';
import type { DeviceChangeData, DeviceLineData, DeviceTableData } from '../web/view.js';
import { controlClient, type GlobalOptions } from './context.js';
import { GateDevices, openDevices, type DeviceSource } from './device-source.js';
import { deviceLines } from './device-table.js';
import { meaningOf, placeOf, roleOf } from './device-words.js';
import { ctrlC, readKeys } from './keys.js';
import { complain, localTime, print } from './output.js';
import { Screen } from './screen.js';
import { cliWords, type CliWords } from './words/index.js';

export interface DevicesOptions {
  readonly json: boolean;
  readonly watch: boolean;
  readonly offline: boolean;
  readonly device: string | undefined;
  readonly traffic: string | undefined;
}

/** How long a row stays marked after its change. */
const markMs = 3_000;
const redrawMs = 100;

/** The table as it stands, kept up to date by the feed. */
export class DeviceModel {
  #table: DeviceTableData | undefined;
  readonly #changedMs = new Map<string, number>();
  /** The gate's monotonic time less this process's own. */
  #offsetMs = 0;

  take(change: DeviceChangeData, ownMs: number): void {
    if (change.kind === 'table') {
      const { kind: _kind, ...table } = change;
      this.#table = table;
      this.#offsetMs = table.nowMs - ownMs;
      return;
    }
    if (this.#table === undefined) return;
    const devices = this.#table.devices.map((device) => {
      if (change.kind === 'device') return device.id === change.device.id ? { ...change.device, lines: device.lines } : device;
      return device.id === change.line.device ? { ...device, lines: device.lines.map((line) => (line.id === change.line.id ? change.line : line)) } : device;
    });
    this.#table = { ...this.#table, devices };
    if (change.kind === 'line') this.#changedMs.set(change.line.id, ownMs);
  }

  /** Ids of lines that changed within the last moments. */
  changed(ownMs: number): ReadonlySet<string> {
    return new Set([...this.#changedMs].flatMap(([id, atMs]) => (ownMs - atMs < markMs ? [id] : [])));
  }

  table(ownMs: number): DeviceTableData | undefined {
    return this.#table === undefined ? undefined : { ...this.#table, nowMs: ownMs + this.#offsetMs };
  }
}

function only(table: DeviceTableData, device: string | undefined): DeviceTableData {
  if (device === undefined) return table;
  const devices = table.devices.filter(({ id }) => id === device);
  if (devices.length === 0) throw new GateError('HTTP_NOT_FOUND', `There is no device "${device}"; this gate has ${table.devices.map(({ id }) => id).join(', ')}.`);
  return { ...table, devices };
}

function concerns(change: DeviceChangeData, device: string | undefined): boolean {
  if (device === undefined || change.kind === 'table') return true;
  return (change.kind === 'line' ? change.line.device : change.device.id) === device;
}

/** Ends with Ctrl+C, SIGTERM, a closed pipe or a dropped session. */
export function untilInterrupted(): AbortController {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
  process.stdout.once('error', () => stop.abort());
  return stop;
}

/** `gatectl devices`: every line, raw and meaning. */
export async function showDevices(globals: GlobalOptions, options: DevicesOptions): Promise<void> {
  const words = cliWords();
  const opened = options.offline ? await openDevices(globals) : { source: new GateDevices(await controlClient(globals)), unread: 0 };
  try {
    if (options.traffic === undefined) only(await opened.source.table(), options.device);
    if (opened.unread > 0 && !options.json) complain(words.devices.offlineOutputs(opened.unread));
    if (options.traffic !== undefined) await showTraffic(opened.source, options.traffic, options.json);
    else if (!options.watch) await showOnce(opened.source, options, words);
    else if (options.json || !process.stdout.isTTY) await showChanges(opened.source, options, words);
    else await showLive(opened.source, options, words);
  } finally {
    await opened.source.close();
  }
}

async function showOnce(source: DeviceSource, { json, device }: DevicesOptions, words: CliWords): Promise<void> {
  const table = only(await source.table(), device);
  print(json ? JSON.stringify(table) : deviceLines(table, words).join('\n'));
}

function timeOf(wallMs: number): string {
  return `${localTime(wallMs)}.${String(Math.floor(wallMs % 1_000)).padStart(3, '0')}`;
}

function changeText(line: DeviceLineData, model: DeviceModel, wallMs: number, words: CliWords): string {
  const device = model.table(systemClock.monoMs())?.devices.find(({ id }) => id === line.device);
  return `${timeOf(wallMs)}  ${line.device} ${placeOf(line.ref)}  ${roleOf(line, words)}  ${line.raw ?? '-'}  ${meaningOf(line, device, words)}`;
}

/** One line a change; the first says how everything stands. */
async function showChanges(source: DeviceSource, { json, device }: DevicesOptions, words: CliWords): Promise<void> {
  const model = new DeviceModel();
  await source.follow((change) => {
    model.take(change, systemClock.monoMs());
    if (!concerns(change, device)) return;
    if (json) print(JSON.stringify(change.kind === 'table' ? { ...change, ...only(change, device) } : change));
    else if (change.kind === 'table') print(deviceLines(only(change, device), words).join('\n'));
    else if (change.kind === 'line') print(changeText(change.line, model, change.wallMs, words));
  }, untilInterrupted().signal);
}

async function showTraffic(source: DeviceSource, device: string, json: boolean): Promise<void> {
  await source.traffic(device, (line) => {
    if (json) print(JSON.stringify(line));
    else print(`${timeOf(line.wallMs)} ${line.direction === 'sent' ? '>' : '<'} ${line.hex.replace(/../gu, '$& ').trimEnd()}`);
  }, untilInterrupted().signal);
}

/** Redraws the table in place until q or Ctrl+C; arrows scroll where it is longer than the terminal. */
async function showLive(source: DeviceSource, { device }: DevicesOptions, words: CliWords): Promise<void> {
  const stop = untilInterrupted();
  const model = new DeviceModel();
  const screen = new Screen(process.stdout);
  let from = 0;
  let drawn = 0;
  let timer: NodeJS.Timeout | undefined;
  const draw = (): void => {
    const nowMs = systemClock.monoMs();
    const table = model.table(nowMs);
    if (table === undefined) return;
    const lines = deviceLines(table, words, { changed: model.changed(nowMs) }, device);
    const room = screen.rows - 2;
    from = Math.max(0, Math.min(from, lines.length - room));
    const more = lines.length > room ? `  ${from + 1}-${Math.min(lines.length, from + room)}/${lines.length}` : '';
    screen.draw([...lines.slice(from, from + room), '', `${words.devices.watchHelp}${more}`]);
    drawn = nowMs;
  };
  const stopKeys = readKeys(process.stdin, (key) => {
    if (key === 'q' || key === ctrlC) stop.abort();
    else if (key === '\u001b[A' || key === 'k') from -= 1;
    else if (key === '\u001b[B' || key === 'j') from += 1;
    else return;
    draw();
  });
  screen.open();
  process.stdout.on('resize', draw);
  // The column "since" goes on, and marks fade, without any change.
  const clockTimer = setInterval(draw, 1_000);
  try {
    await source.follow((change) => {
      model.take(change, systemClock.monoMs());
      if (change.kind === 'table') draw();
      // A bus that chatters must not fill a slow line: at most ten pictures a second.
      timer ??= setTimeout(() => {
        timer = undefined;
        draw();
      }, Math.max(0, drawn + redrawMs - systemClock.monoMs()));
    }, stop.signal);
  } finally {
    clearInterval(clockTimer);
    clearTimeout(timer);
    process.stdout.off('resize', draw);
    stopKeys();
    screen.close();
  }
}
