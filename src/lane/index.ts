export type {
  AttentionCode,
  BoomState,
  Cause,
  ClearedBy,
  CommandOutcome,
  CommandReason,
  CommandTarget,
  DecisionRequest,
  DriverMessage,
  EndedPassage,
  LaneCommand,
  LaneEvent,
  LaneView,
  OutputName,
  PassageEnd,
  PhotographReason,
  SensorName,
  TrackInput,
} from './types.js';
export { DEFAULT_TIMINGS, laneSettings, type ClosingSide, type LaneSettings, type LaneSettingsSource, type LaneTimings } from './settings.js';
export type { LaneMeasure, LanePorts, LaneRunnerOptions } from './ports.js';
export { LaneRunner } from './runner.js';
