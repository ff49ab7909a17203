import { vi } from 'vitest';
import { runCli as run } from '../../src/cli/program.js';
import type { Finished } from './run-cli.js';

/**
 * One command line in this process: a process of its own takes seconds to start. One at a time.
 * @param said gets what it says as it says it
 */
export async function runHere(args: readonly string[], environment: Readonly<Record<string, string>> = {}, said = { out: '', err: '' }): Promise<Finished> {
  process.stdout.setMaxListeners(100);
  for (const [name, value] of Object.entries({ LC_ALL: 'C', LAUREL_GATE_CONFIG: '', SUDO_USER: '', ...environment })) vi.stubEnv(name, value);
  const spies = (['out', 'err'] as const).map((name) =>
    vi.spyOn(name === 'out' ? process.stdout : process.stderr, 'write').mockImplementation((text) => {
      said[name] += String(text);
      return true;
    }),
  );
  try {
    const status = await run(args);
    return { status, ...said };
  } finally {
    for (const spy of spies) spy.mockRestore();
    vi.unstubAllEnvs();
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
type Signal = (typeof SIGNALS)[number];

/** A command line in this process that goes on until a signal ends it; nothing else in this process hears of that signal. */
export class RunningHere {
  readonly said = { out: '', err: '' };
  readonly #before = new Map(SIGNALS.map((signal) => [signal, process.rawListeners(signal)]));
  readonly #ended: Promise<Finished>;

  constructor(args: readonly string[]) {
    this.#ended = runHere(args, {}, this.said);
  }

  /** Resolves when it has ended. */
  async end(by: Signal): Promise<Finished> {
    this.#tell(by);
    const finished = await this.#ended;
    // What else it would have heard is taken from the process too: each listens once.
    for (const signal of SIGNALS) this.#tell(signal);
    return finished;
  }

  #tell(signal: Signal): void {
    for (const listener of process.rawListeners(signal)) if (this.#before.get(signal)?.includes(listener) !== true) Reflect.apply(listener, process, [signal]);
  }
}
