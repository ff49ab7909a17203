import type { Worker } from 'node:worker_threads';
import { GateError, errorText, type Clock } from '../base/index.js';
import { threadBeside } from '../base/entry.js';
import type { LoadOptions, LoadedModels, Models } from './models.js';
import { isFromNetworks, type NetworkOutput, type NetworkRun, type NetworksOptions, type ToNetworks } from './networks-protocol.js';

export interface NetworksThreadOptions extends LoadOptions {
  readonly clock: Clock;
  /** Called once where the thread ends, or hangs, after it was ready and without having been closed. */
  readonly onLost: (error: GateError) => void;
}

/** A run that takes longer hangs; a starved box takes seconds. */
const longestRunMs = 10_000;
/** Loading takes a small box seconds. */
const longestLoadMs = 60_000;

interface Waiting {
  readonly resolve: (result: NetworkOutput) => void;
  readonly reject: (error: GateError) => void;
}

/** Rebuilds an error that was told as text. */
function asError(reason: string): GateError {
  return new GateError('MODEL_INVALID', reason.replace(/^MODEL_INVALID: /u, ''));
}

/**
 * Loads models as `loadModels` does, in a thread of their own: a run of a network keeps its thread, and whoever reads the
 * cameras must not wait for it, or pictures queue up before him and are old when he comes to see them.
 *
 * Rejects with `MODEL_INVALID` where no directory's models fit, and with `VISION_DOWN` where the thread ends or hangs.
 */
export function startNetworks({ clock, log, onLost, directories, lastGood, threads }: NetworksThreadOptions): Promise<LoadedModels> {
  const options: NetworksOptions = { directories, threads, ...(lastGood === undefined ? {} : { lastGood }) };
  const worker = threadBeside(import.meta.url, './networks-thread', { workerData: options, name: 'networks' });
  return new Promise((resolve, reject) => {
    const waiting: Waiting[] = [];
    let closing: (() => void) | undefined;
    let ready = false;
    let over = false;
    let patience = clock.after(longestLoadMs, () => lost(`did not load the models within ${longestLoadMs / 1_000} s`));
    const lost = (reason: string): void => {
      patience.cancel();
      closing?.();
      if (over) return;
      over = true;
      const error = new GateError('VISION_DOWN', `The thread of the networks ${reason}.`);
      for (const each of waiting.splice(0)) each.reject(error);
      reject(error);
      if (ready && closing === undefined) onLost(error);
    };
    const watch = (): void => {
      patience.cancel();
      if (waiting.length > 0) patience = clock.after(longestRunMs, () => lost(`took longer than ${longestRunMs / 1_000} s for one run`));
    };
    const ask = (run: NetworkRun): Promise<NetworkOutput> =>
      new Promise((done, fail) => {
        if (over) {
          fail(new GateError('VISION_DOWN', 'The thread of the networks has ended.'));
          return;
        }
        waiting.push({ resolve: done, reject: fail });
        if (waiting.length === 1) watch();
        post(worker, { kind: 'run', run }, [run.input.buffer]);
      });
    const settle = (end: (each: Waiting) => void): void => {
      const first = waiting.shift();
      watch();
      if (first !== undefined) end(first);
    };
    const close = (): Promise<void> =>
      new Promise((done) => {
        if (over) {
          done();
          return;
        }
        closing = done;
        post(worker, { kind: 'close' });
      });
    worker.on('message', (message: unknown) => {
      if (!isFromNetworks(message)) return;
      switch (message.kind) {
        case 'ready': {
          const { directory, manifest, bytes, refused } = message;
          ready = true;
          patience.cancel();
          resolve({ models: modelsOf({ directory, manifest, bytes, close }, ask), refused });
          return;
        }
        case 'refused':
          over = true;
          patience.cancel();
          reject(asError(message.reason));
          void worker.terminate();
          return;
        case 'done':
          settle((each) => each.resolve(message.result));
          return;
        case 'failed':
          settle((each) => each.reject(asError(message.reason)));
          return;
        case 'log':
          log[message.level](message.facts, message.message);
          return;
      }
    });
    worker.once('error', (error) => lost(`failed: ${errorText(error)}`));
    worker.once('exit', () => lost('has ended'));
  });
}

function post(worker: Worker, message: ToNetworks, transfer: readonly ArrayBuffer[] = []): void {
  worker.postMessage(message, transfer);
}

function modelsOf(about: Pick<Models, 'directory' | 'manifest' | 'bytes' | 'close'>, ask: (run: NetworkRun) => Promise<NetworkOutput>): Models {
  const mixedUp = (): GateError => new GateError('VISION_DOWN', 'The thread of the networks answered with the output of the other network.');
  return {
    ...about,
    async detect(image, width, height) {
      // a copy changes hands: the caller uses its buffer again
      const answer = await ask({ network: 'detector', input: image.slice(), width, height });
      if (answer.network !== 'detector') throw mixedUp();
      return answer.output;
    },
    async read(plates, count) {
      const answer = await ask({ network: 'reader', input: plates.slice(), count });
      if (answer.network !== 'reader') throw mixedUp();
      return answer.output;
    },
  };
}
