import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog, type Clock, type JsonObject, type Timer } from '../../src/base/index.js';
import { machineBoot, systemClock } from '../../src/base/system-clock.js';
import { configSchema } from '../../src/config/index.js';
import { Gate } from '../../src/daemon/index.js';
import type { ClockEvidence } from '../../src/ops/index.js';
import { ReferencePlatform, type EventMessage } from '../../src/uplink/index.js';
import { until } from '../support/until.js';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

/** A box that wakes with a wrong time, on this machine's monotonic clock. */
class BoxClock implements Clock {
  constructor(public offMs: number) {}
  monoMs(): number {
    return systemClock.monoMs();
  }
  after(delayMs: number, run: () => void): Timer {
    return systemClock.after(delayMs, run);
  }
  wallMs(): number {
    return systemClock.wallMs() + this.offMs;
  }
}

const wokeMs = Date.UTC(2026, 0, 2);

async function startGate(dataDirectory: string, clock: BoxClock, evidence: () => ClockEvidence) {
  const events: EventMessage['events'] = [];
  let platform: ReferencePlatform | undefined;
  const line = (name: string): object => ({ device: 'world', line: `entry.${name}` });
  const gate = new Gate({
    config: configSchema.parse({
      site: { id: 'laurel', name: 'laurel' },
      gate: { id: 'test', name: 'test', dataDirectory },
      devices: [{ id: 'world', driver: 'sim', scenario: 'video' }],
      lanes: [
        {
          id: 'entry',
          name: 'entry',
          direction: 'entry',
          barrier: { closing: 'gateway-closes', open: line('open'), close: line('close'), openTimeMs: 1_400, closeTimeMs: 1_600 },
          inputs: Object.fromEntries(['approach', 'closing', 'beam', 'openLimit', 'closedLimit'].map((name) => [name, line(name)])),
        },
      ],
      web: { port: 0 },
    }),
    secrets: { cameraPasswords: new Map(), uplink: {} },
    clock,
    boot: machineBoot(),
    clockEvidence: () => Promise.resolve(evidence()),
    log: silentLog,
    version: 'test',
    random: Math.random,
    printCode: () => undefined,
    hooks: {
      onBroker: async (url) => {
        platform = new ReferencePlatform({ url, log: silentLog, protocol: '3.1.1', onEvent: (_, event) => events.push(event) });
        await platform.start();
      },
    },
  });
  let stopped = false;
  const stop = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    await platform?.stop();
    await gate.stop('test ended');
  };
  cleanups.push(stop);
  await gate.start();
  if (platform === undefined) throw new Error('the embedded broker did not come up');
  return { gate, platform, events, stop };
}

const find = (events: EventMessage['events'], type: string): EventMessage['events'][number] | undefined => events.find((event) => event.type === type);
const payloadOf = (events: readonly JsonObject[], type: string): readonly unknown[] => events.filter((event) => event['type'] === type).map((event) => event['payload']);

describe('a box without a battery clock', () => {
  it('tells the platform the true time of what it recorded in the past it woke in, and does not wake there unnoticed again', async () => {
    const dataDirectory = mkdtempSync(join(tmpdir(), 'laurel-clock-'));
    cleanups.push(() => rmSync(dataDirectory, { recursive: true, force: true }));
    const wrongMs = wokeMs - systemClock.wallMs();
    let evidence: ClockEvidence = { state: 'unset', source: null };
    const clock = new BoxClock(wrongMs);
    const { gate, platform, events, stop } = await startGate(dataDirectory, clock, () => evidence);
    await until(() => find(events, 'gate.started'), { timeoutMs: 30_000, what: 'the first event at the platform' });
    const started = find(events, 'gate.started');
    if (started === undefined) throw new Error('the gate did not tell that it started');
    expect(started.clockTrusted).toBe(false);
    expect(Math.abs(started.wallMs - wokeMs)).toBeLessThan(600_000);
    expect(platform.wallTimeOf('laurel', 'test', started)).toBeUndefined();
    expect(await gate.status()).toMatchObject({ clockTrusted: false, clock: { trusted: false, health: { state: 'degraded' } } });

    evidence = { state: 'disciplined', source: 'ntp', oscillatorPpm: 12 };
    clock.offMs = 0;
    await until(() => find(events, 'clock.trusted'), { timeoutMs: 30_000, what: 'the time at the platform' });
    expect(find(events, 'clock.stepped')).toMatchObject({ payload: { trusted: true, source: 'ntp' } });
    // To within the real clock's own slewing while the test ran.
    expect(Math.abs((platform.wallTimeOf('laurel', 'test', started) ?? 0) - (started.wallMs - wrongMs))).toBeLessThan(1_000);
    const shown = await gate.events({ limit: 100, newestFirst: false });
    const here = shown.find((event) => event['type'] === 'gate.started');
    expect(here?.['hash']).toBe(started.hash);
    // Both round to whole milliseconds.
    expect(Math.abs(Number(here?.['correctedWallMs']) - (platform.wallTimeOf('laurel', 'test', started) ?? 0))).toBeLessThanOrEqual(1);
    expect(await gate.status()).toMatchObject({ clockTrusted: true, clock: { trusted: true, source: 'ntp', vouched: true, oscillatorPpm: 12, health: { state: 'ok' } } });
    await stop();

    evidence = { state: 'silent', source: 'assumed' };
    const again = await startGate(dataDirectory, new BoxClock(-3_600_000), () => evidence);
    await until(() => find(again.events, 'clock.backwards'), { timeoutMs: 30_000, what: 'the report of a time that is past' });
    expect(payloadOf(await again.gate.events({ limit: 100, newestFirst: false }), 'clock.backwards').length).toBe(1);
    expect(await again.gate.status()).toMatchObject({ clockTrusted: false, clock: { backwards: true } });
  });
});
