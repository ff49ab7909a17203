import { existsSync } from 'node:fs';
import { EmbeddedBroker } from '../../src/uplink/index.js';
import { Mosquitto, mosquittoPath } from './mosquitto.js';

export interface Broker {
  readonly url: string;
  readonly protocol: '5' | '3.1.1';
  /** Of a broker that is a process of its own. */
  readonly port?: number;
  readonly stop: () => Promise<void>;
  readonly kill?: () => Promise<void>;
  readonly restart?: () => Promise<void>;
}

/** mosquitto where it is installed, else the embedded broker, which cannot be killed apart. */
export async function startBroker(directory: string): Promise<Broker> {
  if (!existsSync(mosquittoPath)) {
    const embedded = new EmbeddedBroker();
    const { url } = await embedded.start();
    return { url, protocol: '3.1.1', stop: () => embedded.stop() };
  }
  const broker = await Mosquitto.start({ directory });
  return { url: broker.url, protocol: '5', port: broker.port, stop: () => broker.kill(), kill: () => broker.kill(), restart: () => broker.start() };
}
