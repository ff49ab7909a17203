import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SignalState } from '../../../src/base/index.js';
import type { DetectorFault } from '../../../src/sim/index.js';
import { Day, HOUR, MINUTE, SECOND, workingDay, type DayOptions } from './day.js';

const everyFortySeconds = (): number => 40 * SECOND;

describe('healthy lanes in a simulated street', () => {
  test('whoever comes and whatever drivers do, nothing is found', { timeout: 240_000 }, async () => {
    const sites = fc.record({
      seed: fc.integer({ min: 1, max: 1_000_000 }),
      vision: fc.boolean(),
      beam: fc.boolean(),
      limits: fc.boolean(),
      closing: fc.constantFrom('gateway-closes' as const, 'barrier-closes' as const),
      startHour: fc.constantFrom(0, 4, 7, 12, 17, 22),
    });
    await fc.assert(
      fc.asyncProperty(sites, async ({ startHour, ...site }: DayOptions & { startHour: number }) => {
        const day = new Day(site);
        await day.start();
        day.trouble();
        await day.run(HOUR, workingDay, startHour);
        expect(day.raised()).toEqual([]);
        await day.stop();
      }),
      { seed: 20_260_101, numRuns: 4, endOnFailure: true },
    );
  });
});

/** Breaks something; returns the way to mend it. */
type Breaking = (day: Day) => () => void;

function detector(fault: DetectorFault, line: string): Breaking {
  return (day) => {
    day.device.inject({ kind: fault, line });
    return () => day.device.repair(line);
  };
}

/** One line goes on for a moment whenever another does. */
function follows(line: string, source: string): Breaking {
  return (day) =>
    day.device.input({ device: 'world', line: source }).onChange(({ state }: { readonly state: SignalState }) => {
      if (state !== 'on') return;
      day.clock.after(30, () => {
        day.device.inject({ kind: 'stuck-on', line });
        day.clock.after(400, () => day.device.repair(line));
      });
    });
}

/** The falling arm, half-way down, trips the loop under it. */
const armTripsLoop: Breaking = (day) => {
  const { boom } = day.world.lane('entry');
  let low = false;
  return day.world.onStep(() => {
    const nowLow = boom.movingDown && boom.position < 0.5;
    if (nowLow && !low) {
      day.device.inject({ kind: 'stuck-on', line: 'entry.closing' });
      day.clock.after(500, () => day.device.repair('entry.closing'));
    }
    low = nowLow;
  });
};

const looseCable: Breaking = (day) => {
  const act = (nowMs: number): void => {
    if (nowMs % (7 * MINUTE) === 0) day.device.inject({ kind: 'unknown', line: 'entry.approach' });
    if (nowMs % (7 * MINUTE) === 2 * SECOND) day.device.repair('entry.approach');
  };
  day.everySecond.push(act);
  return () => {
    day.everySecond.splice(day.everySecond.indexOf(act), 1);
    day.device.repair('entry.approach');
  };
};

describe('a fault in a street with traffic is found, told of once, and over when it is mended', () => {
  test.each<readonly [string, Breaking, string, number]>([
    ['approach loop stuck on', detector('stuck-on', 'entry.approach'), 'loop-stuck-on approach', 15],
    ['closing loop stuck on', detector('stuck-on', 'entry.closing'), 'loop-stuck-on closing', 6],
    ['approach loop dead', detector('stuck-off', 'entry.approach'), 'loop-stuck-off approach', 15],
    ['closing loop dead', detector('stuck-off', 'entry.closing'), 'loop-stuck-off closing', 10],
    ['beam stuck on', detector('stuck-on', 'entry.beam'), 'beam-stuck-on beam', 6],
    ['beam dead', detector('stuck-off', 'entry.beam'), 'beam-stuck-off beam', 10],
    ['approach loop flickers', detector('flicker', 'entry.approach'), 'loop-flutter approach', 1],
    ['closing loop flickers', detector('flicker', 'entry.closing'), 'loop-flutter closing', 1],
    ['beam flickers', detector('flicker', 'entry.beam'), 'beam-flutter beam', 1],
    ['open limit dead', detector('stuck-off', 'entry.openLimit'), 'limit-never-reached openLimit', 10],
    ['closed limit stuck on', detector('stuck-on', 'entry.closedLimit'), 'limits-both-on openLimit+closedLimit', 5],
    ['button stuck', detector('stuck-on', 'entry.button'), 'button-stuck-on button', 6],
    ['loose cable', looseCable, 'input-unsteady approach', 40],
    ['crosstalk between lanes', follows('exit.approach', 'entry.approach'), 'loop-crosstalk approach', 20],
    ['crosstalk in a lane', follows('entry.closing', 'entry.approach'), 'loop-crosstalk approach+closing', 20],
    ['arm over the loop', armTripsLoop, 'loop-disturbed-by-boom closing', 10],
  ])('%s', { timeout: 120_000 }, async (_name, breaking, finding, withinMinutes) => {
    const day = new Day({ seed: 5 });
    await day.start();
    await day.run(10 * MINUTE, everyFortySeconds);
    expect(day.raised()).toEqual([]);

    const mend = breaking(day);
    await day.run(withinMinutes * MINUTE, everyFortySeconds);
    expect(day.changes.map(({ lane, change, finding: { code, sensors } }) => `${lane} ${change} ${code} ${sensors.join('+')}`)).toEqual([`entry raised ${finding}`]);
    // It is in the lane's own view, for the page and the command line.
    expect(day.runners.get('entry')?.view().findings).toHaveLength(1);

    mend();
    await day.run(30 * MINUTE, everyFortySeconds);
    expect(day.changes.map(({ change }) => change)).toEqual(['raised', 'cleared']);
    expect(day.runners.get('entry')?.view().findings).toEqual([]);
    await day.stop();
  });
});
