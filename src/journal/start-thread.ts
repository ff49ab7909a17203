import type { Worker } from 'node:worker_threads';
import { threadBeside } from '../base/entry.js';

/** Starts one of the journal's threads, from `dist/` or from the sources. */
export function startThread(name: 'thread' | 'backup-thread', options: object): Worker {
  return threadBeside(import.meta.url, `./${name}`, { workerData: options, name: name === 'thread' ? 'journal' : 'backup' });
}
