import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { silentLog, type SignalState } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { createDevice, type Device, type DigitalInput, type LineRef } from '../../src/device/index.js';
import { ModbusTestBus } from '../support/modbus-bus.js';
import { until } from '../support/until.js';

const messageSchema = z.union([
  z.object({ ready: z.literal(true) }),
  z.object({ coil: z.tuple([z.number(), z.number(), z.number()]), at: z.number() }),
  z.object({ faults: z.record(z.string(), z.number()), requests: z.number() }),
]);

const timeoutMs = 150;
type Table = 'discrete' | 'holding' | 'input';

/** Bits and registers that never change, so that any other level is a lie: neighbouring groups hold each other's opposite. */
const constants: readonly { readonly unit: number; readonly table: Table; readonly address: number; readonly value: number }[] = [
  ...[1, 0, 1, 1, 0, 0, 1, 0].flatMap((bit, index) => [
    { unit: 1, table: 'discrete' as const, address: index, value: bit },
    { unit: 1, table: 'discrete' as const, address: 100 + index, value: 1 - bit },
    { unit: 2, table: 'discrete' as const, address: index, value: 1 - bit },
  ]),
  { unit: 1, table: 'holding', address: 0, value: 0x1234 },
  { unit: 1, table: 'holding', address: 50, value: 0x0f0f },
  { unit: 2, table: 'input', address: 0, value: 0x1234 },
  { unit: 2, table: 'holding', address: 0, value: 0xf0f0 },
];

/** Units of libmodbus at the far end of a line that a seeded gremlin sits on. */
class NoisyBus {
  readonly folder = mkdtempSync(join(tmpdir(), 'laurel-noise-'));
  readonly path = join(this.folder, 'gate');
  readonly coils: { readonly unit: number; readonly coil: number; readonly level: number; readonly atMs: number }[] = [];
  #peer: ChildProcessWithoutNullStreams | undefined;
  #ready = false;
  #report: { readonly faults: Record<string, number>; readonly requests: number } | undefined;

  async start(): Promise<void> {
    this.#peer = spawn('/usr/bin/python3', [fileURLToPath(new URL('../support/modbus-noisy-bus.py', import.meta.url)), this.path, '1', '2']);
    this.#peer.stderr.on('data', (chunk: Buffer) => console.error(chunk.toString()));
    createInterface(this.#peer.stdout).on('line', (line) => {
      const message = messageSchema.parse(JSON.parse(line));
      if ('ready' in message) this.#ready = true;
      else if ('faults' in message) this.#report = message;
      else this.coils.push({ unit: message.coil[0], coil: message.coil[1], level: message.coil[2], atMs: performance.now() });
    });
    await until(() => this.#ready, { timeoutMs: 15_000, what: 'the units' });
  }

  send(message: object): void {
    this.#peer?.stdin.write(`${JSON.stringify(message)}\n`);
  }

  async report(): Promise<{ readonly faults: Record<string, number>; readonly requests: number }> {
    this.#report = undefined;
    this.send({ report: true });
    return await until(() => this.#report, { what: 'the report of the line' });
  }

  async close(): Promise<void> {
    const peer = this.#peer;
    if (peer !== undefined && peer.exitCode === null) {
      peer.kill('SIGTERM');
      await once(peer, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

describe('units of libmodbus on a line that damages, delays, loses and repeats', () => {
  let bus: NoisyBus;
  let device: Device;

  beforeEach(async () => {
    bus = new NoisyBus();
    await bus.start();
    device = createDevice(
      { id: 'bus', driver: 'modbus', path: bus.path, baudRate: 9_600, parity: 'none', stopBits: 1, pollMs: 20, timeoutMs, units: [1, 2].map((unit) => ({ unit, profile: 'generic' })) },
      systemClock,
      silentLog,
    );
  });

  afterEach(async () => {
    await device.stop();
    await bus.close();
  });

  it.each([1, 2, 3])('seed %i: no wrong level, no order twice or late, and all is well when the line is', async (seed) => {
    const random = randomOf(seed);
    for (const { unit, table, address, value } of constants) bus.send({ set: [unit, table, address, value] });
    const lies: string[] = [];
    const claimed: DigitalInput[] = [];
    const claim = (ref: LineRef, truth: SignalState): void => {
      const input = device.input(ref);
      claimed.push(input);
      input.onChange(({ state }) => {
        if (state !== 'unknown' && state !== truth) lies.push(`${JSON.stringify(ref)} was reported ${state}`);
      });
    };
    for (const { unit, table, address, value } of constants) {
      if (table === 'discrete') claim({ device: 'bus', unit, table, line: address }, value === 1 ? 'on' : 'off');
      else {
        claim({ device: 'bus', unit, table, line: address, equals: [value] }, 'on');
        claim({ device: 'bus', unit, table, line: address, bit: 4 }, ((value >> 4) & 1) === 1 ? 'on' : 'off');
      }
    }
    // One contact that moves; what is reported of it has to have been true a moment ago.
    const moving = device.input({ device: 'bus', unit: 2, table: 'discrete', line: 200 });
    const truths: { readonly level: SignalState; readonly fromMs: number }[] = [{ level: 'off', fromMs: 0 }];
    const stale: string[] = [];
    moving.onChange(({ state }) => {
      const nowMs = performance.now();
      const recent = truths.filter((_, index) => (truths[index + 1]?.fromMs ?? Infinity) > nowMs - 1_200).map(({ level }) => level);
      if (state !== 'unknown' && !recent.includes(state)) stale.push(`${state} at ${nowMs}`);
    });
    const open = device.output({ device: 'bus', unit: 1, line: 0 });
    const light = device.output({ device: 'bus', unit: 2, line: 7 });
    await device.start();
    expect(claimed.map((input) => input.state())).not.toContain('unknown');
    expect(lies).toEqual([]);

    bus.send({ chaos: { seed, rate: 0.45, lateS: [(1.1 * timeoutMs) / 1_000, (1.6 * timeoutMs) / 1_000] } });
    const pulses: number[] = [];
    let lit = false;
    for (let turn = 0; turn < 12; turn += 1) {
      const level = turn % 2 === 0 ? 'on' : 'off';
      bus.send({ set: [2, 'discrete', 200, level === 'on' ? 1 : 0] });
      truths.push({ level, fromMs: performance.now() });
      if (random() < 0.6) {
        pulses.push(performance.now());
        await open.pulse(200).catch(() => undefined);
      }
      const wanted = random() < 0.5;
      // A hold that stood before a refused one stands on; a release comes true in the end.
      await (wanted ? light.hold() : light.release()).then(
        () => (lit = wanted),
        () => (lit = wanted && lit),
      );
      await new Promise((resolve) => setTimeout(resolve, 300 + 900 * random()));
    }
    const { faults } = await bus.report();
    bus.send({ chaos: null });

    await until(() => claimed.every((input) => input.state() !== 'unknown') && moving.state() === truths.at(-1)?.level, { timeoutMs: 15_000, what: 'every input' });
    await until(() => device.health().state === 'ok' && device.health().detail === undefined, { timeoutMs: 15_000, what: 'the health' });
    await until(() => open.state() === 'off' && light.state() === (lit ? 'on' : 'off'), { timeoutMs: 15_000, what: 'the outputs' });
    expect(lies).toEqual([]);
    expect(stale).toEqual([]);
    const opened = bus.coils.filter(({ unit, coil, level }) => unit === 1 && coil === 0 && level === 1);
    expect(opened.length).toBeLessThanOrEqual(pulses.length);
    for (const { atMs } of opened) {
      const order = pulses.filter((orderedMs) => orderedMs <= atMs).at(-1) ?? -Infinity;
      // Four times the time for an answer, a request that is under way, and a busy machine.
      expect(atMs - order).toBeLessThan(4 * timeoutMs + 2 * timeoutMs + 1_000);
    }
    expect(bus.coils.filter(({ unit, coil }) => !(unit === 1 && coil === 0) && !(unit === 2 && coil === 7))).toEqual([]);
    expect(Object.keys(faults).length).toBeGreaterThanOrEqual(10);
  }, 90_000);
});

it('mbpoll, another master, understands the units these tests are made with', async () => {
  const bus = new ModbusTestBus();
  bus.addUnit(1, { timer: true });
  for (const [address, value] of [4_660, 7].entries()) bus.setRegister(1, 'holding', address, value);
  bus.setRegister(1, 'input', 0, 99);
  await bus.plug();
  bus.setInput(1, 2, true);
  await bus.report(1);
  const mbpoll = (...more: readonly string[]): string => {
    const { stdout, status, error } = spawnSync('mbpoll', ['-m', 'rtu', '-a', '1', '-b', '9600', '-P', 'none', '-0', '-1', '-q', ...more], { encoding: 'utf8' });
    expect(error).toBeUndefined();
    expect(status, stdout).toBe(0);
    return stdout;
  };
  expect(mbpoll('-t', '1', '-r', '0', '-c', '4', bus.path)).toMatch(/\[0\]:\s+0[\s\S]*\[2\]:\s+1/u);
  expect(mbpoll('-t', '4', '-r', '0', '-c', '2', bus.path)).toMatch(/4660[\s\S]*7/u);
  expect(mbpoll('-t', '3', '-r', '0', '-c', '1', bus.path)).toContain('99');
  mbpoll('-t', '0', '-r', '3', bus.path, '--', '1');
  mbpoll('-t', '4', '-r', '1', bus.path, '--', '8');
  const { coils, holding } = await bus.report(1);
  expect(coils[3]).toBe(1);
  expect(holding['1']).toBe(8);
  await bus.close();
});

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
