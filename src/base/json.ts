import type { JsonObject, JsonValue } from './types.js';

/**
 * Plain data as JSON would carry it: undefined members dropped, numbers that JSON cannot hold as null. For handing one
 * room's view to another that knows only JSON.
 */
export function toJson(value: unknown): JsonValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value === 'object') return toJsonObject(value);
  return null;
}

export function toJsonObject(value: object): JsonObject {
  const members: [string, JsonValue][] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) members.push([name, toJson(member)]);
  }
  return Object.fromEntries(members);
}
