import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RelayBoard } from '../../scripts/faults/modbus-board.js';
import { systemClock } from '../../src/base/system-clock.js';
import { until } from './until.js';

/** A relay board at the far end of two pseudo terminals, whose inputs a test closes and opens. */
export class BoardOnBus {
  readonly folder = mkdtempSync(join(tmpdir(), 'laurel-board-'));
  readonly path = join(this.folder, 'gate');
  readonly inputs: boolean[] = Array.from({ length: 8 }, () => false);
  /** Relays as they picked up and dropped. */
  readonly relays: { readonly index: number; readonly on: boolean }[] = [];
  readonly #on = new Set<number>();
  #cable: ChildProcess | undefined;
  #board: RelayBoard | undefined;

  async start(unit = 1): Promise<void> {
    const far = join(this.folder, 'board');
    this.#cable = spawn('socat', [`PTY,link=${this.path},raw,echo=0`, `PTY,link=${far},raw,echo=0`]);
    await until(() => existsSync(this.path) && existsSync(far), { what: 'the pty pair' });
    this.#board = new RelayBoard({
      path: far,
      unit,
      coils: 4,
      inputs: () => this.inputs,
      onRelay: (index, on) => {
        this.relays.push({ index, on });
        if (on) this.#on.add(index);
        else this.#on.delete(index);
      },
      clock: systemClock,
    });
    await this.#board.start();
  }

  /** Resolves once the gate has looked at every line again. */
  async lookedAt(): Promise<void> {
    const before = this.#board?.answered ?? 0;
    await until(() => (this.#board?.answered ?? 0) > before + 4, { what: 'the next look at the board' });
  }

  /** Relays that are closed now. */
  get closed(): readonly number[] {
    return [...this.#on];
  }

  pulses(index: number): number {
    return this.relays.filter((relay) => relay.index === index && relay.on).length;
  }

  async stop(): Promise<void> {
    await this.#board?.stop();
    if (this.#cable !== undefined && this.#cable.exitCode === null) {
      this.#cable.kill('SIGTERM');
      await once(this.#cable, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
