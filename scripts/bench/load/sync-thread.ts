/** The journal bench's bare thread: writes a record and synchronises the file whenever it is asked. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';

const { path, bytes } = z.object({ path: z.string(), bytes: z.number() }).parse(workerData);
const record = Buffer.alloc(bytes, 'laurel ');
const handle = openSync(path, 'r+');
let at = 0;
parentPort?.on('message', (message: unknown) => {
  if (message !== 'write') {
    closeSync(handle);
    parentPort?.close();
    return;
  }
  writeSync(handle, record, 0, bytes, at);
  fdatasyncSync(handle);
  at += bytes;
  parentPort?.postMessage('written');
});
parentPort?.postMessage('ready');
