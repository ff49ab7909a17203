import type { Clock, LastWill, Log, PassageId } from '../base/index.js';
import type { Decision } from '../access/index.js';
import type { DigitalInput, DigitalOutput } from '../device/index.js';
import type { LaneDiagnosisPort } from './diagnosis/index.js';
import type { LaneSettings, LearnedRunTimes } from './settings.js';
import type { DecisionRequest, DriverMessage, EndedPassage, LaneEvent, LaneView, OutputName, PhotographReason, SensorName } from './types.js';

/** How long the lane took from the vehicle to the relay. */
export interface LaneMeasure {
  /** From the approach loop's edge, or the decision where that came later, to the open output being driven. */
  readonly loopToRelayMs: number;
  /** The decision was ready before the loop tripped. */
  readonly warm: boolean;
}

/** Whether the boards behind a lane's contacts answer. */
export interface RelayWatch {
  available(): boolean;
  /** For a technician: what is wrong and what to do. */
  detail(): string;
  /** Calls back whenever `available` may have changed. Returns the way to stop. */
  onChange(listener: () => void): () => void;
}

/** What is to be done if this program dies now, for whoever would do it. */
export interface WillReport {
  readonly will: LastWill;
  /** How soon a silent program has to count as dead, see `watchOf`. */
  readonly watch: 'calm' | 'driven' | 'lowering';
  /** Since when, or from when on, the CLOSE contact is off, monotonic ms; null where nobody knows. A raise waits the dead time from then. */
  readonly closeOffMs: number | null;
}

/** What a lane needs of the house. A port that throws or rejects is logged and never stops the lane. */
export interface LanePorts {
  readonly outputs: Readonly<Partial<Record<OutputName, DigitalOutput>>>;
  readonly inputs: Readonly<Partial<Record<SensorName, DigitalInput>>>;
  /** Settles when the event is durable; the lane adds neither lane id nor times, the caller does. */
  readonly journal: { append(event: LaneEvent): Promise<unknown> };
  decide(request: DecisionRequest): Decision | Promise<Decision>;
  /** Passage is null for a photograph that belongs to none. */
  photograph(passage: PassageId | null, reason: PhotographReason): void;
  show(message: DriverMessage): void;
  newPassageId(): PassageId;
  onView(view: LaneView): void;
  onPassageEnd(ended: EndedPassage): void;
  onMeasure?(measure: LaneMeasure): void;
  /** Watches over the lane's sensors; without, nothing is found. */
  readonly diagnosis?: LaneDiagnosisPort;
  /** Whether the boards of the contacts answer; always, where omitted. */
  readonly relays?: RelayWatch;
  /** Run times to be given to `start` after a restart. */
  onLearned?(times: LearnedRunTimes): void;
  /** Told at the start and before anything is driven that changes the will. */
  onLastWill?(report: WillReport): void;
}

export interface LaneRunnerOptions {
  readonly settings: LaneSettings;
  readonly clock: Clock;
  readonly log: Log;
  readonly ports: LanePorts;
}
