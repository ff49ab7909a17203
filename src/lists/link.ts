import type { Worker } from 'node:worker_threads';
import { threadBeside } from '../base/entry.js';
import { GateError } from '../base/index.js';
import type { FromListThread, ToListThread } from './protocol.js';

type Question = ToListThread extends infer One ? (One extends { readonly id: number } ? Omit<One, 'id'> : never) : never;

interface Open {
  readonly done: (answer: FromListThread) => void;
  readonly fail: (error: GateError) => void;
}

function isAnswer(value: unknown): value is FromListThread {
  return typeof value === 'object' && value !== null && 'kind' in value && 'id' in value;
}

/** The way to the thread that takes lists in. A thread that dies fails what was asked of it; the next question starts another. */
export class ListLink {
  readonly #directory: string;
  readonly #open = new Map<number, Open>();
  #worker: Worker | undefined;
  #number = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whether a thread stands that knows the list. */
  get up(): boolean {
    return this.#worker !== undefined;
  }

  /** Rejects with `LIST_UNAVAILABLE` where the thread dies over it. */
  ask(question: Question): Promise<FromListThread> {
    const worker = this.#worker ?? this.#start();
    this.#number += 1;
    const id = this.#number;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { done: resolve, fail: reject });
      worker.postMessage({ ...question, id }, question.kind === 'take' && question.payload.buffer instanceof ArrayBuffer ? [question.payload.buffer] : []);
    });
  }

  async stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
    this.#failAll('the gate stops');
  }

  #start(): Worker {
    const worker = threadBeside(import.meta.url, './thread', { workerData: this.#directory, name: 'lists' });
    let why = 'it ended';
    worker.on('message', (message: unknown) => {
      if (!isAnswer(message)) return;
      const open = this.#open.get(message.id);
      this.#open.delete(message.id);
      open?.done(message);
    });
    worker.on('error', (error) => (why = error.message));
    worker.on('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#failAll(why);
    });
    this.#worker = worker;
    return worker;
  }

  #failAll(why: string): void {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const { fail } of open) fail(new GateError('LIST_UNAVAILABLE', `the thread that takes lists in is gone (${why}); the list in force stays`));
  }
}
