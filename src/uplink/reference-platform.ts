import { connect, type MqttClient } from 'mqtt';
import { GateError, errorText, type Log } from '../base/index.js';
import { eventMessageSchema, replyMessageSchema, statusMessageSchema, telemetryMessageSchema, topicOf, type AckMessage, type CommandMessage, type DownTopic, type EventMessage, type ReplyMessage, type StatusMessage, type TelemetryMessage, type UpTopic } from './messages.js';
import { GateLedger, type LedgerReport } from './platform-ledger.js';

export interface ReferencePlatformOptions {
  readonly url: string;
  readonly log: Log;
  readonly protocol?: '5' | '3.1.1';
  readonly username?: string;
  readonly password?: string;
  /** PEM of the CA, for mqtts. */
  readonly ca?: Buffer;
  /** False: take events in but acknowledge nothing. */
  readonly acknowledge?: boolean;
  readonly reconnectMs?: number;
  readonly onEvent?: (gate: { readonly site: string; readonly gate: string }, event: EventMessage['events'][number], historical: boolean) => void;
}

/** Which gate a message is from, or for. */
export interface GateName {
  readonly site: string;
  readonly gate: string;
}

const CONNECT_MS = 10_000;

/**
 * A small platform: takes events of all gates in, keeps a ledger of its own for each, acknowledges what is there without
 * a hole, and sends commands. For the demonstration, the tests, the fault campaigns, and as an example to integrators.
 */
export class ReferencePlatform {
  readonly #options: ReferencePlatformOptions;
  readonly #ledgers = new Map<string, GateLedger>();
  readonly #statuses = new Map<string, StatusMessage>();
  readonly #replies: ReplyMessage[] = [];
  readonly #waiting = new Set<(reply: ReplyMessage) => void>();
  readonly #hearers = new Map<string, Set<(from: GateName, message: unknown) => void>>();
  readonly #onTelemetry = new Set<(message: TelemetryMessage) => void>();
  #acknowledging: boolean;
  #client: MqttClient | undefined;
  #faults = 0;

  constructor(options: ReferencePlatformOptions) {
    this.#options = options;
    this.#acknowledging = options.acknowledge ?? true;
  }

  /** Connects and subscribes; reconnects by itself afterwards. @throws GateError BROKER_UNREACHABLE */
  async start(): Promise<void> {
    const { url, protocol, username, password, ca, reconnectMs } = this.#options;
    const client = connect(url, {
      protocolVersion: protocol === '3.1.1' ? 4 : 5,
      clean: true,
      reconnectPeriod: reconnectMs ?? 1_000,
      connectTimeout: CONNECT_MS,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(ca === undefined ? {} : { ca }),
    });
    this.#client = client;
    client.on('message', (topic, payload) => this.#receive(topic, payload));
    client.on('error', (error) => this.#options.log.warn({ error: errorText(error) }, 'platform: connection trouble'));
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => {
        client.subscribe(['event', 'status', 'reply', 'telemetry'].map((name) => `laurel/v1/+/+/${name}`), { qos: 1 }, (error) => (error === null ? resolve() : reject(new GateError('BROKER_UNREACHABLE', errorText(error)))));
      });
      client.once('error', (error) => reject(new GateError('BROKER_UNREACHABLE', `${url}: ${errorText(error)}`)));
    });
  }

  async stop(): Promise<void> {
    await this.#client?.endAsync(true);
    this.#client = undefined;
  }

  /** Malformed messages seen; a contract test wants none. */
  get faults(): number {
    return this.#faults;
  }

  status(site: string, gate: string): StatusMessage | undefined {
    return this.#statuses.get(`${site}/${gate}`);
  }

  ledger(site: string, gate: string): LedgerReport {
    return this.#ledgerOf(site, gate).report();
  }

  /** Everything up to here is ingested. */
  through(site: string, gate: string): number {
    return this.#ledgerOf(site, gate).through;
  }

  get replies(): readonly ReplyMessage[] {
    return this.#replies;
  }

  onTelemetry(listener: (message: TelemetryMessage) => void): () => void {
    this.#onTelemetry.add(listener);
    return () => this.#onTelemetry.delete(listener);
  }

  /** Begins or ends acknowledging; beginning acknowledges what is there. */
  acknowledge(on: boolean): void {
    this.#acknowledging = on;
    for (const key of this.#ledgers.keys()) {
      const [site = '', gate = ''] = key.split('/');
      this.#sendAck(site, gate);
    }
  }

  /** Sends a command; the replies come through `replyTo`. */
  send(site: string, gate: string, command: CommandMessage, { retain = false } = {}): void {
    this.#client?.publish(topicOf(site, gate, 'command'), JSON.stringify(command), { qos: 1, retain });
  }

  /** Sends any other message to a gate; kept by the client until the broker has it. */
  post({ site, gate }: GateName, topic: DownTopic, message: object): void {
    this.#client?.publish(topicOf(site, gate, topic), JSON.stringify(message), { qos: 1 });
  }

  /**
   * Hears the messages of all gates on a topic, from now on, once connected; they are JSON, and not checked. Returns the
   * way to stop.
   */
  hear(topic: UpTopic, listener: (from: GateName, message: unknown) => void): () => void {
    const hearers = this.#hearers.get(topic) ?? new Set();
    if (hearers.size === 0) this.#client?.subscribe(`laurel/v1/+/+/${topic}`, { qos: 1 });
    this.#hearers.set(topic, hearers.add(listener));
    return () => hearers.delete(listener);
  }

  /** Resolves with the reply that ends a command (not `accepted`). */
  replyTo(id: string): Promise<ReplyMessage> {
    return new Promise((resolve) => {
      const wait = (reply: ReplyMessage): void => {
        if (reply.id !== id || reply.state === 'accepted') return;
        this.#waiting.delete(wait);
        resolve(reply);
      };
      this.#waiting.add(wait);
    });
  }

  #ledgerOf(site: string, gate: string): GateLedger {
    const key = `${site}/${gate}`;
    const known = this.#ledgers.get(key);
    if (known !== undefined) return known;
    const ledger = new GateLedger();
    this.#ledgers.set(key, ledger);
    return ledger;
  }

  #receive(topic: string, payload: Buffer): void {
    const [, , site = '', gate = '', ...rest] = topic.split('/');
    const name = rest.join('/');
    try {
      const value: unknown = JSON.parse(payload.toString('utf8'));
      for (const hear of this.#hearers.get(name) ?? []) hear({ site, gate }, value);
      switch (name) {
        case 'event':
          { this.#events(site, gate, eventMessageSchema.parse(value)); return; }
        case 'status':
          this.#statuses.set(`${site}/${gate}`, statusMessageSchema.parse(value));
          return;
        case 'telemetry': {
          const telemetry = telemetryMessageSchema.parse(value);
          for (const listener of this.#onTelemetry) listener(telemetry);
          return;
        }
        case 'reply': {
          const reply = replyMessageSchema.parse(value);
          this.#replies.push(reply);
          for (const wait of [...this.#waiting]) wait(reply);
        }
      }
    } catch (error) {
      this.#faults += 1;
      this.#options.log.warn({ topic, error: errorText(error) }, 'platform: a message does not fit the contract');
    }
  }

  #events(site: string, gate: string, message: EventMessage): void {
    const ledger = this.#ledgerOf(site, gate);
    ledger.onEvent = (event) => this.#options.onEvent?.({ site, gate }, event, message.historical);
    ledger.take(message);
    this.#sendAck(site, gate);
  }

  #sendAck(site: string, gate: string): void {
    const ledger = this.#ledgerOf(site, gate);
    if (!this.#acknowledging || ledger.through === 0) return;
    const ack: AckMessage = { epoch: ledger.throughEpoch, seq: ledger.through };
    this.#client?.publish(topicOf(site, gate, 'ack'), JSON.stringify(ack), { qos: 1 });
  }
}
