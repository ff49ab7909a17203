/** A usual boom's way; the true time is the lane's, which corrects the drawing as it goes. */
const USUAL_RUN_MS = 3_000;
/** Further away than this from what was told, the drawing catches up. */
const FAR = 0.12;
/** What lies further back than this, as in a tab that was hidden, is not played. */
const MOST_MS = 1_000;

/**
 * Where the boom is drawn, 0 (down) to 1 (up): it runs on between the messages of a moving boom, and catches up with what
 * they say. Times are those of the frames alone, however many messages come between two.
 */
export class BoomMotion {
  #position: number;
  #told: number;
  #goal: number;
  #lastMs: number | undefined;

  constructor(position: number) {
    this.#position = position;
    this.#told = position;
    this.#goal = position;
  }

  get position(): number {
    return this.#position;
  }

  get moves(): boolean {
    return Math.abs(this.#goal - this.#position) > 0.001;
  }

  /**
   * @param told where the boom is
   * @param goal where it goes
   * @param nowMs time of this message
   */
  tell(told: number, goal: number, nowMs: number): void {
    if (!this.moves) this.#lastMs = nowMs;
    this.#told = told;
    this.#goal = goal;
  }

  /** A frame is drawn. */
  frame(nowMs: number): void {
    const elapsedMs = Math.min(MOST_MS, Math.max(0, nowMs - (this.#lastMs ?? nowMs)));
    this.#lastMs = nowMs;
    const behind = Math.abs(this.#told - this.#position) > FAR || this.#goal === this.#told;
    const most = elapsedMs / (behind ? USUAL_RUN_MS / 4 : USUAL_RUN_MS);
    const distance = this.#goal - this.#position;
    this.#position += Math.sign(distance) * Math.min(Math.abs(distance), most);
  }
}
