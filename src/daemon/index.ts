export { createDrivers, releaseOutputs, type Drivers } from './drivers.js';
export { Gate, type GateHooks, type GateOptions } from './gate.js';
export { readSecrets, type GateSecrets } from './secrets.js';
export { SimulatedSite } from './simulated-site.js';
export { packageVersion } from './version.js';
