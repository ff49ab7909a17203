import { describe, expect, test } from 'vitest';
import type { DriveAction, LaneEffect, LaneInput, ContactName, SensorName } from '../../src/lane/index.js';
import { LawWatch } from '../../src/lane/laws.js';
import type { Cause } from '../../src/lane/types.js';
import type { SignalState } from '../../src/base/index.js';
import { site, type Site } from './fixtures.js';

const tick: LaneInput = { kind: 'tick' };
const cause = (kind: Cause['kind']): Cause => ({ kind, detail: 'test' });

function drive(output: ContactName, kind: Cause['kind'] = 'command', action: DriveAction = 'pulse', durationMs = 400): readonly LaneEffect[] {
  return [
    { kind: 'journal', event: { type: 'boom.opening', payload: { cause: { ...cause(kind) } } }, token: null },
    { kind: 'drive', output, action, durationMs, cause: cause(kind), urgency: 'ordinary', passage: null },
  ];
}

/** A watch over a lane whose inputs have been read and are clear. */
function watch(options: Site = {}): { readonly laws: LawWatch; readonly sensor: (sensor: SensorName, state: SignalState, atMs: number) => void } {
  const settings = site({ sensors: ['beam', 'fire', 'stop', 'button', 'openLimit', 'closedLimit'], ...options });
  const laws = new LawWatch(settings);
  const sensor = (name: SensorName, state: SignalState, atMs: number): void => laws.observe({ kind: 'sensor', sensor: name, state }, [], atMs);
  for (const name of settings.sensors) sensor(name, 'off', 0);
  laws.observe({ kind: 'inputs-read' }, [], 0);
  return { laws, sensor };
}

const order = (id: string, target: 'open' | 'close' | 'stop'): LaneInput => ({ kind: 'command', ticket: 1, command: { id, target, issuer: 'test', reason: '' } });
const broken = (laws: LawWatch): readonly string[] => laws.violations.map((violation) => violation.law);

describe('the watch sees a broken law', () => {
  test('S1: started down over something', () => {
    const { laws, sensor } = watch();
    sensor('closing', 'fault', 10);
    laws.observe(tick, drive('close'), 20);
    expect(broken(laws)).toEqual(['S1']);
  });

  test('S1: not raised in time, and kept when it is', () => {
    const bad = watch();
    bad.laws.observe(tick, drive('close'), 1_000);
    bad.sensor('beam', 'on', 2_000);
    bad.laws.observe(tick, [], 2_561);
    expect(broken(bad.laws)).toEqual(['S1']);
    const good = watch();
    good.laws.observe(tick, drive('close'), 1_000);
    good.sensor('beam', 'on', 2_000);
    good.laws.observe(tick, drive('open', 'obstruction'), 2_400);
    good.laws.observe(tick, [], 9_000);
    expect(broken(good.laws)).toEqual([]);
  });

  test('S1: nothing to raise once the boom is down, stopped, or its relay is gone', () => {
    const down = watch();
    down.laws.observe(tick, drive('close'), 1_000);
    down.sensor('closedLimit', 'on', 2_000);
    down.sensor('beam', 'on', 2_100);
    const stopped = watch({ stopWired: true });
    stopped.laws.observe(tick, drive('close'), 1_000);
    stopped.laws.observe(order('a', 'stop'), [], 1_500);
    stopped.sensor('beam', 'on', 2_100);
    const gone = watch();
    gone.laws.observe(tick, drive('close'), 1_000);
    gone.sensor('beam', 'on', 2_100);
    gone.laws.observe({ kind: 'output-fault', output: 'open', action: 'pulse', detail: '' }, [], 2_150);
    gone.sensor('closing', 'on', 2_200);
    for (const { laws } of [down, stopped, gone]) {
      laws.observe(tick, [], 60_000);
      expect(broken(laws)).toEqual([]);
    }
  });

  test('S4: a boom that STOP left half-way may be let go in a fire, and has to be held again at once', () => {
    const halted = (): ReturnType<typeof watch> => {
      const watched = watch({ stopWired: true, barrier: { drive: 'hold-to-open', deadTimeMs: 0 } });
      watched.laws.observe(tick, drive('open', 'command', 'hold'), 1_000);
      watched.laws.observe(tick, drive('stop', 'stop'), 2_000);
      watched.sensor('fire', 'on', 3_000);
      watched.laws.observe(tick, drive('open', 'fire', 'release'), 3_000);
      return watched;
    };
    const good = halted().laws;
    good.observe(tick, drive('open', 'fire', 'hold'), 3_150);
    good.observe(tick, [], 9_000);
    expect(broken(good)).toEqual([]);
    const bad = halted().laws;
    bad.observe(tick, [], 3_161);
    expect(broken(bad)).toEqual(['S4']);
  });

  test('S4: a boom whose rise failed may be let go in a fire, where the limit switches bear it out, and has to be held again at once', () => {
    const failed = { kind: 'journal', event: { type: 'boom.fault', payload: { detail: 'open limit not reached' } }, token: null } as const;
    const released = (limit: 'openLimit' | 'closedLimit' | null, effects: readonly LaneEffect[] = [failed]): LawWatch => {
      const { laws, sensor } = watch({ barrier: { drive: 'hold-to-open', deadTimeMs: 0 } });
      for (const name of ['openLimit', 'closedLimit'] as const) sensor(name, name === limit ? 'on' : 'unknown', 500);
      sensor('fire', 'on', 1_000);
      laws.observe(tick, drive('open', 'fire', 'hold'), 1_000);
      laws.observe(tick, effects, 20_000);
      laws.observe(tick, drive('open', 'fire', 'release'), 30_000);
      return laws;
    };
    const good = released('closedLimit');
    good.observe(tick, drive('open', 'fire', 'hold'), 30_150);
    good.observe(tick, [], 60_000);
    expect(broken(good)).toEqual([]);
    const late = released('closedLimit');
    late.observe(tick, [], 30_161);
    expect(broken(late)).toEqual(['S4']);
    const output = { kind: 'journal', event: { type: 'boom.fault', payload: { detail: '', output: 'open', action: 'hold' } }, token: null } as const;
    for (const laws of [released('openLimit'), released(null), released('closedLimit', []), released('closedLimit', [output])]) expect(broken(laws)).toEqual(['S4']);
  });

  test('S4: under STOP the boom rises only to end a descent onto something, or one that its operator lowered and holds no more', () => {
    const hold: LaneInput = { kind: 'supervise', ticket: 1, order: { session: 's1', direction: 'close', issuer: 'test' } };
    const stopped = (options: Site, by: 'operator' | 'nobody'): LawWatch => {
      const { laws } = watch(options);
      if (by === 'operator') laws.observe(hold, [], 1_000);
      laws.observe(tick, drive('close', 'operator'), 1_000);
      laws.observe(order('a', 'stop'), drive('close', 'stop', 'release', 0), 1_200);
      return laws;
    };
    const good = stopped({}, 'operator');
    good.observe(tick, drive('open', 'operator'), 1_700);
    expect(broken(good)).toEqual([]);
    const never = stopped({}, 'operator');
    never.observe(tick, [], 1_761);
    expect(broken(never)).toEqual(['S1']);
    for (const laws of [stopped({ stopWired: true }, 'operator'), stopped({}, 'nobody')]) {
      laws.observe(tick, drive('open', 'operator'), 1_700);
      expect(broken(laws)).toEqual(['S4']);
    }
    const other = stopped({}, 'operator');
    other.observe(tick, drive('open', 'command'), 1_700);
    expect(broken(other)).toEqual(['S4']);
  });

  test.each([
    ['a command', (laws: LawWatch) => laws.observe(order('a', 'open'), [], 1_200)],
    ["the guard's button", (laws: LawWatch) => laws.observe({ kind: 'sensor', sensor: 'button', state: 'on' }, [], 1_200)],
    ['fire', (laws: LawWatch) => laws.observe({ kind: 'sensor', sensor: 'fire', state: 'on' }, [], 1_200)],
    ['what the lane itself says', (laws: LawWatch) => laws.observe(tick, [{ kind: 'journal', event: { type: 'boom.stopped', payload: { supervised: 'close', why: 'held' } }, token: null }], 1_200)],
    ['the STOP input', (laws: LawWatch) => laws.observe({ kind: 'sensor', sensor: 'stop', state: 'on' }, [], 1_200)],
  ])('S1: %s takes a boom on its way down from the operator who holds it, and it has to rise', (_name, takes) => {
    const { laws } = watch();
    laws.observe({ kind: 'supervise', ticket: 1, order: { session: 's1', direction: 'close', issuer: 'test' } }, [], 1_000);
    laws.observe(tick, drive('close', 'operator'), 1_000);
    takes(laws);
    laws.observe({ kind: 'supervise-renew', session: 's1' }, [], 1_400);
    laws.observe(tick, [], 1_761);
    expect(broken(laws)).toEqual(['S1']);
  });

  test('S2: close too soon after open, and open while close is on', () => {
    const { laws } = watch();
    laws.observe(tick, drive('open'), 1_000);
    laws.observe(tick, drive('close'), 1_800);
    laws.observe(tick, drive('open'), 1_900);
    expect(broken(laws)).toEqual(['S2', 'S2']);
    const kept = watch().laws;
    kept.observe(tick, drive('open'), 1_000);
    kept.observe(tick, drive('open', 'command', 'release', 0), 1_100);
    kept.observe(tick, drive('close', 'command', 'release', 0), 1_100);
    kept.observe(tick, drive('close'), 1_600);
    expect(broken(kept)).toEqual([]);
  });

  test('S3: pulses without bound, contacts held', () => {
    const { laws } = watch();
    laws.observe(tick, drive('open', 'command', 'pulse', 5_000), 1_000);
    laws.observe(tick, drive('open', 'command', 'pulse', 0), 10_000);
    laws.observe(tick, drive('open', 'command', 'hold', 0), 20_000);
    const own = watch({ barrier: { closing: 'barrier-closes' } }).laws;
    own.observe(tick, drive('open', 'command', 'hold', 0), 1_000);
    own.observe(tick, drive('stop', 'command', 'hold', 0), 1_000);
    expect([...broken(laws), ...broken(own)]).toEqual(['S3', 'S3', 'S3', 'S3']);
  });

  test('S4: fire without opening, or closing during it; movement under STOP', () => {
    const { laws, sensor } = watch();
    sensor('fire', 'on', 1_000);
    laws.observe(tick, drive('close', 'fire'), 1_100);
    laws.observe(tick, [], 1_700);
    const stop = watch();
    stop.sensor('stop', 'on', 1_000);
    stop.laws.observe(tick, drive('open'), 1_100);
    stop.laws.observe(tick, drive('close'), 9_000);
    expect([...broken(laws), ...broken(stop.laws)]).toEqual(['S4', 'S4', 'S4', 'S4']);
  });

  test('S4: nothing is owed when STOP, the end of fire or the open limit says so', () => {
    const stop = watch();
    stop.sensor('fire', 'on', 1_000);
    stop.sensor('stop', 'on', 1_100);
    stop.sensor('stop', 'unknown', 1_100);
    const over = watch();
    over.sensor('fire', 'on', 1_000);
    over.sensor('fire', 'off', 1_100);
    const up = watch();
    up.sensor('openLimit', 'on', 900);
    up.sensor('fire', 'on', 1_000);
    const early = new LawWatch(site({ sensors: ['fire', 'stop'] }));
    early.observe({ kind: 'sensor', sensor: 'fire', state: 'on' }, [], 0);
    early.observe({ kind: 'sensor', sensor: 'stop', state: 'on' }, [], 0);
    early.observe({ kind: 'inputs-read' }, [], 1);
    for (const laws of [stop.laws, over.laws, up.laws, early]) {
      laws.observe(tick, [], 60_000);
      expect(broken(laws)).toEqual([]);
    }
  });

  test('S4: fire found at start is owed an opening', () => {
    const laws = new LawWatch(site({ sensors: ['fire'] }));
    laws.observe({ kind: 'sensor', sensor: 'fire', state: 'on' }, [], 0);
    laws.observe({ kind: 'inputs-read' }, [], 1);
    laws.observe(tick, [], 1_000);
    expect(broken(laws)).toEqual(['S4']);
  });

  test('S5: driven before the inputs were read', () => {
    const laws = new LawWatch(site());
    laws.observe(tick, drive('open'), 1_000);
    expect(broken(laws)).toEqual(['S5']);
  });

  test('S6: closed by itself after a second obstruction, not after an intended input', () => {
    const twice = (between: (at: ReturnType<typeof watch>) => void): readonly string[] => {
      const at = watch();
      for (const startMs of [10_000, 20_000]) {
        at.laws.observe(tick, drive('close'), startMs);
        at.sensor('beam', 'on', startMs + 1_000);
        at.laws.observe(tick, drive('open', 'obstruction'), startMs + 1_400);
        at.sensor('beam', 'off', startMs + 2_000);
      }
      between(at);
      at.laws.observe(tick, drive('close'), 40_000);
      return broken(at.laws);
    };
    expect(twice(() => undefined)).toEqual(['S6']);
    expect(twice(({ laws }) => laws.observe(order('a', 'close'), [], 30_000))).toEqual([]);
    expect(twice(({ sensor }) => sensor('button', 'on', 30_000))).toEqual([]);
    const admitted: LaneInput = { kind: 'decision', request: 1, decision: { outcome: 'admit', rule: 'resident', visitorClass: 'resident' } };
    expect(twice(({ laws }) => laws.observe(admitted, [], 30_000))).toEqual([]);
  });

  test('S6: a sensor that flickers in one descent is one obstruction', () => {
    const { laws, sensor } = watch();
    laws.observe(tick, drive('close'), 10_000);
    for (const atMs of [11_000, 11_100, 11_200]) {
      sensor('beam', 'on', atMs);
      sensor('beam', 'off', atMs + 50);
    }
    laws.observe(tick, drive('open', 'obstruction'), 11_400);
    laws.observe(tick, drive('close'), 20_000);
    expect(broken(laws)).toEqual([]);
  });

  test('hold to open: letting go is closing, and a pulse is none', () => {
    const { laws, sensor } = watch({ barrier: { drive: 'hold-to-open' } });
    laws.observe(tick, drive('open', 'command', 'hold'), 1_000);
    sensor('closing', 'on', 2_000);
    laws.observe(tick, drive('open', 'auto-close', 'release'), 3_000);
    expect(broken(laws)).toEqual(['S1']);
    laws.observe(tick, drive('open', 'command', 'pulse'), 4_000);
    expect(broken(laws)).toEqual(['S1', 'S3']);
  });

  test('lamps: green only under a boom that is up and not under STOP', () => {
    const { laws, sensor } = watch();
    laws.observe(tick, [{ kind: 'lamp', show: 'green' }], 1_000);
    sensor('openLimit', 'on', 2_000);
    laws.observe(tick, [{ kind: 'lamp', show: 'green' }], 3_000);
    expect(broken(laws)).toEqual(['lamp']);
    sensor('stop', 'on', 4_000);
    laws.observe(tick, [{ kind: 'lamp', show: 'green' }], 5_000);
    expect(broken(laws)).toEqual(['lamp', 'lamp']);
  });

  test('S7: a command accepted twice; a refused one is none', () => {
    const { laws } = watch();
    const refused: LaneEffect = { kind: 'reply', ticket: 1, id: 'a', target: 'open', outcome: 'refused', reason: 'duplicate' };
    laws.observe(order('a', 'open'), [], 1_000);
    laws.observe(order('a', 'open'), [refused], 2_000);
    expect(broken(laws)).toEqual([]);
    laws.observe(order('a', 'open'), [], 3_000);
    expect(broken(laws)).toEqual(['S7']);
  });

  test('S9: driven without a cause on record', () => {
    const { laws } = watch();
    laws.observe(tick, drive('open').slice(1), 1_000);
    expect(broken(laws)).toEqual(['S9']);
  });

  test('a gateway that closes where the barrier does', () => {
    const { laws } = watch({ barrier: { closing: 'barrier-closes' } });
    laws.observe(tick, drive('close'), 1_000);
    expect(broken(laws)).toEqual(['barrier-closes']);
  });

  test('sensors that are not wired, or say the same again, mean nothing', () => {
    const laws = new LawWatch(site());
    laws.observe({ kind: 'sensor', sensor: 'fire', state: 'on' }, [], 0);
    laws.observe({ kind: 'sensor', sensor: 'closing', state: 'unknown' }, [], 0);
    laws.observe({ kind: 'inputs-read' }, [], 0);
    laws.observe(tick, [], 60_000);
    expect(broken(laws)).toEqual([]);
  });
});
