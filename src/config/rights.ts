import { isRecord, listOf } from './raw.js';

/** What the platform may change, `uplink.remoteConfiguration`. */
export type RemoteRights = 'none' | 'settings' | 'all';

/** One thing wrong with a configuration that came from outside. */
export interface RemoteFault {
  /** `lanes[0].barrier.pulseMs` of the merged configuration; '' for the whole. */
  readonly path: string;
  readonly code: 'CONFIG_INVALID' | 'CONFIG_NOT_ALLOWED';
  readonly text: string;
}

/** What a platform may set without a technician: nothing that depends on wires and boards. `*` is a lane's id. */
const SETTINGS: readonly string[] = [
  'access',
  'retention',
  'uplink',
  'site.name',
  'site.timezone',
  'gate.name',
  'lanes.*.name',
  'lanes.*.readTimeoutMs',
  'lanes.*.earlyDecision',
  'lanes.*.diagnosis',
  'lanes.*.barrier.closeDelayMs',
  'lanes.*.barrier.autoCloseMs',
  'lanes.*.barrier.antiTailgate',
  'lanes.*.barrier.heldOpen',
];

/**
 * What stays the technician's whatever the rights: who the gate is, where its data lie, the rights themselves, and whose
 * signature opens: a configuration is not signed, so it could name a key of its own.
 */
const NEVER: readonly string[] = ['site.id', 'gate.id', 'gate.dataDirectory', 'uplink.remoteConfiguration', 'uplink.configurationTrialS', 'uplink.commandKeys'];

function covers(pattern: string, path: readonly string[]): boolean {
  return pattern.split('.').every((step, index) => step === '*' || step === path[index]);
}

function byId(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(listOf(value).flatMap((entry) => (isRecord(entry) && typeof entry['id'] === 'string' ? [[entry['id'], entry] as const] : [])));
}

/** Paths at which two checked configurations differ; lanes are told apart by id, other lists are compared as a whole. */
export function differences(before: unknown, after: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (isRecord(before) && isRecord(after)) {
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) => differences(before[key], after[key], [...path, key]));
  }
  if (path.length === 1 && path[0] === 'lanes') {
    const [old, fresh] = [byId(before), byId(after)];
    return [...new Set([...old.keys(), ...fresh.keys()])].flatMap((id) => differences(old.get(id), fresh.get(id), ['lanes', id]));
  }
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [path];
}

/** References to secrets in a configuration, as JSON, with the path of each. */
function secretsOf(value: unknown, path: readonly string[] = []): readonly { readonly path: readonly string[]; readonly reference: string; readonly file: string | undefined }[] {
  if (Array.isArray(value)) return value.flatMap((entry, index) => secretsOf(entry, [...path, String(index)]));
  if (!isRecord(value)) return [];
  const key = path.at(-1);
  if (key === 'password' || key === 'key') {
    const { file } = value;
    return [{ path, reference: JSON.stringify(value), file: typeof file === 'string' ? file : undefined }];
  }
  return Object.entries(value).flatMap(([name, inner]) => secretsOf(inner, [...path, name]));
}

/**
 * What a change from outside takes that it may not. A secret may only be one the technician's file names already, or a
 * file of the folder `secrets` beside that file: a reference to any other file would hand its content to a broker. Pure.
 * @param base the technician's configuration, checked, paths as they stand in the file
 * @param wanted what would be in force
 */
export function rightsFaults(base: unknown, wanted: unknown, rights: RemoteRights): readonly RemoteFault[] {
  const changed = differences(base, wanted);
  const refuse = (path: readonly string[], text: string): RemoteFault => ({ path: path.join('.'), code: 'CONFIG_NOT_ALLOWED', text });
  const known = new Set(secretsOf(base).map(({ reference }) => reference));
  return [
    ...changed.flatMap((path): RemoteFault[] => {
      if (NEVER.some((pattern) => covers(pattern, path))) return [refuse(path, "only the technician's file sets this; leave it as it is there")];
      if (rights === 'all' || (rights === 'settings' && SETTINGS.some((pattern) => covers(pattern, path)))) return [];
      return [refuse(path, rights === 'none' ? 'this gate takes no configuration from afar (uplink.remoteConfiguration: none)' : 'wiring and the like are changed by a technician, or with uplink.remoteConfiguration: all')];
    }),
    ...secretsOf(wanted).flatMap(({ path, reference, file }): RemoteFault[] => {
      if (known.has(reference)) return [];
      if (file !== undefined && /^secrets\/[^/]+$/u.test(file) && file !== 'secrets/..') return [];
      return [refuse(path, 'a secret from afar may only be one the file names already, or {file: secrets/NAME} beside it')];
    }),
  ];
}
