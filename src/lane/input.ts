import type { SignalState } from '../base/index.js';
import type { Decision } from '../access/index.js';
import type { LearnedRunTimes } from './settings.js';
import type { ContactName, LaneCommand, SensorName, SupervisedOrder, TrackInput } from './types.js';

/** Everything that can happen to a lane. Times are the `nowMs` the reducer is called with. */
export type LaneInput =
  /** Every wired input has been read, or is known to be unreadable (S5). */
  | { readonly kind: 'inputs-read' }
  | { readonly kind: 'sensor'; readonly sensor: SensorName; readonly state: SignalState }
  | { readonly kind: 'track'; readonly report: TrackInput }
  | { readonly kind: 'vision'; readonly available: boolean }
  | { readonly kind: 'decision'; readonly request: number; readonly decision: Decision }
  | { readonly kind: 'decision-failed'; readonly request: number }
  /** `ticket` tells two deliveries of one id apart, so that each gets its own reply. */
  | { readonly kind: 'command'; readonly ticket: number; readonly command: LaneCommand }
  /** The journal has the record of a movement (`durable`), or said that it cannot take it. */
  | { readonly kind: 'recorded'; readonly token: number; readonly durable: boolean }
  | { readonly kind: 'output-fault'; readonly output: ContactName; readonly action: DriveAction; readonly detail: string }
  | { readonly kind: 'output-ok'; readonly output: ContactName }
  /** At the start, or when its board was heard again, a contact was found on: something else held it until now. */
  | { readonly kind: 'output-found-on'; readonly output: ContactName }
  | { readonly kind: 'lamp'; readonly works: boolean; readonly detail: string }
  /** The board of a contact does not answer, or answers again. */
  | { readonly kind: 'relay'; readonly available: boolean; readonly detail: string }
  /** Run times that an earlier run measured have become known. */
  | { readonly kind: 'run-times'; readonly times: LearnedRunTimes }
  /** The schedule's window to hold open began or ended. */
  | { readonly kind: 'schedule'; readonly hold: boolean }
  /** Somebody at the boom begins to hold a movement, holds it on, or lets go. */
  | { readonly kind: 'supervise'; readonly ticket: number; readonly order: SupervisedOrder }
  | { readonly kind: 'supervise-renew'; readonly session: string }
  | { readonly kind: 'supervise-end'; readonly session: string }
  /** Time passed; sent when `nextDueMs` has come. */
  | { readonly kind: 'tick' };

export type DriveAction = 'pulse' | 'hold' | 'release';
