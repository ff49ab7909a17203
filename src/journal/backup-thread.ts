import { parentPort, workerData } from 'node:worker_threads';
import { errorText, isGateError } from '../base/index.js';
import { makeBackup, type BackupMade, type BackupProgress, type BackupRequest } from './backup.js';
import type { PlainError } from './protocol.js';

/** Entry of the thread that makes one backup: beside the journal's own, which goes on meanwhile. */

export interface BackupThreadOptions {
  readonly request: BackupRequest;
  /** 1 gives up. */
  readonly end: Int32Array;
}

export type FromBackupThread =
  | { readonly kind: 'progress'; readonly progress: BackupProgress }
  | { readonly kind: 'made'; readonly made: BackupMade }
  | { readonly kind: 'failed'; readonly error: PlainError };

function isOptions(value: unknown): value is BackupThreadOptions {
  return typeof value === 'object' && value !== null && 'request' in value && 'end' in value;
}

async function run({ request, end }: BackupThreadOptions, post: (message: FromBackupThread) => void): Promise<void> {
  try {
    post({ kind: 'made', made: await makeBackup(request, () => Atomics.load(end, 0) === 1, (progress) => post({ kind: 'progress', progress })) });
  } catch (error) {
    post({ kind: 'failed', error: isGateError(error) ? { code: error.code, message: error.message } : { code: 'BACKUP_FAILED', message: `BACKUP_FAILED: ${errorText(error)}` } });
  }
}

const port = parentPort;
const options: unknown = workerData;
if (port !== null && isOptions(options)) await run(options, (message) => port.postMessage(message));
