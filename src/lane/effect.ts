import type { LearnedRunTimes } from './settings.js';
import type { PlateRead } from '../plate/index.js';
import type { Decision } from '../access/index.js';
import type { DriveAction } from './input.js';
import type { Cause, ClearedBy, CommandOutcome, CommandTarget, ContactName, DriverMessage, Lamp, LaneEvent, PassageEnd, PhotographReason } from './types.js';

/**
 * `ordinary` movements have waited for their record (at most `recordWaitMs`); `safety` ones (reversal, fire, stop) move
 * right after the record was handed over.
 */
export type Urgency = 'ordinary' | 'safety';

/** An order to an output. `durationMs` is the pulse's length, 0 for `hold` and `release`. */
export interface DriveEffect {
  readonly kind: 'drive';
  readonly output: ContactName;
  readonly action: DriveAction;
  readonly durationMs: number;
  readonly cause: Cause;
  readonly urgency: Urgency;
  /** The passage it is for, by the reducer's own key. */
  readonly passage: string | null;
}

/** What the reducer asks of the world, in this order. Passages are named by the reducer's own keys. */
export type LaneEffect =
  /** With a token: answer with `recorded` once durable. */
  | { readonly kind: 'journal'; readonly event: LaneEvent; readonly token: number | null }
  | DriveEffect
  | { readonly kind: 'decide'; readonly request: number; readonly passage: string | null; readonly track: string | null; readonly plate: PlateRead | null }
  | { readonly kind: 'photograph'; readonly passage: string | null; readonly reason: PhotographReason }
  | { readonly kind: 'show'; readonly message: DriverMessage }
  /** Switch the traffic light; answer with `lamp`. */
  | { readonly kind: 'lamp'; readonly show: Lamp }
  /** Run times to be kept over a restart. */
  | { readonly kind: 'learned'; readonly times: LearnedRunTimes }
  | ({ readonly kind: 'reply'; readonly ticket: number; readonly id: string; readonly target: CommandTarget } & CommandOutcome)
  | {
      readonly kind: 'passage-ended';
      readonly passage: string;
      readonly end: PassageEnd;
      readonly plate: PlateRead | null;
      readonly decision: Decision | null;
      readonly clearedBy: ClearedBy | null;
      readonly durationMs: number;
      readonly detail: string | null;
    };
