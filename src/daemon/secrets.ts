import { GateError } from '../base/index.js';
import type { ResolvedCamera } from '../camera/index.js';
import { readSecret, type BrokerConfig, type CameraConfig, type GateConfig } from '../config/index.js';
import type { UplinkSettings } from '../uplink/index.js';

/** The secrets of a configuration, read once at start and only ever kept in memory. */
export interface GateSecrets {
  /** Password by camera id. */
  readonly cameraPasswords: ReadonlyMap<string, string>;
  /** One entry a broker, in the order of the configuration; none for the embedded one. */
  readonly uplink: { readonly brokers?: readonly BrokerSecrets[] };
}

export interface BrokerSecrets {
  readonly password?: string;
  readonly key?: string;
}

function brokersOf({ broker }: GateConfig['uplink']): readonly BrokerConfig[] {
  if (broker === 'embedded') return [];
  return Array.isArray(broker) ? broker : [broker];
}

/**
 * Reads every secret a configuration refers to.
 * Rejects with `SECRET_UNREADABLE` naming the key whose secret is missing, never its value.
 */
export async function readSecrets(config: GateConfig): Promise<GateSecrets> {
  const cameraPasswords = new Map<string, string>();
  for (const { id, source } of config.cameras) {
    if (source.kind === 'rtsp' && source.password !== undefined) cameraPasswords.set(id, await readSecret(source.password));
  }
  const brokers: BrokerSecrets[] = [];
  for (const { password, key } of brokersOf(config.uplink)) {
    brokers.push({ ...(password === undefined ? {} : { password: await readSecret(password) }), ...(key === undefined ? {} : { key: await readSecret(key) }) });
  }
  return { cameraPasswords, uplink: { brokers } };
}

/** A camera with its password in hand, for the vision process. */
export function resolveCamera(camera: CameraConfig, secrets: GateSecrets): ResolvedCamera {
  const { source, ...rest } = camera;
  if (source.kind === 'sim') throw new GateError('CAMERA_SOURCE_INVALID', `camera ${camera.id} is simulated, but device ${source.device} has no simulated world; set its driver to sim`, { camera: camera.id });
  if (source.kind !== 'rtsp') return { ...rest, source };
  const { password: _reference, ...open } = source;
  return { ...rest, source: { ...open, password: secrets.cameraPasswords.get(camera.id) } };
}

/** The uplink's settings for its brokers, secrets filled in. */
export function resolveUplink(config: GateConfig['uplink'], secrets: GateSecrets, embeddedUrl: string | undefined): UplinkSettings {
  const { broker, ...rest } = config;
  if (broker === 'embedded') {
    if (embeddedUrl === undefined) throw new GateError('BROKER_UNREACHABLE', 'the embedded broker is not running; look for the reason above, or name a broker under uplink.broker');
    // The embedded broker speaks 3.1.1 only.
    return { ...rest, protocol: '3.1.1', brokers: [{ url: embeddedUrl }] };
  }
  return { ...rest, brokers: brokersOf(config).map(({ password: _password, key: _key, ...open }, index) => ({ ...open, ...secrets.uplink.brokers?.[index] })) };
}
