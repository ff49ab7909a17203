import { describe, expect, it } from 'vitest';
import { eventLine } from '../../src/cli/events.js';
import { chinese, describeEvent, english, timeOfEvent, type EventData } from '../../src/web/view.js';

const then = new Date(2026, 0, 1, 8).getTime();
const noon = new Date(2026, 6, 1, 12).getTime();
const event = (more: Partial<EventData> = {}): EventData => ({ id: 'x', epoch: 1, seq: 7, type: 'gate.started', lane: null, passage: null, wallMs: then, clockTrusted: false, payload: {}, ...more });
const day = (wallMs: number): string => new Date(wallMs).toLocaleDateString('en-CA');

describe('the time of an event, for a person', () => {
  it.each([
    ['known when it happened', event({ clockTrusted: true, wallMs: noon }), '2026-07-01 12:00:00  #7'],
    ['corrected afterwards', event({ correctedWallMs: noon }), '2026-07-01 12:00:00~ #7'],
    ['not known', event(), '2026-01-01 08:00:00? #7'],
  ])('%s', (_, one, line) => {
    expect(eventLine(one, english)).toContain(line);
  });

  it('says what the clock said then, or between which times an event of an unknown time lies', () => {
    expect(timeOfEvent(event({ correctedWallMs: noon }), english, day).note).toBe('corrected afterwards; the clock said 2026-01-01');
    expect(timeOfEvent(event({ wallNotBeforeMs: then, wallNotAfterMs: noon }), english, day).note).toBe('The clock was not set. Not before 2026-01-01. Not after 2026-07-01.');
    expect(timeOfEvent(event({ wallNotAfterMs: noon }), chinese, day).note).toBe('当时时钟未校准。 不晚于 2026-07-01。');
  });

  it('a step of the clock shows from when to when, and who said so', () => {
    expect(describeEvent(event({ type: 'clock.stepped', payload: { fromMs: then, toMs: noon, source: 'ntp' } }), english)).toMatchObject({ title: 'Clock corrected', detail: '2026-01-01 08:00:00 → 2026-07-01 12:00:00 · ntp' });
    expect(describeEvent(event({ type: 'clock.backwards', payload: { boundMs: noon, wallMs: then } }), english)).toMatchObject({ title: 'Time ran backwards', detail: '2026-07-01 12:00:00 → 2026-01-01 08:00:00', tone: 'bad' });
  });
});
