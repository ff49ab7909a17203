import { describe, expect, it } from 'vitest';
import { journalDiskFaultKinds, runJournalRounds } from '../../scripts/faults/journal-rounds.js';

const record = { lost: 0, doubled: 0, reordered: 0, chainBroken: 0, undeclaredLoss: 0 };

describe('the journal and its uplink, held against the ledger of the platform', () => {
  it('lose, double and reorder nothing when they are killed, lose their power, their disk, their clock, their broker and their database', { timeout: 240_000 }, async () => {
    const { violations, faults, told, leftOut, ...found } = await runJournalRounds({ rounds: 10, seed: 5 });
    expect(violations).toEqual([]);
    expect(found).toMatchObject(record);
    expect(told).toBeGreaterThan(0);
    const met = (kinds: RegExp): number => Object.entries(faults).reduce((sum, [kind, count]) => sum + (kinds.test(kind) ? count : 0), 0);
    expect(met(/^killed-at-/u)).toBeGreaterThanOrEqual(10);
    for (const kinds of [/^clock-/u, /^database-/u]) expect(met(kinds), String(kinds)).toBeGreaterThan(0);
    if (leftOut.length > 0) {
      console.log(`left out, because there is no C compiler (cc) here: ${leftOut.join(', ')}`);
      return;
    }
    expect(met(/^power-cut(-nothing-dropped)?$/u)).toBeGreaterThanOrEqual(2);
    expect(Object.keys(faults).some((kind) => !kind.startsWith('power-cut') && journalDiskFaultKinds.includes(kind))).toBe(true);
  });

  it('do lose events on a disk that lies about synchronising, and that is noticed', { timeout: 240_000 }, async () => {
    const { lost, doubled, leftOut } = await runJournalRounds({ rounds: 4, seed: 1, liesAboutSync: true });
    if (leftOut.length > 0) {
      console.log('skipped: there is no C compiler (cc) here');
      return;
    }
    expect(lost + doubled).toBeGreaterThan(0);
  });
});
