import { describe, expect, it } from 'vitest';
import { ManualClock, silentLog } from '../../src/base/index.js';
import { ClockTrust, readClockEvidence, type ClockEvidence } from '../../src/ops/index.js';

function make(startWallMs: number, evidence: () => ClockEvidence): { clock: ManualClock; trust: ClockTrust; steps: number[]; trusted: number[] } {
  const clock = new ManualClock(startWallMs);
  const steps: number[] = [];
  const trusted: number[] = [];
  const trust = new ClockTrust({
    clock,
    log: silentLog,
    evidence: () => Promise.resolve(evidence()),
    onStep: (deltaMs) => steps.push(deltaMs),
    onTrusted: () => trusted.push(clock.wallMs()),
  });
  return { clock, trust, steps, trusted };
}

const summer2026 = Date.UTC(2026, 6, 1);

describe('trust in the clock', () => {
  it('comes with the time service, once', async () => {
    let evidence: ClockEvidence = 'unsynchronised';
    const { clock, trust, trusted } = make(summer2026, () => evidence);
    expect(trust.trusted()).toBe(false);
    trust.start();
    await clock.advanceAsync(30_000);
    expect(trust.trusted()).toBe(false);
    evidence = 'synchronised';
    await clock.advanceAsync(30_000);
    expect(trust.trusted()).toBe(true);
    expect(trusted.length).toBe(1);
    trust.stop();
  });

  it('a box that wakes in 1970 is believed only after the network set its clock, and the step is told', async () => {
    const { clock, trust, steps, trusted } = make(5_000, () => 'synchronised');
    trust.start();
    await clock.advanceAsync(20_000);
    expect(trust.trusted()).toBe(false);
    clock.stepWall(summer2026);
    await clock.advanceAsync(1_000);
    expect(steps).toEqual([summer2026]);
    expect(trust.trusted()).toBe(true);
    expect(trusted.length).toBe(1);
    trust.stop();
  });

  it('tells steps both ways and keeps silent about slewing', async () => {
    const { clock, trust, steps } = make(summer2026, () => 'synchronised');
    trust.start();
    for (let second = 0; second < 10; second += 1) {
      clock.stepWall(1);
      await clock.advanceAsync(1_000);
    }
    expect(steps).toEqual([]);
    clock.stepWall(-3_600_000);
    await clock.advanceAsync(1_000);
    clock.stepWall(2_000);
    await clock.advanceAsync(1_000);
    expect(steps).toEqual([-3_600_000, 2_000]);
    trust.stop();
    clock.stepWall(9_000);
    await clock.advanceAsync(5_000);
    expect(steps.length).toBe(2);
  });

  it('a clock set back before this software existed is not believed any more', async () => {
    const { clock, trust } = make(summer2026, () => 'synchronised');
    trust.start();
    await clock.advanceAsync(1_000);
    expect(trust.trusted()).toBe(true);
    clock.stepWall(-summer2026);
    expect(trust.trusted()).toBe(false);
    trust.stop();
  });

  it('believes a plausible time where nothing can be asked, as in a container', async () => {
    const { clock, trust } = make(summer2026, () => 'silent');
    trust.start();
    await clock.advanceAsync(1_000);
    expect(trust.trusted()).toBe(true);
    trust.stop();
  });

  it('reads the evidence of this machine', async () => {
    expect(['synchronised', 'unsynchronised', 'silent']).toContain(await readClockEvidence(Date.now(), 0));
  });
});
