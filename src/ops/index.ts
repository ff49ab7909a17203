export { ClockTrust, type ClockKnown, type ClockMemory, type ClockState, type ClockStep, type ClockTrustOptions } from './clock-trust.js';
export { parseTimesync, parseTracking, readClockEvidence, weighEvidence, type ClockEvidence } from './clock-evidence.js';
export { clockHealth } from './clock-health.js';
export { EventLoopDelay, type EventLoopReading } from './event-loop.js';
export { collectHealth, HealthBoard, type GateHealth, type RoomHealth, type Severity } from './health.js';
export { Heartbeats } from './heartbeats.js';
export { processMetrics, type ProcessMetrics } from './metrics.js';
export { systemdNotify } from './notify.js';
export { Watchdog, type WatchdogOptions } from './watchdog.js';
