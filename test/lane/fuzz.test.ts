import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SignalState } from '../../src/base/index.js';
import { LawWatch } from '../../src/lane/laws.js';
import { initialLane, nextDueMs, reduce, type CommandTarget, type LaneEffect, type LaneInput, type LaneSettings, type LaneState, type SensorName } from '../../src/lane/index.js';
import { admit, askPerson, refuse, site } from './fixtures.js';
import { plateRead } from './plates.js';

const PLATES = ['京A12345', '沪B67890', '粤C2468E'].map((text) => plateRead(text));
const STATES: readonly SignalState[] = ['on', 'off', 'off', 'on', 'unknown', 'fault'];

type Act =
  | { readonly kind: 'input'; readonly input: LaneInput }
  | { readonly kind: 'answer'; readonly decision: number }
  | { readonly kind: 'record'; readonly durable: boolean }
  | { readonly kind: 'clear' }
  | { readonly kind: 'scene'; readonly acts: readonly (Act | number)[] };

const all: readonly SensorName[] = ['approach', 'closing', 'beam', 'openLimit', 'closedLimit', 'fire', 'stop', 'button'];

const order = (target: CommandTarget, id: string): Act => ({ kind: 'input', input: { kind: 'command', ticket: 0, command: { id, target, issuer: 'web:guard', reason: 'fuzz' } } });
const signal = (sensor: SensorName, state: SignalState): Act => ({ kind: 'input', input: { kind: 'sensor', sensor, state } });
const lowers: Act = { kind: 'input', input: { kind: 'supervise', ticket: 0, order: { session: 's1', direction: 'close', issuer: 'console:pi' } } };
const recorded: Act = { kind: 'record', durable: true };

/** Where chance alone seldom comes to: what matters there is what it does next. Numbers are waits, ms. */
const SCENES: readonly (readonly (Act | number)[])[] = [
  // An operator lowers, from the beginning or from the middle of the descent.
  [{ kind: 'clear' }, lowers, recorded],
  [{ kind: 'clear' }, order('open', 'up'), recorded, 5_000, 16_000, recorded, 900, lowers],
  // A rise ends short of the open limit, in a fire and in peace.
  [{ kind: 'clear' }, signal('openLimit', 'off'), signal('closedLimit', 'on'), order('fire', 'burns'), 16_000],
  [{ kind: 'clear' }, signal('openLimit', 'off'), signal('closedLimit', 'on'), order('open', 'up'), recorded, 16_000],
];

/** What cuts into a scene. */
const TURNS: readonly Act[] = [
  order('stop', 'halt'),
  order('open', 'again'),
  order('release', 'let'),
  signal('stop', 'on'),
  signal('fire', 'on'),
  signal('closing', 'on'),
  signal('openLimit', 'on'),
  signal('closedLimit', 'on'),
  { kind: 'input', input: { kind: 'supervise-end', session: 's1' } },
  { kind: 'input', input: { kind: 'schedule', hold: true } },
];

const acts: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 2,
    arbitrary: fc
      .record({ scene: fc.constantFrom(...SCENES), waitMs: fc.constantFrom(0, 0, 40, 450), turn: fc.constantFrom(...TURNS) })
      .map(({ scene, waitMs, turn }) => ({ kind: 'scene' as const, acts: [...scene, waitMs, turn] })),
  },
  { weight: 8, arbitrary: fc.record({ sensor: fc.constantFrom(...all.slice(0, 3)), state: fc.constantFrom(...STATES) }).map((at) => ({ kind: 'input' as const, input: { kind: 'sensor' as const, ...at } })) },
  { weight: 4, arbitrary: fc.record({ sensor: fc.constantFrom(...all), state: fc.constantFrom(...STATES) }).map((at) => ({ kind: 'input' as const, input: { kind: 'sensor' as const, ...at } })) },
  { weight: 3, arbitrary: fc.constant({ kind: 'clear' as const }) },
  {
    weight: 3,
    arbitrary: fc
      .record({ track: fc.constantFrom('t1', 't2', 't3'), vote: fc.constantFrom(...PLATES), reads: fc.constant(5), decisive: fc.boolean(), stationary: fc.constantFrom(false, false, true), ended: fc.constantFrom(false, false, true), seenAtMs: fc.constantFrom(0, 5_000, 20_000, Infinity), readAtMs: fc.constantFrom(0, 5_000, 20_000, Infinity) })
      .map((report) => ({ kind: 'input' as const, input: { kind: 'track' as const, report } })),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({ id: fc.integer({ min: 0, max: 12 }), target: fc.constantFrom('open', 'close', 'hold', 'release', 'stop', 'stop', 'open', 'close', 'fire', 'fire-over') })
      .map(({ id, target }) => ({ kind: 'input' as const, input: { kind: 'command' as const, ticket: 0, command: { id: `c${id}`, target, issuer: 'web:guard', reason: 'fuzz' } } })),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ session: fc.constantFrom('s1', 's2'), direction: fc.constantFrom('close', 'close', 'open') })
      .map(({ session, direction }) => ({ kind: 'input' as const, input: { kind: 'supervise' as const, ticket: 0, order: { session, direction, issuer: 'console:pi' } } })),
  },
  {
    weight: 5,
    arbitrary: fc
      .record({ kind: fc.constantFrom('supervise-renew', 'supervise-renew', 'supervise-renew', 'supervise-end'), session: fc.constantFrom('s1', 's2') })
      .map((input) => ({ kind: 'input' as const, input })),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('answer' as const), decision: fc.constantFrom(0, 0, 0, 1, 2, 3) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('record' as const), durable: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ available: fc.boolean() }).map(({ available }) => ({ kind: 'input' as const, input: { kind: 'vision' as const, available } })) },
  {
    weight: 1,
    arbitrary: fc
      .record({ output: fc.constantFrom('open', 'close', 'stop'), action: fc.constantFrom('pulse', 'release', 'hold') })
      .map((at) => ({ kind: 'input' as const, input: { kind: 'output-fault' as const, ...at, detail: 'bus silent' } })),
  },
  { weight: 1, arbitrary: fc.boolean().map((hold) => ({ kind: 'input' as const, input: { kind: 'schedule' as const, hold } })) },
  { weight: 1, arbitrary: fc.boolean().map((available) => ({ kind: 'input' as const, input: { kind: 'relay' as const, available, detail: 'bus silent' } })) },
  { weight: 1, arbitrary: fc.boolean().map((works) => ({ kind: 'input' as const, input: { kind: 'lamp' as const, works, detail: 'bus silent' } })) },
  { weight: 1, arbitrary: fc.constant({ kind: 'input' as const, input: { kind: 'output-ok' as const, output: 'open' as const } }) },
);

const steps = fc.array(fc.record({ waitMs: fc.constantFrom(0, 1, 40, 160, 450, 900, 1_100, 3_600, 16_000), act: acts }), { minLength: 1, maxLength: 60 });

interface World {
  state: LaneState;
  nowMs: number;
  ticket: number;
  readonly laws: LawWatch;
  requests: number[];
  tokens: number[];
}

function feed(world: World, input: LaneInput): readonly LaneEffect[] {
  const { state, effects } = reduce(world.state, input, world.nowMs);
  world.state = state;
  world.laws.observe(input, effects, world.nowMs);
  for (const effect of effects) {
    if (effect.kind === 'decide') world.requests.push(effect.request);
    if (effect.kind === 'journal' && effect.token !== null) world.tokens.push(effect.token);
  }
  return effects;
}

function pass(world: World, ms: number): void {
  const endMs = world.nowMs + ms;
  for (;;) {
    const dueMs = nextDueMs(world.state, world.nowMs);
    if (dueMs === null || dueMs > endMs) break;
    world.nowMs = dueMs;
    feed(world, { kind: 'tick' });
  }
  world.nowMs = endMs;
  feed(world, { kind: 'tick' });
}

function act(world: World, what: Act): void {
  switch (what.kind) {
    case 'scene':
      for (const part of what.acts) {
        if (typeof part === 'number') pass(world, part);
        else act(world, part);
      }
      return;
    case 'input':
      // An output that is not wired is not driven, and cannot fail.
      if (what.input.kind === 'output-fault' && !world.state.settings.outputs.includes(what.input.output)) return;
      feed(world, what.input.kind === 'command' || what.input.kind === 'supervise' ? { ...what.input, ticket: (world.ticket += 1) } : what.input);
      return;
    case 'clear':
      for (const sensor of all) if (sensor !== 'openLimit' && sensor !== 'closedLimit') feed(world, { kind: 'sensor', sensor, state: 'off' });
      return;
    case 'answer': {
      const request = world.requests.shift();
      if (request === undefined) return;
      const decision = [admit, refuse, askPerson][what.decision];
      feed(world, decision === undefined ? { kind: 'decision-failed', request } : { kind: 'decision', request, decision });
      return;
    }
    case 'record': {
      const token = world.tokens.pop();
      if (token !== undefined) feed(world, { kind: 'recorded', token, durable: what.durable });
      return;
    }
  }
}

const SITES: Readonly<Record<string, LaneSettings>> = {
  'two loops': site(),
  'beam and limits': site({ sensors: ['beam', 'openLimit', 'closedLimit', 'fire', 'stop', 'button'], stopWired: true }),
  'no stop contact': site({ sensors: ['beam', 'fire', 'stop', 'button'] }),
  'exit, barrier closes': site({ direction: 'exit', barrier: { closing: 'barrier-closes' }, sensors: ['fire', 'stop', 'button'] }),
  'hold to open': site({ barrier: { drive: 'hold-to-open', failState: { powerUp: 'stay', softwareDeath: 'open', inputsLost: 'open', relayLost: 'open' }, antiTailgate: 1 }, sensors: ['beam', 'fire', 'stop', 'button'] }),
  'hold to open, own board, limits': site({ barrier: { drive: 'hold-to-open', closing: 'barrier-closes', antiTailgate: 3 }, sensors: ['fire', 'openLimit', 'closedLimit', 'stop'], stopWired: true }),
  'stops for tailgaters, lamps': site({ barrier: { antiTailgate: 4, greenLight: {}, redLight: {}, failState: { powerUp: 'open', softwareDeath: 'open', inputsLost: 'open', relayLost: 'open' } }, sensors: ['beam', 'openLimit', 'closedLimit', 'fire', 'stop', 'button'], stopWired: true }),
  'timer from the open limit': site({ barrier: { antiTailgate: 2, greenLight: {}, failState: { powerUp: 'stay', softwareDeath: 'release', inputsLost: 'stay', relayLost: 'release' } }, sensors: ['beam', 'openLimit', 'closedLimit', 'fire', 'stop'] }),
  'barrier closes, limits': site({ barrier: { closing: 'barrier-closes' }, sensors: ['beam', 'openLimit', 'closedLimit', 'fire', 'stop'], stopWired: true }),
};

describe.each(Object.entries(SITES))('laws over random inputs: %s', (_name, settings) => {
  test('no order of inputs breaks a law, and time always comes to rest', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5 }), steps, (readAt, sequence) => {
        const world: World = { state: initialLane(settings, 0), nowMs: 0, ticket: 0, laws: new LawWatch(settings), requests: [], tokens: [] };
        sequence.forEach(({ waitMs, act: what }, index) => {
          if (index === readAt) feed(world, { kind: 'inputs-read' });
          pass(world, waitMs);
          // What an earlier run measured comes late to every other of them.
          if (index === readAt + 2 && readAt % 2 === 0) feed(world, { kind: 'run-times', times: { openMs: 2_400, closeMs: 3_000 } });
          act(world, what);
          const again = reduce(world.state, { kind: 'tick' }, world.nowMs);
          expect(again.effects).toEqual([]);
          expect(again.state).toEqual(world.state);
        });
        pass(world, 20_000);
        expect(world.laws.violations).toEqual([]);
        expect(JSON.parse(JSON.stringify(world.state))).toEqual(world.state);
      }),
      { numRuns: Number(process.env['LANE_FUZZ_RUNS'] ?? 400), seed: Number(process.env['LANE_FUZZ_SEED'] ?? 7) },
    );
  });
});
