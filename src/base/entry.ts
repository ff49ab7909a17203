import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

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

/**
 * Starts such a module as a thread. Node 20 does not pass `--import` loaders on to worker threads, so from the sources
 * the loader is registered inside the thread first.
 */
export function threadBeside(moduleUrl: string, name: string, options: { readonly workerData: unknown; readonly name: string }): Worker {
  const entry = entryBeside(moduleUrl, name);
  if (entry.execArgv.length === 0) return new Worker(entry.path, options);
  // By file: in a thread started from text, package names are looked up from the working directory.
  const loader = createRequire(import.meta.url).resolve('tsx/esm/api').replace(/\.cjs$/u, '.mjs');
  const load = (path: string): string => `import(${JSON.stringify(pathToFileURL(path).href)})`;
  const source = `${load(loader)}.then(({ register }) => { register(); return ${load(entry.path)}; });`;
  return new Worker(source, { ...options, eval: true });
}
