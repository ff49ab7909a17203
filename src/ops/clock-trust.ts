import { errorText, type Clock, type Log, type Timer } from '../base/index.js';
import { readClockEvidence, type ClockEvidence } from './clock-evidence.js';

/** This software did not exist before; a clock that says so is wrong. */
const softwareEpochMs = Date.UTC(2026, 0, 1);
/** Corrections by less are slewing, not steps. */
const stepMs = 500;
const tickMs = 1_000;
/** Until the clock is trusted its evidence is read this often, ms. */
const evidenceEveryMs = 10_000;

export interface ClockTrustOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Wall time jumped against monotonic time; `deltaMs` is positive where it jumped forward. */
  onStep?(deltaMs: number): void;
  /** Wall time became trustworthy. */
  onTrusted?(): void;
  /** No true time lies before this, ms since 1970. */
  readonly earliestMs?: number;
  /** What the machine says about its clock; read from the system where omitted. */
  readonly evidence?: (wallMs: number, earliestMs: number) => Promise<ClockEvidence>;
}

/**
 * Whether wall time can be believed. A box without battery clock starts in the past and jumps when the network comes; until
 * then validity and opening hours mean nothing. Once trusted the clock stays so, unless it is set before this software's
 * time.
 */
export class ClockTrust {
  readonly #options: ClockTrustOptions;
  readonly #earliestMs: number;
  #trusted = false;
  #running = false;
  #offsetMs = 0;
  #lookedMs = -Infinity;
  #timer: Timer | undefined;

  constructor(options: ClockTrustOptions) {
    this.#options = options;
    this.#earliestMs = options.earliestMs ?? softwareEpochMs;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#offsetMs = this.#offset();
    this.#look();
    this.#arm();
  }

  stop(): void {
    this.#running = false;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** False before `start` and until there is evidence. */
  trusted(): boolean {
    return this.#trusted && this.#options.clock.wallMs() >= this.#earliestMs;
  }

  #arm(): void {
    this.#timer = this.#options.clock.after(tickMs, () => {
      this.#noticeStep();
      if (!this.#trusted && this.#options.clock.monoMs() - this.#lookedMs >= evidenceEveryMs) this.#look();
      if (this.#running) this.#arm();
    });
  }

  #noticeStep(): void {
    const offsetMs = this.#offset();
    const deltaMs = Math.round(offsetMs - this.#offsetMs);
    this.#offsetMs = offsetMs;
    if (Math.abs(deltaMs) < stepMs) return;
    this.#options.log.warn({ deltaMs }, 'the clock was set');
    this.#options.onStep?.(deltaMs);
    // A time service that just set the clock is the best moment to ask.
    if (!this.#trusted) this.#look();
  }

  #look(): void {
    const { clock, log, evidence = readClockEvidence } = this.#options;
    this.#lookedMs = clock.monoMs();
    const wallMs = clock.wallMs();
    if (wallMs < this.#earliestMs) return;
    evidence(wallMs, this.#earliestMs).then(
      (found) => {
        if (!this.#running || this.#trusted || found === 'unsynchronised') return;
        // Nothing to ask and a plausible time: a container or a machine whose clock is kept from outside.
        this.#trusted = true;
        log.info({ evidence: found }, 'the clock is trusted');
        this.#options.onTrusted?.();
      },
      (error: unknown) => log.warn({ error: errorText(error) }, 'the state of the clock could not be read'),
    );
  }

  #offset(): number {
    return this.#options.clock.wallMs() - this.#options.clock.monoMs();
  }
}
