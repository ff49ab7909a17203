import { errorText, type Log } from '../base/index.js';
import { Listeners } from './listeners.js';
import type { Frame, SourceChange, SourceState } from './types.js';

/** What every source has: a state that is told when it changes, and the newest frame. */
export class NewestFrame {
  #newest: Frame | undefined;
  #state: SourceState = 'connecting';
  #detail: string | undefined;
  readonly #states: Listeners<SourceChange>;
  readonly #frames: Listeners<undefined>;

  constructor(private readonly log: Log) {
    const failed = (error: unknown): void => this.log.error({ error: errorText(error) }, 'a listener of a camera failed');
    this.#states = new Listeners<SourceChange>(failed);
    this.#frames = new Listeners<undefined>(failed);
  }

  state(): SourceState {
    return this.#state;
  }

  onState(listener: (change: SourceChange) => void): () => void {
    return this.#states.add(listener);
  }

  onFrame(listener: () => void): () => void {
    return this.#frames.add(() => listener());
  }

  newest(): Frame | undefined {
    this.#newest?.retain();
    return this.#newest;
  }

  /** Takes over the frame's retention; the one before is let go. */
  put(frame: Frame): void {
    this.#newest?.release();
    this.#newest = frame;
    this.#frames.tell(undefined);
  }

  drop(): void {
    this.#newest?.release();
    this.#newest = undefined;
  }

  /** Tells a change of state, or another reason for being lost. */
  change(state: SourceState, detail?: string): void {
    if (state === this.#state && (detail === undefined || detail === this.#detail)) return;
    this.#state = state;
    this.#detail = detail;
    this.#states.tell(detail === undefined ? { state } : { state, detail });
  }
}
