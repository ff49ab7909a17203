import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog, type SignalState } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { createDevice, type Device, type LineRef, type ModbusUnitOptions, type Traffic } from '../../src/device/index.js';
import { Executor, type Estate } from '../../src/supervisor/index.js';
import { deviceContract } from '../support/device-contract.js';
import { ModbusTestBus, type CoilEvent } from '../support/modbus-bus.js';
import { until } from '../support/until.js';

const units: readonly ModbusUnitOptions[] = [
  { unit: 1, profile: 'waveshare-relay' },
  { unit: 2, profile: 'generic' },
  { unit: 3, profile: 'procon-ld120' },
];

describe('Modbus RTU over a pty pair, against units written from the specification', () => {
  let bus: ModbusTestBus;
  const started: Device[] = [];

  beforeEach(async () => {
    bus = new ModbusTestBus();
    bus.addUnit(1, { timer: true });
    bus.addUnit(2);
    bus.addLd120(3);
    await bus.plug();
  });

  afterEach(async () => {
    for (const device of started.splice(0)) await device.stop();
    await bus.close();
  });

  function make(boards = units, path = bus.path): Device {
    const device = createDevice(
      { id: 'bus', driver: 'modbus', path, baudRate: 9_600, parity: 'none', stopBits: 1, pollMs: 20, timeoutMs: 100, units: boards },
      systemClock,
      silentLog,
    );
    started.push(device);
    return device;
  }

  const coilEvents = (unit: number, coil: number): readonly CoilEvent[] => bus.events.filter((event) => event.unit === unit && event.coil === coil);
  const levels = (unit: number, coil: number): readonly number[] => coilEvents(unit, coil).map((event) => event.level);

  it('knows every input after the start and moves nothing', async () => {
    bus.setInput(1, 0, true);
    bus.setInput(3, 0, true);
    bus.setInput(3, 1, true);
    const device = make();
    const beam = device.input({ device: 'bus', unit: 1, line: 0 });
    const button = device.input({ device: 'bus', unit: 1, line: 1, activeLow: true });
    const loop = device.input({ device: 'bus', unit: 3, line: 'loop' });
    const open = device.output({ device: 'bus', unit: 2, line: 0 });
    await device.start();
    expect([beam.state(), button.state(), loop.state(), open.state()]).toEqual(['on', 'on', 'fault', 'off']);
    expect(device.health().state).toBe('ok');
    expect(device.health().detail).toContain('loop fault');
    expect(bus.events).toEqual([]);
  });

  it('follows inputs of several units, and a loop fault', async () => {
    const device = make();
    const beam = device.input({ device: 'bus', unit: 1, line: 7 });
    const loop = device.input({ device: 'bus', unit: 3, line: 'loop' });
    const seen: SignalState[] = [];
    loop.onChange((change) => seen.push(change.state));
    await device.start();
    bus.setInput(1, 7, true);
    bus.setInput(3, 1, true);
    await until(() => beam.state() === 'on' && loop.state() === 'on', { what: 'both inputs' });
    bus.setInput(3, 0, true);
    await until(() => loop.state() === 'fault', { what: 'the loop fault' });
    bus.setInput(3, 0, false);
    bus.setInput(3, 1, false);
    await until(() => loop.state() === 'off', { what: 'the clear loop' });
    expect(seen[0]).toBe('off');
    expect(seen.slice(1, 3)).toEqual(['on', 'fault']);
  });

  it("uses the board's own timer for a pulse", async () => {
    const device = make();
    const open = device.output({ device: 'bus', unit: 1, line: 2 });
    expect(open.timesPulses).toBe(true);
    await device.start();
    await open.pulse(250);
    expect(open.state()).toBe('on');
    const [on, off] = await until(() => (coilEvents(1, 2).length === 2 ? coilEvents(1, 2) : undefined), { what: "the board's release" });
    expect(on).toMatchObject({ level: 1, by: 'write' });
    expect(off).toMatchObject({ level: 0, by: 'timer' });
    expect((off?.atS ?? 0) - (on?.atS ?? 0)).toBeGreaterThan(0.29);
    await until(() => open.state() === 'off', { what: 'the read-back' });
  });

  it('pulses a plain coil on and off, and extends a pulse by another', async () => {
    const device = make();
    const open = device.output({ device: 'bus', unit: 2, line: 1 });
    expect(open.timesPulses).toBe(false);
    await device.start();
    await open.pulse(200);
    await open.pulse(200);
    await until(() => open.state() === 'off', { what: 'the end of the pulse' });
    expect(levels(2, 1)).toEqual([1, 1, 0]);
    const [first, , last] = coilEvents(2, 1);
    expect((last?.atS ?? 0) - (first?.atS ?? 0)).toBeGreaterThan(0.19);
    expect((last?.atS ?? 0) - (first?.atS ?? 0)).toBeLessThan(0.6);
  });

  it("ends the board's pulse when the gate's process is killed, and the safe state switches off the rest", async () => {
    const child = spawn(process.execPath, ['--import', 'tsx', fileURLToPath(new URL('../support/pulse-and-wait.ts', import.meta.url)), bus.path]);
    await until(() => levels(1, 0).includes(1) && levels(2, 0).includes(1), { timeoutMs: 15_000, what: 'both pulses' });
    child.kill('SIGKILL');
    await once(child, 'exit');
    const events = await until(() => (levels(1, 0).includes(0) ? coilEvents(1, 0) : undefined), { what: "the board's release" });
    expect(events.at(-1)).toMatchObject({ level: 0, by: 'timer' });
    expect(levels(2, 0)).toEqual([1]);
    const lane = (name: string, open: LineRef): Estate => ({ lane: name, outputs: { open, others: [] }, holds: false, pulseMs: 400, deadTimeMs: 0, will: 'release', closeOffMs: null });
    const executor = new Executor([make()], [lane('a', { device: 'bus', unit: 1, line: 0 }), lane('b', { device: 'bus', unit: 2, line: 0 }), lane('c', { device: 'elsewhere', line: 0 })], systemClock, silentLog);
    await executor.run();
    await executor.letGo();
    expect(executor.acts.map(({ done }) => done)).toEqual([true, true, false]);
    expect((await bus.report(2)).coils[0]).toBe(0);
  });

  it('releases everything it used when it is stopped', async () => {
    const device = make();
    const light = device.output({ device: 'bus', unit: 2, line: 3 });
    const open = device.output({ device: 'bus', unit: 1, line: 0 });
    await device.start();
    await light.hold();
    await open.pulse(5_000);
    await device.stop();
    expect((await bus.report(2)).coils[3]).toBe(0);
    expect((await bus.report(1)).coils[0]).toBe(0);
    expect(coilEvents(1, 0).at(-1)?.by).toBe('write');
    await expect(light.hold()).rejects.toThrow('DEVICE_LOST');
    expect(device.health().state).toBe('stopped');
  });

  it('passes over a damaged answer and noise without losing the input', async () => {
    const device = make();
    const beam = device.input({ device: 'bus', unit: 1, line: 0 });
    await device.start();
    const seen: SignalState[] = [];
    beam.onChange((change) => seen.push(change.state));
    for (const fault of [{ crc: 1 }, { noise: 1 }, { drop: 1 }]) {
      bus.fault(1, fault);
      const { reads } = await bus.report(1);
      await until(async () => (await bus.report(1)).reads > reads + 3, { what: 'more readings' });
    }
    bus.fault(1, {});
    bus.setInput(1, 0, true);
    await until(() => beam.state() === 'on', { what: 'the input' });
    expect(seen).toEqual(['on']);
  });

  it('says unknown for a unit that does not answer, keeps the others, and recovers', async () => {
    const device = make();
    const beam = device.input({ device: 'bus', unit: 1, line: 0 });
    const loop = device.input({ device: 'bus', unit: 3, line: 'loop' });
    const open = device.output({ device: 'bus', unit: 1, line: 0 });
    await device.start();
    bus.fault(1, { deaf: true });
    await until(() => beam.state() === 'unknown', { what: 'the silence to be noticed' });
    await until(() => device.health().detail !== undefined, { what: 'the health' });
    // One dead board is no dead bus: the detail says which.
    expect(device.health().state).toBe('ok');
    expect(device.health().detail).toContain('Unit 1');
    expect(device.health().detail).not.toContain('Unit 3');
    expect((device.units?.() ?? []).map(({ unit, state }) => [unit, state])).toEqual([[1, 'lost'], [2, 'starting'], [3, 'ok']]);
    await expect(open.pulse(400)).rejects.toThrow('DEVICE_TIMEOUT');
    bus.setInput(3, 1, true);
    await until(() => loop.state() === 'on', { timeoutMs: 1_000, what: 'the other unit' });
    bus.fault(1, {});
    await until(() => beam.state() === 'off' && device.health().detail === undefined, { what: 'the recovery' });
    const [relays] = device.units?.() ?? [];
    expect(relays).toMatchObject({ unit: 1, profile: 'waveshare-relay', state: 'ok' });
    expect(relays?.failed).toBeGreaterThanOrEqual(2);
    expect(relays?.roundTripMs).toBeGreaterThan(0);
    // The pulse was refused, so it must not come late.
    expect(levels(1, 0)).not.toContain(1);
  });

  it('keeps switching a coil off until the unit confirms it', async () => {
    const device = make();
    const open = device.output({ device: 'bus', unit: 2, line: 0 });
    await device.start();
    await open.pulse(100);
    bus.fault(2, { deaf: true });
    await until(() => open.state() === 'unknown', { what: 'the silence to be noticed' });
    await expect(open.release()).rejects.toThrow('DEVICE_TIMEOUT');
    expect((await bus.report(2)).coils[0]).toBe(1);
    bus.fault(2, {});
    await until(async () => (await bus.report(2)).coils[0] === 0, { what: 'the late release' });
    await until(() => open.state() === 'off', { what: 'the confirmation' });
  });

  it('switches off what was obeyed but not confirmed', async () => {
    const device = make();
    const open = device.output({ device: 'bus', unit: 2, line: 0 });
    await device.start();
    bus.fault(2, { lose: 50 });
    await expect(open.hold()).rejects.toThrow('DEVICE_TIMEOUT');
    bus.fault(2, {});
    await until(async () => levels(2, 0).includes(1) && (await bus.report(2)).coils[0] === 0, { what: 'the release' });
  });

  it('switches off a coil that is on without reason', async () => {
    const device = make();
    device.output({ device: 'bus', unit: 2, line: 5 });
    await device.start();
    bus.setCoil(2, 5, true);
    await until(() => coilEvents(2, 5).at(-1)?.by === 'write', { what: 'the correction' });
    expect((await bus.report(2)).coils[5]).toBe(0);
  });

  it('recovers by itself from an unplugged adapter; a refused order never runs late, a hold stands', async () => {
    const device = make();
    const loop = device.input({ device: 'bus', unit: 3, line: 'loop' });
    const open = device.output({ device: 'bus', unit: 1, line: 0 });
    const light = device.output({ device: 'bus', unit: 2, line: 6 });
    await device.start();
    await light.hold();
    await bus.unplug();
    await until(() => loop.state() === 'unknown' && light.state() === 'unknown', { what: 'the loss' });
    expect(device.health().state).toBe('lost');
    expect(device.health().detail).toContain('adapter');
    await expect(open.pulse(400)).rejects.toThrow('DEVICE_LOST');
    bus.events.splice(0);
    await bus.plug();
    await until(() => loop.state() === 'off' && device.health().state === 'ok', { timeoutMs: 10_000, what: 'the recovery' });
    // The units come back without power: the hold is an order that stands, the pulse is not.
    await until(async () => (await bus.report(2)).coils[6] === 1, { what: 'the hold' });
    expect(levels(1, 0)).not.toContain(1);
  });

  it('starts without the adapter and finds it later', async () => {
    await bus.unplug();
    const device = make();
    const loop = device.input({ device: 'bus', unit: 3, line: 'loop' });
    await device.start();
    expect(device.health().state).toBe('lost');
    expect(device.health().detail).toContain(bus.path);
    expect(loop.state()).toBe('unknown');
    await bus.plug();
    await until(() => loop.state() === 'off', { timeoutMs: 10_000, what: 'the adapter' });
    await until(() => device.health().state === 'ok', { what: 'the health' });
    expect(device.health()).toEqual({ state: 'ok' });
  });

  it('says what to check where a unit has no such address', async () => {
    const device = make();
    const far = device.input({ device: 'bus', unit: 2, line: 500 });
    await device.start();
    expect(far.state()).toBe('unknown');
    expect(device.health().detail).toContain('no such address');
  });

  it('tells a technician what an LD120 says of its loop, and how many vehicles it counted', async () => {
    bus.setRegister(3, 'holding', 9, 1);
    bus.setRegister(3, 'holding', 10, 5);
    const device = make();
    const loop = device.input({ device: 'bus', unit: 3, line: 'loop' });
    await device.start();
    await until(() => device.lines()[0]?.raw === 'fault 0, detect 0, open 0, short 0, count 65541', { what: 'the count' });
    bus.setInput(3, 0, true);
    bus.setInput(3, 4, true);
    await until(() => loop.state() === 'fault', { what: 'the fault' });
    expect(device.health()).toMatchObject({ state: 'ok' });
    expect(device.health().detail).toContain('open circuit');
    expect(device.units?.()[2]?.detail).toContain('open circuit');
    expect(device.lines()[0]?.raw).toContain('fault 1, detect 0, open 1');
    bus.setInput(3, 0, false);
    bus.setInput(3, 4, false);
    await until(() => loop.state() === 'off' && device.health().detail === undefined, { what: 'the repair' });
  });

  it('believes nothing of a board that is no LD120 although the configuration says so', async () => {
    bus.addLd120(3, 17);
    bus.setInput(3, 1, true);
    const device = make();
    const loop = device.input({ device: 'bus', unit: 3, line: 'loop' });
    const beam = device.input({ device: 'bus', unit: 1, line: 0 });
    await device.start();
    expect([loop.state(), beam.state()]).toEqual(['unknown', 'off']);
    expect(device.units?.()[2]).toMatchObject({ state: 'lost' });
    expect(device.health().detail).toContain('no LD120');
    // Whoever puts the right one in has not to start anything anew.
    bus.fault(3, { deaf: true });
    await until(() => device.health().detail?.includes('did not answer') === true, { what: 'the loss' });
    bus.addLd120(3);
    await until(() => loop.state() === 'off' && device.health().detail === undefined, { what: 'the right board' });
  });

  it('reads bits and values of registers, and the frequency of a loop', async () => {
    bus.setRegister(2, 'input', 5, 0b0100);
    bus.setRegister(2, 'holding', 20, 0);
    bus.setRegister(2, 'input', 30, 1);
    bus.setRegister(2, 'input', 31, 4_464);
    const device = make();
    const contact = device.input({ device: 'bus', unit: 2, table: 'input', line: 5, bit: 2, frequency: { table: 'input', line: 30, words: 2, scaleHz: 0.5 } });
    const person = device.input({ device: 'bus', unit: 2, table: 'holding', line: 20, equals: [1], faultValues: [255] });
    const vehicle = device.input({ device: 'bus', unit: 2, table: 'holding', line: 20, equals: [2], faultValues: [255] });
    await device.start();
    expect([contact.state(), person.state(), vehicle.state()]).toEqual(['on', 'off', 'off']);
    await until(() => contact.frequencyHz?.() === 35_000, { what: 'the frequency' });
    expect(device.lines()[0]).toMatchObject({ raw: '0x0004', frequencyHz: 35_000 });
    bus.setRegister(2, 'holding', 20, 2);
    await until(() => vehicle.state() === 'on', { what: 'the vehicle' });
    expect(person.state()).toBe('off');
    bus.setRegister(2, 'holding', 20, 255);
    await until(() => person.state() === 'fault' && vehicle.state() === 'fault', { what: 'the fault of the radar' });
  });

  it('moves contacts that are bits or values of holding registers', async () => {
    bus.setRegister(2, 'holding', 1, 0x0200);
    bus.setRegister(2, 'holding', 2, 0b0101_0000);
    const device = make();
    const open = device.output({ device: 'bus', unit: 2, table: 'holding', line: 1, write: { on: 0x0100, off: 0x0200 } });
    const light = device.output({ device: 'bus', unit: 2, table: 'holding', line: 2, bit: 1 });
    await device.start();
    expect([open.state(), light.state()]).toEqual(['off', 'off']);
    await open.pulse(150);
    await light.hold();
    await until(() => open.state() === 'off', { what: 'the end of the pulse' });
    await light.release();
    expect(bus.registerEvents.filter(({ address }) => address === 1).map(({ value }) => value)).toEqual([0x0100, 0x0200]);
    // The neighbours of a bit stay as they are.
    expect(bus.registerEvents.filter(({ address }) => address === 2).map(({ value }) => value)).toEqual([0b0101_0010, 0b0101_0000]);
  });

  it('says which relays a Waveshare board moves by itself, and sets what the configuration asks for', async () => {
    for (const mode of [0, 1, 2]) bus.setRegister(1, 'holding', 0x1000 + mode, mode === 2 ? 1 : 0);
    bus.setRegister(2, 'holding', 8, 0);
    const device = make([{ unit: 1, profile: 'waveshare-relay' }, { unit: 2, profile: 'generic', setup: [{ address: 8, value: 10 }] }]);
    device.output({ device: 'bus', unit: 1, line: 0 });
    device.output({ device: 'bus', unit: 1, line: 2 });
    device.input({ device: 'bus', unit: 2, line: 0 });
    await device.start();
    expect(device.health().state).toBe('ok');
    expect(device.health().detail).toContain('drive relay 2');
    await until(() => bus.registerEvents.length > 0, { what: 'the setting' });
    await until(async () => (await bus.report(2)).reads > 5, { what: 'more readings' });
    // Once is enough: such registers live in a memory that wears out.
    expect(bus.registerEvents).toEqual([{ unit: 2, address: 8, value: 10 }]);
    // A board that was without power is set again.
    bus.fault(2, { deaf: true });
    await until(() => device.units?.()[1]?.state === 'lost', { what: 'the loss' });
    bus.setRegister(2, 'holding', 8, 0);
    bus.fault(2, {});
    await until(() => bus.registerEvents.length === 2, { what: 'the setting again' });
  });

  it('asks an LC-Modbus board for all of its lines, and lets it time a pulse where told to', async () => {
    bus.addUnit(4, { block: 8 });
    for (const register of [13, 14]) bus.setRegister(4, 'holding', register, 0);
    const device = make([{ unit: 4, profile: 'lc-modbus-8r', pulses: 'board' }]);
    const loop = device.input({ device: 'bus', line: 3 });
    const open = device.output({ device: 'bus', line: 2 });
    await device.start();
    expect([loop.state(), open.state(), open.timesPulses]).toEqual(['off', 'off', true]);
    bus.setInput(4, 3, true);
    await until(() => loop.state() === 'on', { what: 'the loop' });
    await open.pulse(450);
    expect(bus.registerEvents).toEqual([{ unit: 4, address: 13, value: 4 }, { unit: 4, address: 14, value: 5 }]);
  });

  it('hands raw traffic to whoever asks, with times, and only as long', async () => {
    const device = make();
    device.input({ device: 'bus', unit: 2, line: 0 });
    const traffic: Traffic[] = [];
    const stopListening = device.onTraffic?.((bytes) => traffic.push(bytes));
    await device.start();
    await until(() => traffic.length > 4, { what: 'the traffic' });
    stopListening?.();
    const heard = traffic.length;
    const { reads } = await bus.report(2);
    await until(async () => (await bus.report(2)).reads > reads + 3, { what: 'more readings' });
    expect(traffic.length).toBe(heard);
    expect(traffic[0]).toMatchObject({ direction: 'sent' });
    // Read discrete input 0 of unit 2, as the specification writes it.
    expect(Buffer.from(traffic[0]?.bytes ?? []).toString('hex')).toBe('020200000001b9f9');
    expect(traffic.some(({ direction }) => direction === 'received')).toBe(true);
    const times = traffic.map(({ atMs }) => atMs);
    expect([...times].sort((one, other) => one - other)).toEqual(times);
  });

  it('follows its path to another adapter, even where the old one says nothing of having been pulled', async () => {
    const other = new ModbusTestBus();
    other.addUnit(2);
    other.setInput(2, 0, true);
    await other.plug();
    const byId = join(bus.folder, 'by-id');
    symlinkSync(bus.path, byId);
    const device = make([{ unit: 2, profile: 'generic' }], byId);
    const beam = device.input({ device: 'bus', line: 0 });
    const open = device.output({ device: 'bus', line: 0 });
    await device.start();
    expect(beam.state()).toBe('off');
    other.setInput(2, 0, true);
    const seen: SignalState[] = [];
    beam.onChange((change) => seen.push(change.state));
    unlinkSync(byId);
    // On a busy machine the board may have been too slow to answer just before.
    await until(() => device.health().state === 'lost' && device.health().detail?.includes('unplugged') === true, { what: 'the loss' });
    await expect(open.pulse(400)).rejects.toThrow('DEVICE_LOST');
    symlinkSync(other.path, byId);
    await until(() => beam.state() === 'on', { timeoutMs: 10_000, what: 'the other adapter' });
    expect(seen).toEqual(['unknown', 'on']);
    expect(other.events).toEqual([]);
    await device.stop();
    await other.close();
  });

  it('refuses lines that cannot be, before anything starts', () => {
    const device = make();
    for (const ref of [
      { device: 'bus', unit: 9, line: 0 },
      { device: 'bus', line: 0 },
      { device: 'bus', unit: 1, line: 0, chip: 'pinctrl-rp1' },
    ]) {
      expect(() => device.input(ref)).toThrow('DEVICE_LINE_INVALID');
    }
    device.output({ device: 'bus', unit: 1, line: 0 });
    expect(() => device.output({ device: 'bus', unit: 1, line: 0 })).toThrow('DEVICE_LINE_INVALID');
  });
});

for (const profile of ['waveshare-relay', 'generic'] as const) {
  deviceContract(`Modbus RTU (${profile})`, async () => {
    const bus = new ModbusTestBus();
    bus.addUnit(1, { timer: profile === 'waveshare-relay' });
    await bus.plug();
    return {
      device: createDevice(
        { id: 'bus', driver: 'modbus', path: bus.path, baudRate: 9_600, parity: 'none', stopBits: 1, pollMs: 20, timeoutMs: 100, units: [{ unit: 1, profile }] },
        systemClock,
        silentLog,
      ),
      input: { device: 'bus', line: 0 },
      output: { device: 'bus', line: 0 },
      stranger: { device: 'bus', line: -1 },
      drive: (active) => bus.setInput(1, 0, active),
      low: { ref: { device: 'bus', line: 1, activeLow: true }, drive: (high) => bus.setInput(1, 1, high) },
      energised: async () => (await bus.report(1)).coils[0] === 1,
      pass: (durationMs) => new Promise((resolve) => setTimeout(resolve, durationMs)),
      lose: () => bus.fault(1, { deaf: true }),
      restore: () => bus.fault(1, {}),
      close: () => bus.close(),
    };
  });
}
