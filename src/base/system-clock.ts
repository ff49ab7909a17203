import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import type { Clock, MachineBoot, Timer } from './clock.js';

/** The machine's clock: CLOCK_MONOTONIC through `performance.now()`, wall time through `Date`. */
export const systemClock: Clock = {
  monoMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs: number, run: () => void): Timer {
    const handle = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

/**
 * The machine's run that this process is part of: the kernel's boot id (proc_sys_kernel(5)), and what CLOCK_MONOTONIC is
 * ahead of `performance.now()`, which starts with each process. Undefined where the kernel does not tell.
 */
export function machineBoot(): MachineBoot | undefined {
  try {
    const id = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return id === '' ? undefined : { id, aheadMs: Number(process.hrtime.bigint()) / 1e6 - performance.now() };
  } catch {
    return undefined;
  }
}
