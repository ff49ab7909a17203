import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { Mosquitto, freePort } from '../../scripts/faults/mosquitto.js';
import { silentLog } from '../../src/base/index.js';
import { ReferencePlatform, type ConfigReport } from '../../src/uplink/index.js';
import { until } from '../support/until.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const cleanups: (() => Promise<unknown> | undefined)[] = [];

afterEach(async () => {
  for (const run of cleanups.splice(0).reverse()) await run();
});

/** The daemon with whoever starts it again when it asks for that, as systemd does. */
class Service {
  child: ChildProcess | undefined;
  words = '';
  readonly statuses: (number | null)[] = [];
  readonly #configPath: string;
  #stopped = false;

  constructor(configPath: string) {
    this.#configPath = configPath;
  }

  start(): void {
    const child = spawn(process.execPath, ['--import', 'tsx', join(repository, 'src/main.ts'), '--config', this.#configPath], { cwd: repository, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    const hear = (chunk: Buffer): void => void (this.words = (this.words + chunk.toString('utf8')).slice(-6_000));
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('exit', (status) => {
      this.statuses.push(status);
      if (!this.#stopped) this.start();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}

async function estate(): Promise<{ service: Service; platform: ReferencePlatform; types: string[]; report: () => ConfigReport | undefined }> {
  const directory = mkdtempSync(join(tmpdir(), 'laurel-configuration-'));
  cleanups.push(() => {
    rmSync(directory, { recursive: true, force: true });
    return Promise.resolve();
  });
  const broker = await Mosquitto.start({ directory });
  cleanups.push(() => broker.kill());
  const line = (name: string): object => ({ device: 'world', line: `entry.${name}` });
  const configPath = join(directory, 'gate.yaml');
  writeFileSync(
    configPath,
    JSON.stringify({
      site: { id: 'laurel', name: 'laurel' },
      gate: { id: 'east', name: 'east', dataDirectory: join(directory, 'data') },
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
      uplink: { broker: { url: broker.url }, configurationTrialS: 3 },
      web: { port: 0 },
    }),
  );
  const types: string[] = [];
  const platform = new ReferencePlatform({ url: broker.url, log: silentLog, onEvent: (_gate, { type }) => {
    if (type.startsWith('config.')) types.push(type);
  } });
  await platform.start();
  cleanups.push(() => platform.stop());
  const service = new Service(configPath);
  cleanups.push(() => service.stop());
  service.start();
  await until(() => platform.configReports.length > 0, { timeoutMs: 30_000, what: `the first report (${service.words})` });
  return { service, platform, types, report: () => platform.configReports.at(-1) };
}

const access = (spaces: number): object => ({ outside: { policy: 'ask' }, spaces });

describe('a configuration from the platform', () => {
  it('is applied after its trial; one that is wrong never runs, and is told by place', { timeout: 90_000 }, async () => {
    const { service, platform, types, report } = await estate();
    expect(report()).toMatchObject({ active: { source: 'file', version: null, digest: null }, trial: null, outcome: null });

    platform.configure('laurel', 'east', { version: 1, id: 'c1', issuer: 'platform:alice', config: { access: access(7) } }, { retain: true });
    await until(() => report()?.outcome?.version === 1, { timeoutMs: 45_000, what: `version 1 to be applied (${service.words})` });
    expect(report()).toMatchObject({ active: { source: 'managed', version: 1, id: 'c1' }, trial: null, outcome: { outcome: 'applied', code: null }, reported: { access: { spaces: 7 } } });
    expect(service.statuses).toEqual([75]);
    expect(platform.configReports.map(({ trial }) => trial?.state)).toEqual(expect.arrayContaining(['staged', 'trying']));

    platform.configure('laurel', 'east', { version: 2, id: 'c2', issuer: 'platform:alice', config: { access: { spaces: -1 }, lanes: [{ id: 'entry', barrier: { pulseMs: 300 } }] } }, { retain: true });
    await until(() => report()?.outcome?.version === 2, { timeoutMs: 10_000, what: 'version 2 to be refused' });
    expect(report()).toMatchObject({ active: { version: 1 }, outcome: { outcome: 'refused', code: 'CONFIG_INVALID', faults: [{ path: 'access.spaces', code: 'CONFIG_INVALID' }] } });

    platform.configure('laurel', 'east', { version: 3, id: 'c3', issuer: 'platform:alice', config: { lanes: [{ id: 'entry', barrier: { pulseMs: 300 } }] } });
    await until(() => report()?.outcome?.version === 3, { timeoutMs: 10_000, what: 'version 3 to be refused' });
    expect(report()).toMatchObject({ outcome: { outcome: 'refused', code: 'CONFIG_NOT_ALLOWED', faults: [{ path: 'lanes.entry.barrier.pulseMs' }] } });
    await until(() => types.length === 4, { timeoutMs: 10_000, what: 'four events' });
    expect(types).toEqual(['config.staged', 'config.applied', 'config.refused', 'config.refused']);
    expect(service.statuses).toEqual([75]);
    expect(platform.faults).toBe(0);
  });

  it('that comes while another waits takes its place; how both ended is told', { timeout: 90_000 }, async () => {
    const { service, platform, types } = await estate();
    platform.configure('laurel', 'east', { version: 1, id: 'c1', issuer: 'platform:alice', config: { access: access(7) } });
    platform.configure('laurel', 'east', { version: 2, id: 'c2', issuer: 'platform:alice', config: { access: access(8) } });
    const ended = (version: number): ConfigReport['outcome'] => platform.configReports.find(({ outcome }) => outcome?.version === version)?.outcome ?? null;
    await until(() => ended(1) !== null && ended(2) !== null, { timeoutMs: 60_000, what: `both to end (${service.words})` });
    expect([ended(1), ended(2)]).toMatchObject([{ id: 'c1', outcome: 'refused', code: 'CONFIG_SUPERSEDED' }, { id: 'c2', outcome: 'applied' }]);
    await until(() => types.length === 4, { timeoutMs: 10_000, what: 'four events' });
    expect(types).toEqual(['config.staged', 'config.refused', 'config.staged', 'config.applied']);
    expect([service.statuses, platform.faults]).toEqual([[75], 0]);
  });

  it('that cuts the gate off from its broker returns by itself, and is not tried again although it is retained', { timeout: 90_000 }, async () => {
    const { service, platform, types, report } = await estate();
    const dead = `mqtt://127.0.0.1:${await freePort()}`;
    platform.configure('laurel', 'east', { version: 1, id: 'c1', issuer: 'platform:alice', config: { uplink: { broker: { url: dead } } } }, { retain: true });
    await until(() => report()?.outcome?.version === 1, { timeoutMs: 60_000, what: `version 1 to be returned (${service.words})` });
    expect(report()).toMatchObject({ active: { source: 'file' }, trial: null, outcome: { outcome: 'returned', code: 'CONFIG_UNHEALTHY', reasons: ['uplink is not well'] } });
    await until(() => types.length === 2, { timeoutMs: 10_000, what: 'both events' });
    expect(types).toEqual(['config.staged', 'config.returned']);
    expect(service.statuses).toEqual([75, 75]);

    // The broker handed the retained message out again when the gate came back; a copy asked for now is answered from memory.
    const before = platform.configReports.length;
    platform.configure('laurel', 'east', { version: 1, id: 'c1', issuer: 'platform:alice', config: { uplink: { broker: { url: dead } } } });
    await until(() => platform.configReports.length > before, { timeoutMs: 10_000, what: 'the answer' });
    expect(report()).toMatchObject({ active: { source: 'file' }, trial: null, outcome: { outcome: 'returned', version: 1 } });
  });

  it('under which the gate is killed returns at the next start', { timeout: 90_000 }, async () => {
    const { service, platform, types, report } = await estate();
    platform.configure('laurel', 'east', { version: 1, id: 'c1', issuer: 'platform:alice', config: { access: access(7) } });
    await until(() => report()?.trial?.state === 'trying', { timeoutMs: 45_000, what: `the trial (${service.words})` });
    expect(report()).toMatchObject({ active: { version: 1 } });
    service.child?.kill('SIGKILL');
    await until(() => report()?.outcome?.version === 1, { timeoutMs: 45_000, what: `version 1 to be returned (${service.words})` });
    expect(report()).toMatchObject({ active: { source: 'file' }, trial: null, outcome: { outcome: 'returned', code: 'CONFIG_CRASHED' } });
    await until(() => types.length === 2, { timeoutMs: 10_000, what: 'both events' });
    expect(types).toEqual(['config.staged', 'config.returned']);
  });
});
