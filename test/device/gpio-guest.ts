import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { ManualClock, errorText, silentLog } from '../../src/base/index.js';
import { readCharChips } from '../../src/device/gpio/chardev.js';
import { GpioDevice, listChips, type GpioInterface } from '../../src/device/gpio/index.js';
import type { LineRef } from '../../src/device/index.js';
import { ContractBench, contractCases, type DeviceRig } from '../support/device-contract-cases.js';
import { SimulatedChip, clearTrace } from '../support/gpio-sim.js';
import { until } from '../support/until.js';

// Runs as the only program of a virtual machine that `scripts/check-gpio` boots, on the kernel's simulated chip. Writes
// one line of JSON for each check.

const chip = new SimulatedChip('pinctrl-sim');
/** Kernel and processes need real time beside the moved clock. */
const breathe = (ms = 1): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const lineOf = { input: 1, output: 2, low: 3, second: 4 };

function ref(line: number, more: Partial<LineRef> = {}): LineRef {
  return { device: 'gpio', chip: chip.label, line, ...more };
}

/** Every case begins with a chip that is there, pulled low, with nothing left over from the case before. */
function freshChip(): void {
  if (chip.plugged) chip.unplug();
  chip.plug();
  for (let line = 0; line < chip.lines; line += 1) chip.pull(line, false);
  clearTrace();
}

interface Bench {
  readonly clock: ManualClock;
  readonly device: GpioDevice;
}

function makeDevice(which: GpioInterface): Bench {
  const clock = new ManualClock();
  return { clock, device: new GpioDevice({ id: 'gpio', interface: which }, clock, silentLog) };
}

function makeRig(which: GpioInterface): DeviceRig {
  freshChip();
  const { clock, device } = makeDevice(which);
  return {
    device,
    input: ref(lineOf.input),
    output: ref(lineOf.output),
    stranger: { device: 'gpio', line: 'open' },
    drive: (active) => chip.pull(lineOf.input, active),
    energised: () => chip.level(lineOf.output),
    pass: async (durationMs) => {
      await clock.advanceAsync(durationMs);
      await breathe();
    },
    lose: () => chip.unplug(),
    restore: () => chip.plug(),
    close: () => Promise.resolve(),
    low: { ref: ref(lineOf.low, { activeLow: true }), drive: (high) => chip.pull(lineOf.low, high) },
    driven: () => chip.driven(lineOf.output),
  };
}

/** A check of what only a kernel can show. Returns what a reader of the table should know, where there is something. */
interface KernelCheck {
  readonly name: string;
  readonly on: readonly GpioInterface[];
  readonly run: (which: GpioInterface, bench: Bench) => Promise<string | undefined>;
}

const both: readonly GpioInterface[] = ['chardev', 'sysfs'];

async function passUntil({ clock }: Bench, what: string, condition: () => boolean, stepMs = 10): Promise<void> {
  await until(
    async () => {
      if (condition()) return true;
      await clock.advanceAsync(stepMs);
      return false;
    },
    { what, timeoutMs: 20_000 },
  );
}

/** Energises an output in a process of its own and kills it with SIGKILL. */
async function killHolder(which: GpioInterface, line: number, how: 'stay' | 'pulse' | 'preserve'): Promise<void> {
  const child = spawn(process.execPath, ['hold-and-throw.mjs', JSON.stringify(ref(line)), how, which], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  assert.equal(chip.level(line), true, 'the holder energised nothing');
  child.kill('SIGKILL');
  await once(child, 'exit');
}

const level = (high: boolean): string => (high ? 'high' : 'low');

const kernelChecks: readonly KernelCheck[] = [
  {
    name: 'an active-low output is high from its first moment, low while it is held, high again',
    on: both,
    run: async (_, { device }) => {
      const output = device.output(ref(lineOf.output, { activeLow: true }));
      await device.start();
      await output.hold();
      await output.release();
      await device.stop();
      const driven = chip.driven(lineOf.output);
      assert.deepEqual(driven.filter((high, index) => high !== driven[index - 1]), [true, false, true]);
      return undefined;
    },
  },
  {
    name: 'both edges come from the kernel, with the clock standing still',
    on: both,
    run: async (_, { device }) => {
      const input = device.input(ref(lineOf.input, { debounceMs: 0 }));
      await device.start();
      for (const high of [true, false, true]) {
        chip.pull(lineOf.input, high);
        await until(() => input.state() === (high ? 'on' : 'off'), { what: `the edge to ${level(high)}` });
      }
      return undefined;
    },
  },
  {
    name: 'more edges than the kernel keeps end with the level that stays',
    on: both,
    run: async (_, { device }) => {
      const input = device.input(ref(lineOf.input, { debounceMs: 0 }));
      await device.start();
      // Without a pause the event loop cannot take them; the kernel keeps 16 for a line of the character device.
      for (let edge = 0; edge < 41; edge += 1) chip.pull(lineOf.input, edge % 2 === 0);
      await until(() => input.state() === 'on', { what: 'the last level' });
      await breathe(50);
      assert.equal(input.state(), 'on');
      return undefined;
    },
  },
  {
    name: 'pull up and pull down reach the chip, off is taken where the chip has no such setting',
    on: ['chardev'],
    run: async (_, { device }) => {
      device.input(ref(lineOf.input, { pull: 'up' }));
      device.input(ref(lineOf.low, { pull: 'down' }));
      const off = device.input(ref(lineOf.second, { pull: 'off' }));
      chip.pull(lineOf.low, true);
      await device.start();
      assert.deepEqual([chip.pulled(lineOf.input), chip.pulled(lineOf.low)], ['pull-up', 'pull-down']);
      assert.equal(off.state(), 'off', device.health().detail);
      return undefined;
    },
  },
  {
    name: 'the character device is taken where it may be opened, sysfs where it may not',
    on: ['auto'],
    run: async (which, { device }) => {
      const listed = async (): Promise<readonly string[]> => (await listChips()).map(({ label }) => label).filter((label) => label === chip.label);
      assert.deepEqual(await listed(), [chip.label]);
      // Only the character device sets pulls.
      const first = device.input(ref(lineOf.input, { pull: 'up' }));
      await device.start();
      assert.deepEqual([first.state(), chip.pulled(lineOf.input)], ['on', 'pull-up']);
      await device.stop();
      chip.hide();
      try {
        assert.deepEqual(await listed(), [chip.label]);
        const { device: later } = makeDevice(which);
        const [plain, pulling] = [later.input(ref(lineOf.input)), later.input(ref(lineOf.low, { pull: 'up' }))];
        await later.start();
        assert.deepEqual([plain.state(), pulling.state()], ['on', 'unknown']);
        assert.match(later.health().detail ?? '', /sysfs cannot set/u);
        await later.stop();
        const { device: narrow } = makeDevice('chardev');
        narrow.input(ref(lineOf.input));
        await narrow.start();
        assert.match(narrow.health().detail ?? '', /interface: sysfs/u);
        await narrow.stop();
      } finally {
        chip.show();
      }
      return undefined;
    },
  },
  {
    name: 'a pull is refused with the advice to set it elsewhere',
    on: ['sysfs'],
    run: async (_, { device }) => {
      const input = device.input(ref(lineOf.input, { pull: 'up' }));
      await device.start();
      assert.equal(input.state(), 'unknown');
      assert.match(device.health().detail ?? '', /interface: chardev/u);
      return undefined;
    },
  },
  {
    name: 'contact bounce is swallowed, the level that stays is reported',
    on: both,
    run: async (_, bench) => {
      const input = bench.device.input(ref(lineOf.input, { debounceMs: 20 }));
      await bench.device.start();
      const seen: string[] = [];
      input.onChange((change) => seen.push(change.state));
      for (const high of [true, false, true, false, true]) {
        chip.pull(lineOf.input, high);
        await breathe(10);
        await bench.clock.advanceAsync(3);
      }
      assert.deepEqual(seen, []);
      await passUntil(bench, 'the settled level', () => input.state() === 'on', 5);
      assert.deepEqual(seen, ['on']);
      return undefined;
    },
  },
  {
    name: 'a chattering line is a fault, and is believed again when it is calm',
    on: both,
    run: async (_, bench) => {
      const input = bench.device.input(ref(lineOf.input, { debounceMs: 0 }));
      await bench.device.start();
      for (let edge = 0; edge < 150; edge += 1) {
        chip.pull(lineOf.input, edge % 2 === 0);
        await breathe();
      }
      await until(() => input.state() === 'fault', { what: 'the fault' });
      assert.match(bench.device.health().detail ?? '', /chatters/u);
      await bench.clock.advanceAsync(1_000);
      assert.equal(input.state(), 'fault');
      await passUntil(bench, 'the calm', () => input.state() === 'off', 100);
      await passUntil(bench, 'good health', () => bench.device.health().state === 'ok', 100);
      return undefined;
    },
  },
  {
    name: 'a line that is in use is refused, and its holder named where the kernel tells',
    on: both,
    run: async (which, { device }) => {
      const holder = new GpioDevice({ id: 'gpio', interface: 'chardev' }, new ManualClock(), silentLog);
      holder.input(ref(lineOf.input));
      await holder.start();
      try {
        const input = device.input(ref(lineOf.input));
        await device.start();
        assert.equal(input.state(), 'unknown');
        assert.match(device.health().detail ?? '', which === 'chardev' ? /"laurel-gate" holds it/u : /Another driver holds the pin/u);
      } finally {
        await holder.stop();
      }
      return undefined;
    },
  },
  ...(['stay', 'pulse'] as const).map(
    (how): KernelCheck => ({
      name: how === 'stay' ? 'after SIGKILL of a holder the next start has the output idle' : 'after SIGKILL in mid-pulse the next start has the output idle',
      on: both,
      run: async (which, { device }) => {
        await killHolder(which, lineOf.output, how);
        const left = chip.level(lineOf.output);
        // The legacy interface leaves a line driven; the character device gives it back to the chip, here to its pull.
        assert.equal(left, which === 'sysfs');
        const output = device.output(ref(lineOf.output));
        await device.start();
        assert.deepEqual([output.state(), chip.level(lineOf.output)], ['off', false]);
        return `the pin was ${level(left)} in between${left ? ': still driven' : ': at its pull'}`;
      },
    }),
  ),
  {
    name: 'a hold that is to be preserved is taken over without a gap after SIGKILL of its holder',
    on: both,
    run: async (which, { device }) => {
      // The character device gives the line back, so there the pull has to keep the level, as a chip does that keeps what it drives.
      chip.pull(lineOf.output, which === 'chardev');
      await killHolder(which, lineOf.output, 'preserve');
      const left = chip.level(lineOf.output);
      clearTrace();
      const output = device.output(ref(lineOf.output));
      output.preserve?.();
      await device.start();
      assert.deepEqual([left, output.state(), chip.level(lineOf.output)], [true, 'on', true]);
      assert.ok(!chip.driven(lineOf.output).includes(false), 'it was driven low in between');
      await output.release();
      assert.equal(chip.level(lineOf.output), false);
      return which === 'chardev' ? 'on a chip that keeps the level' : undefined;
    },
  },
];

interface Result {
  readonly interface: GpioInterface;
  readonly check: string;
  readonly ok: boolean;
  readonly detail?: string | undefined;
}

function tell(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function attempt(which: GpioInterface, check: string, run: () => Promise<string | undefined>): Promise<void> {
  let result: Result;
  try {
    const detail = await run();
    result = { interface: which, check, ok: true, detail };
  } catch (error) {
    result = { interface: which, check, ok: false, detail: errorText(error) };
  }
  tell(result);
}

tell({ kernel: release(), node: process.version, chips: (await readCharChips()).chips.length, sysfs: existsSync('/sys/class/gpio/export') });
for (const which of ['chardev', 'sysfs', 'auto'] as const) {
  for (const { name, run } of contractCases) {
    await attempt(which, name, async () => {
      const bench = new ContractBench(makeRig(which));
      try {
        await run(bench);
      } finally {
        await bench.end();
      }
      return undefined;
    });
  }
}
for (const which of ['chardev', 'sysfs', 'auto'] as const) {
  for (const { name, on, run } of kernelChecks) {
    if (!on.includes(which)) continue;
    await attempt(which, name, async () => {
      freshChip();
      const bench = makeDevice(which);
      try {
        return await run(which, bench);
      } finally {
        await bench.device.stop();
      }
    });
  }
}
tell({ end: true });
