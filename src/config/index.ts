export { configSchema } from './schema.js';
export type { AccessConfig, CameraConfig, DeviceConfig, GateConfig, LaneConfig, SecretRef, UplinkConfig } from './schema.js';
