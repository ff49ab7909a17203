import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { getPriority } from 'node:os';
import type { z } from 'zod';
import { entryBeside } from '../../../src/base/entry.js';
import { GateError } from '../../../src/base/index.js';
import type { ProcessSettings } from './gate-unit.js';

/** A process of the bench that talks in messages. */
export class BenchProcess {
  readonly #child: ChildProcess;
  readonly #name: string;

  /**
   * @param name of the module beside `moduleUrl`, without ending
   * @param settings the gate's are its unit's, and what is another machine in life gives way to it
   * @param moduleUrl `import.meta.url` of a module in the same folder; this one's where omitted
   */
  constructor(name: string, args: readonly string[], { priority, environment, processors }: ProcessSettings, moduleUrl = import.meta.url) {
    this.#name = name;
    const { path, execArgv } = entryBeside(moduleUrl, `./${name}`);
    // From its first thread on; where the priority is not to be had, `nice` says so and starts it all the same.
    const bound = processors === undefined ? [] : ['taskset', '-c', processors];
    const niced = ['-n', String(priority - getPriority()), ...bound, process.execPath, ...execArgv];
    this.#child = fork(path, [...args], { execPath: '/usr/bin/nice', execArgv: niced, env: { ...process.env, ...environment } });
  }

  /** Of the process; 0 where it could not be started. `nice` and `taskset` give their own to what they run. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  send(message: object): void {
    if (this.#child.connected) this.#child.send(message);
  }

  onMessage(listener: (message: unknown) => void): void {
    this.#child.on('message', listener);
  }

  /** The next message of this shape. Rejects with `DEVICE_TIMEOUT` where none comes, or the process ends. */
  next<Schema extends z.ZodType>(schema: Schema, limitMs = 60_000): Promise<z.output<Schema>> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#child.off('message', look);
        this.#child.off('exit', gone);
      };
      const fail = (why: string): void => {
        end();
        reject(new GateError('DEVICE_TIMEOUT', `the bench's ${this.#name} ${why}`));
      };
      const gone = (): void => fail('ended too early');
      const timer = setTimeout(() => fail(`said nothing for ${limitMs} ms`), limitMs);
      const look = (message: unknown): void => {
        const parsed = schema.safeParse(message);
        if (!parsed.success) return;
        end();
        resolve(parsed.data);
      };
      this.#child.on('message', look);
      this.#child.on('exit', gone);
    });
  }

  /** Ends it as a lost power supply of its own would: nothing is flushed, nothing is said. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.disconnect();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 15_000);
    await gone;
    clearTimeout(timer);
  }
}
