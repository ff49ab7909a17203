import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { harmlessKinds, laneFaultKinds, planArbitrary, playLane, runLaneCampaign, type LanePlan, type LaneWorldReport, type PlanOptions } from '../../scripts/faults/lane/index.js';

// The laws of design.md §3 over random worlds, judged by the world and not by what the lane says of itself.

/** The same worlds in every run: new ones are looked for by the fault campaign, not by whoever commits next. */
const settings = { seed: 20_260_101 };

/** Plays random worlds of a sort until enough vehicles have passed; a failing world is shown as the smallest plan that fails. */
async function playUntil(passages: number, options: PlanOptions, judge: (report: LaneWorldReport) => void): Promise<void> {
  let seen = 0;
  await fc.assert(
    fc.asyncProperty(planArbitrary(options), async (plan) => {
      if (seen >= passages) return;
      const report = await playLane(plan);
      expect(report.violations).toEqual([]);
      judge(report);
      seen += report.passages;
    }),
    { ...settings, numRuns: passages },
  );
  expect(seen).toBeGreaterThanOrEqual(passages);
}

function samplePlan(options: PlanOptions): LanePlan {
  const [plan] = fc.sample(planArbitrary(options), { ...settings, numRuns: 1 });
  if (plan === undefined) expect.fail('no plan was drawn');
  return plan;
}

const timeout = 300_000;

describe('the real lane logic in random worlds', () => {
  it('gives every vehicle of an orderly stream exactly one passage with the right end', { timeout }, async () => {
    await playUntil(400, { traffic: 'orderly', faults: [], mostVehicles: 40 }, (report) => {
      expect(report).toMatchObject({ miscounted: 0, unsafeMovements: 0 });
    });
  });

  it('is safe and counts right whatever drivers do', { timeout }, async () => {
    await playUntil(400, { traffic: 'anything', faults: [], mostVehicles: 40 }, (report) => {
      expect(report).toMatchObject({ miscounted: 0, unsafeMovements: 0 });
    });
  });

  it('counts right while only the record, the temperature or the wall clock is out of order', { timeout }, async () => {
    await playUntil(200, { traffic: 'anything', faults: harmlessKinds, mostVehicles: 40 }, (report) => {
      expect(report).toMatchObject({ miscounted: 0, unsafeMovements: 0 });
    });
  });

  it('is safe whatever breaks', { timeout }, async () => {
    await playUntil(1_000, { traffic: 'anything', faults: laneFaultKinds, mostVehicles: 40 }, (report) => {
      expect(report.unsafeMovements).toBe(0);
    });
  });

  it('plays a plan the same every time, so that a failure can be looked at again', { timeout }, async () => {
    const plan = samplePlan({ traffic: 'anything', faults: laneFaultKinds, mostVehicles: 10 });
    expect(await playLane(plan)).toEqual(await playLane(plan));
  });

  it('gives the same campaign for the same seed', { timeout }, async () => {
    const run = (): ReturnType<typeof runLaneCampaign> => runLaneCampaign({ seed: 3, passages: 40, workers: 1 });
    expect(await run()).toEqual(await run());
  });
});

describe('the judge of random worlds', () => {
  const oneCar = (lane: Partial<LanePlan['lane']>, faults: LanePlan['faults']): LanePlan => ({
    seed: 1,
    lane: {
      direction: 'entry',
      closing: 'gateway-closes',
      drive: 'pulse',
      antiTailgate: 0,
      closeContact: true,
      stopContact: false,
      lamps: false,
      beam: false,
      openLimit: true,
      closedLimit: true,
      pulseMs: 400,
      deadTimeMs: 500,
      openTimeMs: 1_800,
      closeTimeMs: 1_800,
      closeDelayMs: 1_000,
      autoCloseMs: 8_000,
      earlyDecision: true,
      learnRunTimes: true,
      powerUp: 'close',
      softwareDeath: 'release',
      inputsLost: 'stay',
      relayLost: 'release',
      schedule: false,
      timesPulses: true,
      motor: 1,
      ...lane,
    },
    vehicles: [{ gapMs: 0, kind: 'car', tag: 'resident', plated: true, intention: { kind: 'drive' }, speedMps: 4, patienceMs: 9_000, queueGapM: 2, lateralM: 0 }],
    walkers: [],
    faults,
  });

  it('counts a lone resident as one passage', async () => {
    expect(await playLane(oneCar({}, []))).toMatchObject({ passages: 1, told: 1, miscounted: 0, violations: [] });
  });

  it('comes to an end where the gateway is stopped while the boom goes down', { timeout: 20_000 }, async () => {
    const late = { kind: 'command-open', atMs: 11_500, forMs: 500, which: 0, strength: 0 } as const;
    expect(await playLane(oneCar({ autoCloseMs: 43_700 }, [late]))).toMatchObject({ faults: { 'command-open': 1 }, violations: [] });
  });

  const unseen = { openLimit: false, closedLimit: false } as const;

  it('has somebody send down an arm that stayed up over its closing order, unknown to a lane without switches', async () => {
    const welded = { kind: 'relay-welded', atMs: 4_000, forMs: 12_000, which: 0, strength: 0 } as const;
    const report = await playLane(oneCar(unseen, [welded]));
    expect(report).toMatchObject({ faults: { 'relay-welded': 1 }, violations: [] });
  });

  it('does not take a fault for one that this lane cannot have', async () => {
    const beam = { kind: 'beam-fault', atMs: 2_000, forMs: 1_000, which: 0, strength: 0 } as const;
    expect((await playLane(oneCar({}, [beam]))).faults).toEqual({});
    expect((await playLane(oneCar({ beam: true }, [beam]))).faults).toEqual({ 'beam-fault': 1 });
  });
});
