import type { Worker } from 'node:worker_threads';
import { threadBeside } from '../base/entry.js';
import type { ThreadOptions } from './protocol.js';

/** Starts the journal thread, from `dist/` or from the sources. */
export function startThread(options: ThreadOptions): Worker {
  return threadBeside(import.meta.url, './thread', { workerData: options, name: 'journal' });
}
