import type { Clock } from '../base/index.js';

/**
 * Signs of real work for the watchdog: a lane that ticked, a journal entry that came back, a frame that arrived. Every
 * part beats when it did something; a part that has not beaten for its limit is stuck.
 */
export class Heartbeats {
  readonly #clock: Clock;
  readonly #parts = new Map<string, { readonly limitMs: number; beatMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Expects `part` to beat at least every `limitMs` from now on. */
  expect(part: string, limitMs: number): void {
    this.#parts.set(part, { limitMs, beatMs: this.#clock.monoMs() });
  }

  /** Expects nothing of `part` any more. */
  forget(part: string): void {
    this.#parts.delete(part);
  }

  beat(part: string): void {
    const known = this.#parts.get(part);
    if (known !== undefined) known.beatMs = this.#clock.monoMs();
  }

  /** Parts that are overdue, e.g. `lane entry (12 s)`. */
  stuck(): readonly string[] {
    const nowMs = this.#clock.monoMs();
    return [...this.#parts]
      .filter(([, part]) => nowMs - part.beatMs > part.limitMs)
      .map(([name, part]) => `${name} (${Math.round((nowMs - part.beatMs) / 1_000)} s)`);
  }
}
