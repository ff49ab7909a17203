import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/base/index.js';
import { SimDevice, World, type SimLane, type SimLaneSpec } from '../../src/sim/index.js';

interface Rig {
  readonly world: World;
  readonly lane: SimLane;
  readonly clock: ManualClock;
  readonly device: SimDevice;
}

const line = (name: string): { device: string; line: string } => ({ device: 'sim', line: `entry.${name}` });

async function makeRig(more: Partial<SimLaneSpec> = {}, timesPulses = true): Promise<Rig> {
  const clock = new ManualClock();
  const world = new World({
    seed: 1,
    lanes: [{ id: 'entry', direction: 'entry', closing: 'gateway-closes', openTimeMs: 1_400, closeTimeMs: 1_600, deadTimeMs: 500, beam: false, longestEnergisedMs: 700, ...more }],
  });
  world.start(clock);
  const device = new SimDevice({ id: 'sim', world, clock, timesPulses });
  await device.start();
  return { world, lane: world.lane('entry'), clock, device };
}

const laws = ({ world }: Rig): readonly string[] => world.truth.lawsBroken.map(({ law }) => law);

describe('a hold-to-open board', () => {
  it('is up while the open contact is on, and goes down at once when it is released', async () => {
    const { lane, clock, device } = await makeRig({ drive: 'hold-to-open' });
    const open = device.output(line('open'));
    await open.hold();
    clock.advance(10_000);
    expect(lane.boom.position).toBe(1);
    await open.release();
    clock.advance(300);
    expect(lane.boom.movingDown).toBe(true);
    await open.hold();
    clock.advance(2_500);
    expect(lane.boom.position).toBe(1);
  });

  it('with a loop of its own stays up for what is under it', async () => {
    const { world, lane, clock, device } = await makeRig({ drive: 'hold-to-open', closing: 'barrier-closes' });
    const open = device.output(line('open'));
    await open.hold();
    world.arrive('entry', { kind: 'car', tag: 'resident', intention: { kind: 'stop-under', forMs: 6_000 } });
    while (lane.wires().closing !== 'on') clock.advance(100);
    await open.release();
    clock.advance(3_000);
    expect(lane.boom.position).toBe(1);
    clock.advance(20_000);
    expect(lane.boom.position).toBe(0);
    expect(world.truth.unsafeMovements).toEqual([]);
  });

  it('whose contact is released over a vehicle breaks S1', async () => {
    const rig = await makeRig({ drive: 'hold-to-open' });
    const open = rig.device.output(line('open'));
    await open.hold();
    rig.world.arrive('entry', { kind: 'car', tag: 'resident', intention: { kind: 'stop-under', forMs: 20_000 } });
    rig.device.input(line('closing'));
    while (rig.lane.wires().closing !== 'on') rig.clock.advance(100);
    rig.clock.advance(1_000);
    await open.release();
    expect(laws(rig)).toContain('S1');
  });
});

describe('the lamps of the traffic light', () => {
  it('may not both be lit for longer than a switch-over', async () => {
    const rig = await makeRig();
    await rig.device.output(line('open')).pulse(400);
    rig.clock.advance(3_000);
    await rig.device.output(line('redLight')).hold();
    await rig.device.output(line('greenLight')).hold();
    rig.clock.advance(300);
    expect(laws(rig)).toEqual([]);
    rig.clock.advance(2_000);
    expect(laws(rig)).toEqual(['lamp']);
  });

  it('may not show green before a boom that is down', async () => {
    const rig = await makeRig();
    await rig.device.output(line('greenLight')).hold();
    rig.clock.advance(1_000);
    expect(laws(rig)).toEqual(['lamp']);
  });
});

describe('a loop detector', () => {
  it('shows the frequency of its oscillator, higher over metal and moved by the temperature', async () => {
    const { world, lane, clock, device } = await makeRig();
    const closing = device.input(line('approach'));
    const free = closing.frequencyHz?.() ?? 0;
    expect(free).toBeGreaterThan(45_000);
    expect(free).toBeLessThan(55_000);
    world.arrive('entry', { kind: 'car', tag: 'resident', intention: { kind: 'drive' } });
    while (lane.wires().approach !== 'on') clock.advance(100);
    clock.advance(500);
    expect(closing.frequencyHz?.() ?? 0).toBeGreaterThan(free * 1.005);
    const covered = lane.frequencyHz('approach');
    lane.driftLoop('approach', 0.02);
    expect(lane.frequencyHz('approach')).toBeLessThan(covered * 0.995);
    device.inject({ kind: 'fault', line: 'entry.approach' });
    clock.advance(100);
    expect(closing.frequencyHz?.()).toBeUndefined();
  });
});

describe('hardware that fails', () => {
  it('drops every contact when the board of the outputs loses its power, and rejects orders until it is back', async () => {
    const { lane, device, clock } = await makeRig();
    const open = device.output(line('open'));
    await open.hold();
    device.inject({ kind: 'relay-lost' });
    expect(lane.boom.contact('open')).toBe(false);
    expect(open.state()).toBe('unknown');
    await expect(open.pulse(300)).rejects.toThrow('DEVICE_LOST');
    device.reconnect('relay-lost');
    await open.pulse(300);
    expect(lane.boom.contact('open')).toBe(true);
    clock.advance(400);
    expect(lane.boom.contact('open')).toBe(false);
  });

  it('keeps a welded contact on after its release, until it is exchanged', async () => {
    const { lane, device } = await makeRig();
    const open = device.output(line('open'));
    await open.hold();
    device.inject({ kind: 'welded', line: 'entry.open' });
    await open.release();
    expect(lane.boom.contact('open')).toBe(true);
    device.repair('entry.open');
    expect(lane.boom.contact('open')).toBe(false);
  });

  it('tells a change whose edge was lost at the next refresh', async () => {
    const { world, clock, device } = await makeRig();
    const button = device.input(line('button'));
    device.inject({ kind: 'edges-lost', line: 'entry.button', refreshMs: 200 });
    world.press('entry', 'button', true);
    clock.advance(100);
    expect(button.state()).toBe('off');
    clock.advance(150);
    expect(button.state()).toBe('on');
  });

  it('never lets a later change overtake an earlier one when a slow bus gets fast again', async () => {
    const { world, clock, device } = await makeRig();
    const button = device.input(line('button'));
    device.inject({ kind: 'late', lateMs: 300 });
    world.press('entry', 'button', true);
    clock.advance(50);
    device.inject({ kind: 'late', lateMs: 0 });
    world.press('entry', 'button', false);
    clock.advance(1_000);
    expect(button.state()).toBe('off');
  });

  it('leaves a pulse on that only the driver times when the gateway dies, until a supervisor releases it', async () => {
    const bare = await makeRig({}, false);
    await bare.device.output(line('open')).pulse(300);
    bare.device.die();
    bare.clock.advance(2_000);
    expect(bare.lane.boom.contact('open')).toBe(true);
    await bare.device.stop();
    expect(bare.lane.boom.contact('open')).toBe(false);
    const board = await makeRig({}, true);
    await board.device.output(line('open')).pulse(300);
    board.device.die();
    board.clock.advance(400);
    expect(board.lane.boom.contact('open')).toBe(false);
  });

  it('needs longer for a run with a slow motor, and cuts the motor of a jammed arm', async () => {
    const { lane, clock, device } = await makeRig();
    lane.boom.slowness = 2;
    await device.output(line('open')).pulse(300);
    clock.advance(2_000);
    expect(lane.boom.position).toBeLessThan(1);
    clock.advance(1_500);
    expect(lane.boom.position).toBe(1);
    lane.boom.jammed = true;
    await device.output(line('close')).pulse(300);
    clock.advance(15_000);
    lane.boom.jammed = false;
    clock.advance(5_000);
    expect(lane.boom.position).toBe(1);
  });
});

describe('two that meet nose to nose', () => {
  it('do not stand there for ever: who faces a wrong-way vehicle past the arm makes way', async () => {
    const { world, lane, clock, device } = await makeRig();
    await device.output(line('open')).hold();
    clock.advance(3_000);
    world.arrive('entry', { kind: 'suv', tag: 'resident', intention: { kind: 'wrong-way' } });
    while ((lane.vehicles[0]?.front ?? 99) > -0.5) clock.advance(100);
    world.arrive('entry', { kind: 'car', tag: 'resident', intention: { kind: 'drive' } });
    clock.advance(60_000);
    expect(lane.vehicles).toEqual([]);
    expect(world.truth.passages.map(({ end }) => end).sort()).toEqual(['backed-out', 'wrong-way']);
  });
});
