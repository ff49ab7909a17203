import { connect, createServer, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { atEnd } from './support.js';

const PIECE_BYTES = 4_096;

/** Lets bytes through at a rate, a piece at a time; what it has not taken waits before it. */
function narrow(bytesPerSecond: number): Transform {
  return new Transform({
    highWaterMark: PIECE_BYTES,
    transform: (bytes: Buffer, _, done) => void setTimeout(() => done(null, bytes), (bytes.length * 1_000) / bytesPerSecond),
  });
}

/** A line to a broker that can be cut, closed to new connections and opened again. */
export class Line {
  readonly #sockets = new Set<Socket>();
  /** The broker's ends of connections whose other end is gone, until the broker ends them. */
  readonly #dead = new Set<Socket>();
  readonly #farOf = new Map<Socket, Socket>();
  #open = true;
  #url = '';
  /** Connections that were let through. */
  connections = 0;

  /** @param bytesPerSecond that go to the broker; as many as there are where omitted */
  static async to(port: number, bytesPerSecond?: number): Promise<Line> {
    const line = new Line();
    const server = createServer((near) => {
      near.on('error', () => undefined);
      if (!line.#open) {
        near.destroy();
        return;
      }
      line.connections += 1;
      const far = connect(port, '127.0.0.1');
      line.#farOf.set(near, far);
      near.on('close', () => line.#farOf.delete(near));
      for (const [one, other] of [[near, far], [far, near]] as const) {
        line.#sockets.add(one);
        if (bytesPerSecond === undefined || one === far) one.pipe(other);
        else one.pipe(narrow(bytesPerSecond)).pipe(other);
        one.on('error', () => undefined);
        one.on('close', () => {
          line.#sockets.delete(one);
          line.#dead.delete(one);
          if (!line.#dead.has(other)) other.destroy();
        });
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    atEnd(() => {
      server.close();
      line.cut();
    });
    const address = server.address();
    line.#url = `mqtt://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    return line;
  }

  get url(): string {
    return this.#url;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** As a bad line does: the ends hear of a reset, not of a goodbye. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** The near end hears of a reset, the broker of nothing: it holds what is dead, as after a cable was pulled. */
  leaveDead(): void {
    for (const [near, far] of this.#farOf) {
      this.#dead.add(far);
      near.resetAndDestroy();
      // What the broker still says, and that it ends the connection, has to be read to be noticed.
      far.unpipe();
      far.resume();
    }
  }

  /** Dead connections that the broker still holds. */
  get dead(): number {
    return this.#dead.size;
  }

  close(): void {
    this.#open = false;
    this.cut();
  }

  open(): void {
    this.#open = true;
  }
}
