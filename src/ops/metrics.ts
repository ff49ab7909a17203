import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { performance } from 'node:perf_hooks';

/** What this process uses, for telemetry and status. */
export interface ProcessMetrics {
  /** Resident memory, MB (10^6 bytes). */
  readonly memoryMB: number;
  /** JavaScript heap in use, MB. */
  readonly heapMB: number;
  /** Processor time over the last seconds, 100 = one core. */
  readonly cpuPercent: number;
  /** Since this process started, s. */
  readonly uptimeS: number;
  /** Runnable processes over the last minute. */
  readonly load1: number;
  /** Of the processor, °C; absent where the machine does not tell. */
  readonly temperatureC?: number;
}

/** Shorter spans give a figure of noise. */
const leastSpanMs = 1_000;
let from = { atMs: 0, cpuUs: 0 };
let cpuPercent = 0;

/** Reads the figures of this moment; cheap enough for every status request. */
export function processMetrics(): ProcessMetrics {
  const memory = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const nowMs = performance.now();
  if (from.atMs === 0 || nowMs - from.atMs >= leastSpanMs) {
    cpuPercent = ((user + system - from.cpuUs) / 1_000 / (nowMs - from.atMs)) * 100;
    from = { atMs: nowMs, cpuUs: user + system };
  }
  const temperatureC = processorTemperature();
  return {
    memoryMB: Math.round(memory.rss / 1e5) / 10,
    heapMB: Math.round(memory.heapUsed / 1e5) / 10,
    cpuPercent: Math.round(cpuPercent * 10) / 10,
    uptimeS: Math.round(process.uptime()),
    load1: Math.round((loadavg()[0] ?? 0) * 100) / 100,
    ...(temperatureC === undefined ? {} : { temperatureC }),
  };
}

function processorTemperature(): number | undefined {
  try {
    const milli = Number(readFileSync('/sys/class/thermal/thermal_zone0/temp', 'utf8'));
    return Number.isFinite(milli) ? Math.round(milli / 100) / 10 : undefined;
  } catch {
    return undefined;
  }
}
