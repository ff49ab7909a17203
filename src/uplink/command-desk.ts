import { GateError, errorText, type Clock, type JsonObject, type Log } from '../base/index.js';
import type { Journal } from '../journal/index.js';
import { commandMessageSchema, type CommandMessage, type ReplyMessage } from './messages.js';
import type { CommandOutcome, Desk, GateCommand, Received } from './types.js';

/** A command names its end; further ahead than this is a mistake, and its id would have to be remembered for ever. */
const MOST_AHEAD_MS = 24 * 3_600_000;
/** An answer is remembered for this long after the command's expiry. */
const REMEMBER_MS = 24 * 3_600_000;
const MOST_BYTES = 8 * 1024;
/** Unreadable or repeated nonsense on record per minute; the rest is only logged, so that it cannot fill the disk. */
const MOST_REFUSALS_A_MINUTE = 20;
const KEY = 'command/';

export interface CommandDeskOptions {
  readonly journal: Journal;
  readonly epoch: number;
  readonly clock: Clock;
  readonly clockTrusted: () => boolean;
  readonly log: Log;
  readonly command: (command: GateCommand) => Promise<CommandOutcome>;
  readonly reply: (reply: ReplyMessage, correlation: Buffer | undefined) => void;
}

interface Remembered {
  readonly state: ReplyMessage['state'];
  readonly expiresMs: number;
  readonly lane: string;
  readonly issuer: string;
  readonly code?: string;
  readonly reason?: string;
}

/**
 * Takes commands in: checks, refuses, remembers, carries out at most once. A command is on disk before it acts, so that a
 * restart cannot make it act again; one that was cut off by a restart is answered as failed, for a person to look.
 */
export class CommandDesk implements Desk {
  readonly topic = 'command';
  readonly #options: CommandDeskOptions;
  readonly #known = new Map<string, Remembered>();
  #refusals = { sinceMs: 0, count: 0 };

  constructor(options: CommandDeskOptions) {
    this.#options = options;
  }

  /** Loads what is remembered; answers the commands that a restart cut off. */
  async start(): Promise<void> {
    const { journal } = this.#options;
    for (const [key, value] of await journal.recallAll(KEY)) {
      const id = key.slice(KEY.length);
      const entry = toRemembered(value);
      if (entry === undefined) continue;
      this.#known.set(id, entry);
      if (entry.state !== 'accepted') continue;
      const reason = 'the gate restarted while this command was carried out; look at the lane, then send a new command';
      await this.#end(id, entry, { outcome: 'failed', code: 'COMMAND_INTERRUPTED', reason }, undefined);
      await journal.append({ type: 'command.failed', lane: entry.lane, payload: { id, issuer: entry.issuer, code: 'COMMAND_INTERRUPTED', reason } });
    }
  }

  async handle({ payload, retained, correlation }: Received): Promise<void> {
    try {
      await this.#handle(payload, retained, correlation);
    } catch (error) {
      this.#options.log.error({ error: errorText(error) }, 'uplink: a command could not be handled');
    }
  }

  async #handle(payload: Uint8Array, retained: boolean, correlation: Buffer | undefined): Promise<void> {
    const parsed = parse(payload);
    if (parsed.command === undefined) return this.#refuse(parsed, 'COMMAND_INVALID', parsed.fault, correlation);
    const { command } = parsed;
    const { clock } = this.#options;
    const known = this.#known.get(command.id);
    if (retained && known !== undefined) return;
    if (retained) {
      // Remembered while this process lives: the broker hands the same message out at every reconnect.
      this.#known.set(command.id, { state: 'refused', expiresMs: clock.wallMs(), lane: command.lane, issuer: command.issuer, code: 'COMMAND_RETAINED' });
      return this.#refuse(command, 'COMMAND_RETAINED', 'a command must not be retained: it would act again at every reconnect; publish it with retain off', correlation);
    }
    if (known !== undefined) { this.#send(command.id, known, correlation); return; }
    const expiresMs = typeof command.expires === 'number' ? command.expires : Date.parse(command.expires);
    const leftMs = expiresMs - clock.wallMs();
    if (!this.#options.clockTrusted()) {
      return this.#refuse(command, 'COMMAND_REFUSED', "the gate's clock is not set yet, so it cannot tell whether the command is still valid; use the buttons at the gate", correlation);
    }
    if (leftMs <= 0) return this.#refuse(command, 'COMMAND_EXPIRED', `expired ${-Math.round(leftMs)} ms ago`, correlation);
    if (leftMs > MOST_AHEAD_MS) return this.#refuse(command, 'COMMAND_INVALID', 'expires more than 24 hours ahead', correlation);
    await this.#carryOut({ ...command, expiresMs }, correlation);
  }

  async #carryOut(command: GateCommand, correlation: Buffer | undefined): Promise<void> {
    const { journal, clock, log } = this.#options;
    const { id, issuer, lane, target, reason, expiresMs } = command;
    const accepted: Remembered = { state: 'accepted', expiresMs, lane, issuer };
    // Known from here on, before anything is awaited: a second copy on the wire must not slip through.
    this.#known.set(id, accepted);
    try {
      await Promise.all([
        journal.remember(KEY + id, { ...accepted }),
        journal.append({ type: 'command.accepted', lane, payload: { id, issuer, target, reason, expiresMs } }),
      ]);
    } catch (error) {
      return this.#end(id, accepted, { outcome: 'refused', code: 'COMMAND_REFUSED', reason: `the command cannot be put on record (${errorText(error)})` }, correlation);
    }
    if (expiresMs <= clock.wallMs()) {
      const late = 'expired while it was put on record';
      await journal.append({ type: 'command.refused', lane, payload: { id, issuer, code: 'COMMAND_EXPIRED', reason: late } });
      return this.#end(id, accepted, { outcome: 'refused', code: 'COMMAND_EXPIRED', reason: late }, correlation);
    }
    this.#send(id, accepted, correlation);
    let outcome: CommandOutcome;
    try {
      outcome = await this.#options.command({ id, issuer, lane, target, reason, expiresMs });
    } catch (error) {
      log.error({ id, lane, error: errorText(error) }, 'uplink: a command failed');
      outcome = { outcome: 'failed', code: error instanceof GateError ? error.code : 'COMMAND_REFUSED', reason: errorText(error) };
    }
    await this.#end(id, accepted, outcome, correlation);
    await this.#forgetOld();
  }

  async #end(id: string, entry: Remembered, outcome: CommandOutcome, correlation: Buffer | undefined): Promise<void> {
    const { expiresMs, lane, issuer } = entry;
    const ended: Remembered =
      outcome.outcome === 'done' ? { state: 'done', expiresMs, lane, issuer } : { state: outcome.outcome, expiresMs, lane, issuer, code: outcome.code, reason: outcome.reason };
    this.#known.set(id, ended);
    this.#send(id, ended, correlation);
    try {
      await this.#options.journal.remember(KEY + id, { ...ended });
    } catch (error) {
      this.#options.log.error({ id, error: errorText(error) }, 'uplink: how a command ended could not be remembered');
    }
  }

  /** A refusal before anything was remembered; on record, as long as it is not a flood. */
  async #refuse(about: { readonly id?: string; readonly issuer?: string; readonly lane?: string }, code: string, reason: string, correlation: Buffer | undefined): Promise<void> {
    const { clock, epoch, journal, log, reply } = this.#options;
    log.warn({ id: about.id, code, reason }, 'uplink: command refused');
    if (about.id !== undefined) {
      reply({ id: about.id, state: 'refused', code, reason, ...(about.lane === undefined ? {} : { lane: about.lane }), epoch, atMs: Math.round(clock.wallMs()) }, correlation);
    }
    const nowMs = clock.monoMs();
    if (nowMs - this.#refusals.sinceMs > 60_000) this.#refusals = { sinceMs: nowMs, count: 0 };
    this.#refusals.count += 1;
    if (this.#refusals.count > MOST_REFUSALS_A_MINUTE) return;
    await journal.append({ type: 'command.refused', ...(about.lane === undefined ? {} : { lane: about.lane }), payload: { id: about.id ?? null, issuer: about.issuer ?? null, code, reason } });
  }

  #send(id: string, entry: Remembered, correlation: Buffer | undefined): void {
    const { state, lane, code, reason } = entry;
    const { clock, epoch, reply } = this.#options;
    reply({ id, state, lane, ...(code === undefined ? {} : { code }), ...(reason === undefined ? {} : { reason }), epoch, atMs: Math.round(clock.wallMs()) }, correlation);
  }

  async #forgetOld(): Promise<void> {
    const { clock, clockTrusted, journal } = this.#options;
    if (!clockTrusted()) return;
    const oldestMs = clock.wallMs() - REMEMBER_MS;
    for (const [id, entry] of this.#known) {
      if (entry.expiresMs >= oldestMs || entry.state === 'accepted') continue;
      this.#known.delete(id);
      await journal.forget(KEY + id);
    }
  }
}

interface Parsed {
  readonly command?: CommandMessage;
  readonly id?: string;
  readonly fault: string;
}

function parse(payload: Uint8Array): Parsed {
  if (payload.byteLength > MOST_BYTES) return { fault: `${payload.byteLength} bytes; a command has at most ${MOST_BYTES}` };
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(payload).toString('utf8'));
  } catch {
    return { fault: 'no JSON' };
  }
  const result = commandMessageSchema.safeParse(value);
  if (result.success) return { command: result.data, fault: '' };
  const fault = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  const id = typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string' && value.id.length <= 64 ? value.id : undefined;
  return id === undefined ? { fault } : { id, fault };
}

function toRemembered(value: JsonObject): Remembered | undefined {
  const { state, expiresMs, lane, issuer, code, reason } = value;
  if (state !== 'accepted' && state !== 'done' && state !== 'failed' && state !== 'refused') return undefined;
  if (typeof expiresMs !== 'number' || typeof lane !== 'string' || typeof issuer !== 'string') return undefined;
  return { state, expiresMs, lane, issuer, ...(typeof code === 'string' ? { code } : {}), ...(typeof reason === 'string' ? { reason } : {}) };
}
