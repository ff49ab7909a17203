import type { SignalState } from '../base/index.js';
import type { Decision } from '../access/index.js';
import type { PlateRead } from '../plate/index.js';
import type { Urgency } from './effect.js';
import type { LaneSettings, LearnedRunTimes } from './settings.js';
import type { AttentionCode, BoomState, Cause, ClearedBy, CommandTarget, ContactName, DriverMessage, Lamp, SensorName, SupervisedOrder, SupervisionEnd } from './types.js';

export interface Sensor {
  readonly state: SignalState;
  readonly sinceMs: number;
}

/** What the lane believes of one output contact. */
export interface Contact {
  readonly mode: 'off' | 'pulse' | 'hold';
  /** End of a pulse. */
  readonly untilMs: number;
  /** When it was last released; null: long ago. */
  readonly offSinceMs: number | null;
  /** Let go of at this time: a release was not taken, or the contact was taken for its next edge only. */
  readonly releaseAgainMs: number | null;
  /** What that is for, where it lowers the boom. */
  readonly releaseFor: Cause | null;
}

/**
 * A boom in motion. `ordered` by this lane; `inferred`: the barrier's board lowers after its loop cleared; `seen`: a limit
 * switch let go without an order.
 */
export interface Movement {
  readonly direction: 'up' | 'down';
  readonly origin: 'ordered' | 'inferred' | 'seen';
  readonly startedMs: number;
  readonly from: number;
  /** Where it began is known; else the whole way is assumed. */
  readonly known: boolean;
}

/** A movement decided and handed to the journal, not driven yet: its record or the dead time is awaited. */
export interface PendingMovement {
  readonly direction: 'up' | 'down';
  readonly cause: Cause;
  readonly urgency: Urgency;
  readonly passage: string | null;
  readonly token: number;
  readonly record: 'waiting' | 'known' | 'late';
  /** Until here the record is waited for. */
  readonly recordByMs: number;
}

/** Why no automatic closing happens until a person or a newly admitted vehicle wants a movement. */
export type ClosingLock = 'second-obstruction' | 'stopped' | 'fault' | 'fail-state';

export interface Boom {
  readonly state: BoomState;
  /** At rest, or where the movement began: 0 closed to 1 open. */
  readonly position: number;
  readonly movement: Movement | null;
  readonly contacts: Readonly<Record<ContactName, Contact>>;
  readonly pending: PendingMovement | null;
  /** Set while the boom must go up because something came under it (S1); ends when it is open. */
  readonly reversal: Cause | null;
  /** Obstructions since the boom last was closed or a movement was last intended (S6). */
  readonly obstructions: number;
  readonly lock: ClosingLock | null;
  /** What the next closing will be recorded under. */
  readonly closeCause: Cause | null;
  /** A boom that rose without an order is lowered after this. */
  readonly keepOpenUntilMs: number | null;
  /** Orders in a row that an output did not take. */
  readonly tries: number;
  readonly retryAtMs: number | null;
  /** An open contact that was let go only for its next edge is not on again before. */
  readonly openAgainMs: number | null;
  /** A closing order was not taken for certain: where the boom comes to rest is not known. */
  readonly doubtful: boolean;
  /** Set while the boom must be up because something failed (`failState`). */
  readonly failOpen: Cause | null;
  /** When it last came to stand open, ms; null while it does not. */
  readonly openSinceMs: number | null;
  /** Both loops were occupied together since it last was closed. */
  readonly bothLoops: boolean;
  /** A rise was stopped because a second vehicle followed; ends when the boom is closed or somebody new is let through. */
  readonly halted: boolean;
  /** The last full runs between the limit switches, ms, newest last. */
  readonly runs: { readonly up: readonly number[]; readonly down: readonly number[] };
  /** Run times of an earlier run that became known after the start; they wait until the boom is at rest. */
  readonly recalled: LearnedRunTimes | null;
}

/**
 * Where a passage's vehicle is. `expected`: a person opened and nobody has come yet. `gap`: left the approach loop, not
 * on the closing loop. `both`: on both loops. `leaving`: just clear of the closing loop, a trailer may follow.
 * `outbound`: a wrong-way vehicle on its way out over the approach loop.
 */
export type Place = 'expected' | 'approach' | 'gap' | 'both' | 'closing' | 'leaving' | 'outbound';

export interface Passage {
  readonly key: string;
  readonly startedMs: number;
  readonly place: Place;
  readonly placeSinceMs: number;
  /** First seen on the closing loop. */
  readonly fromInside: boolean;
  /** Its rear has left the approach loop while on the closing loop. */
  readonly pastApproach: boolean;
  /** The approach loop turned unreadable under it. */
  readonly lost: boolean;
  readonly tracks: readonly string[];
  readonly plate: PlateRead | null;
  readonly plateDecisive: boolean;
  readonly decision: Decision | null;
  /** A decision asked for and not answered. */
  readonly request: number | null;
  readonly requestedMs: number;
  /** What was last asked for. */
  readonly asked: { readonly text: string | null; readonly confidence: number } | null;
  readonly timesAsked: number;
  readonly askAgainMs: number | null;
  readonly decisionFailed: boolean;
  readonly clearedBy: ClearedBy | null;
  readonly clearCause: Cause | null;
  /** `clearCause` was durable on record before the vehicle came, so that its opening awaits no other record (S9). */
  readonly foreseen: boolean;
  /** The open contact was given for this passage (a barrier that closes by itself must be told for each vehicle). */
  readonly pulsed: boolean;
  /** An opening nobody used ends here. */
  readonly expiresMs: number | null;
}

export interface Track {
  readonly track: string;
  readonly vote: PlateRead | null;
  readonly decisive: boolean;
  readonly stationary: boolean;
  /** When the first and the newest picture of it were taken; a slow recogniser tells of them later. */
  readonly firstMs: number;
  readonly seenMs: number;
  /** When the newest picture was taken in which `vote` was read; null where no picture showed it whole. */
  readonly readMs: number | null;
  readonly endedMs: number | null;
  /** In parts of the picture's width; null where vision does not say. */
  readonly width: number | null;
  /** The passage that owns its reads; they are never given to another. */
  readonly owner: string | null;
  readonly request: { readonly number: number; readonly text: string } | null;
  readonly decision: { readonly text: string; readonly decision: Decision; readonly atMs: number } | null;
  /** An early question that could not be answered is not put again before. */
  readonly askAgainMs: number | null;
  /** The last early admission that was handed to the journal; durable once `token` was answered so. */
  readonly foreseen: { readonly cause: Cause; readonly token: number; readonly durable: boolean } | null;
}

export interface PendingCommand {
  readonly ticket: number;
  readonly id: string;
  readonly target: CommandTarget;
  readonly issuer: string;
  readonly deadlineMs: number;
}

export interface Latched {
  readonly code: AttentionCode;
  readonly detail: string;
}

/** Plain data: can be stored, compared and explored. Absolute times are on the monotonic clock, ms. */
export interface LaneState {
  readonly settings: LaneSettings;
  /** Inputs have been read (S5). */
  readonly started: boolean;
  readonly sensors: Readonly<Partial<Record<SensorName, Sensor>>>;
  readonly visionAvailable: boolean;
  readonly boom: Boom;
  readonly held: boolean;
  readonly holdCause: Cause | null;
  readonly fire: { readonly input: boolean; readonly command: boolean };
  /** `ended`: a person released the boom before the window was over. */
  readonly schedule: 'off' | 'holds' | 'ended';
  /** False while the board of a contact does not answer. */
  readonly relayAvailable: boolean;
  /** What the traffic light was last told; null before the first order, or where there is none. */
  readonly lamp: { readonly shown: Lamp | null; readonly retryAtMs: number | null };
  readonly stop: { readonly input: boolean; readonly command: boolean };
  /** A movement held by its operator, and until when it lasts without being renewed. */
  readonly supervised: (SupervisedOrder & { readonly cause: Cause; readonly renewByMs: number }) | null;
  /** The held movement that ended last, and why. */
  readonly supervisionEnded: { readonly session: string; readonly why: SupervisionEnd } | null;
  /** A vehicle found under the boom at start belongs to the passage that the restart cut off. */
  readonly found: 'none' | 'closing' | 'both';
  readonly approachStuck: boolean;
  /** Front to rear, as far as known. */
  readonly passages: readonly Passage[];
  readonly tracks: readonly Track[];
  /** Plates that have just passed. */
  readonly quiet: readonly { readonly text: string; readonly untilMs: number }[];
  /** When a vehicle last left the approach loop, forwards or backwards. */
  readonly approachLeftMs: number | null;
  readonly commands: readonly PendingCommand[];
  readonly commandIds: readonly string[];
  /** Codes a lane raised itself, which end by an act and not by a state. */
  readonly latched: readonly Latched[];
  /** Codes that are on record as raised. */
  readonly attention: readonly AttentionCode[];
  readonly shown: DriverMessage;
  /** Next passage key, request and token. */
  readonly serial: number;
  readonly counts: { readonly passages: number; readonly opened: number; readonly refused: number };
}

const RELEASED: Contact = { mode: 'off', untilMs: 0, offSinceMs: null, releaseAgainMs: null, releaseFor: null };

/** A lane before its inputs were read: every wired input is unknown, the boom's position too. Nothing moves (S5). */
export function initialLane(settings: LaneSettings, nowMs: number, learned: LearnedRunTimes = { openMs: null, closeMs: null }): LaneState {
  const sensors: Partial<Record<SensorName, Sensor>> = {};
  for (const sensor of settings.sensors) sensors[sensor] = { state: 'unknown', sinceMs: nowMs };
  return {
    settings,
    started: false,
    sensors,
    visionAvailable: false,
    boom: {
      state: 'unknown',
      position: 0,
      movement: null,
      contacts: { open: RELEASED, close: RELEASED, stop: RELEASED },
      pending: null,
      reversal: null,
      obstructions: 0,
      lock: null,
      closeCause: null,
      keepOpenUntilMs: null,
      tries: 0,
      retryAtMs: null,
      openAgainMs: null,
      doubtful: false,
      failOpen: null,
      openSinceMs: null,
      bothLoops: false,
      halted: false,
      runs: { up: learned.openMs === null ? [] : [learned.openMs], down: learned.closeMs === null ? [] : [learned.closeMs] },
      recalled: null,
    },
    held: false,
    holdCause: null,
    fire: { input: false, command: false },
    schedule: 'off',
    relayAvailable: true,
    lamp: { shown: null, retryAtMs: null },
    stop: { input: false, command: false },
    supervised: null,
    supervisionEnded: null,
    found: 'none',
    approachStuck: false,
    passages: [],
    tracks: [],
    quiet: [],
    approachLeftMs: null,
    commands: [],
    commandIds: [],
    latched: [],
    attention: [],
    shown: { code: 'idle', direction: settings.direction, plate: null, rule: null },
    serial: 1,
    counts: { passages: 0, opened: 0, refused: 0 },
  };
}
