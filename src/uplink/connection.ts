import { readFile } from 'node:fs/promises';
import type { SecureContextOptions } from 'node:tls';
import { Store, connect, type IClientOptions, type MqttClient } from 'mqtt';
import { GateError, errorText } from '../base/index.js';
import { brokerFault, reasonCodeOf } from './broker-fault.js';
import { withoutDelay } from './no-delay.js';
import { LEAST_PACKET_BYTES } from './packet-limit.js';
import { FIRST_FAILURE, reasonText } from './reason-codes.js';
import type { BrokerSettings, Received, UplinkSettings } from './types.js';

/** What a receiver that names none may be sent at once (MQTT 5 §3.2.2.3.3). */
const DEFAULT_RECEIVE_MAXIMUM = 65_535;
/** Messages the broker may send us unacknowledged. */
const OWN_RECEIVE_MAXIMUM = 100;
/** Parts of lists are the largest; a part is best half of this. */
const OWN_PACKET_BYTES = 256 * 1024;
const END_MS = 2_000;

const CONTENT = { json: 'application/json', gzip: 'application/json+gzip', jpeg: 'image/jpeg' } as const;

export interface PublishOptions {
  readonly qos: 0 | 1;
  readonly retain?: boolean;
  readonly correlation?: Buffer | undefined;
  /** What the payload is, where it is not JSON as text. */
  readonly as?: 'gzip' | 'jpeg';
}

export interface ConnectionOptions {
  readonly broker: BrokerSettings;
  readonly config: Pick<UplinkSettings, 'protocol' | 'keepAliveS'>;
  readonly clientId: string;
  readonly will: { readonly topic: string; readonly payload: string };
  readonly subscriptions: readonly string[];
  /** Subscribed to as well, and done without where the broker refuses. */
  readonly wished: string;
  readonly connectTimeoutMs: number;
  /** It is given up when nothing it was sent is answered for so long. */
  readonly answerMs: number;
  readonly onMessage: (message: Received) => void;
  /** Called once when an open connection is gone, with the reason where one is known: undefined where the broker just closed it. */
  readonly onClosed: (connection: BrokerConnection, error: GateError | undefined) => void;
}

/**
 * MQTT.js keeps what it has sent in a `Map` to send it again; here the journal does that. Under a flow of messages such a
 * map is no help to the collector either: each time it grows anew, the dead one before keeps the next one's messages alive.
 */
class NothingKept extends Store {
  override put(...[, done]: Parameters<Store['put']>): this {
    done();
    return this;
  }

  override del(...[{ messageId }, done]: Parameters<Store['del']>): this {
    done(undefined, { cmd: 'puback', ...(messageId === undefined ? {} : { messageId }) });
    return this;
  }
}

/** Callbacks that wait, to be told once each. A list, for the same reason. */
class Waiting<Call> {
  readonly #waiting: { readonly call: Call; at: number }[] = [];

  /** @returns the way to take it out again */
  add(call: Call): () => void {
    const entry = { call, at: this.#waiting.length };
    this.#waiting.push(entry);
    return () => {
      if (this.#waiting[entry.at] !== entry) return;
      const last = this.#waiting.pop();
      if (last === undefined || last === entry) return;
      this.#waiting[entry.at] = last;
      last.at = entry.at;
    };
  }

  takeAll(): readonly Call[] {
    return this.#waiting.splice(0).map(({ call }) => call);
  }
}

/** MQTT.js hands what it does not know to `tls.connect`. Rejects with the system's error where a certificate cannot be read. */
async function clientOptions(options: ConnectionOptions): Promise<IClientOptions & Pick<SecureContextOptions, 'minVersion'>> {
  const { broker, config, clientId, will } = options;
  const version5 = config.protocol === '5';
  return {
    clientId,
    protocolVersion: version5 ? 5 : 4,
    // The journal is the only queue: no session at the broker, no store in the client, no reconnect of its own.
    clean: true,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    outgoingStore: new NothingKept(),
    keepalive: config.keepAliveS,
    connectTimeout: options.connectTimeoutMs,
    will: { topic: will.topic, payload: will.payload, qos: 1, retain: true },
    ...(version5 ? { properties: { sessionExpiryInterval: 0, receiveMaximum: OWN_RECEIVE_MAXIMUM, maximumPacketSize: OWN_PACKET_BYTES } } : {}),
    ...(broker.username === undefined ? {} : { username: broker.username }),
    ...(broker.password === undefined ? {} : { password: broker.password }),
    // Read at every connect, so that renewed certificates are taken without a restart; lanes do not wait for that disk.
    ...(broker.ca === undefined ? {} : { ca: await readFile(broker.ca) }),
    ...(broker.certificate === undefined ? {} : { cert: await readFile(broker.certificate) }),
    ...(broker.key === undefined ? {} : { key: broker.key }),
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
  };
}

/**
 * One connection to the broker, from CONNECT to its end; a reconnect is a new one. Nothing is carried over.
 */
export class BrokerConnection {
  readonly #client: MqttClient;
  readonly #version5: boolean;
  readonly #pubackCodes = new Map<number, number>();
  readonly #pending = new Waiting<(error: GateError) => void>();
  /** Messages the broker lets us have unacknowledged. */
  receiveMaximum = DEFAULT_RECEIVE_MAXIMUM;
  /** Largest packet the broker takes. */
  packetBytes = Number.POSITIVE_INFINITY;
  #closed = false;
  readonly #answerMs: number;
  readonly #url: string;
  #asked = 0;
  /** Messages the broker owes an answer, oldest first; it answers in order (MQTT 5 §4.6). */
  readonly #unanswered: number[] = [];
  #overdue: ReturnType<typeof setTimeout> | undefined;
  /** Ends the connection for this reason. */
  #giveUp: (error: GateError) => void = () => undefined;

  private constructor(client: MqttClient, { broker, config, answerMs }: ConnectionOptions) {
    this.#client = client;
    this.#version5 = config.protocol === '5';
    this.#answerMs = answerMs;
    this.#url = broker.url;
  }

  /**
   * Connects and subscribes.
   * @throws GateError BROKER_UNREACHABLE, BROKER_TLS or BROKER_REFUSED, with what to do
   */
  static async open(options: ConnectionOptions): Promise<BrokerConnection> {
    const { broker } = options;
    const { url } = broker;
    let client: MqttClient;
    try {
      client = connect(url, await clientOptions(options));
    } catch (error) {
      throw brokerFault(error, broker);
    }
    const connection = new BrokerConnection(client, options);
    let opened = false;
    let last: unknown;
    connection.#giveUp = (error) => {
      last ??= error;
      client.end(true);
    };
    const early = (): GateError => brokerFault(last ?? new GateError('BROKER_UNREACHABLE', `${url}: it closed the connection before it had answered; is this the port of an MQTT broker?`), broker);
    await new Promise<void>((resolve, reject) => {
      withoutDelay(client);
      client.on('connect', (packet) => {
        connection.receiveMaximum = packet.properties?.receiveMaximum ?? DEFAULT_RECEIVE_MAXIMUM;
        connection.packetBytes = packet.properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
        resolve();
      });
      client.on('error', (error) => {
        last ??= error;
        // MQTT.js leaves a connection half open on some protocol errors; ours ends with the first.
        client.end(true);
        reject(brokerFault(error, broker));
      });
      client.on('disconnect', (packet) => {
        const code = packet.reasonCode ?? 0;
        if (code >= FIRST_FAILURE) last ??= new GateError('BROKER_REFUSED', `${url}: the broker ended the connection: ${reasonText(code)}`, { url, reasonCode: code });
        // The broker is to close (MQTT 5 §3.14.4); one that does not is not waited for.
        client.end(true);
      });
      client.on('close', () => {
        connection.#end();
        reject(early());
        if (opened) options.onClosed(connection, last === undefined ? undefined : brokerFault(last, broker));
      });
      client.on('packetreceive', (packet) => {
        if (packet.cmd === 'puback' && packet.messageId !== undefined) connection.#pubackCodes.set(packet.messageId, packet.reasonCode ?? 0);
      });
      client.on('message', (topic, payload, packet) => {
        options.onMessage({ topic, payload, retained: packet.retain, correlation: packet.properties?.correlationData });
      });
    });
    try {
      if (connection.packetBytes < LEAST_PACKET_BYTES) {
        throw new GateError('BROKER_REFUSED', `${url}: the broker takes messages of ${connection.packetBytes} bytes at most, an event needs ${LEAST_PACKET_BYTES}; raise its limit (mosquitto: max_packet_size)`, { url });
      }
      // Retain-as-published (MQTT 5 §3.8.3.1): a retained command shows its flag also when it is delivered at once. What is
      // wished for shows it only when it comes from the broker's store.
      await Promise.all([connection.#subscribe(options.subscriptions, true), connection.#subscribe([options.wished], false).catch(() => undefined)]);
    } catch (error) {
      client.end(true);
      const code = reasonCodeOf(error);
      if (code === undefined || last !== undefined) throw brokerFault(last ?? error, broker);
      throw new GateError('BROKER_REFUSED', `${url}: the broker refuses a subscription the gate needs: ${reasonText(code)}; ${options.subscriptions.join(', ')}`, { url, reasonCode: code }, error);
    }
    // The connection may have gone between SUBACK and here.
    if (connection.#closed) throw early();
    opened = true;
    return connection;
  }

  /**
   * @returns the broker's reason code: 0 where it was taken (always, with QoS 0)
   * @throws GateError BROKER_UNREACHABLE when the connection ends before the broker has answered
   */
  publish(topic: string, payload: string | Buffer, { qos, retain = false, correlation, as }: PublishOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closed) {
        reject(new GateError('BROKER_UNREACHABLE', 'the connection is closed'));
        return;
      }
      // QoS 0 is not answered, so it must not count as an answer either.
      const settled = qos === 0 ? this.#pending.add(reject) : this.#await(reject);
      const properties = this.#version5 ? { properties: { contentType: CONTENT[as ?? 'json'], payloadFormatIndicator: as === undefined, ...(correlation === undefined ? {} : { correlationData: correlation }) } } : {};
      this.#client.publish(topic, payload, { qos, retain, ...properties }, (error, packet) => {
        settled();
        const code = reasonCodeOf(error);
        if (code !== undefined) resolve(code);
        else if (error instanceof Error) reject(new GateError('BROKER_UNREACHABLE', errorText(error)));
        else resolve(this.#takeCode(packet?.messageId));
      });
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Ends in order: the broker does not publish the last will. */
  async end(): Promise<void> {
    if (this.#closed) return;
    // MQTT.js says goodbye only once everything is answered, and a broker that hears none publishes the last will.
    for (const messageId of Object.keys(this.#client.outgoing)) this.#client.removeOutgoingMessage(Number(messageId));
    await new Promise<void>((resolve) => {
      const giveUp = setTimeout(() => this.#client.end(true, () => resolve()), END_MS);
      this.#client.end(false, () => {
        clearTimeout(giveUp);
        resolve();
      });
    });
  }

  /** Drops the connection without a word, so that the broker publishes the last will. */
  drop(): void {
    this.#client.end(true);
  }

  #takeCode(messageId: number | undefined): number {
    if (messageId === undefined) return 0;
    const code = this.#pubackCodes.get(messageId) ?? 0;
    this.#pubackCodes.delete(messageId);
    return code;
  }

  /** Rejects with MQTT.js's error, which has the reason code, where the broker refuses one of them. */
  #subscribe(topics: readonly string[], retainAsPublished: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const settled = this.#await(reject);
      this.#client.subscribe([...topics], this.#version5 ? { qos: 1, rap: retainAsPublished } : { qos: 1 }, (error) => {
        settled();
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  /** Waits for an answer of the broker. One that owes an answer is left: pings alone would keep the line up for ever. */
  #await(reject: (error: GateError) => void): () => void {
    const settled = this.#pending.add(reject);
    const order = (this.#asked += 1);
    this.#unanswered.push(order);
    if (this.#unanswered.length === 1) this.#watchAnswers();
    return () => {
      settled();
      const at = this.#unanswered.indexOf(order);
      if (at >= 0) this.#unanswered.splice(at, 1);
      if (at === 0) this.#watchAnswers();
    };
  }

  /** The time runs for the oldest message, from when it became that: over a slow line the last of a window waits long. */
  #watchAnswers(): void {
    if (this.#unanswered.length === 0 || this.#closed) {
      clearTimeout(this.#overdue);
      this.#overdue = undefined;
      return;
    }
    this.#overdue?.refresh();
    this.#overdue ??= setTimeout(() => {
      this.#giveUp(new GateError('BROKER_UNREACHABLE', `${this.#url}: the broker is there, but has not answered a message for ${this.#answerMs / 1_000} s; the gate signs in anew. If it happens again, look into the broker's log`, { url: this.#url }));
    }, this.#answerMs);
  }

  #end(): void {
    this.#closed = true;
    clearTimeout(this.#overdue);
    const error = new GateError('BROKER_UNREACHABLE', 'the connection ended before the broker had answered');
    for (const reject of this.#pending.takeAll()) reject(error);
  }
}
