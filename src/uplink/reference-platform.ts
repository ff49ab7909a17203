import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { GateError, errorText, type Log } from '../base/index.js';
import { brokerFault, type FaultWords } from './broker-fault.js';
import { configReportSchema, desiredConfigSchema, type ConfigReport } from './config-messages.js';
import { eventMessageSchema, replyMessageSchema, statusMessageSchema, telemetryMessageSchema, topicOf, type AckMessage, type CommandMessage, type DownTopic, type EventMessage, type ReplyMessage, type StatusMessage, type TelemetryMessage, type UpTopic } from './messages.js';
import { withoutDelay } from './no-delay.js';
import { GateLedger, type LedgerReport, type Taken } from './platform-ledger.js';
import { reasonName } from './reason-codes.js';

export interface ReferencePlatformOptions {
  readonly url: string;
  readonly log: Log;
  readonly protocol?: '5' | '3.1.1';
  readonly username?: string;
  readonly password?: string;
  /** PEM of the CA, for mqtts. */
  readonly ca?: Buffer;
  /** PEM of a client certificate and its key. */
  readonly certificate?: Buffer;
  readonly key?: Buffer;
  /** False: take events in but acknowledge nothing. */
  readonly acknowledge?: boolean;
  readonly reconnectMs?: number;
  /** Told to the gates with every acknowledgement, and in answer to their birth; nothing where omitted. */
  readonly accepts?: NonNullable<AckMessage['accepts']>;
  /** Sites it takes care of; all where omitted. A platform of several processes gives each gate to one of them. */
  readonly sites?: readonly string[];
  /** Messages it takes; all where omitted. */
  readonly takes?: readonly UpTopic[];
  /** False, for many gates: ledgers in memory remember what is near and count the rest, see `GateLedgerOptions`. */
  readonly exact?: boolean;
  /** Where ledgers are kept; in memory and for this run alone where omitted. */
  readonly books?: LedgerBooks;
  /**
   * Events come over so many connections, shared out by the broker (MQTT 5 §4.8.2). A broker that does not share out by
   * client id or topic brings a gate's events out of order: the ledger is one for all connections, and `seq` orders it.
   */
  readonly share?: { readonly group: string; readonly connections: number };
  /** A photograph, checked against its name. */
  readonly onPhotograph?: (gate: GateName, id: string, jpeg: Buffer) => void;
  readonly onEvent?: (gate: { readonly site: string; readonly gate: string }, event: EventMessage['events'][number], historical: boolean) => void;
}

/** Keeps ledgers for a platform that is to go on where it was. */
export interface LedgerBooks {
  /** The ledger of a gate as it was left. */
  open(gate: GateName): GateLedger;
  /**
   * What a message brought, durable when it returns: nothing of it is acknowledged before. Where it throws, the ledger is
   * opened anew for the next message.
   */
  keep(gate: GateName, ledger: GateLedger, taken: Taken, historical: boolean): void;
}

/** Which gate a message is from, or for. */
export interface GateName {
  readonly site: string;
  readonly gate: string;
}

const CONNECT_MS = 10_000;
/** As `gatectl platform` calls them. */
const WORDS: FaultWords = { who: 'this platform', clock: "check this machine's clock first", url: '--broker', ca: '--ca', certificate: '--cert', key: '--key', refusal: (code) => `${reasonName(code)}; check --user, --password-file and --protocol, and what the broker's access rules allow this platform` };
/** A message that unpacks to more is refused: a small one may be made to fill the memory. */
const MOST_UNPACKED_BYTES = 16 * 1024 * 1024;

/**
 * A small platform: takes events of all gates in, keeps a ledger of its own for each, acknowledges what is there without
 * a hole, and sends commands. For the demonstration, the tests, the fault campaigns, and as an example to integrators.
 */
export class ReferencePlatform {
  readonly #options: ReferencePlatformOptions;
  readonly #ledgers = new Map<string, GateLedger>();
  readonly #statuses = new Map<string, StatusMessage>();
  readonly #replies: ReplyMessage[] = [];
  readonly #configReports: ConfigReport[] = [];
  readonly #waiting = new Set<(reply: ReplyMessage) => void>();
  readonly #hearers = new Map<string, Set<(from: GateName, message: unknown) => void>>();
  readonly #onTelemetry = new Set<(message: TelemetryMessage) => void>();
  #acknowledging: boolean;
  #client: MqttClient | undefined;
  #helpers: MqttClient[] = [];
  #faults = 0;
  #traffic = { messages: 0, bytes: 0, acknowledgements: 0 };

  constructor(options: ReferencePlatformOptions) {
    this.#options = options;
    this.#acknowledging = options.acknowledge ?? true;
  }

  /** Connects and subscribes; reconnects by itself afterwards. @throws GateError BROKER_UNREACHABLE */
  async start(): Promise<void> {
    const { sites, share, takes } = this.#options;
    const topics = (name: UpTopic): readonly string[] => (sites ?? ['+']).map((site) => topicOf(site, '+', name));
    const others = (['status', 'reply', 'telemetry', 'config/report', 'evidence/+'] as const).filter((name) => takes?.includes(name) ?? true).flatMap(topics);
    if (share === undefined || takes?.includes('event') === false) {
      this.#client = await this.#open([...(takes?.includes('event') === false ? [] : topics('event')), ...others]);
      return;
    }
    const shared = topics('event').map((topic) => `$share/${share.group}/${topic}`);
    this.#client = await this.#open([...shared, ...others]);
    for (let count = 1; count < share.connections; count += 1) this.#helpers.push(await this.#open(shared));
  }

  async stop(): Promise<void> {
    const clients = [this.#client, ...this.#helpers.splice(0)];
    this.#client = undefined;
    for (const client of clients) await client?.endAsync(true);
  }

  async #open(topics: readonly string[]): Promise<MqttClient> {
    const { url, protocol, username, password, ca, certificate, key, reconnectMs } = this.#options;
    const fault = (error: unknown): GateError => brokerFault(error, { url }, WORDS);
    const options: IClientOptions = {
      protocolVersion: protocol === '3.1.1' ? 4 : 5,
      clean: true,
      reconnectPeriod: reconnectMs ?? 1_000,
      connectTimeout: CONNECT_MS,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(ca === undefined ? {} : { ca }),
      ...(certificate === undefined ? {} : { cert: certificate }),
      ...(key === undefined ? {} : { key }),
    };
    let client: MqttClient;
    try {
      client = connect(url, options);
    } catch (error) {
      // What is no PEM is found out here.
      throw fault(error);
    }
    withoutDelay(client);
    client.on('message', (topic, payload) => this.#receive(topic, payload));
    let opened = false;
    client.on('error', (error) => {
      // What keeps it from signing in is the caller's to tell.
      if (opened) this.#options.log.warn({ error: errorText(error) }, 'platform: connection trouble');
    });
    try {
      await new Promise<void>((resolve, reject) => {
        client.once('connect', () => {
          if (topics.length === 0) resolve();
          else client.subscribe([...topics], { qos: 1 }, (error) => (error === null ? resolve() : reject(fault(error))));
        });
        client.once('error', (error) => reject(fault(error)));
        client.once('close', () => reject(fault(new GateError('BROKER_UNREACHABLE', `${url}: it closed the connection before it had answered; is this the port of an MQTT broker?`))));
      });
    } catch (error) {
      client.end(true);
      throw error;
    }
    opened = true;
    return client;
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

  /** The true wall time of an event, ms, as well as it is known by now; undefined where it is not. */
  wallTimeOf(site: string, gate: string, event: EventMessage['events'][number]): number | undefined {
    return this.#ledgerOf(site, gate).wallTimeOf(event);
  }

  /** Everything up to here is ingested. */
  through(site: string, gate: string): number {
    return this.#ledgerOf(site, gate).through;
  }

  /** Event messages taken in, their bytes, and acknowledgements sent. */
  get traffic(): { readonly messages: number; readonly bytes: number; readonly acknowledgements: number } {
    return { ...this.#traffic };
  }

  get replies(): readonly ReplyMessage[] {
    return this.#replies;
  }

  /** Reports of configurations, in order of arrival. */
  get configReports(): readonly ConfigReport[] {
    return this.#configReports;
  }

  /** Publishes the configuration a gate shall have. @throws ZodError for one that is no desired configuration */
  configure(site: string, gate: string, desired: Parameters<typeof desiredConfigSchema.parse>[0], { retain = false } = {}): void {
    this.#client?.publish(topicOf(site, gate, 'config'), JSON.stringify(desiredConfigSchema.parse(desired)), { qos: 1, retain });
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
    const ledger = this.#options.books?.open({ site, gate }) ?? new GateLedger({ exact: this.#options.exact ?? true });
    this.#ledgers.set(key, ledger);
    return ledger;
  }

  #receive(topic: string, payload: Buffer): void {
    const [, , site = '', gate = '', ...rest] = topic.split('/');
    const name = rest.join('/');
    try {
      if (rest[0] === 'evidence') {
        this.#photograph({ site, gate }, rest[1] ?? '', payload);
        return;
      }
      const value: unknown = JSON.parse(unpacked(payload).toString('utf8'));
      for (const hear of this.#hearers.get(name) ?? []) hear({ site, gate }, value);
      switch (name) {
        case 'event':
          {
            this.#traffic.messages += 1;
            this.#traffic.bytes += payload.byteLength;
            this.#events(site, gate, eventMessageSchema.parse(value));
            return;
          }
        case 'status': {
          const status = statusMessageSchema.parse(value);
          this.#statuses.set(`${site}/${gate}`, status);
          if (status.state === 'online' && this.#options.accepts !== undefined) this.#sendAck(site, gate);
          return;
        }
        case 'telemetry': {
          const telemetry = telemetryMessageSchema.parse(value);
          for (const listener of this.#onTelemetry) listener(telemetry);
          return;
        }
        case 'config/report':
          this.#configReports.push(configReportSchema.parse(value));
          return;
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

  #photograph(from: GateName, id: string, jpeg: Buffer): void {
    if (createHash('sha256').update(jpeg).digest('hex') !== id) throw new GateError('MESSAGE_INVALID', `photograph ${id} is not what its name says`);
    this.#options.onPhotograph?.(from, id, jpeg);
  }

  #events(site: string, gate: string, message: EventMessage): void {
    const ledger = this.#ledgerOf(site, gate);
    const taken = ledger.take(message);
    try {
      this.#options.books?.keep({ site, gate }, ledger, taken, message.historical);
    } catch (error) {
      // The gate sends it again; this ledger would take it for known.
      this.#ledgers.delete(`${site}/${gate}`);
      this.#options.log.error({ site, gate, error: errorText(error) }, 'platform: events could not be kept, and are not acknowledged');
      return;
    }
    for (const { event } of taken.entered) this.#options.onEvent?.({ site, gate }, event, message.historical);
    this.#sendAck(site, gate);
  }

  #sendAck(site: string, gate: string): void {
    const ledger = this.#ledgerOf(site, gate);
    const { accepts } = this.#options;
    if (!this.#acknowledging || (ledger.through === 0 && accepts === undefined)) return;
    this.#traffic.acknowledgements += 1;
    const hash = ledger.throughHash;
    const ack: AckMessage = { epoch: ledger.throughEpoch, seq: ledger.through, ...(hash === undefined ? {} : { hash }), ...(accepts === undefined ? {} : { accepts }) };
    this.#client?.publish(topicOf(site, gate, 'ack'), JSON.stringify(ack), { qos: 1 });
  }
}

/** MQTT 3.1.1 has no content type: what is compressed shows by the first bytes of RFC 1952, which no JSON begins with. */
function unpacked(payload: Buffer): Buffer {
  return payload[0] === 0x1f && payload[1] === 0x8b ? gunzipSync(payload, { maxOutputLength: MOST_UNPACKED_BYTES }) : payload;
}
