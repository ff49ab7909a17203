import { parentPort, workerData } from 'node:worker_threads';
import { errorText, type Log } from '../base/index.js';
import { loadModels, type Models } from './models.js';
import { isNetworksOptions, isToNetworks, type FromNetworks, type NetworkRun } from './networks-protocol.js';

/** Entry of the networks' thread: a run keeps this thread for its whole time, and nobody else. */

function tell(message: FromNetworks): void {
  parentPort?.postMessage(message);
}

const log: Log = {
  debug: (facts, message) => tell({ kind: 'log', level: 'debug', facts, message }),
  info: (facts, message) => tell({ kind: 'log', level: 'info', facts, message }),
  warn: (facts, message) => tell({ kind: 'log', level: 'warn', facts, message }),
  error: (facts, message) => tell({ kind: 'log', level: 'error', facts, message }),
};

async function run(models: Models, asked: NetworkRun): Promise<void> {
  try {
    if (asked.network === 'detector') tell({ kind: 'done', result: { network: 'detector', output: await models.detect(asked.input, asked.width, asked.height) } });
    else tell({ kind: 'done', result: { network: 'reader', output: await models.read(asked.input, asked.count) } });
  } catch (error) {
    tell({ kind: 'failed', reason: errorText(error) });
  }
}

async function serve(): Promise<void> {
  if (!isNetworksOptions(workerData)) return;
  const { models, refused } = await loadModels({ ...workerData, log });
  let turn: Promise<void> = Promise.resolve();
  parentPort?.on('message', (message: unknown) => {
    if (!isToNetworks(message)) return;
    turn = turn.then(async () => {
      if (message.kind === 'run') return run(models, message.run);
      await models.close();
      parentPort?.close();
    });
  });
  tell({ kind: 'ready', directory: models.directory, manifest: models.manifest, bytes: models.bytes, refused });
}

serve().catch((error: unknown) => tell({ kind: 'refused', reason: errorText(error) }));
