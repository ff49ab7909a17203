import { spawn, type ChildProcess } from 'node:child_process';

export interface Finished {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

/** A gatectl of its own process, from the sources. */
export class CliProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<Finished>;
  out = '';
  err = '';

  constructor(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, ['--import', 'tsx', 'src/cli.ts', ...args], {
      env: { ...process.env, LC_ALL: 'C', LAUREL_GATE_CONFIG: '', SUDO_USER: '', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.err += text));
    this.ended = new Promise((resolve) => this.child.once('close', (status) => resolve({ status, out: this.out, err: this.err })));
  }
}

export function runCli(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<Finished> {
  return new CliProcess(args, environment).ended;
}
