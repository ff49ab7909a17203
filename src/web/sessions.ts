import { createHash, randomBytes } from 'node:crypto';
import type { Clock } from '../base/index.js';
import type { Account } from './accounts.js';

/** A guard's shift; every request renews it. */
export const sessionIdleMs = 12 * 3_600_000;
const mostSessions = 100;

interface Session {
  readonly account: Account;
  untilMs: number;
}

/** Signed-in browsers, in memory only: a restart signs everybody out, and no file holds a key to the barrier. */
export class SessionStore {
  readonly #clock: Clock;
  readonly #sessions = new Map<string, Session>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins a session; returns the token for the cookie. The oldest gives way when there are too many. */
  begin(account: Account): string {
    const token = randomBytes(32).toString('base64url');
    const oldest = this.#sessions.keys().next();
    if (this.#sessions.size >= mostSessions && oldest.done !== true) this.#sessions.delete(oldest.value);
    this.#sessions.set(keyOf(token), { account, untilMs: this.#clock.monoMs() + sessionIdleMs });
    return token;
  }

  /** Who holds this token; renews the session. */
  find(token: string): Account | undefined {
    const key = keyOf(token);
    const session = this.#sessions.get(key);
    if (session === undefined) return undefined;
    if (session.untilMs <= this.#clock.monoMs()) {
      this.#sessions.delete(key);
      return undefined;
    }
    session.untilMs = this.#clock.monoMs() + sessionIdleMs;
    return session.account;
  }

  end(token: string): void {
    this.#sessions.delete(keyOf(token));
  }

  /** Ends every session of an account, after its password changed. */
  endAll(name: string): void {
    for (const [key, session] of this.#sessions) if (session.account.name === name) this.#sessions.delete(key);
  }
}

/** Tokens are looked up by digest, so that comparing them tells nothing by its timing. */
function keyOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}
