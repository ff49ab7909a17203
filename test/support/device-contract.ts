import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Device, DigitalInput, DigitalOutput, LineRef, SignalChange } from '../../src/device/index.js';

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
}

/** What every driver promises in `src/device/contract.ts`, simulated or real. */
export function deviceContract(name: string, make: () => DeviceRig | Promise<DeviceRig>): void {
  describe(`${name} keeps the contract of a device`, () => {
    let rig: DeviceRig;
    let input: DigitalInput;
    let output: DigitalOutput;
    let changes: SignalChange[];

    beforeEach(async () => {
      rig = await make();
      input = rig.device.input(rig.input);
      output = rig.device.output(rig.output);
      changes = [];
      input.onChange((change) => changes.push(change));
    });

    afterEach(async () => {
      await rig.device.stop();
      await rig.close();
    });

    /** Runs an order while time goes on, as some drivers need time to carry it out. */
    async function carriedOut(order: Promise<void>): Promise<void> {
      const progress = { settled: false };
      const done = order.finally(() => (progress.settled = true));
      done.catch(() => undefined);
      for (let turn = 0; turn < 300 && !progress.settled; turn += 1) await rig.pass(10);
      await done;
    }

    async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
      for (let turn = 0; turn < 1_000; turn += 1) {
        if (await condition()) return;
        await rig.pass(10);
      }
      throw new Error(`${what} did not come`);
    }

    const start = (): Promise<void> => carriedOut(rig.device.start());

    it('knows nothing before the start, and what is so after it, without moving an output', async () => {
      await rig.drive(true);
      expect(input.state()).toBe('unknown');
      await start();
      await eventually('the first state', () => input.state() === 'on');
      expect(rig.device.health().state).toBe('ok');
      expect(await rig.energised()).toBe(false);
      expect(output.state()).toBe('off');
    });

    it('tells each change once, with a time that does not run backwards, and stops when asked', async () => {
      await start();
      await eventually('the first state', () => input.state() === 'off');
      const heard: string[] = [];
      const stopListening = input.onChange((change) => heard.push(change.state));
      await rig.drive(true);
      await eventually('the change to on', () => input.state() === 'on');
      stopListening();
      await rig.drive(false);
      await eventually('the change to off', () => input.state() === 'off');
      await rig.pass(50);
      expect(heard).toEqual(['on']);
      expect(changes.map((change) => change.state)).toEqual(['off', 'on', 'off']);
      const times = changes.map((change) => change.atMs);
      expect([...times].sort((one, other) => one - other)).toEqual(times);
    });

    it('ends a pulse by itself', async () => {
      await start();
      await carriedOut(output.pulse(300));
      expect(output.state()).toBe('on');
      expect(await rig.energised()).toBe(true);
      await eventually('the end of the pulse', async () => !(await rig.energised()));
      await eventually('the state', () => output.state() === 'off');
    });

    it('extends a pulse by a second one', async () => {
      await start();
      await carriedOut(output.pulse(300));
      await rig.pass(200);
      await carriedOut(output.pulse(300));
      await rig.pass(200);
      expect(await rig.energised()).toBe(true);
      await eventually('the end of the pulse', async () => !(await rig.energised()));
    });

    it('holds until it is released', async () => {
      await start();
      await carriedOut(output.hold());
      await rig.pass(500);
      expect(await rig.energised()).toBe(true);
      await carriedOut(output.release());
      expect(await rig.energised()).toBe(false);
      expect(output.state()).toBe('off');
    });

    it('releases in the middle of a pulse', async () => {
      await start();
      await carriedOut(output.pulse(2_000));
      await carriedOut(output.release());
      expect(await rig.energised()).toBe(false);
    });

    it('releases everything when it is stopped, and refuses orders from then on', async () => {
      await start();
      await carriedOut(output.hold());
      await carriedOut(rig.device.stop());
      expect(await rig.energised()).toBe(false);
      expect(rig.device.health().state).toBe('stopped');
      expect(input.state()).toBe('unknown');
      await expect(carriedOut(output.pulse(300))).rejects.toThrow('DEVICE_LOST');
    });

    it('says unknown and refuses orders while the hardware is gone, recovers by itself, and does nothing late', async () => {
      await start();
      const health: string[] = [];
      rig.device.onHealth((change) => health.push(change.state));
      await rig.lose();
      await eventually('the loss of the input', () => input.state() === 'unknown');
      await eventually('the loss of the device', () => rig.device.health().state === 'lost');
      expect(rig.device.health().detail).toBeDefined();
      await expect(carriedOut(output.pulse(300))).rejects.toThrow(/DEVICE_(LOST|TIMEOUT)/u);
      await rig.restore();
      await eventually('the recovery', () => rig.device.health().state === 'ok' && input.state() === 'off');
      for (let turn = 0; turn < 20; turn += 1) {
        await rig.pass(25);
        expect(await rig.energised()).toBe(false);
      }
      expect(health[0]).toBe('lost');
      expect(health.at(-1)).toBe('ok');
    });

    it('refuses a line it does not have, before anything starts', () => {
      expect(() => rig.device.output(rig.stranger)).toThrow('DEVICE_LINE_INVALID');
    });
  });
}
