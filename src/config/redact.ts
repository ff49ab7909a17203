import type { JsonValue } from '../base/index.js';
import { isRecord, type RawPath } from './raw.js';

const HIDDEN = '(not shown)';
const SECRET_KEY = /passw|secret|token|^key$|private/iu;

/** User info of a URL, and what a query calls a password, replaced by `***`. Greedy: a password may hold @ and /. */
export function maskText(text: string): string {
  return text.replace(/\/\/[^\s]*@/gu, '//***@').replace(/([?&][^=&\s]*(?:pass|pwd|token|secret|key|auth)[^=&\s]*=)[^&\s]*/giu, '$1***');
}

/** True where the value at this path is, or stands where, a secret. */
export function isSecretPath(path: RawPath): boolean {
  return path.some((step) => typeof step === 'string' && SECRET_KEY.test(step));
}

function isReference(value: unknown): boolean {
  return isRecord(value) && Object.keys(value).length === 1 && (typeof value['file'] === 'string' || typeof value['env'] === 'string');
}

/**
 * A configuration fit for printing, mailing and bundles: user info in URLs is masked, and whatever stands in the place
 * of a secret without being a reference is hidden. References to secrets stay: they help and give nothing away.
 */
export function redact(value: unknown): JsonValue {
  if (typeof value === 'string') return maskText(value);
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
  if (Array.isArray(value)) return value.map(redact);
  if (!isRecord(value)) return null;
  const shown: Record<string, JsonValue> = {};
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    shown[key] = SECRET_KEY.test(key) && !isReference(inner) ? HIDDEN : redact(inner);
  }
  return shown;
}

/** A found value for a fault, short, and never a secret. */
export function showFound(path: RawPath, value: unknown): string {
  if (value === undefined) return 'nothing';
  if (isSecretPath(path) && typeof value !== 'object') return `a value written here ${HIDDEN}`;
  if (value === null) return 'nothing after the colon';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (isRecord(value)) return isSecretPath(path) ? 'a section' : `a section with ${Object.keys(value).map(maskText).join(', ') || 'nothing in it'}`;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value !== 'string') return 'a value of another kind';
  const masked = maskText(value);
  return JSON.stringify(masked.length > 60 ? `${masked.slice(0, 57)}…` : masked);
}
