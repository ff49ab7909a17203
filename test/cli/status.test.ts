import * as z from 'zod/mini';
import { describe, expect, it } from 'vitest';
import { statusText } from '../../src/cli/status.js';
import { clockHealth, type ClockState } from '../../src/ops/index.js';
import { english, statusSchema } from '../../src/web/view.js';

const well: ClockState = { trusted: true, vouched: true, source: 'gnss', boundMs: 0, backwards: false, steps: 0, sinceSynchronisedS: 4, mayBeOffMs: 0, oscillatorPpm: -12.04, alonePpm: null };

/** The row of the clock in `gatectl status`. */
function row(clock: ClockState): string {
  const status = z.parse(statusSchema, { lanes: [], clockTrusted: clock.trusted, clock: { ...clock, health: clockHealth(clock) } });
  return statusText(status, english).split('\n').find((line) => line.startsWith('Clock')) ?? '';
}

describe('the clock in gatectl status', () => {
  it.each<[string, ClockState, RegExp]>([
    ['kept by a receiver', well, /^Clock {2}trusted \(gnss\); loses 1\.0 s a day by itself \(-12\.0 ppm\)$/u],
    ['not known', { ...well, trusted: false, vouched: false, source: null, oscillatorPpm: null }, /^Clock {2}not trusted; the time is not known.*Connect the box to a time server/u],
    ['drifting by 200 ppm', { ...well, oscillatorPpm: 200 }, /the clock gains 17\.3 s a day by itself \(200 ppm\)\. Keep a time service reachable/u],
    ['left alone', { ...well, vouched: false, source: 'ntp', oscillatorPpm: null, sinceSynchronisedS: 20 * 86_400, mayBeOffMs: 86_400 }, /trusted \(ntp, nothing keeps it now\); no time service for 20 days; the clock may be off by 86 s/u],
    ['gone back', { ...well, trusted: false, source: null, backwards: true, boundMs: Date.UTC(2026, 6, 1) }, /time ran backwards.*2026-07-01T00:00:00\.000Z/u],
  ])('%s', (_, clock, shown) => {
    expect(row(clock)).toMatch(shown);
  });
});
