import { GateError, type Clock, type Log } from '../../base/index.js';
import type { LineRef } from '../contract.js';
import { describeLine } from '../pulse-limit.js';
import { SignalInput } from '../signal-input.js';
import type { GpioLine } from './line.js';

/**
 * More edges than this within a second are no signal: a bouncing contact gives 10 to 20 for each press, and no car, boom or
 * hand closes one more than a few times a second. A loose wire beside the motor's cable gives mains hum: 100 and more.
 */
const floodEdges = 100;
const floodWindowMs = 1_000;
/** So long a line has to be free of floods to be believed again. */
const calmMs = 2_000;

/**
 * An input with the line it reads; kept together so that a late reading of a closed line is dropped. A chattering line is
 * a `fault` until it calms: its level means nothing, and `fault` counts as occupied.
 *
 * Debouncing is ours on either interface. The kernel's own would hide a chattering contact as a steady level, the old one.
 */
export class GpioInput extends SignalInput {
  readonly #mono: () => number;
  readonly #onTrouble: () => void;
  #line: GpioLine | undefined;
  #edges = 0;
  #windowMs = Number.NEGATIVE_INFINITY;
  #inWindow = 0;
  #floodMs = Number.NEGATIVE_INFINITY;
  #chattering: GateError | undefined;

  /** @param onTrouble told when the line begins to chatter and when it has calmed */
  constructor(ref: LineRef, clock: Clock, log: Log, debounceMs: number, onTrouble: () => void) {
    super(ref, clock, log, debounceMs);
    this.#mono = () => clock.monoMs();
    this.#onTrouble = onTrouble;
  }

  get hasEdges(): boolean {
    return this.#line?.hasEdges ?? true;
  }

  /** Why the line is not believed; undefined where it is. */
  get chattering(): GateError | undefined {
    return this.#chattering;
  }

  attach(line: GpioLine): void {
    this.#line = line;
    if (line.hasEdges) {
      line.watch((active) => {
        this.#edges += 1;
        if (this.#line !== line) return;
        this.#countEdge();
        this.#level(active);
      });
    }
  }

  detach(): GpioLine | undefined {
    const line = this.#line;
    this.#line = undefined;
    this.#chattering = undefined;
    this.#inWindow = 0;
    this.report('unknown');
    return line;
  }

  /** @throws GateError `DEVICE_LOST` */
  async refresh(): Promise<void> {
    const line = this.#line;
    if (line === undefined) return;
    const edges = this.#edges;
    const active = await line.read();
    if (this.#line !== line) return;
    if (this.#chattering !== undefined && this.#mono() - this.#floodMs >= calmMs) {
      this.#chattering = undefined;
      this.#onTrouble();
    }
    // An edge that came meanwhile is newer than this reading.
    if (edges === this.#edges) this.#level(active);
  }

  #level(active: boolean): void {
    const raw = active !== (this.ref.activeLow ?? false) ? '1' : '0';
    this.report(this.#chattering === undefined ? (active ? 'on' : 'off') : 'fault', raw);
  }

  #countEdge(): void {
    const nowMs = this.#mono();
    if (nowMs - this.#windowMs >= floodWindowMs) {
      this.#windowMs = nowMs;
      this.#inWindow = 0;
    }
    this.#inWindow += 1;
    if (this.#inWindow <= floodEdges) return;
    this.#floodMs = nowMs;
    if (this.#chattering !== undefined) return;
    const message = `The ${describeLine(this.ref)} chatters: more than ${floodEdges} edges within a second. Look for a loose wire, a missing pull resistor, or a cable beside the motor's.`;
    this.#chattering = new GateError('DEVICE_LOST', message, { line: this.ref });
    this.#onTrouble();
  }
}
