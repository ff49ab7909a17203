import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../src/base/index.js';
import { SimDevice, World, type SimLane } from '../../src/sim/index.js';
import { deviceContract } from '../support/device-contract.js';

interface Rig {
  readonly world: World;
  readonly lane: SimLane;
  readonly clock: ManualClock;
  readonly device: SimDevice;
}

function makeRig(timesPulses = true): Rig {
  const clock = new ManualClock();
  const world = new World({
    seed: 1,
    lanes: [{ id: 'entry', direction: 'entry', closing: 'gateway-closes', openTimeMs: 1_400, closeTimeMs: 1_600, deadTimeMs: 500, beam: false, longestEnergisedMs: 5_000 }],
  });
  world.start(clock);
  return { world, lane: world.lane('entry'), clock, device: new SimDevice({ id: 'sim', world, clock, timesPulses }) };
}

for (const timesPulses of [true, false]) {
  deviceContract(`The simulated device (${timesPulses ? 'relays with timers' : 'bare contacts'})`, () => {
    const { world, lane, clock, device } = makeRig(timesPulses);
    return {
      device,
      input: { device: 'sim', line: 'entry.button' },
      output: { device: 'sim', line: 'entry.open' },
      stranger: { device: 'sim', line: 'entry.nothing' },
      drive: (active) => world.press('entry', 'button', active),
      energised: () => lane.boom.contact('open'),
      pass: (durationMs) => clock.advanceAsync(durationMs),
      lose: () => device.inject({ kind: 'lost' }),
      restore: () => device.repair(),
      close: () => {
        world.stop();
        return Promise.resolve();
      },
    };
  });
}

describe('simulated device', () => {
  const line = (name: string): { device: string; line: string } => ({ device: 'sim', line: name });

  it('moves the boom of its lane', async () => {
    const { lane, clock, device } = makeRig();
    const open = device.output(line('entry.open'));
    const limit = device.input(line('entry.openLimit'));
    await device.start();
    await open.pulse(400);
    clock.advance(2_500);
    expect(lane.boom.position).toBe(1);
    expect(limit.state()).toBe('on');
    expect(open.state()).toBe('off');
    await device.stop();
  });

  it('says which lines there are when a name is wrong, and has no beam where none is fitted', () => {
    const { device } = makeRig();
    expect(() => device.input(line('entry.beam'))).toThrow(/DEVICE_LINE_INVALID.*LANE\.approach\|closing/u);
    expect(() => device.input(line('west.approach'))).toThrow(/one of entry/u);
    expect(() => device.output(line('entry.approach'))).toThrow(/DEVICE_LINE_INVALID/u);
    expect(() => device.inject({ kind: 'stuck-on', line: 'entry.nothing' })).toThrow(/DEVICE_LINE_INVALID/u);
  });

  it('tells late what happened when its bus is slow', async () => {
    const { world, clock, device } = makeRig();
    const button = device.input(line('entry.button'));
    await device.start();
    device.inject({ kind: 'late', lateMs: 300 });
    world.press('entry', 'button', true);
    clock.advance(200);
    expect(button.state()).toBe('off');
    clock.advance(300);
    expect(button.state()).toBe('on');
    await device.stop();
  });

  it('rejects orders to an output that fails, and takes those to one that is dead without moving it', async () => {
    const { lane, clock, device } = makeRig();
    const open = device.output(line('entry.open'));
    await device.start();
    device.inject({ kind: 'output-fails', line: 'entry.open' });
    await expect(open.pulse(300)).rejects.toThrow('DEVICE_TIMEOUT');
    device.repair('entry.open');
    device.inject({ kind: 'output-dead', line: 'entry.open' });
    await open.pulse(300);
    clock.advance(1_000);
    expect(lane.boom.position).toBe(0);
    device.repair();
    await open.pulse(300);
    clock.advance(2_500);
    expect(lane.boom.position).toBe(1);
    await device.stop();
  });

  it('ends a running pulse in the world even while its bus is lost', async () => {
    const { lane, clock, device } = makeRig();
    const open = device.output(line('entry.open'));
    await device.start();
    await open.pulse(400);
    device.inject({ kind: 'lost' });
    clock.advance(500);
    expect(lane.boom.contact('open')).toBe(false);
    await device.stop();
  });
});
