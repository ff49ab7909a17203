import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { asInstalled } from '../../scripts/bench/load/gate-unit.js';

const pathOf = (name: string): string => fileURLToPath(new URL(`../../systemd/${name}.service`, import.meta.url));
const valuesOf = (name: string, key: string): readonly string[] => readFileSync(pathOf(name), 'utf8').split('\n').flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));

const analyzer = String(spawnSync('systemd-analyze', ['--version']).stdout);
const version = Number(/^systemd (\d+)/u.exec(analyzer)?.[1] ?? 0);
// `security --offline` came with systemd 250.
const canRate = version >= 250;
const values = (key: string): readonly string[] => valuesOf('laurel-gate', key);
if (!canRate) console.log('rating of the unit skipped: systemd-analyze 250 or newer is not here');

describe('the unit', () => {
  it.skipIf(!canRate).each(['laurel-gate', 'laurel-gate-supervisor'])('%s is rated under 2 by systemd-analyze security', (name) => {
    const rating = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', pathOf(name)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const exposure = Number(/Overall exposure level[^:]*: (\d+\.\d+)/u.exec(rating)?.[1]);
    expect(exposure).toBeLessThan(2);
  });

  it('ends in the safe state after every end, and never gives up', () => {
    expect(values('ExecStopPost')).toEqual([expect.stringMatching(/ safe-state --config \/etc\/laurel-gate\/gate\.yaml$/u)]);
    expect(values('Restart')).toEqual(['always']);
    expect(values('StartLimitIntervalSec')).toEqual(['0']);
  });

  it('runs before everything else on the box and keeps the memory that messages pass through; the benches start the gate as it does', () => {
    const { priority, environment } = asInstalled;
    expect(values('Nice')).toEqual([String(priority)]);
    expect(priority).toBeLessThan(0);
    expect(Object.keys(environment).sort()).toEqual(['MALLOC_MMAP_THRESHOLD_', 'MALLOC_TRIM_THRESHOLD_']);
    expect(values('Environment')).toEqual(expect.arrayContaining(Object.entries(environment).map(([name, value]) => `${name}=${value}`)));
  });

  it('lets the watchdog be fed by a child, and a killed recogniser not stop the gate', () => {
    expect(values('Type')).toEqual(['notify']);
    expect(values('NotifyAccess')).toEqual(['all']);
    expect(Number(values('WatchdogSec')[0])).toBeGreaterThan(0);
    expect(values('OOMPolicy')).toEqual(['continue']);
  });

  it('has a supervisor of its own unit that is up before it, outlives it, and is found by it', () => {
    const supervisor = (key: string): readonly string[] => valuesOf('laurel-gate-supervisor', key);
    const socket = 'LAUREL_GATE_SUPERVISOR=/run/laurel-gate/supervisor.sock';
    expect(values('Wants')).toEqual(['laurel-gate-supervisor.service']);
    expect(values('After').join(' ')).toContain('laurel-gate-supervisor.service');
    expect(supervisor('Before')).toEqual(['laurel-gate.service']);
    // Bound to the gate in no way that would end it with the gate.
    for (const key of ['PartOf', 'BindsTo', 'Requires']) expect(supervisor(key)).toEqual([]);
    expect([values('Environment'), supervisor('Environment')]).toEqual([expect.arrayContaining([socket]), expect.arrayContaining([socket])]);
    expect(supervisor('RuntimeDirectory')).toEqual(['laurel-gate']);
    expect(supervisor('Type')).toEqual(['notify']);
    expect(supervisor('User')).toEqual(values('User'));
    expect(supervisor('DeviceAllow')).toEqual(values('DeviceAllow'));
    expect(supervisor('Restart')).toEqual(['always']);
  });

  it.skipIf(!canRate)('both are understood by systemd', () => {
    const folder = mkdtempSync(join(tmpdir(), 'laurel-units-'));
    try {
      const files = ['laurel-gate', 'laurel-gate-supervisor'].map((name) => {
        const file = join(folder, `${name}.service`);
        // The programs are not installed here; everything else is as shipped.
        writeFileSync(file, readFileSync(pathOf(name), 'utf8').replaceAll('/usr/bin/node', process.execPath));
        return file;
      });
      const run = spawnSync('systemd-analyze', ['verify', '--man=no', ...files], { encoding: 'utf8' });
      const complaints = run.stderr.split('\n').filter((line) => line.includes(folder) && !/RestartSteps|RestartMaxDelaySec/u.test(line));
      expect(complaints).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('runs without root and without any capability', () => {
    expect(values('User')).toEqual(['laurel']);
    expect(values('CapabilityBoundingSet')).toEqual(['']);
    expect(values('NoNewPrivileges')).toEqual(['yes']);
  });
});
