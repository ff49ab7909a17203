import { gunzipSync } from 'node:zlib';
import type { Packet } from 'mqtt-packet';
import { eventMessageSchema } from '../../src/uplink/index.js';

/** RFC 1952 §2.3.1. */
const GZIP_FIRST_BYTE = 0x1f;

interface Copy {
  readonly connection: number;
  readonly historical: boolean;
  /** Counts the events handed to the broker, copies too. */
  readonly at: number;
}

interface Arrival {
  readonly seq: number;
  readonly historical: boolean;
  /** Events that had been handed to the broker by then. */
  readonly after: number;
}

/**
 * Tells a gate that sends out of order from a broker that took an event and lost it. An event that reaches the platform
 * after a later one is excused where, on every connection over which the later one may have come, it was handed to the
 * broker before: the gate kept the order, and sent again what got lost.
 */
export class ArrivalOrder {
  readonly #copies = new Map<number, Copy[]>();
  readonly #arrivals: Arrival[] = [];
  #handed = 0;

  /** A packet was handed to the broker; only one that carries events counts. */
  sawPacket(packet: Packet, connection: number): void {
    if (packet.cmd !== 'publish' || !packet.topic.endsWith('/event')) return;
    const bytes = Buffer.from(packet.payload);
    const text = bytes[0] === GZIP_FIRST_BYTE ? gunzipSync(bytes) : bytes;
    const { events, historical } = eventMessageSchema.parse(JSON.parse(text.toString('utf8')));
    this.handedOver(connection, events.map(({ seq }) => seq), historical);
  }

  /** A message with these events was handed to the broker. */
  handedOver(connection: number, seqs: readonly number[], historical: boolean): void {
    for (const seq of seqs) {
      this.#handed += 1;
      const copies = this.#copies.get(seq) ?? [];
      copies.push({ connection, historical, at: this.#handed });
      this.#copies.set(seq, copies);
    }
  }

  /** An event reached the platform for the first time. */
  arrived(seq: number, historical: boolean): void {
    this.#arrivals.push({ seq, historical, after: this.#handed });
  }

  /** Of the events that came after a later one of the same kind: those for which the gate answers. */
  blamed(reordered: readonly number[]): readonly number[] {
    return reordered.filter((seq) => !this.#excused(seq));
  }

  /** For a report: over which connections, and when, an event and the one that overtook it were handed to the broker. */
  explain(seq: number): string {
    const at = this.#arrivals.findIndex((arrival) => arrival.seq === seq);
    const own = this.#arrivals[at];
    const overtook = this.#arrivals.slice(0, Math.max(0, at)).find((arrival) => arrival.historical === own?.historical && arrival.seq > seq);
    const copies = (of: number | undefined): string => (this.#copies.get(of ?? 0) ?? []).map((copy) => `${copy.connection}:${copy.at}${copy.historical ? '' : ' live'}`).join(', ');
    return `event ${seq} (${own?.historical === true ? 'backlog' : 'live'}, handed over ${copies(seq)}, here after ${own?.after}) was overtaken by ${overtook?.seq} (handed over ${copies(overtook?.seq)}, here after ${overtook?.after})`;
  }

  #excused(seq: number): boolean {
    const at = this.#arrivals.findIndex((arrival) => arrival.seq === seq);
    const own = this.#arrivals[at];
    if (own === undefined) return false;
    const copies = this.#copies.get(seq) ?? [];
    const before = (other: Copy): boolean => copies.some((copy) => copy.connection === other.connection && copy.at < other.at);
    return this.#arrivals
      .slice(0, at)
      .filter((arrival) => arrival.historical === own.historical && arrival.seq > seq)
      .every((later) => {
        const ways = (this.#copies.get(later.seq) ?? []).filter((copy) => copy.historical === later.historical && copy.at <= later.after);
        return ways.length > 0 && ways.every(before);
      });
  }
}
