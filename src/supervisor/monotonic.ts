import { performance } from 'node:perf_hooks';

/** CLOCK_MONOTONIC, ms: the same for every process of the machine, unlike `performance.now()`, which starts with each. */
function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A moment of this process's monotonic clock (`performance.now()`) on the machine's, ms. */
export function toMachineMs(processMs: number): number {
  return processMs + (machineMs() - performance.now());
}

/** A moment of the machine's monotonic clock on this process's, ms. */
export function toProcessMs(atMs: number): number {
  return atMs - (machineMs() - performance.now());
}
