import { describe, expect, it } from 'vitest';
import { runDaemonRounds } from '../../scripts/faults/daemon-rounds.js';

describe('the whole daemon under kill -9', () => {
  it('in the middle of passages: nothing lost, doubled or out of order, no movement that endangers, numbering goes on', { timeout: 240_000 }, async () => {
    const report = await runDaemonRounds({ rounds: 3, seed: 7 });
    expect(report.violations).toEqual([]);
    expect(report).toMatchObject({ rounds: 3, unsafeMovements: 0, lost: 0, doubled: 0, reordered: 0, chainBroken: 0, undeclaredLoss: 0 });
    expect(report.passages).toBeGreaterThan(0);
    expect(report.told, 'commands it told the platform of').toBeGreaterThan(0);
  });
});
