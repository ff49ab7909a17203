import type { JsonObject, LaneId, PassageId, SignalState } from '../base/index.js';
import type { Decision, DecisionRule } from '../access/index.js';
import type { PlateRead } from '../plate/index.js';
import type { Finding } from './diagnosis/index.js';

export type SensorName = 'approach' | 'closing' | 'beam' | 'openLimit' | 'closedLimit' | 'fire' | 'stop' | 'button';
/** Contacts that move the boom. */
export type ContactName = 'open' | 'close' | 'stop';
export type LampName = 'greenLight' | 'redLight';
export type OutputName = ContactName | LampName;

/** What the traffic light shows. */
export type Lamp = 'green' | 'red';

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
  /** When the newest picture that shows it was taken, not when it was searched: monotonic ms on the lane's clock. */
  readonly seenAtMs: number;
  /** When the newest picture was taken in which the text of `vote` itself was read; absent where no picture showed it whole. */
  readonly readAtMs?: number;
  /** Width of the plate in the newest picture, in parts of the picture's width: the nearer, the wider. */
  readonly width?: number;
}

/**
 * Commands name a target state, never "toggle" (S7). `hold` keeps open until `release`; `fire` does what the fire panel
 * does until `fire-over`, over everything but STOP (S4).
 */
export type CommandTarget = 'open' | 'close' | 'hold' | 'release' | 'stop' | 'fire' | 'fire-over';

export interface LaneCommand {
  readonly id: string;
  readonly target: CommandTarget;
  /** Who asks, for the record: `platform:alice`, `web:guard`, `console:root`. */
  readonly issuer: string;
  readonly reason: string;
}

/**
 * Why a command was not carried out.
 * `duplicate`: this id acted before (S7). `lane-starting`: inputs not read yet (S5). `lane-stopped`: the runner ended.
 * `stopped`: the STOP input is pressed, or STOP came while the command ran. `fire`: the fire panel holds the boom open.
 * `held`: release first. `obstructed`: loop or beam under the boom is occupied, unknown or faulty (S1).
 * `not-supported`: the barrier's own board closes. `superseded`: a later command asked for something else.
 * `boom-fault`: the motor did not reach its limit, or an output did not answer. `timeout`: the target was not reached.
 * `operator-holds`: somebody at the boom moves it by hold-to-run.
 */
export type CommandReason =
  | 'duplicate'
  | 'lane-starting'
  | 'lane-stopped'
  | 'stopped'
  | 'fire'
  | 'held'
  | 'obstructed'
  | 'not-supported'
  | 'superseded'
  | 'boom-fault'
  | 'operator-holds'
  | 'timeout';

/** A movement that lasts only while its operator renews it (hold-to-run). */
export interface SupervisedOrder {
  /** Names this movement. */
  readonly session: string;
  readonly direction: 'open' | 'close';
  /** Who holds, for the record. */
  readonly issuer: string;
}

/** Why a held movement is over; `done`: the boom has arrived. */
export type SupervisionEnd = 'done' | 'let-go' | 'not-renewed' | 'stopped' | 'fire' | 'held' | 'superseded' | 'boom-fault';

/** A held movement as its operator sees it. */
export interface SupervisionView {
  readonly session: string;
  readonly active: boolean;
  /** Why it is over; null while it is not, and for one nobody remembers. */
  readonly ended: SupervisionEnd | null;
}

/** How a command ended; `reason` is null only for `done`. */
export interface CommandOutcome {
  readonly outcome: 'done' | 'failed' | 'refused';
  readonly reason: CommandReason | null;
}

/** Why a movement happened (S9). */
export interface Cause {
  readonly kind: 'decision' | 'command' | 'button' | 'fire' | 'obstruction' | 'passage-complete' | 'auto-close' | 'release' | 'start' | 'watchdog' | 'stop' | 'schedule' | 'inputs-lost' | 'relay-lost' | 'tailgate' | 'operator';
  readonly detail: string;
}

/** An event a lane wants on record; names are those of the journal. */
export interface LaneEvent {
  readonly type:
    | 'passage.foreseen'
    | 'passage.started'
    | 'passage.read'
    | 'passage.decided'
    | 'passage.ended'
    | 'boom.opening'
    | 'boom.closing'
    | 'boom.stopped'
    | 'boom.fault'
    | 'boom.learned'
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

/**
 * What a person is called for. `ask`: a decision needs a person. `decision-failed`: nobody could decide.
 * `second-obstruction`: S6, the boom stays open. `vehicle-under-boom`, `vehicle-waiting`: it has not moved for long.
 * `approach-stuck`: the approach loop never cleared. `forced-passage`: a vehicle passed without the lane opening for it.
 * `boom-fault`: a limit was not reached in time. `boom-moved`: it moved without an order. `limits-disagree`: both limit
 * switches are on. `output-fault`: a relay did not take an order. `relay-lost`: the board of a contact does not answer.
 * `lamp-fault`: the traffic light did not take an order. `boom-slow`: a run took far longer than configured.
 * `record-late`: the disk was slower than the boom may wait (S9). `stopped`: STOP is in force. `fire`: the fire panel holds
 * the boom open. `fail-state`: the boom is left as a failure or the start found it, until somebody wants a movement.
 * `tailgater`: an opening was stopped because a second vehicle followed. `operator-holds`: somebody moves the boom by
 * hold-to-run, past loops and beam.
 */
export type AttentionCode =
  | 'ask'
  | 'decision-failed'
  | 'second-obstruction'
  | 'vehicle-under-boom'
  | 'vehicle-waiting'
  | 'approach-stuck'
  | 'forced-passage'
  | 'boom-fault'
  | 'boom-moved'
  | 'limits-disagree'
  | 'output-fault'
  | 'relay-lost'
  | 'lamp-fault'
  | 'boom-slow'
  | 'fail-state'
  | 'tailgater'
  | 'operator-holds'
  | 'record-late'
  | 'stopped'
  | 'fire';

/** What the lane wants the driver to read or hear; the display room finds the words. */
export interface DriverMessage {
  readonly code: 'idle' | 'reading' | 'approved' | 'refused' | 'ask' | 'held-open' | 'stopped' | 'fire';
  readonly direction: 'entry' | 'exit';
  readonly plate: string | null;
  readonly rule: DecisionRule | null;
}

export type PhotographReason = 'started' | 'decided' | 'obstruction' | 'forced';

/** What the lane asks of `access`; the answer may come late, then it is ignored. */
export interface DecisionRequest {
  readonly laneId: LaneId;
  readonly direction: 'entry' | 'exit';
  /** Null while the vehicle is still before the loop (early decision). */
  readonly passage: PassageId | null;
  /** Null for a vehicle whose plate could not be read. */
  readonly plate: PlateRead | null;
}

/** Who or what let a vehicle through; null where nobody did. */
export type ClearedBy = 'decision' | 'command' | 'button' | 'held';

/** A passage as it ended, for occupancy and statistics. */
export interface EndedPassage {
  readonly id: PassageId;
  readonly lane: LaneId;
  readonly direction: 'entry' | 'exit';
  readonly end: PassageEnd;
  readonly plate: PlateRead | null;
  readonly decision: Decision | null;
  readonly clearedBy: ClearedBy | null;
  /** From the loop's edge to the end; 0 for `unfinished`. */
  readonly durationMs: number;
  /** One word more than `end`, e.g. `wrong-way`, `closing-loop-only`, `held-open`; null where `end` says it all. */
  readonly detail: string | null;
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
  /** Held open by the schedule of the configuration. */
  readonly heldBySchedule: boolean;
  readonly fire: boolean;
  /** What the traffic light shows; null where there is none. */
  readonly lamp: Lamp | null;
  readonly sensors: Readonly<Partial<Record<SensorName, SignalState>>>;
  readonly visionAvailable: boolean;
  /** `AttentionCode`s, and `input-fault:<sensor>` for inputs that are unknown or faulty. */
  readonly attention: readonly string[];
  /** What the diagnosis of the lane's sensors has found, the oldest first. */
  readonly findings: readonly Finding[];
  readonly passage: {
    readonly id: PassageId;
    readonly phase: string;
    readonly plate: PlateRead | null;
    readonly decision: Decision | null;
  } | null;
  readonly counts: { readonly passages: number; readonly opened: number; readonly refused: number };
}
