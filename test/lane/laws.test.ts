import { describe, expect, test } from 'vitest';
import { Bench } from './fixtures.js';

/** A resident has come through and the boom has just begun to fall. */
function falling(options: ConstructorParameters<typeof Bench>[0] = {}): Bench {
  const bench = new Bench(options).ready().sees('t1', '京A12345').on('approach').pass(4_000).driveThrough().pass(1_100);
  expect(bench.boom).toBe('closing');
  bench.log.length = 0;
  return bench;
}

describe('S1: the boom never comes down on anything', () => {
  test.each(['on', 'unknown', 'fault'] as const)('a closing loop that is %s keeps an open boom up', (signal) => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(4_000).driveThrough();
    bench.sensor('closing', signal).pass(120_000);
    expect(bench.drives).not.toContain('close pulse');
    expect(bench.boom).toBe('open');
  });

  test.each(['on', 'unknown', 'fault'] as const)('a beam that is %s keeps an open boom up', (signal) => {
    const bench = new Bench({ sensors: ['beam'] }).ready().sees('t1', '京A12345').on('approach').pass(4_000).driveThrough();
    bench.sensor('beam', signal).pass(120_000);
    expect(bench.drives).not.toContain('close pulse');
  });

  test.each([
    ['closing', 'on'],
    ['closing', 'unknown'],
    ['closing', 'fault'],
    ['beam', 'on'],
    ['beam', 'unknown'],
    ['beam', 'fault'],
  ] as const)('a falling boom is raised at once when %s turns %s', (sensor, signal) => {
    const bench = falling({ sensors: ['beam'] });
    bench.pass(200);
    const hitMs = bench.nowMs;
    bench.sensor(sensor, signal);
    expect(bench.drives).toEqual(['close release']);
    bench.pass(500);
    expect(bench.drivenAt('open pulse')).toEqual([hitMs + 500]);
    expect(bench.causes('open')).toEqual(['obstruction']);
    expect(bench.photographs).toContain('obstruction');
  });

  test('without limit switches a boom at the end of its run time is still watched as falling', () => {
    const bench = falling();
    bench.pass(3_200).on('closing').pass(1_000);
    expect(bench.causes('open')).toEqual(['obstruction']);
  });

  test('a boom that got down before it could be reversed is raised all the same', () => {
    const bench = new Bench({ sensors: ['openLimit', 'closedLimit'], barrier: { closeTimeMs: 1_000 } }).ready({ closedLimit: 'on' });
    bench.command('open').off('closedLimit').pass(3_000).on('openLimit').pass(15_100);
    expect(bench.boom).toBe('closing');
    bench.off('openLimit').pass(750).on('closing').on('closedLimit');
    expect(bench.boom).toBe('closed');
    bench.pass(500);
    expect(bench.causes('open')).toEqual(['command', 'obstruction']);
  });

  test('a closed limit that comes long before the boom can be down is a switch that sticks, and something under the boom raises it', () => {
    const bench = falling({ sensors: ['closedLimit'] });
    bench.pass(300).on('closedLimit').pass(300).on('closing').pass(600);
    expect(bench.causes('open')).toEqual(['obstruction']);
  });

  test('a closed limit that stays on is believed when the run time is over', () => {
    const bench = falling({ sensors: ['closedLimit'] });
    bench.pass(300).on('closedLimit').pass(1_000);
    expect(bench.boom).toBe('closing');
    bench.pass(1_200);
    expect(bench.boom).toBe('closed');
  });

  test('a vehicle that comes while the closing waits for its record stops it', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(4_000);
    bench.driveThrough();
    bench.journalAnswers = false;
    bench.pass(1_050).on('closing').pass(1_000);
    expect(bench.drives).not.toContain('close pulse');
    expect(bench.events('boom.stopped')).toMatchObject([{ withheld: 'down', by: 'closing-loop' }]);
  });

  test('under STOP without a STOP contact a falling boom is still reversed, since nothing else ends the descent', () => {
    const bench = falling({ sensors: ['stop'] });
    bench.on('stop').pass(300).on('closing').pass(600);
    expect(bench.causes('open')).toEqual(['obstruction']);
  });
});

describe('S2: open and close are never on together', () => {
  test('a reversal releases the close contact and waits the dead time', () => {
    const bench = falling();
    bench.pass(100).on('closing');
    const releasedMs = bench.drivenAt('close release')[0];
    bench.pass(2_000);
    expect(bench.drivenAt('open pulse')[0]).toBe((releasedMs ?? 0) + 500);
  });

  test('a reversal after the pulse ended waits only for what is left of the dead time', () => {
    const bench = falling();
    bench.pass(1_500).on('closing');
    expect(bench.drives).toEqual(['open pulse']);
  });

  test('a release that was not taken delays the opening until the pulse has run out by itself', () => {
    const bench = falling();
    bench.pass(50).on('closing');
    const pulseEndMs = bench.state.boom.contacts.close.untilMs;
    bench.input({ kind: 'output-fault', output: 'close', action: 'release', detail: 'bus silent' });
    bench.pass(3_000);
    expect(bench.drivenAt('open pulse')[0]).toBeGreaterThanOrEqual(pulseEndMs + 500);
    expect(bench.drives.filter((drive) => drive === 'close release').length).toBeGreaterThan(1);
    expect(bench.attention).toContain('output-fault');
    bench.input({ kind: 'output-ok', output: 'close' });
    expect(bench.attention).not.toContain('output-fault');
  });
});

describe('S3: no output stays energised', () => {
  test('every movement is a pulse of the configured length', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(4_000).driveThrough().pass(10_000);
    const pulses = bench.log.flatMap(({ effect }) => (effect.kind === 'drive' && effect.action !== 'release' ? [effect.durationMs] : []));
    expect(pulses).toEqual([400, 400]);
  });
});

describe('S4: fire opens and holds over everything but STOP', () => {
  test('fire opens a closed boom without decision or record', () => {
    const bench = new Bench({ sensors: ['fire'] }).ready();
    bench.journalAnswers = false;
    bench.on('fire');
    expect(bench.drives).toEqual(['open pulse']);
    bench.pass(600_000);
    expect(bench.drives).toEqual(['open pulse']);
    expect(bench.attention).toContain('fire');
  });

  test('fire reverses a falling boom', () => {
    const bench = falling({ sensors: ['fire'] });
    bench.pass(100).on('fire').pass(500);
    expect(bench.causes('open')).toEqual(['fire']);
  });

  test('fire overtakes an opening that waits for its record', () => {
    const bench = new Bench({ sensors: ['fire'] }).ready();
    bench.journalAnswers = false;
    bench.command('open');
    expect(bench.drives).toEqual([]);
    bench.on('fire');
    expect(bench.causes('open')).toEqual(['fire']);
  });

  test('a panel that cannot be read any more keeps what it last said, and the end of fire closes', () => {
    const bench = new Bench({ sensors: ['fire'] }).ready().on('fire').sensor('fire', 'fault').pass(60_000);
    expect(bench.boom).toBe('open');
    bench.off('fire').pass(10_000);
    expect(bench.boom).toBe('closed');
    expect(bench.causes('close')).toEqual(['release']);
  });

  test('closing is refused during fire, and a closing under way fails', () => {
    const bench = new Bench({ sensors: ['fire'] }).ready().command('open').pass(4_000).command('close').pass(1_100).on('fire').command('close').pass(4_000);
    expect(bench.replies).toEqual(['done', 'failed fire', 'refused fire']);
    expect(bench.boom).toBe('open');
  });

  test('STOP is over fire, and fire opens again when STOP is let go', () => {
    const bench = new Bench({ sensors: ['fire', 'stop'] }).ready().on('stop').on('fire').pass(5_000);
    expect(bench.drives).toEqual([]);
    bench.off('stop');
    expect(bench.causes('open')).toEqual(['fire']);
  });

  test('the end of fire under a hold does not close', () => {
    const bench = new Bench({ sensors: ['fire'] }).ready().command('hold').pass(4_000).on('fire').pass(100).off('fire').pass(30_000);
    expect(bench.boom).toBe('open');
  });
});

describe('S5: nothing moves until the inputs were read', () => {
  test('no input and no command moves an output before', () => {
    const bench = new Bench({ sensors: ['beam', 'fire', 'stop', 'button'], stopWired: true });
    bench.on('fire', 'approach', 'button').off('button').on('button').sees('t1', '京A12345').command('open').command('stop').pass(60_000);
    expect(bench.drives).toEqual([]);
    expect(bench.replies).toEqual(['refused lane-starting', 'done']);
  });

  test('fire found at start opens as soon as the inputs were read', () => {
    const bench = new Bench({ sensors: ['fire'] }).start({ fire: 'on' });
    expect(bench.drives).toEqual(['open pulse']);
  });

  test('a boom found open with a vehicle under it stays open, and is lowered once that has gone', () => {
    const bench = new Bench({ sensors: ['openLimit', 'closedLimit'] }).start({ openLimit: 'on', closing: 'on' }).pass(300_000);
    expect(bench.drives).toEqual([]);
    expect(bench.ends).toEqual([]);
    bench.off('closing').pass(1_000);
    expect(bench.causes('close')).toEqual(['start']);
    expect(bench.ends).toEqual([]);
  });

  test('a boom whose position is not known is lowered only after everything has been clear', () => {
    const bench = new Bench({ sensors: ['beam'] }).start({ beam: 'fault' }).pass(60_000);
    expect(bench.drives).toEqual([]);
    expect(bench.events('input.fault')).toEqual([{ sensor: 'beam', state: 'fault' }]);
    bench.off('beam').pass(999);
    expect(bench.drives).toEqual([]);
    bench.pass(1);
    expect(bench.causes('close')).toEqual(['start']);
    bench.pass(4_000);
    expect(bench.boom).toBe('closed');
    expect(bench.events('input.cleared')).toHaveLength(1);
  });

  test('a vehicle found waiting at start is served', () => {
    const bench = new Bench().start({ approach: 'on' }).sees('t1', '京A12345').pass(100);
    expect(bench.causes('open')).toEqual(['decision']);
  });

  test('a vehicle found over both loops at start is the one the restart cut off; the next one is served', () => {
    const bench = new Bench().start({ approach: 'on', closing: 'on' }).pass(10_000);
    expect(bench.decides).toEqual([]);
    bench.off('closing').sees('t1', '京A12345');
    expect(bench.decides).toContain('京A12345');
  });

  test('a vehicle found over both loops at start that drives on leaves room for the next', () => {
    const bench = new Bench().start({ approach: 'on', closing: 'on' }).off('approach').on('approach').sees('t1', '京A12345').pass(10);
    expect(bench.causes('open')).toEqual(['decision']);
  });
});

describe('S6: a second obstruction stays open and calls for help', () => {
  function twice(): Bench {
    const bench = falling({ sensors: ['beam', 'button'] });
    bench.pass(300).on('beam').pass(300).off('beam').pass(2_500);
    expect(bench.boom).toBe('closing');
    bench.on('beam').pass(300).off('beam').pass(120_000);
    return bench;
  }

  test('the boom closes once more after the first, and never by itself after the second', () => {
    const bench = twice();
    expect(bench.drives.filter((drive) => drive === 'close pulse')).toHaveLength(1);
    expect(bench.boom).toBe('open');
    expect(bench.attention).toContain('second-obstruction');
  });

  test.each(['command', 'button', 'vehicle'] as const)('an intended input ends it: %s', (by) => {
    const bench = twice();
    if (by === 'command') bench.command('close').pass(5_000);
    else if (by === 'button') bench.on('button').pass(30_000);
    else bench.sees('t2', '沪B67890').on('approach').pass(500).driveThrough().pass(8_000);
    expect(bench.boom).toBe('closed');
    expect(bench.attention).not.toContain('second-obstruction');
  });
});

describe('S7: a command acts at most once', () => {
  test('the same id again is refused and moves nothing', () => {
    const bench = new Bench().ready().command('open', 'a').pass(30_000).command('open', 'a').pass(1_000);
    expect(bench.replies).toEqual(['done', 'refused duplicate']);
    expect(bench.drives.filter((drive) => drive === 'open pulse')).toHaveLength(1);
  });
});

describe('S9: every movement has a cause on record before it', () => {
  test('an ordinary opening waits for its record', () => {
    const bench = new Bench().ready();
    bench.journalAnswers = false;
    bench.command('open').pass(100);
    expect(bench.drives).toEqual([]);
    const recorded = bench.log.find(({ effect }) => effect.kind === 'journal' && effect.token !== null);
    expect(recorded?.effect).toMatchObject({ event: { type: 'boom.opening', payload: { cause: { kind: 'command' } } } });
    bench.input({ kind: 'recorded', token: 0, durable: true });
    expect(bench.drives).toEqual([]);
    const token = bench.state.boom.pending?.token ?? -1;
    bench.input({ kind: 'recorded', token, durable: true });
    expect(bench.drives).toEqual(['open pulse']);
  });

  test('a disk slower than 150 ms does not hold the boom, and the record says so', () => {
    const bench = new Bench().ready();
    bench.journalAnswers = false;
    bench.command('open').pass(149);
    expect(bench.drives).toEqual([]);
    bench.pass(1);
    expect(bench.drives).toEqual(['open pulse']);
    expect(bench.events('lane.attention')).toMatchObject([{ code: 'record-late' }]);
    bench.journalAnswers = true;
    bench.pass(30_000);
    expect(bench.attention).not.toContain('record-late');
  });

  test('a journal that cannot take the record does not hold the boom', () => {
    const bench = new Bench().ready();
    bench.journalAnswers = false;
    bench.command('open');
    bench.input({ kind: 'recorded', token: bench.state.boom.pending?.token ?? -1, durable: false });
    expect(bench.drives).toEqual(['open pulse']);
    expect(bench.attention).toContain('record-late');
  });
});
