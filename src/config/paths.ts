import { isAbsolute, resolve } from 'node:path';
import type { BrokerConfig, GateConfig, SecretRef } from './schema.js';

/**
 * Relative paths of a configuration are meant from the folder the file is in, so that a folder with a configuration, its
 * secrets and its videos can be moved as a whole. Serial ports are left alone.
 */
export function resolvePaths(config: GateConfig, folder: string): GateConfig {
  const from = (path: string): string => (isAbsolute(path) ? path : resolve(folder, path));
  const secret = (ref: SecretRef): SecretRef => ('file' in ref ? { file: from(ref.file) } : ref);
  const brokerFrom = (broker: BrokerConfig): BrokerConfig => ({
    ...broker,
    ...(broker.ca === undefined ? {} : { ca: from(broker.ca) }),
    ...(broker.certificate === undefined ? {} : { certificate: from(broker.certificate) }),
    ...(broker.password === undefined ? {} : { password: secret(broker.password) }),
    ...(broker.key === undefined ? {} : { key: secret(broker.key) }),
  });
  const { broker } = config.uplink;
  return {
    ...config,
    gate: { ...config.gate, dataDirectory: from(config.gate.dataDirectory) },
    cameras: config.cameras.map((camera) => {
      const { source } = camera;
      if (source.kind === 'file' || source.kind === 'directory') return { ...camera, source: { ...source, path: from(source.path) } };
      if (source.kind === 'rtsp' && source.password !== undefined) return { ...camera, source: { ...source, password: secret(source.password) } };
      return camera;
    }),
    vision: config.vision.models === undefined ? config.vision : { ...config.vision, models: from(config.vision.models) },
    uplink: {
      ...config.uplink,
      broker: broker === 'embedded' ? broker : Array.isArray(broker) ? broker.map(brokerFrom) : brokerFrom(broker),
    },
  };
}
