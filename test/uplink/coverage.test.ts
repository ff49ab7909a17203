import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Backoff } from '../../src/uplink/backoff.js';
import { Coverage } from '../../src/uplink/coverage.js';

describe('coverage', () => {
  it('reaches as far as there is no hole, in whatever order the ranges come', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.nat(8)), { maxLength: 30 }), (start, ranges) => {
        const coverage = new Coverage(start);
        const seen = new Set(Array.from({ length: start }, (_, index) => index + 1));
        for (const [first, more] of ranges) {
          coverage.add(first, first + more);
          for (let seq = first; seq <= first + more; seq += 1) seen.add(seq);
          let through = start;
          while (seen.has(through + 1)) through += 1;
          expect(coverage.through).toBe(through);
          for (let seq = 1; seq <= 70; seq += 1) expect(coverage.has(seq)).toBe(seen.has(seq));
        }
      }),
    );
  });
});

describe('back-off', () => {
  it('grows to its limit, spreads over the whole range, and starts small again after a good connection', () => {
    const backoff = new Backoff(100, 1_000, () => 0.5);
    expect([1, 2, 3, 4, 5, 6].map(() => backoff.nextMs())).toEqual([50, 100, 200, 400, 500, 500]);
    backoff.reset();
    expect(backoff.nextMs()).toBe(50);
    expect(new Backoff(100, 1_000, () => 0).nextMs()).toBe(0);
  });
});
