export { ClockTrust, type ClockTrustOptions } from './clock-trust.js';
export { readClockEvidence, type ClockEvidence } from './clock-evidence.js';
export { EventLoopDelay, type EventLoopReading } from './event-loop.js';
export { collectHealth, HealthBoard, type GateHealth, type RoomHealth, type Severity } from './health.js';
export { Heartbeats } from './heartbeats.js';
export { processMetrics, type ProcessMetrics } from './metrics.js';
export { systemdNotify } from './notify.js';
export { Watchdog, type WatchdogOptions } from './watchdog.js';
