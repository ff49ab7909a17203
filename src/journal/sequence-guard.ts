import { closeSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { FILE_MODE, syncDirectory, systemCode } from './files.js';
import { seal, unseal } from './seal.js';

/** What must outlive the database, so that a lost, replaced or truncated one cannot issue a number twice. */
export interface GuardMark {
  /** Boot epoch in use. */
  readonly epoch: number;
  /** Sequences up to here may have been used. */
  readonly reserved: number;
  /** Sequences up to here were durable when this was written. */
  readonly used: number;
  readonly acknowledged: number;
  /** Retention has removed events up to here; 0 where it was written by a release before. */
  readonly pruned?: number;
}

const SLOT_BYTES = 512;
/** Slots lie on sectors of their own, so that a torn write hurts one of them. */
const SLOT_STRIDE = 4096;
/** A guard no longer than this has had its first bound at most: perhaps of a first start that was cut off while it wrote it. */
export const FIRST_BOUND_BYTES = SLOT_BYTES;
/** Slots 0 and 1 take synced marks in turn; slot 2 takes the unsynced hint after each commit. */
const HINT_SLOT = 2;

interface Slot extends GuardMark {
  readonly generation: number;
}

/**
 * The file `sequence.guard`. Bounds are synced before a number below them is used. The hint is written after each commit
 * without a sync: it costs microseconds, and after anything but a power cut it says exactly how far the journal had come,
 * so a database that knows less has lost something.
 */
export class SequenceGuard {
  readonly #handle: number;
  #generation: number;
  /** The slot of the two that the next bound goes to: never the one of the last bound, which a torn write must not hurt. */
  #next: 0 | 1;
  #mark: GuardMark | undefined;

  private constructor(handle: number, slots: Slots) {
    this.#handle = handle;
    const [one, other] = slots;
    this.#generation = Math.max(0, ...slots.map((slot) => slot?.generation ?? 0));
    this.#next = (one?.generation ?? 0) <= (other?.generation ?? 0) ? 0 : 1;
    this.#mark = highest(slots);
  }

  static open(path: string): SequenceGuard {
    let handle: number;
    try {
      handle = openSync(path, 'r+');
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      handle = openSync(path, 'wx+', FILE_MODE);
      syncDirectory(dirname(path));
    }
    return new SequenceGuard(handle, readSlots(handle));
  }

  /** The mark of a guard that another process or thread may hold; undefined where there is none. */
  static read(path: string): GuardMark | undefined {
    let handle: number;
    try {
      handle = openSync(path, 'r');
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      return undefined;
    }
    try {
      return highest(readSlots(handle));
    } finally {
      closeSync(handle);
    }
  }

  /** Undefined for a new gate, or where the file was lost. */
  get mark(): GuardMark | undefined {
    return this.#mark;
  }

  /** Written and synced: from now on numbers below these bounds may be used. */
  bound(mark: GuardMark): void {
    this.#generation += 1;
    this.#write(this.#next, mark);
    fsyncSync(this.#handle);
    this.#next = this.#next === 0 ? 1 : 0;
  }

  /** Written without a sync. */
  hint(mark: GuardMark): void {
    this.#generation += 1;
    this.#write(HINT_SLOT, mark);
  }

  close(): void {
    closeSync(this.#handle);
  }

  #write(slot: number, mark: GuardMark): void {
    const text = JSON.stringify({ generation: this.#generation, epoch: mark.epoch, reserved: mark.reserved, used: mark.used, acknowledged: mark.acknowledged, pruned: mark.pruned ?? 0 });
    const line = `${seal(text).padEnd(SLOT_BYTES - 1, ' ')}\n`;
    writeSync(this.#handle, line, slot * SLOT_STRIDE, 'latin1');
    this.#mark = mark;
  }
}

/** The two of the bounds and the hint; undefined for one that is torn or was never written. */
type Slots = readonly [Slot | undefined, Slot | undefined, Slot | undefined];

function readSlots(handle: number): Slots {
  return [readSlot(handle, 0), readSlot(handle, 1), readSlot(handle, HINT_SLOT)];
}

function highest(found: Slots): GuardMark | undefined {
  const slots = found.filter((slot) => slot !== undefined);
  if (slots.length === 0) return undefined;
  return {
    epoch: Math.max(...slots.map((slot) => slot.epoch)),
    reserved: Math.max(...slots.map((slot) => slot.reserved)),
    used: Math.max(...slots.map((slot) => slot.used)),
    acknowledged: Math.max(...slots.map((slot) => slot.acknowledged)),
    pruned: Math.max(...slots.map((slot) => slot.pruned ?? 0)),
  };
}

function readSlot(handle: number, index: number): Slot | undefined {
  const bytes = Buffer.alloc(SLOT_BYTES);
  const read = readSync(handle, bytes, 0, SLOT_BYTES, index * SLOT_STRIDE);
  const text = unseal(bytes.toString('latin1', 0, read).trimEnd());
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  return isSlot(value) ? value : undefined;
}

function isSlot(value: unknown): value is Slot {
  if (typeof value !== 'object' || value === null) return false;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  return ['generation', 'epoch', 'reserved', 'used', 'acknowledged'].every((name) => Number.isSafeInteger(fields[name])) && Number.isSafeInteger(fields['pruned'] ?? 0);
}
