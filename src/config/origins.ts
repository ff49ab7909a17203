import type { JsonValue } from '../base/index.js';
import { readConfig } from './check.js';
import { isRecord, listOf } from './raw.js';
import { redact } from './redact.js';
import { differences } from './rights.js';

/** A value in force that is not the one of the technician's file. */
export interface ChangedValue {
  /** `access.spaces`, `lanes.entry.barrier.pulseMs`; lanes by id. */
  readonly path: string;
  /** Null where there is none. Secrets are hidden, of lists of vehicles only their length is shown. */
  readonly value: JsonValue;
  /** The same in the file, with its defaults. */
  readonly file: JsonValue;
}

/** Who lives where and drives what is nobody's business here. */
const VEHICLES: readonly string[] = ['access.households', 'access.visitors', 'access.blocked', 'access.emergency'];

function valueAt(config: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, step) => {
    if (isRecord(at)) return at[step];
    return listOf(at).find((entry) => isRecord(entry) && entry['id'] === step);
  }, config);
}

function shown(config: unknown, path: readonly string[]): JsonValue {
  const value = valueAt(config, path);
  if (VEHICLES.includes(path.join('.'))) return `${listOf(value).length} entries`;
  const key = path.at(-1) ?? '';
  // With its key, by which a secret is known.
  const masked = redact({ [key]: value });
  return isRecord(masked) ? redact(masked[key] ?? null) : null;
}

/**
 * Where the values in force come from: those listed here were set over the technician's file, all others are its own.
 * @param baseText the technician's file, which is right
 * @param inForce as checked, paths as they stand in the file
 */
export function changesOver(baseText: string, inForce: unknown): readonly ChangedValue[] {
  const { config: base } = readConfig(baseText);
  return differences(base ?? {}, inForce).map((path) => ({ path: path.join('.'), value: shown(inForce, path), file: shown(base, path) }));
}
