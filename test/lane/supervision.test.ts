import { describe, expect, test } from 'vitest';
import { RENEW_WITHIN_MS } from '../../src/lane/index.js';
import { Bench, type Site } from './fixtures.js';

const order = (direction: 'open' | 'close', session = 's1') => ({ kind: 'supervise' as const, ticket: 1, order: { session, direction, issuer: 'console:li' } });

/** Holds for a while: renewed every 200 ms. */
function hold(bench: Bench, ms: number, session = 's1'): Bench {
  for (let at = 0; at < ms; at += 200) bench.pass(200).input({ kind: 'supervise-renew', session });
  return bench;
}

/** The boom is open, and a car stands on the closing loop, or the loop is broken. */
function blockedOpen(signal: 'on' | 'unknown' | 'fault', options: Site = {}): Bench {
  const bench = new Bench({ ...options, sensors: ['beam', 'openLimit', 'closedLimit', 'stop', 'fire'] }).ready({ closedLimit: 'on' });
  bench.command('open').off('closedLimit').pass(3_000).on('openLimit').sensor('closing', signal).pass(30_000);
  expect(bench.boom).toBe('open');
  bench.log.length = 0;
  return bench;
}

describe('hold-to-run: an operator at the boom', () => {
  test.each(['on', 'unknown', 'fault'] as const)('lowers it over a closing loop that is %s, on record under his name', (signal) => {
    const bench = blockedOpen(signal).input(order('close'));
    expect(bench.replies).toEqual(['done']);
    expect(bench.attention).toContain('operator-holds');
    hold(bench, 800);
    expect(bench.drivenAt('close pulse')).toHaveLength(1);
    expect(JSON.stringify(bench.events('boom.closing'))).toContain('close held by console:li');
    hold(bench.off('openLimit'), 2_000);
    expect(bench.drives).not.toContain('open pulse');
    bench.on('closedLimit').pass(5_000);
    expect(bench.boom).toBe('closed');
    expect(bench.attention).not.toContain('operator-holds');
    expect(bench.laws.violations).toEqual([]);
  });

  test('lowers a boom that the lane takes for down by its run time alone, and that he sees up', () => {
    const bench = new Bench().ready().input(order('close'));
    hold(bench, 6_000);
    expect(bench.drives).toEqual(['close pulse']);
    expect(bench.boom).toBe('closed');
    expect(bench.laws.violations).toEqual([]);
  });

  test('the boom rises at once when he is heard of no more', () => {
    const bench = blockedOpen('on').input(order('close'));
    hold(bench.pass(1), 800).off('openLimit');
    const lastMs = bench.nowMs;
    bench.pass(2_000);
    const [opened] = bench.drivenAt('open pulse');
    expect(bench.drives).toContain('close pulse');
    expect(opened).toBeGreaterThanOrEqual(lastMs + RENEW_WITHIN_MS);
    expect(opened).toBeLessThanOrEqual(lastMs + RENEW_WITHIN_MS + bench.settings.deadTimeMs);
    expect(JSON.stringify(bench.events('boom.stopped'))).toContain('not-renewed');
    expect(bench.laws.violations).toEqual([]);
  });

  test('the boom rises at once when he lets go', () => {
    const bench = blockedOpen('fault').input(order('close'));
    hold(bench, 1_200).off('openLimit').input({ kind: 'supervise-end', session: 's1' });
    const letGoMs = bench.nowMs;
    bench.pass(1_000);
    expect(bench.drivenAt('open pulse')[0]).toBeLessThanOrEqual(letGoMs + bench.settings.deadTimeMs);
    // Late renewals of a movement that is over bring nothing back.
    hold(bench, 1_000);
    expect(bench.drivenAt('close pulse')).toHaveLength(1);
    expect(bench.laws.violations).toEqual([]);
  });

  test('let go before the record was known, nothing starts down', () => {
    const bench = blockedOpen('on');
    bench.journalAnswers = false;
    bench.input(order('close')).pass(50).input({ kind: 'supervise-end', session: 's1' }).pass(10_000);
    expect(bench.drives).not.toContain('close pulse');
  });

  test('an obstruction that comes while he holds does not count, and after him it does', () => {
    const bench = blockedOpen('on').off('closing').pass(10).input(order('close'));
    hold(bench, 800).off('openLimit').on('beam');
    expect(bench.boom).toBe('closing');
    hold(bench, 400);
    expect(bench.drives).not.toContain('open pulse');
    bench.input({ kind: 'supervise-end', session: 's1' }).pass(600);
    expect(bench.drives).toContain('open pulse');
  });

  test('STOP and fire come before him', () => {
    const stopped = blockedOpen('on').on('stop').input(order('close'));
    expect(stopped.replies).toEqual(['refused stopped']);
    const fire = blockedOpen('on').input(order('close'));
    hold(fire, 1_000).off('openLimit').on('fire').pass(600);
    expect(fire.causes('open')).toContain('fire');
    expect(hold(fire, 400).state.supervised).toBeNull();
    expect(fire.laws.violations).toEqual([]);
  });

  describe.each([['command'], ['input']] as const)('STOP by %s while he lowers', (by) => {
    const stop = (bench: Bench): Bench => (by === 'command' ? bench.command('stop') : bench.on('stop'));

    test.each<readonly [string, Site, readonly string[]]>([
      ['a pulse drive', {}, ['close pulse', 'close release', 'open pulse']],
      ['a drive that is held open', { barrier: { drive: 'hold-to-open' } }, ['open hold', 'open release', 'open hold']],
    ])('raises the boom of %s that has no STOP contact, since nothing else ends the descent, and leaves it up', (_name, options, drives) => {
      const bench = new Bench({ ...options, sensors: ['stop'] }).ready().input(order('close'));
      hold(bench, 200);
      expect(bench.boom).toBe('closing');
      const stoppedMs = bench.nowMs;
      stop(bench).pass(120_000);
      expect(bench.drives).toEqual(drives);
      expect(bench.log.findLast(({ effect }) => effect.kind === 'drive')?.atMs).toBeLessThanOrEqual(stoppedMs + bench.settings.deadTimeMs);
      expect(bench.events('boom.stopped')).toContainEqual(expect.objectContaining({ supervised: 'close', why: 'stopped' }));
      expect(bench.boom).toBe('open');
      expect(bench.attention).toContain('stopped');
      expect(bench.laws.violations).toEqual([]);
    });

    test('though another began to hold it up before it rose', () => {
      const bench = new Bench({ sensors: ['stop'] }).ready().input(order('close'));
      hold(bench, 200).input({ kind: 'supervise-end', session: 's1' }).input(order('open', 's2'));
      stop(bench).pass(60_000);
      expect(bench.drives).toEqual(['close pulse', 'close release', 'open pulse']);
      expect(bench.boom).toBe('open');
      expect(bench.laws.violations).toEqual([]);
    });

    test('from one who took it over in the middle of its way, too', () => {
      const bench = new Bench({ sensors: ['stop'] }).ready().command('open').pass(4_000).command('close').pass(2_000);
      expect(bench.boom).toBe('closing');
      bench.log.length = 0;
      stop(bench.input(order('close'))).pass(60_000);
      expect(bench.drives).toEqual(['open pulse']);
      expect(bench.boom).toBe('open');
      expect(bench.laws.violations).toEqual([]);
    });

    test('stands where the STOP contact is wired', () => {
      const bench = new Bench({ sensors: ['stop'], stopWired: true }).ready().input(order('close'));
      stop(hold(bench, 200)).pass(120_000);
      expect(bench.drives).toEqual(['close pulse', 'close release', 'stop pulse']);
      expect(bench.boom).toBe('stopped');
      expect(bench.laws.violations).toEqual([]);
    });
  });

  test('a closing that waits for its record when he begins to hold the boom up is over, and so is his order, at once', () => {
    const bench = new Bench().ready().command('hold').pass(4_000);
    bench.journalAnswers = false;
    bench.command('release').pass(50).input(order('open'));
    expect(bench.events('boom.stopped')).toContainEqual(expect.objectContaining({ withheld: 'down' }));
    expect(bench.state.supervised).toBeNull();
    expect(bench.attention).not.toContain('operator-holds');
  });

  test('a boom that proves to be down before he lowers it ends his order at once', () => {
    const bench = new Bench({ sensors: ['closedLimit'] }).ready({ closedLimit: 'fault' });
    bench.journalAnswers = false;
    bench.input(order('close')).pass(50).on('closedLimit');
    expect(bench.boom).toBe('closed');
    expect(bench.state.supervised).toBeNull();
    expect(bench.pass(10_000).drives).toEqual([]);
  });

  test('a boom that proves to be up before its contact is on ends his order with the contact, at once', () => {
    const bench = new Bench({ barrier: { drive: 'hold-to-open' }, sensors: ['openLimit'] }).start({ closing: 'unknown' });
    bench.journalAnswers = false;
    bench.input(order('open')).on('openLimit').input({ kind: 'recorded', token: bench.state.boom.pending?.token ?? -1, durable: true });
    expect(bench.drives).toEqual(['open hold']);
    expect(bench.boom).toBe('open');
    expect(bench.state.supervised).toBeNull();
  });

  test('a guard who opens takes it from him', () => {
    const bench = blockedOpen('on').input(order('close'));
    hold(bench, 1_000).off('openLimit').command('open').pass(1_000);
    expect(bench.drives).toContain('open pulse');
    expect(bench.state.supervised).toBeNull();
    expect(bench.laws.violations).toEqual([]);
  });

  test('two operators cannot hold one boom', () => {
    const bench = blockedOpen('on').input(order('close')).input(order('open', 's2'));
    expect(bench.replies).toEqual(['done', 'refused operator-holds']);
  });

  test('a boom that is lowered by its own board is not lowered by hold-to-run', () => {
    const bench = new Bench({ barrier: { closing: 'barrier-closes' } }).ready().input(order('close'));
    expect(bench.replies).toEqual(['refused not-supported']);
  });

  test('opening works with every loop broken, and stands where the STOP contact is wired when let go', () => {
    const bench = new Bench({ sensors: ['beam'], stopWired: true }).ready().sensor('closing', 'fault').sensor('beam', 'unknown').input(order('open'));
    hold(bench, 1_000);
    expect(bench.drives).toEqual(['open pulse']);
    bench.input({ kind: 'supervise-end', session: 's1' });
    expect(bench.drives).toContain('stop pulse');
    expect(bench.boom).toBe('stopped');
    expect(bench.laws.violations).toEqual([]);
  });

  test('nothing lowers the boom while he holds it up, though the open contact does not obey', () => {
    const bench = new Bench({ sensors: ['beam'] }).ready().input(order('open'));
    for (let tries = 0; tries < 3; tries += 1) {
      hold(bench, 800).input({ kind: 'output-fault', output: 'open', action: 'pulse', detail: 'bus silent' });
    }
    hold(bench, 4_000);
    expect(bench.state.supervised).not.toBeNull();
    expect(bench.drives).not.toContain('close pulse');
  });

  test('without a STOP contact an opening that is let go runs on up', () => {
    const bench = new Bench().ready().input(order('open'));
    hold(bench, 1_000).pass(4_000);
    expect(bench.boom).toBe('open');
    expect(bench.drives).not.toContain('stop pulse');
  });

  test('the second opinion tells a boom that is not raised after he let go', () => {
    const bench = blockedOpen('on').input(order('close'));
    hold(bench, 800).off('openLimit');
    // The same happenings, with a reducer that does nothing more.
    bench.laws.observe({ kind: 'supervise-end', session: 's1' }, [], bench.nowMs);
    bench.laws.observe({ kind: 'tick' }, [], bench.nowMs + 2_000);
    expect(bench.laws.violations.map(({ law }) => law)).toEqual(['S1']);
  });

  test('the second opinion lets nobody lower a boom over something without being held', () => {
    const bench = blockedOpen('on');
    const cause = { kind: 'operator', detail: 'close held by nobody' } as const;
    bench.laws.observe({ kind: 'tick' }, [{ kind: 'drive', output: 'close', action: 'pulse', durationMs: 400, cause, urgency: 'ordinary', passage: null }], bench.nowMs);
    expect(bench.laws.violations.map(({ law }) => law)).toContain('S1');
  });
});
