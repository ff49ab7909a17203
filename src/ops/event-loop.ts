import { monitorEventLoopDelay, performance, type IntervalHistogram } from 'node:perf_hooks';

/** Delay of the event loop over the last one to two minutes, ms. */
export interface EventLoopReading {
  readonly p50Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

const resolutionMs = 10;
const windowMs = 60_000;

/**
 * How late timers come in this process. The histogram of Node measures the time between two ticks, so the tick itself is
 * taken off. Two histograms take turns: a reading always covers a whole window, and a stall is forgotten in the end.
 */
export class EventLoopDelay {
  #older: IntervalHistogram | undefined;
  #newer: IntervalHistogram | undefined;
  #turnedMs = 0;

  start(): void {
    if (this.#older !== undefined) return;
    this.#older = monitorEventLoopDelay({ resolution: resolutionMs });
    this.#newer = monitorEventLoopDelay({ resolution: resolutionMs });
    this.#older.enable();
    this.#newer.enable();
    this.#turnedMs = performance.now();
  }

  stop(): void {
    this.#older?.disable();
    this.#newer?.disable();
    this.#older = undefined;
    this.#newer = undefined;
  }

  /** Zeros before `start` and before the first tick. */
  read(): EventLoopReading {
    const histogram = this.#older;
    if (histogram === undefined || histogram.count === 0) return { p50Ms: 0, p999Ms: 0, maxMs: 0 };
    const reading = { p50Ms: delayMs(histogram.percentile(50)), p999Ms: delayMs(histogram.percentile(99.9)), maxMs: delayMs(histogram.max) };
    if (performance.now() - this.#turnedMs > windowMs) {
      histogram.reset();
      this.#older = this.#newer;
      this.#newer = histogram;
      this.#turnedMs = performance.now();
    }
    return reading;
  }
}

function delayMs(intervalNs: number): number {
  return Math.round(Math.max(0, intervalNs / 1e6 - resolutionMs) * 100) / 100;
}
