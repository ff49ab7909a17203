import { performance } from 'node:perf_hooks';
import type { Clock, Timer } from './clock.js';

/** The machine's clock: CLOCK_MONOTONIC through `performance.now()`, wall time through `Date`. */
export const systemClock: Clock = {
  monoMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs: number, run: () => void): Timer {
    const handle = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
