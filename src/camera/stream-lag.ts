/** A camera's clock and the box's may part by so much, as a share of the time; quartz is within 0.00005. What a clock was set back is forgotten as slowly. */
const drift = 0.0005;
/** Pictures that come no sooner than those before, by this much and for this long, come as soon as they can. */
const soonerMs = 100;
const settlingMs = 2_000;
/** No network holds pictures back for so long: the camera's clock was set back. */
const longestLagMs = 60_000;

/**
 * How late a stream's pictures come, by the time they carry: a picture that took the shortest way so far was not late, and
 * whatever another one took longer it is late. A decoder that is starved of the processor falls behind its camera by
 * seconds, while its pictures still come one after the other.
 */
export class StreamLag {
  #shortest: { readonly ms: number; readonly atMs: number } | undefined;
  /** When a picture last came much sooner than all before it, and what it took. */
  #sooner: { readonly ms: number; readonly atMs: number } | undefined;
  #settled = false;

  /**
   * To be asked of each picture after `take`, of one without a time alone. What was sent while the connection was being
   * made waits in the network, and nobody can tell how old it is until the pictures come no sooner any more.
   */
  settled(arrivedMs: number): boolean {
    const ms = this.#shortest?.ms ?? 0;
    if (this.#sooner === undefined || ms < this.#sooner.ms - soonerMs) this.#sooner = { ms, atMs: arrivedMs };
    this.#settled ||= arrivedMs >= this.#sooner.atMs + settlingMs;
    return this.#settled;
  }

  /**
   * @param arrivedMs on this process's clock
   * @param streamMs when it was taken, on the stream's own clock
   * @returns how late the picture came, ms
   */
  take(arrivedMs: number, streamMs: number): number {
    const tookMs = arrivedMs - streamMs;
    const known = this.#shortest;
    const shortestMs = known === undefined || tookMs - known.ms > longestLagMs ? tookMs : Math.min(tookMs, known.ms + (arrivedMs - known.atMs) * drift);
    this.#shortest = { ms: shortestMs, atMs: arrivedMs };
    return tookMs - shortestMs;
  }
}
