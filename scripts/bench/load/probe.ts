import { monitorEventLoopDelay, performance } from 'node:perf_hooks';

/** How late the event loop was, ms. */
export interface LoopDelay {
  readonly p999Ms: number;
  readonly maxMs: number;
  /** Node's own histogram (`monitorEventLoopDelay`, 1 ms) over the same time, which counts a stall once however long it was. */
  readonly histogram: { readonly p999Ms: number; readonly maxMs: number };
}

const periodMs = 1;

export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** The value below which a `share` (0 to 1) of the values lies; 0 where there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/**
 * Watches the event loop of this process. A timer comes every millisecond; how late it is, is the delay. Whoever came
 * anywhere within a stall would have waited for the rest of it, so a stall of 20 ms counts as delays of 20, 19, 18, … ms.
 */
export class LoopProbe {
  readonly #histogram = monitorEventLoopDelay({ resolution: periodMs });
  /** Delays by whole milliseconds. */
  readonly #counts = new Map<number, number>();
  #maxMs = 0;
  #lastMs = 0;
  #timer: NodeJS.Timeout | undefined;

  start(): void {
    this.#histogram.enable();
    this.#lastMs = performance.now();
    const tick = (): void => {
      const nowMs = performance.now();
      this.#note(Math.max(0, nowMs - this.#lastMs - periodMs));
      this.#lastMs = nowMs;
      this.#timer = setTimeout(tick, periodMs);
    };
    this.#timer = setTimeout(tick, periodMs);
  }

  /** Ends the watch and says what was seen. */
  stop(): LoopDelay {
    clearTimeout(this.#timer);
    this.#histogram.disable();
    const late = (ns: number): number => round(Math.max(0, ns / 1e6 - periodMs));
    return { p999Ms: this.#share(0.999), maxMs: round(this.#maxMs), histogram: { p999Ms: late(this.#histogram.percentile(99.9)), maxMs: late(this.#histogram.max) } };
  }

  #note(delayMs: number): void {
    this.#maxMs = Math.max(this.#maxMs, delayMs);
    for (let rest = delayMs; rest >= 0; rest -= periodMs) this.#counts.set(Math.ceil(rest), (this.#counts.get(Math.ceil(rest)) ?? 0) + 1);
  }

  #share(share: number): number {
    const total = [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
    let seen = 0;
    for (const [delayMs, count] of [...this.#counts].sort(([one], [other]) => one - other)) {
      seen += count;
      if (seen >= total * share) return delayMs;
    }
    return 0;
  }
}
