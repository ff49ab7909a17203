import type { Clock, LaneId } from '../base/index.js';

/** A picture asked for again within this time is the same picture: ten open pages cost vision no more than one. */
const sharedForMs = 150;

interface Shared {
  readonly atMs: number;
  readonly picture: Promise<Uint8Array | undefined>;
}

/** Newest pictures of the lanes, shared between viewers. */
export class Photographs {
  readonly #take: (lane: LaneId) => Promise<Uint8Array | undefined>;
  readonly #clock: Clock;
  readonly #shared = new Map<LaneId, Shared>();

  constructor(take: (lane: LaneId) => Promise<Uint8Array | undefined>, clock: Clock) {
    this.#take = take;
    this.#clock = clock;
  }

  get(lane: LaneId): Promise<Uint8Array | undefined> {
    const nowMs = this.#clock.monoMs();
    const known = this.#shared.get(lane);
    if (known !== undefined && nowMs - known.atMs < sharedForMs) return known.picture;
    const picture = this.#take(lane);
    // Lane names come from the address, so the map is kept small whatever is asked for.
    if (this.#shared.size >= 64) this.#shared.clear();
    this.#shared.set(lane, { atMs: nowMs, picture });
    return picture;
  }
}
