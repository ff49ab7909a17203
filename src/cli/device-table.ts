import type { DeviceHealthData, DeviceLineData, DeviceTableData } from '../web/view.js';
import { meaningOf, placeOf, roleOf } from './device-words.js';
import { duration, table } from './output.js';
import type { CliWords } from './words/en.js';

export interface Marks {
  /** Lines that changed just now, by id. */
  readonly changed: ReadonlySet<string>;
}

function since(line: DeviceLineData, nowMs: number): string {
  return line.sinceMs === null ? '-' : duration(Math.max(0, nowMs - line.sinceMs) / 1_000);
}

function healthLines({ id, driver, state, detail, units = [] }: DeviceHealthData, words: CliWords): readonly string[] {
  const said = `${id} (${driver}): ${words.devices.health[state] ?? state}`;
  const rows = units.map((unit) => [
    `  ${words.devices.unit} ${unit.unit}`,
    unit.profile,
    words.devices.health[unit.state] ?? unit.state,
    words.devices.answered(unit.answered, unit.failed),
    unit.roundTripMs === undefined ? '' : `${Math.round(unit.roundTripMs)} ms`,
  ]);
  const details = units.flatMap((unit) => (unit.detail === undefined ? [] : [`  ! ${words.devices.unit} ${unit.unit}: ${unit.detail}`]));
  return [said, ...(detail === undefined ? [] : [`  ! ${detail}`]), ...(rows.length === 0 ? [] : table(rows).split('\n')), ...details];
}

function lineRow(line: DeviceLineData, device: DeviceHealthData, nowMs: number, words: CliWords, marks: Marks): readonly string[] {
  return [
    marks.changed.has(line.id) ? '*' : ' ',
    placeOf(line.ref),
    roleOf(line, words) || words.devices.spare,
    words.devices.use[line.use],
    line.raw ?? '-',
    meaningOf(line, device, words),
    since(line, nowMs),
    String(line.changes),
    line.frequencyHz === undefined ? '' : `${(line.frequencyHz / 1_000).toFixed(2)} kHz`,
  ];
}

/** The table of devices for a terminal, one text line an element. */
export function deviceLines(data: DeviceTableData, words: CliWords, marks: Marks = { changed: new Set() }, only?: string): readonly string[] {
  const shown = data.devices.filter(({ id }) => only === undefined || id === only);
  return shown.flatMap((device, index) => {
    const head = ['', ...words.devices.columns];
    const rows = device.lines.map((line) => lineRow(line, device, data.nowMs, words, marks));
    const body = rows.length === 0 ? [`  ${words.devices.noLines}`] : table([head, ...rows]).split('\n');
    return [...(index === 0 ? [] : ['']), ...healthLines(device, words), ...body];
  });
}
