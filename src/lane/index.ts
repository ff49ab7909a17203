export type {
  AttentionCode,
  BoomState,
  Cause,
  ClearedBy,
  CommandOutcome,
  CommandReason,
  CommandTarget,
  ContactName,
  DecisionRequest,
  DriverMessage,
  EndedPassage,
  Lamp,
  LampName,
  LaneCommand,
  LaneEvent,
  LaneView,
  OutputName,
  PassageEnd,
  PhotographReason,
  SensorName,
  SupervisedOrder,
  SupervisionEnd,
  SupervisionView,
  TrackInput,
} from './types.js';
export { DEFAULT_TIMINGS, laneSettings, type AntiTailgate, type BarrierDrive, type ClosingSide, type FailState, type LaneSettings, type LaneSettingsSource, type LaneTimings, type LearnedRunTimes } from './settings.js';
export type { LaneMeasure, LanePorts, LaneRunnerOptions, RelayWatch, WillReport } from './ports.js';
export type { DriveAction, LaneInput } from './input.js';
export type { DriveEffect, LaneEffect, Urgency } from './effect.js';
export { initialLane, type LaneState } from './state.js';
export { reduce } from './reduce.js';
export { RENEW_WITHIN_MS } from './supervision.js';
export { nextDueMs } from './due.js';
export { closingContactGuards, closingGuards, openingContactGuards, openingGuards, type Guard } from './guards.js';
export { closeOffMs, lastWill, watchOf } from './last-will.js';
export { LaneRunner } from './runner.js';
export * from './diagnosis/index.js';
export { LawWatch, type LawName, type Violation } from './laws.js';
