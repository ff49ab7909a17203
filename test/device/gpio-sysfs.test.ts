import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ManualClock, silentLog, type SignalState } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import type { Dialogue } from '../../src/cli/dialogue.js';
import { findHardware } from '../../src/cli/commission/hardware.js';
import { Memory } from '../../src/cli/commission/memory.js';
import { cliWords } from '../../src/cli/words/index.js';
import { createDevice, type Device, type LineRef } from '../../src/device/index.js';
import { deviceContract } from '../support/device-contract.js';
import { gpioWorld, gpioWorldMissing, insideGpioWorld, runInGpioWorld } from '../support/gpio-world.js';
import { until } from '../support/until.js';

const chip = 'pinctrl-bcm2711';
const base = 512;
const root = fileURLToPath(new URL('../..', import.meta.url));

if (insideGpioWorld) describeOnoff();
else describeWorld();

/** This file runs again inside a mount namespace whose /sys/class/gpio is a file system of our own. */
function describeWorld(): void {
  const missing = gpioWorldMissing();
  if (missing !== undefined) console.log(`GPIO sysfs tests skipped: ${missing} (they need root and FUSE to mount a GPIO file system)`);
  it.skipIf(missing !== undefined)('unmodified onoff drives and reads a GPIO file system with base 512', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'laurel-gpio-'));
    const report = join(folder, 'report.json');
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    try {
      const run = await runInGpioWorld([
        process.execPath, vitest, 'run', 'test/device/gpio-sysfs.test.ts', '--root', root, '--reporter=json', `--outputFile=${report}`,
      ]);
      expect(existsSync(report), run.output).toBe(true);
      const result = reportSchema.parse(JSON.parse(readFileSync(report, 'utf8')));
      const failures = result.testResults.flatMap((file) =>
        file.assertionResults.filter((test) => test.status !== 'passed').map((test) => `${test.fullName}: ${(test.failureMessages ?? []).join('\n')}`),
      );
      expect(failures, run.output).toEqual([]);
      expect(result.numPassedTests).toBeGreaterThan(10);
      expect(run.status, run.output).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

const reportSchema = z.object({
  numPassedTests: z.number(),
  testResults: z.array(
    z.object({
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string(), failureMessages: z.array(z.string()).nullish() })),
    }),
  ),
});

function describeOnoff(): void {
  let contractOffset = 30;
  deviceContract('GPIO through sysfs', () => {
    const clock = new ManualClock();
    contractOffset += 1;
    const line = contractOffset;
    const other = { device: 'gpio', chip: 'raspberrypi-exp-gpio', line: 0 };
    const before = gpioWorld.log(570).length;
    return {
      device: createDevice({ id: 'gpio', driver: 'gpio', interface: 'sysfs' }, clock, silentLog),
      input: { device: 'gpio', chip, line },
      output: other,
      stranger: { device: 'gpio', line: 'open' },
      drive: (active) => gpioWorld.set(base + line, active ? 1 : 0),
      energised: () => {
        const last = gpioWorld.log(570).at(-1);
        return last !== undefined && last.level === 1;
      },
      pass: async (durationMs) => {
        await clock.advanceAsync(durationMs);
        // Edges come through the kernel, in real time.
        await new Promise((resolve) => setTimeout(resolve, 1));
      },
      lose: () => {
        gpioWorld.unplug(chip);
        gpioWorld.unplug('raspberrypi-exp-gpio');
      },
      restore: () => {
        gpioWorld.plug(chip);
        gpioWorld.plug('raspberrypi-exp-gpio');
      },
      low: { ref: { device: 'gpio', chip: 'raspberrypi-exp-gpio', line: 2, activeLow: true }, drive: (high) => gpioWorld.set(572, high ? 1 : 0) },
      driven: () => gpioWorld.log(570).slice(before).filter((entry) => entry.what === 'drive').map((entry) => entry.level === 1),
      close: () => {
        gpioWorld.set(base + line, 0);
        return Promise.resolve();
      },
    };
  });

  describe('sysfs through onoff over the GPIO file system', () => {
    const started: Device[] = [];
    let nextOffset = 2;

    afterEach(async () => {
      for (const device of started.splice(0)) await device.stop();
      gpioWorld.udev(0);
    });

    function make(clock = new ManualClock()): { device: Device; clock: ManualClock } {
      const device = createDevice({ id: 'gpio', driver: 'gpio', interface: 'sysfs' }, clock, silentLog);
      started.push(device);
      return { device, clock };
    }

    /** Every test has pins of its own. */
    function pin(more: Partial<LineRef> = {}): { ref: LineRef; number: number } {
      nextOffset += 1;
      return { ref: { device: 'gpio', chip, line: nextOffset, ...more }, number: base + nextOffset };
    }

    it('reads an input at the start and follows both edges without being polled', async () => {
      const { device, clock } = make();
      const { ref, number } = pin({ debounceMs: 0 });
      gpioWorld.set(number, 1);
      const input = device.input(ref);
      expect(input.state()).toBe('unknown');
      const seen: SignalState[] = [];
      input.onChange((change) => seen.push(change.state));
      await device.start();
      expect(input.state()).toBe('on');
      expect(device.health()).toEqual({ state: 'ok' });
      // The clock stands still, so nothing but the edge can carry these.
      gpioWorld.set(number, 0);
      await until(() => input.state() === 'off', { what: 'the falling edge' });
      gpioWorld.set(number, 1);
      await until(() => input.state() === 'on', { what: 'the rising edge' });
      expect(seen).toEqual(['on', 'off', 'on']);
      expect(clock.monoMs()).toBe(1_000);
    });

    it('turns an active-low input round', async () => {
      const { device } = make();
      const { ref, number } = pin({ activeLow: true, debounceMs: 0 });
      gpioWorld.set(number, 1);
      const input = device.input(ref);
      await device.start();
      expect(input.state()).toBe('off');
      gpioWorld.set(number, 0);
      await until(() => input.state() === 'on', { what: 'the edge' });
    });

    it('swallows contact bounce and reports the level that stays', async () => {
      const { device, clock } = make();
      const { ref, number } = pin({ debounceMs: 20 });
      const input = device.input(ref);
      await device.start();
      const seen: SignalState[] = [];
      input.onChange((change) => seen.push(change.state));
      for (const level of [1, 0, 1, 0, 1] as const) {
        gpioWorld.set(number, level);
        await new Promise((resolve) => setTimeout(resolve, 5));
        await clock.advanceAsync(3);
      }
      expect(seen).toEqual([]);
      await until(
        async () => {
          await clock.advanceAsync(5);
          return input.state() === 'on';
        },
        { what: 'the settled level' },
      );
      expect(seen).toEqual(['on']);
    });

    it.each([
      { activeLow: false, idle: 0 },
      { activeLow: true, idle: 1 },
    ])('opens, pulses and gives back an output without a glitch (activeLow $activeLow)', async ({ activeLow, idle }) => {
      const { device, clock } = make();
      const { ref, number } = pin({ activeLow });
      const output = device.output(ref);
      await device.start();
      expect(output.state()).toBe('off');
      await output.pulse(400);
      expect(output.state()).toBe('on');
      clock.advance(399);
      expect(output.state()).toBe('on');
      clock.advance(1);
      expect(output.state()).toBe('off');
      await device.stop();
      const levels = gpioWorld.log(number).map((entry) => entry.level);
      expect(levels[0]).toBe(idle);
      // Idle, active once, idle for good: the pin never showed anything else.
      expect(levels.filter((level, index) => level !== levels[index - 1])).toEqual([idle, 1 - idle, idle]);
      expect(gpioWorld.log(number).at(-1)).toMatchObject({ what: 'unexport', level: idle });
    });

    it('extends a pulse by a second one and never stacks them', async () => {
      const { device, clock } = make();
      const output = device.output(pin().ref);
      await device.start();
      await output.pulse(400);
      clock.advance(300);
      await output.pulse(400);
      clock.advance(399);
      expect(output.state()).toBe('on');
      clock.advance(1);
      expect(output.state()).toBe('off');
      await output.pulse(1_000);
      await output.pulse(100);
      clock.advance(999);
      expect(output.state()).toBe('on');
      clock.advance(1);
      expect(output.state()).toBe('off');
    });

    it('holds until release, and a pulse does not end the hold', async () => {
      const { device, clock } = make();
      const output = device.output(pin().ref);
      await device.start();
      await output.hold();
      await output.pulse(100);
      clock.advance(60_000);
      expect(output.state()).toBe('on');
      await output.release();
      expect(output.state()).toBe('off');
    });

    it('refuses a pulse without bound', async () => {
      const { device } = make();
      const { ref, number } = pin();
      const output = device.output(ref);
      await device.start();
      await expect(output.pulse(Number.POSITIVE_INFINITY)).rejects.toThrow('DEVICE_LINE_INVALID');
      expect(gpioWorld.log(number).every((entry) => entry.level === 0)).toBe(true);
    });

    it('ends a pulse when it is stopped, and refuses orders afterwards', async () => {
      const { device } = make();
      const { ref, number } = pin();
      const output = device.output(ref);
      await device.start();
      await output.pulse(2_000);
      await device.stop();
      expect(gpioWorld.log(number).at(-1)).toMatchObject({ what: 'unexport', level: 0 });
      await expect(output.pulse(400)).rejects.toThrow('DEVICE_LOST');
      expect(device.health().state).toBe('stopped');
    });

    it('releases a held output when the process dies of an exception', async () => {
      const { ref, number } = pin();
      const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'test/support/hold-and-throw.ts'), JSON.stringify(ref)], { cwd: root });
      const [status] = z.tuple([z.number().nullable()]).rest(z.unknown()).parse(await once(child, 'exit'));
      expect(status).toBe(1);
      const levels = gpioWorld.log(number).map((entry) => entry.level);
      expect(levels).toContain(1);
      expect(levels.at(-1)).toBe(0);
    });

    it('takes a line that a killed process left driven back to idle', async () => {
      const { ref, number } = pin();
      const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'test/support/hold-and-throw.ts'), JSON.stringify(ref), 'stay'], { cwd: root });
      await until(() => gpioWorld.log(number).some((entry) => entry.level === 1), { timeoutMs: 15_000, what: 'the hold' });
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(gpioWorld.log(number).at(-1)?.level).toBe(1);
      const { device } = make();
      const output = device.output(ref);
      await device.start();
      expect(output.state()).toBe('off');
      expect(gpioWorld.log(number).at(-1)?.level).toBe(0);
    });

    it('takes a preserved hold over from a killed process without a gap, and leaves it at the stop', async () => {
      const { ref, number } = pin();
      const child = spawn(process.execPath, ['--import', 'tsx', join(root, 'test/support/hold-and-throw.ts'), JSON.stringify(ref), 'preserve'], { cwd: root });
      await until(() => gpioWorld.log(number).some((entry) => entry.level === 1), { timeoutMs: 15_000, what: 'the hold' });
      child.kill('SIGKILL');
      await once(child, 'exit');
      const before = gpioWorld.log(number).length;
      const { device } = make();
      const output = device.output(ref);
      output.preserve?.();
      await device.start();
      expect(output.state()).toBe('on');
      await device.stop();
      expect(gpioWorld.log(number).slice(before).filter((entry) => entry.level === 0 || entry.what === 'unexport')).toEqual([]);
    });

    it('opens a preserved output that was left idle as idle, and gives it back at the stop', async () => {
      const { device } = make();
      const { ref, number } = pin();
      const output = device.output(ref);
      output.preserve?.();
      await device.start();
      expect(output.state()).toBe('off');
      await device.stop();
      expect(gpioWorld.log(number).at(-1)).toMatchObject({ what: 'unexport', level: 0 });
    });

    it('is found by the commissioning, which writes driver gpio', async () => {
      const answers: Dialogue = {
        signal: new AbortController().signal,
        say: () => undefined,
        ask: () => Promise.resolve('4-5'),
        choose: (_id, _question, choices) => {
          const choice = choices.find(({ value }) => value === `gpio ${chip}`);
          return choice === undefined ? Promise.reject(new Error(`no ${chip} among ${choices.map(({ label }) => label).join(', ')}`)) : Promise.resolve(choice.value);
        },
        confirm: () => Promise.resolve(false),
        enter: () => Promise.resolve(0),
        wait: () => Promise.resolve({ kind: 'late' }),
        close: () => undefined,
      };
      const found = await findHardware({ dialogue: answers, memory: new Memory(undefined, 0), words: cliWords(), known: [] });
      expect(found).toMatchObject([{ chip, entry: { id: 'gpio', driver: 'gpio', interface: 'auto' }, inputs: [{ chip, line: 4 }, { chip, line: 5 }] }]);
    });

    it('refuses a pull, which sysfs cannot set, and says where to set it', async () => {
      const { device } = make();
      const input = device.input(pin({ pull: 'up' }).ref);
      await device.start();
      expect(input.state()).toBe('unknown');
      expect(device.health().detail).toMatch(/interface: chardev.*gpio=\d+=pu/u);
    });

    it('chooses sysfs by itself where the chip has no character device, and says so where that is asked for', async () => {
      const device = createDevice({ id: 'gpio', driver: 'gpio' }, new ManualClock(), silentLog);
      started.push(device);
      const { ref, number } = pin();
      gpioWorld.set(number, 1);
      const input = device.input(ref);
      await device.start();
      expect([input.state(), device.health().state]).toEqual(['on', 'ok']);
      const narrow = createDevice({ id: 'gpio', driver: 'gpio', interface: 'chardev' }, new ManualClock(), silentLog);
      started.push(narrow);
      const other = narrow.input(pin().ref);
      await narrow.start();
      expect([other.state(), narrow.health().state]).toEqual(['unknown', 'lost']);
    });

    it('waits for udev to hand over a new line without blocking the event loop', async () => {
      gpioWorld.udev(150);
      const device = createDevice({ id: 'gpio', driver: 'gpio', interface: 'sysfs' }, systemClock, silentLog);
      started.push(device);
      const input = device.input(pin().ref);
      let ticks = 0;
      const timer = setInterval(() => (ticks += 1), 5);
      await device.start();
      clearInterval(timer);
      expect(input.state()).toBe('off');
      expect(ticks).toBeGreaterThan(10);
    });

    it('says which chips exist when one is missing, and keeps the other lines working', async () => {
      const { device } = make();
      const good = pin();
      const input = device.input(good.ref);
      const output = device.output({ device: 'gpio', chip: 'pinctrl-rp1', line: 17 });
      await device.start();
      expect(input.state()).toBe('off');
      expect(device.health().state).toBe('lost');
      expect(device.health().detail).toContain('pinctrl-bcm2711 (gpiochip512, 58 lines)');
      await expect(output.pulse(400)).rejects.toThrow(/DEVICE_LOST.*pinctrl-rp1/u);
    });

    it('names a line the chip does not have and one that another driver holds', async () => {
      const { device } = make();
      const taken = pin();
      gpioWorld.take(taken.number);
      device.input({ device: 'gpio', chip, line: 58 });
      const input = device.input(taken.ref);
      await device.start();
      expect(device.health().detail).toContain('0 to 57');
      expect(device.health().detail).toContain('Another driver holds the pin');
      expect(input.state()).toBe('unknown');
    });

    it('rejects an order the pin does not follow', async () => {
      const { device } = make();
      const { ref, number } = pin();
      const output = device.output(ref);
      await device.start();
      gpioWorld.stuck(number, 0);
      await expect(output.pulse(400)).rejects.toThrow('short circuit');
      expect(device.health().state).toBe('lost');
    });

    it('polls lines without interrupts', async () => {
      const { device, clock } = make();
      const input = device.input({ device: 'gpio', chip: 'raspberrypi-exp-gpio', line: 1, debounceMs: 0 });
      await device.start();
      gpioWorld.set(571, 1);
      await until(
        async () => {
          await clock.advanceAsync(10);
          return input.state() === 'on';
        },
        { what: 'the polled level' },
      );
    });

    it('goes blind when the chip vanishes, recovers by itself when it is back', async () => {
      const { device, clock } = make();
      const input = device.input({ device: 'gpio', chip, line: 40, debounceMs: 0 });
      const output = device.output({ device: 'gpio', chip, line: 41 });
      await device.start();
      const health: string[] = [];
      device.onHealth((change) => health.push(change.state));
      gpioWorld.unplug(chip);
      await until(() => input.state() === 'unknown', { what: 'the loss' });
      await until(
        async () => {
          await clock.advanceAsync(100);
          return output.state() === 'unknown';
        },
        { what: 'the output to be known lost' },
      );
      await expect(output.hold()).rejects.toThrow('DEVICE_LOST');
      gpioWorld.plug(chip);
      gpioWorld.set(552, 1);
      await until(
        async () => {
          await clock.advanceAsync(500);
          return device.health().state === 'ok';
        },
        { what: 'the recovery' },
      );
      expect(input.state()).toBe('on');
      expect(output.state()).toBe('off');
      expect(health).toContain('lost');
    });

    it('lets two lanes share an input and refuses two owners of an output', () => {
      const { device } = make();
      const { ref } = pin();
      expect(device.input(ref)).toBe(device.input({ ...ref }));
      expect(() => device.output(ref)).toThrow('DEVICE_LINE_INVALID');
      const out = pin().ref;
      device.output(out);
      expect(() => device.output(out)).toThrow('DEVICE_LINE_INVALID');
      expect(() => device.input({ device: 'gpio', line: 'loop' })).toThrow('DEVICE_LINE_INVALID');
    });
  });
}
