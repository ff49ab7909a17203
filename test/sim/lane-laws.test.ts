import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { laneFaultKinds, runLaneWorld, runOneLaneWorld } from '../../scripts/faults/lane-world.js';

// The laws of design.md §3 over random worlds, judged by the world and not by what the lane says of itself.

const seeds = fc.integer({ min: 1, max: 1_000_000 });
/** The same worlds in every run: new ones are looked for by the fault campaign, not by whoever commits next. */
const settings = { seed: 20_260_101, endOnFailure: true, interruptAfterTimeLimit: 60_000 };

describe('the real lane logic in random worlds', () => {
  it('gives every vehicle of an orderly stream exactly one passage with the right end', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const report = await runOneLaneWorld({ seed, passages: 20, traffic: 'orderly' });
        expect(report.violations).toEqual([]);
        expect(report).toMatchObject({ told: report.passages, miscounted: 0, unsafeMovements: 0 });
      }),
      { ...settings, numRuns: 8 },
    );
  });

  it('is safe and counts right whatever drivers do', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const report = await runOneLaneWorld({ seed, passages: 25 });
        expect(report.violations).toEqual([]);
        expect(report).toMatchObject({ miscounted: 0, unsafeMovements: 0 });
      }),
      { ...settings, numRuns: 8 },
    );
  });

  it('is safe whatever breaks', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const report = await runOneLaneWorld({ seed, passages: 25, faults: laneFaultKinds });
        expect(report.violations).toEqual([]);
        expect(report.unsafeMovements).toBe(0);
      }),
      { ...settings, numRuns: 8 },
    );
  });

  it.each(laneFaultKinds)('is safe under %s alone', { timeout: 60_000 }, async (kind) => {
    const report = await runOneLaneWorld({ seed: 77, passages: 10, faults: [kind] });
    expect(report.violations).toEqual([]);
    expect(report.faults[kind]).toBeGreaterThan(0);
  });

  it('gives the same report for the same seed', { timeout: 60_000 }, async () => {
    const run = (): ReturnType<typeof runLaneWorld> => runLaneWorld({ seed: 3, passages: 40 });
    expect(await run()).toEqual(await run());
  });
});
