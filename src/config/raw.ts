/** Reading of values that are not known to be valid yet; nothing here throws. */

export type RawRecord = Readonly<Record<string, unknown>>;
export type RawPath = readonly (string | number)[];

export function isRecord(value: unknown): value is RawRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function field(value: unknown, ...keys: readonly string[]): unknown {
  let current = value;
  for (const key of keys) current = isRecord(current) ? current[key] : undefined;
  return current;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

export function at(value: unknown, path: RawPath): unknown {
  let current = value;
  for (const step of path) current = typeof step === 'number' ? listOf(current)[step] : field(current, step);
  return current;
}

/** `lanes[0].barrier.pulseMs`. */
export function pathText(path: RawPath): string {
  return path.reduce<string>((text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? step : `${text}.${step}`), '');
}
