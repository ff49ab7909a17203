import { GateError, errorText, isGateError, type Timer } from '../base/index.js';
import type { StoredEvent } from '../journal/index.js';
import { Backoff } from './backoff.js';
import { CommandDesk } from './command-desk.js';
import { BrokerConnection, FIRST_FAILURE, NO_MATCHING_SUBSCRIBERS } from './connection.js';
import { Coverage } from './coverage.js';
import { ackMessageSchema, jsonObjectSchema, topicOf, type StatusMessage, type TelemetryMessage } from './messages.js';
import { Outbox, type OutboxMessage } from './outbox.js';
import type { Desk, DeskReply, Received, UplinkOptions, UplinkState, UplinkTiming } from './types.js';

const TIMING: UplinkTiming = { backoffMs: 500, backoffMostMs: 60_000, stableMs: 30_000, resendMs: 30_000, connectTimeoutMs: 20_000, ackPauseMs: 100 };
/** Largest event message; brokers and platforms like them well below their limits. */
const MOST_BYTES = 128 * 1024;
/** Topic and properties of a message, beside its payload. */
const HEADER_BYTES = 512;
/** Live messages that may go before one of the backlog, so that a busy gate still drains. */
const LIVE_BEFORE_BACKLOG = 4;
/** Replies kept for the next connection. */
const MOST_REPLIES = 200;
const DEATH_MS = 2_000;
/** Status changes of this long are told in one message. */
const STATUS_MS = 500;

interface ControlMessage {
  readonly topic: 'status' | Parameters<DeskReply>[0];
  readonly text: string;
  readonly retain: boolean;
  readonly correlation?: Buffer | undefined;
}

/**
 * The gate's end of the platform link. It sends what the journal holds and the platform has not acknowledged, live events
 * first, and carries commands in. It stops no lane: every failure here ends in a later reconnect.
 */
export class Uplink {
  readonly #options: UplinkOptions;
  readonly #timing: UplinkTiming;
  readonly #backoff: Backoff;
  readonly #listeners = new Set<(state: UplinkState) => void>();
  readonly #desks: readonly Desk[];
  #phase: UplinkState['connection'] = 'stopped';
  #running = false;
  #connection: BrokerConnection | undefined;
  #connects = 0;
  #lastError: UplinkState['lastError'] = null;
  #head = 0;
  #acknowledged = 0;
  #ackTarget = 0;
  #acknowledging = false;
  #ackPause: Timer | undefined;
  #outbox: Outbox | undefined;
  #taken = new Coverage(0);
  #limit = 1;
  #inFlight = 0;
  #liveStreak = 0;
  #control: ControlMessage[] = [];
  #paused: Timer | undefined;
  #pauses: Backoff;
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
    this.#backoff = new Backoff(this.#timing.backoffMs, this.#timing.backoffMostMs, options.random);
    this.#pauses = new Backoff(this.#timing.backoffMs, this.#timing.backoffMostMs, options.random);
    const reply: DeskReply = (topic, message, given) => this.#reply(topic, message, given);
    const commands = new CommandDesk({
      journal: options.journal,
      epoch: options.epoch,
      clock: options.clock,
      clockTrusted: options.clockTrusted ?? (() => true),
      log: options.log,
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
    for (const desk of this.#desks) await desk.start();
    this.#connect();
    this.#armTelemetry();
  }

  /** Tells the platform that the gate goes down in order, and disconnects. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    this.#unlisten?.();
    for (const desk of this.#desks) desk.stop?.();
    for (const timer of [this.#reconnect, this.#stable, this.#telemetry, this.#statusSoon, this.#ackPause]) timer?.cancel();
    this.#acknowledging = false;
    const connection = this.#connection;
    this.#dropSending();
    this.#connection = undefined;
    if (connection !== undefined) {
      const death: StatusMessage = { state: 'offline', epoch: this.#options.epoch, reason: 'stopped' };
      await Promise.race([
        connection.publish(this.#topic('status'), JSON.stringify(death), { qos: 1, retain: true }).catch((error: unknown) => this.#fault(error)),
        new Promise<void>((resolve) => this.#options.clock.after(DEATH_MS, resolve)),
      ]);
      await connection.end();
    }
    this.#enter('stopped');
  }

  state(): UplinkState {
    return {
      connection: this.#phase,
      broker: this.#options.config.broker.url,
      promise: this.#options.config.platformAcknowledges ? 'platform' : 'broker',
      backlog: Math.max(0, this.#head - this.#acknowledged),
      acknowledged: this.#acknowledged,
      inFlight: this.#inFlight,
      connects: this.#connects,
      lastError: this.#lastError,
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

  #connect(): void {
    if (!this.#running) return;
    this.#enter('connecting');
    const { config, site, gate, epoch } = this.#options;
    const will: StatusMessage = { state: 'offline', epoch, reason: 'lost' };
    BrokerConnection.open({
      config,
      clientId: `laurel-${site}-${gate}`,
      will: { topic: this.#topic('status'), payload: JSON.stringify(will) },
      subscriptions: ['ack' as const, ...this.#desks.map(({ topic }) => topic)].map((name) => this.#topic(name)),
      connectTimeoutMs: this.#timing.connectTimeoutMs,
      onMessage: (message) => this.#receive(message),
      onClosed: (error) => this.#lost(error),
    }).then(
      (connection) => this.#opened(connection),
      (error: unknown) => this.#lost(error),
    );
  }

  #opened(connection: BrokerConnection): void {
    if (!this.#running) {
      connection.drop();
      return;
    }
    const { config, clock, journal } = this.#options;
    this.#connection = connection;
    this.#connects += 1;
    this.#limit = Math.max(1, Math.min(config.window, connection.receiveMaximum));
    const bytes = Math.max(1, Math.min(MOST_BYTES, connection.packetBytes - HEADER_BYTES));
    this.#inFlight = 0;
    this.#resends = 0;
    this.#taken = new Coverage(this.#acknowledged);
    this.#outbox = new Outbox(
      journal,
      { events: config.batch, bytes, ahead: Math.max(1_000, 2 * config.window * config.batch) },
      { head: this.#head, acknowledged: this.#acknowledged },
      () => this.#pump(),
      (error) => {
        this.#fault(error);
        this.#pause();
      },
    );
    this.#stable = clock.after(this.#timing.stableMs, () => this.#backoff.reset());
    this.#enter('online');
    this.#birth();
    for (const desk of this.#desks) desk.connected?.();
    this.#armResend();
  }

  #lost(error: unknown): void {
    this.#dropSending();
    this.#connection = undefined;
    this.#stable?.cancel();
    if (error !== undefined) this.#fault(error);
    if (!this.#running) return;
    this.#enter('offline');
    this.#reconnect = this.#options.clock.after(this.#backoff.nextMs(), () => this.#connect());
  }

  #dropSending(): void {
    this.#outbox = undefined;
    this.#inFlight = 0;
    this.#paused?.cancel();
    this.#paused = undefined;
    this.#resend?.cancel();
  }

  #stored(events: readonly StoredEvent[]): void {
    this.#head = Math.max(this.#head, events.at(-1)?.seq ?? 0);
    this.#outbox?.stored(events);
    this.#pump();
  }

  #birth(): void {
    const { clock, config, epoch, status } = this.#options;
    const birth: StatusMessage = { state: 'online', epoch, atMs: Math.round(clock.wallMs()), promise: config.platformAcknowledges ? 'platform' : 'broker', gate: jsonObjectSchema.parse(status()) };
    this.#control = [{ topic: 'status', text: JSON.stringify(birth), retain: true }, ...this.#control.filter((message) => message.topic !== 'status')];
    this.#pump();
  }

  #reply(topic: Parameters<DeskReply>[0], message: object, { retain = false, correlation }: Parameters<DeskReply>[2] = {}): void {
    this.#control.push({ topic, text: JSON.stringify(message), retain, correlation });
    if (this.#control.length > MOST_REPLIES) this.#control.shift();
    this.#pump();
  }

  /** Fills the window: birth and replies, then live events, with backlog let in between and one place kept free for live. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#connection !== undefined && this.#inFlight < this.#limit && this.#sendNext());
    } finally {
      this.#pumping = false;
    }
  }

  #sendNext(): boolean {
    const control = this.#control.shift();
    if (control !== undefined) {
      this.#send(control.topic, control.text, control, (code) => {
        if (code >= FIRST_FAILURE) this.#brokerRefused(control.topic, code);
      });
      return true;
    }
    const outbox = this.#outbox;
    if (outbox === undefined || this.#paused !== undefined) return false;
    const backlogFirst = !outbox.hasLive || this.#liveStreak >= LIVE_BEFORE_BACKLOG;
    const backlogMay = this.#inFlight < Math.max(1, this.#limit - 1);
    let message = backlogFirst && backlogMay ? outbox.nextBacklog() : undefined;
    if (message === undefined) {
      message = outbox.nextLive();
      if (message === undefined) return false;
      this.#liveStreak += 1;
    } else {
      this.#liveStreak = 0;
    }
    this.#sendEvents(message);
    return true;
  }

  #sendEvents(message: OutboxMessage): void {
    const outbox = this.#outbox;
    this.#send('event', message.text, { retain: false }, (code) => {
      if (outbox !== this.#outbox) return;
      if (code >= FIRST_FAILURE || code === NO_MATCHING_SUBSCRIBERS) {
        this.#brokerRefused('event', code);
        this.#pause();
        return;
      }
      this.#pauses.reset();
      if (this.#options.config.platformAcknowledges) return;
      this.#taken.add(message.first, message.last);
      this.#acknowledge(this.#taken.through);
    });
  }

  #send(topic: ControlMessage['topic'] | 'event', text: string, options: { readonly retain: boolean; readonly correlation?: Buffer | undefined }, taken: (code: number) => void): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#inFlight += 1;
    connection.publish(this.#topic(topic), text, { qos: 1, ...options }).then(
      (code) => {
        if (connection !== this.#connection) return;
        this.#inFlight -= 1;
        taken(code);
        this.#pump();
      },
      () => {
        // The connection ended. Events are in the journal; a reply goes out again on the next connection.
        if (topic !== 'event' && topic !== 'status' && this.#running) this.#control.push({ topic, text, ...options });
      },
    );
  }

  #brokerRefused(topic: string, code: number): void {
    const why =
      code === NO_MATCHING_SUBSCRIBERS ? 'nobody has subscribed, so it would be gone; is the platform connected?' : `reason 0x${code.toString(16)}; check the gate's rights and quotas at the broker`;
    this.#fault(new GateError('MESSAGE_INVALID', `the broker did not take a message to ${topic}: ${why}`, { reasonCode: code }));
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

  /** A broker's receipt is not the platform's: what stays unacknowledged is sent again, ever more slowly. */
  #armResend(): void {
    this.#resend?.cancel();
    const seen = this.#acknowledged;
    this.#resend = this.#options.clock.after(this.#timing.resendMs * 2 ** Math.min(this.#resends, 4), () => {
      const outbox = this.#outbox;
      if (outbox !== undefined && this.#paused === undefined && this.#acknowledged === seen && outbox.awaitsAcknowledgement) {
        this.#resends += 1;
        this.#options.log.warn({ acknowledged: seen, head: this.#head }, 'uplink: no acknowledgement from the platform; sending again');
        outbox.rewind();
        this.#pump();
      }
      this.#armResend();
    });
  }

  #receive(message: Received): void {
    const desk = this.#desks.find(({ topic }) => message.topic === this.#topic(topic));
    if (desk !== undefined) {
      void desk.handle(message);
      return;
    }
    if (message.topic !== this.#topic('ack')) return;
    let value: unknown;
    try {
      value = JSON.parse(Buffer.from(message.payload).toString('utf8'));
    } catch {
      value = undefined;
    }
    const ack = ackMessageSchema.safeParse(value);
    if (!ack.success) {
      this.#fault(new GateError('MESSAGE_INVALID', 'an acknowledgement is not {epoch, seq}'));
      return;
    }
    this.#acknowledge(ack.data.seq);
  }

  /** Hands the highest acknowledgement to the journal; those that come meanwhile are taken together. */
  #acknowledge(seq: number): void {
    this.#ackTarget = Math.max(this.#ackTarget, seq);
    if (this.#acknowledging || this.#ackTarget <= this.#acknowledged) return;
    this.#acknowledging = true;
    const target = this.#ackTarget;
    this.#options.journal.acknowledge(target).then(
      ({ acknowledged }) => {
        this.#ackPause = this.#options.clock.after(this.#timing.ackPauseMs, () => {
          this.#acknowledging = false;
          if (this.#running) this.#acknowledge(0);
        });
        if (acknowledged > this.#acknowledged) {
          this.#acknowledged = acknowledged;
          this.#resends = 0;
          this.#outbox?.acknowledged(acknowledged);
          if (this.#outbox !== undefined) this.#armResend();
        }
        this.#pump();
      },
      (error: unknown) => {
        this.#acknowledging = false;
        // Refused or not written: forget it, the platform repeats itself with the next one.
        this.#ackTarget = this.#acknowledged;
        this.#fault(error);
      },
    );
  }

  #armTelemetry(): void {
    const { clock, config, epoch, telemetry } = this.#options;
    this.#telemetry = clock.after(config.telemetryS * 1_000, () => {
      const connection = this.#connection;
      if (connection !== undefined) {
        const message: TelemetryMessage = { epoch, atMs: Math.round(clock.wallMs()), backlog: this.state().backlog, health: jsonObjectSchema.parse(telemetry()) };
        connection.publish(this.#topic('telemetry'), JSON.stringify(message), { qos: 0 }).catch((error: unknown) => this.#options.log.debug({ error: errorText(error) }, 'uplink: telemetry not sent'));
      }
      this.#armTelemetry();
    });
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
