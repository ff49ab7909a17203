import { describe, expect, it } from 'vitest';
import { Estate, Shadows, World, type SimLane, type SimLaneSpec, type Story } from '../../src/sim/index.js';

function spec(id: string, direction: 'entry' | 'exit'): SimLaneSpec {
  return { id, direction, closing: 'gateway-closes', openTimeMs: 1_400, closeTimeMs: 1_600, deadTimeMs: 500, beam: true, longestEnergisedMs: 1_300 };
}

/** A patient gateway that opens for some vehicles on the approach loop and closes two seconds behind them. */
function keepGate(world: World, lane: SimLane, admits: (plate: string) => boolean): void {
  let clearSinceMs = 0;
  let usedAtMs: number | undefined;
  let admitted = '';
  world.onStep((nowMs) => {
    const { approach, closing, beam } = lane.wires();
    const clear = closing === 'off' && beam === 'off';
    if (!clear) {
      clearSinceMs = nowMs;
      usedAtMs = nowMs;
    }
    const vehicle = lane.atGate();
    const welcome = vehicle !== undefined && vehicle.passedArmAtMs === undefined && admits(vehicle.plan.plate?.text ?? '');
    if (welcome && approach === 'on') admitted = vehicle.id;
    if ((welcome && approach === 'on' && lane.boom.target !== 'open') || (!clear && lane.boom.movingDown)) {
      lane.setContact('open', true, nowMs);
      usedAtMs = undefined;
    } else {
      lane.setContact('open', false, nowMs);
      const done = usedAtMs !== undefined && clear && nowMs - clearSinceMs > 600 && vehicle?.id !== admitted;
      lane.setContact('close', done && lane.boom.position === 1, nowMs);
    }
  });
}

function runEstate(seed: number, forMs: number): { world: World; estate: Estate; stories: Story[] } {
  const world = new World({ seed, lanes: [spec('entry', 'entry'), spec('exit', 'exit')] });
  const estate = new Estate(world, { entry: 'entry', exit: 'exit' });
  const stories: Story[] = [];
  estate.onStory((story) => stories.push(story));
  const listed = new Set([...estate.residents(), ...estate.visitors()].map((known) => known.plate.text));
  keepGate(world, world.lane('entry'), (plate) => listed.has(plate) || plate.endsWith('应急'));
  keepGate(world, world.lane('exit'), () => true);
  estate.start();
  world.step(forMs);
  estate.stop();
  return { world, estate, stories };
}

describe('the estate', () => {
  it('brings at least twenty passages a minute and shows everybody within two minutes', () => {
    const { world, stories } = runEstate(1, 120_000);
    expect(world.truth.passages.length).toBeGreaterThanOrEqual(40);
    const tags = new Set(world.truth.passages.map((passage) => passage.tag));
    for (const tag of ['resident', 'visitor', 'stranger', 'emergency', 'tailgater', 'blocked']) expect(tags).toContain(tag);
    expect(stories.length).toBeGreaterThan(80);
    expect(stories[0]?.en).toMatch(/^(Entry|Exit): .*drives up\.$/u);
    expect(stories[0]?.zh).toMatch(/^(入口|出口)：.*驶近。$/u);
  });

  it('lets nobody leave who is not inside, and residents come back', () => {
    const { world } = runEstate(2, 300_000);
    const inside = new Map<string, boolean>();
    for (const passage of world.truth.passages) {
      if (passage.end !== 'through' || passage.plate === undefined || passage.tag !== 'resident') continue;
      const entered = passage.direction === 'entry';
      expect(inside.get(passage.plate.text), passage.plate.text).not.toBe(entered);
      inside.set(passage.plate.text, entered);
    }
    expect(inside.size).toBeGreaterThan(15);
  });

  it('turns strangers away without anybody being hurt', () => {
    const { world } = runEstate(3, 180_000);
    const strangers = world.truth.passages.filter((passage) => passage.tag === 'stranger' || passage.tag === 'blocked');
    expect(strangers.length).toBeGreaterThan(0);
    expect(strangers.some((passage) => passage.end === 'backed-out')).toBe(true);
    expect(world.truth.unsafeMovements).toEqual([]);
  });

  it('is the same estate for the same seed', () => {
    const plates = (seed: number): readonly string[] => runEstate(seed, 60_000).world.truth.passages.map((passage) => passage.plate?.text ?? '');
    expect(plates(5)).toEqual(plates(5));
    expect(plates(5)).not.toEqual(plates(6));
  });
});

describe('a vehicle that follows a video', () => {
  function video(): { world: World; lane: SimLane; shadows: Shadows; see: (sizes: readonly number[]) => void } {
    const world = new World({ seed: 1, lanes: [spec('entry', 'entry')] });
    const shadows = new Shadows(world);
    shadows.start();
    return {
      world,
      lane: world.lane('entry'),
      shadows,
      see: (sizes) => {
        for (const sizeFraction of sizes) {
          shadows.followTrack({ lane: 'entry', track: 't1', sizeFraction, ended: false });
          world.step(125);
        }
      },
    };
  }
  const growing = Array.from({ length: 24 }, (_, index) => 0.03 + index * 0.004);
  const gone = { lane: 'entry', track: 't1', sizeFraction: 0.1, ended: true };

  it('trips the approach loop when its plate has come near', () => {
    const { lane, see } = video();
    see(growing.slice(0, 3));
    expect(lane.wires().approach).toBe('off');
    see(growing.slice(3));
    expect(lane.wires().approach).toBe('on');
    expect(lane.wires().closing).toBe('off');
  });

  it('drives through over the closing loop once the boom is open and the plate has gone', () => {
    const { world, lane, shadows, see } = video();
    see(growing);
    lane.setContact('open', true, world.nowMs);
    world.step(3_000);
    expect(world.truth.passages).toEqual([]);
    shadows.followTrack(gone);
    world.step(10_000);
    expect(world.truth.passages).toMatchObject([{ end: 'through', tag: 'shadow', touchedApproach: true, touchedClosing: true, rammed: false }]);
    expect(lane.vehicles.every((vehicle) => vehicle.done || vehicle.rear > 1)).toBe(true);
  });

  it('backs out of a boom that stays closed', () => {
    const { world, lane, shadows, see } = video();
    see(growing);
    shadows.followTrack(gone);
    world.step(20_000);
    expect(world.truth.passages).toMatchObject([{ end: 'backed-out', touchedApproach: true, touchedClosing: false }]);
    expect(lane.wires().approach).toBe('off');
  });

  it('takes a plate that is lost for a moment for the same vehicle', () => {
    const { world, lane, shadows, see } = video();
    see(growing);
    shadows.followTrack(gone);
    world.step(600);
    shadows.followTrack({ lane: 'entry', track: 't2', sizeFraction: 0.12, ended: false });
    world.step(500);
    expect(lane.vehicles.length).toBe(1);
  });

  it('leaves parked cars and plates that never come near alone', () => {
    const { world, lane, shadows } = video();
    shadows.followTrack({ lane: 'entry', track: 'parked', sizeFraction: 0.2, ended: false, stationary: true });
    shadows.followTrack({ lane: 'entry', track: 'far', sizeFraction: 0.02, ended: false });
    world.step(1_000);
    shadows.followTrack({ lane: 'entry', track: 'far', sizeFraction: 0.02, ended: true });
    world.step(5_000);
    expect(lane.vehicles).toEqual([]);
    expect(lane.wires().approach).toBe('off');
  });
});
