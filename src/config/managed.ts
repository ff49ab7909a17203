import { parseDocument } from 'yaml';
import type { JsonObject } from '../base/index.js';
import { readConfig } from './check.js';
import { isRecord, listOf } from './raw.js';
import { rightsFaults, type RemoteFault, type RemoteRights } from './rights.js';
import type { GateConfig } from './schema.js';

/** A configuration that came from outside. */
export interface ManagedConfig {
  /** True: in the place of the technician's file. False: laid over it. */
  readonly whole: boolean;
  readonly config: JsonObject;
}

/**
 * Lays settings over the content of a file, like a JSON merge patch (RFC 7396): sections are merged key by key, lists
 * are replaced, null takes a key away. The entries of `lanes` are merged with those of the same id; the others stay.
 */
export function layOver(base: unknown, over: unknown, path = ''): unknown {
  if (path === 'lanes' && Array.isArray(over)) {
    const rest = listOf(over);
    const idOf = (entry: unknown): unknown => (isRecord(entry) ? entry['id'] : undefined);
    const known = listOf(base).map((lane) => {
      const more = rest.find((entry) => idOf(entry) !== undefined && idOf(entry) === idOf(lane));
      return more === undefined ? lane : layOver(lane, more, 'lanes[]');
    });
    return [...known, ...rest.filter((entry) => !listOf(base).some((lane) => idOf(lane) === idOf(entry)))];
  }
  if (!isRecord(over)) return over;
  const merged: Record<string, unknown> = isRecord(base) ? { ...base } : {};
  for (const [key, value] of Object.entries(over)) {
    if (value === null) Reflect.deleteProperty(merged, key);
    else merged[key] = layOver(merged[key], value, path === '' ? key : `${path}.${key}`);
  }
  return merged;
}

/** The text of the configuration that comes out of a file and what was laid over it; JSON, which is YAML too. */
export function mergedText(baseText: string, managed: ManagedConfig): string {
  if (managed.whole) return JSON.stringify(managed.config);
  const base: unknown = parseDocument(baseText, { version: '1.2' }).toJS({ maxAliasCount: 100 });
  return JSON.stringify(layOver(base, managed.config));
}

/**
 * Checks a configuration from outside exactly as a file is checked, then what it may change. Never throws.
 * @param baseText the technician's file, which is right
 * @returns the configuration in force with it, paths not resolved yet; or every fault
 */
export function checkManaged(baseText: string, managed: ManagedConfig, rights: RemoteRights): { readonly config: GateConfig | undefined; readonly faults: readonly RemoteFault[] } {
  const base = readConfig(baseText);
  const { config, faults } = readConfig(mergedText(baseText, managed));
  if (config === undefined) {
    return {
      config: undefined,
      faults: faults.map(({ path, found, expected, nearest }) => ({ path, code: 'CONFIG_INVALID', text: `found ${found}; expected ${expected}${nearest === null ? '' : `; perhaps ${nearest} was meant`}` })),
    };
  }
  const denied = rightsFaults(base.config ?? {}, config, rights);
  return denied.length > 0 ? { config: undefined, faults: denied } : { config, faults: [] };
}
