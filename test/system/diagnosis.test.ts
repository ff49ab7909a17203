import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { configSchema } from '../../src/config/index.js';
import { Gate } from '../../src/daemon/index.js';
import type { StoredEvent } from '../../src/journal/index.js';
import { SimDevice } from '../../src/sim/index.js';
import { ReferencePlatform } from '../../src/uplink/index.js';
import { until } from '../support/until.js';

const directory = mkdtempSync(join(tmpdir(), 'laurel-diagnosis-'));
let stop: (() => Promise<void>) | undefined;

afterEach(async () => {
  await stop?.();
  rmSync(directory, { recursive: true, force: true });
});

describe('a fault of the wiring at a running gate', () => {
  it('is on record with what to do, in the lane, in the telemetry, and over when it is mended', { timeout: 60_000 }, async () => {
    const line = (name: string): object => ({ device: 'world', line: `entry.${name}` });
    const config = configSchema.parse({
      site: { id: 'laurel', name: 'laurel' },
      gate: { id: 'test', name: 'test', dataDirectory: directory },
      devices: [{ id: 'world', driver: 'sim' }],
      lanes: [
        {
          id: 'entry',
          name: 'entry',
          direction: 'entry',
          barrier: { closing: 'gateway-closes', open: line('open'), close: line('close') },
          inputs: Object.fromEntries(['approach', 'closing', 'openLimit', 'closedLimit'].map((name) => [name, line(name)])),
        },
      ],
      uplink: { telemetryS: 1 },
      web: { port: 0 },
    });
    const events: StoredEvent[] = [];
    let telemetry: unknown;
    let platform: ReferencePlatform | undefined;
    const gate = new Gate({
      config,
      secrets: { cameraPasswords: new Map(), uplink: {} },
      clock: systemClock,
      log: silentLog,
      version: 'test',
      random: Math.random,
      printCode: () => undefined,
      hooks: {
        onBroker: async (url) => {
          platform = new ReferencePlatform({ url, log: silentLog, protocol: '3.1.1' });
          platform.onTelemetry(({ health }) => {
            telemetry = health['findings'];
          });
          await platform.start();
        },
      },
    });
    stop = async () => {
      await platform?.stop();
      await gate.stop('test ended');
    };
    gate.journal.onStored((stored) => events.push(...stored.filter(({ type }) => type.startsWith('diagnosis.'))));
    await gate.start();
    const device = gate.drivers.devices.get('world');
    if (!(device instanceof SimDevice)) throw new Error('the simulated device is not there');

    device.inject({ kind: 'stuck-on', line: 'entry.openLimit' });
    await until(() => events.length === 1, { timeoutMs: 10_000, what: 'the finding to be on record' });
    expect(events[0]).toMatchObject({ type: 'diagnosis.raised', lane: 'entry', payload: { code: 'limits-both-on', sensors: ['openLimit', 'closedLimit'] } });
    expect(JSON.stringify(events[0]?.payload['todo'])).toMatch(/cam has moved.*凸轮/u);
    expect(gate.laneView('entry').findings).toMatchObject([{ code: 'limits-both-on' }]);
    await until(() => JSON.stringify(telemetry ?? null).includes('limits-both-on'), { timeoutMs: 10_000, what: 'the telemetry to carry it' });

    device.repair('entry.openLimit');
    // The boom moves once, so that each switch lets go.
    await gate.command({ id: 'c1', lane: 'entry', target: 'open', issuer: 'console:test', reason: 'test' });
    await until(() => events.length === 2, { timeoutMs: 30_000, what: 'the finding to be over' });
    expect(events[1]).toMatchObject({ type: 'diagnosis.cleared', lane: 'entry', payload: { code: 'limits-both-on' } });
    expect(gate.laneView('entry').findings).toEqual([]);
  });
});
