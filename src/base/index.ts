export { GateError, errorText, isGateError, type GateErrorCode } from './error.js';
export { ManualClock, type Clock, type ClockSource, type MachineBoot, type Timer } from './clock.js';
export { silentLog, type Log } from './log.js';
export type { JsonObject, JsonValue, LaneId, LastWill, PassageId, Point, Quad, SignalState } from './types.js';
export { toJson, toJsonObject } from './json.js';
export { svgPathData, type PathCommand } from './svg-path.js';
export { LocalTime, weekdays, type LocalMoment, type Weekday } from './local-time.js';
