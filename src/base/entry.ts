import { fileURLToPath } from 'node:url';

export interface Entry {
  /** File to start in a worker thread or child process. */
  readonly path: string;
  /** Node options it needs: none when built, the TypeScript loader when run from the sources. */
  readonly execArgv: readonly string[];
}

/**
 * Finds a sibling module meant to run as a thread or process of its own, both in `dist/` and in the sources.
 * @param moduleUrl `import.meta.url` of the caller
 * @param name path of the module relative to the caller without ending, e.g. `./thread`
 */
export function entryBeside(moduleUrl: string, name: string): Entry {
  const fromSource = moduleUrl.endsWith('.ts');
  const path = fileURLToPath(new URL(`${name}${fromSource ? '.ts' : '.js'}`, moduleUrl));
  return { path, execArgv: fromSource ? ['--import', 'tsx'] : [] };
}
