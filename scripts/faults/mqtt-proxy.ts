import { connect, createServer, type Server, type Socket } from 'node:net';
import { parser, type Packet, type Parser } from 'mqtt-packet';
import { GateError } from '../../src/base/index.js';

/** `up`: from the gate to the broker. */
export type Direction = 'up' | 'down';

/** A whole packet on its way. */
export interface Frame {
  readonly direction: Direction;
  readonly packet: Packet;
  readonly bytes: Buffer;
  readonly connection: ProxyConnection;
}

/** What becomes of a packet: it does not go on as it is. */
export interface Fate {
  /** Goes on in its place; nothing where empty. */
  readonly forward: readonly Buffer[];
  /** Goes back to where the packet came from. */
  readonly back?: readonly Buffer[];
  /** Then the connection ends, at both ends: in order, or by a reset. */
  readonly cut?: Cut;
}

export type Cut = 'end' | 'reset';

/** Undefined lets the packet pass. */
export type Rule = (frame: Frame) => Fate | undefined;

/** How fast bytes go. */
export interface Pace {
  readonly latencyMs: number;
  readonly bytesPerS: number;
}

const UNHINDERED: Pace = { latencyMs: 0, bytesPerS: Number.POSITIVE_INFINITY };
/** A slow line carries so many bytes at a time. */
const SLICE_BYTES = 64;
const LISTEN_TRIES = 50;

interface Portion {
  /** Undefined: the end of the connection. */
  readonly bytes: Buffer | undefined;
  readonly cut: Cut | undefined;
  readonly dueMs: number;
}

/** One direction of a connection: what is on its way, which may be held up. */
class Way {
  readonly #to: Socket;
  readonly #onWritten: (bytes: Buffer) => void;
  readonly #onEnd: (cut: Cut) => void;
  #waiting: Portion[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #held = false;
  #pace = UNHINDERED;
  #freeMs = 0;

  constructor(to: Socket, onWritten: (bytes: Buffer) => void, onEnd: (cut: Cut) => void) {
    this.#to = to;
    this.#onWritten = onWritten;
    this.#onEnd = onEnd;
  }

  send(bytes: Buffer): void {
    const dueMs = performance.now() + this.#pace.latencyMs;
    if (Number.isFinite(this.#pace.bytesPerS)) {
      for (let at = 0; at < bytes.length; at += SLICE_BYTES) this.#waiting.push({ bytes: bytes.subarray(at, at + SLICE_BYTES), cut: undefined, dueMs });
    } else this.#waiting.push({ bytes, cut: undefined, dueMs });
    this.#go();
  }

  /** After everything before it. */
  end(cut: Cut): void {
    this.#waiting.push({ bytes: undefined, cut, dueMs: performance.now() + this.#pace.latencyMs });
    this.#go();
  }

  hold(held: boolean): void {
    this.#held = held;
    this.#go();
  }

  pace(pace: Pace): void {
    this.#pace = pace;
    this.#go();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
  }

  #go(): void {
    clearTimeout(this.#timer);
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined || this.#held) return;
      const waitMs = Math.max(next.dueMs, this.#freeMs) - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#go(), waitMs);
        return;
      }
      this.#waiting.shift();
      if (next.bytes === undefined) {
        this.#onEnd(next.cut ?? 'end');
        return;
      }
      this.#freeMs = performance.now() + (1_000 * next.bytes.length) / this.#pace.bytesPerS;
      if (this.#to.writable) {
        this.#to.write(next.bytes);
        this.#onWritten(next.bytes);
      }
    }
  }
}

/** Cuts a stream of bytes into whole MQTT packets (MQTT 5 §2.1: type and flags, then the length as a variable byte integer). */
class Framer {
  #rest: Buffer = Buffer.alloc(0);

  take(bytes: Buffer): readonly Buffer[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const whole: Buffer[] = [];
    for (;;) {
      const length = this.#packetBytes();
      if (length === undefined || this.#rest.length < length) return whole;
      whole.push(this.#rest.subarray(0, length));
      this.#rest = this.#rest.subarray(length);
    }
  }

  #packetBytes(): number | undefined {
    let length = 0;
    for (let at = 1; at <= 4; at += 1) {
      const byte = this.#rest[at];
      if (byte === undefined) return undefined;
      length += (byte & 0x7f) * 128 ** (at - 1);
      if ((byte & 0x80) === 0) return 1 + at + length;
    }
    throw new GateError('MESSAGE_INVALID', 'this is no MQTT packet: its length has more than four bytes');
  }
}

/** One connection of the gate, and the proxy's own to the broker for it. */
export class ProxyConnection {
  readonly number: number;
  /** Level of the protocol the gate asked for. */
  version: 4 | 5 = 5;
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #ways: Readonly<Record<Direction, Way>>;
  readonly #framers: Readonly<Record<Direction, Framer>> = { up: new Framer(), down: new Framer() };
  readonly #proxy: MqttProxy;
  #watcher: Parser | undefined;
  #decoders: Readonly<Record<Direction, Parser>> | undefined;
  #decoded: Packet | undefined;
  #over = false;

  constructor(number: number, near: Socket, far: Socket, proxy: MqttProxy) {
    this.number = number;
    this.#near = near;
    this.#far = far;
    this.#proxy = proxy;
    this.#ways = {
      up: new Way(far, (bytes) => this.#watcher?.parse(bytes), (cut) => this.#end(cut)),
      down: new Way(near, () => undefined, (cut) => this.#end(cut)),
    };
    for (const [direction, from] of [['up', near], ['down', far]] as const) {
      from.on('data', (bytes) => this.#take(direction, bytes));
      from.on('error', () => undefined);
      // What was said before the end comes first; across a partition even the end does not get through.
      from.on('close', () => this.#ways[direction].end('end'));
    }
  }

  get over(): boolean {
    return this.#over;
  }

  send(direction: Direction, bytes: Buffer): void {
    if (!this.#over) this.#ways[direction].send(bytes);
  }

  cut(cut: Cut): void {
    this.#end(cut);
  }

  hold(direction: Direction, held: boolean): void {
    this.#ways[direction].hold(held);
  }

  pace(pace: Pace): void {
    this.#ways.up.pace(pace);
    this.#ways.down.pace(pace);
  }

  #take(direction: Direction, bytes: Buffer): void {
    if (this.#over) return;
    for (const whole of this.#framers[direction].take(bytes)) {
      const packet = this.#decode(direction, whole);
      const fate = packet === undefined ? undefined : this.#proxy.fateOf({ direction, packet, bytes: whole, connection: this });
      if (fate === undefined) {
        this.#ways[direction].send(whole);
        continue;
      }
      for (const other of fate.forward) this.#ways[direction].send(other);
      for (const other of fate.back ?? []) this.#ways[direction === 'up' ? 'down' : 'up'].send(other);
      if (fate.cut === undefined) continue;
      this.#ways[fate.back === undefined ? direction : direction === 'up' ? 'down' : 'up'].end(fate.cut);
      return;
    }
  }

  #decode(direction: Direction, bytes: Buffer): Packet | undefined {
    this.#decoders ??= this.#begin(bytes);
    this.#decoded = undefined;
    this.#decoders[direction].parse(bytes);
    return this.#decoded;
  }

  /** The first packet is a CONNECT: it says how all others are to be read. */
  #begin(connectBytes: Buffer): Readonly<Record<Direction, Parser>> {
    const first = parser();
    first.on('error', () => undefined);
    first.on('packet', (packet) => {
      if (packet.cmd === 'connect' && packet.protocolVersion === 4) this.version = 4;
    });
    first.parse(connectBytes);
    const make = (onPacket: (packet: Packet) => void): Parser => {
      const made = parser({ protocolVersion: this.version });
      made.on('error', () => undefined);
      made.on('packet', onPacket);
      return made;
    };
    const decode = (packet: Packet): void => {
      this.#decoded = packet;
    };
    this.#watcher = make((packet) => this.#proxy.onHandedOver(packet, this));
    return { up: make(decode), down: make(decode) };
  }

  #end(cut: Cut): void {
    if (this.#over) return;
    this.#over = true;
    this.#ways.up.stop();
    this.#ways.down.stop();
    for (const socket of [this.#near, this.#far]) {
      if (cut === 'reset') socket.resetAndDestroy();
      else socket.destroySoon();
    }
    this.#proxy.ended(this);
  }
}

/**
 * The line between a gate and its broker, which reads MQTT: it can cut a packet in the middle, change, hold back, repeat or
 * make up packets, hold up one direction or both, slow down, or not be there at all.
 */
export class MqttProxy {
  /** Asked for every whole packet. */
  rule: Rule | undefined;
  /** `dropped`: connections are accepted and ended at once. */
  admits: 'all' | 'dropped' = 'all';
  /** Connections that came in. */
  arrivals = 0;
  /** Told of every packet as it is handed to the broker, in that order, also of those made up. */
  onHandedOver: (packet: Packet, connection: ProxyConnection) => void = () => undefined;
  readonly #brokerPort: number;
  readonly #live = new Set<ProxyConnection>();
  readonly #held = new Set<Direction>();
  #pace = UNHINDERED;
  #server: Server | undefined;
  #port = 0;

  private constructor(brokerPort: number) {
    this.#brokerPort = brokerPort;
  }

  static async to(brokerPort: number): Promise<MqttProxy> {
    const proxy = new MqttProxy(brokerPort);
    await proxy.open();
    return proxy;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.#port}`;
  }

  /** The connection that came last, while it stands. */
  get connection(): ProxyConnection | undefined {
    return [...this.#live].at(-1);
  }

  /** Listens, on the port it had before. @throws Error when the port cannot be had */
  async open(): Promise<void> {
    for (let left = LISTEN_TRIES; this.#server === undefined; left -= 1) {
      try {
        this.#server = await listen(this.#port, (near) => this.#arrived(near));
      } catch (error) {
        if (left === 0) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    const address = this.#server.address();
    if (typeof address === 'object' && address !== null) this.#port = address.port;
  }

  /** New connections are refused; those that stand go on. */
  close(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  /** Ends it all. */
  stop(): void {
    this.close();
    this.cut('end');
  }

  cut(how: Cut): void {
    for (const connection of [...this.#live]) connection.cut(how);
  }

  /** Bytes in this direction stay on the line, also on connections that come later. */
  hold(...directions: readonly Direction[]): void {
    for (const direction of directions) {
      this.#held.add(direction);
      for (const connection of this.#live) connection.hold(direction, true);
    }
  }

  /** What was held goes on. */
  release(): void {
    this.#held.clear();
    for (const connection of [...this.#live]) for (const direction of ['up', 'down'] as const) connection.hold(direction, false);
  }

  pace(pace: Pace = UNHINDERED): void {
    this.#pace = pace;
    for (const connection of this.#live) connection.pace(pace);
  }

  /** For connections. */
  fateOf(frame: Frame): Fate | undefined {
    return this.rule?.(frame);
  }

  /** For connections. */
  ended(connection: ProxyConnection): void {
    this.#live.delete(connection);
  }

  #arrived(near: Socket): void {
    this.arrivals += 1;
    if (this.admits === 'dropped') {
      near.on('error', () => undefined);
      near.destroy();
      return;
    }
    near.setNoDelay(true);
    const far = connect({ port: this.#brokerPort, host: '127.0.0.1', noDelay: true });
    const connection = new ProxyConnection(this.arrivals, near, far, this);
    connection.pace(this.#pace);
    for (const direction of this.#held) connection.hold(direction, true);
    this.#live.add(connection);
  }
}

function listen(port: number, onConnection: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer(onConnection);
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
