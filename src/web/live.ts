import type { JsonObject, Log } from '../base/index.js';

/** Where live messages go: a WebSocket or a streamed reply. */
export interface LiveSink {
  /** Hands text over; `done` is called once it left this process or failed. */
  send(text: string, done: () => void): void;
  /** Bytes handed over that have not left yet. */
  buffered(): number;
  /** Cuts the connection at once. */
  drop(reason: string): void;
}

/** Above this, states wait and only the newest of each is kept. */
const softLimitBytes = 64 * 1024;
/** Above this the client is dropped: it reconnects and starts from a fresh status. */
const hardLimitBytes = 512 * 1024;
const mostWaiting = 256;

/**
 * One listener of the live feed. Events are never left out; of states (lane, track, world) only the newest counts, so
 * a slow phone gets fewer of them, and a stuck one is dropped. What is held for it is bounded in every case.
 */
export class LiveClient {
  readonly #sink: LiveSink;
  readonly #onGone: (client: LiveClient, reason: string) => void;
  readonly #waiting = new Map<string, string>();
  #gone = false;

  constructor(sink: LiveSink, onGone: (client: LiveClient, reason: string) => void) {
    this.#sink = sink;
    this.#onGone = onGone;
  }

  /** @param state names the state this message is the newest of; undefined for an event */
  push(text: string, state: string | undefined): void {
    if (this.#gone) return;
    const buffered = this.#sink.buffered();
    if (buffered > hardLimitBytes) {
      this.drop(`slow: ${buffered} bytes waiting`);
      return;
    }
    if (state === undefined || buffered < softLimitBytes) {
      if (state !== undefined) this.#waiting.delete(state);
      this.#sink.send(text, () => this.#flush());
      return;
    }
    this.#waiting.delete(state);
    this.#waiting.set(state, text);
    if (this.#waiting.size > mostWaiting) this.drop('slow: too many states waiting');
  }

  /** States that wait for room; never more than 256. */
  get waiting(): number {
    return this.#waiting.size;
  }

  drop(reason: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#waiting.clear();
    this.#sink.drop(reason);
    this.#onGone(this, reason);
  }

  #flush(): void {
    if (this.#gone) return;
    for (const [state, text] of this.#waiting) {
      if (this.#sink.buffered() >= softLimitBytes) return;
      this.#waiting.delete(state);
      this.#sink.send(text, () => this.#flush());
    }
  }
}

/** Most listeners at one time over all listeners of the server; a gate has a few guards, not an audience. */
const mostClients = 32;

/** Spreads the gate's live changes over the connected clients; every message is written as JSON once. */
export class LiveHub {
  readonly #subscribe: (listener: (message: JsonObject) => void) => () => void;
  readonly #log: Log;
  readonly #clients = new Set<LiveClient>();
  #unsubscribe: (() => void) | undefined;

  constructor(subscribe: (listener: (message: JsonObject) => void) => () => void, log: Log) {
    this.#subscribe = subscribe;
    this.#log = log;
  }

  start(): void {
    this.#unsubscribe = this.#subscribe((message) => this.#spread(message));
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    for (const client of [...this.#clients]) client.drop('the gate is stopping');
  }

  get size(): number {
    return this.#clients.size;
  }

  /** Takes a new listener; undefined where there are too many already. */
  add(sink: LiveSink): LiveClient | undefined {
    if (this.#clients.size >= mostClients) return undefined;
    const client = new LiveClient(sink, (gone, reason) => {
      this.#clients.delete(gone);
      this.#log.debug({ reason, clients: this.#clients.size }, 'live client gone');
    });
    this.#clients.add(client);
    return client;
  }

  #spread(message: JsonObject): void {
    if (this.#clients.size === 0) return;
    const text = JSON.stringify(message);
    const state = stateOf(message);
    for (const client of [...this.#clients]) client.push(text, state);
  }
}

function stateOf(message: JsonObject): string | undefined {
  if (message['kind'] === 'event') return undefined;
  return [message['kind'], message['lane'], message['track']].map((part) => (typeof part === 'string' ? part : '')).join(':');
}
