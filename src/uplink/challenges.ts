import { randomBytes } from 'node:crypto';

/** Longest life of a challenge, ms. */
export const CHALLENGE_MS = 60_000;
/** A new nonce is made at most this often, so that those in use stay few. */
const FRESH_MS = 5_000;

export interface Challenge {
  readonly nonce: string;
  /** How long after its making a command may name it, ms. */
  readonly validMs: number;
}

/**
 * Proof of freshness without a clock: a command that names a number this gate has just made up cannot be older than that
 * number. Ages are monotonic time; nothing is kept over a restart.
 */
export class Challenges {
  #issued: { readonly nonce: string; readonly atMs: number }[] = [];

  issue(monoMs: number): Challenge {
    this.#issued = this.#issued.filter(({ atMs }) => monoMs - atMs < CHALLENGE_MS);
    let latest = this.#issued.at(-1);
    if (latest === undefined || monoMs - latest.atMs >= FRESH_MS) {
      latest = { nonce: randomBytes(16).toString('base64url'), atMs: monoMs };
      this.#issued.push(latest);
    }
    return { nonce: latest.nonce, validMs: CHALLENGE_MS };
  }

  /** When a command with this nonce ends, monotonic ms; undefined for a nonce that this gate did not make, or long ago. */
  endMs(nonce: string, withinMs: number): number | undefined {
    const issued = this.#issued.find((other) => other.nonce === nonce);
    return issued === undefined ? undefined : issued.atMs + Math.min(withinMs, CHALLENGE_MS);
  }
}
