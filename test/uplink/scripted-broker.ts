import { createServer } from 'node:net';
import { generate, parser } from 'mqtt-packet';
import { atEnd } from './support.js';

type Answer = Parameters<typeof generate>[0];

/** A broker that gives the answers it is told to; its connections count from 1. */
export async function saying(make: (packet: { cmd: string; messageId?: number | undefined; subscriptions?: readonly object[]; topic?: string; payload?: unknown }, connection: number) => Answer | readonly Answer[] | undefined): Promise<string> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    const connection = connections;
    const packets = parser({ protocolVersion: 5 });
    socket.on('data', (bytes) => packets.parse(bytes));
    socket.on('error', () => undefined);
    packets.on('packet', (packet) => {
      for (const answer of [make(packet, connection) ?? []].flat()) socket.write(generate(answer, { protocolVersion: 5 }));
    });
    atEnd(() => void socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => void server.close());
  const address = server.address();
  return `mqtt://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}
