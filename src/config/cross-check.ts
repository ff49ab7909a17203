import { accessFaults } from './check-access.js';
import { wiringFaults } from './check-wiring.js';
import type { RawFault } from './faults.js';
import { field, listOf, type RawPath } from './raw.js';

function doubleIds(root: unknown, path: readonly string[], what: string): readonly RawFault[] {
  const seen = new Map<string, number>();
  return listOf(field(root, ...path)).flatMap((entry, index): RawFault[] => {
    const id = field(entry, 'id');
    if (typeof id !== 'string') return [];
    const other = seen.get(id);
    seen.set(id, other ?? index);
    return other === undefined ? [] : [{ path: [...path, index, 'id'], found: `${JSON.stringify(id)}, which ${path.join('.')}[${other}] has`, expected: `an id of its own for every ${what}`, example: `id: ${id}-2` }];
  });
}

function timezoneFaults(root: unknown): readonly RawFault[] {
  const timezone = field(root, 'site', 'timezone');
  if (typeof timezone !== 'string' || timezone === '') return [];
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
    return [];
  } catch {
    return [{ path: ['site', 'timezone'], found: JSON.stringify(timezone), expected: 'an IANA time zone', example: 'timezone: Asia/Shanghai' }];
  }
}

function brokerFaults(root: unknown): readonly RawFault[] {
  const path = ['uplink', 'broker'];
  const broker = field(root, ...path);
  if (!Array.isArray(broker)) return oneBrokerFaults(broker, path);
  const seen = new Map<string, number>();
  return listOf(broker).flatMap((one, index): readonly RawFault[] => {
    const own = oneBrokerFaults(one, [...path, index]);
    const url = field(one, 'url');
    if (typeof url !== 'string') return own;
    const other = seen.get(url);
    seen.set(url, other ?? index);
    return other === undefined ? own : [...own, { path: [...path, index, 'url'], found: `the url that uplink.broker[${other}] has`, expected: 'another broker, or one entry less', example: 'url: mqtts://second.example:8883' }];
  });
}

function oneBrokerFaults(broker: unknown, path: RawPath): readonly RawFault[] {
  const has = (key: string): boolean => field(broker, key) !== undefined;
  const faults: RawFault[] = [];
  const together = (present: string, missing: string, example: string): void => {
    if (has(present) && !has(missing)) faults.push({ path: [...path, missing], found: `nothing, although there is a ${present}`, expected: `both ${present} and ${missing}, or neither`, example });
  };
  together('password', 'username', 'username: gate-east');
  together('certificate', 'key', 'key: {file: secrets/gate.key}');
  together('key', 'certificate', 'certificate: tls/gate.pem');
  const url = field(broker, 'url');
  if (typeof url === 'string' && /^(?:mqtt|ws):/u.test(url)) {
    for (const key of ['ca', 'certificate']) {
      if (has(key)) faults.push({ path: [...path, key], found: `a ${key} for a line without encryption`, expected: 'a url that starts with mqtts:// or wss://', example: `url: ${url.replace(/^(mqtt|ws):/u, '$1s:')}` });
    }
  }
  return faults;
}

/** A key whose end comes before its beginning is never valid. */
function keyWindowFaults(root: unknown): readonly RawFault[] {
  return listOf(field(root, 'uplink', 'commandKeys')).flatMap((key, index): RawFault[] => {
    const notBefore = field(key, 'notBefore');
    const notAfter = field(key, 'notAfter');
    if (typeof notBefore !== 'string' || typeof notAfter !== 'string' || !(Date.parse(notAfter) <= Date.parse(notBefore))) return [];
    return [{ path: ['uplink', 'commandKeys', index, 'notAfter'], found: `${notAfter}, which is not after notBefore`, expected: 'a time after notBefore', example: "notAfter: '2027-03-01T00:00:00+08:00'" }];
  });
}

/** An area of the picture whose corners enclose nothing. */
function zoneFaults(root: unknown): readonly RawFault[] {
  return listOf(field(root, 'cameras')).flatMap((camera, index): RawFault[] => {
    const corners = listOf(field(camera, 'zone')).flatMap((corner) => {
      const [x, y] = listOf(corner);
      return typeof x === 'number' && typeof y === 'number' ? [{ x, y }] : [];
    });
    if (corners.length < 3) return [];
    const area = corners.reduce((sum, { x, y }, at) => {
      const next = corners[(at + 1) % corners.length] ?? { x, y };
      return sum + (x * next.y - next.x * y) / 2;
    }, 0);
    if (Math.abs(area) >= 0.001) return [];
    return [{ path: ['cameras', index, 'zone'], found: 'corners that enclose no area', expected: 'corners in order around the area', example: 'zone: [[0.1, 0.3], [0.9, 0.3], [0.9, 1], [0.1, 1]]' }];
  });
}

/**
 * What no single key shows: names that point nowhere, lines used twice, lists that contradict each other. Takes the
 * file's content as it is, valid or not, so that these faults are told together with the others. Pure.
 */
export function crossCheck(root: unknown): readonly RawFault[] {
  return [
    ...timezoneFaults(root),
    ...doubleIds(root, ['devices'], 'device'),
    ...doubleIds(root, ['cameras'], 'camera'),
    ...doubleIds(root, ['lanes'], 'lane'),
    ...doubleIds(root, ['uplink', 'commandKeys'], 'key'),
    ...keyWindowFaults(root),
    ...wiringFaults(root),
    ...zoneFaults(root),
    ...doubleIds(root, ['access', 'households'], 'household'),
    ...accessFaults(root),
    ...brokerFaults(root),
  ];
}
