import { spawn, type ChildProcess } from 'node:child_process';
import { gateNewsSchema, type Death, type GateNews, type GateSettings, type Order } from './uplink-messages.js';
import { root } from './victim.js';

export interface GateKeeperOptions {
  readonly program: string;
  /** All lives but for what differs between them. */
  readonly settings: Omit<GateSettings, 'protocol' | 'firstNumber' | 'clockOffsetMs' | 'death'>;
  /** Of a life, counted from 1. */
  readonly protocolOf: (life: number) => GateSettings['protocol'];
  /** Number of the first life, 1 where omitted. */
  readonly firstLife?: number;
  /** Told of an end that nobody asked for. */
  readonly onMishap: (text: string) => void;
}

/** Numbers of events that were handed over but not told stay used: they may be on record. */
const NUMBERS = 100_000;
const STEP_MS = 5;

/** Keeps a gate process alive: however it dies, it is started again. */
export class GateKeeper {
  readonly #options: GateKeeperOptions;
  #child: ChildProcess | undefined;
  #life = 0;
  #finishing = false;
  #over = false;
  #news: GateNews | undefined;
  #protocol: GateSettings['protocol'] = '5';
  #next: { readonly protocol?: GateSettings['protocol']; readonly death?: Death } = {};
  #clockOffsetMs = 0;

  constructor(options: GateKeeperOptions) {
    this.#options = options;
    this.#life = (options.firstLife ?? 1) - 1;
  }

  get lives(): number {
    return this.#life;
  }

  get protocol(): GateSettings['protocol'] {
    return this.#protocol;
  }

  /** Of the process that runs; undefined while it has not said anything. */
  get news(): GateNews | undefined {
    return this.#news;
  }

  start(): void {
    const { program, settings, protocolOf, onMishap } = this.#options;
    this.#life += 1;
    this.#news = undefined;
    const { death, protocol = protocolOf(this.#life) } = this.#next;
    this.#next = {};
    this.#protocol = protocol;
    const life: GateSettings = { ...settings, protocol, firstNumber: this.#life * NUMBERS, clockOffsetMs: this.#clockOffsetMs, ...(death === undefined ? {} : { death }) };
    const child = spawn(process.execPath, [program, JSON.stringify(life)], { cwd: root, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.#child = child;
    child.on('message', (message) => {
      if (child === this.#child) this.#news = gateNewsSchema.parse(message);
    });
    child.on('error', (error) => onMishap(`the gate process: ${error.message}`));
    child.once('close', (status, signal) => {
      if (child !== this.#child) return;
      this.#child = undefined;
      const finished = this.#finishing && status === 0;
      if (signal !== 'SIGKILL' && !finished) onMishap(`life ${this.#life} of the gate ended by itself with ${signal ?? `status ${status}`}; see its error output`);
      this.#over ||= finished;
      if (!this.#over) this.start();
    });
  }

  /** Kills the gate at that point. @returns false where the point was not met in time */
  die(death: Death, withinMs: number): Promise<boolean> {
    const life = this.#life;
    this.#order({ order: 'die', death });
    return this.until(() => this.#life > life, withinMs);
  }

  /** The next life is another one, from now on. */
  async restart(next: { readonly protocol?: GateSettings['protocol']; readonly death?: Death }, withinMs: number): Promise<boolean> {
    this.#next = next;
    const life = this.#life;
    this.kill('SIGKILL');
    return this.until(() => this.#life > life, withinMs);
  }

  stepClock(offsetMs: number): void {
    this.#clockOffsetMs = offsetMs;
    this.#order({ order: 'clock', offsetMs });
  }

  kill(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }

  /** Lets the gate drain and end in order. @returns false where it did not within that time; it is killed then */
  async finish(withinMs: number): Promise<boolean> {
    let asked: ChildProcess | undefined;
    this.#finishing = true;
    const done = await this.until(() => {
      // A gate that was just being started is asked when it can hear.
      if (this.#news !== undefined && asked !== this.#child) {
        asked = this.#child;
        this.#order({ order: 'finish' });
      }
      return this.#over;
    }, withinMs);
    if (!done) await this.stop();
    return done;
  }

  async stop(): Promise<void> {
    this.#over = true;
    this.kill('SIGKILL');
    await this.until(() => this.#child === undefined, 10_000);
  }

  /** @returns whether the condition came true in time */
  async until(condition: () => boolean, withinMs: number): Promise<boolean> {
    const deadlineMs = performance.now() + withinMs;
    while (!condition()) {
      if (performance.now() > deadlineMs) return false;
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    }
    return true;
  }

  #order(order: Order): void {
    if (this.#child?.connected === true) this.#child.send(order, () => undefined);
  }
}
