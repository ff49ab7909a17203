import { createHash } from 'node:crypto';
import { GateError, errorText, type Clock, type JsonObject, type Log } from '../base/index.js';
import type { Journal, NewEvent } from '../journal/index.js';
import { Challenges } from './challenges.js';
import { CommandMemory, MOST_REMEMBERED, rememberedOf, type Remembered } from './command-memory.js';
import { CommandRate, isUrgent, type RateSettings } from './command-rate.js';
import type { CommandKeys } from './command-signature.js';
import { commandMessageSchema, jsonObjectSchema, type CommandMessage, type ReplyMessage } from './messages.js';
import type { CommandOutcome, Desk, GateCommand, Received } from './types.js';

/** A command names its end; further ahead than this is a mistake, and its id would have to be remembered for ever. */
const MOST_AHEAD_MS = 24 * 3_600_000;
const MOST_BYTES = 8 * 1024;
/** Refusals on record per minute; the rest is only logged and counted, so that it cannot fill the disk. */
const MOST_RECORDED_A_MINUTE = 20;
/** Refusals answered per minute, so that they cannot hold up events. */
const MOST_ANSWERED_A_MINUTE = 600;
/** Command events looked through at a start for the ends of commands that a restart cut off. */
const LOOK_BACK = 500;

export interface CommandDeskOptions {
  readonly journal: Journal;
  readonly epoch: number;
  readonly clock: Clock;
  readonly clockTrusted: () => boolean;
  readonly log: Log;
  readonly keys: CommandKeys;
  readonly rate: RateSettings;
  /** The gate's lanes; any name is one where omitted. */
  readonly lanes?: readonly string[] | undefined;
  readonly command: (command: GateCommand) => Promise<CommandOutcome>;
  readonly reply: (reply: ReplyMessage, correlation: Buffer | undefined) => void;
}

interface Refusal {
  readonly code: string;
  readonly reason: string;
  /** Handed out with the answer, for a command that can prove its freshness with it. */
  readonly challenge?: ReplyMessage['challenge'];
}

interface Accepted {
  readonly expiresMs: number;
  /** The command must have begun by then, monotonic ms. */
  readonly endMs: number;
}

/** What a refusal can tell of the command, as far as it could be read. */
interface About {
  readonly id?: string;
  readonly issuer?: string;
  readonly lane?: string;
  readonly target?: string;
}

/**
 * Takes commands in: checks, refuses, remembers, carries out at most once. A command is on disk before it acts, so that a
 * restart cannot make it act again; one that was cut off by a restart is answered as failed, for a person to look. `fire`
 * and `stop` alone are handed to the journal and act at once: they wait for no disk, and doing them twice does no harm.
 *
 * A command acts only while it is known to be fresh. With a trusted clock its expiry says so. Without one every target is
 * refused, `fire` and `stop` too, because a replayed one cannot be told from a new one; the refusal carries a challenge,
 * and a command that names it is as old as the challenge at most.
 */
export class CommandDesk implements Desk {
  readonly topic = 'command';
  readonly #options: CommandDeskOptions;
  readonly #memory: CommandMemory;
  readonly #rate: CommandRate;
  readonly #challenges = new Challenges();
  readonly #refusals = { sinceMs: -Infinity, count: 0, unrecorded: 0 };
  #retained = '';

  constructor(options: CommandDeskOptions) {
    this.#options = options;
    this.#memory = new CommandMemory(options.journal, options.log);
    this.#rate = new CommandRate(options.rate);
  }

  /** Loads what is remembered; answers the commands that a restart cut off, on record or, on a disk that fails, without. */
  async start(): Promise<void> {
    const open = await this.#memory.load();
    if (open.length === 0) return;
    const ends = await this.#endsOnRecord();
    for (const [id, entry] of open) {
      const { lane, issuer, target } = entry;
      const known = ends.get(id);
      if (known !== undefined) {
        await this.#end(id, entry, known, undefined);
        continue;
      }
      const reason = 'the gate restarted while this command was carried out; look at the lane, then send a new command';
      try {
        await this.#record({ type: 'command.failed', lane, payload: { id, issuer, ...(target === undefined ? {} : { target }), code: 'COMMAND_INTERRUPTED', reason } });
      } catch (error) {
        this.#options.log.error({ id, error: errorText(error) }, 'uplink: that a restart cut a command off could not be put on record');
      }
      await this.#end(id, entry, { outcome: 'failed', code: 'COMMAND_INTERRUPTED', reason }, undefined);
    }
  }

  async handle({ topic, payload, retained, correlation }: Received): Promise<void> {
    try {
      if (retained && this.#knowsRetained(payload)) return;
      await this.#handle(topic, payload, retained, correlation);
    } catch (error) {
      this.#options.log.error({ error: errorText(error) }, 'uplink: a command could not be handled');
    }
  }

  /** The broker hands the same retained message out at every reconnect; it keeps one a topic. */
  #knowsRetained(payload: Uint8Array): boolean {
    const digest = createHash('sha256').update(payload).digest('hex');
    const known = digest === this.#retained;
    this.#retained = digest;
    return known;
  }

  async #handle(topic: string, payload: Uint8Array, retained: boolean, correlation: Buffer | undefined): Promise<void> {
    const { clock, clockTrusted, keys } = this.#options;
    const parsed = parse(payload);
    if (parsed.command === undefined) {
      await this.#refuse(parsed, { code: 'COMMAND_INVALID', reason: parsed.fault }, correlation);
      return;
    }
    const { command, raw } = parsed;
    // Before the id is looked at: who cannot sign must neither use an id up nor learn what became of one.
    const signed = keys.check(raw, command, { wallMs: clock.wallMs(), clockTrusted: clockTrusted() });
    if ('code' in signed) {
      await this.#refuse(command, signed, correlation);
      return;
    }
    const known = this.#memory.get(command.id);
    if (known !== undefined) {
      if (retained) return;
      if (sameCommand(known, command)) {
        if (this.#rate.mayRepeat(clock.monoMs())) this.#send(command.id, known, correlation);
      } else {
        await this.#refuse(command, { code: 'COMMAND_DUPLICATE', reason: `the id was used before, for ${known.target ?? 'a command'} of lane ${known.lane} by ${known.issuer}; give every command an id of its own` }, correlation);
      }
      return;
    }
    const judged = this.#judge(command, retained);
    if ('code' in judged) return this.#refuseForGood(command, judged, correlation);
    if (!this.#makeRoom() && !isUrgent(command.target)) {
      await this.#refuse(command, { code: 'COMMAND_RATE_LIMITED', reason: `${MOST_REMEMBERED} commands that are still valid are remembered already; give commands shorter lives` }, correlation);
      return;
    }
    await this.#carryOut(command, judged, signed.key, correlation);
  }

  #judge(command: CommandMessage, retained: boolean): Refusal | Accepted {
    const { clock, clockTrusted, lanes } = this.#options;
    const { issuer, lane, challenge } = command;
    const nowMs = clock.monoMs();
    if (retained) return { code: 'COMMAND_RETAINED', reason: 'a command must not be retained: it would act again at every reconnect; publish it with retain off' };
    const known = lanes?.includes(lane) ?? true;
    const waitMs = this.#rate.take(command, known, nowMs);
    if (waitMs > 0) return { code: 'COMMAND_RATE_LIMITED', reason: `too many commands from ${issuer}; send a new one in ${Math.ceil(waitMs / 1_000)} s` };
    if (!known) return { code: 'LANE_UNKNOWN', reason: `this gate has no lane "${lane}"; it has ${lanes?.join(', ') ?? 'none'}` };
    const expiresMs = expiryOf(command);
    const trusted = clockTrusted();
    if (challenge === undefined && !trusted) {
      return { code: 'COMMAND_CLOCK_UNSET', reason: "the gate's clock is not set yet, so it cannot tell whether the command is still valid; send a new command that names this challenge", challenge: this.#challenges.issue(nowMs) };
    }
    let endMs = Infinity;
    if (challenge !== undefined) {
      const until = this.#challenges.endMs(challenge.nonce, challenge.withinMs);
      if (until === undefined || until <= nowMs) return { code: 'COMMAND_EXPIRED', reason: 'the challenge it names is too old or not of this start; send a new command that names this one', challenge: this.#challenges.issue(nowMs) };
      endMs = until;
    }
    if (!trusted) return { expiresMs, endMs };
    const leftMs = expiresMs - clock.wallMs();
    if (leftMs <= 0) return { code: 'COMMAND_EXPIRED', reason: `expired ${-Math.round(leftMs)} ms ago` };
    if (leftMs > MOST_AHEAD_MS) return { code: 'COMMAND_INVALID', reason: 'expires more than 24 hours ahead' };
    return { expiresMs, endMs: Math.min(endMs, nowMs + leftMs) };
  }

  async #carryOut(command: CommandMessage, { expiresMs, endMs }: Accepted, key: string | undefined, correlation: Buffer | undefined): Promise<void> {
    const { clock, clockTrusted, log } = this.#options;
    const { id, issuer, lane, target, reason } = command;
    const accepted: Remembered = { state: 'accepted', ...rememberedOf(command, expiresMs) };
    const recorded = Promise.all([
      this.#memory.keep(id, accepted, endMs),
      this.#record({ type: 'command.accepted', lane, payload: { id, issuer, target, reason, expiresMs, ...(key === undefined ? {} : { key }) } }),
    ]);
    if (isUrgent(target)) {
      recorded.catch((error: unknown) => log.error({ id, lane, target, error: errorText(error) }, 'uplink: an urgent command acts without being on record'));
    } else {
      try {
        await recorded;
      } catch (error) {
        return this.#end(id, accepted, { outcome: 'refused', code: 'COMMAND_REFUSED', reason: `the command cannot be put on record (${errorText(error)})` }, correlation);
      }
      if (clock.monoMs() >= endMs || (clockTrusted() && clock.wallMs() >= expiresMs)) {
        const late = { outcome: 'refused', code: 'COMMAND_EXPIRED', reason: 'expired while it was put on record' } as const;
        await this.#end(id, accepted, late, correlation);
        await this.#record({ type: 'command.refused', lane, payload: { id, issuer, target, code: late.code, reason: late.reason } });
        return;
      }
    }
    this.#send(id, accepted, correlation);
    let outcome: CommandOutcome;
    try {
      outcome = await this.#options.command({ id, issuer, lane, target, reason, expiresMs });
    } catch (error) {
      log.error({ id, lane, error: errorText(error) }, 'uplink: a command failed');
      outcome = { outcome: 'failed', code: error instanceof GateError ? error.code : 'COMMAND_REFUSED', reason: errorText(error) };
      await this.#end(id, accepted, outcome, correlation);
      await this.#record({ type: 'command.failed', lane, payload: { id, issuer, target, code: outcome.code, reason: outcome.reason } });
      return;
    }
    await this.#end(id, accepted, outcome, correlation);
  }

  #makeRoom(): boolean {
    const { clock, clockTrusted } = this.#options;
    return this.#memory.makeRoom({ wallMs: clockTrusted() ? clock.wallMs() : undefined, monoMs: clock.monoMs() });
  }

  async #record(event: NewEvent): Promise<void> {
    await this.#options.journal.append(event);
  }

  async #end(id: string, entry: Remembered, outcome: CommandOutcome, correlation: Buffer | undefined): Promise<void> {
    const { code: _code, reason: _reason, ...rest } = entry;
    const ended: Remembered = outcome.outcome === 'done' ? { ...rest, state: 'done' } : { ...rest, state: outcome.outcome, code: outcome.code, reason: outcome.reason };
    const kept = this.#memory.keep(id, ended);
    this.#send(id, ended, correlation);
    try {
      await kept;
    } catch (error) {
      this.#options.log.error({ id, error: errorText(error) }, 'uplink: how a command ended could not be remembered');
    }
  }

  /** Refuses a command whose sender is who it says: its id is used up, and gets this answer from now on. */
  async #refuseForGood(command: CommandMessage, refusal: Refusal, correlation: Buffer | undefined): Promise<void> {
    const { id } = command;
    const entry: Remembered = { state: 'refused', ...rememberedOf(command, expiryOf(command)), code: refusal.code, reason: refusal.reason };
    this.#memory.note(id, entry);
    const recorded = await this.#refuse(command, refusal, correlation);
    this.#makeRoom();
    // What comes too fast leaves nothing behind on the disk.
    if (recorded && refusal.code !== 'COMMAND_RATE_LIMITED') await this.#memory.keep(id, entry);
  }

  /** @returns whether it is on record; a flood is counted, and the next refusal on record says how many there were */
  async #refuse(about: About, { code, reason, challenge }: Refusal, correlation: Buffer | undefined): Promise<boolean> {
    const { clock, epoch, log, reply } = this.#options;
    const { id, issuer, lane, target } = about;
    const refusals = this.#refusals;
    const nowMs = clock.monoMs();
    if (nowMs - refusals.sinceMs > 60_000) {
      refusals.sinceMs = nowMs;
      refusals.count = 0;
    }
    refusals.count += 1;
    log.warn({ id, code, reason }, 'uplink: command refused');
    if (id !== undefined && refusals.count <= MOST_ANSWERED_A_MINUTE) {
      reply({ id, state: 'refused', code, reason, ...(lane === undefined ? {} : { lane }), ...(challenge === undefined ? {} : { challenge }), epoch, atMs: Math.round(clock.wallMs()) }, correlation);
    }
    if (refusals.count > MOST_RECORDED_A_MINUTE) {
      refusals.unrecorded += 1;
      return false;
    }
    const { unrecorded } = refusals;
    refusals.unrecorded = 0;
    await this.#record({
      type: 'command.refused',
      ...(lane === undefined ? {} : { lane }),
      payload: { id: id ?? null, issuer: issuer ?? null, ...(target === undefined ? {} : { target }), code, reason, ...(unrecorded === 0 ? {} : { unrecordedBefore: unrecorded }) },
    });
    return true;
  }

  #send(id: string, entry: Remembered, correlation: Buffer | undefined): void {
    const { state, lane, code, reason } = entry;
    const { clock, epoch, reply } = this.#options;
    reply({ id, state, lane, ...(code === undefined ? {} : { code }), ...(reason === undefined ? {} : { reason }), epoch, atMs: Math.round(clock.wallMs()) }, correlation);
  }

  /** How commands ended by the journal: a lane may have said so just before a restart, and this desk not yet have kept it. */
  async #endsOnRecord(): Promise<ReadonlyMap<string, CommandOutcome>> {
    const ends = new Map<string, CommandOutcome>();
    for (const { type, payload } of await this.#options.journal.events({ types: ['command.done', 'command.failed', 'command.refused'], limit: LOOK_BACK, newestFirst: true })) {
      const { id } = payload;
      if (typeof id !== 'string' || ends.has(id)) continue;
      if (type === 'command.done') ends.set(id, { outcome: 'done' });
      else ends.set(id, { outcome: type === 'command.failed' ? 'failed' : 'refused', ...why(payload) });
    }
    return ends;
  }
}

function why({ code, reason }: JsonObject): { readonly code: string; readonly reason: string } {
  return { code: typeof code === 'string' ? code : 'COMMAND_REFUSED', reason: typeof reason === 'string' ? reason : '' };
}

function expiryOf({ expires }: CommandMessage): number {
  return typeof expires === 'number' ? expires : Date.parse(expires);
}

function sameCommand(known: Remembered, { lane, target, issuer }: CommandMessage): boolean {
  return known.lane === lane && known.issuer === issuer && (known.target === undefined || known.target === target);
}

type Parsed = { readonly command: CommandMessage; readonly raw: Readonly<Record<string, unknown>> } | { readonly command?: undefined; readonly id?: string; readonly fault: string };

function parse(payload: Uint8Array): Parsed {
  if (payload.byteLength > MOST_BYTES) return { fault: `${payload.byteLength} bytes; a command has at most ${MOST_BYTES}` };
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(payload).toString('utf8'));
  } catch {
    return { fault: 'no JSON' };
  }
  const raw = jsonObjectSchema.safeParse(value);
  const result = commandMessageSchema.safeParse(value);
  if (result.success && raw.success) return { command: result.data, raw: raw.data };
  const fault = result.success ? 'no JSON object' : result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ');
  const id = typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string' && value.id.length >= 1 && value.id.length <= 64 ? value.id : undefined;
  return id === undefined ? { fault } : { id, fault };
}
