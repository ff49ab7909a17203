import { parentPort, workerData } from 'node:worker_threads';
import { errorText, isGateError } from '../base/index.js';
import { JournalCore } from './core.js';
import type { Answers, FromThread, PlainError, ThreadOptions, ToThread } from './protocol.js';

/** Entry of the journal thread: the only place where SQLite is open. */

function isOptions(value: unknown): value is ThreadOptions {
  return typeof value === 'object' && value !== null && 'directory' in value && 'gateId' in value;
}

function isToThread(value: unknown): value is ToThread {
  return typeof value === 'object' && value !== null && 'kind' in value;
}

function plain(error: unknown): PlainError {
  return isGateError(error) ? { code: error.code, message: error.message } : { code: 'JOURNAL_WRITE_FAILED', message: `JOURNAL_WRITE_FAILED: ${errorText(error)}` };
}

/** What of an answer changes hands instead of being copied. */
function memoryOf(value: Answers[keyof Answers]): readonly ArrayBuffer[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => (typeof entry === 'object' && entry !== null && 'message' in entry && entry.message instanceof Uint8Array && entry.message.buffer instanceof ArrayBuffer ? [entry.message.buffer] : []));
}

function run(options: ThreadOptions, post: (message: FromThread, transfer?: readonly ArrayBuffer[]) => void, onMessage: (listener: (message: unknown) => void) => void): void {
  let core: JournalCore;
  try {
    core = new JournalCore(options, (level, facts, message) => post({ kind: 'log', level, facts, message }));
  } catch (error) {
    post({ kind: 'failed', error: plain(error) });
    return;
  }
  const postOwn = (): void => {
    const events = core.takeOwn();
    if (events.length > 0) post({ kind: 'own', events });
  };
  const answer = async (message: Extract<ToThread, { kind: 'ask' }>): Promise<void> => {
    try {
      const value = await core.answer(message.ask, message.moment);
      post({ kind: 'answer', id: message.id, value }, memoryOf(value));
    } catch (error) {
      post({ kind: 'refusal', id: message.id, error: plain(error) });
    }
    postOwn();
  };
  onMessage((message) => {
    if (!isToThread(message)) return;
    switch (message.kind) {
      case 'batch':
        try {
          const committed = core.commit(message.batch, message.moment);
          post({ kind: 'committed', committed, own: core.takeOwn() });
        } catch (error) {
          post({ kind: 'rejected', number: message.batch.number, error: plain(error), again: isGateError(error) && error.context.again === true });
          postOwn();
        }
        return;
      case 'ask':
        void answer(message);
        return;
      case 'close':
        try {
          core.close();
        } catch (error) {
          post({ kind: 'log', level: 'error', facts: { error: errorText(error) }, message: 'journal: did not close cleanly' });
        }
        post({ kind: 'closed' });
    }
  });
  post({ kind: 'ready', epoch: core.epoch, origin: core.origin, ...core.clock });
  postOwn();
}

const port = parentPort;
const options: unknown = workerData;
if (port !== null && isOptions(options)) {
  run(
    options,
    (message, transfer) => port.postMessage(message, transfer),
    (listener) => port.on('message', listener),
  );
}
