import { describe, expect, test } from 'vitest';
import { initialLane, reduce, type FailState } from '../../src/lane/index.js';
import { Bench, site } from './fixtures.js';

const HOLD = { barrier: { drive: 'hold-to-open' } } as const;

describe('hold to open', () => {
  test('the open contact is on as long as the boom shall be up, and its release lowers it', () => {
    const bench = new Bench(HOLD).ready();
    bench.log.length = 0;
    bench.sees('t1', '京A12345').on('approach').pass(4_000);
    expect(bench.drives).toEqual(['open hold']);
    bench.driveThrough().pass(6_000);
    expect(bench.drives).toEqual(['open hold', 'open release']);
    expect(bench.boom).toBe('closed');
    expect(bench.laws.violations).toEqual([]);
  });

  test('something under the falling boom holds it up again at once', () => {
    const bench = new Bench(HOLD).ready().sees('t1', '京A12345').on('approach').pass(4_000).driveThrough().pass(1_200);
    expect(bench.boom).toBe('closing');
    bench.log.length = 0;
    const atMs = bench.nowMs;
    bench.on('closing');
    expect(bench.drivenAt('open hold')).toEqual([atMs]);
    bench.pass(60_000);
    expect(bench.drives).toEqual(['open hold']);
  });

  test.each(['on', 'unknown', 'fault'] as const)('a closing loop that is %s keeps the contact on', (signal) => {
    const bench = new Bench(HOLD).ready().sees('t1', '京A12345').on('approach').pass(4_000);
    bench.log.length = 0;
    bench.driveThrough().sensor('closing', signal).pass(300_000);
    expect(bench.drives).toEqual([]);
  });

  test('STOP does not let go of a boom that is up', () => {
    const bench = new Bench({ ...HOLD, sensors: ['stop'] }).ready().command('hold').pass(4_000);
    bench.log.length = 0;
    bench.on('stop').command('release').pass(60_000);
    expect(bench.drives).toEqual([]);
  });

  describe('a rise that STOP ended half-way, with the contact still on', () => {
    const HALTED = { ...HOLD, sensors: ['stop', 'fire'], stopWired: true } as const;

    function halfWay(): Bench {
      const bench = new Bench(HALTED).ready().command('open').pass(1_000).on('stop').pass(20_000).off('stop').pass(500);
      expect(bench.boom).toBe('stopped');
      bench.log.length = 0;
      return bench;
    }

    test('goes on at a new edge of the contact when somebody wants the boom up', () => {
      const bench = halfWay();
      const atMs = bench.nowMs;
      bench.command('open').pass(6_000);
      expect(bench.drives).toEqual(['open release', 'open hold']);
      expect(bench.drivenAt('open hold')).toEqual([atMs + bench.settings.newEdgeMs]);
      expect(bench.boom).toBe('open');
      expect(bench.replies).toEqual(['done']);
      expect(bench.laws.violations).toEqual([]);
    });

    test('goes on in a fire', () => {
      const bench = halfWay().on('fire').pass(6_000);
      expect(bench.drives).toEqual(['open release', 'open hold']);
      expect(bench.boom).toBe('open');
      expect(bench.laws.violations).toEqual([]);
    });

    test('waits until nothing is under the boom, for the contact cannot be let go over it', () => {
      const bench = halfWay().on('closing').command('hold').pass(5_000);
      expect(bench.drives).toEqual([]);
      bench.off('closing').pass(6_000);
      expect(bench.drives).toEqual(['open release', 'open hold']);
      expect(bench.boom).toBe('open');
      expect(bench.laws.violations).toEqual([]);
    });

    test('is held again when something comes under the boom between release and edge, or STOP is pressed anew', () => {
      const comes = halfWay().command('open').pass(50).on('closing').pass(100);
      expect(comes.drives).toEqual(['open release', 'open hold']);
      const stopped = halfWay().command('open').pass(50).on('stop').pass(20_000);
      expect(stopped.drives).toEqual(['open release', 'stop pulse']);
      expect([...comes.laws.violations, ...stopped.laws.violations]).toEqual([]);
    });
  });

  describe('a descent that STOP ended half-way, with the contact off', () => {
    function halfDown(): Bench {
      const bench = new Bench({ ...HOLD, sensors: ['stop', 'closedLimit'], stopWired: true }).ready().command('open').pass(4_000).command('close').pass(1_500).on('stop').pass(500).off('stop').pass(500);
      expect(bench.boom).toBe('stopped');
      bench.log.length = 0;
      return bench;
    }

    test('goes on at an edge of the contact when a person wants the boom down', () => {
      const bench = halfDown();
      const atMs = bench.nowMs;
      bench.command('close').pass(2_500).on('closedLimit').pass(1_000);
      expect(bench.drives).toEqual(['open hold', 'open release']);
      expect(bench.drivenAt('open release')).toEqual([atMs + bench.settings.newEdgeMs]);
      expect(bench.boom).toBe('closed');
      expect(bench.replies).toEqual(['done']);
      expect(bench.laws.violations).toEqual([]);
    });

    test('goes on for what was ordered, also when somebody else orders the same before the contact is let go', () => {
      const bench = halfDown().command('close').pass(50);
      bench.input({ kind: 'command', ticket: 99, command: { id: 'second', target: 'close', issuer: 'web:technician', reason: 'test' } }).pass(1_000);
      const causes = bench.log.flatMap(({ effect }) => (effect.kind === 'drive' ? [`${effect.output} ${effect.action}: ${effect.cause.detail}`] : []));
      expect(causes).toEqual(['open hold: close by web:guard: test', 'open release: close by web:guard: test']);
      expect(bench.laws.violations).toEqual([]);
    });

    test('stays held when something comes under the boom before the contact is let go', () => {
      const bench = halfDown().command('close').pass(50).on('closing').pass(30_000);
      expect(bench.drives).toEqual(['open hold', 'open hold']);
      expect(bench.boom).toBe('open');
      expect(bench.laws.violations).toEqual([]);
    });

    test('stays held under a STOP that comes before the contact is let go', () => {
      const bench = halfDown().command('close').pass(50).on('stop').pass(30_000);
      expect(bench.drives).toEqual(['open hold', 'stop pulse']);
      expect(bench.laws.violations).toEqual([]);
    });

    test('a descent that jammed until the motor was cut is tried again with an edge', () => {
      const bench = new Bench({ ...HOLD, sensors: ['closedLimit'] }).ready().command('open').pass(4_000).command('close').pass(30_000);
      expect(bench.boom).toBe('fault');
      bench.log.length = 0;
      bench.command('close').pass(200);
      expect(bench.drives).toEqual(['open hold', 'open release']);
      expect(bench.laws.violations).toEqual([]);
    });

    test('a boom that is taken for down and that a person sees up is given an edge too', () => {
      const bench = new Bench(HOLD).ready().command('close').pass(200);
      expect(bench.drives).toEqual(['open hold', 'open release']);
    });
  });

  test('a contact found on at the start stays on until the boom may go down', () => {
    const bench = new Bench(HOLD);
    bench.input({ kind: 'output-found-on', output: 'open' });
    bench.start({ closing: 'on' }).pass(60_000);
    expect(bench.drives).toEqual([]);
    bench.off('closing').pass(5_000);
    expect(bench.drives).toEqual(['open release']);
  });

  test('a boom found held up may go down when a person wants it, whatever the site does at power-up', () => {
    const bench = new Bench({ barrier: { ...HOLD.barrier, failState: { powerUp: 'open', softwareDeath: 'open', inputsLost: 'stay', relayLost: 'release' } } });
    bench.input({ kind: 'output-found-on', output: 'open' });
    bench.start().pass(10_000);
    expect(bench.boom).toBe('open');
    expect(bench.drives).toEqual([]);
    bench.command('close').pass(10_000);
    expect(bench.drives).toEqual(['open release']);
    expect(bench.boom).toBe('closed');
  });

  test('a contact found on over a boom that its switch says is down calls a person', () => {
    const bench = new Bench({ ...HOLD, sensors: ['closedLimit'] });
    bench.input({ kind: 'output-found-on', output: 'open' });
    bench.start({ closedLimit: 'on' }).pass(20_000);
    expect(bench.attention).toContain('boom-fault');
  });

  test('a relay board that was without power holds again what it held', () => {
    const bench = new Bench(HOLD).ready().command('hold').pass(4_000);
    bench.log.length = 0;
    bench.input({ kind: 'relay', available: false, detail: 'silent' }).pass(3_000);
    expect(bench.attention).toContain('relay-lost');
    bench.input({ kind: 'relay', available: true, detail: '' });
    expect(bench.drives).toEqual(['open hold']);
    expect(bench.attention).not.toContain('relay-lost');
    // Without power it came down.
    expect(bench.boom).toBe('opening');
    bench.pass(4_000);
    expect(bench.boom).toBe('open');
  });

  test('a boom raised because its relays were lost goes down once it has been up and a person wants it down', () => {
    const bench = new Bench({ barrier: { ...HOLD.barrier, failState: { powerUp: 'close', softwareDeath: 'open', inputsLost: 'stay', relayLost: 'open' } }, sensors: ['closedLimit'] });
    bench.ready({ closedLimit: 'on' }).command('hold').off('closedLimit').pass(4_000);
    bench.input({ kind: 'relay', available: false, detail: 'silent' }).on('closedLimit').pass(3_000).input({ kind: 'relay', available: true, detail: '' }).off('closedLimit');
    bench.pass(10_000);
    expect(bench.boom).toBe('open');
    bench.command('release').pass(200);
    expect(bench.boom).toBe('closing');
  });

  test('a boom that did not get up for a failure is let down all the same when a person wants it down', () => {
    const bench = new Bench({ barrier: { ...HOLD.barrier, failState: { powerUp: 'open', softwareDeath: 'open', inputsLost: 'stay', relayLost: 'release' } }, sensors: ['openLimit'] }).start().pass(20_000);
    expect(bench.boom).toBe('fault');
    bench.command('close').pass(100);
    expect(bench.drives).toEqual(['open hold', 'open release']);
  });

  test('a rise that failed is tried with a new edge when a person wants it again', () => {
    const bench = new Bench({ ...HOLD, sensors: ['openLimit'] }).ready().command('open').pass(20_000);
    expect(bench.boom).toBe('fault');
    bench.log.length = 0;
    bench.command('open').pass(500);
    expect(bench.drives).toEqual(['open release', 'open hold']);
    bench.on('openLimit');
    expect(bench.boom).toBe('open');
    expect(bench.laws.violations).toEqual([]);
  });

  describe('a rise that failed in a fire', () => {
    function jammed(): Bench {
      const bench = new Bench({ ...HOLD, sensors: ['openLimit', 'closedLimit', 'fire'] }).ready({ closedLimit: 'on' }).on('fire').pass(60_000);
      expect(bench.boom).toBe('fault');
      expect(bench.drives).toEqual(['open hold']);
      bench.log.length = 0;
      return bench;
    }

    test.each(['person', 'vehicle'] as const)('is tried with a new edge when a %s wants the boom up', (by) => {
      const bench = jammed();
      const atMs = bench.nowMs;
      if (by === 'person') bench.command('open');
      else bench.sees('t1', '京A12345').on('approach');
      bench.pass(1_000);
      expect(bench.drives).toEqual(['open release', 'open hold']);
      expect(bench.drivenAt('open hold')).toEqual([atMs + bench.settings.newEdgeMs]);
      bench.off('closedLimit').pass(2_000).on('openLimit').pass(60_000);
      expect(bench.boom).toBe('open');
      expect(bench.drives).toEqual(['open release', 'open hold']);
      expect(bench.laws.violations).toEqual([]);
    });

    test('keeps the contact on while something is under the boom, or once the boom is seen up', () => {
      const under = jammed().on('closing').command('open').pass(60_000);
      const up = jammed().off('closedLimit').on('openLimit').command('open').pass(60_000);
      expect([...under.drives, ...up.drives]).toEqual([]);
      expect(up.boom).toBe('open');
    });
  });

  test('a closed limit that flickers over a held contact is no boom that moved by itself', () => {
    const bench = new Bench({ ...HOLD, sensors: ['closedLimit'] }).ready({ closedLimit: 'on' }).command('hold').off('closedLimit').pass(4_000);
    bench.on('closedLimit').pass(200).off('closedLimit').pass(10_000);
    expect(bench.boom).toBe('open');
    expect(bench.drives).toEqual(['open hold']);
  });
});

describe('anti-tailgate', () => {
  /** A resident's boom is up and a second car stands on the approach loop behind him. */
  function followed(antiTailgate: 0 | 1 | 2 | 3 | 4): Bench {
    const bench = new Bench({ barrier: { antiTailgate }, stopWired: true }).ready().sees('t1', '京A12345').on('approach').pass(4_000);
    return bench.sees('t1', '京A12345', { ended: true }).on('closing').pass(800).off('approach').pass(300).sees('t2', '粤B99999').on('approach').pass(500);
  }

  test('0: closes behind the vehicle it opened for, whoever waits', () => {
    const bench = followed(0).off('closing').pass(2_600);
    expect(bench.causes('close')).toContain('passage-complete');
    expect(bench.ends).toEqual(['entered']);
  });

  test('1: any occupied loop holds open, and the delay begins when all are clear', () => {
    const bench = followed(1);
    bench.log.length = 0;
    bench.off('closing').pass(60_000);
    expect(bench.drives).toEqual([]);
    const clearMs = bench.nowMs;
    bench.off('approach').pass(5_000);
    expect(bench.drivenAt('close pulse')).toEqual([clearMs + 1_000]);
  });

  test('1: a loop that is stuck does not hold for ever', () => {
    const bench = followed(1);
    bench.log.length = 0;
    bench.off('closing').pass(400_000);
    expect(bench.attention).toContain('approach-stuck');
    expect(bench.drives).toEqual(['close pulse']);
  });

  test('2: the timer runs from the open position and not from the vehicle', () => {
    const bench = new Bench({ barrier: { antiTailgate: 2, autoCloseMs: 10_000 } }).ready();
    bench.log.length = 0;
    bench.sees('t1', '京A12345').on('approach').pass(4_000);
    const openMs = bench.state.boom.openSinceMs;
    bench.driveThrough().pass(20_000);
    expect(openMs).not.toBeNull();
    expect(bench.drivenAt('close pulse')).toEqual([(openMs ?? 0) + 10_000]);
  });

  test('3: closes at once when both loops were occupied together and are clear', () => {
    const bench = new Bench({ barrier: { antiTailgate: 3 } }).ready().sees('t1', '京A12345').on('approach').pass(4_000).on('closing').pass(800).off('approach').pass(800);
    bench.log.length = 0;
    const clearMs = bench.nowMs;
    bench.off('closing').pass(3_000);
    expect(bench.drivenAt('close pulse')).toEqual([clearMs]);
  });

  test('3: with loops too far apart for both at once the delay counts as ever', () => {
    const bench = new Bench({ barrier: { antiTailgate: 3 } }).ready().sees('t1', '京A12345').on('approach').pass(4_000).off('approach').pass(500).on('closing').pass(800);
    bench.log.length = 0;
    const clearMs = bench.nowMs;
    bench.off('closing').pass(3_000);
    expect(bench.drivenAt('close pulse')).toEqual([clearMs + 1_000]);
  });

  test('4: a rise is stopped when a second vehicle follows, and the boom comes down behind the first', () => {
    const bench = new Bench({ barrier: { antiTailgate: 4, openTimeMs: 5_000 }, stopWired: true }).ready();
    bench.log.length = 0;
    bench.sees('t1', '京A12345').on('approach').pass(1_500).sees('t1', '京A12345', { ended: true }).on('closing').pass(400).off('approach').pass(300).sees('t2', '粤B99999').on('approach').pass(100);
    expect(bench.drives).toEqual(['open pulse', 'stop pulse']);
    expect(bench.boom).toBe('stopped');
    expect(bench.attention).toContain('tailgater');
    bench.pass(30_000);
    expect(bench.drives).toEqual(['open pulse', 'stop pulse']);
    bench.off('closing').pass(10_000);
    expect(bench.drives).toEqual(['open pulse', 'stop pulse', 'close pulse']);
    expect(bench.boom).toBe('closed');
    expect(bench.attention).not.toContain('tailgater');
    expect(bench.laws.violations).toEqual([]);
  });

  test('4: a second vehicle that is let through as well is not stopped', () => {
    const bench = new Bench({ barrier: { antiTailgate: 4, openTimeMs: 5_000 }, stopWired: true }).ready();
    bench.sees('t1', '京A12345').on('approach').pass(1_500).sees('t1', '京A12345', { ended: true }).on('closing').pass(400).off('approach').pass(300).sees('t2', '沪B67890').on('approach').pass(6_000);
    expect(bench.boom).toBe('open');
  });

  test('4: fire goes before', () => {
    const bench = new Bench({ barrier: { antiTailgate: 4, openTimeMs: 5_000 }, stopWired: true, sensors: ['fire'] }).ready();
    bench.on('fire').sees('t1', '京A12345').on('approach').pass(500).on('closing').pass(400).off('approach').pass(300).sees('t2', '粤B99999').on('approach').pass(6_000);
    expect(bench.drives).not.toContain('stop pulse');
    expect(bench.boom).toBe('open');
  });
});

describe('traffic light', () => {
  const LAMPS = { barrier: { greenLight: {}, redLight: {} }, sensors: ['stop', 'fire'] } as const;
  const shown = (bench: Bench): readonly string[] => bench.log.flatMap(({ effect }) => (effect.kind === 'lamp' ? [effect.show] : []));

  test('is green once the boom stands open for whoever waits, and red again when he is through', () => {
    const bench = new Bench(LAMPS).start();
    expect(shown(bench)).toEqual(['red']);
    bench.pass(10_000).sees('t1', '京A12345').on('approach').pass(1_000);
    expect(shown(bench)).toEqual(['red']);
    bench.pass(3_000);
    expect(shown(bench)).toEqual(['red', 'green']);
    bench.on('closing').pass(500).off('approach').pass(10);
    expect(shown(bench)).toEqual(['red', 'green', 'red']);
  });

  test('stays red for a stranger behind an open boom, under STOP, and goes green for fire', () => {
    const bench = new Bench(LAMPS).start().pass(10_000).command('hold').pass(4_000);
    expect(shown(bench)).toEqual(['red', 'green']);
    bench.on('stop');
    expect(shown(bench).at(-1)).toBe('red');
    bench.off('stop').on('fire').pass(4_000);
    expect(shown(bench).at(-1)).toBe('green');
  });

  test('an order that was not taken is given again and calls the technician', () => {
    const bench = new Bench(LAMPS).start().pass(10_000);
    bench.log.length = 0;
    bench.input({ kind: 'lamp', works: false, detail: 'silent' });
    expect(bench.attention).toContain('lamp-fault');
    bench.pass(3_000);
    expect(shown(bench)).toEqual(['red']);
    bench.input({ kind: 'lamp', works: true, detail: '' });
    expect(bench.attention).not.toContain('lamp-fault');
  });
});

describe('held open by schedule', () => {
  test('opens and stays open for everybody, and comes down when the window is over', () => {
    const bench = new Bench().ready().input({ kind: 'schedule', hold: true }).pass(4_000);
    expect(bench.boom).toBe('open');
    expect(bench.causes('open')).toEqual(['schedule']);
    bench.on('approach').pass(500).driveThrough().pass(600_000);
    expect(bench.boom).toBe('open');
    expect(bench.ends).toEqual(['entered']);
    bench.input({ kind: 'schedule', hold: false }).pass(6_000);
    expect(bench.boom).toBe('closed');
    expect(bench.causes('close').at(-1)).toBe('schedule');
  });

  test('a person may end it, until the next window', () => {
    const bench = new Bench().ready().input({ kind: 'schedule', hold: true }).pass(4_000).command('close');
    expect(bench.replies).toEqual(['refused held']);
    bench.command('release').pass(6_000);
    expect(bench.boom).toBe('closed');
    bench.input({ kind: 'schedule', hold: true }).pass(60_000);
    expect(bench.boom).toBe('closed');
    bench.input({ kind: 'schedule', hold: false }).input({ kind: 'schedule', hold: true }).pass(6_000);
    expect(bench.boom).toBe('open');
  });

  test('STOP goes before it', () => {
    const bench = new Bench({ sensors: ['stop'] }).ready().on('stop').input({ kind: 'schedule', hold: true }).pass(6_000);
    expect(bench.drives).not.toContain('open pulse');
  });
});

describe('fire command', () => {
  test('opens and holds like the panel, and ends by its own word', () => {
    const bench = new Bench().ready().command('fire').pass(4_000);
    expect(bench.boom).toBe('open');
    expect(bench.causes('open')).toEqual(['fire']);
    expect(bench.replies).toEqual(['done']);
    bench.command('close').pass(60_000);
    expect(bench.replies).toEqual(['done', 'refused fire']);
    bench.command('release').pass(60_000);
    expect(bench.boom).toBe('open');
    bench.command('fire-over').pass(6_000);
    expect(bench.boom).toBe('closed');
  });

  test('its end does not end the panel', () => {
    const bench = new Bench({ sensors: ['fire'] }).ready().on('fire').command('fire').pass(4_000).command('fire-over').pass(60_000);
    expect(bench.boom).toBe('open');
  });
});

describe('fail states', () => {
  const failing = (failState: Partial<FailState>): ConstructorParameters<typeof Bench>[0] => ({
    barrier: { failState: { powerUp: 'close', softwareDeath: 'release', inputsLost: 'stay', relayLost: 'release', ...failState } },
  });

  test('power-up, close: a boom not known to be closed is lowered once nothing is under it', () => {
    const bench = new Bench(failing({})).start({ closing: 'on' }).pass(60_000);
    expect(bench.drives).toEqual([]);
    bench.off('closing').pass(6_000);
    expect(bench.causes('close')).toEqual(['start']);
  });

  test('power-up, stay: nothing moves until somebody wants a movement', () => {
    const bench = new Bench(failing({ powerUp: 'stay' })).start().pass(600_000);
    expect(bench.drives).toEqual([]);
    expect(bench.attention).toContain('fail-state');
    bench.command('close').pass(6_000);
    expect(bench.drives).toEqual(['close pulse']);
    expect(bench.attention).not.toContain('fail-state');
  });

  test('power-up, open: raised once, and left up until a vehicle is let through', () => {
    const bench = new Bench(failing({ powerUp: 'open' })).start().pass(600_000);
    expect(bench.drives).toEqual(['open pulse']);
    expect(bench.boom).toBe('open');
    bench.sees('t1', '京A12345').on('approach').pass(1_000).driveThrough().pass(6_000);
    expect(bench.boom).toBe('closed');
  });

  test('inputs lost, stay: an open boom stays up, a closed one stays down', () => {
    const open = new Bench(failing({})).ready().sees('t1', '京A12345').on('approach').pass(4_000).driveThrough().sensor('closing', 'unknown').pass(600_000);
    expect(open.boom).toBe('open');
    const closed = new Bench(failing({})).ready();
    closed.log.length = 0;
    closed.sensor('closing', 'fault').pass(600_000);
    expect(closed.drives).toEqual([]);
  });

  test('inputs lost, open: raised while they are lost, and lowered by itself afterwards', () => {
    const bench = new Bench(failing({ inputsLost: 'open' })).ready();
    bench.log.length = 0;
    bench.sensor('closing', 'fault').pass(600_000);
    expect(bench.causes('open')).toEqual(['inputs-lost']);
    expect(bench.boom).toBe('open');
    bench.off('closing').pass(6_000);
    expect(bench.boom).toBe('closed');
  });

  test('relay lost: nothing is lowered by an order that may arrive at any time', () => {
    const bench = new Bench(failing({})).ready().sees('t1', '京A12345').on('approach').pass(4_000).driveThrough();
    bench.log.length = 0;
    bench.input({ kind: 'relay', available: false, detail: 'silent' }).pass(60_000);
    expect(bench.drives).toEqual([]);
    bench.input({ kind: 'relay', available: true, detail: '' }).pass(6_000);
    expect(bench.drives).toEqual(['close pulse']);
  });

  test('relay lost, open: the boom is raised when the board answers again, and left up', () => {
    const bench = new Bench(failing({ relayLost: 'open' })).ready();
    bench.log.length = 0;
    bench.input({ kind: 'relay', available: false, detail: 'silent' }).pass(60_000).input({ kind: 'relay', available: true, detail: '' }).pass(600_000);
    expect(bench.causes('open')).toEqual(['relay-lost']);
    expect(bench.boom).toBe('open');
  });
});

describe('run times', () => {
  const LIMITS = { sensors: ['openLimit', 'closedLimit'] } as const;

  /** Opens and closes once, with the switches coming after these times. */
  function cycle(bench: Bench, upMs: number, downMs: number): Bench {
    bench.command('open').pass(1).off('closedLimit').pass(upMs - 1).on('openLimit');
    bench.command('close').pass(500);
    const startedMs = bench.state.boom.movement?.startedMs ?? bench.nowMs;
    return bench.off('openLimit').pass(startedMs + downMs - bench.nowMs).on('closedLimit').pass(500);
  }

  test('are measured at the limit switches, kept, and go before those configured when a switch fails', () => {
    const bench = cycle(new Bench(LIMITS).ready({ closedLimit: 'on' }), 2_000, 2_500);
    const learned = bench.log.flatMap(({ effect }) => (effect.kind === 'learned' ? [effect.times] : []));
    expect(learned.at(-1)).toEqual({ openMs: 2_000, closeMs: 2_500 });
    bench.sensor('openLimit', 'unknown').command('open').pass(1).off('closedLimit').pass(2_400);
    expect(bench.boom).toBe('opening');
    bench.pass(200);
    expect(bench.boom).toBe('open');
  });

  test('of an earlier run that come late count where this one has none, once the boom is at rest, and move nothing', () => {
    const learned = (of: Bench): readonly unknown[] => of.log.flatMap(({ effect }) => (effect.kind === 'learned' ? [effect.times] : []));
    const late = { kind: 'run-times', times: { openMs: 1_300, closeMs: 1_700 } } as const;
    const resting = new Bench(LIMITS).ready({ closedLimit: 'on' });
    const before = resting.log.length;
    resting.input(late);
    expect(resting.log.slice(before).map(({ effect }) => effect)).toEqual([{ kind: 'learned', times: late.times }]);
    expect(resting.state.boom.runs).toEqual({ up: [1_300], down: [1_700] });

    const moving = new Bench(LIMITS).ready({ closedLimit: 'on' }).command('open').pass(1).off('closedLimit').pass(999).input(late);
    expect([moving.boom, moving.state.boom.runs, learned(moving)]).toEqual(['opening', { up: [], down: [] }, []]);
    moving.pass(1_000).on('openLimit').pass(1);
    expect(learned(moving).at(-1)).toEqual({ openMs: 2_000, closeMs: 1_700 });
    moving.input({ kind: 'run-times', times: { openMs: null, closeMs: 900 } });
    expect(moving.state.boom.runs).toEqual({ up: [2_000], down: [1_700] });
  });

  test('survive a restart', () => {
    const settings = site();
    const state = initialLane(settings, 0, { openMs: 1_200, closeMs: 1_500 });
    expect(state.boom.runs).toEqual({ up: [1_200], down: [1_500] });
    expect(reduce(state, { kind: 'tick' }, 1).state.boom.runs).toEqual({ up: [1_200], down: [1_500] });
  });

  test('a boom far slower than configured calls the mechanic, and a mended one no more', () => {
    const bench = cycle(new Bench(LIMITS).ready({ closedLimit: 'on' }), 5_000, 3_000);
    expect(bench.attention).toContain('boom-slow');
    for (let run = 0; run < 5; run += 1) cycle(bench, 2_500, 3_000);
    expect(bench.attention).not.toContain('boom-slow');
  });

  test('a part of the way teaches nothing', () => {
    const bench = new Bench(LIMITS).ready({ closedLimit: 'on' });
    bench.command('open').pass(1).off('closedLimit').pass(2_999).on('openLimit').command('close').pass(1_000).off('openLimit').pass(500);
    const before = bench.state.boom.runs.up.length;
    bench.on('closing').pass(1_000).on('openLimit');
    expect(bench.boom).toBe('open');
    expect(bench.state.boom.runs.up).toHaveLength(before);
  });
});
