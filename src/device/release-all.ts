import { GateError, errorText, type Clock, type Log } from '../base/index.js';
import type { Device, DigitalOutput, LineRef } from './contract.js';

/** What became of one output on the way to the safe state. */
export interface ReleaseReport {
  readonly ref: LineRef;
  readonly released: boolean;
  /** Why not; absent where it was released. */
  readonly error?: string;
}

export interface ReleaseOptions {
  /** For one device, start and release together, ms. */
  readonly timeoutMs?: number;
}

/**
 * Puts outputs in the safe state (released) after a process died without doing so: claims them on devices that were not
 * started, starts each device, releases, stops it. Devices work side by side, and one that fails or hangs never keeps
 * another from being released. Never rejects.
 * @param devices fresh ones, as from `createDevice`
 * @param outputs every output the configuration names
 */
export async function releaseAll(
  devices: readonly Device[],
  outputs: readonly LineRef[],
  clock: Clock,
  log: Log,
  { timeoutMs = 5_000 }: ReleaseOptions = {},
): Promise<readonly ReleaseReport[]> {
  const known = new Set(devices.map((device) => device.id));
  const strays = outputs
    .filter((ref) => !known.has(ref.device))
    .map((ref) => ({ ref, released: false, error: `DEVICE_LINE_INVALID: There is no device ${ref.device}; check the configuration.` }));
  const reports = await Promise.all(
    devices.map((device) => {
      const own = outputs.filter((ref) => ref.device === device.id);
      return releaseDevice(device, own, clock, log, timeoutMs);
    }),
  );
  return [...reports.flat(), ...strays];
}

async function releaseDevice(device: Device, refs: readonly LineRef[], clock: Clock, log: Log, timeoutMs: number): Promise<readonly ReleaseReport[]> {
  if (refs.length === 0) return [];
  const failures = new Map<LineRef, string>();
  const claimed = new Map<LineRef, DigitalOutput>();
  for (const ref of refs) {
    try {
      claimed.set(ref, device.output(ref));
    } catch (error) {
      failures.set(ref, errorText(error));
    }
  }
  const pending = new Set(claimed.keys());
  const run = async (): Promise<void> => {
    await device.start();
    await Promise.all(
      [...claimed].map(async ([ref, output]) => {
        try {
          await output.release();
        } catch (error) {
          failures.set(ref, errorText(error));
        }
        pending.delete(ref);
      }),
    );
    await device.stop();
  };
  try {
    await withTimeout(run(), device.id, clock, timeoutMs);
  } catch (error) {
    log.error({ device: device.id, error: errorText(error) }, 'a device could not be put in the safe state');
    for (const ref of pending) failures.set(ref, errorText(error));
  }
  return refs.map((ref) => {
    const error = failures.get(ref);
    return error === undefined ? { ref, released: true } : { ref, released: false, error };
  });
}

async function withTimeout(work: Promise<void>, device: string, clock: Clock, timeoutMs: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = clock.after(timeoutMs, () => {
      reject(new GateError('DEVICE_TIMEOUT', `Device ${device} did not answer within ${timeoutMs} ms; check its power and its cable.`, { device }));
    });
    void work.then(resolve, reject).finally(() => timer.cancel());
  });
}
