import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { configSchema } from '../../src/config/index.js';
import { Gate } from '../../src/daemon/index.js';
import { until } from '../support/until.js';

const directory = mkdtempSync(join(tmpdir(), 'laurel-broken-'));
let gate: Gate | undefined;

afterEach(async () => {
  await gate?.stop('test ended');
  gate = undefined;
  rmSync(directory, { recursive: true, force: true });
});

function brokenGate(): Gate {
  // A file stands where the data directory should be: no journal, no evidence, no accounts, no control socket.
  const blocked = join(directory, 'file');
  writeFileSync(blocked, '');
  const line = (name: string): object => ({ device: 'world', line: `entry.${name}` });
  const config = configSchema.parse({
    site: { id: 'laurel', name: 'laurel' },
    gate: { id: 'test', name: 'test', dataDirectory: join(blocked, 'data') },
    devices: [
      { id: 'world', driver: 'sim' },
      // Nobody will ever answer on this one.
      { id: 'dead', driver: 'modbus', path: join(directory, 'no-such-port'), units: [{ unit: 1 }] },
    ],
    // A camera that does not exist.
    cameras: [{ id: 'camera', source: { kind: 'rtsp', url: 'rtsp://127.0.0.1:1/none' } }],
    lanes: [
      {
        id: 'entry',
        name: 'entry',
        direction: 'entry',
        camera: 'camera',
        barrier: { closing: 'gateway-closes', open: line('open'), close: line('close'), openTimeMs: 800, closeTimeMs: 800, closeDelayMs: 200, autoCloseMs: 1_500 },
        inputs: Object.fromEntries(['approach', 'closing', 'openLimit', 'closedLimit', 'fire'].map((name) => [name, line(name)])),
      },
      {
        id: 'dead-lane',
        name: 'dead',
        direction: 'exit',
        barrier: { closing: 'barrier-closes', open: { device: 'dead', unit: 1, line: 0 } },
        inputs: { approach: { device: 'dead', unit: 1, line: 0 }, closing: { device: 'dead', unit: 1, line: 1 } },
      },
    ],
    uplink: { broker: { url: 'mqtt://127.0.0.1:1' } },
    web: { port: 0 },
  });
  return new Gate({ config, secrets: { cameraPasswords: new Map(), uplink: {} }, clock: systemClock, log: silentLog, version: 'test', random: Math.random, printCode: () => undefined });
}

describe('S8: a lane goes on whatever else is broken', () => {
  it('without disk, camera, broker and with a dead lane beside it, a person opens, the boom comes down again, and fire opens', { timeout: 60_000 }, async () => {
    gate = brokenGate();
    await gate.start();
    const boom = gate.drivers.world?.world.lane('entry').boom;
    // Found closed by its limit switch, so it stays as it is.
    expect(boom?.position).toBe(0);

    await gate.command({ id: 'c1', lane: 'entry', target: 'open', issuer: 'console:test', reason: 'test' });
    expect(boom?.position).toBeGreaterThan(0.95);
    await until(() => boom?.position === 0, { timeoutMs: 15_000, what: 'the unused opening to end' });

    gate.drivers.world?.world.press('entry', 'fire', true);
    await until(() => (boom?.position ?? 0) > 0.95, { timeoutMs: 10_000, what: 'fire to open the boom' });
    expect(gate.laneView('entry').fire).toBe(true);
    // The dead lane says what is wrong with it and moves nothing.
    expect(gate.laneView('dead-lane').attention.join(' ')).toContain('input-fault');
  });
});
