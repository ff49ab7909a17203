import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { Socket } from 'node:net';
import { GateError, errorText } from '../base/index.js';

/** A program of the system, to be run to its end. */
export interface SystemProgram {
  readonly program: string;
  readonly values: readonly string[];
  /** Variables in which its environment differs from this process's. */
  readonly environment: Readonly<Record<string, string>>;
  /** It is ended when it takes longer. */
  readonly limitS: number;
}

interface Waiting extends SystemProgram {
  /** Ends what the program says. */
  readonly mark: string;
  readonly done: (output: string) => void;
  readonly fail: (error: GateError) => void;
}

/**
 * Runs programs of the system through a shell that stays. Node starts a process by copying the memory map of its own, which
 * stops the main loop for tens of milliseconds once the gate has its memory; the shell has next to none and does it beside.
 */
class ProgramShell {
  #shell: ChildProcess | undefined;
  readonly #waiting: Waiting[] = [];
  #said = '';

  /** Starts the shell, so that this is not done later; without a shell the first program says so. */
  start(): void {
    if (this.#shell !== undefined) return;
    let shell: ChildProcess;
    try {
      shell = spawn('/bin/sh', [], { stdio: ['pipe', 'pipe', 'ignore'] });
    } catch (error) {
      this.#fail(errorText(error));
      return;
    }
    this.#shell = shell;
    const ended = (reason: string): void => {
      if (this.#shell !== shell) return;
      this.#shell = undefined;
      this.#said = '';
      this.#fail(reason);
    };
    shell.once('error', (error) => ended(error.message));
    shell.once('exit', (status, signal) => ended(signal ?? `status ${status ?? 0}`));
    // Neither is there where the system has no more files to give; a shell that is gone is noticed by its exit.
    shell.stdin?.on('error', () => undefined);
    shell.stdout?.setEncoding('utf8').on('data', (text: string) => this.#hear(text));
    shell.unref();
    this.#hold(false);
  }

  run(program: SystemProgram): Promise<string> {
    return new Promise((done, fail) => {
      this.#waiting.push({ ...program, mark: randomUUID(), done, fail });
      if (this.#waiting.length === 1) this.#next();
    });
  }

  #next(): void {
    const next = this.#waiting[0];
    if (next === undefined) return;
    this.start();
    // Failed already, and those behind it have had their turn.
    if (this.#waiting[0] !== next) return;
    this.#hold(true);
    const { environment, limitS, program, values, mark } = next;
    const set = Object.entries(environment).map(([name, value]) => `${name}=${quoted(value)}`);
    const line = [...set, 'timeout', String(limitS), ...[program, ...values].map(quoted)].join(' ');
    this.#shell?.stdin?.write(`${line} </dev/null 2>/dev/null; printf '\\n%s %s\\n' ${mark} $?\n`);
  }

  #fail(reason: string): void {
    this.#waiting.shift()?.fail(new GateError('SYSTEM_PROGRAM_FAILED', `/bin/sh could not run a program to its end: ${reason}`));
    this.#next();
  }

  #hear(text: string): void {
    this.#said += text;
    const waiting = this.#waiting[0];
    if (waiting === undefined) return;
    const end = `\n${waiting.mark} `;
    const at = this.#said.indexOf(end);
    const after = at < 0 ? -1 : this.#said.indexOf('\n', at + end.length);
    if (after < 0) return;
    const output = this.#said.slice(0, at);
    const status = this.#said.slice(at + end.length, after);
    this.#said = '';
    this.#waiting.shift();
    this.#hold(false);
    if (status === '0') waiting.done(output);
    else waiting.fail(new GateError('SYSTEM_PROGRAM_FAILED', `${waiting.program} ended with status ${status}`));
    this.#next();
  }

  /** Only a program that runs keeps this process from ending. */
  #hold(held: boolean): void {
    for (const stream of [this.#shell?.stdin, this.#shell?.stdout]) {
      if (!(stream instanceof Socket)) continue;
      if (held) stream.ref();
      else stream.unref();
    }
  }
}

const shell = new ProgramShell();

/** To be called while this process is small, see `ProgramShell`. */
export function prepareSystemPrograms(): void {
  shell.start();
}

/**
 * Runs a program of the system, one at a time.
 * @returns what it printed
 * @throws GateError SYSTEM_PROGRAM_FAILED where it cannot be run, takes too long (status 124) or ends with another status than 0
 */
export function runSystemProgram(program: SystemProgram): Promise<string> {
  return shell.run(program);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
