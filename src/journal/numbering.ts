import { randomInt } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EVIDENCE_NAME } from './evidence-store.js';
import { systemCode } from './files.js';
import { FIRST_BOUND_BYTES } from './sequence-guard.js';

/**
 * How numbers stay unique where it is not known which were used. While the database or its guard is there, the next epoch
 * is one above the last and sequences go on. Where neither can be relied on (both lost, restored from a backup, a database
 * without its guard), epoch and sequence are taken by time and chance, further on than a gate gets in its life.
 */

const YEAR_2020_MS = 1_577_836_800_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Epochs to choose from by chance within one minute: a box without a battery clock may believe in the same minute twice. */
const EPOCHS_A_MINUTE = 2 ** 20;

/** More sequences than a gate uses between a backup and the loss after it: ten events a second for three years. */
const UNKNOWN_SEQUENCES = 1_000_000_000;
/** Sequences to choose from by chance, and those between one hour and the next. */
const SEQUENCES_AN_HOUR = 10_000_000_000;
/** Until 2099. A clock may believe in any year; above it a fifth of the numbers below 2^53 are left. */
const MOST_HOURS = 700_000;

/**
 * An epoch that no other start of this gate has had, above those taken earlier by a clock that was right: minutes since
 * 2020 × 2^20, and 20 bits of chance. Stays below 2^53 until the year 18,000.
 */
export function unusedEpoch(wallMs: number): number {
  return (1 + Math.max(0, Math.floor((wallMs - YEAR_2020_MS) / MINUTE_MS))) * EPOCHS_A_MINUTE + randomInt(EPOCHS_A_MINUTE);
}

/**
 * A sequence above any that was used where a journal is known up to `bound` only: by the hours since 2020, so that of several
 * boxes that went on from one copy the later one is above, and by chance, because a box without a battery clock may believe
 * in the same hour as another. Stays below 2^53.
 * @param bound 0 where nothing is known
 */
export function unusedSequence(bound: number, wallMs: number): number {
  const hours = Math.min(MOST_HOURS, Math.max(0, Math.floor((wallMs - YEAR_2020_MS) / HOUR_MS)));
  return Math.max(bound + UNKNOWN_SEQUENCES, (1 + hours) * SEQUENCES_AN_HOUR) + randomInt(SEQUENCES_AN_HOUR);
}

/** What a journal leaves behind besides its database; what a first start makes until it has begun does not count. */
const TRACES = ['ballast', 'damaged', 'replaced', 'backup'];

/** Whether a directory without a database and without a readable guard was a journal before. */
export function hasServed(directory: string): boolean {
  const guard = statSync(join(directory, 'sequence.guard'), { throwIfNoEntry: false });
  if ((guard?.size ?? 0) > FIRST_BOUND_BYTES) return true;
  if (TRACES.some((name) => statSync(join(directory, name), { throwIfNoEntry: false }) !== undefined)) return true;
  try {
    return readdirSync(join(directory, EVIDENCE_NAME)).length > 0;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}
