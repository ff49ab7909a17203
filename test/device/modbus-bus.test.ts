import { describe, expect, it } from 'vitest';
import { GateError, ManualClock, silentLog, type SignalState } from '../../src/base/index.js';
import { ModbusDevice } from '../../src/device/modbus/device.js';
import type { ModbusClient } from '../../src/device/modbus/client.js';

/** A bus where a request takes 30 ms, as at 9600 baud with a USB adapter; dead units take the whole time-out. */
class SlowBus implements ModbusClient {
  readonly dead = new Set<number>();
  readonly log: { readonly unit: number; readonly what: 'read' | 'write' | 'pulse'; readonly atMs: number; readonly address?: number }[] = [];
  readonly coils = new Set<string>();
  lose: (reason: string) => void = () => undefined;
  readonly #clock: ManualClock;
  #busy = false;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  open(onLost: (reason: string) => void): Promise<void> {
    this.lose = onLost;
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async read(unit: number, table: string, address: number, count: number, timeoutMs: number): Promise<readonly number[]> {
    await this.#request(unit, 'read', timeoutMs, address);
    return Array.from({ length: count }, (_, index) => Number(table === 'coil' && this.coils.has(`${unit}/${address + index}`)));
  }

  writeRegister(unit: number, _address: number, _value: number, timeoutMs: number): Promise<void> {
    return this.#request(unit, 'write', timeoutMs);
  }

  writeRegisters(unit: number, _address: number, _values: readonly number[], timeoutMs: number): Promise<void> {
    return this.#request(unit, 'write', timeoutMs);
  }

  async writeCoil(unit: number, address: number, on: boolean, timeoutMs: number): Promise<void> {
    await this.#request(unit, 'write', timeoutMs);
    if (on) this.coils.add(`${unit}/${address}`);
    else this.coils.delete(`${unit}/${address}`);
  }

  writeCoilValue(unit: number, _address: number, _value: number, timeoutMs: number): Promise<void> {
    return this.#request(unit, 'pulse', timeoutMs);
  }

  async #request(unit: number, what: 'read' | 'write' | 'pulse', timeoutMs: number, address = 0): Promise<void> {
    if (this.#busy) throw new Error('two requests at once on a half-duplex bus');
    this.#busy = true;
    this.log.push({ unit, what, address, atMs: this.#clock.monoMs() });
    const dead = this.dead.has(unit);
    await new Promise<void>((resolve) => {
      this.#clock.after(dead ? timeoutMs : 30, resolve);
    });
    this.#busy = false;
    if (dead) throw new GateError('DEVICE_TIMEOUT', `Unit ${unit} did not answer.`);
  }
}

function make(pollMs = 50, profile: 'generic' | 'waveshare-relay' = 'generic'): { clock: ManualClock; bus: SlowBus; device: ModbusDevice } {
  const clock = new ManualClock();
  const bus = new SlowBus(clock);
  const units = [1, 2, 3, 4].map((unit) => ({ unit, profile }));
  const options = { id: 'bus', path: '/dev/none', baudRate: 9_600, parity: 'none', stopBits: 1, pollMs, timeoutMs: 200, units } as const;
  return { clock, bus, device: new ModbusDevice(options, clock, silentLog, bus) };
}

async function start(device: ModbusDevice, clock: ManualClock): Promise<void> {
  const started = device.start();
  await clock.advanceAsync(2_000);
  await started;
}

describe('sharing a slow bus', () => {
  it('reads every unit equally often when the bus cannot keep up', async () => {
    const { clock, bus, device } = make(20);
    for (const unit of [1, 2, 3, 4]) device.input({ device: 'bus', unit, line: 0 });
    await start(device, clock);
    bus.log.splice(0);
    await clock.advanceAsync(6_000);
    const counts = [1, 2, 3, 4].map((unit) => bus.log.filter((entry) => entry.unit === unit).length);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    expect(counts[0]).toBeGreaterThan(45);
  });

  it('reads no more often than asked', async () => {
    const { clock, bus, device } = make(500);
    device.input({ device: 'bus', unit: 1, line: 0 });
    await start(device, clock);
    bus.log.splice(0);
    await clock.advanceAsync(10_000);
    expect(bus.log.length).toBeLessThanOrEqual(21);
    expect(bus.log.length).toBeGreaterThan(15);
  });

  it('asks a dead unit ever more rarely, so that the others hardly notice', async () => {
    const { clock, bus, device } = make();
    const inputs = [1, 2, 3].map((unit) => device.input({ device: 'bus', unit, line: 0 }));
    bus.dead.add(3);
    await start(device, clock);
    expect(inputs.map((input) => input.state())).toEqual(['off', 'off', 'unknown']);
    await clock.advanceAsync(5_000);
    bus.log.splice(0);
    await clock.advanceAsync(10_000);
    expect(bus.log.filter((entry) => entry.unit === 3).length).toBeLessThanOrEqual(6);
    expect(bus.log.filter((entry) => entry.unit === 1).length).toBeGreaterThan(100);
    bus.dead.delete(3);
    await clock.advanceAsync(2_500);
    expect(inputs[2]?.state()).toBe('off');
    expect(device.health()).toEqual({ state: 'ok' });
  });

  it('a dead relay board with everything on it costs three living units little, and none of them looks lost', async () => {
    const rate = async (dead: boolean): Promise<number> => {
      const { clock, bus, device } = make(50);
      for (const unit of [1, 2, 3]) device.input({ device: 'bus', unit, line: 0 });
      if (dead) for (const line of [0, 100]) device.input({ device: 'bus', unit: 4, line });
      if (dead) device.input({ device: 'bus', unit: 4, line: 0, table: 'holding', bit: 0 });
      const outputs = (dead ? [0, 1, 2, 3, 40] : []).map((line) => device.output({ device: 'bus', unit: 4, line }));
      await start(device, clock);
      const seen: SignalState[] = [];
      const living = device.units().slice(0, 3).map(({ unit }) => unit);
      if (dead) {
        bus.dead.add(4);
        // Every output of the dead board waits to be switched off.
        for (const output of outputs) output.release().catch(() => undefined);
        await clock.advanceAsync(5_000);
        device.onHealth(({ state }) => seen.push(state === 'lost' ? 'fault' : 'on'));
        expect(device.units().map(({ state }) => state)).toEqual(['ok', 'ok', 'ok', 'lost']);
        expect(device.health()).toMatchObject({ state: 'ok', detail: 'DEVICE_TIMEOUT: Unit 4 did not answer.' });
      }
      bus.log.splice(0);
      await clock.advanceAsync(20_000);
      expect(seen).not.toContain('fault');
      const counts = living.map((unit) => bus.log.filter((entry) => entry.unit === unit && entry.what === 'read').length);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      return Math.min(...counts);
    };
    const [undisturbed, beside] = [await rate(false), await rate(true)];
    expect(beside).toBeGreaterThan(0.85 * undisturbed);
  });

  it('never takes a late answer to one question for the answer to another', async () => {
    const { clock, bus, device } = make();
    device.input({ device: 'bus', unit: 1, line: 0 });
    device.input({ device: 'bus', unit: 1, line: 100 });
    await start(device, clock);
    bus.dead.add(1);
    await clock.advanceAsync(250);
    bus.dead.delete(1);
    const missed = bus.log.findLast((entry) => entry.unit === 1);
    bus.log.splice(0);
    await clock.advanceAsync(3_000);
    const next = bus.log.find((entry) => entry.address !== missed?.address);
    const before = bus.log.filter((entry) => entry.atMs < (next?.atMs ?? 0)).at(-1) ?? missed;
    // Whatever still comes for the first has come before the other is asked for.
    expect((next?.atMs ?? 0) - (before?.atMs ?? Infinity)).toBeGreaterThanOrEqual(2 * 200);
  });

  it('one missed answer leaves no line of the unit unread, however much else is read of it', async () => {
    const { clock, bus, device } = make(20);
    const inputs = [0, 100, 200].map((line) => device.input({ device: 'bus', unit: 1, line }));
    for (const line of [0, 100]) device.input({ device: 'bus', unit: 1, line, table: 'holding', bit: 0 });
    device.output({ device: 'bus', unit: 1, line: 0 });
    await start(device, clock);
    bus.dead.add(1);
    await clock.advanceAsync(600);
    bus.dead.delete(1);
    await clock.advanceAsync(4_000);
    expect(inputs.map((input) => input.state())).toEqual(['off', 'off', 'off']);
    bus.log.splice(0);
    await clock.advanceAsync(4_000);
    for (const address of [0, 100, 200]) expect(bus.log.filter((entry) => entry.what === 'read' && entry.address === address).length).toBeGreaterThan(10);
  });

  it('does not repeat a pulse the board may have timed already', async () => {
    const { clock, bus, device } = make(50, 'waveshare-relay');
    const open = device.output({ device: 'bus', unit: 1, line: 0 });
    await start(device, clock);
    bus.dead.add(1);
    bus.log.splice(0);
    const order = open.pulse(200);
    const outcome = Promise.allSettled([order]);
    await clock.advanceAsync(3_000);
    expect((await outcome)[0].status).toBe('rejected');
    const pulses = bus.log.filter((entry) => entry.what === 'pulse');
    expect((pulses.at(-1)?.atMs ?? 0) - (pulses[0]?.atMs ?? 0)).toBeLessThan(200);
  });

  it('sends an order before any waiting reading, at most one request late', async () => {
    const { clock, bus, device } = make(20);
    for (const unit of [1, 2, 3, 4]) device.input({ device: 'bus', unit, line: 0 });
    const output = device.output({ device: 'bus', unit: 2, line: 8 });
    await start(device, clock);
    const orderedMs = clock.monoMs();
    const pulse = output.pulse(400);
    await clock.advanceAsync(100);
    await pulse;
    const write = bus.log.find((entry) => entry.what === 'write');
    expect((write?.atMs ?? 0) - orderedMs).toBeLessThanOrEqual(30);
    expect(output.state()).toBe('on');
  });

  it('believes the second failure in a row, within two time-outs and a reading', async () => {
    const { clock, bus, device } = make();
    const input = device.input({ device: 'bus', unit: 1, line: 0 });
    await start(device, clock);
    const seen: { state: SignalState; atMs: number }[] = [];
    input.onChange((change) => seen.push(change));
    const silentFromMs = clock.monoMs();
    bus.dead.add(1);
    await clock.advanceAsync(1_000);
    expect(seen[0]?.state).toBe('unknown');
    expect((seen[0]?.atMs ?? Infinity) - silentFromMs).toBeLessThanOrEqual(2 * 200 + 50 + 30);
  });

  it('never sends an order that waited too long', async () => {
    const { clock, bus, device } = make();
    const first = device.output({ device: 'bus', unit: 1, line: 0 });
    const second = device.output({ device: 'bus', unit: 2, line: 0 });
    await start(device, clock);
    for (const unit of [1, 3, 4]) bus.dead.add(unit);
    bus.log.splice(0);
    const outcomes = Promise.allSettled([first.hold(), second.hold()]);
    await clock.advanceAsync(3_000);
    const [one, two] = await outcomes;
    expect(one.status).toBe('rejected');
    // The dead unit's tries leave room for the living one.
    expect(two.status).toBe('fulfilled');
    expect(second.state()).toBe('on');
  });

  it('goes on switching off after the bus was lost in the middle of a pulse', async () => {
    const { clock, bus, device } = make();
    const output = device.output({ device: 'bus', unit: 1, line: 0 });
    await start(device, clock);
    const pulse = output.pulse(400);
    await clock.advanceAsync(100);
    await pulse;
    bus.log.splice(0);
    bus.lose('it was unplugged');
    expect(output.state()).toBe('unknown');
    expect(device.health().state).toBe('lost');
    await clock.advanceAsync(3_000);
    expect(bus.log.some((entry) => entry.what === 'write')).toBe(true);
    expect(output.state()).toBe('off');
  });

  it('keeps a hold that a pulse comes on top of, in whatever order they reach the bus', async () => {
    const { clock, device } = make();
    const output = device.output({ device: 'bus', unit: 1, line: 0 });
    await start(device, clock);
    const orders = Promise.all([output.hold(), output.pulse(100)]);
    await clock.advanceAsync(5_000);
    await orders;
    expect(output.state()).toBe('on');
  });

  it('settles every order that a later one replaces', async () => {
    const { clock, device } = make();
    const output = device.output({ device: 'bus', unit: 1, line: 0 });
    await start(device, clock);
    const outcomes = Promise.allSettled([output.pulse(400), output.release(), output.release(), output.hold()]);
    await clock.advanceAsync(5_000);
    const states = (await outcomes).map((outcome) => outcome.status);
    expect(states[0]).toBe('rejected');
    expect(states[3]).toBe('fulfilled');
    expect(output.state()).toBe('on');
  });
});
