/** Of so many pictures the times are kept until the pictures have come. */
const mostKept = 200;

/**
 * The stream's own times of the pictures that an ffmpeg writes: lines of its `metadata=print` filter, one for each picture,
 * such as `frame:12   pts:1080 pts_time:0.012`.
 */
export class PictureTimes {
  readonly #times = new Map<number, number>();
  #rest = '';

  push(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const found = /^frame:(\d+)\s.*\bpts_time:(-?[\d.]+(?:e[+-]?\d+)?)$/u.exec(line.trim());
      if (found === null) continue;
      this.#times.set(Number(found[1]), Number(found[2]) * 1_000);
      if (this.#times.size > mostKept) this.#times.delete(Math.min(...this.#times.keys()));
    }
  }

  /** Stream time, ms, of the picture of this number, counted from 0; undefined where it said none, or not yet. Those before are forgotten. */
  take(picture: number): number | undefined {
    const time = this.#times.get(picture);
    for (const number of this.#times.keys()) if (number <= picture) this.#times.delete(number);
    return time;
  }
}
