import { describe, expect, test } from 'vitest';
import { Bench, admit, askPerson, refuse } from './fixtures.js';

/** Documented cases of direction logic (Feig VEK manuals, see the domain notes), with the count of vehicles right. */
describe('documented cases of two loops', () => {
  test('column traffic: three residents bumper to bumper, one opening, three passages', () => {
    const bench = new Bench().ready();
    bench.residents.add('粤C2468E');
    bench.sees('t1', '京A12345').sees('t2', '沪B67890').sees('t3', '粤C2468E').on('approach').pass(3_500);
    bench.on('closing').pass(500).off('approach').pass(200).sees('t1', '京A12345', { ended: true }).on('approach').pass(300).off('closing').pass(200);
    bench.on('closing').pass(500).off('approach').pass(200).sees('t2', '沪B67890', { ended: true }).on('approach').pass(300).off('closing').pass(200);
    bench.on('closing').pass(500).off('approach').pass(500).off('closing').pass(8_000);
    expect(bench.ends).toEqual(['entered', 'entered', 'entered']);
    expect(bench.drives).toEqual(['open pulse', 'close pulse']);
    expect(bench.events('passage.ended').map((ended) => ended['plate'])).toEqual(['京A12345', '沪B67890', '粤C2468E']);
  });

  test('column traffic so close that the closing loop never clears between two cars', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').sees('t2', '沪B67890').on('approach').pass(3_500);
    bench.on('closing').pass(500).off('approach').pass(200).on('approach').pass(600).off('approach').pass(600).off('closing').pass(8_000);
    expect(bench.ends).toEqual(['entered', 'entered']);
  });

  test('column traffic without a plate: the follower is served once the first has gone', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500);
    bench.on('closing').pass(500).off('approach').pass(200).on('approach').pass(300).off('closing').pass(6_000);
    expect(bench.ends).toEqual(['entered']);
    expect(bench.decides.at(-1)).toBeNull();
    expect(bench.state.passages).toHaveLength(1);
  });

  test('column traffic so close that the approach loop never clears: the next plate tells there are two', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500);
    bench.sees('t1', '京A12345', { ended: true }).on('closing').pass(500).sees('t2', '粤C2468E').off('closing').pass(6_000);
    expect(bench.ends).toEqual(['entered']);
    expect(bench.state.passages).toMatchObject([{ plate: { text: '粤C2468E' }, clearedBy: null }]);
    expect(bench.boom).toBe('closed');
  });

  test('a resident behind a car whose plate is not sure yet does not open for it', () => {
    const bench = new Bench().ready();
    bench.glimpses('front', 0.2, '粤C2468E', { confidence: 0.1 }).glimpses('behind', 0.1, '京A12345').on('approach').pass(500);
    expect(bench.drives).toEqual([]);
    // The plate in front has come into focus: a stranger's.
    bench.glimpses('front', 0.2, '粤C2468E').glimpses('behind', 0.1, '京A12345').pass(200);
    expect(bench.state.passages).toMatchObject([{ plate: { text: '粤C2468E' }, clearedBy: null }]);
    expect(bench.drives).toEqual([]);
  });

  test('a resident is read although something else in view is not sure: behind it, or out of the picture', () => {
    const behind = new Bench().ready().glimpses('behind', 0.08, '粤C2468E', { confidence: 0.1 }).glimpses('front', 0.2, '京A12345').on('approach').pass(500);
    expect(behind.drives).toEqual(['open pulse']);
    const passed = new Bench().ready().glimpses('front', 0.3, '粤C2468E', { confidence: 0.1 }).glimpses('front', 0.3, '粤C2468E', { confidence: 0.1, ended: true }).glimpses('next', 0.1, '京A12345').on('approach').pass(2_000);
    expect(passed.drives).toEqual(['open pulse']);
  });

  test('a slanting first glimpse of a plate does not go before the plate itself', () => {
    const bench = new Bench().ready();
    bench.glimpses('glimpse', 0.1, '京CECER7', { confidence: 0.72 }).pass(300).glimpses('glimpse', 0.1, '京CECER7', { confidence: 0.72, ended: true });
    bench.glimpses('plate', 0.1, '京A12345').pass(500).on('approach').pass(500);
    expect(bench.state.passages).toMatchObject([{ plate: { text: '京A12345' } }]);
    expect(bench.drives).toEqual(['open pulse']);
  });

  test('a glimpse gives way to the plate itself, but not to the plate of the car behind', () => {
    const glimpsed = (): Bench => {
      const bench = new Bench().ready().glimpses('glimpse', 0.1, '粤C2468E', { confidence: 0.6 }).on('approach').pass(200);
      return bench.glimpses('glimpse', 0.1, '粤C2468E', { confidence: 0.6, ended: true });
    };
    const same = glimpsed().glimpses('plate', 0.11, '京A12345').pass(500);
    expect(same.state.passages).toMatchObject([{ plate: { text: '京A12345' } }]);
    expect(same.drives).toEqual(['open pulse']);
    const behind = glimpsed().glimpses('behind', 0.06, '京A12345').pass(500);
    expect(behind.state.passages).toMatchObject([{ plate: { text: '粤C2468E' } }]);
    expect(behind.drives).toEqual([]);
  });

  test('a shop sign read as a plate at 1 % is nobody', () => {
    const bench = new Bench().ready().glimpses('sign', 0.1, '湘E11111', { confidence: 0.01 }).on('approach').pass(1_000);
    expect(bench.state.passages).toMatchObject([{ plate: null }]);
  });

  test('a plate read only after its car had passed is not given to the next car', () => {
    const bench = new Bench({ direction: 'exit' }).ready();
    bench.answers = (text) => (text === null ? admit : refuse);
    bench.on('approach').pass(6_000);
    expect(bench.drives).toEqual(['open pulse']);
    bench.on('closing').glimpses('first', 0.3, '京A12345').pass(100).glimpses('first', 0.3, '京A12345', { ended: true }).off('approach');
    bench.pass(900).on('approach').pass(300).off('closing').pass(3_000);
    expect(bench.ends).toEqual(['exited']);
    expect(bench.state.passages).toMatchObject([{ plate: null }]);
  });

  test('shunting back and forth: on and off the closing loop counts once', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500);
    bench.on('closing').pass(700).off('closing').pass(2_500).on('closing').pass(700).off('closing').pass(900);
    expect(bench.ends).toEqual([]);
    expect(bench.boom).toBe('open');
    bench.driveThrough().pass(8_000);
    expect(bench.ends).toEqual(['entered']);
    expect(bench.state.counts.passages).toBe(1);
  });

  test('shunting back and forth: rolling back over the approach loop from under the boom counts once', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500);
    bench.on('closing').pass(700).off('approach').pass(300).on('approach').pass(500).off('approach').pass(600).off('closing').pass(8_000);
    expect(bench.ends).toEqual(['entered']);
    expect(bench.state.counts.passages).toBe(1);
  });

  test('shunting back and forth: off the approach loop and on again, its plate in the picture all the time', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500).off('approach').pass(1_500).on('approach').pass(500).driveThrough().pass(8_000);
    expect(bench.ends).toEqual(['entered']);
    expect(bench.state.counts.passages).toBe(1);
  });

  test('a second plate while the first seemed to roll back: there are two', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500);
    bench.on('closing').pass(700).off('approach').pass(300).on('approach').pass(200).sees('t2', '沪B67890').pass(300).off('closing').pass(200).driveThrough().pass(8_000);
    expect(bench.ends).toEqual(['entered', 'entered']);
  });

  test('wrong way: closing before approach ends forced, and the next vehicle is served', () => {
    const bench = new Bench().ready().on('closing').pass(500).on('approach').pass(500).off('closing').pass(500).off('approach').pass(1_000);
    expect(bench.ends).toEqual(['forced']);
    expect(bench.endDetails).toEqual(['wrong-way']);
    expect(bench.decides).toEqual([]);
    bench.sees('t1', '京A12345').on('approach').pass(3_500).driveThrough().pass(5_000);
    expect(bench.ends).toEqual(['forced', 'entered']);
  });

  test('wrong way: a vehicle that stays on the approach loop is served as a waiting one', () => {
    const bench = new Bench().ready().on('closing').pass(500).on('approach').pass(500).off('closing').pass(3_900);
    expect(bench.decides).toEqual([]);
    bench.pass(6_000);
    expect(bench.ends).toEqual(['forced']);
    expect(bench.decides).toEqual([null]);
  });

  test('cross traffic: only the closing loop, under a boom that was not opened', () => {
    const bench = new Bench().ready().on('closing').pass(800).off('closing').pass(3_000);
    expect(bench.ends).toEqual(['forced']);
    expect(bench.endDetails).toEqual(['closing-loop-only']);
    expect(bench.drives).toEqual([]);
  });

  test('only the approach loop, and back out: nothing is counted in', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(200).off('approach').pass(30_000);
    expect(bench.ends).toEqual(['backed-out']);
    expect(bench.boom).toBe('closed');
  });

  test('gap between the loops: a motorcycle leaves the first before it reaches the second', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500).off('approach').pass(1_400).on('closing').pass(300).off('closing').pass(8_000);
    expect(bench.ends).toEqual(['entered']);
    expect(bench.state.counts.passages).toBe(1);
  });

  test('gap between the loops: a column of two motorcycles is two', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500);
    bench.sees('t1', '京A12345', { ended: true }).off('approach').pass(300).sees('t2', '沪B67890').on('approach').pass(300);
    bench.on('closing').pass(300).off('closing').pass(300).off('approach').pass(700).on('closing').pass(300).off('closing').pass(8_000);
    expect(bench.ends).toEqual(['entered', 'entered']);
  });

  test('gap between the loops: a refused motorcycle that backed away is not taken for the resident behind it', () => {
    const bench = new Bench().ready().sees('t1', '粤C2468E').on('approach').pass(500).sees('t1', '粤C2468E', { ended: true }).off('approach').pass(1_000);
    bench.sees('t2', '京A12345').on('approach').pass(2_000).driveThrough().pass(8_000);
    expect(bench.ends).toEqual(['refused', 'entered']);
  });

  test('a vehicle that was let through and has been gone for long makes room for the next', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500).sees('t1', '京A12345', { ended: true }).off('approach').pass(5_000);
    bench.sees('t2', '沪B67890').on('approach').pass(500).driveThrough().pass(8_000);
    expect(bench.ends).toEqual(['backed-out', 'entered']);
  });

  test('a trailer: the drawbar clears the closing loop for a moment, one passage', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500).on('closing').pass(800).off('approach').pass(500).off('closing').pass(400).on('closing').pass(900).off('closing').pass(8_000);
    expect(bench.ends).toEqual(['entered']);
    expect(bench.state.counts.passages).toBe(1);
    expect(bench.drives).toEqual(['open pulse', 'close pulse']);
  });

  test('a lorry over both loops for long', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500).on('closing').pass(70_000);
    expect(bench.attention).toContain('vehicle-under-boom');
    expect(bench.boom).toBe('open');
    bench.off('approach').pass(1_000).off('closing').pass(8_000);
    expect(bench.ends).toEqual(['entered']);
  });

  test('a car stopped under the boom keeps it up for ever and calls a person', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500).on('closing').pass(500).off('approach').pass(3_600_000);
    expect(bench.boom).toBe('open');
    expect(bench.attention).toEqual(['vehicle-under-boom']);
  });

  test('the approach loop fails for a moment under a waiting vehicle: one passage', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500).sensor('approach', 'unknown').pass(500).on('approach').pass(500).driveThrough().pass(8_000);
    expect(bench.ends).toEqual(['entered']);
  });

  test('the approach loop fails for a moment under a vehicle on both loops: one passage', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500).on('closing').sensor('approach', 'fault').pass(300).on('approach').pass(300).off('approach').pass(300).off('closing').pass(8_000);
    expect(bench.ends).toEqual(['entered']);
  });

  test('a vehicle let in by a person through the exit is counted the way it went', () => {
    const bench = new Bench({ direction: 'exit' }).ready().command('open').pass(4_000).on('closing').pass(500).on('approach').pass(500).off('closing').pass(500).off('approach').pass(5_000);
    expect(bench.ends).toEqual(['entered']);
  });

  test('the closing loop fails for a moment under a vehicle: one passage', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500).on('closing').pass(300).sensor('closing', 'fault').pass(300).on('closing').pass(300).off('approach').pass(300).off('closing').pass(8_000);
    expect(bench.ends).toEqual(['entered']);
  });

  test('a closing loop that could not be read and comes back occupied holds somebody unknown, and forces nothing', () => {
    const bench = new Bench().ready().sensor('closing', 'fault').pass(5_000).on('closing').pass(5_000).sensor('closing', 'fault').on('closing').off('closing').pass(5_000);
    expect(bench.ends).toEqual([]);
  });
});

describe('plates and passages', () => {
  test('a plate read never opens without a vehicle on the approach loop', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').pass(60_000);
    expect(bench.decides).toContain('京A12345');
    expect(bench.drives).toEqual([]);
  });

  test('an unambiguous read is decided before the loop trips, so that the boom moves on its edge', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').pass(1_000);
    const asked = bench.decides.length;
    const edgeMs = bench.nowMs;
    bench.on('approach');
    expect(bench.drivenAt('open pulse')).toEqual([edgeMs]);
    expect(bench.decides).toHaveLength(asked);
  });

  test('an early admission is on record before the vehicle comes, so that the boom waits for no disk on the edge', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').pass(1_000);
    bench.journalAnswers = false;
    const edgeMs = bench.nowMs;
    bench.on('approach').pass(500);
    expect(bench.drivenAt('open pulse')).toEqual([edgeMs]);
    expect(bench.events('passage.foreseen')).toMatchObject([{ plate: '京A12345', rule: 'resident', cause: { kind: 'decision', detail: 'resident 京A12345' } }]);
    expect(bench.attention).not.toContain('record-late');
  });

  test.each([
    ['has not answered', null],
    ['could not take it', false],
  ])('an early admission does not count as on record where the journal %s', (_what, durable) => {
    const bench = new Bench();
    bench.ready().journalAnswers = false;
    bench.sees('t1', '京A12345').pass(1_000);
    const token = bench.state.tracks[0]?.foreseen?.token ?? -1;
    if (durable !== null) bench.input({ kind: 'recorded', token, durable });
    const edgeMs = bench.nowMs;
    bench.on('approach').pass(500);
    expect(bench.drivenAt('open pulse')).toEqual([edgeMs + 150]);
    expect(bench.attention).toContain('record-late');
  });

  test('an early admission under another rule than the one on record waits for a record of its own', () => {
    const bench = new Bench();
    bench.ready().sees('t1', '京A12345').pass(1_000);
    bench.journalAnswers = false;
    bench.answers = () => ({ ...admit, rule: 'visitor-pass' });
    bench.pass(10_000);
    const edgeMs = bench.nowMs;
    bench.on('approach').pass(500);
    expect(bench.events('passage.foreseen').map(({ rule }) => rule)).toEqual(['resident', 'visitor-pass']);
    expect(bench.drivenAt('open pulse')).toEqual([edgeMs + 150]);
  });

  test('an admission on record does not stand for an opening that a person ordered', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').pass(1_000);
    bench.journalAnswers = false;
    bench.command('open').pass(100);
    expect(bench.drives).toEqual([]);
    bench.pass(100);
    expect(bench.drives).toEqual(['open pulse']);
  });

  test('a plate that stays in view is foreseen once, a refused one never', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').pass(60_000);
    expect(bench.events('passage.foreseen')).toHaveLength(1);
    const other = new Bench().ready().sees('t1', '粤B00000').pass(60_000);
    expect(other.decides).toContain('粤B00000');
    expect(other.events('passage.foreseen')).toEqual([]);
  });

  test('an early question still open when the loop trips counts for the passage', () => {
    const bench = new Bench().ready();
    bench.answers = () => null;
    bench.sees('t1', '京A12345').on('approach');
    expect(bench.decides).toEqual(['京A12345']);
    const request = bench.state.passages[0]?.request ?? -1;
    bench.input({ kind: 'decision', request, decision: admit });
    expect(bench.drives).toEqual(['open pulse']);
  });

  test('an early decision grown old, or older than the last passage, is asked again', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').pass(25_000);
    expect(bench.decides).toHaveLength(3);
    const other = new Bench().ready().sees('t1', '京A12345').on('approach').sees('t2', '沪B67890').pass(3_500).driveThrough().pass(3_000);
    expect(other.decides.filter((plate) => plate === '沪B67890').length).toBeGreaterThan(1);
  });

  test('an early question that failed is asked again', () => {
    const bench = new Bench().ready();
    bench.answers = () => null;
    bench.sees('t1', '京A12345').input({ kind: 'decision-failed', request: bench.state.tracks[0]?.request?.number ?? -1 });
    expect(bench.decides).toHaveLength(1);
    bench.pass(500);
    expect(bench.decides).toHaveLength(2);
  });

  test('no early decision where the site wants none', () => {
    const bench = new Bench({ settings: { earlyDecision: false } }).ready().sees('t1', '京A12345').pass(1_000);
    expect(bench.decides).toEqual([]);
    bench.on('approach');
    expect(bench.causes('open')).toEqual(['decision']);
  });

  test('a parked car in the picture never counts', () => {
    const bench = new Bench().ready().sees('t1', '京A12345', { stationary: true }).on('approach').pass(10_000);
    expect(bench.decides).toEqual([null]);
    expect(bench.drives).toEqual([]);
  });

  test('a track that turns out parked is no plate of the vehicle any more', () => {
    const bench = new Bench().ready().sees('t1', '粤C2468E', { decisive: false }).on('approach').sees('t1', '京A12345', { stationary: true }).pass(5_000);
    expect(bench.drives).toEqual([]);
  });

  test('the reads of one vehicle are never given to the next', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500).driveThrough().pass(1_600);
    // The first car's plate, seen again under another name while a stranger arrives.
    bench.sees('t1', '京A12345').sees('t9', '京A12345').on('approach').pass(5_000);
    expect(bench.decides.at(-1)).toBeNull();
    expect(bench.causes('open')).toEqual(['decision']);
    expect(bench.boom).toBe('closed');
  });

  test('the plate of a vehicle in the lane, under another track, is not given to the one behind', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').on('approach').pass(3_500).on('closing').pass(500).off('approach').pass(100).on('approach');
    bench.sees('t9', '京A12345').off('closing').pass(5_000);
    expect(bench.decides.at(-1)).toBeNull();
  });

  test('a vehicle without a plate in time is decided without, and once more when it is read', () => {
    const bench = new Bench().ready().on('approach').pass(3_999);
    expect(bench.decides).toEqual([]);
    bench.pass(1);
    expect(bench.decides).toEqual([null]);
    expect(bench.shows).toEqual(['reading', 'refused']);
    bench.sees('t1', '京A12345').pass(10);
    expect(bench.causes('open')).toEqual(['decision']);
  });

  test('without vision a vehicle is decided at once', () => {
    const bench = new Bench().ready().sees('t1', '京A12345').input({ kind: 'vision', available: false }).on('approach');
    expect(bench.decides.at(-1)).toBeNull();
    expect(bench.state.tracks).toEqual([]);
  });

  test('a read that is not final waits, and counts when its plate has left the picture', () => {
    const bench = new Bench().ready().on('approach').sees('t1', '京A12345', { decisive: false }).pass(1_000);
    expect(bench.decides).toEqual([]);
    bench.input({ kind: 'track', report: { track: 't1', reads: 6, decisive: false, stationary: false, ended: true, seenAtMs: bench.nowMs } });
    expect(bench.decides).toEqual(['京A12345']);
  });

  test('a better vote after a refusal is decided again; the same vote is not', () => {
    const bench = new Bench().ready().sees('t1', '京A12346', { confidence: 0.9 }).on('approach').pass(100);
    bench.sees('t1', '京A12346', { confidence: 0.905 }).pass(100);
    const asked = bench.decides.length;
    bench.sees('t1', '京A12346', { confidence: 0.95 }).pass(100);
    expect(bench.decides).toHaveLength(asked + 1);
    bench.sees('t1', '京A12345').pass(100);
    expect(bench.causes('open')).toEqual(['decision']);
    expect(bench.decides).toHaveLength(asked + 2);
  });

  test('an unsure later read does not replace a sure one', () => {
    const bench = new Bench().ready().sees('t1', '粤C2468E').on('approach').sees('t1', '京A12345', { decisive: false }).pass(10_000);
    expect(bench.drives).toEqual([]);
    expect(bench.state.passages[0]?.plate?.text).toBe('粤C2468E');
  });

  test('a refused stranger does not get in on the plate of the resident behind him', () => {
    const bench = new Bench().ready().sees('t1', '粤C2468E').on('approach').pass(500).sees('t1', '粤C2468E', { ended: true }).pass(100).sees('t2', '京A12345').pass(30_000);
    expect(bench.drives).toEqual([]);
  });

  test('the same vehicle under a new track, read better, is decided again', () => {
    const bench = new Bench().ready().sees('t1', '京A12346').on('approach').pass(500).sees('t1', '京A12346', { ended: true }).pass(100).sees('t2', '京A12345').pass(100);
    expect(bench.causes('open')).toEqual(['decision']);
  });

  test('votes that flicker for ever do not ask for ever', () => {
    const bench = new Bench().ready().sees('t1', '粤C2468E').on('approach');
    for (let turn = 0; turn < 50; turn += 1) bench.sees('t1', turn % 2 === 0 ? '粤C24680' : '粤C2468E').pass(100);
    expect(bench.decides.length).toBeLessThan(12);
  });

  test('nobody can decide: a person is called, and it is tried again', () => {
    const bench = new Bench().ready();
    bench.answers = () => null;
    bench.sees('t1', '京A12345').on('approach');
    bench.input({ kind: 'decision-failed', request: bench.state.passages[0]?.request ?? -1 });
    expect(bench.attention).toEqual(['decision-failed']);
    bench.pass(600);
    bench.input({ kind: 'decision', request: bench.state.passages[0]?.request ?? -1, decision: admit });
    expect(bench.attention).toEqual([]);
    expect(bench.causes('open')).toEqual(['decision']);
  });

  test('an answer for a vehicle that has gone is ignored', () => {
    const bench = new Bench().ready();
    bench.answers = () => null;
    bench.sees('t1', '京A12345').on('approach');
    const request = bench.state.passages[0]?.request ?? -1;
    bench.off('approach').pass(6_000).input({ kind: 'decision', request, decision: admit }).pass(1_000);
    expect(bench.drives).toEqual([]);
  });

  test('an answer after a person has opened, or when the vehicle is through, is only put on record', () => {
    const bench = new Bench().ready();
    bench.answers = () => null;
    bench.sees('t1', '京A12345').on('approach');
    const request = bench.state.passages[0]?.request ?? -1;
    bench.command('open').pass(4_000).input({ kind: 'decision', request, decision: { ...refuse, note: 'moved out' } });
    bench.driveThrough().pass(5_000);
    expect(bench.ends).toEqual(['entered']);
    const late = new Bench().ready();
    late.answers = () => null;
    late.sees('t1', '京A12345').on('approach');
    const lateRequest = late.state.passages[0]?.request ?? -1;
    late.driveThrough().input({ kind: 'decision', request: lateRequest, decision: { ...admit, matched: 'exact' } }).pass(5_000);
    expect(late.ends).toEqual(['forced']);
    expect(late.drives).toEqual([]);
  });

  test('a no-plate vehicle may be admitted or asked about by the rules', () => {
    const bench = new Bench().ready();
    bench.answers = (plate) => (plate === null ? { ...admit, rule: 'no-plate' } : askPerson);
    bench.on('approach').pass(4_500);
    expect(bench.causes('open')).toEqual(['decision']);
    const asking = new Bench().ready();
    asking.answers = () => askPerson;
    asking.on('approach').pass(4_500);
    expect(asking.attention).toEqual(['ask']);
  });

  test('a flood of tracks is bounded', () => {
    const bench = new Bench().ready();
    for (let number = 0; number < 100; number += 1) bench.sees(`t${number}`, '京A12345', { decisive: false });
    expect(bench.state.tracks.length).toBeLessThanOrEqual(32);
  });

  test('many commands do not grow the memory of their ids without bound', () => {
    const bench = new Bench().ready();
    for (let number = 0; number < 100; number += 1) bench.command('release', `r${number}`);
    expect(bench.state.commandIds).toHaveLength(64);
  });
});
