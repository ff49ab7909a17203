import { describe, expect, test } from 'vitest';
import { Bench, admit, askPerson } from './fixtures.js';

/** A resident stands before the open boom. */
function admitted(options: ConstructorParameters<typeof Bench>[0] = {}): Bench {
  return new Bench(options).ready().sees('t1', '京A12345').on('approach').pass(4_000);
}

describe('ends of a passage', () => {
  test('entered: approach, closing, clear, and the boom comes down behind it', () => {
    const bench = admitted().driveThrough().pass(10_000);
    expect(bench.ends).toEqual(['entered']);
    expect(bench.causes('open')).toEqual(['decision']);
    expect(bench.causes('close')).toEqual(['passage-complete']);
    expect(bench.boom).toBe('closed');
    expect(bench.photographs).toEqual(['started', 'decided']);
    expect(bench.shows).toEqual(['approved', 'idle']);
    expect(bench.state.counts).toEqual({ passages: 1, opened: 1, refused: 0 });
  });

  test('exited: the same on an exit lane', () => {
    expect(admitted({ direction: 'exit' }).driveThrough().pass(10_000).ends).toEqual(['exited']);
  });

  test('backed-out: let through, but it left the way it came', () => {
    const bench = admitted().off('approach').pass(30_000);
    expect(bench.ends).toEqual(['backed-out']);
    expect(bench.causes('close')).toEqual(['auto-close']);
    expect(bench.boom).toBe('closed');
  });

  test('backed-out: it left before anything was decided', () => {
    const bench = new Bench().ready().on('approach').pass(1_000).off('approach').pass(10_000);
    expect(bench.ends).toEqual(['backed-out']);
    expect(bench.endDetails).toEqual(['undecided']);
    expect(bench.drives).toEqual([]);
  });

  test('backed-out: a driver whom a guard shut out again leaves', () => {
    const bench = admitted().command('close').pass(6_000);
    expect(bench.boom).toBe('closed');
    bench.off('approach').pass(6_000);
    expect(bench.ends).toEqual(['backed-out']);
  });

  test('refused: a stranger is told why and leaves', () => {
    const bench = new Bench().ready().sees('t1', '粤C2468E').on('approach').pass(20_000);
    expect(bench.shows).toEqual(['refused']);
    expect(bench.ends).toEqual([]);
    bench.off('approach').pass(5_000);
    expect(bench.ends).toEqual(['refused']);
    expect(bench.drives).toEqual([]);
    expect(bench.state.counts.refused).toBe(1);
  });

  test('abandoned: opened by a person, and nobody came', () => {
    const bench = new Bench().ready().command('open').pass(3_500);
    expect(bench.replies).toEqual(['done']);
    bench.pass(14_999);
    expect(bench.ends).toEqual([]);
    bench.pass(10_000);
    expect(bench.ends).toEqual(['abandoned']);
    expect(bench.causes('close')).toEqual(['auto-close']);
    expect(bench.boom).toBe('closed');
  });

  test('abandoned: the approach loop failed under a vehicle that was let through', () => {
    const bench = admitted().sensor('approach', 'fault').pass(60_000);
    expect(bench.ends).toEqual(['abandoned']);
    expect(bench.endDetails).toEqual(['approach-lost']);
    expect(bench.boom).toBe('closed');
  });

  test('abandoned: the approach loop never clears', () => {
    const bench = admitted().pass(60_000);
    expect(bench.attention).toContain('vehicle-waiting');
    expect(bench.boom).toBe('open');
    bench.pass(300_000);
    expect(bench.ends).toEqual(['abandoned']);
    expect(bench.attention).toContain('approach-stuck');
    expect(bench.boom).toBe('closed');
    bench.off('approach');
    expect(bench.attention).not.toContain('approach-stuck');
  });

  test('forced: a refused vehicle drives through all the same', () => {
    const bench = new Bench().ready().sees('t1', '粤C2468E').on('approach').pass(500).driveThrough().pass(5_000);
    expect(bench.ends).toEqual(['forced']);
    expect(bench.attention).toContain('forced-passage');
    expect(bench.photographs).toContain('forced');
    expect(bench.drives).toEqual([]);
    bench.sees('t2', '沪B67890').on('approach').pass(3_000).driveThrough().pass(5_000);
    expect(bench.attention).not.toContain('forced-passage');
  });

  test('forced: a tailgater who drives through undecided behind a resident', () => {
    const bench = admitted().on('closing').pass(500).off('approach').pass(300).sees('t2', '粤C2468E', { decisive: false }).on('approach').pass(300).off('closing').pass(200);
    bench.driveThrough().pass(10_000);
    expect(bench.ends).toEqual(['entered', 'forced']);
    expect(bench.attention).toContain('forced-passage');
  });

  test('entered: a late decision to admit turns a tailgater into a guest', () => {
    const bench = admitted();
    bench.answers = () => null;
    bench.on('closing').pass(500).off('approach').pass(300).sees('t2', '沪B67890').on('approach').pass(300).off('closing').pass(200).on('closing').pass(300);
    const request = bench.state.passages.at(-1)?.request ?? -1;
    bench.input({ kind: 'decision', request, decision: admit });
    bench.off('approach').pass(800).off('closing').pass(10_000);
    expect(bench.ends).toEqual(['entered', 'entered']);
  });
});

describe('a person lets through', () => {
  test('a decision to ask calls a person, whose command opens for the waiting vehicle', () => {
    const bench = new Bench().ready();
    bench.answers = () => askPerson;
    bench.sees('t1', '粤C2468E').on('approach').pass(1_000);
    expect(bench.attention).toEqual(['ask']);
    expect(bench.shows).toEqual(['ask']);
    bench.command('open').pass(3_500);
    expect(bench.attention).toEqual([]);
    bench.driveThrough().pass(10_000);
    expect(bench.ends).toEqual(['entered']);
    expect(bench.state.passages).toEqual([]);
  });

  test("the guard's button opens, and closes again when nobody came", () => {
    const bench = new Bench({ sensors: ['button'] }).ready().on('button').pass(25_000);
    expect(bench.causes('open')).toEqual(['button']);
    expect(bench.boom).toBe('closed');
  });

  test('an order behind a vehicle that is just gone without permission opens for the next one', () => {
    for (const order of [(bench: Bench) => bench.on('button'), (bench: Bench) => bench.command('open')]) {
      // Over the closing loop alone: gone for a moment, and not yet past.
      const bench = order(new Bench({ sensors: ['button'] }).ready().on('closing').pass(1_000).off('closing').pass(300)).pass(25_000);
      expect(bench.causes('open')).toHaveLength(1);
      expect(bench.ends).toEqual(['forced', 'abandoned']);
    }
  });

  test('a button found pressed after a fault opens nothing', () => {
    const bench = new Bench({ sensors: ['button'] }).ready().sensor('button', 'fault').on('button').pass(1_000);
    expect(bench.drives).toEqual([]);
  });

  test('the vehicle a person opened for is the one that comes', () => {
    const bench = new Bench().ready().command('open').pass(4_000).sees('t1', '粤C2468E').on('approach').pass(60_000).driveThrough().pass(10_000);
    expect(bench.ends).toEqual(['entered']);
    expect(bench.state.counts.passages).toBe(1);
  });

  test('a vehicle let out by a person through the entry is counted the way it went', () => {
    const bench = new Bench().ready().command('open').pass(4_000).on('closing').pass(500).on('approach').pass(500).off('closing').pass(500).off('approach').pass(5_000);
    expect(bench.ends).toEqual(['exited']);
    expect(bench.endDetails).toEqual(['wrong-way']);
  });

  test('a motorcycle that the approach loop missed passes on the opening made for it', () => {
    expect(new Bench().ready().command('open').pass(4_000).on('closing').pass(500).off('closing').pass(5_000).ends).toEqual(['entered']);
  });

  test('a second opening for the same waiting vehicle changes nothing', () => {
    const bench = admitted().command('open').pass(1_000);
    expect(bench.replies).toEqual(['done']);
    expect(bench.state.passages).toHaveLength(1);
  });
});

describe('hold and release', () => {
  test('a held lane lets everybody through and closes on release', () => {
    const bench = new Bench().ready().command('hold').pass(4_000);
    expect(bench.replies).toEqual(['done']);
    expect(bench.shows).toEqual(['held-open']);
    bench.sees('t1', '粤C2468E').on('approach').pass(300).driveThrough().pass(60_000);
    expect(bench.ends).toEqual(['entered']);
    expect(bench.endDetails).toEqual(['held-open']);
    expect(bench.boom).toBe('open');
    bench.command('close').command('release').pass(10_000);
    expect(bench.replies).toEqual(['done', 'refused held', 'done']);
    expect(bench.causes('close')).toEqual(['release']);
    expect(bench.boom).toBe('closed');
  });

  test('a released lane does not come down on who is under it', () => {
    const bench = new Bench().ready().command('hold').pass(4_000).on('closing').command('release').pass(60_000);
    expect(bench.drives).toEqual(['open pulse']);
    expect(bench.attention).toContain('vehicle-under-boom');
    bench.off('closing').pass(5_000);
    expect(bench.boom).toBe('closed');
    expect(bench.attention).toEqual([]);
  });
});

describe('commands', () => {
  test('close is refused over something, and fails when something comes', () => {
    const bench = new Bench().ready().command('open').pass(4_000).on('closing').command('close').off('closing').pass(10).command('close').pass(1_200);
    expect(bench.boom).toBe('closing');
    bench.on('closing').pass(10);
    expect(bench.replies).toEqual(['done', 'refused obstructed', 'failed obstructed']);
  });

  test('close of a boom that its switch says is down, and open then close, are done when the boom is there', () => {
    const bench = new Bench({ sensors: ['closedLimit'] }).ready({ closedLimit: 'on' }).command('close').command('open').pass(100).off('closedLimit').pass(4_000).command('close');
    expect(bench.replies).toEqual(['done', 'done']);
    bench.pass(4_100).on('closedLimit');
    expect(bench.replies).toEqual(['done', 'done', 'done']);
    expect(bench.ends).toEqual(['abandoned']);
    expect(bench.endDetails).toEqual(['closed-by-command']);
  });

  test('close of a boom that is down by its run time alone lowers once more: who orders it sees a boom that is up', () => {
    const bench = new Bench().ready().command('close').pass(100);
    expect(bench.boom).toBe('closing');
    expect(bench.drives).toEqual(['close pulse']);
    expect(bench.replies).toEqual([]);
    bench.pass(5_000);
    expect(bench.replies).toEqual(['done']);
    expect(bench.drives).toEqual(['close pulse']);
    expect(bench.laws.violations).toEqual([]);
  });

  test('a later order that wants something else ends the earlier', () => {
    const bench = new Bench().ready().command('open').command('hold').command('close');
    expect(bench.replies).toEqual(['refused held']);
    bench.command('release').command('open').pass(4_000).command('close').command('open').pass(5_000);
    expect(bench.replies).toEqual(['refused held', 'failed superseded', 'failed superseded', 'done', 'done', 'failed superseded', 'done']);
  });

  test('a barrier that closes by itself cannot be told to close', () => {
    expect(new Bench({ barrier: { closing: 'barrier-closes' } }).ready().command('close').replies).toEqual(['refused not-supported']);
  });

  test('an order whose target is never reached fails', () => {
    const bench = new Bench({ sensors: ['stop'] }).ready().command('open').pass(4_000).sensor('stop', 'fault').command('close').pass(60_000);
    expect(bench.replies).toEqual(['done', 'failed timeout']);
  });
});

describe('STOP', () => {
  test('the input releases everything, pulses the STOP contact and holds all movement until a person wants one', () => {
    const bench = new Bench({ sensors: ['stop'], stopWired: true }).ready().command('open').pass(200).on('stop');
    expect(bench.drives).toEqual(['open pulse', 'open release', 'stop pulse']);
    expect(bench.boom).toBe('stopped');
    bench.command('open').command('hold').pass(60_000);
    expect(bench.replies).toEqual(['failed stopped', 'refused stopped', 'refused stopped']);
    expect(bench.attention).toContain('stopped');
    expect(bench.shows).toContain('stopped');
    expect(bench.drives).toHaveLength(3);
    bench.off('stop').pass(60_000);
    expect(bench.boom).toBe('stopped');
    bench.command('close').pass(6_000);
    expect(bench.boom).toBe('closed');
  });

  test('after STOP the boom is not lowered until a person wants it', () => {
    const bench = new Bench({ sensors: ['stop', 'button'], stopWired: true }).ready().command('open').pass(4_000).on('stop').on('button').off('stop').pass(120_000);
    expect(bench.drives).not.toContain('close pulse');
    bench.command('close').pass(5_000);
    expect(bench.boom).toBe('closed');
  });

  test('the command holds a new vehicle too, until a person lifts it', () => {
    const bench = new Bench().ready().command('stop').sees('t1', '京A12345').on('approach').pass(10_000);
    expect(bench.drives).toEqual([]);
    bench.command('release').pass(10);
    expect(bench.causes('open')).toEqual(['decision']);
  });

  test('a boom lifted by hand under a STOP command is not lowered', () => {
    const bench = new Bench({ sensors: ['openLimit', 'closedLimit'] }).ready({ closedLimit: 'on' }).command('stop').off('closedLimit').on('openLimit').off('openLimit').on('closedLimit');
    bench.off('closedLimit').on('openLimit').pass(120_000);
    expect(bench.drives).toEqual([]);
    expect(bench.boom).toBe('open');
  });

  test('a STOP line that cannot be read holds the boom up, not down', () => {
    const bench = admitted({ sensors: ['stop'] }).sensor('stop', 'unknown').driveThrough().pass(60_000);
    expect(bench.ends).toEqual(['entered']);
    expect(bench.boom).toBe('open');
    bench.off('stop').pass(5_000);
    expect(bench.boom).toBe('closed');
  });
});
