import type { Clock, Log, Timer } from '../../base/index.js';
import type { LineRef, LineReport } from '../contract.js';
import { SignalInput } from '../signal-input.js';
import type { InputTexts, Statement } from './grammar.js';

/** An input whose level a detector states in words. A statement holds for a while; who goes silent is not believed. */
export class LineInput extends SignalInput {
  readonly texts: InputTexts;
  readonly #clock: Clock;
  readonly #holdsMs: number;
  readonly #onStale: () => void;
  #stale: Timer | undefined;
  #frequencyHz: number | undefined;

  /** @param onStale called when the last statement was too long ago */
  constructor(ref: LineRef, texts: InputTexts, holdsMs: number, clock: Clock, log: Log, onStale: () => void) {
    super(ref, clock, log);
    this.texts = texts;
    this.#clock = clock;
    this.#holdsMs = holdsMs;
    this.#onStale = onStale;
  }

  get fresh(): boolean {
    return this.#stale !== undefined;
  }

  take({ state, frequencyHz, text }: Statement): void {
    if (frequencyHz !== undefined) this.#frequencyHz = frequencyHz;
    if (state === undefined) return;
    this.#arm();
    const turned = this.ref.activeLow === true && (state === 'on' || state === 'off');
    this.report(turned ? (state === 'on' ? 'off' : 'on') : state, text);
  }

  /** The detector said that it lives: what it stated last still holds. */
  refresh(): void {
    if (this.fresh) this.#arm();
  }

  forget(): void {
    this.#stale?.cancel();
    this.#stale = undefined;
    this.#frequencyHz = undefined;
    this.report('unknown');
  }

  frequencyHz(): number | undefined {
    return this.#frequencyHz;
  }

  override lineReport(): LineReport {
    return { ...super.lineReport(), ...(this.#frequencyHz === undefined ? {} : { frequencyHz: this.#frequencyHz }) };
  }

  #arm(): void {
    this.#stale?.cancel();
    this.#stale = this.#clock.after(this.#holdsMs, () => {
      this.forget();
      this.#onStale();
    });
  }
}
