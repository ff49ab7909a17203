import type { Database } from 'better-sqlite3';
import type { ClockSource } from '../base/index.js';
import type { ClockKnowledge, StoredEvent } from './types.js';

/** A start of the journal on the monotonic clock of its machine's run. */
interface EpochClock {
  readonly epoch: number;
  readonly boot: string;
  readonly aheadMs: number;
  readonly startMs: number;
  readonly afterMs: number;
}

/** A moment at which wall time was known. */
interface KnownClock {
  readonly boot: string;
  readonly machineMs: number;
  readonly wallMs: number;
  readonly source: ClockSource;
}

/** Of a run of the machine whose clock never was known. */
interface Bounds {
  /** Wall time minus machine time is at least this: every start in the run came after what was on record then. */
  readonly leastOffsetMs: number;
  /** The run was over when a later one began. */
  readonly overMs: number;
}

/** How far the moments of one run of the machine are to be relied on; the better ones replace the others. */
const RANKS: Readonly<Record<ClockSource, number>> = { assumed: 0, rtc: 1, service: 2, reference: 2, ntp: 2, gnss: 2 };

/** What is known of the time of an event that was recorded under a clock that was not trusted. */
export type Correction = Pick<StoredEvent, 'correctedWallMs' | 'wallNotBeforeMs' | 'wallNotAfterMs'>;

/**
 * What is known of wall time in each run of the machine. Monotonic time is the machine's, so one moment at which wall time
 * was known dates every event of that run, also those of a daemon that was killed before. Where it never was known, the
 * runs around bound it. The view `readable_event` says the same in SQL.
 */
export class EpochClocks {
  readonly #db: Database;
  #epochs: ReadonlyMap<number, EpochClock> | undefined;
  #known: ReadonlyMap<string, readonly KnownClock[]> = new Map();
  readonly #bounds = new Map<number, Bounds>();

  constructor(db: Database) {
    this.#db = db;
  }

  /** A boot epoch begins; part of the transaction that begins it. */
  begin(clock: EpochClock): void {
    this.#db.prepare('INSERT OR IGNORE INTO epoch_clock (epoch, boot, ahead_ms, start_ms, after_ms) VALUES (@epoch, @boot, @aheadMs, @startMs, @afterMs)').run(clock);
    this.#epochs = undefined;
  }

  /** Wall time is known at a moment of an epoch; part of the transaction that says so. */
  know(epoch: number, { wallMs, monoMs, source }: ClockKnowledge): void {
    const clock = this.#load().get(epoch);
    if (clock === undefined) return;
    const before = this.#known.get(clock.boot) ?? [];
    const best = Math.max(-1, ...before.map((moment) => RANKS[moment.source]));
    const rank = RANKS[source];
    if (rank < best) return;
    if (rank > best) this.#db.prepare('DELETE FROM known_clock WHERE boot = ?').run(clock.boot);
    this.#db.prepare('INSERT OR REPLACE INTO known_clock (boot, machine_ms, wall_ms, source) VALUES (?, ?, ?, ?)').run(clock.boot, monoMs + clock.aheadMs, Math.round(wallMs), source);
    this.#epochs = undefined;
  }

  /** Times after `wallMs` on record were wrong; part of the transaction that says so. */
  doubt(wallMs: number): void {
    this.#db.prepare('DELETE FROM known_clock WHERE wall_ms > ?').run(Math.round(wallMs));
    this.#db.prepare('UPDATE epoch_clock SET after_ms = 0 WHERE after_ms > ?').run(Math.round(wallMs));
    this.#epochs = undefined;
  }

  /** A transaction failed: what was read may never have been. */
  forget(): void {
    this.#epochs = undefined;
  }

  /** The last moment at which wall time was known in the epoch's run of the machine, in the epoch's monotonic time. */
  last(epoch: number): ClockKnowledge | null {
    const clock = this.#load().get(epoch);
    const known = clock === undefined ? undefined : this.#known.get(clock.boot)?.at(-1);
    return clock === undefined || known === undefined ? null : { wallMs: known.wallMs, monoMs: known.machineMs - clock.aheadMs, source: known.source };
  }

  /** Earlier epochs of the same run of the machine, and what their monotonic time is behind that of `epoch`, ms. */
  sameBoot(epoch: number): { readonly epoch: number; readonly behindMs: number }[] {
    const own = this.#load().get(epoch);
    if (own === undefined) return [];
    return [...this.#load().values()].filter((other) => other.boot === own.boot && other.epoch < epoch).map((other) => ({ epoch: other.epoch, behindMs: other.aheadMs - own.aheadMs }));
  }

  /** Empty where nothing is known, or the journal is of a version without these tables. */
  correct({ epoch, monoMs }: Pick<StoredEvent, 'epoch' | 'monoMs'>): Correction {
    const clock = this.#load().get(epoch);
    if (clock === undefined) return {};
    const machineMs = monoMs + clock.aheadMs;
    const known = this.#known.get(clock.boot) ?? [];
    const near = known.find((moment) => moment.machineMs >= machineMs) ?? known.at(-1);
    if (near !== undefined) return { correctedWallMs: Math.round(near.wallMs + machineMs - near.machineMs) };
    const { leastOffsetMs, overMs } = this.#boundsOf(clock);
    return {
      ...(leastOffsetMs === -Infinity ? {} : { wallNotBeforeMs: Math.floor(machineMs + leastOffsetMs) }),
      ...(overMs === Infinity ? {} : { wallNotAfterMs: Math.ceil(overMs) }),
    };
  }

  #boundsOf(clock: EpochClock): Bounds {
    const before = this.#bounds.get(clock.epoch);
    if (before !== undefined) return before;
    let [leastOffsetMs, overMs] = [-Infinity, Infinity];
    for (const other of this.#load().values()) {
      if (other.boot === clock.boot) {
        if (other.afterMs > 0) leastOffsetMs = Math.max(leastOffsetMs, other.afterMs - other.startMs);
      } else if (other.epoch > clock.epoch) {
        const first = this.#known.get(other.boot)?.[0];
        if (first !== undefined) overMs = Math.min(overMs, first.wallMs - first.machineMs);
      }
    }
    const bounds = { leastOffsetMs, overMs };
    this.#bounds.set(clock.epoch, bounds);
    return bounds;
  }

  #load(): ReadonlyMap<number, EpochClock> {
    if (this.#epochs !== undefined) return this.#epochs;
    this.#bounds.clear();
    const epochs = new Map<number, EpochClock>();
    const known = new Map<string, KnownClock[]>();
    if (this.#db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'known_clock'").get() !== undefined) {
      for (const row of this.#db.prepare<[], EpochClock>('SELECT epoch, boot, ahead_ms AS aheadMs, start_ms AS startMs, after_ms AS afterMs FROM epoch_clock ORDER BY epoch').all()) epochs.set(row.epoch, row);
      for (const row of this.#db.prepare<[], KnownClock>('SELECT boot, machine_ms AS machineMs, wall_ms AS wallMs, source FROM known_clock ORDER BY boot, machine_ms').all()) {
        known.set(row.boot, [...(known.get(row.boot) ?? []), row]);
      }
    }
    this.#epochs = epochs;
    this.#known = known;
    return epochs;
  }
}

/** Whether a moment is to be relied on as much as one before it. */
export function asGood(one: ClockKnowledge, before: ClockKnowledge | null): boolean {
  return before === null || RANKS[one.source] >= RANKS[before.source];
}
