import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { GateError, errorText, isGateError, type JsonObject, type Timer } from '../base/index.js';
import type { StoredEvent } from '../journal/index.js';
import { Backoff } from './backoff.js';
import { BrokerChoice } from './broker-choice.js';
import { CommandDesk } from './command-desk.js';
import { CommandKeys } from './command-signature.js';
import { BrokerConnection } from './connection.js';
import { Coverage } from './coverage.js';
import { DuplicateWatch, type Duplicate } from './duplicate-watch.js';
import { ackMessageSchema, jsonObjectSchema, statusMessageSchema, topicOf, type AckMessage, type StatusMessage, type TelemetryMessage } from './messages.js';
import { Outbox, type OutboxMessage } from './outbox.js';
import { PacketLimit } from './packet-limit.js';
import { PhotographSender } from './photograph-sender.js';
import { FIRST_FAILURE, NO_MATCHING_SUBSCRIBERS, SESSION_TAKEN_OVER, reasonText } from './reason-codes.js';
import { Turns } from './turns.js';
import type { BrokerSettings, Desk, DeskReply, Received, UplinkOptions, UplinkState, UplinkTiming } from './types.js';

const TIMING: UplinkTiming = { backoffMs: 500, backoffMostMs: 60_000, stableMs: 30_000, resendMs: 30_000, connectTimeoutMs: 20_000, answerMs: 60_000, ackPauseMs: 100, preferMs: 300_000, preferMostMs: 3_600_000, duplicateQuietMs: 600_000 };
/**
 * Largest event message. Brokers like them well below their limits, and a platform on Node reads longer ones (more than
 * 65,528 characters, some of them Chinese) at a third of the speed: such strings are kept apart from all others.
 */
const MOST_BYTES = 62 * 1024;
/** Topic and properties of a message, beside its payload. */
const HEADER_BYTES = 512;
/** Live messages that may go before one of the backlog, so that a busy gate still drains. */
const LIVE_BEFORE_BACKLOG = 4;
/**
 * Messages of the backlog that wait for the platform. Brokers may bring what waits in their own queue for a subscriber out
 * of order (seen with mosquitto 2.0.11 under load; EMQX: emqx/emqx pull request 18102). mosquitto queues what goes beyond
 * the 20 messages it has in flight to one subscriber (`max_inflight_messages`); some places are left for live events.
 */
const MOST_AHEAD = 16;
/**
 * A fleet that loses its broker at one moment comes back within so many times the shortest back-off, not within one: a
 * broker that is up again at once has to take all of them in.
 */
const SPREAD = 10;
/** Processes of this gate whose status may still lie at a broker that was put back to an older state. */
const INSTANCES = 32;
const INSTANCES_KEY = 'uplink/instances';
/** Replies kept for the next connection. */
const MOST_REPLIES = 200;
const COMMAND_RATE = { burst: 30, perMinute: 60 };
const DEATH_MS = 2_000;
/** Status changes of this long are told in one message. */
const STATUS_MS = 500;
/** A move to a preferred broker waits so long for what is in flight on the other. */
const QUIET_MS = 5_000;
/** Smaller messages are not worth compressing. */
const LEAST_GZIP_BYTES = 1_024;

const compressed = promisify(gzip);

interface ControlMessage {
  readonly topic: 'status' | Parameters<DeskReply>[0];
  readonly text: string;
  readonly retain: boolean;
  readonly correlation?: Buffer | undefined;
  /** In which they were given, which they keep over reconnects; 0 for the birth, which goes first. */
  readonly order: number;
}

/** What the platform says of the last event it has without a hole. */
interface Acknowledged {
  readonly seq: number;
  readonly epoch?: number | undefined;
  readonly hash?: string | undefined;
}

interface WaitingPhotograph {
  readonly id: string;
  readonly jpeg: Buffer;
  readonly taken: (code: number) => void;
  readonly gone: (error: unknown) => void;
}

/** A payload as it goes out. */
interface Ready {
  readonly body: string | Buffer;
  readonly gzip: boolean;
}

/** A message that the broker has not answered. */
interface Sent {
  /** Of its payload as it went out; 0 while it is being made ready. */
  bytes: number;
}

/**
 * The gate's end of the platform link. It sends what the journal holds and the platform has not acknowledged, live events
 * first, and carries commands in. It stops no lane: every failure here ends in a later reconnect.
 */
export class Uplink {
  readonly #options: UplinkOptions;
  readonly #timing: UplinkTiming;
  readonly #choice: BrokerChoice;
  readonly #returns: Backoff;
  /** By broker. */
  readonly #packetLimits: readonly PacketLimit[];
  readonly #clientId: string;
  readonly #instance = randomUUID();
  readonly #watch: DuplicateWatch;
  readonly #listeners = new Set<(state: UplinkState) => void>();
  readonly #desks: readonly Desk[];
  #phase: UplinkState['connection'] = 'stopped';
  #running = false;
  #connection: BrokerConnection | undefined;
  #connects = 0;
  #lastError: UplinkState['lastError'] = null;
  #head = 0;
  #acknowledged = 0;
  #ackTarget: Acknowledged = { seq: 0 };
  /** No event of this journal is of an epoch below. */
  #lowestEpoch = 1;
  #acknowledging = false;
  #ackPause: Timer | undefined;
  #outbox: Outbox | undefined;
  #taken = new Coverage(0);
  #limit = 1;
  #inFlight = new Set<Sent>();
  #born = false;
  #held = false;
  #turns = new Turns();
  #accepts: AckMessage['accepts'];
  #packs = false;
  #batches = { events: 1, bytes: 1 };
  /** A connection to a preferred broker is being made, while the one to a lesser broker stands. */
  #returning = false;
  /** It stands; the other is being brought to an end, and nothing new is sent there. */
  #next: { readonly connection: BrokerConnection; readonly at: number } | undefined;
  #quiet: (() => void) | undefined;
  #prefer: Timer | undefined;
  #duplicate: UplinkState['duplicate'] = null;
  /** Of the surest evidence for it. */
  #duplicateStrength = 0;
  #duplicateQuiet: Timer | undefined;
  #liveStreak = 0;
  #control: ControlMessage[] = [];
  readonly #photographs: PhotographSender | undefined;
  /** Goes out when nothing else waits. */
  #photograph: WaitingPhotograph | undefined;
  #given = 0;
  #paused: Timer | undefined;
  #pauses: Backoff;
  #controlPaused: Timer | undefined;
  readonly #controlPauses: Backoff;
  #resend: Timer | undefined;
  #resends = 0;
  #reconnect: Timer | undefined;
  #stable: Timer | undefined;
  #telemetry: Timer | undefined;
  #statusSoon: Timer | undefined;
  #unlisten: (() => void) | undefined;
  #pumping = false;

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    const { site, gate, epoch, config } = options;
    const spreadMs = this.#timing.backoffMs * SPREAD;
    this.#choice = new BrokerChoice(config.brokers.length, new Backoff(this.#timing.backoffMs, this.#timing.backoffMostMs, options.random), new Backoff(spreadMs, spreadMs, options.random));
    this.#returns = new Backoff(this.#timing.preferMs, this.#timing.preferMostMs, options.random);
    this.#packetLimits = config.brokers.map(() => new PacketLimit());
    this.#clientId = `laurel-${site}-${gate}`;
    this.#watch = new DuplicateWatch({ site, gate, epoch, clientId: this.#clientId, instance: this.#instance });
    this.#pauses = new Backoff(this.#timing.backoffMs, this.#timing.backoffMostMs, options.random);
    this.#controlPauses = new Backoff(this.#timing.backoffMs, this.#timing.backoffMostMs, options.random);
    const reply: DeskReply = (topic, message, given) => this.#reply(topic, message, given);
    this.#photographs = this.#photographSender();
    const commands = new CommandDesk({
      journal: options.journal,
      epoch: options.epoch,
      clock: options.clock,
      clockTrusted: options.clockTrusted ?? (() => true),
      log: options.log,
      keys: new CommandKeys(options.config.commandKeys ?? [], this.#topic('command')),
      rate: options.config.commandRate ?? COMMAND_RATE,
      lanes: options.lanes,
      command: options.command,
      reply: (message, correlation) => reply('reply', message, { correlation }),
    });
    this.#desks = [commands, ...(options.desks ?? []).map((make) => make(reply))];
  }

  /** Begins to connect, for as long as it takes; resolves at once when the journal has answered. @throws JOURNAL_* */
  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    const { journal } = this.#options;
    this.#unlisten = journal.onStored((events) => this.#stored(events));
    const { head, acknowledged } = await journal.outbox();
    this.#head = Math.max(this.#head, head);
    this.#acknowledged = acknowledged;
    const [oldest] = await journal.events({ limit: 1 });
    this.#lowestEpoch = oldest?.epoch ?? this.#options.epoch;
    await this.#introduce();
    for (const desk of this.#desks) await desk.start();
    await this.#photographs?.start(acknowledged);
    this.#connect();
    this.#armTelemetry();
  }

  /** Keeps this process's instance with those before it, so that a later process knows its own past from a second box. */
  async #introduce(): Promise<void> {
    const { journal } = this.#options;
    const before = instancesOf(await journal.recall(INSTANCES_KEY));
    this.#watch.own(before);
    // A disk that does not answer keeps no gate from its platform.
    journal.remember(INSTANCES_KEY, { instances: [...before, this.#instance].slice(-INSTANCES) }).catch((error: unknown) => {
      this.#options.log.warn({ error: errorText(error) }, 'uplink: the instance of this process could not be remembered; its status at a broker may be taken for a second box later');
    });
  }

  /** Tells the platform that the gate goes down in order, and disconnects. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    this.#unlisten?.();
    for (const desk of this.#desks) desk.stop?.();
    for (const timer of [this.#reconnect, this.#stable, this.#telemetry, this.#statusSoon, this.#ackPause, this.#prefer, this.#duplicateQuiet]) timer?.cancel();
    this.#acknowledging = false;
    const connection = this.#connection;
    this.#next?.connection.drop();
    this.#next = undefined;
    const inFlight = this.#inFlight.size;
    this.#dropSending();
    this.#connection = undefined;
    if (connection !== undefined) {
      await this.#farewell(connection, 'stopped', inFlight);
    }
    this.#enter('stopped');
  }

  state(): UplinkState {
    return {
      connection: this.#phase,
      broker: this.#broker(this.#choice.at).url,
      preference: this.#choice.at + 1,
      brokers: this.#options.config.brokers.length,
      encoding: this.#packs ? 'gzip' : 'plain',
      promise: this.#options.config.platformAcknowledges ? 'platform' : 'broker',
      backlog: Math.max(0, this.#head - this.#acknowledged),
      acknowledged: this.#acknowledged,
      inFlight: this.#inFlight.size,
      connects: this.#connects,
      lastError: this.#lastError,
      duplicate: this.#duplicate,
      detail: this.#detail(),
    };
  }

  /** Told when the connection comes or goes and when a new error is met. Returns the way to stop. */
  onState(listener: (state: UplinkState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Lane states or versions changed: the retained status is published anew, several changes in one message. */
  statusChanged(): void {
    if (this.#connection === undefined || this.#statusSoon !== undefined) return;
    this.#statusSoon = this.#options.clock.after(STATUS_MS, () => {
      this.#statusSoon = undefined;
      if (this.#connection !== undefined) this.#birth();
    });
  }

  #topic(name: Parameters<typeof topicOf>[2]): string {
    return topicOf(this.#options.site, this.#options.gate, name);
  }

  #broker(at: number): BrokerSettings {
    const broker = this.#options.config.brokers[at];
    if (broker === undefined) throw new GateError('CONFIG_INVALID', 'the uplink has no broker; name one under uplink.broker');
    return broker;
  }

  #detail(): string {
    if (this.#duplicate !== null) return this.#duplicate.message;
    if (this.#phase === 'online') return this.#choice.at === 0 ? '' : `${this.#broker(this.#choice.at).url}, number ${this.#choice.at + 1} in order of preference`;
    return this.#phase === 'stopped' ? '' : (this.#lastError?.message ?? '');
  }

  #connect(): void {
    if (!this.#running) return;
    this.#enter('connecting');
    const { at } = this.#choice;
    this.#open(at).then(
      (connection) => this.#opened(connection),
      (error: unknown) => {
        if (isGateError(error, 'BROKER_UNREACHABLE')) this.#watch.unreachable();
        this.#gone(error);
      },
    );
  }

  #open(at: number): Promise<BrokerConnection> {
    const { config, epoch } = this.#options;
    const will: StatusMessage = { state: 'offline', epoch, instance: this.#instance, reason: 'lost' };
    return BrokerConnection.open({
      broker: this.#broker(at),
      config,
      clientId: this.#clientId,
      will: { topic: this.#topic('status'), payload: JSON.stringify(will) },
      subscriptions: ['ack' as const, ...this.#desks.map(({ topic }) => topic)].map((name) => this.#topic(name)),
      wished: this.#topic('status'),
      connectTimeoutMs: this.#timing.connectTimeoutMs,
      answerMs: this.#timing.answerMs,
      onMessage: (message) => this.#receive(message, at),
      onClosed: (connection, error) => this.#lost(connection, error),
    });
  }

  #opened(connection: BrokerConnection): void {
    if (!this.#running) {
      connection.drop();
      return;
    }
    const { config, clock, journal } = this.#options;
    const { at } = this.#choice;
    const packetLimit = this.#packetLimits[at];
    packetLimit?.opened(connection.packetBytes);
    this.#connection = connection;
    this.#connects += 1;
    this.#limit = Math.max(1, Math.min(config.window, connection.receiveMaximum));
    this.#inFlight = new Set();
    this.#born = false;
    this.#held = false;
    this.#turns = new Turns();
    this.#accepts = undefined;
    this.#packs = false;
    this.#resends = 0;
    this.#taken = new Coverage(this.#acknowledged);
    this.#batches = this.#batchLimits();
    this.#outbox = new Outbox(
      journal,
      { ...this.#batches, ahead: MOST_AHEAD, most: this.#most() },
      { head: this.#head, acknowledged: this.#acknowledged },
      {
        changed: () => this.#pump(),
        failed: (error) => {
          this.#fault(error);
          this.#pause();
        },
        reduced: (seq, bytes) =>
          this.#fault(new GateError('EVENT_TOO_LARGE', `event ${seq} makes a message of ${bytes} bytes and the broker takes ${this.#most()}: it went out without its payload; see it at the gate (gatectl events), and raise the broker's limit (mosquitto: max_packet_size)`, { seq, bytes, most: this.#most() })),
      },
    );
    this.#stable?.cancel();
    this.#stable = clock.after(this.#timing.stableMs, () => {
      this.#held = true;
      // While somebody else takes the connection away, every return takes it from them: ever more slowly.
      if (this.#duplicate === null) this.#choice.held();
      if (at === 0) this.#returns.reset();
    });
    this.#enter('online');
    this.#birth();
    for (const desk of this.#desks) desk.connected?.();
    this.#photographs?.connected();
    this.#armResend();
    this.#armReturn();
  }

  /** What the broker takes as a payload. */
  #most(): number {
    return (this.#packetLimits[this.#choice.at]?.bytes ?? Number.POSITIVE_INFINITY) - HEADER_BYTES;
  }

  #batchLimits(): { readonly events: number; readonly bytes: number } {
    const { batch } = this.#options.config;
    return { events: Math.min(batch, this.#accepts?.batchEvents ?? batch), bytes: Math.max(1, Math.min(MOST_BYTES, this.#accepts?.batchBytes ?? MOST_BYTES, this.#most() - HEADER_BYTES)) };
  }

  /** An open connection ended, and not by this end. */
  #lost(connection: BrokerConnection, error: GateError | undefined): void {
    const next = this.#next;
    if (connection === next?.connection) this.#next = undefined;
    if (connection !== this.#connection) return;
    const reasonCode = typeof error?.context['reasonCode'] === 'number' ? error.context['reasonCode'] : undefined;
    const ownDoing = reasonCode === SESSION_TAKEN_OVER && (this.#returning || next !== undefined);
    if (ownDoing) this.#options.log.info({ broker: this.#broker(this.#choice.at).url }, 'uplink: the session went over to the new connection of this gate');
    else this.#lookInto(error, reasonCode);
    if (next !== undefined) {
      // The connection to a preferred broker stands already.
      this.#quiet?.();
      return;
    }
    if (this.#returning) {
      // One to a preferred broker is under way: what comes of it decides.
      this.#dropSending();
      this.#connection = undefined;
      if (error !== undefined && !ownDoing) this.#fault(error);
      this.#enter('offline');
      return;
    }
    this.#gone(error ?? new GateError('BROKER_UNREACHABLE', `${this.#broker(this.#choice.at).url}: the broker closed the connection without a reason`));
  }

  /** What the end of a connection gives away: a message that is too large, or somebody with the same client id. */
  #lookInto(error: GateError | undefined, reasonCode: number | undefined): void {
    const { at } = this.#choice;
    const { url } = this.#broker(at);
    const largest = Math.max(0, ...[...this.#inFlight].map(({ bytes }) => bytes));
    if (this.#packetLimits[at]?.closed(largest, reasonCode) === true) {
      this.#options.log.warn({ broker: url, bytes: largest, most: this.#most() }, 'uplink: the broker cuts the line at large messages; they are smaller from now on');
      return;
    }
    const nowMs = this.#options.clock.monoMs();
    // A message that may be too large explains a close as well.
    const unexplained = this.#packetLimits[at]?.mayBeTooLarge(largest) !== true;
    if (reasonCode === SESSION_TAKEN_OVER) this.#suspect(this.#watch.takenOver(url, nowMs));
    else if (error === undefined && this.#born && unexplained) this.#watch.closedSilently(nowMs);
  }

  #suspect(found: Duplicate | undefined): void {
    if (found === undefined) return;
    const { clock, journal } = this.#options;
    this.#duplicateQuiet?.cancel();
    this.#duplicateQuiet = clock.after(this.#timing.duplicateQuietMs, () => this.#ownAgain());
    const before = this.#duplicate === null ? 0 : this.#duplicateStrength;
    if (found.strength < before) return;
    this.#duplicate = { message: found.error.message, sinceMs: this.#duplicate?.sinceMs ?? Math.round(clock.wallMs()) };
    this.#duplicateStrength = found.strength;
    this.#fault(found.error);
    if (found.strength > before) journal.append({ type: 'uplink.duplicate-client', payload: found.facts }).catch((error: unknown) => this.#fault(error));
  }

  /** Nobody has taken the client id for a while. */
  #ownAgain(): void {
    const since = this.#duplicate;
    if (since === null) return;
    const { clock, journal } = this.#options;
    if (this.#connection === undefined) {
      this.#duplicateQuiet = clock.after(this.#timing.duplicateQuietMs, () => this.#ownAgain());
      return;
    }
    this.#duplicate = null;
    this.#choice.held();
    journal.append({ type: 'uplink.recovered', payload: { clientId: this.#clientId, detail: `nobody else has used the client id ${this.#clientId} since`, sinceMs: since.sinceMs } }).catch((error: unknown) => this.#fault(error));
    this.#tell();
  }

  /** No connection is left: another try, after a pause where this one ended a round. */
  #gone(error: unknown): void {
    const held = this.#held;
    this.#dropSending();
    this.#connection = undefined;
    this.#held = false;
    this.#stable?.cancel();
    this.#prefer?.cancel();
    if (error !== undefined) this.#fault(error);
    if (!this.#running) return;
    const waitMs = held ? this.#choice.lost() : this.#choice.failed();
    this.#enter('offline');
    this.#reconnect = this.#options.clock.after(waitMs, () => this.#connect());
  }

  /** On a lesser broker: looks now and then whether a preferred one is there again. */
  #armReturn(): void {
    this.#prefer?.cancel();
    if (this.#choice.at === 0) return;
    this.#prefer = this.#options.clock.after(this.#returns.nextMs(), () => void this.#return());
  }

  /** Connects to a preferred broker beside the one in use, and moves there where that works. */
  async #return(): Promise<void> {
    this.#returning = true;
    let found: { readonly connection: BrokerConnection; readonly at: number } | undefined;
    for (let at = 0; at < this.#choice.at && found === undefined && this.#running; at += 1) {
      try {
        found = { connection: await this.#open(at), at };
      } catch (error) {
        this.#options.log.info({ broker: this.#broker(at).url, error: errorText(error) }, 'uplink: a preferred broker is not back yet');
      }
    }
    this.#returning = false;
    if (!this.#running) {
      found?.connection.drop();
      return;
    }
    const from = this.#connection;
    if (found === undefined) {
      if (from === undefined) this.#gone(undefined);
      else this.#armReturn();
    } else if (from === undefined) this.#arrive(found.connection, found.at);
    else await this.#move(from, found.connection, found.at);
  }

  /** What is in flight comes to its end first; what the platform has not acknowledged is sent again on the new connection. */
  async #move(from: BrokerConnection, connection: BrokerConnection, at: number): Promise<void> {
    this.#next = { connection, at };
    if (this.#inFlight.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = this.#options.clock.after(QUIET_MS, resolve);
        this.#quiet = () => {
          timer.cancel();
          resolve();
        };
      });
      this.#quiet = undefined;
    }
    if (!this.#running || this.#connection !== from) return;
    // The new one may have gone meanwhile; then all stays as it was.
    const stands = this.#nextStands();
    this.#next = undefined;
    if (!stands) {
      this.#armReturn();
      this.#pump();
      return;
    }
    const inFlight = this.#inFlight.size;
    this.#dropSending();
    this.#stable?.cancel();
    this.#connection = undefined;
    this.#options.log.info({ from: this.#broker(this.#choice.at).url, to: this.#broker(at).url }, 'uplink: moves to a preferred broker');
    await this.#farewell(from, 'moved', inFlight);
    this.#arrive(connection, at);
  }

  #arrive(connection: BrokerConnection, at: number): void {
    this.#choice.moveTo(at);
    if (connection.closed) {
      this.#gone(new GateError('BROKER_UNREACHABLE', `${this.#broker(at).url}: the broker closed the connection without a reason`));
      return;
    }
    this.#opened(connection);
    this.#tell();
  }

  /**
   * The last word on a connection; the broker publishes no will after it. Where no place is left for one more message that
   * has to be answered, it goes as one that has not: a broker ends a connection that goes beyond its receive maximum, and
   * publishes the will.
   */
  async #farewell(connection: BrokerConnection, reason: 'stopped' | 'moved', inFlight: number): Promise<void> {
    const { clock, epoch, log } = this.#options;
    const death: StatusMessage = { state: 'offline', epoch, instance: this.#instance, reason };
    await Promise.race([
      connection.publish(this.#topic('status'), JSON.stringify(death), { qos: inFlight < connection.receiveMaximum ? 1 : 0, retain: true }).catch((error: unknown) => log.debug({ error: errorText(error) }, 'uplink: the farewell did not arrive')),
      new Promise<void>((resolve) => clock.after(DEATH_MS, resolve)),
    ]);
    await connection.end();
  }

  #dropSending(): void {
    this.#photographs?.disconnected();
    this.#photograph?.gone(new GateError('BROKER_UNREACHABLE', 'the connection ended'));
    this.#photograph = undefined;
    this.#outbox = undefined;
    this.#inFlight = new Set();
    this.#paused?.cancel();
    this.#paused = undefined;
    this.#controlPaused?.cancel();
    this.#controlPaused = undefined;
    this.#resend?.cancel();
  }

  #stored(events: readonly StoredEvent[]): void {
    this.#head = Math.max(this.#head, events.at(-1)?.seq ?? 0);
    this.#outbox?.stored(events);
    this.#pump();
  }

  /** The true time of events recorded under an untrusted clock is known now: what still waits goes out with it. */
  clockKnown(): void {
    this.#outbox?.clockKnown();
    this.#pump();
  }

  #birth(): void {
    const { clock, config, epoch, status } = this.#options;
    const birth: StatusMessage = { state: 'online', epoch, instance: this.#instance, atMs: Math.round(clock.wallMs()), promise: config.platformAcknowledges ? 'platform' : 'broker', gate: jsonObjectSchema.parse(status()) };
    const bytes = Buffer.byteLength(JSON.stringify(birth));
    if (bytes > this.#most()) birth.gate = { tooLarge: bytes };
    this.#control = [{ topic: 'status', text: JSON.stringify(birth), retain: true, order: 0 }, ...this.#control.filter((message) => message.topic !== 'status')];
    this.#pump();
  }

  #reply(topic: Parameters<DeskReply>[0], message: object, { retain = false, correlation }: Parameters<DeskReply>[2] = {}): void {
    this.#given += 1;
    this.#wait({ topic, text: JSON.stringify(message), retain, correlation, order: this.#given });
    this.#pump();
  }

  /** In the order they were given; of those a broker retains only the newest of a topic is of use. */
  #wait(message: ControlMessage): void {
    const { topic, retain, order } = message;
    const sameTopic = (waiting: ControlMessage): boolean => retain && waiting.retain && waiting.topic === topic;
    if (this.#control.some((waiting) => sameTopic(waiting) && waiting.order >= order)) return;
    this.#control = [...this.#control.filter((waiting) => !sameTopic(waiting)), message].sort((one, other) => one.order - other.order);
    if (this.#control.length > MOST_REPLIES) this.#control.splice(this.#control.findIndex((waiting) => waiting.topic !== 'status'), 1);
  }

  /** Fills the window: birth and replies, then live events, with backlog let in between and one place kept free for live. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#running && this.#connection !== undefined && this.#next === undefined && this.#inFlight.size < this.#limit && this.#sendNext());
    } finally {
      this.#pumping = false;
    }
  }

  #sendNext(): boolean {
    const control = this.#controlPaused === undefined ? this.#control.shift() : undefined;
    if (control !== undefined) {
      const { topic, text } = control;
      const bytes = Buffer.byteLength(text);
      if (bytes > this.#most()) {
        this.#fault(new GateError('MESSAGE_TOO_LARGE', `a message to ${topic} of ${bytes} bytes is not sent: the broker takes ${this.#most()}; raise its limit (mosquitto: max_packet_size)`, { topic, bytes }));
        return true;
      }
      const at = this.#choice.at;
      const { clock } = this.#options;
      const sentMs = clock.monoMs();
      const outbox = this.#outbox;
      this.#send(topic, { body: text, gzip: false }, control, (code) => {
        if (code >= FIRST_FAILURE) {
          this.#brokerRefused(topic, code);
          this.#wait(control);
          this.#pauseControl();
          return;
        }
        this.#controlPauses.reset();
        if (topic === 'status') {
          outbox?.reached(clock.monoMs() - sentMs);
          this.#born = true;
          this.#watch.born(at);
        }
      });
      return true;
    }
    const outbox = this.#outbox;
    if (outbox === undefined || this.#paused !== undefined) return false;
    const backlogFirst = !outbox.hasLive || this.#liveStreak >= LIVE_BEFORE_BACKLOG;
    const backlogMay = this.#inFlight.size < Math.max(1, this.#limit - 1);
    let message = backlogFirst && backlogMay ? outbox.nextBacklog() : undefined;
    if (message === undefined) {
      message = outbox.nextLive();
      if (message === undefined) return backlogMay && this.#sendPhotograph();
      this.#liveStreak += 1;
    } else {
      this.#liveStreak = 0;
    }
    this.#sendEvents(message);
    return true;
  }

  #photographSender(): PhotographSender | undefined {
    const { clock, config, journal, log } = this.#options;
    const { photographs = 'none', photographsKBPerS = 50 } = config;
    if (photographs === 'none') return undefined;
    return new PhotographSender({
      journal,
      clock,
      log,
      which: photographs,
      bytesPerSecond: photographsKBPerS * 1_000,
      most: () => this.#most(),
      fault: (error) => this.#fault(error),
      publish: (id, jpeg) =>
        new Promise((taken, gone) => {
          this.#photograph = { id, jpeg: Buffer.from(jpeg), taken, gone };
          this.#pump();
        }),
    });
  }

  #sendPhotograph(): boolean {
    const connection = this.#connection;
    const photograph = this.#photograph;
    if (connection === undefined || photograph === undefined) return false;
    this.#photograph = undefined;
    const { id, jpeg, taken, gone } = photograph;
    const sent: Sent = { bytes: jpeg.byteLength };
    this.#inFlight.add(sent);
    connection.publish(this.#topic(`evidence/${id}`), jpeg, { qos: 1, as: 'jpeg' }).then((code) => {
      this.#inFlight.delete(sent);
      if (connection === this.#connection && code < FIRST_FAILURE) this.#packetLimits[this.#choice.at]?.took(sent.bytes);
      taken(code);
      if (this.#inFlight.size === 0) this.#quiet?.();
      this.#pump();
    }, gone);
    return true;
  }

  #sendEvents(message: OutboxMessage): void {
    const outbox = this.#outbox;
    const { clock } = this.#options;
    const sentMs = clock.monoMs();
    const plain = { body: message.payload, gzip: false };
    // Compressed beside the main loop; without memory for it the message goes as it is.
    const ready = this.#packs && plain.body.byteLength >= LEAST_GZIP_BYTES ? compressed(plain.body).then((body) => ({ body, gzip: true }), () => plain) : plain;
    this.#send('event', ready, { retain: false, order: 0 }, (code) => {
      if (outbox !== this.#outbox) return;
      outbox?.answered(sentMs, clock.monoMs());
      if (code >= FIRST_FAILURE || code === NO_MATCHING_SUBSCRIBERS) {
        this.#brokerRefused('event', code);
        this.#pause();
        return;
      }
      this.#pauses.reset();
      if (this.#options.config.platformAcknowledges) return;
      this.#taken.add(message.first, message.last);
      outbox?.ingested(this.#taken.through);
      this.#acknowledge({ seq: this.#taken.through });
    });
  }

  #send(topic: ControlMessage['topic'] | 'event', payload: Ready | Promise<Ready>, options: Pick<ControlMessage, 'retain' | 'correlation' | 'order'>, taken: (code: number) => void): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const sent: Sent = { bytes: 0 };
    this.#inFlight.add(sent);
    const { retain, correlation, order } = options;
    const publish = ({ body, gzip }: Ready): Promise<number> => {
      sent.bytes = Buffer.byteLength(body);
      return connection.publish(this.#topic(topic), body, { qos: 1, retain, correlation, ...(gzip ? { as: 'gzip' as const } : {}) });
    };
    const now = !(payload instanceof Promise) && (topic !== 'event' || this.#turns.idle);
    (now ? publish(payload) : this.#turns.take(Promise.resolve(payload), publish)).then(
      (code) => {
        if (connection !== this.#connection) return;
        this.#inFlight.delete(sent);
        if (code < FIRST_FAILURE) this.#packetLimits[this.#choice.at]?.took(sent.bytes);
        taken(code);
        if (this.#inFlight.size === 0) this.#quiet?.();
        this.#pump();
      },
      () => {
        // The connection ended. Events are in the journal; a reply goes out again on the next connection.
        if (topic === 'event' || topic === 'status' || payload instanceof Promise || !this.#running) return;
        this.#wait({ topic, text: payload.body.toString(), retain, correlation, order });
      },
    );
  }

  #brokerRefused(topic: string, code: number): void {
    const { url } = this.#broker(this.#choice.at);
    this.#fault(new GateError('BROKER_REFUSED', `${url}: the broker did not take a message to ${topic}: ${reasonText(code)}`, { url, reasonCode: code }));
  }

  /** Stops sending events for a while, then begins again after the last acknowledgement. */
  #pause(): void {
    if (this.#paused !== undefined || this.#outbox === undefined) return;
    this.#paused = this.#options.clock.after(this.#pauses.nextMs(), () => {
      this.#paused = undefined;
      this.#outbox?.rewind();
      this.#pump();
    });
  }

  /** Stops sending what is no event for a while. */
  #pauseControl(): void {
    this.#controlPaused ??= this.#options.clock.after(this.#controlPauses.nextMs(), () => {
      this.#controlPaused = undefined;
      this.#pump();
    });
  }

  /** A broker's receipt is not the platform's: what stays unacknowledged is sent again, ever more slowly. */
  #armResend(): void {
    this.#resend?.cancel();
    const seen = this.#acknowledged;
    this.#resend = this.#options.clock.after(this.#timing.resendMs * 2 ** Math.min(this.#resends, 4), () => {
      const outbox = this.#outbox;
      if (outbox !== undefined && this.#paused === undefined && this.#acknowledged === seen && outbox.awaitsAcknowledgement) {
        this.#resends += 1;
        // Should it be the packing that the platform does not understand after all.
        this.#packs = false;
        this.#options.log.warn({ acknowledged: seen, head: this.#head }, 'uplink: no acknowledgement from the platform; sending again');
        outbox.rewind();
        this.#pump();
      }
      this.#armResend();
    });
  }

  #receive(message: Received, at: number): void {
    if (message.topic === this.#topic('status')) {
      this.#ownStatus(message, at);
      return;
    }
    const desk = this.#desks.find(({ topic }) => message.topic === this.#topic(topic));
    if (desk !== undefined) {
      void desk.handle(message);
      return;
    }
    if (message.topic !== this.#topic('ack')) return;
    const ack = ackMessageSchema.safeParse(jsonOf(message.payload));
    if (!ack.success) {
      this.#fault(new GateError('MESSAGE_INVALID', 'an acknowledgement is not {epoch, seq}'));
      return;
    }
    if (at === this.#choice.at) this.#agree(ack.data.accepts);
    const { epoch, seq, hash } = ack.data;
    if (seq <= this.#acknowledged) return;
    // Retained, or of a platform that knows another card of this gate: its numbers say nothing about this journal's events.
    if (epoch < this.#lowestEpoch || epoch > this.#options.epoch) {
      this.#fault(new GateError('MESSAGE_INVALID', `an acknowledgement of event ${seq} names epoch ${epoch}, and this journal has ${this.#lowestEpoch} to ${this.#options.epoch}: it is about another journal of this gate, and is not taken; nothing is lost, the platform has to take the events of this one in`, { epoch, seq }));
      return;
    }
    // One beyond the head the journal refuses below.
    if (seq <= this.#head) this.#outbox?.ingested(seq);
    this.#acknowledge({ seq, epoch, hash });
    // What it makes room for goes at once: the journal has to let go of the other first, which takes a while.
    this.#pump();
  }

  /** What the gate's own status topic says of it. */
  #ownStatus({ payload, retained }: Received, at: number): void {
    const status = statusMessageSchema.safeParse(jsonOf(payload));
    if (!status.success) return;
    const { data } = status;
    if (retained) this.#suspect(this.#watch.ownWill(this.#broker(at).url, data, this.#options.clock.monoMs()));
    this.#suspect(this.#watch.status(at, this.#broker(at).url, data));
    // A last will of before that came late, e.g. over a bridge: whoever reads it would take this gate for dead.
    if (!retained && data.state === 'offline' && at === this.#choice.at) this.statusChanged();
  }

  /** The platform says what it understands, with every acknowledgement. */
  #agree(accepts: AckMessage['accepts']): void {
    this.#accepts = accepts;
    const packs = accepts?.encodings?.includes('gzip') === true && this.#resends === 0;
    const before = this.#batches;
    this.#batches = this.#batchLimits();
    if (before.events !== this.#batches.events || before.bytes !== this.#batches.bytes) this.#outbox?.limit(this.#batches);
    if (packs === this.#packs) return;
    this.#packs = packs;
    this.#tell();
  }

  /** Hands the highest acknowledgement to the journal; those that come meanwhile are taken together. */
  #acknowledge(to: Acknowledged): void {
    if (to.seq > this.#ackTarget.seq) this.#ackTarget = to;
    if (this.#acknowledging || this.#ackTarget.seq <= this.#acknowledged) return;
    this.#acknowledging = true;
    this.#letGo(this.#ackTarget).then(
      (acknowledged) => {
        this.#ackPause = this.#options.clock.after(this.#timing.ackPauseMs, () => {
          this.#acknowledging = false;
          if (this.#running) this.#acknowledge({ seq: 0 });
        });
        if (acknowledged > this.#acknowledged) {
          this.#acknowledged = acknowledged;
          this.#resends = 0;
          this.#outbox?.acknowledged(acknowledged);
          this.#photographs?.acknowledged(acknowledged);
          if (this.#outbox !== undefined) this.#armResend();
        }
        this.#pump();
      },
      (error: unknown) => {
        this.#acknowledging = false;
        // Refused or not written: forget it, the platform repeats itself with the next one.
        this.#ackTarget = { seq: this.#acknowledged };
        this.#fault(error);
      },
    );
  }

  /**
   * @returns what is acknowledged now
   * @throws GateError of the journal; BROKER_CLIENT_ID_TAKEN where the platform's event with that number is not this gate's
   */
  async #letGo({ seq, epoch, hash }: Acknowledged): Promise<number> {
    const { journal } = this.#options;
    if (hash !== undefined) {
      const [event] = await journal.events({ after: seq - 1, limit: 1 });
      if (event?.seq === seq && event.hash !== hash) {
        const found = this.#watch.otherRecord(this.#broker(this.#choice.at).url, seq);
        this.#suspect(found);
        throw found.error;
      }
    }
    return (await journal.acknowledge(seq, epoch)).acknowledged;
  }

  #armTelemetry(): void {
    const { clock, config, epoch, telemetry } = this.#options;
    this.#telemetry = clock.after(config.telemetryS * 1_000, () => {
      const connection = this.#connection;
      if (connection !== undefined) {
        const message: TelemetryMessage = { epoch, atMs: Math.round(clock.wallMs()), backlog: this.state().backlog, health: jsonObjectSchema.parse(telemetry()) };
        const bytes = Buffer.byteLength(JSON.stringify(message));
        if (bytes > this.#most()) message.health = { tooLarge: bytes };
        connection.publish(this.#topic('telemetry'), JSON.stringify(message), { qos: 0 }).catch((error: unknown) => this.#options.log.debug({ error: errorText(error) }, 'uplink: telemetry not sent'));
      }
      this.#armTelemetry();
    });
  }

  #nextStands(): boolean {
    return this.#next !== undefined;
  }

  #enter(phase: UplinkState['connection']): void {
    if (this.#phase === phase) return;
    this.#phase = phase;
    this.#tell();
  }

  #fault(error: unknown): void {
    const code = isGateError(error) ? error.code : 'BROKER_UNREACHABLE';
    const message = errorText(error);
    const repeated = this.#lastError?.message === message;
    this.#lastError = { code, message, atMs: Math.round(this.#options.clock.wallMs()) };
    if (repeated) return;
    this.#options.log.warn({ code, error: message }, 'uplink: trouble');
    this.#tell();
  }

  #tell(): void {
    const state = this.state();
    for (const listener of this.#listeners) {
      try {
        listener(state);
      } catch (error) {
        this.#options.log.error({ error: errorText(error) }, 'uplink: a listener failed');
      }
    }
  }
}

function instancesOf(remembered: JsonObject | undefined): string[] {
  const instances = remembered?.['instances'];
  return Array.isArray(instances) ? instances.filter((instance) => typeof instance === 'string') : [];
}

/** Undefined where it is no JSON. */
function jsonOf(payload: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(payload).toString('utf8'));
  } catch {
    return undefined;
  }
}
