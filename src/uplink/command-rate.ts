import type { CommandMessage } from './messages.js';

export interface RateSettings {
  /** Commands that may come at once. */
  readonly burst: number;
  readonly perMinute: number;
}

/** Issuers with an allowance of their own; those beyond share one, so that made-up names gain nothing. */
const MOST_ISSUERS = 64;
const OTHERS = '';
/** Allowance of the urgent targets, for each lane and target. */
const URGENT: RateSettings = { burst: 10, perMinute: 60 };
/** Answers from memory to commands that come again, so that they cannot hold up events. */
const REPEATS: RateSettings = { burst: 60, perMinute: 600 };

/**
 * Targets that must not wait: for no other command's allowance, and for no disk. Both only make safe: `fire` opens and
 * holds, `stop` ends a movement.
 */
export function isUrgent(target: CommandMessage['target']): boolean {
  return target === 'fire' || target === 'stop';
}

class Bucket {
  readonly #settings: RateSettings;
  #tokens: number;
  #atMs: number;

  constructor(settings: RateSettings, nowMs: number) {
    this.#settings = settings;
    this.#tokens = settings.burst;
    this.#atMs = nowMs;
  }

  full(nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#tokens >= this.#settings.burst;
  }

  /** @returns ms until there is one again; 0 where it was given */
  take(nowMs: number): number {
    this.#fill(nowMs);
    if (this.#tokens < 1) return Math.ceil(((1 - this.#tokens) * 60_000) / this.#settings.perMinute);
    this.#tokens -= 1;
    return 0;
  }

  #fill(nowMs: number): void {
    this.#tokens = Math.min(this.#settings.burst, this.#tokens + ((nowMs - this.#atMs) * this.#settings.perMinute) / 60_000);
    this.#atMs = nowMs;
  }
}

/**
 * How many commands an issuer may send: token buckets over monotonic time.
 *
 * `fire` and `stop` have an allowance of their own for each lane and target, whoever asks. A `fire` that is refused here
 * is therefore one of more than ten, and another one for the same lane was taken within the last second: the boom has
 * been told. No flood of other commands, by anybody, keeps a `fire` out.
 */
export class CommandRate {
  readonly #settings: RateSettings;
  readonly #issuers = new Map<string, Bucket>();
  readonly #urgent = new Map<string, Bucket>();
  #repeats: Bucket | undefined;

  constructor(settings: RateSettings) {
    this.#settings = settings;
  }

  /**
   * @param known whether the lane exists: the urgent allowance is for lanes, not for names
   * @returns ms until the next command will be taken; 0 where this one is
   */
  take({ issuer, lane, target }: CommandMessage, known: boolean, nowMs: number): number {
    return (known && isUrgent(target) ? this.#urgentBucket(`${target} ${lane}`, nowMs) : this.#issuerBucket(issuer, nowMs)).take(nowMs);
  }

  /** Whether a command that came again is answered once more. */
  mayRepeat(nowMs: number): boolean {
    this.#repeats ??= new Bucket(REPEATS, nowMs);
    return this.#repeats.take(nowMs) === 0;
  }

  #urgentBucket(name: string, nowMs: number): Bucket {
    const bucket = this.#urgent.get(name) ?? new Bucket(URGENT, nowMs);
    this.#urgent.set(name, bucket);
    return bucket;
  }

  #issuerBucket(issuer: string, nowMs: number): Bucket {
    let name = issuer;
    if (!this.#issuers.has(name) && this.#issuers.size >= MOST_ISSUERS) {
      for (const [other, bucket] of this.#issuers) if (bucket.full(nowMs)) this.#issuers.delete(other);
      if (this.#issuers.size >= MOST_ISSUERS) name = OTHERS;
    }
    const bucket = this.#issuers.get(name) ?? new Bucket(this.#settings, nowMs);
    this.#issuers.set(name, bucket);
    return bucket;
  }
}
