import assert from 'node:assert/strict';
import type { Device, DigitalInput, DigitalOutput, LineRef, LineReport, SignalChange } from '../../src/device/index.js';

/** A device not started yet, with the hardware or world around it under the test's hand. */
export interface DeviceRig {
  readonly device: Device;
  readonly input: LineRef;
  readonly output: LineRef;
  /** A line the device does not have. */
  readonly stranger: LineRef;
  /** Makes the outside circuit of `input` active or not. */
  drive(active: boolean): void | Promise<void>;
  /** Whether the contact of `output` is really closed, asked of the hardware and not of the driver. */
  energised(): boolean | Promise<boolean>;
  /** Lets time go on, by a moved clock or by waiting. */
  pass(durationMs: number): Promise<void>;
  /** Takes the hardware away, and brings it back as it was. */
  lose(): void | Promise<void>;
  restore(): void | Promise<void>;
  close(): Promise<void>;
  /** A second input that is wired active-low, where the device knows such lines; `drive` sets the level, not the state. */
  readonly low?: { readonly ref: LineRef; drive(high: boolean): void | Promise<void> };
  /** Every level the contact of `output` was given since the rig was made, in order, where the hardware keeps a record. */
  driven?(): readonly boolean[] | Promise<readonly boolean[]>;
}

/** One promise of `src/device/contract.ts`; free of a test runner, so that it also runs where none fits. */
export interface ContractCase {
  readonly name: string;
  readonly run: (bench: ContractBench) => Promise<void>;
}

/** The lines of a rig, claimed, and ways to let time go on. */
export class ContractBench {
  readonly rig: DeviceRig;
  readonly input: DigitalInput;
  readonly output: DigitalOutput;
  readonly low: DigitalInput | undefined;
  /** What listeners of `input` heard. */
  readonly changes: SignalChange[] = [];

  constructor(rig: DeviceRig) {
    this.rig = rig;
    this.input = rig.device.input(rig.input);
    this.output = rig.device.output(rig.output);
    this.low = rig.low === undefined ? undefined : rig.device.input(rig.low.ref);
    this.input.onChange((change) => this.changes.push(change));
  }

  start(): Promise<void> {
    return this.carriedOut(this.rig.device.start());
  }

  /** Runs an order while time goes on, as some drivers need time to carry it out. */
  async carriedOut(order: Promise<void>): Promise<void> {
    const progress = { settled: false };
    const done = order.finally(() => (progress.settled = true));
    done.catch(() => undefined);
    for (let turn = 0; turn < 300 && !progress.settled; turn += 1) await this.rig.pass(10);
    await done;
  }

  async eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    for (let turn = 0; turn < 1_000; turn += 1) {
      if (await condition()) return;
      await this.rig.pass(10);
    }
    throw new Error(`${what} did not come`);
  }

  async energised(expected: boolean): Promise<void> {
    assert.equal(await this.rig.energised(), expected, expected ? 'the contact is not closed' : 'the contact is closed');
  }

  report(use: 'input' | 'output', ref: LineRef): LineReport {
    const found = this.rig.device.lines().find((line) => line.use === use && line.ref.line === ref.line && line.ref.chip === ref.chip);
    assert.ok(found, `lines() lacks the ${use}`);
    return found;
  }

  async end(): Promise<void> {
    await this.rig.device.stop();
    await this.rig.close();
  }
}

/** What every driver promises in `src/device/contract.ts`, simulated or real. */
export const contractCases: readonly ContractCase[] = [
  {
    name: 'knows nothing before the start, and what is so after it, without moving an output',
    run: async (bench) => {
      const { rig, input, output } = bench;
      await rig.drive(true);
      assert.equal(input.state(), 'unknown');
      await bench.start();
      await bench.eventually('the first state', () => input.state() === 'on');
      assert.equal(rig.device.health().state, 'ok');
      await bench.energised(false);
      assert.equal(output.state(), 'off');
    },
  },
  {
    name: 'tells each change once, with a time that does not run backwards, and stops when asked',
    run: async (bench) => {
      const { rig, input, changes } = bench;
      await bench.start();
      await bench.eventually('the first state', () => input.state() === 'off');
      const heard: string[] = [];
      const stopListening = input.onChange((change) => heard.push(change.state));
      for (const state of ['on', 'off', 'on'] as const) {
        await rig.drive(state === 'on');
        await bench.eventually(`the change to ${state}`, () => input.state() === state);
      }
      stopListening();
      await rig.drive(false);
      await bench.eventually('the change to off', () => input.state() === 'off');
      await rig.pass(50);
      assert.deepEqual(heard, ['on', 'off', 'on']);
      assert.deepEqual(changes.map((change) => change.state), ['off', 'on', 'off', 'on', 'off']);
      const times = changes.map((change) => change.atMs);
      assert.deepEqual([...times].sort((one, other) => one - other), times);
    },
  },
  {
    name: 'reports each claimed line as the hardware has it and as it is meant',
    run: async (bench) => {
      const { rig, input, output, low } = bench;
      assert.deepEqual({ ...bench.report('input', rig.input), ref: undefined }, { ref: undefined, use: 'input', state: 'unknown', raw: null, sinceMs: null, changes: 0 });
      await bench.start();
      await bench.eventually('the first state', () => input.state() === 'off');
      const idle = bench.report('input', rig.input);
      await rig.drive(true);
      await bench.eventually('the change to on', () => input.state() === 'on');
      const occupied = bench.report('input', rig.input);
      assert.deepEqual([idle.state, occupied.state, occupied.changes - idle.changes], ['off', 'on', 1]);
      assert.notEqual(idle.raw, null);
      assert.notEqual(occupied.raw, idle.raw);
      await bench.carriedOut(output.hold());
      assert.equal(bench.report('output', rig.output).state, 'on');
      await bench.carriedOut(output.release());
      assert.equal(bench.report('output', rig.output).state, 'off');
      if (low === undefined) return;
      for (const high of [true, false]) {
        await rig.low?.drive(high);
        const state = high ? 'off' : 'on';
        await bench.eventually(`the active-low line ${state}`, () => low.state() === state);
        // The raw reading is the wire's own level, whatever it means; some drivers put the line's name before it.
        assert.equal(bench.report('input', low.ref).raw?.at(-1), (high ? occupied : idle).raw?.at(-1));
      }
    },
  },
  {
    name: 'ends a pulse by itself',
    run: async (bench) => {
      const { rig, output } = bench;
      await bench.start();
      await bench.carriedOut(output.pulse(300));
      assert.equal(output.state(), 'on');
      await bench.energised(true);
      await bench.eventually('the end of the pulse', async () => !(await rig.energised()));
      await bench.eventually('the state', () => output.state() === 'off');
    },
  },
  {
    name: 'extends a pulse by a second one',
    run: async (bench) => {
      const { rig, output } = bench;
      await bench.start();
      await bench.carriedOut(output.pulse(300));
      await rig.pass(200);
      await bench.carriedOut(output.pulse(300));
      await rig.pass(200);
      await bench.energised(true);
      await bench.eventually('the end of the pulse', async () => !(await rig.energised()));
    },
  },
  {
    name: 'holds until it is released, without a glitch when it opens or ends',
    run: async (bench) => {
      const { rig, output } = bench;
      await bench.start();
      await bench.carriedOut(output.hold());
      await rig.pass(500);
      await bench.energised(true);
      await bench.carriedOut(output.release());
      await bench.energised(false);
      assert.equal(output.state(), 'off');
      const driven = await rig.driven?.();
      if (driven === undefined) return;
      assert.equal(driven[0], false, 'the first level was the active one');
      assert.deepEqual(driven.filter((active, index) => active !== driven[index - 1]), [false, true, false]);
    },
  },
  {
    name: 'releases in the middle of a pulse',
    run: async (bench) => {
      const { output } = bench;
      await bench.start();
      await bench.carriedOut(output.pulse(2_000));
      await bench.carriedOut(output.release());
      await bench.energised(false);
    },
  },
  ...(['hold', 'pulse'] as const).map(
    (order): ContractCase => ({
      name: `releases everything when it is stopped in a ${order}, and refuses orders from then on`,
      run: async (bench) => {
        const { rig, input, output } = bench;
        await bench.start();
        await bench.carriedOut(order === 'hold' ? output.hold() : output.pulse(2_000));
        await bench.energised(true);
        await bench.carriedOut(rig.device.stop());
        await bench.energised(false);
        assert.equal(rig.device.health().state, 'stopped');
        assert.equal(input.state(), 'unknown');
        await assert.rejects(bench.carriedOut(output.pulse(300)), /DEVICE_LOST/u);
      },
    }),
  ),
  {
    name: 'says unknown and refuses orders while the hardware is gone, recovers by itself, and does nothing late',
    run: async (bench) => {
      const { rig, input, output } = bench;
      await bench.start();
      const health: string[] = [];
      rig.device.onHealth((change) => health.push(change.state));
      await rig.lose();
      await bench.eventually('the loss of the input', () => input.state() === 'unknown');
      await bench.eventually('the loss of the device', () => rig.device.health().state === 'lost');
      assert.notEqual(rig.device.health().detail, undefined);
      await assert.rejects(bench.carriedOut(output.pulse(300)), /DEVICE_(LOST|TIMEOUT)/u);
      await rig.restore();
      await bench.eventually('the recovery', () => rig.device.health().state === 'ok' && input.state() === 'off');
      for (let turn = 0; turn < 20; turn += 1) {
        await rig.pass(25);
        await bench.energised(false);
      }
      assert.equal(health[0], 'lost');
      assert.equal(health.at(-1), 'ok');
    },
  },
  {
    name: 'refuses a line it does not have, before anything starts',
    run: ({ rig }) => {
      assert.throws(() => rig.device.output(rig.stranger), /DEVICE_LINE_INVALID/u);
      return Promise.resolve();
    },
  },
];
