import type { JsonObject, LaneId, PassageId, SignalState } from '../base/index.js';
import type { Decision } from '../access/index.js';
import type { PlateRead } from '../plate/index.js';

export type SensorName = 'approach' | 'closing' | 'beam' | 'openLimit' | 'closedLimit' | 'fire' | 'stop' | 'button';
export type OutputName = 'open' | 'close' | 'stop';

/** What the lane believes of its boom, from limit switches or, without them, from run times. */
export type BoomState = 'unknown' | 'closed' | 'opening' | 'open' | 'closing' | 'stopped' | 'fault';

/** design.md §3; `unfinished` is a passage found open after a restart and closed on record. */
export type PassageEnd = 'entered' | 'exited' | 'backed-out' | 'refused' | 'abandoned' | 'forced' | 'unfinished';

/** A plate followed by vision, as far as a lane cares. */
export interface TrackInput {
  readonly track: string;
  readonly vote?: PlateRead;
  readonly reads: number;
  readonly decisive: boolean;
  readonly stationary: boolean;
  readonly ended: boolean;
}

/** Commands name a target state, never "toggle" (S7). `hold` keeps open until `release`. */
export type CommandTarget = 'open' | 'close' | 'hold' | 'release' | 'stop';

export interface LaneCommand {
  readonly id: string;
  readonly target: CommandTarget;
  /** Who asks, for the record: `platform:alice`, `web:guard`, `console:root`. */
  readonly issuer: string;
  readonly reason: string;
}

/** Why a movement happened (S9). */
export interface Cause {
  readonly kind: 'decision' | 'command' | 'button' | 'fire' | 'obstruction' | 'passage-complete' | 'auto-close' | 'release' | 'start' | 'watchdog';
  readonly detail: string;
}

/** An event a lane wants on record; names are those of the journal. */
export interface LaneEvent {
  readonly type:
    | 'passage.started'
    | 'passage.read'
    | 'passage.decided'
    | 'passage.ended'
    | 'boom.opening'
    | 'boom.closing'
    | 'boom.stopped'
    | 'boom.fault'
    | 'lane.attention'
    | 'lane.attention-cleared'
    | 'input.fault'
    | 'input.cleared'
    | 'command.done'
    | 'command.failed'
    | 'command.refused';
  readonly passage?: PassageId;
  readonly payload: JsonObject;
}

/** A lane as a page, the command line and telemetry show it. */
export interface LaneView {
  readonly lane: LaneId;
  readonly name: string;
  readonly direction: 'entry' | 'exit';
  readonly boom: BoomState;
  /** 0 closed to 1 open, from run times; exact only where limits confirm it. */
  readonly boomPosition: number;
  readonly held: boolean;
  readonly fire: boolean;
  readonly sensors: Readonly<Partial<Record<SensorName, SignalState>>>;
  readonly visionAvailable: boolean;
  readonly attention: readonly string[];
  readonly passage: {
    readonly id: PassageId;
    readonly phase: string;
    readonly plate: PlateRead | null;
    readonly decision: Decision | null;
  } | null;
  readonly counts: { readonly passages: number; readonly opened: number; readonly refused: number };
}
