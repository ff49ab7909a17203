import { describe, expect, test } from 'vitest';
import { explore } from '../../scripts/laws/explore.js';
import { sites } from '../../scripts/laws/sites.js';

/** The short form of `npm run laws`, which goes to the end of every lane. */
describe('every order of inputs', () => {
  test.each(Object.entries(sites))('%s: no law is broken in the states nearest to the start', (_name, { settings, targets, operator, vehicles, outputFaults }) => {
    const { states, violations } = explore({ settings, targets, operator, mostVehicles: vehicles, mostOutputFaults: outputFaults, mostStates: 6_000, checkEvery: 40 });
    expect(violations).toEqual([]);
    expect(states).toBeGreaterThanOrEqual(6_000);
  }, 60_000);

  test('a lane whose inputs can always be read is seen whole', () => {
    const lane = sites['two loops'];
    if (lane === undefined) throw new Error('no such lane');
    const result = explore({ settings: lane.settings, unreadable: false, mostVehicles: 1, mostOutputFaults: 0, checkEvery: 200 });
    console.log(`two loops, readable: ${result.states} states, ${result.transitions} inputs, longest way ${result.depth}`);
    expect(result).toMatchObject({ complete: true, violations: [] });
    expect(result.compared).toBeGreaterThan(20);
    expect(result.states).toBeGreaterThan(1_000);
  }, 120_000);

  test('an exploration finds what the reducer would do wrong', () => {
    // A dead time that the lane is not told of: the watch goes by the true one.
    const lane = sites['two loops'];
    if (lane === undefined) throw new Error('no such lane');
    const careless = { ...lane.settings, deadTimeMs: 0 };
    const { violations } = explore({ settings: careless, judgedBy: lane.settings, mostVehicles: 1, mostOutputFaults: 0, mostStates: 60_000 });
    expect(violations.map(({ law }) => law)).toContain('S2');
  }, 60_000);
});
