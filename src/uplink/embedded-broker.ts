import { Aedes } from 'aedes';
import { createServer, type Server, type Socket } from 'node:net';
import { GateError } from '../base/index.js';

const LOOPBACK = '127.0.0.1';

/**
 * A broker inside this process, on loopback only, for demonstrations: no accounts, no disk, MQTT 3.1.1 only (set the
 * uplink's `protocol` to 3.1.1).
 */
export class EmbeddedBroker {
  #broker: Aedes | undefined;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();

  /**
   * @param port 0 takes a free one
   * @throws GateError BROKER_UNREACHABLE when the port cannot be had
   */
  async start(port = 0): Promise<{ readonly url: string }> {
    const broker = await Aedes.createBroker();
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      broker.handle(socket);
    });
    this.#broker = broker;
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(new GateError('BROKER_UNREACHABLE', `the embedded broker cannot listen on port ${port}: ${error.message}`, { port }, error)));
      server.listen(port, LOOPBACK, resolve);
    });
    const address = server.address();
    return { url: `mqtt://${LOOPBACK}:${typeof address === 'object' && address !== null ? address.port : port}` };
  }

  async stop(): Promise<void> {
    const broker = this.#broker;
    const server = this.#server;
    this.#broker = undefined;
    this.#server = undefined;
    if (broker !== undefined) await new Promise<void>((resolve) => broker.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}
