export { SharedBus, type BusPort, type BusUnit, type PollGroup, type UnitState, type WriteOrder } from './bus.js';
export { BusOutput, pulseUnits, type OutputDrive, type TimedPulse } from './output.js';
export { SerialConnection, portLost, type SerialSettings } from './port.js';
export { TrafficTap } from './traffic.js';
