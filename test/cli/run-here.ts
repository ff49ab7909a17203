import { vi } from 'vitest';
import { runCli as run } from '../../src/cli/program.js';
import type { Finished } from './run-cli.js';

/** One command line in this process: a process of its own takes seconds to start. One at a time. */
export async function runHere(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Finished> {
  const said = { out: '', err: '' };
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
