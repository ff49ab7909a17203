import { errorText, type Clock, type ClockSource, type Log, type Timer } from '../base/index.js';
import { readClockEvidence, type ClockEvidence } from './clock-evidence.js';

/** This software did not exist before; a clock that says so is wrong, whoever stands behind it. */
const softwareEpochMs = Date.UTC(2026, 0, 1);
/** Corrections by less are slewing, not steps. */
const stepMs = 500;
const tickMs = 1_000;
/** The evidence is read this often, ms, until the clock is trusted, and then. */
const evidenceEveryMs = 10_000;
const evidenceTrustedEveryMs = 60_000;
/** Wall time this far before the bound is a clock that went back, not jitter. */
const backToleranceMs = 5_000;
/** A time service has to stand by an earlier time for so long before the bound gives way to it. */
const earlierConfirmedMs = 600_000;
/** A clock left alone stays within this of where it was known to be: a start, and 500 ppm, the most the kernel corrects. */
const heldToleranceMs = 1_000;
const heldTolerancePpm = 500;
/** A crystal of a small box, where nothing was measured. */
const usualPpm = 50;
/** Shorter times alone say little about drift: a step is not noticed below half a second. */
const leastAloneMs = 3_600_000;

/** A moment at which wall time was known, in this process's monotonic time. */
export interface ClockKnown {
  readonly wallMs: number;
  readonly monoMs: number;
  readonly source: ClockSource;
  /** A time service stands behind it now; only such time moves the bound. */
  readonly vouched: boolean;
}

/** Wall time jumped against monotonic time. */
export interface ClockStep {
  readonly fromMs: number;
  readonly toMs: number;
  /** Positive where it jumped forward. */
  readonly deltaMs: number;
  /** Whether the time after it is believed, and by whose word. */
  readonly trusted: boolean;
  readonly source: ClockSource | null;
}

/** What is on record of earlier runs. */
export interface ClockMemory {
  /** The latest wall time that a time service ever vouched for, ms; 0 for none. */
  readonly boundMs: number;
  /** Wall time as last known in this run of the machine, perhaps by an earlier process; `monoMs` may be negative. */
  readonly known: Omit<ClockKnown, 'vouched'> | null;
}

export interface ClockTrustOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Wall time was set; told once it is known who stands behind the new one. */
  onStep?(step: ClockStep): void;
  /** Wall time became trustworthy. */
  onTrusted?(known: ClockKnown): void;
  /** Wall time lies before a time that was known to be past. Told once, until it is past again or the bound gives way. */
  onBackwards?(backwards: { readonly boundMs: number; readonly wallMs: number }): void;
  /** A time service stands by an earlier time: the bound was wrong. */
  onBoundLowered?(lowered: { readonly fromMs: number; readonly toMs: number; readonly source: ClockSource }): void;
  /** What the machine says about its clock; read from the system where omitted. */
  readonly evidence?: ((wallMs: number, earliestMs: number) => Promise<ClockEvidence>) | undefined;
}

/** What can honestly be told of the clock. */
export interface ClockState {
  readonly trusted: boolean;
  /** A time service keeps it now. */
  readonly vouched: boolean;
  readonly source: ClockSource | null;
  /** No true time lies before this, ms since 1970. */
  readonly boundMs: number;
  /** The clock says a time before the bound. */
  readonly backwards: boolean;
  /** Steps noticed since the start. */
  readonly steps: number;
  /** Since a time service last measured, s; null where none told. */
  readonly sinceSynchronisedS: number | null;
  /** What it may be off by meanwhile, ms: the drift measured, or 50 ppm, over that time. */
  readonly mayBeOffMs: number | null;
  /** What the clock would gain (positive) or lose by itself, ppm, by the time service's correction of it; null where none told. */
  readonly oscillatorPpm: number | null;
  /** What it did gain or lose the last time it was alone for an hour or more, ppm, by the step that ended it. */
  readonly alonePpm: number | null;
}

/**
 * Whether wall time can be believed. A box without battery clock starts in the past and jumps when the network comes; until
 * then validity and opening hours mean nothing.
 *
 * Believed is a time that a service keeps, a hardware clock agrees with, that runs on undisturbed from one known before in
 * this run of the machine, or that nobody can be asked about; never one before the bound. The bound is the latest time a
 * service vouched for: time set by hand, of a hardware clock or assumed does not move it, so a jump into the future does
 * no lasting harm. A service that stands by an earlier time for ten minutes lowers it. A step takes trust away until the
 * evidence has been read anew.
 */
export class ClockTrust {
  readonly #options: ClockTrustOptions;
  /** Undefined until what is on record is known: nothing is believed before. */
  #memory: ClockMemory | undefined;
  #boundMs = softwareEpochMs;
  #trusted = false;
  #vouched = false;
  #source: ClockSource | null = null;
  #known: Omit<ClockKnown, 'vouched'> | null = null;
  #running = false;
  /** `wallMs - monoMs` at the last tick. */
  #offsetMs = 0;
  #steps: { readonly fromMs: number; readonly toMs: number; readonly deltaMs: number }[] = [];
  #stepCount = 0;
  #backwards = false;
  #earlierSinceMs: number | undefined;
  #syncedMs: number | undefined;
  #oscillatorPpm: number | undefined;
  #alonePpm: number | undefined;
  /** Evidence that came before the record was read. */
  #early: ClockEvidence | undefined;
  #looking = false;
  #lookAgain = false;
  #lookedMs = -Infinity;
  #timer: Timer | undefined;

  constructor(options: ClockTrustOptions) {
    this.#options = options;
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

  /** What is on record of earlier runs; needed before anything is believed. May come more than once: the later bound counts. */
  remember(memory: ClockMemory): void {
    this.#memory = memory;
    this.#boundMs = Math.max(this.#boundMs, memory.boundMs);
    this.#known ??= memory.known;
    const early = this.#early;
    this.#early = undefined;
    // Evidence from before a step that no tick has noticed yet says nothing about the time after it.
    if (early !== undefined && Math.abs(this.#offset() - this.#offsetMs) < stepMs) this.#judge(early);
    else if (this.#running) this.#look();
  }

  /** False before `start` and `remember`, and until there is evidence; asked for every event, so a step counts at once. */
  trusted(): boolean {
    return this.#trusted && Math.abs(this.#offset() - this.#offsetMs) < stepMs && !this.#before();
  }

  /** Trusted, and a time service stands behind it now. */
  vouched(): boolean {
    return this.#vouched && this.trusted();
  }

  state(): ClockState {
    const wallMs = this.#options.clock.wallMs();
    const aloneMs = this.#syncedMs === undefined ? null : Math.max(0, wallMs - this.#syncedMs);
    return {
      trusted: this.trusted(),
      vouched: this.vouched(),
      source: this.trusted() ? this.#source : null,
      boundMs: this.#boundMs,
      backwards: this.#backwards,
      steps: this.#stepCount,
      sinceSynchronisedS: aloneMs === null ? null : Math.round(aloneMs / 1_000),
      mayBeOffMs: aloneMs === null ? null : Math.round((aloneMs * Math.abs(this.#alonePpm ?? usualPpm)) / 1e6),
      oscillatorPpm: rounded(this.#oscillatorPpm),
      alonePpm: rounded(this.#alonePpm),
    };
  }

  #arm(): void {
    this.#timer = this.#options.clock.after(tickMs, () => {
      this.#noticeStep();
      this.#noticeBackwards();
      const { clock } = this.#options;
      if (this.vouched()) this.#boundMs = Math.max(this.#boundMs, clock.wallMs());
      if (clock.monoMs() - this.#lookedMs >= (this.#trusted ? evidenceTrustedEveryMs : evidenceEveryMs)) this.#look();
      if (this.#running) this.#arm();
    });
  }

  #noticeStep(): void {
    const offsetMs = this.#offset();
    const deltaMs = Math.round(offsetMs - this.#offsetMs);
    this.#offsetMs = offsetMs;
    if (Math.abs(deltaMs) < stepMs) return;
    const toMs = Math.round(this.#options.clock.wallMs());
    this.#steps.push({ fromMs: toMs - deltaMs, toMs, deltaMs });
    this.#early = undefined;
    this.#stepCount += 1;
    this.#trusted = false;
    this.#earlierSinceMs = undefined;
    this.#look();
  }

  #noticeBackwards(): void {
    // The step that did it is told first.
    if (this.#memory === undefined || this.#steps.length > 0) return;
    const before = this.#before();
    if (before && !this.#backwards) {
      const wallMs = Math.round(this.#options.clock.wallMs());
      this.#trusted = false;
      this.#options.log.error({ boundMs: this.#boundMs, wallMs }, 'time ran backwards: the clock says a time that is known to be past');
      this.#options.onBackwards?.({ boundMs: Math.round(this.#boundMs), wallMs });
    }
    this.#backwards = before;
  }

  #look(): void {
    const { clock, log, evidence = readClockEvidence } = this.#options;
    if (this.#looking) {
      this.#lookAgain = true;
      return;
    }
    this.#looking = true;
    this.#lookedMs = clock.monoMs();
    const offsetMs = this.#offsetMs;
    evidence(clock.wallMs(), this.#boundMs)
      .then(
        // An answer from before a step says nothing about the time after it.
        (found) => {
          if (!this.#running || Math.abs(this.#offset() - offsetMs) >= stepMs) return;
          if (this.#memory === undefined) this.#early = found;
          else this.#judge(found);
        },
        (error: unknown) => log.warn({ error: errorText(error) }, 'the state of the clock could not be read'),
      )
      .finally(() => {
        this.#looking = false;
        if (!this.#lookAgain || !this.#running) return;
        this.#lookAgain = false;
        this.#look();
      })
      .catch((error: unknown) => log.error({ error: errorText(error) }, 'a state of the clock could not be told'));
  }

  #judge(found: ClockEvidence): void {
    const { clock, log } = this.#options;
    const wallMs = clock.wallMs();
    const monoMs = clock.monoMs();
    const vouched = found.state === 'disciplined';
    const source = found.source ?? this.#known?.source ?? null;
    const before = this.#trusted;
    const believed = this.#believed(found, wallMs, monoMs) && source !== null && wallMs >= softwareEpochMs;
    if (believed && vouched) this.#confirmEarlier(wallMs, monoMs, source);
    else this.#earlierSinceMs = undefined;
    this.#trusted = believed && !this.#before();
    this.#vouched = vouched;
    this.#source = source;
    this.#tellSteps(vouched);
    if (found.oscillatorPpm !== undefined) this.#oscillatorPpm = found.oscillatorPpm;
    if (found.syncedMs !== undefined) this.#syncedMs = found.syncedMs;
    if (!this.#trusted || source === null) return;
    if (vouched || !before) this.#known = { wallMs, monoMs, source };
    if (vouched) this.#boundMs = Math.max(this.#boundMs, wallMs);
    this.#backwards = false;
    if (before) return;
    log.info({ source, vouched }, 'the clock is trusted');
    this.#options.onTrusted?.({ wallMs, monoMs, source, vouched });
  }

  #believed({ state }: ClockEvidence, wallMs: number, monoMs: number): boolean {
    if (state === 'disciplined' || state === 'agrees' || state === 'silent') return true;
    if (this.#known === null) return state === 'set' && this.#stepCount === 0;
    const aloneMs = Math.max(0, monoMs - this.#known.monoMs);
    return Math.abs(wallMs - (this.#known.wallMs + aloneMs)) <= heldToleranceMs + (aloneMs * heldTolerancePpm) / 1e6;
  }

  #confirmEarlier(wallMs: number, monoMs: number, source: ClockSource): void {
    if (!this.#before()) {
      this.#earlierSinceMs = undefined;
      return;
    }
    this.#earlierSinceMs ??= monoMs;
    if (monoMs - this.#earlierSinceMs < earlierConfirmedMs) return;
    const lowered = { fromMs: Math.round(this.#boundMs), toMs: Math.round(wallMs), source };
    this.#boundMs = wallMs;
    this.#earlierSinceMs = undefined;
    this.#options.log.warn(lowered, 'a time service stands by an earlier time; the later one on record was wrong');
    this.#options.onBoundLowered?.(lowered);
  }

  #tellSteps(vouched: boolean): void {
    const steps = this.#steps;
    this.#steps = [];
    const [only] = steps;
    // A service that sets the clock after it was alone shows what the clock did meanwhile.
    if (vouched && only !== undefined && steps.length === 1 && this.#syncedMs !== undefined && this.#known !== null) {
      const aloneMs = only.fromMs - this.#syncedMs;
      if (aloneMs >= leastAloneMs) this.#alonePpm = (-only.deltaMs / aloneMs) * 1e6;
    }
    for (const step of steps) {
      const told = { ...step, trusted: this.#trusted, source: this.#trusted ? this.#source : null };
      this.#options.log.warn(told, 'the clock was set');
      this.#options.onStep?.(told);
    }
  }

  #before(): boolean {
    return this.#options.clock.wallMs() < this.#boundMs - backToleranceMs;
  }

  #offset(): number {
    return this.#options.clock.wallMs() - this.#options.clock.monoMs();
  }
}

function rounded(ppm: number | undefined): number | null {
  return ppm === undefined ? null : Math.round(ppm * 1_000) / 1_000;
}
