import { parentPort, workerData } from 'node:worker_threads';
import { errorText } from '../base/index.js';
import { ListCore } from './core.js';
import type { FromListThread, ToListThread } from './protocol.js';
import { transferOf } from './table.js';

/** Entry of the thread that takes lists in. */

function isRequest(value: unknown): value is ToListThread {
  return typeof value === 'object' && value !== null && 'kind' in value && 'id' in value;
}

function answer(core: ListCore, request: ToListThread): FromListThread {
  const { id } = request;
  try {
    switch (request.kind) {
      case 'load':
        return { id, kind: 'loaded', outcome: core.load() };
      case 'take':
        return { id, kind: 'taken', outcome: core.take(request.payload) };
      case 'abandon':
        return { id, kind: 'taken', outcome: core.abandon() };
    }
  } catch (error) {
    return { id, kind: 'failed', reason: errorText(error) };
  }
}

function buffersOf(message: FromListThread): ArrayBuffer[] {
  if (message.kind === 'loaded') return message.outcome.list === undefined ? [] : transferOf(message.outcome.list.table);
  return message.kind === 'taken' && message.outcome.kind === 'applied' ? transferOf(message.outcome.list.table) : [];
}

const port = parentPort;
const directory: unknown = workerData;
if (port !== null && typeof directory === 'string') {
  const core = new ListCore(directory);
  port.on('message', (message: unknown) => {
    if (!isRequest(message)) return;
    const answered = answer(core, message);
    port.postMessage(answered, buffersOf(answered));
  });
}
