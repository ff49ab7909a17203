import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const unitPath = fileURLToPath(new URL('../../systemd/laurel-gate.service', import.meta.url));
const unit = readFileSync(unitPath, 'utf8');
const values = (key: string): readonly string[] => unit.split('\n').flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));

const analyzer = String(spawnSync('systemd-analyze', ['--version']).stdout);
const version = Number(/^systemd (\d+)/u.exec(analyzer)?.[1] ?? 0);
// `security --offline` came with systemd 250.
const canRate = version >= 250;
if (!canRate) console.log('rating of the unit skipped: systemd-analyze 250 or newer is not here');

describe('the unit', () => {
  it.skipIf(!canRate)('is rated under 2 by systemd-analyze security', () => {
    const rating = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', unitPath], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const exposure = Number(/Overall exposure level[^:]*: (\d+\.\d+)/u.exec(rating)?.[1]);
    expect(exposure).toBeLessThan(2);
  });

  it('ends in the safe state after every end, and never gives up', () => {
    expect(values('ExecStopPost')).toEqual([expect.stringMatching(/ safe-state --config \/etc\/laurel-gate\/gate\.yaml$/u)]);
    expect(values('Restart')).toEqual(['always']);
    expect(values('StartLimitIntervalSec')).toEqual(['0']);
  });

  it('lets the watchdog be fed by a child, and a killed recogniser not stop the gate', () => {
    expect(values('Type')).toEqual(['notify']);
    expect(values('NotifyAccess')).toEqual(['all']);
    expect(Number(values('WatchdogSec')[0])).toBeGreaterThan(0);
    expect(values('OOMPolicy')).toEqual(['continue']);
  });

  it('runs without root and without any capability', () => {
    expect(values('User')).toEqual(['laurel']);
    expect(values('CapabilityBoundingSet')).toEqual(['']);
    expect(values('NoNewPrivileges')).toEqual(['yes']);
  });
});
