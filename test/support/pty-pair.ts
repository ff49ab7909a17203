import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './until.js';

/** Two pseudo terminals joined by a cable that can be pulled: the gate opens `near`, whatever it talks to opens `far`. */
export class PtyPair {
  readonly folder = mkdtempSync(join(tmpdir(), 'laurel-serial-'));
  readonly near = join(this.folder, 'gate');
  readonly far = join(this.folder, 'board');
  #cable: ChildProcess | undefined;

  async plug(): Promise<void> {
    this.#cable = spawn('socat', [`PTY,link=${this.near},raw,echo=0`, `PTY,link=${this.far},raw,echo=0`]);
    await until(() => existsSync(this.near) && existsSync(this.far), { what: 'the pty pair' });
  }

  /** Both ends vanish. */
  async unplug(): Promise<void> {
    const cable = this.#cable;
    this.#cable = undefined;
    if (cable === undefined || cable.exitCode !== null) return;
    cable.kill('SIGTERM');
    await once(cable, 'exit');
  }

  async close(): Promise<void> {
    await this.unplug();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
