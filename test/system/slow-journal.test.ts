import { execFileSync } from 'node:child_process';
import { createReadStream, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog, type Clock } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { configSchema } from '../../src/config/index.js';
import { Gate } from '../../src/daemon/index.js';
import { until } from '../support/until.js';

const directory = mkdtempSync(join(tmpdir(), 'laurel-slow-'));
let gate: Gate | undefined;

afterEach(async () => {
  await gate?.stop('test ended');
  rmSync(directory, { recursive: true, force: true });
});

/** The gate does not wait five real seconds here; everything else keeps its time. */
const impatient: Clock = { ...systemClock, after: (ms, run) => systemClock.after(ms === 5_000 ? 300 : ms, run) };

describe('S8: a lane goes on whatever else is slow', () => {
  it('a journal that takes minutes to open holds up neither lane, page nor status; uplink and record come when it is open', { timeout: 40_000 }, async () => {
    const ballast = join(directory, 'journal', 'ballast');
    mkdirSync(join(directory, 'journal'));
    // Opening a pipe for writing waits for a reader, as a worn card lets its journal wait.
    execFileSync('mkfifo', [ballast]);
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
          barrier: { closing: 'gateway-closes', open: line('open'), close: line('close'), openTimeMs: 800, closeTimeMs: 800, closeDelayMs: 200 },
          inputs: Object.fromEntries(['approach', 'closing', 'openLimit', 'closedLimit', 'fire'].map((name) => [name, line(name)])),
        },
      ],
      web: { port: 0 },
    });
    gate = new Gate({ config, secrets: { cameraPasswords: new Map(), uplink: {} }, clock: impatient, log: silentLog, version: 'test', random: Math.random, printCode: () => undefined });
    const { drivers } = gate;
    await gate.start();
    expect(gate.webUrl).toMatch(/^https?:/u);
    drivers.world?.world.press('entry', 'fire', true);
    await until(() => (drivers.world?.world.lane('entry').boom.position ?? 0) > 0.95, { timeoutMs: 10_000, what: 'fire to open the boom' });
    const reader = createReadStream(ballast).resume();
    const { journal } = gate;
    await until(async () => (await journal.events({ types: ['gate.started'], limit: 1 })).length === 1, { timeoutMs: 15_000, what: 'the record' });
    const started = gate;
    await until(async () => JSON.stringify((await started.status())['uplink']).includes('"connection":"online"'), { timeoutMs: 15_000, what: 'the uplink' });
    reader.destroy();
    expect((await started.status())['epoch']).toBeGreaterThan(0);
  });
});
