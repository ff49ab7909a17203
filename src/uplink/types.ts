import type { Clock, JsonObject, Log } from '../base/index.js';
import type { BrokerConfig, UplinkConfig } from '../config/index.js';
import type { Journal } from '../journal/index.js';
import type { CommandMessage, DownTopic, PhotographTopic, UpTopic } from './messages.js';

/** A message of the platform, as the broker delivered it. */
export interface Received {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Handed out by the broker from its store, or published to be kept there. */
  readonly retained: boolean;
  readonly correlation: Buffer | undefined;
}

/** Takes the messages of one topic in. Never throws: what is wrong with a message is answered and put on record. */
export interface Desk {
  readonly topic: Exclude<DownTopic, 'ack'>;
  /** Brings back what must survive a restart; called before the first message. */
  start(): Promise<void>;
  handle(message: Received): Promise<void>;
  /** A connection stands: what the platform should know now may be sent. */
  connected?(): void;
  /** The uplink stops. */
  stop?(): void;
}

/** How a desk answers: QoS 1, kept in memory until the broker has taken it, also over reconnects. */
export type DeskReply = (topic: Exclude<UpTopic, 'event' | 'telemetry' | 'status' | PhotographTopic>, message: object, options?: { readonly retain?: boolean; readonly correlation?: Buffer | undefined }) => void;

/** A command as the lanes get it, checked and not expired. */
export interface GateCommand {
  readonly id: string;
  readonly issuer: string;
  readonly lane: string;
  readonly target: CommandMessage['target'];
  readonly reason: string;
  readonly expiresMs: number;
}

export type CommandOutcome =
  | { readonly outcome: 'done' }
  | { readonly outcome: 'failed' | 'refused'; readonly code: string; readonly reason: string };

/** A broker with its secrets read. */
export type BrokerSettings = Omit<BrokerConfig, 'password' | 'key'> & {
  readonly password?: string | undefined;
  /** Private key, PEM. */
  readonly key?: string | undefined;
};

/** The uplink's configuration with its secrets read: `main.ts` reads them, and puts the embedded broker's address in. */
export type UplinkSettings = Omit<UplinkConfig, 'broker' | 'remoteConfiguration' | 'configurationTrialS' | 'commandKeys' | 'commandRate' | 'photographs' | 'photographsKBPerS'> & {
  /** In order of preference; at least one. */
  readonly brokers: readonly BrokerSettings[];
  /** None where omitted: commands need no signature. */
  readonly commandKeys?: UplinkConfig['commandKeys'];
  readonly commandRate?: UplinkConfig['commandRate'];
  /** None are sent where omitted. */
  readonly photographs?: UplinkConfig['photographs'];
  readonly photographsKBPerS?: UplinkConfig['photographsKBPerS'];
};

export interface UplinkTiming {
  /** Reconnect: a random time up to `backoffMs × 2^attempt`, at most `backoffMostMs` (full jitter). */
  readonly backoffMs: number;
  readonly backoffMostMs: number;
  /** A connection that held this long counts as good and ends the growth of the back-off. */
  readonly stableMs: number;
  /** Without an acknowledgement for this long, what was sent since the last one is sent again. */
  readonly resendMs: number;
  readonly connectTimeoutMs: number;
  /** A broker that owes the answer to its oldest message for this long is left, though it may still answer pings. */
  readonly answerMs: number;
  /** Acknowledgements that come within this are written as one: each costs the card a synchronisation. */
  readonly ackPauseMs: number;
  /** On a lesser broker: a random time up to this, growing to `preferMostMs`, until a preferred one is tried again. */
  readonly preferMs: number;
  readonly preferMostMs: number;
  /** Without new evidence for this long, a client id that was taken counts as this gate's own again. */
  readonly duplicateQuietMs: number;
}

export interface UplinkOptions {
  readonly config: UplinkSettings;
  readonly site: string;
  readonly gate: string;
  readonly journal: Journal;
  /** Boot epoch, from `journal.start()`. */
  readonly epoch: number;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 to below 1; jitters the reconnects. */
  readonly random: () => number;
  /** Whether wall time may decide that a command has expired; trusted where omitted. */
  readonly clockTrusted?: () => boolean;
  /** Shown in the birth message: lane states, versions. */
  readonly status: () => JsonObject;
  readonly telemetry: () => JsonObject;
  /** The gate's lanes, for commands; any name is one where omitted. */
  readonly lanes?: readonly string[];
  /**
   * Carries a command out. Called at most once per id, after `command.accepted` is on record (`fire` and `stop`: handed to
   * the journal). Whoever carries it out records how it ended (`command.done`, `command.failed`, `command.refused`) with
   * `id` in the payload; where this rejects, the desk records it.
   */
  readonly command: (command: GateCommand) => Promise<CommandOutcome>;
  /** Desks for the other topics the platform writes to; commands are always taken in. */
  readonly desks?: readonly ((reply: DeskReply) => Desk)[];
  readonly timing?: Partial<UplinkTiming>;
}

export interface UplinkState {
  readonly connection: 'connecting' | 'online' | 'offline' | 'stopped';
  /** Broker in use, or being tried, without user or password. */
  readonly broker: string;
  /** Its place among the configured ones, from 1: the preferred one. */
  readonly preference: number;
  readonly brokers: number;
  /** How event messages are packed, as the platform agreed. */
  readonly encoding: 'plain' | 'gzip';
  /** `broker` is the weaker promise: a broker's receipt is not the platform's. */
  readonly promise: 'platform' | 'broker';
  /** Durable events the platform has not acknowledged. */
  readonly backlog: number;
  readonly acknowledged: number;
  /** Messages sent and not yet taken by the broker. */
  readonly inFlight: number;
  /** Connections that came about since the start. */
  readonly connects: number;
  readonly lastError: { readonly code: string; readonly message: string; readonly atMs: number } | null;
  /** Another client uses this gate's client id, since when. */
  readonly duplicate: { readonly message: string; readonly sinceMs: number } | null;
  /** What people should know at a glance; empty while all is well. */
  readonly detail: string;
}
