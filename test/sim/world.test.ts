import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/base/index.js';
import { Random, World, drawPlate, type Happening, type SimLane, type SimLaneSpec, type VehiclePlan } from '../../src/sim/index.js';
import { tryParsePlate } from '../../src/plate/index.js';

const spec: SimLaneSpec = {
  id: 'entry',
  direction: 'entry',
  closing: 'gateway-closes',
  openTimeMs: 1_400,
  closeTimeMs: 1_600,
  deadTimeMs: 500,
  beam: true,
  longestEnergisedMs: 1_300,
};
const car: VehiclePlan = { kind: 'car', tag: 'resident', intention: { kind: 'drive' } };

function worldWith(more: Partial<SimLaneSpec> = {}): { world: World; lane: SimLane; happened: Happening[] } {
  const world = new World({ seed: 1, lanes: [{ ...spec, ...more }] });
  const happened: Happening[] = [];
  world.onHappening((happening) => happened.push(happening));
  return { world, lane: world.lane('entry'), happened };
}

function pulse(world: World, lane: SimLane, contact: 'open' | 'close' | 'stop'): void {
  lane.setContact(contact, true, world.nowMs);
  world.step(300);
  lane.setContact(contact, false, world.nowMs);
}

/** Steps until something is so; fails after a minute of the world's time. */
function stepUntil(world: World, condition: () => boolean): void {
  for (let waited = 0; waited < 60_000; waited += 10) {
    if (condition()) return;
    world.step(10);
  }
  expect.fail('it did not happen within a minute');
}

describe('boom', () => {
  it('needs about its run time, gathers way and slows down', () => {
    const { world, lane } = worldWith();
    pulse(world, lane, 'open');
    expect(lane.boom.position).toBeGreaterThan(0);
    expect(lane.boom.position).toBeLessThan(0.2);
    stepUntil(world, () => lane.boom.position === 1);
    expect(world.nowMs).toBeGreaterThan(1_300);
    expect(world.nowMs).toBeLessThan(1_700);
    expect(lane.wires().openLimit).toBe('on');
    expect(lane.wires().closedLimit).toBe('off');
  });

  it('goes up at once when the open contact closes while it is coming down', () => {
    const { world, lane } = worldWith();
    lane.boom.place(1);
    pulse(world, lane, 'close');
    stepUntil(world, () => lane.boom.position < 0.6);
    pulse(world, lane, 'open');
    stepUntil(world, () => lane.boom.position === 1);
  });

  it('obeys open over close, and says that both were on', () => {
    const { world, lane } = worldWith();
    lane.boom.place(1);
    lane.setContact('open', true, world.nowMs);
    lane.setContact('close', true, world.nowMs);
    world.step(2_000);
    expect(lane.boom.position).toBe(1);
    expect(world.truth.lawsBroken.map((broken) => broken.law)).toContain('S2');
  });

  it('stops where the stop contact finds it', () => {
    const { world, lane } = worldWith();
    pulse(world, lane, 'open');
    world.step(300);
    pulse(world, lane, 'stop');
    const { position } = lane.boom;
    world.step(2_000);
    expect(lane.boom.position).toBeCloseTo(position, 2);
    expect(position).toBeLessThan(0.9);
  });

  it('stays where it is when it jams', () => {
    const { world, lane } = worldWith();
    lane.boom.jammed = true;
    pulse(world, lane, 'open');
    world.step(3_000);
    expect(lane.boom.position).toBe(0);
  });

  it('with a board of its own lowers itself behind a vehicle, and never onto the next', () => {
    const { world, lane } = worldWith({ closing: 'barrier-closes' });
    world.arrive('entry', car);
    stepUntil(world, () => lane.wires().approach === 'on');
    pulse(world, lane, 'open');
    stepUntil(world, () => world.truth.passages.length === 1);
    stepUntil(world, () => lane.boom.movingDown);
    stepUntil(world, () => lane.boom.position === 0);
    expect(world.truth.unsafeMovements).toEqual([]);
  });

  it('held up and stopped, with a board of its own, lowers itself once it is let go and its loop is clear', () => {
    const { world, lane } = worldWith({ closing: 'barrier-closes', drive: 'hold-to-open' });
    lane.setContact('open', true, world.nowMs);
    stepUntil(world, () => lane.boom.position === 1);
    pulse(world, lane, 'stop');
    world.step(5_000);
    expect(lane.boom.position).toBe(1);
    lane.setContact('open', false, world.nowMs);
    stepUntil(world, () => lane.boom.position === 0);
  });

  it('reports a contact that stays energised', () => {
    const { world, lane } = worldWith();
    lane.setContact('close', true, world.nowMs);
    world.step(2_000);
    expect(world.truth.lawsBroken.map((broken) => broken.law)).toEqual(['S3']);
  });
});

describe('an arm that falls late', () => {
  /** Ordered down, it stays up until long after its run time, and falls when somebody is under it. */
  function fallsLate(more: Partial<SimLaneSpec>): World {
    const { world, lane } = worldWith(more);
    lane.boom.place(1);
    lane.boom.jammed = true;
    pulse(world, lane, 'close');
    world.step(3_000);
    world.walk('entry', 6_000);
    world.step(1_500);
    lane.boom.jammed = false;
    world.step(4_000);
    return world;
  }

  it('is nobody’s fault where no switch tells that it never went down', () => {
    const { truth } = fallsLate({ openLimit: false, closedLimit: false });
    expect(truth.unsafeMovements).toEqual([]);
    expect(truth.lawsBroken).toEqual([]);
    expect(truth.excusedMovements.map(({ excuse }) => excuse)).toContain('hardware');
  });

  it('is nobody’s fault where a contact that stuck lets it fall on who came after the order', () => {
    const { world, lane } = worldWith({ drive: 'hold-to-open' });
    lane.setContact('open', true, world.nowMs);
    stepUntil(world, () => lane.boom.position === 1);
    const orderedMs = world.nowMs;
    world.step(500);
    world.walk('entry', 1_000);
    world.step(200);
    lane.setContact('open', false, world.nowMs, orderedMs);
    world.step(500);
    expect(world.truth.lawsBroken).toEqual([]);
    expect(world.truth.unsafeMovements).toEqual([]);
    expect(world.truth.excusedMovements).toMatchObject([{ kind: 'started-down' }]);
  });

  it('is the gateway’s fault where it lets a boom fall on somebody it knows of', () => {
    const { world, lane } = worldWith({ drive: 'hold-to-open' });
    lane.setContact('open', true, world.nowMs);
    stepUntil(world, () => lane.boom.position === 1);
    world.walk('entry', 1_000);
    world.step(200);
    lane.setContact('open', false, world.nowMs);
    world.step(500);
    expect(world.truth.lawsBroken.map(({ law }) => law)).toEqual(['S1']);
    expect(world.truth.unsafeMovements).toMatchObject([{ kind: 'started-down' }]);
  });

  it.each([{ openLimit: false }, { closedLimit: false }])('is the gateway’s fault where a switch tells: %o', (more) => {
    const { truth } = fallsLate(more);
    expect(truth.unsafeMovements.length).toBeGreaterThan(0);
    expect(truth.lawsBroken.map(({ law }) => law)).toContain('S1');
  });
});

describe('drivers', () => {
  it('stop before a closed boom, honk, and leave when their patience ends', () => {
    const { world, lane, happened } = worldWith();
    world.arrive('entry', { ...car, patienceMs: 6_000 });
    stepUntil(world, () => world.truth.passages.length === 1);
    expect(world.truth.passages[0]).toMatchObject({ end: 'backed-out', touchedApproach: true, touchedClosing: false, rammed: false });
    expect(happened.map((happening) => happening.kind)).toEqual(['arrives', 'honks', 'backs-out']);
    expect(lane.vehicles).toEqual([]);
  });

  it('drive through an open boom without touching it', () => {
    const { world, lane } = worldWith();
    world.arrive('entry', car);
    stepUntil(world, () => lane.wires().approach === 'on');
    pulse(world, lane, 'open');
    stepUntil(world, () => world.truth.passages.length === 1);
    expect(world.truth.passages[0]).toMatchObject({ end: 'through', rammed: false, tag: 'resident', touchedClosing: true });
  });

  it('who force their way break through the arm, and that is not the gateway’s doing', () => {
    const { world, happened } = worldWith();
    world.arrive('entry', { ...car, intention: { kind: 'force' } });
    stepUntil(world, () => world.truth.passages.length === 1);
    expect(world.truth.passages[0]).toMatchObject({ end: 'through', rammed: true });
    expect(world.truth.unsafeMovements).toEqual([]);
    expect(happened.map((happening) => happening.kind)).toContain('rams');
  });

  it('in a queue make room for one that must go back', () => {
    const { world } = worldWith();
    world.arrive('entry', { ...car, patienceMs: 8_000 });
    world.step(2_500);
    world.arrive('entry', { ...car, patienceMs: 8_000, queueGapM: 1 });
    world.step(2_500);
    world.arrive('entry', { ...car, patienceMs: 8_000, queueGapM: 1 });
    stepUntil(world, () => world.truth.passages.length === 3);
    expect(world.truth.passages.map((passage) => passage.end)).toEqual(['backed-out', 'backed-out', 'backed-out']);
  });

  it.each(['car', 'suv', 'van', 'truck', 'truck-trailer', 'motorcycle', 'ambulance'] as const)('of a %s keep the closing loop occupied for as long as any of it is under the arm', (kind) => {
    const { world, lane } = worldWith();
    lane.boom.place(1);
    world.arrive('entry', { ...car, kind });
    while (world.truth.passages.length === 0) {
      world.step(10);
      const under = lane.vehicles.some((vehicle) => vehicle.overlaps(-0.3, 0.3));
      if (under) expect(lane.wires().closing).toBe('on');
      expect(world.nowMs).toBeLessThan(60_000);
    }
  });
});

describe('the observer', () => {
  function standUnderArm(): { world: World; lane: SimLane } {
    const made = worldWith();
    made.lane.boom.place(1);
    made.world.arrive('entry', { ...car, intention: { kind: 'stop-under', forMs: 30_000 } });
    stepUntil(made.world, () => made.lane.vehicles[0]?.phase === 'pausing');
    return made;
  }

  it('calls a boom that is lowered onto a vehicle unsafe, and sees it strike', () => {
    const { world, lane } = standUnderArm();
    pulse(world, lane, 'close');
    world.step(3_000);
    expect(world.truth.unsafeMovements.map((movement) => movement.kind)).toEqual(['started-down', 'kept-closing', 'contact']);
    expect(world.truth.lawsBroken.map((broken) => broken.law)).toContain('S1');
  });

  it('excuses the gateway when every detector lied', () => {
    const { world, lane } = standUnderArm();
    lane.sensors.closing.setFault('stuck-off');
    lane.sensors.beam.setFault('stuck-off');
    world.step(100);
    pulse(world, lane, 'close');
    world.step(3_000);
    expect(world.truth.unsafeMovements).toEqual([]);
    expect(world.truth.excusedMovements.map((movement) => movement.excuse)).toContain('blind');
  });

  it('knows of a walker that only the beam can see', () => {
    const { world, lane, happened } = worldWith();
    lane.boom.place(1);
    world.walk('entry', 3_000);
    world.step(100);
    expect(lane.wires()).toMatchObject({ beam: 'on', closing: 'off', approach: 'off' });
    pulse(world, lane, 'close');
    world.step(2_000);
    expect(world.truth.unsafeMovements.length).toBeGreaterThan(0);
    expect(happened[0]?.kind).toBe('walks-under');
  });
});

describe('loops', () => {
  it('react after 50 ms and hold for at least 200 ms', () => {
    const { world, lane } = worldWith();
    const { approach } = lane.sensors;
    const changes: [string, number][] = [];
    approach.onReport((state) => changes.push([state, world.nowMs]));
    world.arrive('entry', { ...car, intention: { kind: 'cross', atM: -4, forMs: 100 } });
    world.step(1_000);
    expect(changes.map(([state]) => state)).toEqual(['on', 'off']);
    const [on, off] = changes;
    expect((off?.[1] ?? 0) - (on?.[1] ?? 0)).toBeGreaterThanOrEqual(200);
  });

  it.each([
    ['stuck-on', 'on'],
    ['stuck-off', 'off'],
    ['fault', 'fault'],
    ['unknown', 'unknown'],
  ] as const)('that are %s say %s whatever is there', (fault, state) => {
    const { world, lane } = worldWith();
    lane.sensors.closing.setFault(fault);
    world.step(100);
    expect(lane.wires().closing).toBe(state);
    lane.sensors.closing.setFault(undefined);
    world.step(100);
    expect(lane.wires().closing).toBe('off');
  });

  it('lose inductance under metal', () => {
    const { world, lane } = worldWith();
    const idle = lane.inductanceUh('approach');
    world.arrive('entry', { ...car, patienceMs: 5_000 });
    stepUntil(world, () => lane.wires().approach === 'on');
    world.step(500);
    expect(lane.inductanceUh('approach')).toBeLessThan(idle - 2);
  });
});

describe('time and chance', () => {
  it('the same seed gives the same world', () => {
    const run = (): string => {
      const { world, lane } = worldWith();
      lane.sensors.approach.setFault('flicker');
      world.arrive('entry', { ...car, patienceMs: 5_000 });
      const states: string[] = [];
      for (let step = 0; step < 500; step += 1) {
        world.step(20);
        states.push(lane.wires().approach);
      }
      return states.join();
    };
    expect(run()).toBe(run());
  });

  it('runs by an injected clock and stands still after stop', () => {
    const { world } = worldWith();
    const clock = new ManualClock();
    world.start(clock);
    clock.advance(1_000);
    const { nowMs } = world;
    expect(nowMs).toBeGreaterThan(900);
    world.stop();
    clock.advance(1_000);
    expect(world.nowMs).toBe(nowMs);
  });

  it.each(['small-car', 'large-car', 'new-energy-small', 'new-energy-large', 'police', 'learner', 'trailer', 'hong-kong', 'macau', 'embassy', 'consulate', 'military', 'armed-police', 'emergency'] as const)(
    'draws %s plates that the grammar knows',
    (type) => {
      const random = new Random(5, type);
      for (let count = 0; count < 100; count += 1) {
        const plate = drawPlate(random, type, '京沪');
        expect(tryParsePlate(plate.text)?.types, plate.text).toContain(type);
      }
    },
  );
});
