import type { LaneId } from '../base/index.js';
import type { PlateColour, PlateText, PlateType } from '../plate/index.js';

/** Who drives, as the gate knows it: 应急, 黑名单, 业主, 访客, 外来车辆, 无牌车. */
export type VisitorClass = 'emergency' | 'blocked' | 'resident' | 'visitor' | 'outside' | 'unplated';

export type DecisionOutcome = 'admit' | 'refuse' | 'ask';

/** Names of the rules, in the order they are asked; every decision carries the one that decided. */
export type DecisionRule =
  | 'emergency-class'
  | 'blocked-list'
  | 'resident'
  | 'resident-quota'
  | 'resident-lane'
  | 'resident-hours'
  | 'resident-validity'
  | 'visitor-pass'
  | 'visitor-pass-expired'
  | 'outside-refuse'
  | 'outside-space'
  | 'outside-full'
  | 'outside-hours'
  | 'outside-ask'
  | 'exit-free'
  | 'anti-passback'
  | 'confidence-too-low'
  | 'no-plate';

export interface AccessRequest {
  readonly laneId: LaneId;
  readonly direction: 'entry' | 'exit';
  /** Undefined for a vehicle whose plate could not be read. */
  readonly plate?: {
    readonly text: PlateText;
    readonly types: readonly PlateType[];
    readonly colour: PlateColour;
    readonly confidence: number;
  };
  /** Wall time, ms since 1970; only compared with validity and hours. */
  readonly wallMs: number;
  /**
   * False while the box does not know the time (no battery clock, no network yet): hours and validity of residents are
   * then not held against them, visitor passes are left to a person. True where omitted.
   */
  readonly clockTrusted?: boolean;
}

export interface Decision {
  readonly outcome: DecisionOutcome;
  readonly rule: DecisionRule;
  readonly visitorClass: VisitorClass;
  /** Household, visitor's note or block reason: what a guard wants to read next to the plate. */
  readonly note?: string;
  /** The list entry that matched, where one did; differs from the read for a forgiven look-alike. */
  readonly listedPlate?: PlateText;
  readonly matched?: 'exact' | 'look-alike';
  /** For `outside-hours`: how long the vehicle may stay. */
  readonly stayHours?: number;
}
