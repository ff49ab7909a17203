import { describe, expect, test } from 'vitest';
import type { FindingCode } from '../../src/lane/index.js';
import { chinese, describeEvent, english, findingWords, type FindingData } from '../../src/web/view.js';

const findings: Readonly<Record<FindingCode, FindingData['facts']>> = {
  'loop-stuck-on': { minutes: 12, why: 'nothing-seen', keepsBoomUp: true },
  'loop-stuck-off': { vehicles: 4 },
  'loop-flutter': { perMinute: 31, short: 47 },
  'loop-crosstalk': { times: 9, withinMs: 100, otherLane: 'exit', otherLoop: 'approach' },
  'loop-disturbed-by-boom': { direction: 'down', times: 3, of: 6 },
  'loop-vision-disagree': { why: 'seen-not-felt', times: 4, of: 8 },
  'loop-drift': { why: 'drift', percent: 3.4, fromHz: 60_000, hz: 62_040 },
  'beam-stuck-on': { minutes: 5, why: 'loop-clear', keepsBoomUp: true },
  'beam-stuck-off': { vehicles: 4 },
  'beam-flutter': { perMinute: 31, short: 47 },
  'contact-flutter': { perMinute: 31, short: 47 },
  'button-stuck-on': { minutes: 5, why: 'time' },
  'limits-both-on': {},
  'limit-never-reached': { times: 2 },
  'input-unsteady': { times: 5 },
};

describe('findings in words', () => {
  test.each(Object.entries(findings))('%s names the sensor, every figure that was measured, and what to do, in both languages', (code, facts) => {
    for (const words of [english, chinese]) {
      const { what, todo } = findingWords({ code, sensors: ['closing'], facts }, words);
      expect(what).toContain(words.sensors['closing']);
      for (const name of ['minutes', 'vehicles', 'perMinute', 'times', 'percent', 'otherLane']) if (facts[name] !== undefined) expect(what).toContain(String(facts[name]));
      expect(todo.length).toBeGreaterThan(20);
      expect(`${what}${todo}`).not.toMatch(/undefined|NaN/u);
    }
  });

  test('the closing loop that stays on says that the boom stays up; the approach loop does not', () => {
    const words = (keepsBoomUp: boolean): string => findingWords({ code: 'loop-stuck-on', sensors: ['closing'], facts: { minutes: 6, why: 'beam-clear', keepsBoomUp } }, english).what;
    expect(words(true)).toContain('keeps the boom up');
    expect(words(false)).not.toContain('keeps the boom up');
  });

  test('a finding of a newer gate is shown by its code', () => {
    expect(findingWords({ code: 'loop-haunted', sensors: ['approach'], facts: {} }, english)).toEqual({ what: 'loop-haunted: Approach loop', todo: '' });
  });

  test('the events say what was found, what to do, and for how long it was', () => {
    const event = { id: 'x', epoch: 1, seq: 1, lane: 'entry', passage: null, wallMs: 0, clockTrusted: true };
    const payload = { code: 'beam-stuck-off', sensors: ['beam'], facts: { vehicles: 4 } };
    const raised = describeEvent({ ...event, type: 'diagnosis.raised', payload }, english);
    expect(raised).toMatchObject({ title: 'Found by diagnosis', tone: 'warn' });
    expect(raised.detail).toMatch(/Light beam: not interrupted by 4 vehicles.*Hold a hand into the beam/u);
    const cleared = describeEvent({ ...event, type: 'diagnosis.cleared', payload: { ...payload, activeMs: 300_000 } }, chinese);
    expect(cleared.detail).toContain('持续 5 分钟');
  });
});
