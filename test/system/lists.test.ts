import { rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { configSchema } from '../../src/config/index.js';
import { Gate } from '../../src/daemon/index.js';
import { parsePlate } from '../../src/plate/index.js';
import { PlatformLists, ReferencePlatform } from '../../src/uplink/index.js';
import { until } from '../support/until.js';
import { freshDirectory } from './estate.js';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

async function start(dataDirectory: string, onBroker: (url: string) => Promise<void> = () => Promise.resolve()): Promise<Gate> {
  const line = (name: string): object => ({ device: 'world', line: `entry.${name}` });
  const config = configSchema.parse({
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
  });
  const gate = new Gate({ config, secrets: { cameraPasswords: new Map(), uplink: {} }, clock: systemClock, log: silentLog, version: 'test', random: Math.random, printCode: () => undefined, hooks: { onBroker } });
  await gate.start();
  cleanups.push(() => gate.stop('test ended'));
  return gate;
}

const decide = (gate: Gate, plate: string): string => gate.access.decide({ laneId: 'entry', direction: 'entry', wallMs: Date.now(), plate: { ...parsePlate(plate), colour: 'blue', confidence: 0.99 } }).rule;

describe('a whole gate', () => {
  it("decides by the platform's list, and after a restart without the platform too", async () => {
    const dataDirectory = freshDirectory();
    cleanups.push(() => rmSync(dataDirectory, { recursive: true, force: true }));
    let lists: PlatformLists | undefined;
    const gate = await start(dataDirectory, async (url) => {
      const platform = new ReferencePlatform({ url, log: silentLog, protocol: '3.1.1' });
      await platform.start();
      cleanups.push(() => platform.stop());
      lists = new PlatformLists(platform);
      lists.start();
    });
    expect(decide(gate, '京A11111')).toBe('outside-refuse');
    lists?.sendList('laurel', 'test', { entries: [{ kind: 'household', id: 'h1', spaces: 1, plates: ['京A11111'] }, { kind: 'blocked', plate: '皖F99999', reason: 'unpaid' }] });
    await until(() => decide(gate, '京A11111') === 'resident', { timeoutMs: 20_000, what: 'the list in force' });
    expect(decide(gate, '皖F99999')).toBe('blocked-list');
    await gate.stop('restart');
    const again = await start(dataDirectory);
    expect(decide(again, '京A11111')).toBe('resident');
    expect(decide(again, '皖F99999')).toBe('blocked-list');
    expect((await again.status())['lists']).toMatchObject({ platform: { version: 1 }, waiting: 0 });
  });
});
