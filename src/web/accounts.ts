import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hash, verify } from '@node-rs/argon2';
import * as z from 'zod/mini';
import { GateError, errorText } from '../base/index.js';

/** A guard watches and orders lanes; a technician may also invite people. */
export type Role = 'guard' | 'technician';

export interface Account {
  readonly name: string;
  readonly role: Role;
}

const fileSchema = z.object({
  version: z.literal(1),
  accounts: z.array(z.object({ name: z.string(), role: z.enum(['guard', 'technician']), passwordHash: z.string() })),
});
type StoredAccount = z.infer<typeof fileSchema>['accounts'][number];

/** OWASP's second recommended argon2id setting: 19 MiB, two passes, one lane; about 30 ms of one core here. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

export const leastPasswordLength = 8;

/**
 * Who may sign in: one small file (mode 0600) with argon2id hashes. Hashing runs on libuv's pool, so a password check
 * never holds up the event loop that moves booms.
 */
export class AccountStore {
  readonly #path: string;
  #accounts = new Map<string, StoredAccount>();
  /** Compared against for unknown names, so that timing does not tell which names exist. */
  #decoyHash = '';
  /** Settles when the checks so far are through. */
  #turn: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Reads the file. A missing one is a gate nobody has signed in to yet. Rejects with `CONFIG_INVALID`. */
  async start(): Promise<void> {
    this.#decoyHash = await hash('a password nobody has', cost);
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (cause) {
      if (isMissing(cause)) return;
      throw new GateError('CONFIG_UNREADABLE', `The accounts in ${this.#path} cannot be read: ${errorText(cause)}. Check the file's owner and mode.`, { path: this.#path }, cause);
    }
    const parsed = parseAccounts(text);
    if (parsed === undefined) {
      throw new GateError(
        'CONFIG_INVALID',
        `The accounts in ${this.#path} are damaged. Move the file away and start again: the console then prints a new sign-in code.`,
        { path: this.#path },
      );
    }
    this.#accounts = new Map(parsed.map((account) => [account.name, account]));
  }

  /** True until the first password is set. */
  get empty(): boolean {
    return this.#accounts.size === 0;
  }

  list(): readonly Account[] {
    return [...this.#accounts.values()].map(({ name, role }) => ({ name, role }));
  }

  /** The account, where the password is right. */
  async check(name: string, password: string): Promise<Account | undefined> {
    const account = this.#accounts.get(name);
    // One at a time: checks side by side would take the processors and libuv's pool from the barrier's process.
    const right = await this.#inTurn(() => verify(account?.passwordHash ?? this.#decoyHash, password));
    return right && account !== undefined ? { name: account.name, role: account.role } : undefined;
  }

  #inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const mine = this.#turn.then(work);
    this.#turn = mine.then(
      () => undefined,
      () => undefined,
    );
    return mine;
  }

  /** Creates an account or sets its password and role anew; durable when it resolves. */
  async set(name: string, role: Role, password: string): Promise<Account> {
    const passwordHash = await hash(password, cost);
    this.#accounts.set(name, { name, role, passwordHash });
    const text = `${JSON.stringify({ version: 1, accounts: [...this.#accounts.values()] }, undefined, 2)}\n`;
    await mkdir(dirname(this.#path), { recursive: true });
    const fresh = `${this.#path}.new`;
    await writeFile(fresh, text, { mode: 0o600, flush: true });
    // An older file with a wider mode keeps it through writeFile.
    await chmod(fresh, 0o600);
    await rename(fresh, this.#path);
    return { name, role };
  }
}

function parseAccounts(text: string): readonly StoredAccount[] | undefined {
  try {
    const parsed = fileSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data.accounts : undefined;
  } catch {
    return undefined;
  }
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}
