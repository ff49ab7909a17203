import { GateError } from '../base/index.js';
import type { ResolvedCamera } from '../camera/index.js';
import { readSecret, type CameraConfig, type GateConfig } from '../config/index.js';
import type { UplinkSettings } from '../uplink/index.js';

/** The secrets of a configuration, read once at start and only ever kept in memory. */
export interface GateSecrets {
  /** Password by camera id. */
  readonly cameraPasswords: ReadonlyMap<string, string>;
  readonly uplink: { readonly password?: string; readonly key?: string };
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
  const { broker } = config.uplink;
  if (broker === 'embedded') return { cameraPasswords, uplink: {} };
  return {
    cameraPasswords,
    uplink: {
      ...(broker.password === undefined ? {} : { password: await readSecret(broker.password) }),
      ...(broker.key === undefined ? {} : { key: await readSecret(broker.key) }),
    },
  };
}

/** A camera with its password in hand, for the vision process. */
export function resolveCamera(camera: CameraConfig, secrets: GateSecrets): ResolvedCamera {
  const { source, ...rest } = camera;
  if (source.kind === 'sim') throw new GateError('CAMERA_SOURCE_INVALID', `camera ${camera.id} is simulated, but device ${source.device} has no simulated world; set its driver to sim`, { camera: camera.id });
  if (source.kind !== 'rtsp') return { ...rest, source };
  const { password: _reference, ...open } = source;
  return { ...rest, source: { ...open, password: secrets.cameraPasswords.get(camera.id) } };
}

/** The uplink's settings for a real broker, secrets filled in. */
export function resolveUplink(config: GateConfig['uplink'], secrets: GateSecrets, embeddedUrl: string | undefined): UplinkSettings {
  const { broker, ...rest } = config;
  if (broker === 'embedded') {
    if (embeddedUrl === undefined) throw new GateError('BROKER_UNREACHABLE', 'the embedded broker is not running; look for the reason above, or name a broker under uplink.broker');
    // The embedded broker speaks 3.1.1 only.
    return { ...rest, protocol: '3.1.1', broker: { url: embeddedUrl } };
  }
  const { password, key, ...open } = broker;
  return { ...rest, broker: { ...open, ...secrets.uplink } };
}
