/** A pending timer; cancelling it twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * Time as the rooms see it. Monotonic and wall time are apart on purpose: a box without a battery clock jumps by years
 * when the network comes, so durations and order never rest on wall time.
 */
export interface Clock {
  /** Milliseconds since an arbitrary start; never runs backwards, not affected by clock steps. */
  monoMs(): number;
  /** Milliseconds since 1970 (UTC) as the system believes. */
  wallMs(): number;
  /** Calls `run` once after `delayMs` (monotonic). */
  after(delayMs: number, run: () => void): Timer;
}

/** Which run of the machine a process belongs to, and how its monotonic clock relates to the machine's. */
export interface MachineBoot {
  /** Differs between two starts of the machine; the same for all processes between them. */
  readonly id: string;
  /** CLOCK_MONOTONIC of the machine minus `Clock.monoMs` of this process, ms. */
  readonly aheadMs: number;
}

/**
 * Who says what time it is. `ntp`: a server of the network; `gnss`: a receiver at this box (GPS, BeiDou, ...); `reference`:
 * another reference clock at this box; `service`: a time service that does not name its source; `rtc`: the hardware clock;
 * `assumed`: nobody, on a machine where nobody can be asked.
 */
export type ClockSource = 'ntp' | 'gnss' | 'reference' | 'service' | 'rtc' | 'assumed';

interface Pending {
  dueMs: number;
  order: number;
  run: () => void;
}

/** A clock that moves only when told to: for tests and for simulations faster than life. */
export class ManualClock implements Clock {
  #monoMs: number;
  #wallOffsetMs: number;
  #order = 0;
  #pending: Pending[] = [];

  constructor(startWallMs = 1_767_225_600_000, startMonoMs = 1_000) {
    this.#monoMs = startMonoMs;
    this.#wallOffsetMs = startWallMs - startMonoMs;
  }

  monoMs(): number {
    return this.#monoMs;
  }

  wallMs(): number {
    return this.#monoMs + this.#wallOffsetMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const entry: Pending = { dueMs: this.#monoMs + Math.max(0, delayMs), order: this.#order++, run };
    this.#pending.push(entry);
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((other) => other !== entry);
      },
    };
  }

  /** Moves wall time only, as a network time correction does. */
  stepWall(deltaMs: number): void {
    this.#wallOffsetMs += deltaMs;
  }

  /** Moves time forward, firing what falls due in order of due time, then of arming. */
  advance(deltaMs: number): void {
    const endMs = this.#monoMs + deltaMs;
    for (;;) {
      let next: Pending | undefined;
      for (const entry of this.#pending) {
        if (entry.dueMs > endMs) continue;
        if (next === undefined || entry.dueMs < next.dueMs || (entry.dueMs === next.dueMs && entry.order < next.order)) {
          next = entry;
        }
      }
      if (next === undefined) break;
      const due = next;
      this.#pending = this.#pending.filter((entry) => entry !== due);
      this.#monoMs = Math.max(this.#monoMs, due.dueMs);
      due.run();
    }
    this.#monoMs = endMs;
  }

  /**
   * Like `advance`, but lets promises settle around every timer, for code that awaits between timers.
   */
  async advanceAsync(deltaMs: number): Promise<void> {
    const endMs = this.#monoMs + deltaMs;
    await settle();
    for (;;) {
      const dues = this.#pending.map((entry) => entry.dueMs).filter((dueMs) => dueMs <= endMs);
      if (dues.length === 0) break;
      this.advance(Math.max(0, Math.min(...dues) - this.#monoMs));
      await settle();
    }
    this.advance(endMs - this.#monoMs);
    await settle();
  }
}

/** Lets every promise that can settle without time passing do so. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}
