export type { Role } from './accounts.js';
export { controlSocketPath } from './control-socket.js';
export type { GatePort } from './port.js';
export { eventSchema, laneSchema, liveSchema, statusSchema, type EventData, type LaneData, type StatusData } from './messages.js';
export { WebServer, type WebServerOptions } from './server.js';
