export type { Role } from './accounts.js';
export type { GatePort } from './port.js';
export type { TechnicianPort } from './technician.js';
export { WebServer, type WebServerOptions } from './server.js';
export * from './view.js';
