import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Clock ticks of /proc/PID/stat in a second; 100 on every Linux that Debian builds. */
const ticksPerSecond = 100;

export interface Usage {
  readonly cpuMs: number;
  readonly rssMB: number;
}

/** CPU time used so far and memory resident now, of one process (proc(5)); zeros where it is gone. */
export function usageOf(pid: number): Usage {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in brackets, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    const rss = /^VmRSS:\s+(\d+) kB$/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return { cpuMs: (ticks * 1_000) / ticksPerSecond, rssMB: Number(rss?.[1] ?? 0) / 1_024 };
  } catch {
    return { cpuMs: 0, rssMB: 0 };
  }
}

/** Ticks of all processors: in all, and idle or waiting for the disk. */
export function machineTicks(): { readonly all: number; readonly idle: number } {
  const first = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0] ?? '';
  const ticks = first.trim().split(/\s+/u).slice(1, 9).map(Number);
  return { all: ticks.reduce((sum, value) => sum + value, 0), idle: (ticks[3] ?? 0) + (ticks[4] ?? 0) };
}

/** What one durable write of 4 KB costs in a directory, ms: mean of `count`, one after the other. */
export function syncMs(directory: string, count = 100): number {
  const path = join(directory, 'sync-probe');
  const file = openSync(path, 'w');
  const block = Buffer.alloc(4_096, 1);
  const startedMs = performance.now();
  for (let done = 0; done < count; done += 1) {
    writeSync(file, block);
    fdatasyncSync(file);
  }
  const meanMs = (performance.now() - startedMs) / count;
  closeSync(file);
  rmSync(path);
  return Math.round(meanMs * 1_000) / 1_000;
}
