import { createInterface, type Interface } from 'node:readline/promises';
import { GateError, isGateError } from '../base/index.js';
import { systemClock } from '../base/system-clock.js';
import type { CliWords } from './words/en.js';

export interface Choice<Value extends string> {
  readonly value: Value;
  readonly label: string;
}

export interface Question {
  /** Taken for an empty answer. */
  readonly fallback?: string | undefined;
  /** Says what is wrong with an answer; undefined where it is right. */
  readonly check?: (text: string) => string | undefined;
}

/** How a wait ended: what was waited for, the person's Enter, or the time limit. */
export type Waited<Value> = { readonly kind: 'done'; readonly value: Value } | { readonly kind: 'skipped' } | { readonly kind: 'late' };

/**
 * All a guided command says and asks. Every question has an id, so that a file of answers can stand in for the person.
 * Every method rejects with `COMMAND_INTERRUPTED` once the session is over (Ctrl+C, hang-up).
 */
export interface Dialogue {
  /** Aborted when the person ends the session or its terminal goes away. */
  readonly signal: AbortSignal;
  say(text: string): void;
  ask(id: string, question: string, more?: Question): Promise<string>;
  choose<Value extends string>(id: string, question: string, choices: readonly Choice<Value>[], fallback?: Value): Promise<Value>;
  confirm(id: string, question: string, fallback?: boolean): Promise<boolean>;
  /** Waits for Enter. @returns the monotonic time at which it came, ms */
  enter(id: string, text: string): Promise<number>;
  /** Waits for something in the world; Enter gives up. `work` stops when its signal is aborted. */
  wait<Value>(id: string, text: string, limitMs: number, work: (signal: AbortSignal) => Promise<Value>): Promise<Waited<Value>>;
  close(): void;
}

export function interrupted(): GateError {
  return new GateError('COMMAND_INTERRUPTED', 'The session was ended. Everything this command drove has been released.');
}

/** Resolves after the time or when the signal says so, whichever is first. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const end = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = systemClock.after(ms, end);
    signal.addEventListener('abort', end, { once: true });
  });
}

/** Rejects with `COMMAND_INTERRUPTED` when the signal is aborted; never resolves. */
function ending(signal: AbortSignal): { readonly promise: Promise<never>; readonly forget: () => void } {
  let onAbort: () => void = () => undefined;
  const promise = new Promise<never>((_, reject) => {
    onAbort = () => reject(interrupted());
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  promise.catch(() => undefined);
  return { promise, forget: () => signal.removeEventListener('abort', onAbort) };
}

async function raced<Value>(signal: AbortSignal, limitMs: number, enter: (signal: AbortSignal) => Promise<unknown>, work: (signal: AbortSignal) => Promise<Value>): Promise<Waited<Value>> {
  const over = new AbortController();
  const both = AbortSignal.any([over.signal, signal]);
  const end = ending(signal);
  const skipped = enter(both).then((): Waited<Value> => ({ kind: 'skipped' }));
  skipped.catch(() => undefined);
  const done = work(both).then((value): Waited<Value> => ({ kind: 'done', value }));
  done.catch(() => undefined);
  const late = sleep(limitMs, both).then((): Waited<Value> => ({ kind: 'late' }));
  try {
    return await Promise.race([done, skipped, late, end.promise]);
  } catch (cause) {
    if (signal.aborted) throw interrupted();
    throw cause;
  } finally {
    end.forget();
    over.abort();
  }
}

/** A person at a terminal. */
export class TerminalDialogue implements Dialogue {
  readonly #reader: Interface;
  readonly #output: NodeJS.WritableStream;
  readonly #words: CliWords;
  readonly #ended = new AbortController();
  #asking = false;
  readonly #end = (): void => this.#ended.abort();

  /** @param output where questions are written; stderr where stdout belongs to JSON */
  constructor(input: NodeJS.ReadableStream, output: NodeJS.WritableStream, words: CliWords) {
    this.#output = output;
    this.#words = words;
    this.#reader = createInterface({ input, output });
    this.#reader.on('SIGINT', this.#end);
    this.#reader.on('close', this.#end);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, this.#end);
    // A terminal that is gone fails on every write; the signal has told of it already.
    output.on('error', this.#end);
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  say(text: string): void {
    if (this.signal.aborted) return;
    if (this.#asking) this.#output.write('\r\u001b[K');
    this.#output.write(`${text}\n`);
    if (this.#asking) this.#reader.prompt(true);
  }

  async ask(id: string, question: string, { fallback, check }: Question = {}): Promise<string> {
    for (;;) {
      const shown = fallback === undefined || fallback === '' ? '' : ` [${fallback}]`;
      const given = (await this.#question(`${question}${shown}: `, this.signal)).trim();
      const text = given === '' ? (fallback ?? '') : given;
      const fault = text === '' && fallback === undefined ? this.#words.dialogue.needed : check?.(text);
      if (fault === undefined) return text;
      this.say(`  ${fault}`);
    }
  }

  async choose<Value extends string>(id: string, question: string, choices: readonly Choice<Value>[], fallback?: Value): Promise<Value> {
    const rows = choices.map(({ label }, index) => `  ${index + 1}  ${label}`);
    this.say([question, ...rows].join('\n'));
    const usual = choices.findIndex(({ value }) => value === fallback);
    const answer = await this.ask(id, this.#words.dialogue.number, {
      fallback: usual < 0 ? undefined : String(usual + 1),
      check: (text) => (find(choices, text) === undefined ? this.#words.dialogue.oneOf(choices.length) : undefined),
    });
    const found = find(choices, answer);
    if (found === undefined) throw interrupted();
    return found;
  }

  async confirm(id: string, question: string, fallback = false): Promise<boolean> {
    const { yes, no } = this.#words.dialogue;
    const answer = await this.ask(id, `${question} (${yes}/${no})`, {
      fallback: fallback ? yes : no,
      check: (text) => (truth(text, this.#words) === undefined ? this.#words.dialogue.yesOrNo : undefined),
    });
    return truth(answer, this.#words) ?? fallback;
  }

  async enter(id: string, text: string): Promise<number> {
    await this.#question(`${text} `, this.signal);
    return systemClock.monoMs();
  }

  async wait<Value>(id: string, text: string, limitMs: number, work: (signal: AbortSignal) => Promise<Value>): Promise<Waited<Value>> {
    const waited = await raced(this.signal, limitMs, (signal) => this.#question(`${text} `, signal), work);
    if (waited.kind !== 'skipped') this.#output.write('\n');
    return waited;
  }

  close(): void {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, this.#end);
    this.#reader.off('close', this.#end);
    this.#reader.close();
  }

  /** Asked anew after every wait. */
  #over(): boolean {
    return this.signal.aborted;
  }

  async #question(text: string, signal: AbortSignal): Promise<string> {
    if (this.signal.aborted) throw interrupted();
    this.#asking = true;
    try {
      return await this.#reader.question(text, { signal });
    } catch (cause) {
      throw this.#over() ? interrupted() : cause;
    } finally {
      this.#asking = false;
    }
  }
}

function find<Value extends string>(choices: readonly Choice<Value>[], text: string): Value | undefined {
  return (choices.find(({ value }) => value === text) ?? (/^\d+$/u.test(text) ? choices[Number(text) - 1] : undefined))?.value;
}

function truth(text: string, words: CliWords): boolean | undefined {
  const said = text.toLowerCase();
  if (['y', 'yes', 'true', '是', words.dialogue.yes].includes(said)) return true;
  return ['n', 'no', 'false', '否', words.dialogue.no].includes(said) ? false : undefined;
}

export type Answer = string | number | boolean | readonly (string | number | boolean)[];

/**
 * Answers from a file instead of a person: by the question's id; a list gives its entries one after another. A question
 * without an answer takes its default; one without a default ends the command and names the id.
 */
export class ScriptedDialogue implements Dialogue {
  readonly #answers: ReadonlyMap<string, Answer>;
  readonly #asked = new Map<string, number>();
  readonly #output: NodeJS.WritableStream;
  readonly #words: CliWords;
  readonly #ended = new AbortController();
  readonly #end = (): void => this.#ended.abort();

  constructor(answers: Readonly<Record<string, Answer>>, output: NodeJS.WritableStream, words: CliWords) {
    this.#answers = new Map(Object.entries(answers));
    this.#output = output;
    this.#words = words;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, this.#end);
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  say(text: string): void {
    this.#output.write(`${text}\n`);
  }

  ask(id: string, question: string, { fallback, check }: Question = {}): Promise<string> {
    return this.#run(() => {
      const text = this.#next(id) ?? fallback;
      if (text === undefined) throw new GateError('CLI_USAGE', `The answers have no "${id}" (${question}) and it has no default; add it.`, { id });
      this.say(`${question}: ${text}`);
      const fault = check?.(text);
      if (fault !== undefined) throw new GateError('CLI_USAGE', `The answer "${text}" to "${id}" is not right: ${fault}`, { id });
      return text;
    });
  }

  async choose<Value extends string>(id: string, question: string, choices: readonly Choice<Value>[], fallback?: Value): Promise<Value> {
    const answer = await this.ask(id, question, { fallback });
    const found = find(choices, answer);
    if (found !== undefined) return found;
    throw new GateError('CLI_USAGE', `The answer "${answer}" to "${id}" is none of ${choices.map(({ value }) => value).join(', ')}.`, { id });
  }

  async confirm(id: string, question: string, fallback = false): Promise<boolean> {
    const answer = await this.ask(id, question, { fallback: fallback ? 'yes' : 'no' });
    const said = truth(answer, this.#words);
    if (said === undefined) throw new GateError('CLI_USAGE', `The answer "${answer}" to "${id}" is neither yes nor no.`, { id });
    return said;
  }

  enter(id: string, text: string): Promise<number> {
    return this.#run(() => {
      this.say(text);
      return systemClock.monoMs();
    });
  }

  wait<Value>(id: string, text: string, limitMs: number, work: (signal: AbortSignal) => Promise<Value>): Promise<Waited<Value>> {
    return this.#run(() => {
      this.say(text);
      if (this.#next(id) === 'skip') return Promise.resolve<Waited<Value>>({ kind: 'skipped' });
      return raced(this.signal, limitMs, () => new Promise<never>(() => undefined), work);
    });
  }

  close(): void {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, this.#end);
  }

  async #run<Value>(run: () => Value | Promise<Value>): Promise<Value> {
    if (this.signal.aborted) throw interrupted();
    return await run();
  }

  #next(id: string): string | undefined {
    const answer = this.#answers.get(id);
    if (answer === undefined) return undefined;
    if (typeof answer !== 'object') return String(answer);
    const count = this.#asked.get(id) ?? 0;
    this.#asked.set(id, count + 1);
    const one = answer[Math.min(count, answer.length - 1)];
    return one === undefined ? undefined : String(one);
  }
}

/** True for the end of a session by its person or its terminal. */
export function isInterrupted(cause: unknown): boolean {
  return isGateError(cause, 'COMMAND_INTERRUPTED');
}
