/** Megabytes of photographs that the journal of the fault rounds keeps. */
export const PHOTOGRAPHS_MB = 3;
/** Bytes that may have been saved and not told. */
export const UNTOLD_PHOTOGRAPHS_BYTES = 100_000;
/** A fact that was remembered has to be recalled with this value, or a later one, after whatever comes. */
export const FACT = 'campaign/round';
