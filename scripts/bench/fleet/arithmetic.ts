import { measuredPassage } from './passage.js';

/**
 * The README's tables for large fleets, worked out from what a gate sends. Change an assumption here and print them again:
 * `scripts/fleet --arithmetic`.
 */

interface Given {
  readonly value: number;
  readonly unit: string;
  readonly source: string;
}

const demonstration = 'measured: the journal of `scripts/demo`, 46 passages';
const fleetRun = 'measured: `scripts/fleet`';

const given = {
  p: { value: 600, unit: 'passages a gate and day', source: 'assumed; a busy estate has 1,500' },
  e: { value: measuredPassage.events, unit: 'events a passage', source: demonstration },
  b: { value: 530, unit: 'bytes an event as sent, envelope included', source: `${fleetRun}, live` },
  s: { value: Math.round(measuredPassage.eventBytes / measuredPassage.events), unit: 'bytes an event as JSON', source: demonstration },
  k: { value: 0.12, unit: "of a day's passages in the busiest hour", source: 'assumed: the morning rush' },
  q: { value: 3, unit: 'busiest minute by the mean of that hour', source: 'assumed' },
  t: { value: 30, unit: 's between two telemetry messages', source: '`uplink.telemetryS`' },
  h: { value: 674, unit: 'bytes of telemetry', source: 'measured: `scripts/demo --headless --seconds 90`' },
  w: { value: 5, unit: 's over which a fleet comes back that lost a held connection at one moment', source: '`SPREAD` in `src/uplink/uplink.ts`' },
  l: { value: 20, unit: 's a gate waits for its sign-in to be answered', source: '`connectTimeoutMs` in `src/uplink/uplink.ts`' },
  a: { value: 10, unit: 's a platform may gather events before it acknowledges', source: 'a choice of the platform' },
  c: { value: 60, unit: 's, the longest back-off, with full jitter', source: '`src/uplink/uplink.ts`' },
  x: { value: 5, unit: 'ms of processor a TLS connection costs the broker', source: 'assumed; `scripts/fleet --tls` tells it' },
  m: { value: 125, unit: 'events a backlog message', source: '`uplink.batch`' },
  g: { value: 200, unit: 'backlog events a second from one gate', source: 'assumed; one gate alone drained 13,600 in `npm run bench -- control`' },
  u: { value: 2_000, unit: 'events a second one consumer writes into its database', source: 'assumed; the reference platform, which has none, took 1,968 with 15 % of a processor' },
  d: { value: 10, unit: 'consumers while a backlog drains', source: 'assumed' },
  j: { value: 150_000, unit: 'bytes of photographs a passage', source: 'assumed, with `uplink.photographs: all`' },
} as const satisfies Readonly<Record<string, Given>>;

/** Gates of the two fleets that are worked out. */
const fleets = [10_000, 100_000] as const;
const daySeconds = 86_400;

const { p, e, b, s, k, q, t, h, w, l, a, c, x, m, g, u, d, j } = given;
const eventsADay = (n: number): number => n * p.value * e.value;
const meanEvents = (n: number): number => eventsADay(n) / daySeconds;
const rushEvents = (n: number): number => (eventsADay(n) * k.value) / 3_600;
const peakEvents = (n: number): number => rushEvents(n) * q.value;
const telemetry = (n: number): number => n / t.value;
const gatePeak = peakEvents(1);
/** Of each acknowledgement sent so long after the first event it covers: the share of an event's own. */
const gathered = (seconds: number): number => 1 / (1 + gatePeak * seconds);

const derived: readonly { readonly what: string; readonly formula: string; readonly unit: string; readonly of: (n: number) => number }[] = [
  { what: 'connections', formula: 'n', unit: '', of: (n) => n },
  { what: 'passages', formula: 'n·p', unit: 'a day', of: (n) => n * p.value },
  { what: 'events, mean', formula: 'E = n·p·e / 86,400', unit: 'a second', of: meanEvents },
  { what: 'events, busiest hour', formula: 'H = n·p·e·k / 3,600', unit: 'a second', of: rushEvents },
  { what: 'events, busiest minute', formula: 'M = H·q', unit: 'a second', of: peakEvents },
  { what: 'telemetry', formula: 'T = n / t', unit: 'a second', of: telemetry },
  { what: 'into the broker, busiest minute', formula: 'M·b + T·h', unit: 'MB a second', of: (n) => (peakEvents(n) * b.value + telemetry(n) * h.value) / 1e6 },
  { what: 'acknowledgements, busiest minute (one an event message)', formula: 'M', unit: 'a second', of: peakEvents },
  { what: 'MQTT packets at the broker, busiest minute (an event and its acknowledgement 4 each, telemetry 2)', formula: '8·M + 2·T', unit: 'a second', of: (n) => 8 * peakEvents(n) + 2 * telemetry(n) },
  { what: 'the same, with acknowledgements gathered', formula: '(4 + 4 / (1 + a·M/n))·M + 2·T', unit: 'a second', of: (n) => (4 + 4 * gathered(a.value)) * peakEvents(n) + 2 * telemetry(n) },
  { what: 'consumers, one spare', formula: '⌈M / u⌉ + 1', unit: '', of: (n) => Math.ceil(peakEvents(n) / u.value) + 1 },
  { what: 'TLS handshakes after a restart of the broker', formula: 'n / w', unit: 'a second', of: (n) => n / w.value },
  { what: 'processors that answer them in time', formula: 'n·x / (1,000·l)', unit: '', of: (n) => (n * x.value) / (1_000 * l.value) },
  { what: 'TLS handshakes after an outage of minutes (the rest of a uniform wait)', formula: '2·n / c', unit: 'a second', of: (n) => (2 * n) / c.value },
  { what: "events that wait after a day's outage", formula: 'W = n·p·e', unit: 'million', of: (n) => eventsADay(n) / 1e6 },
  { what: 'messages they make', formula: 'W / m', unit: 'million', of: (n) => eventsADay(n) / m.value / 1e6 },
  { what: 'drained, if only the gates set the pace', formula: 'p·e / g', unit: 's', of: () => (p.value * e.value) / g.value },
  { what: 'drained, at the pace of the consumers', formula: 'W / (d·u − E) / 3,600', unit: 'h', of: (n) => eventsADay(n) / (d.value * u.value - meanEvents(n)) / 3_600 },
  { what: 'events as JSON', formula: 'n·p·e·s', unit: 'GB a day', of: (n) => (eventsADay(n) * s.value) / 1e9 },
  { what: 'the same', formula: '·365', unit: 'TB a year', of: (n) => (eventsADay(n) * s.value * 365) / 1e12 },
  { what: 'photographs, where all are sent', formula: 'n·p·j', unit: 'TB a day', of: (n) => (n * p.value * j.value) / 1e12 },
  { what: 'the same', formula: '·365', unit: 'TB a year', of: (n) => (n * p.value * j.value * 365) / 1e12 },
];

/** Three digits that count, thousands with commas. */
function short(value: number): string {
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  const scale = value >= 1_000 ? 10 ** (Math.floor(Math.log10(value)) - 2) : 10 ** -digits;
  const rounded = Math.round(value / scale) * scale;
  return rounded.toLocaleString('en-US', { maximumFractionDigits: digits });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Two Markdown tables: what is assumed, and what follows for each fleet. */
export function printArithmetic(): string {
  const assumptions = Object.entries(given).map(([name, { value, unit, source }]) => [name, value.toLocaleString('en-US'), unit, source]);
  const results = derived.map(({ what, formula, unit, of }) => [what, formula, ...fleets.map((n) => short(of(n))), unit]);
  return `${table(['', '', 'what', 'from'], assumptions)}\n\n${table(['what', 'formula', ...fleets.map((n) => `n = ${n.toLocaleString('en-US')}`), ''], results)}\n`;
}
