import { createServer } from 'node:net';
import { generate, parser } from 'mqtt-packet';
import { atEnd } from './support.js';

/** A broker that gives the answers it is told to. */
export async function saying(make: (packet: { cmd: string; messageId?: number | undefined; subscriptions?: readonly object[] }) => Parameters<typeof generate>[0] | undefined): Promise<string> {
  const server = createServer((socket) => {
    const packets = parser({ protocolVersion: 5 });
    socket.on('data', (bytes) => packets.parse(bytes));
    socket.on('error', () => undefined);
    packets.on('packet', (packet) => {
      const answer = make(packet);
      if (answer !== undefined) socket.write(generate(answer, { protocolVersion: 5 }));
    });
    atEnd(() => void socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(() => void server.close());
  const address = server.address();
  return `mqtt://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}
