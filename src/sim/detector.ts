import type { SignalState } from '../base/index.js';
import type { Random } from './random.js';

export type DetectorFault = 'stuck-on' | 'stuck-off' | 'flicker' | 'fault' | 'unknown';

export interface DetectorOptions {
  /** Reaction on each edge: 25 ms single, 50 ms dual channel (Matrix detectors). */
  readonly delayMs: number;
  /** Shortest `on` the relay gives: 200 ms (Feig VEK S4); 0 for switches and contacts. */
  readonly minimumOnMs: number;
}

/** Turns what is physically there into what the wire says: reaction time, minimum on, and the ways detectors fail. */
export class Detector {
  readonly #options: DetectorOptions;
  readonly #random: Random;
  readonly #listeners = new Set<(state: SignalState) => void>();
  #raw = false;
  #rawSinceMs = 0;
  #contact = false;
  #contactOnMs = -1e9;
  #fault: DetectorFault | undefined;
  #flickerOn = false;
  #flickerUntilMs = 0;
  #reported: SignalState = 'off';
  #seen: SignalState | undefined;
  #notOffSinceMs = Number.POSITIVE_INFINITY;

  constructor(options: DetectorOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  /** Whether something is there, whatever the wire says. */
  get raw(): boolean {
    return this.#raw;
  }

  /** What the wire says. */
  get reported(): SignalState {
    return this.#reported;
  }

  /** What reached the gateway: the wire's state unless the driver behind it says otherwise. */
  get seen(): SignalState {
    return this.#seen ?? this.#reported;
  }

  get fault(): DetectorFault | undefined {
    return this.#fault;
  }

  /** Since when the gateway has been told anything but `off`; infinity while it is told `off`. */
  get notOffSinceMs(): number {
    return this.#notOffSinceMs;
  }

  /** True while the wire hides a body that is there: no gateway could know. */
  get blind(): boolean {
    return this.#raw && this.#fault !== undefined && this.#reported === 'off';
  }

  onReport(listener: (state: SignalState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  setFault(fault: DetectorFault | undefined): void {
    this.#fault = fault;
  }

  /** The driver tells what it has told the gateway, so that knowledge can be judged. */
  tellSeen(state: SignalState, nowMs: number): void {
    this.#seen = state;
    this.#judge(nowMs);
  }

  update(raw: boolean, nowMs: number): void {
    if (raw !== this.#raw) {
      this.#raw = raw;
      this.#rawSinceMs = nowMs;
    }
    if (this.#raw !== this.#contact && nowMs - this.#rawSinceMs >= this.#options.delayMs) {
      if (this.#raw) {
        this.#contact = true;
        this.#contactOnMs = nowMs;
      } else if (nowMs - this.#contactOnMs >= this.#options.minimumOnMs) {
        this.#contact = false;
      }
    }
    const state = this.#state(nowMs);
    if (state === this.#reported) return;
    this.#reported = state;
    this.#judge(nowMs);
    for (const listener of this.#listeners) listener(state);
  }

  #state(nowMs: number): SignalState {
    switch (this.#fault) {
      case undefined:
        return this.#contact ? 'on' : 'off';
      case 'stuck-on':
        return 'on';
      case 'stuck-off':
        return 'off';
      case 'fault':
        return 'fault';
      case 'unknown':
        return 'unknown';
      case 'flicker':
        if (nowMs >= this.#flickerUntilMs) {
          this.#flickerOn = !this.#flickerOn;
          this.#flickerUntilMs = nowMs + this.#random.between(20, 500);
        }
        return this.#flickerOn ? 'on' : 'off';
    }
  }

  #judge(nowMs: number): void {
    if (this.seen === 'off') this.#notOffSinceMs = Number.POSITIVE_INFINITY;
    else if (this.#notOffSinceMs === Number.POSITIVE_INFINITY) this.#notOffSinceMs = nowMs;
  }
}

/** Capacitance of a detector's tank circuit: with 150 µH it swings at 50 kHz, in the middle of what detectors use (20 to 130 kHz). */
const tankFarad = 67.5e-9;

/** Frequency at which a detector's oscillator swings over a loop of this inductance, Hz: f = 1 / (2π √(L C)). */
export function loopFrequencyHz(inductanceUh: number): number {
  return 1 / (2 * Math.PI * Math.sqrt(inductanceUh * 1e-6 * tankFarad));
}

/**
 * Inductance of a loop of 150 µH at rest when metal covers a part of it: a passenger car lowers it by a few per cent, a
 * high chassis by less.
 * @param coveredFraction 0 to 1
 * @param heightM height of the vehicle; a stand-in for its clearance
 */
export function loopInductanceUh(coveredFraction: number, heightM: number): number {
  const depth = heightM > 2.6 ? 0.015 : heightM > 1.9 ? 0.028 : 0.045;
  return 150 * (1 - depth * coveredFraction);
}
