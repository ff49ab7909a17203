import { describe, expect, test } from 'vitest';
import { plateRead } from '../plates.js';
import { Bench, HOUR, MINUTE, SECOND } from './bench.js';

describe('healthy lanes', () => {
  test('an hour of cars, and nothing is found', () => {
    const bench = new Bench();
    bench.tell({ kind: 'vision', available: true });
    for (let car = 0; car < 100; car += 1) bench.pass([], `京A${String(10_000 + car)}`);
    expect(bench.changes).toEqual([]);
  });

  test('a night without vehicles', () => {
    const bench = new Bench();
    bench.tell({ kind: 'vision', available: true });
    bench.wait(10 * HOUR);
    expect(bench.changes).toEqual([]);
  });

  test('a day of vehicles does not make it remember more', () => {
    const bench = new Bench();
    for (let car = 0; car < 200; car += 1) bench.pass([], `京A${String(10_000 + car)}`);
    const before = bench.bytes;
    for (let car = 0; car < 1_000; car += 1) bench.pass([], `京B${String(10_000 + car)}`);
    expect(bench.bytes).toBeLessThan(before * 1.1);
  });
});

describe('loop-stuck-on', () => {
  test('the approach loop stays occupied and the camera sees nobody: after ten minutes', () => {
    const bench = new Bench();
    bench.tell({ kind: 'vision', available: true });
    bench.set('approach', 'on');
    bench.wait(9 * MINUTE);
    expect(bench.findings).toEqual([]);
    bench.wait(2 * MINUTE);
    expect(bench.findings).toEqual(['entry loop-stuck-on approach']);
    expect(bench.changes[0]?.finding.facts).toEqual({ minutes: 10, why: 'nothing-seen', keepsBoomUp: false });
    bench.set('approach', 'off');
    bench.wait(5 * SECOND);
    expect(bench.findings).toHaveLength(1);
    bench.wait(6 * SECOND);
    expect(bench.history).toEqual(['raised loop-stuck-on', 'cleared loop-stuck-on']);
  });

  test('a guest who waits for an hour with his plate in the picture is no stuck loop', () => {
    const bench = new Bench();
    bench.tell({ kind: 'vision', available: true });
    bench.set('approach', 'on');
    let waitedS = 0;
    bench.wait(HOUR, () => bench.track({ track: 'guest', stationary: (waitedS += 1) > 300 }));
    expect(bench.changes).toEqual([]);
  });

  test('a car parked beside the lane explains nothing', () => {
    const bench = new Bench();
    bench.tell({ kind: 'vision', available: true });
    bench.set('approach', 'on');
    bench.wait(11 * MINUTE, () => bench.track({ track: 'parked', stationary: true }));
    expect(bench.findings).toEqual(['entry loop-stuck-on approach']);
  });

  test('without a camera it takes half an hour, or vehicles that pass around it', () => {
    const alone = new Bench();
    alone.set('approach', 'on');
    alone.wait(29 * MINUTE);
    expect(alone.findings).toEqual([]);
    alone.wait(2 * MINUTE);
    expect(alone.changes[0]?.finding.facts['why']).toBe('time');

    const busy = new Bench();
    busy.set('approach', 'on');
    for (let car = 0; car < 20; car += 1) busy.pass(['approach']);
    expect(busy.changes[0]?.finding).toMatchObject({ code: 'loop-stuck-on', facts: { minutes: 10, why: 'passed-around' } });
  });

  test('rush hour: a column keeps the approach loop occupied for a quarter of an hour', () => {
    const bench = new Bench();
    bench.boom('open');
    bench.set('approach', 'on');
    for (let car = 0; car < 150; car += 1) {
      bench.wait(4 * SECOND);
      bench.set('closing', 'on');
      bench.set('beam', 'on');
      bench.wait(1_500);
      bench.set('beam', 'off');
      bench.set('closing', 'off');
    }
    expect(bench.changes).toEqual([]);
  });

  test('the closing loop over a clear beam is found in five minutes, and the finding says that it keeps the boom up', () => {
    const bench = new Bench();
    bench.boom('open');
    bench.set('closing', 'on');
    bench.wait(4 * MINUTE);
    expect(bench.findings).toEqual([]);
    bench.wait(2 * MINUTE);
    expect(bench.changes).toMatchObject([{ change: 'raised', finding: { code: 'loop-stuck-on', sensors: ['closing'], facts: { why: 'beam-clear', keepsBoomUp: true } } }]);
  });

  test('a car parked under the boom for two hours interrupts the beam and is not found', () => {
    const bench = new Bench();
    bench.boom('open');
    bench.set('closing', 'on');
    bench.set('beam', 'on');
    bench.wait(2 * HOUR);
    expect(bench.changes).toEqual([]);
  });

  test('a car with its nose under the boom still stands on the approach loop', () => {
    const bench = new Bench();
    bench.set('approach', 'on');
    bench.set('closing', 'on');
    bench.wait(20 * MINUTE);
    expect(bench.changes).toEqual([]);
  });

  test('without a beam, vehicles that roll past tell', () => {
    const bench = new Bench([]);
    bench.boom('open');
    bench.set('closing', 'on');
    bench.wait(4 * MINUTE);
    for (let car = 0; car < 4; car += 1) {
      bench.pulse('approach', 2 * SECOND);
      bench.wait(20 * SECOND);
    }
    expect(bench.changes[0]?.finding.facts['why']).toBe('passed-around');
  });
});

describe('sensors that stay silent', () => {
  test.each([
    ['approach', 'loop-stuck-off'],
    ['closing', 'loop-stuck-off'],
    ['beam', 'beam-stuck-off'],
  ] as const)('%s misses four vehicles in a row', (sensor, code) => {
    const bench = new Bench();
    for (let car = 0; car < 3; car += 1) bench.pass([sensor]);
    expect(bench.findings).toEqual([]);
    bench.pass([sensor]);
    expect(bench.changes).toMatchObject([{ change: 'raised', finding: { code, sensors: [sensor], facts: { vehicles: 4 } } }]);
    bench.pass();
    expect(bench.findings).toHaveLength(1);
    bench.pass();
    expect(bench.findings).toEqual([]);
  });

  test('a motorcycle now and then that a loop misses is no silence', () => {
    const bench = new Bench();
    for (let round = 0; round < 10; round += 1) {
      for (let motorcycle = 0; motorcycle < 3; motorcycle += 1) bench.pass(['closing']);
      bench.pass();
    }
    expect(bench.changes).toEqual([]);
  });

  test('vehicles that back out under a raised boom, where a beam shows that nobody went on', () => {
    const bench = new Bench(['beam']);
    for (let car = 0; car < 8; car += 1) {
      bench.boom('opening');
      bench.pulse('approach', 8 * SECOND);
      bench.boom('closed');
      bench.wait(MINUTE);
    }
    expect(bench.changes).toEqual([]);
  });

  test('without a beam: one driver who shunts to and fro under a raised boom is one vehicle', () => {
    const bench = new Bench([]);
    bench.boom('open');
    for (let time = 0; time < 8; time += 1) {
      bench.pulse('approach', 3 * SECOND);
      bench.wait(16 * SECOND);
    }
    expect(bench.changes).toEqual([]);
  });

  test('vehicles that come the wrong way reach the approach loop later', () => {
    const bench = new Bench();
    for (let car = 0; car < 8; car += 1) {
      bench.boom('open');
      bench.pulse('closing', 2 * SECOND);
      bench.wait(1_500);
      bench.pulse('approach', 2 * SECOND);
      bench.boom('closed');
      bench.wait(MINUTE);
    }
    expect(bench.changes).toEqual([]);
  });
});

describe('flutter', () => {
  const flicker = (bench: Bench, sensor: 'approach' | 'beam' | 'openLimit', times: number, onMs: number, offMs: number): void => {
    for (let time = 0; time < times; time += 1) {
      bench.pulse(sensor, onMs);
      bench.wait(offMs);
    }
  };

  test.each([
    ['approach', 220, 'loop-flutter'],
    ['beam', 60, 'beam-flutter'],
    ['openLimit', 30, 'contact-flutter'],
  ] as const)('%s that goes on and off for a minute', (sensor, onMs, code) => {
    const bench = new Bench();
    flicker(bench, sensor, 30, onMs, 2 * SECOND);
    expect(bench.findings).toEqual([`entry ${code} ${sensor}`]);
    bench.wait(9 * MINUTE);
    expect(bench.findings).toHaveLength(1);
    bench.wait(2 * MINUTE);
    expect(bench.history).toEqual([`raised ${code}`, `cleared ${code}`]);
  });

  test('rain for a few seconds, three times in a night', () => {
    const bench = new Bench();
    for (let shower = 0; shower < 3; shower += 1) {
      flicker(bench, 'approach', 20, 220, 200);
      bench.wait(2 * HOUR);
    }
    expect(bench.changes).toEqual([]);
  });

  test('a loose joint that trips the loop once in two minutes is found within the hour or two', () => {
    const bench = new Bench();
    flicker(bench, 'approach', 40, 250, 100 * SECOND);
    expect(bench.history).toEqual(['raised loop-flutter']);
  });

  test('held open in the rush hour: a car in two seconds is traffic', () => {
    const bench = new Bench([]);
    bench.boom('open');
    for (let car = 0; car < 300; car += 1) {
      bench.pulse('approach', 1_200);
      bench.pulse('closing', 800);
    }
    expect(bench.changes).toEqual([]);
  });
});

describe('loop-crosstalk', () => {
  test('loops of two lanes that trip together although one lane is empty', () => {
    const bench = new Bench([], ['entry', 'exit']);
    for (let car = 0; car < 12; car += 1) {
      bench.set('approach', 'on', 'entry');
      bench.wait(40);
      bench.set('approach', 'on', 'exit');
      bench.wait(2 * SECOND);
      bench.set('approach', 'off', 'entry');
      bench.set('approach', 'off', 'exit');
      bench.wait(20 * SECOND);
    }
    expect(bench.changes).toMatchObject([{ change: 'raised', lane: 'entry', finding: { code: 'loop-crosstalk', sensors: ['approach'], facts: { withinMs: 100, otherLane: 'exit', otherLoop: 'approach' } } }]);
    for (let car = 0; car < 12; car += 1) {
      bench.pulse('approach', 2 * SECOND, 'entry');
      bench.wait(10 * SECOND);
      bench.pulse('approach', 2 * SECOND, 'exit');
      bench.wait(10 * SECOND);
    }
    expect(bench.findings).toEqual([]);
  });

  test('both loops of one lane at once under a closed boom', () => {
    const bench = new Bench([]);
    for (let car = 0; car < 12; car += 1) {
      bench.set('approach', 'on');
      bench.boom('opening');
      bench.wait(50);
      bench.pulse('closing', 500);
      bench.wait(5 * SECOND);
      bench.set('approach', 'off');
      bench.boom('closed');
      bench.wait(20 * SECOND);
    }
    expect(bench.findings).toEqual(['entry loop-crosstalk approach+closing']);
  });

  test('two busy lanes side by side trip together by chance only', () => {
    const bench = new Bench([], ['entry', 'exit']);
    // Periods without a common measure: near each other again and again.
    let nextEntryMs = bench.nowMs;
    let nextExitMs = bench.nowMs;
    for (let trip = 0; trip < 6_000; trip += 1) {
      const entry = nextEntryMs <= nextExitMs;
      bench.wait((entry ? nextEntryMs : nextExitMs) - bench.nowMs);
      const lane = entry ? 'entry' : 'exit';
      bench.set('approach', 'on', lane);
      bench.set('approach', 'off', lane === 'entry' ? 'exit' : 'entry');
      bench.set('approach', 'off', lane);
      if (entry) nextEntryMs += 3_989;
      else nextExitMs += 4_457;
    }
    expect(bench.history.filter((line) => line.includes('crosstalk'))).toEqual([]);
  });
});

describe('the arm', () => {
  const fall = (bench: Bench, trips: boolean): void => {
    bench.boom('open');
    bench.wait(5 * SECOND);
    bench.boom('closing');
    bench.wait(1_000);
    if (trips) bench.pulse('closing', 600);
    bench.wait(2_500);
    bench.boom('closed');
    bench.wait(MINUTE);
  };

  test('trips the closing loop in three falls of six', () => {
    const bench = new Bench([]);
    for (const trips of [true, false, true, false]) fall(bench, trips);
    expect(bench.findings).toEqual([]);
    fall(bench, true);
    expect(bench.findings).toEqual(['entry loop-disturbed-by-boom closing']);
    for (let run = 0; run < 7; run += 1) fall(bench, false);
    expect(bench.findings).toEqual([]);
  });

  test('falling towards a second vehicle, which left the approach loop just now', () => {
    const bench = new Bench([]);
    for (let run = 0; run < 8; run += 1) {
      bench.boom('open');
      bench.pulse('approach', 2 * SECOND);
      bench.boom('closing');
      bench.pulse('closing', 600);
      bench.boom('closed');
      bench.wait(MINUTE);
    }
    expect(bench.history.filter((line) => line.includes('disturbed'))).toEqual([]);
  });

  test('a board that begins to lower later than the lane thinks, and is told to rise before it is down', () => {
    const bench = new Bench();
    for (let run = 0; run < 4; run += 1) {
      bench.boom('opening');
      bench.set('closedLimit', 'off');
      bench.wait(3 * SECOND);
      bench.set('openLimit', 'on');
      bench.boom('open');
      bench.wait(5 * SECOND);
      bench.boom('closing');
      bench.wait(2 * SECOND);
      bench.set('openLimit', 'off');
      bench.wait(2 * SECOND);
    }
    expect(bench.changes).toEqual([]);
  });

  test('runs its whole time twice without reaching the open limit', () => {
    const bench = new Bench();
    bench.pass(['openLimit']);
    expect(bench.findings).toEqual([]);
    bench.pass(['openLimit']);
    expect(bench.findings).toEqual(['entry limit-never-reached openLimit']);
    bench.pass();
    expect(bench.findings).toEqual([]);
  });

  test('both limit switches on: once, however often the boom moves, until each has let go', () => {
    const bench = new Bench();
    for (let car = 0; car < 5; car += 1) bench.pass(['closedLimit']);
    expect(bench.history).toEqual(['raised limits-both-on']);
    bench.pass();
    expect(bench.history).toEqual(['raised limits-both-on', 'cleared limits-both-on']);
  });
});

describe('loop and camera', () => {
  const seenOnly = (bench: Bench, plate: string): void => {
    bench.wait(8 * SECOND, () => bench.track({ track: plate, vote: plateRead(plate) }));
    bench.track({ track: plate, ended: true });
    bench.wait(30 * SECOND);
  };

  test('half of the vehicles at the line are not felt', () => {
    const bench = new Bench();
    bench.tell({ kind: 'vision', available: true });
    for (let car = 0; car < 4; car += 1) {
      seenOnly(bench, `京B${String(10_000 + car)}`);
      bench.pass([], `京A${String(10_000 + car)}`);
    }
    expect(bench.changes).toMatchObject([{ change: 'raised', finding: { code: 'loop-vision-disagree', facts: { why: 'seen-not-felt', times: 4 } } }]);
    for (let car = 0; car < 8; car += 1) bench.pass([], `京C${String(10_000 + car)}`);
    expect(bench.findings).toEqual([]);
  });

  test('a loop that feels none of them is silent', () => {
    const bench = new Bench();
    bench.tell({ kind: 'vision', available: true });
    for (let car = 0; car < 4; car += 1) seenOnly(bench, `京B${String(10_000 + car)}`);
    expect(bench.history).toEqual(['raised loop-stuck-off']);
  });

  test('one car that stands and is read again and again counts once', () => {
    const bench = new Bench();
    bench.tell({ kind: 'vision', available: true });
    for (let time = 0; time < 8; time += 1) seenOnly(bench, '京B10000');
    expect(bench.changes).toEqual([]);
  });

  test('vehicles of the lane beside, which trip its loops', () => {
    const bench = new Bench([], ['entry', 'exit']);
    bench.tell({ kind: 'vision', available: true });
    for (let car = 0; car < 8; car += 1) {
      const plate = `京B${String(10_000 + car)}`;
      bench.track({ track: plate, vote: plateRead(plate) });
      bench.pulse('approach', 2 * SECOND, 'exit');
      seenOnly(bench, plate);
    }
    expect(bench.changes).toEqual([]);
  });

  test('cars parked in the picture', () => {
    const bench = new Bench();
    bench.tell({ kind: 'vision', available: true });
    bench.wait(2 * HOUR, () => {
      for (const plate of ['京B10000', '京C20000', '京D30000', '京E40000']) bench.track({ track: plate, vote: plateRead(plate), stationary: true });
    });
    expect(bench.changes).toEqual([]);
  });

  test('the loop is occupied eight times and no plate is ever in the picture', () => {
    const bench = new Bench();
    bench.tell({ kind: 'vision', available: true });
    for (let stay = 0; stay < 8; stay += 1) {
      bench.wait(MINUTE);
      bench.pulse('approach', 20 * SECOND);
    }
    expect(bench.changes).toMatchObject([{ finding: { code: 'loop-vision-disagree', facts: { why: 'felt-not-seen', times: 8 } } }]);
  });

  test('only vehicles that cannot be read stay on the loop; those read drive on at once', () => {
    const bench = new Bench();
    bench.tell({ kind: 'vision', available: true });
    for (let stay = 0; stay < 12; stay += 1) {
      for (const plate of ['京B10000', '京C20000', '京D30000']) {
        bench.wait(MINUTE);
        bench.track({ track: `${plate} ${String(stay)}`, vote: plateRead(plate) });
        bench.pulse('approach', 2 * SECOND);
        bench.track({ track: `${plate} ${String(stay)}`, vote: plateRead(plate), ended: true });
      }
      bench.wait(MINUTE);
      bench.pulse('approach', 8 * SECOND);
    }
    expect(bench.changes.filter(({ finding }) => finding.code === 'loop-vision-disagree')).toEqual([]);
  });

  test('without a camera nothing is compared', () => {
    const bench = new Bench();
    for (let stay = 0; stay < 20; stay += 1) {
      bench.wait(MINUTE);
      bench.pulse('approach', 20 * SECOND);
    }
    expect(bench.changes).toEqual([]);
  });
});

describe('loop-drift', () => {
  const read = (bench: Bench, forMs: number, hz: (atMs: number) => number | null): void => {
    const fromMs = bench.nowMs;
    bench.wait(forMs, () => {
      if (bench.nowMs % (5 * SECOND) === 0) bench.tell({ kind: 'frequency', loop: 'closing', hz: hz(bench.nowMs - fromMs) });
    });
  };

  test('four per cent in twelve hours; over when it has been steady for a day', () => {
    const bench = new Bench();
    read(bench, 12 * HOUR, (atMs) => 60_000 * (1 + (0.04 * atMs) / (12 * HOUR)));
    expect(bench.changes).toMatchObject([{ finding: { code: 'loop-drift', sensors: ['closing'], facts: { why: 'drift', fromHz: 60_000 } } }]);
    read(bench, 26 * HOUR, () => 62_400);
    expect(bench.findings).toEqual([]);
  });

  test('warm days, cool nights and vehicles', () => {
    const bench = new Bench();
    for (let hour = 0; hour < 30; hour += 1) {
      read(bench, HOUR - MINUTE, (atMs) => 60_000 * (1 + 0.01 * Math.sin(((hour + atMs / HOUR) / 24) * 2 * Math.PI)));
      bench.set('closing', 'on');
      read(bench, MINUTE, () => 61_500);
      bench.set('closing', 'off');
    }
    expect(bench.changes).toEqual([]);
  });

  test('a shorted turn: a jump that lasts, for as long as it is not undone', () => {
    const bench = new Bench();
    read(bench, HOUR, () => 60_000);
    read(bench, 30 * SECOND, () => 75_000);
    read(bench, HOUR, () => 60_000);
    expect(bench.changes).toEqual([]);
    bench.set('closing', 'fault');
    read(bench, 2 * MINUTE, () => 75_000);
    expect(bench.changes).toMatchObject([{ finding: { facts: { why: 'jump', percent: 25, fromHz: 60_000, hz: 75_000 } } }]);
    bench.set('closing', 'off');
    read(bench, 3 * MINUTE, () => 60_300);
    expect(bench.findings).toEqual([]);
  });

  test('out of the range detectors work in, and a detector that stops to tell', () => {
    const bench = new Bench();
    read(bench, 2 * MINUTE, () => 9_000);
    expect(bench.changes).toMatchObject([{ finding: { facts: { why: 'range', hz: 9_000 } } }]);
    read(bench, 10 * SECOND, () => null);
    expect(bench.findings).toEqual([]);
  });
});

describe('other inputs', () => {
  test('a beam interrupted for five minutes over an empty loop', () => {
    const bench = new Bench();
    bench.set('beam', 'on');
    bench.wait(4 * MINUTE);
    expect(bench.findings).toEqual([]);
    bench.wait(2 * MINUTE);
    expect(bench.findings).toEqual(['entry beam-stuck-on beam']);
    bench.set('beam', 'off');
    bench.wait(11 * SECOND);
    expect(bench.findings).toEqual([]);
  });

  test('a button pressed for minutes', () => {
    const bench = new Bench();
    bench.set('button', 'on');
    bench.wait(6 * MINUTE);
    expect(bench.findings).toEqual(['entry button-stuck-on button']);
  });

  test('a cable that is lost five times in an hour; a bus that was lost twice', () => {
    const bench = new Bench();
    const lose = (): void => {
      bench.set('approach', 'unknown');
      bench.wait(2 * SECOND);
      bench.set('approach', 'off');
      bench.wait(10 * MINUTE);
    };
    lose();
    lose();
    bench.wait(2 * HOUR);
    expect(bench.changes).toEqual([]);
    for (let time = 0; time < 7; time += 1) lose();
    expect(bench.history).toEqual(['raised input-unsteady']);
    bench.wait(30 * MINUTE);
    expect(bench.history).toEqual(['raised input-unsteady', 'cleared input-unsteady']);
  });
});
