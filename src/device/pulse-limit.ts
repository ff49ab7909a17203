import { GateError } from '../base/index.js';
import type { LineRef } from './contract.js';

/** No barrier board needs a contact longer than this; whatever asks for more is a mistake. */
export const longestPulseMs = 60_000;

/**
 * Guards every pulse: nothing stays energised without a bound.
 * @throws GateError `DEVICE_LINE_INVALID` where `durationMs` is not 1 to 60,000 ms
 */
export function checkPulse(ref: LineRef, durationMs: number): void {
  if (Number.isFinite(durationMs) && durationMs >= 1 && durationMs <= longestPulseMs) return;
  throw new GateError(
    'DEVICE_LINE_INVALID',
    `A pulse of ${durationMs} ms was asked of ${describeLine(ref)}: give 1 to ${longestPulseMs} ms, or hold and release.`,
    { line: ref, durationMs },
  );
}

/** A line as a technician would name it, e.g. `line 17 of chip pinctrl-rp1 (device gpio)`. */
export function describeLine(ref: LineRef): string {
  const table = ref.table === undefined ? 'line' : ref.table;
  const place = ref.unit === undefined ? (ref.chip === undefined ? '' : ` of chip ${ref.chip}`) : ` of unit ${ref.unit}`;
  return `${table} ${ref.line}${place} (device ${ref.device})`;
}
