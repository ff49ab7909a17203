import type { TrackInput } from '../../../src/lane/index.js';
import { tryParsePlate, type PlateText } from '../../../src/plate/index.js';
import type { SimLane } from '../../../src/sim/index.js';

const misreadPlate = '粤B99999';
/** Where a plate can be seen: from when it is large enough until it is under the camera, metres before the arm. */
const visibleFromM = -11;
const visibleToM = -0.6;
const readsToVote = 2;
const readsToBeSure = 3;

/** A recogniser that knows the truth, and errs when told to. */
export class Recogniser {
  readonly #report: (track: TrackInput) => void;
  readonly #seen = new Map<string, { reads: number; readonly text: PlateText | undefined }>();
  #misreads = 0;
  up = true;

  constructor(report: (track: TrackInput) => void) {
    this.#report = report;
  }

  /** The next vehicle will be read as somebody else. */
  misreadNext(): void {
    this.#misreads += 1;
  }

  /** One picture. */
  look(lane: SimLane, nowMs: number): void {
    const present = new Set<string>();
    for (const vehicle of lane.vehicles) {
      const { plate, intention } = vehicle.plan;
      const visible = vehicle.front > visibleFromM && vehicle.front < visibleToM && this.up;
      if (!visible || plate === undefined || vehicle.heading < 0 || intention.kind === 'cross') continue;
      present.add(vehicle.id);
      let seen = this.#seen.get(vehicle.id);
      if (seen === undefined) {
        const wrong = this.#misreads > 0;
        if (wrong) this.#misreads -= 1;
        seen = { reads: 0, text: tryParsePlate(wrong ? misreadPlate : plate.text)?.text };
        this.#seen.set(vehicle.id, seen);
      }
      seen.reads += 1;
      const { text } = seen;
      const track = { track: vehicle.id, reads: seen.reads, decisive: seen.reads >= readsToBeSure, stationary: false, ended: false, seenAtMs: nowMs, readAtMs: nowMs };
      const vote = text === undefined ? undefined : { text, confidence: 0.99, characters: Array.from(text, () => 0.99), colour: plate.colour, rows: plate.rows };
      this.#report(vote === undefined || seen.reads < readsToVote ? track : { ...track, vote });
    }
    for (const [id, seen] of this.#seen) {
      if (present.has(id)) continue;
      this.#seen.delete(id);
      this.#report({ track: id, reads: seen.reads, decisive: seen.reads >= readsToBeSure, stationary: false, ended: true, seenAtMs: nowMs });
    }
  }
}
