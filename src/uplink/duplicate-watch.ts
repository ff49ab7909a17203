import { GateError, type JsonObject } from '../base/index.js';
import type { StatusMessage } from './messages.js';

/** Evidence older than this does not add up. */
const WITHIN_MS = 600_000;
const TAKEN_OVER = 2;
/** MQTT 3.1.1 gives no reason when it ends a connection, so it takes more of them to tell. */
const CLOSED = 3;

type Evidence = 'status' | 'taken-over' | 'closed' | 'record';

/** How sure each is: what weaker evidence guesses at takes nothing back of what stronger has shown. */
const STRENGTH: Readonly<Record<Evidence, number>> = { closed: 1, 'taken-over': 2, status: 3, record: 3 };

export interface Duplicate {
  readonly error: GateError;
  /** Of the evidence; more is surer. */
  readonly strength: number;
  /** For the journal. */
  readonly facts: JsonObject;
}

export interface DuplicateWatchOptions {
  readonly site: string;
  readonly gate: string;
  readonly clientId: string;
  /** Drawn anew by every process; it is in every status this one publishes. */
  readonly instance: string;
  readonly epoch: number;
}

/**
 * Tells whether another client uses this gate's client id. The broker then throws out whoever was there, over and over,
 * which looks like a bad line. What the status topic holds says who it is: a status that another process wrote there after
 * this one's birth is a second box with the same gate id; without one, it is some other client.
 */
export class DuplicateWatch {
  readonly #options: DuplicateWatchOptions;
  /** Brokers that have acknowledged a birth of this process. */
  readonly #born = new Set<number>();
  /** Instances that were this gate's before. */
  #own: ReadonlySet<string> = new Set();
  #takenOver: number[] = [];
  #closed: number[] = [];
  /** A connection was closed so, and it is not known yet whether the broker lives on. */
  #closedMs: number | undefined;

  constructor(options: DuplicateWatchOptions) {
    this.#options = options;
  }

  /** The gate's earlier processes: what they left at a broker says nothing of a second box. */
  own(instances: readonly string[]): void {
    this.#own = new Set(instances);
  }

  born(broker: number): void {
    this.#born.add(broker);
  }

  /** A status on this gate's own topic. @returns what it gives away about a second box */
  status(broker: number, url: string, status: StatusMessage): Duplicate | undefined {
    const { instance, epoch, site, gate } = this.#options;
    if (status.instance === undefined || status.instance === instance || !this.#born.has(broker)) return undefined;
    // A broker that was put back to an older state hands out what it kept then.
    if (this.#own.has(status.instance)) return undefined;
    // The last will of this gate's previous process may come late.
    if (status.state === 'offline' && status.epoch < epoch) return undefined;
    const other: JsonObject = { instance: status.instance, epoch: status.epoch, ...(status.state === 'online' ? { versions: status.gate['versions'] ?? null } : {}) };
    return this.#found(
      'status',
      url,
      `a second box is signed in as gate ${gate} of site ${site} (its boot epoch is ${status.epoch}, this one's ${epoch}); switch off the one that was replaced, or give one of them a gate.id of its own`,
      { other },
    );
  }

  /** The broker gave the session to somebody else (MQTT 5, reason 0x8E), and this process has not asked for it. */
  takenOver(url: string, nowMs: number): Duplicate | undefined {
    this.#takenOver = [...this.#takenOver.filter((ms) => nowMs - ms < WITHIN_MS), nowMs];
    const times = this.#takenOver.length;
    if (times < TAKEN_OVER) return undefined;
    return this.#found('taken-over', url, `another client signs in with the client id ${this.#options.clientId} (${times} times by now); look at the broker for the address it comes from, and give that client an id of its own`, { times });
  }

  /**
   * The broker closed a good connection without a reason, as MQTT 3.1.1 does when somebody else signs in with the client id,
   * and as every broker does that dies. One that lives on publishes the last will: see `ownWill`.
   */
  closedSilently(nowMs: number): void {
    this.#closedMs = nowMs;
  }

  /** Back at the broker, this process finds its own last will there. @returns what that gives away of the connection before */
  ownWill(url: string, status: StatusMessage, nowMs: number): Duplicate | undefined {
    if (this.#closedMs === undefined || status.instance !== this.#options.instance || status.state !== 'offline') return undefined;
    this.#closedMs = undefined;
    this.#closed = [...this.#closed.filter((ms) => nowMs - ms < WITHIN_MS), nowMs];
    const times = this.#closed.length;
    if (times < CLOSED) return undefined;
    return this.#found(
      'closed',
      url,
      `the broker has ended ${times} good connections without a reason: most likely another client signs in with the client id ${this.#options.clientId}; look at the broker for the address it comes from, and give that client an id of its own. If there is none, look into the broker's log`,
      { times },
    );
  }

  /** The platform acknowledges an event under a number of this gate, and it is not this gate's. */
  otherRecord(url: string, seq: number): Duplicate {
    const { gate, site } = this.#options;
    return this.#found(
      'record',
      url,
      `the platform holds another event under number ${seq} of gate ${gate} of site ${site} than this box: a second box has sent it. This one lets go of nothing the platform does not have; switch off the one that was replaced, or give one of them a gate.id of its own`,
      { seq },
    );
  }

  /** The broker could not be reached: it went down, and that is why it closed connections. */
  unreachable(): void {
    this.#closed = [];
    this.#closedMs = undefined;
  }

  #found(evidence: Evidence, url: string, text: string, more: JsonObject): Duplicate {
    const { clientId } = this.#options;
    return { error: new GateError('BROKER_CLIENT_ID_TAKEN', `${url}: ${text}`, { url, clientId, evidence, ...more }), strength: STRENGTH[evidence], facts: { clientId, broker: url, evidence, detail: text, ...more } };
  }
}
