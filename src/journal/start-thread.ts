import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { entryBeside } from '../base/entry.js';

/**
 * Starts one of the journal's threads, from `dist/` or from the sources. Node 20 does not pass `--import` loaders on to worker
 * threads, so from the sources the loader is registered inside the thread first.
 */
export function startThread(name: 'thread' | 'backup-thread', options: object): Worker {
  const entry = entryBeside(import.meta.url, `./${name}`);
  const common = { workerData: options, name: name === 'thread' ? 'journal' : 'backup' };
  if (entry.execArgv.length === 0) return new Worker(entry.path, common);
  // By file: in a thread started from text, package names are looked up from the working directory.
  const loader = createRequire(import.meta.url).resolve('tsx/esm/api').replace(/\.cjs$/u, '.mjs');
  const load = (path: string): string => `import(${JSON.stringify(pathToFileURL(path).href)})`;
  const source = `${load(loader)}.then(({ register }) => { register(); return ${load(entry.path)}; });`;
  return new Worker(source, { ...common, eval: true });
}
