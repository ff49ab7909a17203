/**
 * The demonstration: a whole simulated estate with the real recognition, journal, broker, platform and page.
 *
 *   scripts/demo [--video FILE|rtsp://…] [--resident PLATE]… [--headless] [--seconds N] [--report FILE] [--port N] [--seed N]
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { z } from 'zod';
import { GateError, errorText } from './base/index.js';
import { systemClock } from './base/system-clock.js';
import { configSchema, type GateConfig } from './config/index.js';
import { Gate, packageVersion, type GateSecrets } from './daemon/index.js';
import type { EndedPassage } from './lane/index.js';
import { parsePlate } from './plate/index.js';
import type { TruePassage } from './sim/index.js';
import { ReferencePlatform } from './uplink/index.js';

const usage = 'scripts/demo [--video FILE|rtsp://…] [--resident PLATE]… [--headless] [--seconds N] [--report FILE] [--port N] [--seed N]';
const site = { id: 'laurel', name: '月桂社区' };
const gateId = 'demo';
/** A passage of the gate and a vehicle of the world belong together when their starts are this close. */
const sameArrivalMs = 1_500;
const drainMs = 15_000;

interface Options {
  readonly video: string | undefined;
  readonly residents: readonly string[];
  readonly headless: boolean;
  readonly seconds: number | undefined;
  readonly report: string | undefined;
  readonly port: number;
  readonly seed: number;
}

function readOptions(): Options {
  const whole = (name: string, text: string | undefined, least: number): number | undefined => {
    if (text === undefined) return undefined;
    const value = z.coerce.number().int().min(least).safeParse(text);
    if (!value.success) throw new GateError('CLI_USAGE', `--${name} takes a whole number from ${least}, got "${text}". ${usage}`);
    return value.data;
  };
  try {
    const { values } = parseArgs({
      options: {
        video: { type: 'string' },
        resident: { type: 'string', multiple: true, default: [] },
        headless: { type: 'boolean', default: false },
        seconds: { type: 'string' },
        report: { type: 'string' },
        port: { type: 'string' },
        seed: { type: 'string' },
      },
    });
    return {
      video: values.video,
      residents: values.resident.map((plate) => parsePlate(plate).text),
      headless: values.headless,
      seconds: whole('seconds', values.seconds, 1),
      report: values.report,
      port: whole('port', values.port, 0) ?? 8_080,
      seed: whole('seed', values.seed, 0) ?? 1,
    };
  } catch (cause) {
    if (cause instanceof GateError) throw cause;
    throw new GateError('CLI_USAGE', `${errorText(cause)}. ${usage}`, {}, cause);
  }
}

/** `rtsp://user:password@host/path` taken apart, so that the password travels as a secret and never shows. */
function cameraSource(video: string): { readonly source: object; readonly password?: string } {
  if (!/^rtsps?:\/\//u.test(video)) return { source: { kind: 'file', path: resolve(video), loop: true } };
  const url = new URL(video);
  const { username, password } = url;
  url.username = '';
  url.password = '';
  return {
    source: { kind: 'rtsp', url: url.href, ...(username === '' ? {} : { username: decodeURIComponent(username) }) },
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
  };
}

function demoConfig(options: Options, dataDirectory: string): { config: GateConfig; secrets: GateSecrets } {
  const lane = (id: string, name: string, direction: 'entry' | 'exit'): object => ({
    id,
    name,
    direction,
    camera: `${id}-camera`,
    barrier: { closing: 'gateway-closes', open: { device: 'world', line: `${id}.open` }, close: { device: 'world', line: `${id}.close` }, openTimeMs: 1_400, closeTimeMs: 1_600, closeDelayMs: 400, autoCloseMs: 8_000 },
    inputs: Object.fromEntries(['approach', 'closing', 'beam', 'openLimit', 'closedLimit', 'button'].map((sensor) => [sensor, { device: 'world', line: `${id}.${sensor}` }])),
  });
  const video = options.video === undefined ? undefined : cameraSource(options.video);
  const config = configSchema.parse({
    site,
    gate: { id: gateId, name: '东门', dataDirectory },
    devices: [{ id: 'world', driver: 'sim', seed: options.seed, scenario: video === undefined ? 'estate' : 'video' }],
    cameras:
      video === undefined
        ? ['entry', 'exit'].map((view) => ({ id: `${view}-camera`, source: { kind: 'sim', device: 'world', view } }))
        : [{ id: 'entry-camera', source: video.source }],
    lanes: video === undefined ? [lane('entry', '入口 Entry', 'entry'), lane('exit', '出口 Exit', 'exit')] : [lane('entry', '入口 Entry', 'entry')],
    access: {
      households: options.residents.length === 0 ? [] : [{ id: 'demo', name: 'demo', spaces: options.residents.length, plates: options.residents }],
      outside: { policy: video !== undefined && options.residents.length === 0 ? 'admit-while-space' : 'refuse' },
    },
    web: { port: options.port },
    uplink: { telemetryS: 10 },
  });
  return { config, secrets: { cameraPasswords: new Map(video?.password === undefined ? [] : [['entry-camera', video.password]]), uplink: {} } };
}

interface Seen extends EndedPassage {
  readonly startedMs: number;
}

/** Reads of the gate held against the plates that really were there. */
function judge(seen: readonly Seen[], truth: readonly TruePassage[]): { readsRight: number; readsWrong: number; unread: number; admittedRight: number; admittedWrong: number; wrong: string[] } {
  const result = { readsRight: 0, readsWrong: 0, unread: 0, admittedRight: 0, admittedWrong: 0, wrong: new Array<string>() };
  const left = new Set(truth);
  for (const passage of seen) {
    let best: TruePassage | undefined;
    let bestMs = sameArrivalMs;
    for (const vehicle of left) {
      if (vehicle.lane !== passage.lane || vehicle.arrivedAtMs === undefined) continue;
      const apartMs = Math.abs(vehicle.arrivedAtMs - passage.startedMs);
      if (apartMs < bestMs) [best, bestMs] = [vehicle, apartMs];
    }
    if (best?.plate === undefined) continue;
    left.delete(best);
    const right = passage.plate?.text === best.plate.text;
    if (passage.plate === null) result.unread += 1;
    else if (right) result.readsRight += 1;
    else {
      result.readsWrong += 1;
      result.wrong.push(`${best.plate.text} read as ${passage.plate.text}`);
    }
    // a vehicle admitted without a plate, as an exit does, is let out on nobody else's
    if (passage.decision?.outcome === 'admit' && passage.plate !== null) result[right ? 'admittedRight' : 'admittedWrong'] += 1;
  }
  return result;
}

function percentile(values: readonly number[], share: number): number | null {
  const sorted = [...values].sort((one, other) => one - other);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return value === undefined ? null : Math.round(value * 10) / 10;
}

const endWords: Readonly<Record<EndedPassage['end'], string>> = {
  entered: 'drove in',
  exited: 'drove out',
  'backed-out': 'backed out',
  refused: 'was refused and left',
  abandoned: 'did not use the opening',
  forced: 'passed without leave',
  unfinished: 'was there when the gate stopped',
};

function passageLine(passage: EndedPassage): string {
  const who = passage.plate === null ? 'a vehicle whose plate was not read' : `${passage.plate.text} (${Math.round(passage.plate.confidence * 1_000) / 10} % sure)`;
  const decision = passage.decision === null ? '' : `; rule ${passage.decision.rule}: ${passage.decision.outcome}${passage.decision.note === undefined ? '' : ` (${passage.decision.note})`}`;
  return `  gate   ${passage.lane}: ${who} ${endWords[passage.end]}${decision}`;
}

async function main(): Promise<number> {
  const options = readOptions();
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const chinese = (process.env['LC_ALL'] ?? process.env['LANG'] ?? '').startsWith('zh');
  const log = pino({ level: process.env['LAUREL_GATE_LOG'] ?? 'warn' }, pino.destination(2));
  const dataDirectory = await mkdtemp(join(tmpdir(), 'laurel-gate-demo-'));
  const { config, secrets } = demoConfig(options, dataDirectory);
  const version = packageVersion();
  const seen: Seen[] = [];
  const relayMs: number[] = [];
  let platform: ReferencePlatform | undefined;
  const gate = new Gate({
    config: options.headless ? { ...config, web: { ...config.web, port: 0 } } : config,
    secrets,
    clock: systemClock,
    log,
    version,
    random: Math.random,
    printCode: (code) => {
      if (!options.headless) say(`To open the barrier from the page, sign in with the code ${code}`);
    },
    openView: true,
    hooks: {
      onPassageEnd: (passage) => {
        seen.push({ ...passage, startedMs: systemClock.monoMs() - passage.durationMs });
        say(passageLine(passage));
      },
      onBroker: async (url) => {
        platform = new ReferencePlatform({ url, log, protocol: '3.1.1' });
        await platform.start();
      },
      onMeasure: (_lane, measure) => relayMs.push(measure.loopToRelayMs),
    },
  });
  const interrupted = new Promise<void>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done());
  });
  say('Laurel Gate: starting a simulated estate (recognition needs a few seconds to load) …');
  gate.site?.estate?.onStory((story) => say(`  street ${chinese ? story.zh : story.en}`));
  await gate.start();
  if (!options.headless) say(`\nOpen ${gate.webUrl ?? '(the page did not start, see above)'} in a browser.`);
  say(`On another terminal: npx gatectl --data ${dataDirectory} status\nCtrl-C ends it.\n`);

  const openedMs = systemClock.monoMs();
  const timeIsUp = new Promise<void>((done) => {
    if (options.seconds !== undefined) systemClock.after(options.seconds * 1_000, done);
  });
  await Promise.race([interrupted, timeIsUp]);
  const seconds = Math.round((systemClock.monoMs() - openedMs) / 100) / 10;
  gate.site?.estate?.stop();
  // What was recorded up to here must reach the platform before the books are closed.
  const outbox = await gate.drained(drainMs);

  const truth = gate.site?.world.truth;
  const judged = judge(seen, truth?.passages ?? []);
  const report = {
    version,
    seconds,
    passages: seen.length,
    opened: seen.filter(({ clearedBy }) => clearedBy !== null).length,
    refused: seen.filter(({ decision }) => decision?.outcome === 'refuse').length,
    readsRight: judged.readsRight,
    readsWrong: judged.readsWrong,
    unread: judged.unread,
    admittedRight: judged.admittedRight,
    admittedWrong: judged.admittedWrong,
    unsafeMovements: truth?.unsafeMovements.length ?? 0,
    lawsBroken: truth?.lawsBroken.length ?? 0,
    eventsJournalled: outbox.head,
    eventsAcknowledged: outbox.acknowledged,
    loopToRelayMs: { p50: percentile(relayMs, 0.5), p99: percentile(relayMs, 0.99) },
  };
  say(
    `\n${report.passages} passages in ${seconds} s: ${report.opened} opened, ${report.refused} refused; plates ${report.readsRight} right, ${report.readsWrong} wrong, ${report.unread} unread; ` +
      `${report.unsafeMovements} unsafe movements; ${report.eventsAcknowledged} of ${report.eventsJournalled} events acknowledged by the platform.`,
  );
  for (const line of judged.wrong) say(`  misread: ${line}`);
  for (const broken of truth?.lawsBroken ?? []) say(`  law ${broken.law} broken in ${broken.lane}: ${broken.detail}`);
  if (options.report !== undefined) await writeFile(options.report, `${JSON.stringify(report)}\n`);
  await platform?.stop();
  await gate.stop('demonstration ended');
  await rm(dataDirectory, { recursive: true, force: true });
  return 0;
}

try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`${errorText(error)}\n`);
  process.exit(1);
}
