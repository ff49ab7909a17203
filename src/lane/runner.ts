import type { PassageId } from '../base/index.js';
import type { LaneRunnerOptions } from './ports.js';
import type { CommandOutcome, LaneCommand, LaneView, TrackInput } from './types.js';

/** The one impure part of the lane. Signatures first; the body follows in the next commit. */
export declare class LaneRunner {
  constructor(options: LaneRunnerOptions);
  /** Call after the devices have started. `unfinished`: passages the journal knows as started and never ended. */
  start(unfinished?: readonly PassageId[]): void;
  /** Releases every output; resolves when the hardware has taken it, or after a second. */
  stop(): Promise<void>;
  track(report: TrackInput): void;
  visionAvailable(available: boolean): void;
  /** Resolves when the target was reached, or the command failed or was refused; never rejects. */
  command(command: LaneCommand): Promise<CommandOutcome>;
  view(): LaneView;
}
