import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { until } from './until.js';

/** A program in a terminal of its own, driven as a person would: waits for words, types answers. */
export class TerminalProgram {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<number | null>;
  /** Everything the terminal showed, without colours and movements of the cursor. */
  shown = '';
  /** The same with them. */
  raw = '';
  #read = 0;

  constructor(command: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    this.child = spawn('/usr/bin/python3', [fileURLToPath(new URL('./run-in-terminal.py', import.meta.url)), ...command], {
      env: { ...process.env, TERM: 'xterm', LC_ALL: 'C.UTF-8', LAUREL_GATE_CONFIG: '', SUDO_USER: '', ...environment },
    });
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.raw += text;
      this.shown += text.replace(/\u001b\[[0-9;?]*[A-Za-z]/gu, '').replace(/\r/gu, '');
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => (this.shown += text));
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
  }

  static gatectl(args: readonly string[], environment: Readonly<Record<string, string>> = {}): TerminalProgram {
    return new TerminalProgram([process.execPath, '--import', 'tsx', 'src/cli.ts', ...args], environment);
  }

  /** Waits for words that were not waited for before. */
  async sees(words: string | RegExp, timeoutMs = 20_000): Promise<void> {
    await until(
      () => {
        const rest = this.shown.slice(this.#read);
        const at = typeof words === 'string' ? rest.indexOf(words) : rest.search(words);
        if (at < 0) return false;
        this.#read += at + (typeof words === 'string' ? words.length : (rest.match(words)?.[0].length ?? 1));
        return true;
      },
      { timeoutMs, what: `"${String(words)}" on the terminal, which shows: ${this.shown.slice(-1_500)}` },
    );
  }

  type(text: string): void {
    this.child.stdin.write(text);
  }

  /** Waits for a question and answers it. */
  async answer(words: string | RegExp, text: string): Promise<void> {
    await this.sees(words);
    this.type(`${text}\r`);
  }

  /** The SSH session drops: the terminal is gone. */
  hangUp(): void {
    this.child.stdin.write('\u0000HUP');
  }
}
