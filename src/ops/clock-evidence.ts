import { access, readFile, stat } from 'node:fs/promises';
import type { ClockSource } from '../base/index.js';
import { runSystemProgram } from './system-program.js';

export interface ClockEvidence {
  /**
   * `disciplined`: a time service keeps the clock now; `set`: one has set it since the boot and has been silent since;
   * `agrees`: a hardware clock that kept running says the same; `unset`: there is a time service and it knows nothing;
   * `silent`: there is nobody to ask.
   */
  readonly state: 'disciplined' | 'set' | 'agrees' | 'unset' | 'silent';
  /** Null with `unset`. */
  readonly source: ClockSource | null;
  /** Wall time of the last measurement of the service, ms; absent where it does not tell. */
  readonly syncedMs?: number;
  /** What the clock would gain (positive) or lose without the service's correction, parts per million. */
  readonly oscillatorPpm?: number;
}

/** What the parts of the system answer; undefined where one does not. */
export interface ClockAnswers {
  /** The kernel's own word (`STA_UNSYNC` of adjtimex(2)), which every time service sets and setting the clock by hand clears. */
  readonly kernel: boolean | undefined;
  readonly chrony: Tracking | undefined;
  readonly timesyncd: Timesync | undefined;
  /** When timesyncd last touched its flag file: at each synchronisation since the boot. */
  readonly flagMs: number | undefined;
  readonly rtcMs: number | undefined;
  /** The machine was booted with systemd (sd_booted(3)), so that no answer is no good sign. */
  readonly systemd: boolean;
}

/** `chronyc -c tracking`. */
export interface Tracking {
  readonly source: 'ntp' | 'gnss' | 'reference';
  readonly syncedMs: number;
  readonly oscillatorPpm: number;
}

/** `timedatectl show-timesync`. */
export interface Timesync {
  readonly server: string;
  readonly oscillatorPpm: number | undefined;
}

const toleranceMs = 5_000;
const askLimitS = 5;
const flagFile = '/run/systemd/timesync/synchronized';
/** Names that gpsd and chrony configurations give to receivers of satellites; PPS is their pulse. */
const satelliteNames = /^(?:GPS|GNSS|NMEA|PPS|GLO|GLN|GAL|BDS|BEI|QZS)/u;

/**
 * Gathers the evidence without root and beside the main loop: the kernel's state and timesyncd through `timedatectl`,
 * timesyncd's flag file, chrony (which gpsd feeds where the box has a satellite receiver) through `chronyc`, and a hardware
 * clock that kept running without power.
 * @param wallMs what the system clock says now
 * @param earliestMs no true time lies before this
 */
export async function readClockEvidence(wallMs: number, earliestMs: number): Promise<ClockEvidence> {
  const [flagMs, rtcMs, systemd] = await Promise.all([
    stat(flagFile).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    ),
    hardwareClockMs(),
    access('/run/systemd/system').then(
      () => true,
      () => false,
    ),
  ]);
  const kernel = parseYes(await ask('timedatectl', ['show', '--property=NTPSynchronized', '--value']));
  const chrony = parseTracking(await ask('chronyc', ['-n', '-c', 'tracking']));
  const timesyncd = chrony === undefined ? parseTimesync(await ask('timedatectl', ['show-timesync', '--property=ServerAddress', '--property=Frequency'])) : undefined;
  return weighEvidence({ kernel, chrony, timesyncd, flagMs, rtcMs, systemd }, wallMs, earliestMs);
}

/** What the answers amount to, see `readClockEvidence`. */
export function weighEvidence({ kernel, chrony, timesyncd, flagMs, rtcMs, systemd }: ClockAnswers, wallMs: number, earliestMs: number): ClockEvidence {
  const source = chrony?.source ?? (timesyncd === undefined ? 'service' : 'ntp');
  const syncedMs = chrony?.syncedMs ?? flagMs;
  const oscillatorPpm = chrony?.oscillatorPpm ?? timesyncd?.oscillatorPpm;
  const known = { ...(syncedMs === undefined ? {} : { syncedMs }), ...(oscillatorPpm === undefined ? {} : { oscillatorPpm }) };
  // Where the kernel can be asked its word counts: a service may not have noticed yet that the clock was set by hand.
  if (kernel === undefined ? chrony !== undefined : kernel) return { state: 'disciplined', source, ...known };
  // A flag of the future: the clock was set back by hand since.
  if (flagMs !== undefined && flagMs <= wallMs + toleranceMs) return { state: 'set', source: 'ntp', ...known };
  // A hardware clock without battery comes up in 1970; one that was not set differs from the system's.
  if (rtcMs !== undefined && rtcMs >= earliestMs && Math.abs(rtcMs - wallMs) <= toleranceMs) return { state: 'agrees', source: 'rtc' };
  if (kernel === false || systemd) return { state: 'unset', source: null };
  return { state: 'silent', source: 'assumed' };
}

function parseYes(text: string | undefined): boolean | undefined {
  const answer = text?.trim();
  return answer === 'yes' ? true : answer === 'no' ? false : undefined;
}

/**
 * Reads chronyc's one line of fourteen fields: reference id, name, stratum, time of the last measurement (s), three offsets,
 * frequency (ppm, positive: fast), two more, delay, dispersion, interval, leap status.
 * @returns undefined where chrony is not synchronised, or says something else
 */
export function parseTracking(text: string | undefined): Tracking | undefined {
  const [id, name, stratum, measuredS, , , , frequency, , , , , , leap] = (text ?? '').trim().split(',');
  if (id === undefined || name === undefined || stratum === undefined || leap === undefined || leap === 'Not synchronised') return undefined;
  // Its own clock (127.127.1.1, the `local` directive) is no source of time.
  if (id === '00000000' || id === '7F7F0101') return undefined;
  const level = Number(stratum);
  const syncedMs = Math.round(Number(measuredS) * 1_000);
  const oscillatorPpm = Number(frequency);
  if (!Number.isInteger(level) || level < 1 || level > 15 || !(syncedMs > 0) || !Number.isFinite(oscillatorPpm)) return undefined;
  // A server is at least one stratum above its receiver: at stratum 1 the reference is at this box, and its id is its name.
  return { source: level > 1 ? 'ntp' : satelliteNames.test(name.toUpperCase()) ? 'gnss' : 'reference', syncedMs, oscillatorPpm };
}

/**
 * Reads timesyncd's properties. `Frequency` is the kernel's correction in units of 2^-16 ppm (adjtimex(2)): positive where
 * the clock has to be sped up, that is where it loses.
 * @returns undefined where timesyncd does not run or has no server
 */
export function parseTimesync(text: string | undefined): Timesync | undefined {
  const properties = new Map((text ?? '').split('\n').flatMap((line): [string, string][] => {
    const at = line.indexOf('=');
    return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1).trim()]];
  }));
  const server = properties.get('ServerAddress') ?? '';
  if (server === '') return undefined;
  const frequency = properties.get('Frequency') ?? '';
  // Zero is what timesyncd says before it has measured anything.
  return { server, oscillatorPpm: /^-?[1-9]\d*$/u.test(frequency) ? -Number(frequency) / 65_536 : undefined };
}

/** Undefined where there is no such program, or it has no answer. */
function ask(program: string, values: readonly string[]): Promise<string | undefined> {
  return runSystemProgram({ program, values, environment: { PATH: process.env['PATH'] ?? '', LC_ALL: 'C' }, limitS: askLimitS }).catch(() => undefined);
}

async function hardwareClockMs(): Promise<number | undefined> {
  try {
    const seconds = Number(await readFile('/sys/class/rtc/rtc0/since_epoch', 'utf8'));
    return Number.isFinite(seconds) ? seconds * 1_000 : undefined;
  } catch {
    return undefined;
  }
}
