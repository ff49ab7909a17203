import { explainPlate, tryParsePlate } from '../plate/index.js';
import type { RawFault } from './faults.js';
import { field, listOf, pathText, textOf, type RawPath } from './raw.js';
import { showFound } from './redact.js';

interface ListedPlate {
  readonly path: RawPath;
  readonly text: string;
  readonly list: 'households' | 'visitors' | 'blocked' | 'emergency';
  readonly entry: number;
}

/** Lists against the grammar, against each other and against the lanes. */
export function accessFaults(root: unknown): readonly RawFault[] {
  const faults: RawFault[] = [];
  const listed: ListedPlate[] = [];
  const lanes = listOf(field(root, 'lanes')).flatMap((lane) => textOf(field(lane, 'id')) ?? []);

  const plate = (raw: unknown, path: RawPath, list: ListedPlate['list'], entry: number): void => {
    if (typeof raw !== 'string' || raw === '') return;
    const text = tryParsePlate(raw)?.text;
    if (text !== undefined) listed.push({ path, text, list, entry });
    else faults.push({ path, found: JSON.stringify(raw), expected: `a plate: ${explainPlate(raw)}`, example: typeof path.at(-1) === 'number' ? '- 京A12345' : 'plate: 京A12345' });
  };
  const laneNames = (raw: unknown, path: RawPath): void => {
    for (const [at, name] of listOf(raw).entries()) {
      if (typeof name === 'string' && !lanes.includes(name)) {
        faults.push({ path: [...path, at], found: JSON.stringify(name), expected: `the id of a lane: ${lanes.join(', ') || 'there is none yet'}`, example: lanes[0] === undefined ? undefined : `- ${lanes[0]}` });
      }
    }
  };
  const inOrder = (entry: unknown, from: string, until: string, path: RawPath): void => {
    const start = Date.parse(textOf(field(entry, from)) ?? '');
    const end = Date.parse(textOf(field(entry, until)) ?? '');
    if (start >= end) faults.push({ path: [...path, until], found: `${String(field(entry, until))}, which is not after ${from}`, expected: `a time after ${String(field(entry, from))}`, example: `${until}: 2026-12-31T23:59:59+08:00` });
  };

  for (const [entry, household] of listOf(field(root, 'access', 'households')).entries()) {
    const path = ['access', 'households', entry];
    for (const [at, raw] of listOf(field(household, 'plates')).entries()) plate(raw, [...path, 'plates', at], 'households', entry);
    laneNames(field(household, 'lanes'), [...path, 'lanes']);
    inOrder(household, 'validFrom', 'validUntil', path);
    const from = field(household, 'hours', 'from');
    if (from !== undefined && from === field(household, 'hours', 'to')) {
      faults.push({ path: [...path, 'hours'], found: `from and to both ${showFound([], from)}`, expected: 'two different times; leave hours out for "always"', example: 'hours: {from: "20:00", to: "08:00"}' });
    }
  }
  for (const [entry, visitor] of listOf(field(root, 'access', 'visitors')).entries()) {
    const path = ['access', 'visitors', entry];
    plate(field(visitor, 'plate'), [...path, 'plate'], 'visitors', entry);
    laneNames(field(visitor, 'lanes'), [...path, 'lanes']);
    inOrder(visitor, 'from', 'until', path);
  }
  for (const list of ['blocked', 'emergency'] as const) {
    for (const [entry, one] of listOf(field(root, 'access', list)).entries()) plate(field(one, 'plate'), ['access', list, entry, 'plate'], list, entry);
  }
  return [...faults, ...doubleFaults(listed)];
}

/** One plate in two places that contradict each other. Several visitor passes for one plate are fine. */
function doubleFaults(listed: readonly ListedPlate[]): readonly RawFault[] {
  const byPlate = new Map<string, ListedPlate[]>();
  for (const one of listed) byPlate.set(one.text, [...(byPlate.get(one.text) ?? []), one]);
  const faults: RawFault[] = [];
  for (const places of byPlate.values()) {
    for (const [at, one] of places.entries()) {
      const clash = places.slice(0, at).find((other) => contradicts(other, one));
      if (clash === undefined) continue;
      const expected = clash.list === one.list ? 'a plate once in this list' : `a plate either under ${clash.list} or under ${one.list}`;
      faults.push({ path: one.path, found: `${one.text}, which is also ${pathText(clash.path)}`, expected });
    }
  }
  return faults;
}

function contradicts(a: ListedPlate, b: ListedPlate): boolean {
  if (a.list === b.list) return a.list !== 'visitors';
  return a.list === 'blocked' || b.list === 'blocked';
}
