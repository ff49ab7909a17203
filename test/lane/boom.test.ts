import { describe, expect, test } from 'vitest';
import { closingGuards, openingGuards, nextDueMs } from '../../src/lane/index.js';
import { Bench } from './fixtures.js';

const LIMITS = { sensors: ['openLimit', 'closedLimit'] } as const;

function closedByLimit(): Bench {
  return new Bench(LIMITS).ready({ closedLimit: 'on' });
}

describe('barrier that closes by itself', () => {
  const OWN = { barrier: { closing: 'barrier-closes' } } as const;

  test('the gateway opens, never closes, and infers the rest from the closing loop', () => {
    const bench = new Bench(OWN).ready();
    expect(bench.boom).toBe('closed');
    bench.sees('t1', '京A12345').on('approach').pass(4_000);
    expect(bench.boom).toBe('open');
    bench.driveThrough();
    expect(bench.boom).toBe('closing');
    bench.pass(4_000);
    expect(bench.boom).toBe('closed');
    expect(bench.drives).toEqual(['open pulse']);
    expect(bench.ends).toEqual(['entered']);
  });

  test('a boom still up from the last car is not taken for the opening of the next', () => {
    const bench = new Bench(OWN).ready().sees('t1', '京A12345').sees('t2', '沪B67890').on('approach').pass(4_000);
    bench.sees('t1', '京A12345', { ended: true }).on('closing').pass(500).off('approach').pass(200).on('approach').pass(200);
    const before = bench.drives.length;
    const clearedMs = bench.nowMs;
    bench.off('closing').pass(10);
    expect(bench.drives.length).toBeGreaterThan(before);
    expect(bench.drivenAt('open pulse').at(-1)).toBe(clearedMs);
    bench.pass(4_000).driveThrough().pass(5_000);
    expect(bench.ends).toEqual(['entered', 'entered']);
  });

  test('each vehicle let through gets its own opening, also while the boom is up', () => {
    const bench = new Bench(OWN).ready().command('open').pass(4_000).on('closing').pass(100).sees('t1', '京A12345').on('approach').pass(100);
    expect(bench.causes('open')).toEqual(['command', 'decision']);
  });

  test('something under the lowering boom is mirrored to the board', () => {
    const bench = new Bench(OWN).ready().sees('t1', '京A12345').on('approach').pass(4_000).driveThrough().pass(500).on('closing');
    expect(bench.causes('open')).toEqual(['decision', 'obstruction']);
  });

  test('an opening nobody used ends, and the boom is believed to come down', () => {
    const bench = new Bench(OWN).ready().command('open').pass(30_000);
    expect(bench.ends).toEqual(['abandoned']);
    expect(bench.boom).toBe('closed');
    expect(bench.events('boom.closing')).toMatchObject([{ by: 'barrier', cause: { kind: 'auto-close' } }]);
  });

  test('hold keeps the open contact closed, release lets it go', () => {
    const bench = new Bench(OWN).ready().command('hold').pass(4_000);
    bench.on('closing').pass(300).off('closing').pass(60_000);
    expect(bench.boom).toBe('open');
    bench.command('release');
    expect(bench.drives).toEqual(['open hold', 'open release']);
    expect(bench.boom).toBe('closing');
    bench.pass(5_000);
    expect(bench.boom).toBe('closed');
  });

  test('fire holds the open contact over an opening under way, and STOP lets it go', () => {
    const bench = new Bench({ ...OWN, sensors: ['fire', 'stop'] }).ready().command('open').pass(100).on('fire').pass(5_000).on('stop').pass(100);
    expect(bench.drives).toEqual(['open pulse', 'open hold', 'open release']);
    bench.off('stop');
    expect(bench.drives.at(-1)).toBe('open hold');
    bench.off('fire').pass(10_000);
    expect(bench.drives.at(-1)).toBe('open release');
  });

  test('a limit switch that says open is believed before the inference', () => {
    const bench = new Bench({ ...OWN, ...LIMITS }).ready({ closedLimit: 'on' }).sees('t1', '京A12345').on('approach').off('closedLimit').pass(3_000).on('openLimit').driveThrough();
    expect(bench.boom).toBe('closing');
    bench.pass(15_000);
    expect(bench.boom).toBe('open');
    bench.off('openLimit').pass(2_000).on('closedLimit');
    expect(bench.boom).toBe('closed');
    expect(bench.attention).toEqual([]);
  });
});

describe('limit switches and the motor-run watchdog', () => {
  test('they end the movements', () => {
    const bench = closedByLimit().command('open').pass(100).off('closedLimit').pass(2_000).on('openLimit');
    expect(bench.boom).toBe('open');
    bench.command('close').pass(100).off('openLimit').pass(2_000).on('closedLimit');
    expect(bench.boom).toBe('closed');
    expect(bench.replies).toEqual(['done', 'done']);
    expect(bench.events('boom.fault')).toEqual([]);
  });

  test('an open limit that is not reached is a fault that calls for help', () => {
    const bench = closedByLimit().command('open').pass(100).off('closedLimit').pass(13_000);
    expect(bench.boom).toBe('fault');
    expect(bench.events('boom.fault')).toEqual([{ detail: 'open limit not reached' }]);
    expect(bench.attention).toEqual(['boom-fault']);
    expect(bench.replies).toEqual(['failed boom-fault']);
    bench.pass(120_000);
    expect(bench.drives).toEqual(['open pulse']);
    bench.on('openLimit');
    expect(bench.attention).toEqual([]);
  });

  test('a closed limit that is not reached is a fault, and a person may try again', () => {
    const bench = closedByLimit().command('open').off('closedLimit').pass(3_000).on('openLimit').command('close').pass(50).off('openLimit').pass(14_000);
    expect(bench.events('boom.fault')).toEqual([{ detail: 'closed limit not reached' }]);
    bench.command('close').pass(3_000).on('closedLimit');
    expect(bench.boom).toBe('closed');
    expect(bench.replies).toEqual(['done', 'failed boom-fault', 'done']);
  });

  test('a boom that does not leave its limit is a fault, with one switch wired', () => {
    const bench = new Bench({ sensors: ['closedLimit'] }).ready({ closedLimit: 'on' }).command('open').pass(5_000);
    expect(bench.events('boom.fault')).toEqual([{ detail: 'open limit not reached' }]);
  });

  test('fire tries again after a fault', () => {
    const bench = new Bench({ sensors: ['openLimit', 'closedLimit', 'fire'] }).ready({ closedLimit: 'on' }).on('fire').pass(30_000);
    expect(bench.drives.filter((drive) => drive === 'open pulse').length).toBeGreaterThan(1);
  });

  test('both limits at once are not believed, and reported', () => {
    const bench = closedByLimit().on('openLimit');
    expect(bench.attention).toEqual(['limits-disagree']);
    bench.command('open').pass(4_000);
    expect(bench.boom).toBe('open');
    bench.off('closedLimit');
    expect(bench.attention).toEqual([]);
  });

  test('a limit switch that fails under way lets the run time count', () => {
    const bench = closedByLimit().command('open').off('closedLimit').pass(2_000).sensor('openLimit', 'fault').pass(1_500);
    expect(bench.boom).toBe('open');
  });

  test('a boom lifted by hand is noticed, lowered after a while, and a person sees it', () => {
    const bench = closedByLimit().off('closedLimit');
    expect(bench.boom).toBe('opening');
    expect(bench.attention).toEqual(['boom-moved']);
    bench.pass(2_000).on('openLimit').pass(5_000);
    expect(bench.boom).toBe('open');
    bench.pass(10_000);
    expect(bench.causes('close')).toEqual(['auto-close']);
    bench.off('openLimit').pass(2_000).on('closedLimit');
    expect(bench.attention).toEqual([]);
  });

  test('a closed limit that flickers settles again', () => {
    const bench = closedByLimit().off('closedLimit').pass(20).on('closedLimit');
    expect(bench.boom).toBe('closed');
    expect(bench.drives).toEqual([]);
  });

  test('an open boom that sinks by itself is raised for whoever comes under it', () => {
    const bench = closedByLimit().command('hold').off('closedLimit').pass(3_000).on('openLimit').pass(2_000).off('openLimit').pass(100);
    expect(bench.attention).toContain('boom-moved');
    expect(bench.causes('open')).toEqual(['command', 'command']);
    bench.on('openLimit');
    expect(bench.boom).toBe('open');
  });

  test('limits that show a boom elsewhere than believed are followed', () => {
    const open = closedByLimit().off('closedLimit').on('openLimit');
    expect(open.boom).toBe('open');
    const jump = new Bench({ sensors: ['openLimit'] }).ready();
    expect(jump.boom).toBe('closed');
    jump.on('openLimit');
    expect(jump.boom).toBe('open');
    const drop = new Bench({ sensors: ['closedLimit'] }).ready({ closedLimit: 'on' }).command('hold').off('closedLimit').pass(4_000).on('closedLimit');
    expect(drop.causes('open')).toEqual(['command', 'command']);
    expect(drop.attention).toContain('boom-moved');
  });
});

describe('contacts and limits', () => {
  test('a boom that is up before its pulse has ended is closed only after the dead time', () => {
    const bench = closedByLimit().command('open').off('closedLimit').pass(100).on('openLimit').command('close').pass(5_000);
    const openedMs = bench.drivenAt('open pulse')[0] ?? 0;
    expect(bench.drivenAt('close pulse')[0]).toBe(openedMs + 400 + 500);
  });

  test('an open limit that flickers while the boom is driven down does not end the movement', () => {
    const bench = closedByLimit().command('open').off('closedLimit').pass(3_000).on('openLimit').command('close').pass(50).off('openLimit').pass(10).on('openLimit').off('openLimit');
    expect(bench.boom).toBe('closing');
  });

  test('an open limit that flickers under a board that holds the boom up settles again', () => {
    const bench = new Bench({ barrier: { closing: 'barrier-closes' }, ...LIMITS }).ready({ openLimit: 'on' }).off('openLimit');
    expect(bench.boom).toBe('closing');
    bench.on('openLimit');
    expect(bench.boom).toBe('open');
  });
});

describe('an order to open that the board of the barrier has lost', () => {
  /** The first car is through, the board lowers; half-way down the next car is admitted. */
  function halfWayDown(): Bench {
    const bench = new Bench({ barrier: { closing: 'barrier-closes' }, ...LIMITS }).ready({ closedLimit: 'on' });
    bench.sees('t1', '京A12345').on('approach').off('closedLimit').pass(3_000).on('openLimit').driveThrough();
    bench.sees('t1', '京A12345', { ended: true }).sees('t2', '沪B67890').off('openLimit').pass(1_500);
    bench.log.length = 0;
    bench.on('approach');
    expect(bench.drives).toEqual(['open pulse']);
    expect(bench.boom).toBe('opening');
    return bench.pass(1_500);
  }

  test('is given again as soon as the boom is down, to whoever waits', () => {
    const bench = halfWayDown().on('closedLimit').pass(0);
    expect(bench.drives).toEqual(['open pulse', 'open pulse']);
    bench.off('closedLimit').pass(3_000).on('openLimit');
    expect(bench.boom).toBe('open');
    bench.driveThrough().pass(5_000);
    expect(bench.ends.at(-1)).toBe('entered');
  });

  test('is given again once, and then the motor has failed', () => {
    const bench = halfWayDown().on('closedLimit').pass(30_000);
    expect(bench.drives).toEqual(['open pulse', 'open pulse']);
    expect(bench.attention).toContain('boom-fault');
  });

  test('is not given again for a closed limit that bounces while the boom rises', () => {
    const bench = new Bench({ barrier: { closing: 'barrier-closes' }, ...LIMITS }).ready({ closedLimit: 'on' });
    bench.sees('t1', '京A12345').on('approach').off('closedLimit').pass(1_500).on('closedLimit').pass(20).off('closedLimit').pass(1_500).on('openLimit');
    expect(bench.drives).toEqual(['open pulse']);
    expect(bench.boom).toBe('open');
  });
});

describe('outputs that do not answer', () => {
  const fault = { kind: 'output-fault', action: 'pulse', detail: 'bus silent' } as const;

  test('an ordinary opening is tried three times, then waits for a person', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach');
    for (let turn = 0; turn < 6; turn += 1) bench.input({ ...fault, output: 'open' }).pass(600);
    expect(bench.drives.filter((drive) => drive === 'open pulse')).toHaveLength(3);
    expect(bench.attention).toContain('output-fault');
    expect(bench.events('boom.fault')).toHaveLength(1);
    bench.command('open').pass(100);
    expect(bench.drives.filter((drive) => drive === 'open pulse')).toHaveLength(4);
  });

  test('an opening for nobody yet runs out even when it never worked', () => {
    const bench = new Bench().ready().command('open');
    for (let turn = 0; turn < 4; turn += 1) bench.input({ ...fault, output: 'open' }).pass(600);
    bench.pass(20_000);
    expect(bench.ends).toEqual(['abandoned']);
  });

  test('a reversal is tried until it works', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(4_000).driveThrough().pass(2_000).on('closing');
    for (let turn = 0; turn < 10; turn += 1) bench.input({ ...fault, output: 'open' }).pass(600);
    expect(bench.causes('open').filter((cause) => cause === 'obstruction').length).toBeGreaterThanOrEqual(9);
    bench.pass(5_000);
    expect(bench.boom).toBe('open');
  });

  test('a closing that was not taken is watched as falling, never believed closed, and given up after three tries', () => {
    const bench = new Bench().ready().command('open').pass(19_000);
    expect(bench.boom).toBe('closing');
    bench.input({ ...fault, output: 'close' }).pass(3_600);
    expect(bench.boom).not.toBe('closed');
    bench.input({ ...fault, output: 'close' }).pass(4_000).input({ ...fault, output: 'close' }).pass(60_000);
    expect(bench.drives.filter((drive) => drive === 'close pulse')).toHaveLength(3);
    expect(bench.boom).toBe('unknown');
  });

  test('a closing that was not taken is not tried again before the pause is over', () => {
    const bench = new Bench({ settings: { retryMs: 20_000 } }).ready().command('open').pass(19_000);
    bench.input({ ...fault, output: 'close' }).pass(19_000);
    expect(bench.drives.filter((drive) => drive === 'close pulse')).toHaveLength(1);
    bench.pass(2_000);
    expect(bench.drives.filter((drive) => drive === 'close pulse')).toHaveLength(2);
  });

  test('a STOP contact that was not given leaves the boom watched as falling', () => {
    const bench = new Bench({ sensors: ['stop'], stopWired: true }).ready().command('open').pass(19_000).on('stop');
    bench.input({ ...fault, output: 'stop' }).pass(100).on('closing').pass(600);
    expect(bench.causes('open')).toEqual(['command', 'obstruction']);
    const still = new Bench({ sensors: ['stop'], stopWired: true }).ready().on('stop').input({ ...fault, output: 'stop' });
    expect(still.boom).toBe('closed');
  });

  test('a boom that leaves its upper end after STOP is watched as falling, and raised when something comes under it', () => {
    const bench = new Bench({ sensors: ['stop', 'openLimit'], stopWired: true }).ready().command('open').pass(3_000).on('openLimit').command('close').pass(1_500);
    expect(bench.boom).toBe('closing');
    bench.on('stop').pass(2_000);
    expect(bench.boom).toBe('stopped');
    bench.off('openLimit').pass(200).on('closing').pass(1_000);
    expect(bench.causes('open')).toEqual(['command', 'obstruction']);
    expect(bench.attention).toContain('boom-moved');
    expect(bench.laws.violations).toEqual([]);
  });

  test('a boom that runs out under STOP just below its upper end has not moved by itself', () => {
    const bench = new Bench({ sensors: ['stop', 'openLimit'], stopWired: true }).ready().command('open').pass(3_000).on('openLimit').command('close').pass(1_500);
    bench.on('stop').pass(100).off('openLimit').pass(10_000);
    expect(bench.boom).toBe('stopped');
    expect(bench.attention).not.toContain('boom-moved');
  });

  test('a hold that was not taken is tried again', () => {
    const bench = new Bench({ barrier: { closing: 'barrier-closes' } }).ready().command('hold').input({ ...fault, output: 'open', action: 'hold' }).pass(600);
    expect(bench.drives).toEqual(['open hold', 'open hold']);
  });
});

describe('the reducer', () => {
  test('guards have names of their own', () => {
    for (const guards of [closingGuards, openingGuards]) expect(new Set(guards.map((guard) => guard.name)).size).toBe(guards.length);
  });

  test('a lane at rest asks for no time', () => {
    const bench = new Bench().ready();
    expect(nextDueMs(bench.state, bench.nowMs)).toBeNull();
  });

  test('inputs that are not wired, or say again what they said, change nothing', () => {
    const bench = new Bench().ready();
    const before = bench.state;
    bench.on('beam').off('closing').input({ kind: 'inputs-read' });
    expect(bench.state).toEqual(before);
  });
});
