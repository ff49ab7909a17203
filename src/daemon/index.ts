export { createDrivers, putSafe, wireLane, type Drivers } from './drivers.js';
export { openForReading, type Reading } from './reading.js';
export { DeviceTable } from './device-table.js';
export { Gate, type GateHooks, type GateOptions } from './gate.js';
export { configuredWill, realLanes } from './guard.js';
export { readSecrets, type GateSecrets } from './secrets.js';
export { SimulatedSite } from './simulated-site.js';
export { startSupervisor } from './start-supervisor.js';
export { packageVersion } from './version.js';
