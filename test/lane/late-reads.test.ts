import { describe, expect, test } from 'vitest';
import { Bench } from './fixtures.js';

/** A resident and a stranger; see `Bench.residents`. */
const RESIDENT = '京A12345';
const STRANGER = '京Q00001';

/** A vehicle whose plate is not read while it is here; it is let through by a person. */
function unreadPasses(bench: Bench): Bench {
  bench.on('approach').pass(5_000).command('open').pass(3_500).driveThrough().pass(6_000);
  expect(bench.ends.at(-1)).toBe('entered');
  return bench;
}

function opened(bench: Bench): number {
  return bench.drivenAt('open pulse').length;
}

describe('a recogniser that falls behind', () => {
  test('the next vehicle is not let in on the plate of the one before, told while it stands on the loop', () => {
    const bench = unreadPasses(new Bench().ready());
    const before = opened(bench);
    bench.on('approach').pass(500);
    for (let agoMs = 12_000; agoMs > 11_000; agoMs -= 200) bench.hearsLate('t1', RESIDENT, agoMs).pass(200);
    bench.hearsLate('t1', RESIDENT, 11_000, { ended: true }).pass(10_000);
    expect(bench.decides.slice(-1)).toEqual([null]);
    expect(bench.events('passage.read')).toEqual([]);
    expect(opened(bench)).toBe(before);
  });

  test('nor on one told before it trips the loop, and no admission of a vehicle that has gone is foreseen', () => {
    const bench = unreadPasses(new Bench().ready());
    const before = opened(bench);
    for (let agoMs = 12_000; agoMs > 11_000; agoMs -= 200) bench.hearsLate('t1', RESIDENT, agoMs).pass(200);
    expect(bench.decides).not.toContain(RESIDENT);
    expect(bench.events('passage.foreseen')).toEqual([]);
    bench.on('approach').pass(10_000);
    expect(bench.decides).not.toContain(RESIDENT);
    expect(opened(bench)).toBe(before);
  });

  test('nor on the plate of a vehicle two before it', () => {
    const bench = unreadPasses(unreadPasses(new Bench().ready()));
    const before = opened(bench);
    bench.on('approach').hearsLate('t1', RESIDENT, 32_000).pass(10_000);
    expect(bench.decides).not.toContain(RESIDENT);
    expect(opened(bench)).toBe(before);
  });

  test('its own plate, told late, lets it in while it waits', () => {
    const bench = unreadPasses(new Bench().ready());
    const before = opened(bench);
    bench.hearsLate('t1', STRANGER, 12_000).on('approach').pass(6_000);
    expect(opened(bench)).toBe(before);
    bench.hearsLate('t2', RESIDENT, 5_500).pass(1_000);
    expect(bench.events('passage.read').map(({ plate }) => plate)).toEqual([RESIDENT]);
    expect(opened(bench)).toBe(before + 1);
  });

  test('a vehicle in the place of the one before, under its track, does not pass for it until it is read itself', () => {
    const bench = unreadPasses(new Bench().ready());
    const before = opened(bench);
    bench.on('approach');
    for (let readAgoMs = 12_000; readAgoMs < 18_000; readAgoMs += 500) bench.hearsLate('t1', RESIDENT, 100, { readAgoMs, decisive: false }).pass(500);
    expect(bench.decides).not.toContain(RESIDENT);
    expect(opened(bench)).toBe(before);
  });

  test('a plate that left the picture long before anybody came is nobody’s, however late it is told', () => {
    const bench = new Bench().ready().pass(20_000);
    bench.hearsLate('t1', RESIDENT, 15_000).on('approach').pass(10_000);
    expect(bench.decides).toEqual([null]);
    expect(opened(bench)).toBe(0);
  });

  test('a resident behind a stranger who cannot be read for sure does not open for him, though both are told late', () => {
    const bench = new Bench().ready().on('approach').pass(500);
    for (let at = 0; at < 3; at += 1) bench.hearsLate('t1', STRANGER, 1_500, { decisive: false, width: 0.15 }).hearsLate('t2', RESIDENT, 1_500, { width: 0.1 }).pass(900);
    expect(bench.events('passage.read').map(({ plate }) => plate)).not.toContain(RESIDENT);
    expect(opened(bench)).toBe(0);
  });
});

describe('a recogniser that keeps up', () => {
  test('opens on the edge of the loop for who was read behind the vehicle that has just driven on', () => {
    const bench = new Bench().ready().sees('t1', STRANGER).on('approach').pass(1_000).command('open').pass(3_500);
    bench.sees('t2', RESIDENT).driveThrough().sees('t1', STRANGER, { ended: true }).pass(6_000);
    const before = opened(bench);
    bench.on('approach');
    expect(opened(bench)).toBe(before + 1);
    expect(bench.drivenAt('open pulse').at(-1)).toBe(bench.nowMs);
  });
});

describe('a vote that the reads of another vehicle bring down', () => {
  test('takes the certainty of a plate and does not put another in its place: who decides is told how unsure it is', () => {
    const bench = new Bench().ready().on('approach').sees('t1', RESIDENT, { decisive: false, confidence: 0.95 }).pass(400);
    expect(bench.events('passage.read').map(({ plate }) => plate)).toEqual([RESIDENT]);
    bench.sees('t1', STRANGER, { decisive: false, confidence: 0 }).pass(10_000);
    expect(bench.events('passage.read').map(({ plate }) => plate)).toEqual([RESIDENT]);
    expect(bench.events('passage.decided').at(-1)).toMatchObject({ plate: RESIDENT, confidence: 0 });
    bench.driveThrough().pass(6_000);
    expect(bench.events('passage.ended').at(-1)).toMatchObject({ plate: RESIDENT, confidence: 0 });
  });

  test('gives way to one that is sure', () => {
    const bench = new Bench().ready().on('approach').sees('t1', RESIDENT, { decisive: false, confidence: 0.95 }).pass(400);
    bench.sees('t1', STRANGER, { decisive: false, confidence: 0 }).pass(400).sees('t1', STRANGER, { decisive: true, confidence: 0.99 }).pass(400);
    expect(bench.events('passage.read').map(({ plate }) => plate)).toEqual([RESIDENT, STRANGER]);
    expect(opened(bench)).toBe(0);
  });
});
