import { spawn, type ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { GateError } from '../../src/base/index.js';

/** Where Debian puts it; it is seldom on a user's PATH. */
export const mosquittoPath = '/usr/sbin/mosquitto';
const startMs = 10_000;

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export interface MosquittoOptions {
  /** Holds its configuration. */
  readonly directory: string;
  /** Lines of the configuration; anybody may connect where omitted. */
  readonly lines?: readonly string[];
  /** Lines of the listener, e.g. certificates. */
  readonly listenerLines?: readonly string[];
}

/** Debian's mosquitto on loopback, with a configuration and a port of its own; it can be killed and started again. */
export class Mosquitto {
  readonly port: number;
  readonly #config: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, config: string) {
    this.port = port;
    this.#config = config;
  }

  /** @throws GateError BROKER_UNREACHABLE when it does not listen within ten seconds */
  static async start({ directory, lines = ['allow_anonymous true'], listenerLines = [] }: MosquittoOptions): Promise<Mosquitto> {
    const port = await freePort();
    const config = join(directory, 'mosquitto.conf');
    writeFileSync(config, [`listener ${port} 127.0.0.1`, ...listenerLines, 'persistence false', ...lines, ''].join('\n'));
    const broker = new Mosquitto(port, config);
    await broker.start();
    return broker;
  }

  /** 0 while it does not run. */
  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.#process = spawn(mosquittoPath, ['-c', this.#config], { stdio: 'ignore' });
    const deadlineMs = performance.now() + startMs;
    while (!(await listens(this.port))) {
      if (performance.now() > deadlineMs) throw new GateError('BROKER_UNREACHABLE', `mosquitto does not listen on port ${this.port}; is it installed?`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** SIGKILL: nothing is said to anybody. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }
}
