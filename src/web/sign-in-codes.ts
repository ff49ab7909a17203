import { createHash, randomInt, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../base/index.js';
import type { Role } from './accounts.js';

/** Without 0 O 1 I L and their like: the code is read aloud and typed on a phone. */
const alphabet = '23456789ABCDEFGHJKMNPQRSTUVWXYZ';
const codeLength = 8;
/** Codes are void after this many wrong guesses, however slowly they come. */
const mostWrongGuesses = 10;
const lifetimeMs = 24 * 3_600_000;

interface Issued {
  readonly digest: Buffer;
  readonly role: Role;
  readonly untilMs: number;
}

/**
 * One-time codes that let somebody set a password: the only way to a first account, and the way back in for one who
 * forgot. Whoever can read the console (or ask over the control socket) already has the box in hand.
 */
export class SignInCodes {
  readonly #clock: Clock;
  #issued: Issued[] = [];
  #wrongGuesses = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A new code like `K7QF-3MWP`, good once, for a day, until ten wrong guesses or a restart. */
  issue(role: Role): string {
    const letters = Array.from({ length: codeLength }, () => alphabet.charAt(randomInt(alphabet.length))).join('');
    this.#wrongGuesses = 0;
    this.#issued = [...this.#valid(), { digest: digest(letters), role, untilMs: this.#clock.monoMs() + lifetimeMs }].slice(-20);
    return `${letters.slice(0, 4)}-${letters.slice(4)}`;
  }

  /** The role a right code grants; the code stays good until `spend`. */
  check(code: string): Role | undefined {
    const entry = this.#find(code);
    if (entry === undefined && this.#issued.length > 0) {
      this.#wrongGuesses += 1;
      if (this.#wrongGuesses >= mostWrongGuesses) this.#issued = [];
    }
    return entry?.role;
  }

  spend(code: string): void {
    const entry = this.#find(code);
    this.#issued = this.#issued.filter((other) => other !== entry);
  }

  /** True while some code can be used. */
  get open(): boolean {
    return this.#valid().length > 0;
  }

  #valid(): Issued[] {
    const nowMs = this.#clock.monoMs();
    return this.#issued.filter((entry) => entry.untilMs > nowMs);
  }

  #find(code: string): Issued | undefined {
    const given = digest(code.toUpperCase().replace(/[^A-Z0-9]/gu, ''));
    return this.#valid().find((entry) => timingSafeEqual(entry.digest, given));
  }
}

function digest(letters: string): Buffer {
  return createHash('sha256').update(letters).digest();
}
