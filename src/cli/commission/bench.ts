import { errorText, silentLog, type SignalState } from '../../base/index.js';
import { systemClock } from '../../base/system-clock.js';
import type { DeviceConfig } from '../../config/index.js';
import { createDevice, describeLine, type Device, type DigitalInput, type DigitalOutput, type LineRef } from '../../device/index.js';
import { sleep } from '../dialogue.js';

/** Inputs have this long to be read for the first time. */
const firstReadMs = 3_000;
/** A change that lasts is a car or a hand; a shorter one is noise of the wiring. */
const steadyMs = 300;
const lookMs = 20;

export interface SeenInput {
  readonly ref: LineRef;
  readonly state: SignalState;
}

/**
 * Devices that the commissioning holds itself, while no gate runs. Whatever it drives is bounded and is released by
 * `close`, on every way out.
 */
export class WiringBench {
  readonly #devices: readonly Device[];
  readonly #inputs: readonly DigitalInput[];
  readonly #outputs: ReadonlyMap<LineRef, DigitalOutput>;

  private constructor(devices: readonly Device[], inputs: readonly DigitalInput[], outputs: ReadonlyMap<LineRef, DigitalOutput>) {
    this.#devices = devices;
    this.#inputs = inputs;
    this.#outputs = outputs;
  }

  /** Claims lines, opens the devices and waits for the first readings. Rejects with `DEVICE_*`. */
  static async open(entries: readonly DeviceConfig[], inputs: readonly LineRef[], outputs: readonly LineRef[], signal: AbortSignal): Promise<WiringBench> {
    const devices = new Map<string, Device>();
    for (const entry of entries) if (entry.driver !== 'sim') devices.set(entry.id, createDevice(entry, systemClock, silentLog));
    const claimedInputs = inputs.flatMap((ref) => devices.get(ref.device)?.input(ref) ?? []);
    const claimedOutputs = new Map(outputs.flatMap((ref): [LineRef, DigitalOutput][] => {
      const output = devices.get(ref.device)?.output(ref);
      return output === undefined ? [] : [[ref, output]];
    }));
    const bench = new WiringBench([...devices.values()], claimedInputs, claimedOutputs);
    try {
      await Promise.all(bench.#devices.map((device) => device.start()));
      const untilMs = systemClock.monoMs() + firstReadMs;
      while (bench.unread().length > 0 && systemClock.monoMs() < untilMs && !signal.aborted) await sleep(lookMs, signal);
      return bench;
    } catch (cause) {
      await bench.close();
      throw cause;
    }
  }

  inputs(): readonly SeenInput[] {
    return this.#inputs.map((input) => ({ ref: input.ref, state: input.state() }));
  }

  /** Inputs that cannot be read now. */
  unread(): readonly LineRef[] {
    return this.inputs().flatMap(({ ref, state }) => (state === 'unknown' ? [ref] : []));
  }

  /** What is wrong with the devices, in their own words. */
  faults(): readonly string[] {
    return this.#devices.flatMap((device) => {
      const { state, detail } = device.health();
      return state === 'ok' ? [] : [`${device.id}: ${detail ?? state}`];
    });
  }

  /**
   * Waits until some inputs differ from how they were, and have done so for a moment.
   * @param usual how they were
   */
  async changed(usual: readonly SeenInput[], signal: AbortSignal): Promise<readonly SeenInput[]> {
    const differing = (): readonly SeenInput[] => {
      const levels = new Map(usual.map(({ ref, state }) => [ref, state]));
      return this.inputs().filter(({ ref, state }) => state !== 'unknown' && levels.get(ref) !== undefined && levels.get(ref) !== 'unknown' && levels.get(ref) !== state);
    };
    let steady: readonly SeenInput[] = [];
    let sinceMs = systemClock.monoMs();
    for (;;) {
      await sleep(lookMs, signal);
      signal.throwIfAborted();
      const now = differing();
      const same = now.length === steady.length && now.every(({ ref, state }, at) => steady[at]?.ref === ref && steady[at].state === state);
      if (!same) {
        steady = now;
        sinceMs = systemClock.monoMs();
      } else if (now.length > 0 && systemClock.monoMs() - sinceMs >= steadyMs) return now;
    }
  }

  stateOf(ref: LineRef): SignalState {
    const text = describeLine(ref);
    return this.inputs().find((input) => describeLine(input.ref) === text)?.state ?? 'unknown';
  }

  /** Resolves once the line has been in this state for a moment. */
  async until(ref: LineRef, state: SignalState, signal: AbortSignal): Promise<void> {
    let sinceMs = systemClock.monoMs();
    for (;;) {
      await sleep(lookMs, signal);
      signal.throwIfAborted();
      if (this.stateOf(ref) !== state) sinceMs = systemClock.monoMs();
      else if (systemClock.monoMs() - sinceMs >= steadyMs) return;
    }
  }

  /** Energises for a while and releases, whatever happens. Rejects with `DEVICE_*`. */
  async pulse(ref: LineRef, ms: number, signal: AbortSignal): Promise<void> {
    const output = this.#outputs.get(ref);
    if (output === undefined) return;
    try {
      await output.pulse(ms);
      await sleep(ms, signal);
    } finally {
      await output.release();
    }
  }

  /** Releases every output and gives the devices back; never rejects. @returns what could not be released */
  async close(): Promise<readonly string[]> {
    const failed: string[] = [];
    for (const device of this.#devices) {
      try {
        await device.stop();
      } catch (cause) {
        failed.push(`${device.id}: ${errorText(cause)}`);
      }
    }
    return failed;
  }
}
