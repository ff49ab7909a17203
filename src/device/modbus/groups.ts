/** A run of bits or registers to read with one request. */
export interface Span {
  readonly address: number;
  readonly count: number;
}

export interface SpanLimits {
  /** Most that one request may ask for. */
  readonly most: number;
  /** Boards that answer only requests for exactly so many, from a multiple of it. */
  readonly block?: number;
}

/** What lies further apart than this is read apart: boards tend to have nothing in between and refuse the whole request. */
const widestGap = 8;

/**
 * Packs addresses into as few requests as make sense. Addresses of one line stay together.
 * @param wanted addresses of each line, ascending
 */
export function groupAddresses(wanted: readonly (readonly number[])[], { most, block }: SpanLimits): readonly Span[] {
  const ranges = wanted
    .flatMap((addresses) => {
      const first = addresses[0];
      const last = addresses.at(-1);
      return first === undefined || last === undefined ? [] : [{ first, last }];
    })
    .sort((one, other) => one.first - other.first);
  if (block !== undefined) {
    const starts = new Set(ranges.flatMap(({ first, last }) => [first, last]).map((address) => address - (address % block)));
    return [...starts].sort((one, other) => one - other).map((address) => ({ address, count: block }));
  }
  const spans: { first: number; last: number }[] = [];
  for (const range of ranges) {
    const span = spans.at(-1);
    const joins = span !== undefined && range.first - span.last <= widestGap && range.last - span.first < most;
    if (joins) span.last = Math.max(span.last, range.last);
    else spans.push({ ...range });
  }
  return spans.map(({ first, last }) => ({ address: first, count: last - first + 1 }));
}
