import { mostBits } from './rtu.js';

/** A run of bits to read with one request. */
export interface BitSpan {
  readonly address: number;
  readonly count: number;
}

/** Bits further apart than this are read apart: boards tend to have nothing in between and refuse the whole request. */
const widestGap = 8;

/**
 * Packs bits into as few requests as make sense. Bits of one input stay together.
 * @param wanted addresses of each line, ascending
 */
export function groupBits(wanted: readonly (readonly number[])[]): readonly BitSpan[] {
  const ranges = wanted
    .flatMap((addresses) => {
      const first = addresses[0];
      const last = addresses.at(-1);
      return first === undefined || last === undefined ? [] : [{ first, last }];
    })
    .sort((one, other) => one.first - other.first);
  const spans: { first: number; last: number }[] = [];
  for (const range of ranges) {
    const span = spans.at(-1);
    const joins = span !== undefined && range.first - span.last <= widestGap && range.last - span.first < mostBits;
    if (joins) span.last = Math.max(span.last, range.last);
    else spans.push({ ...range });
  }
  return spans.map(({ first, last }) => ({ address: first, count: last - first + 1 }));
}
