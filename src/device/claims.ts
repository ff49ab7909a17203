import { GateError } from '../base/index.js';
import type { LineRef } from './contract.js';
import { describeLine } from './pulse-limit.js';

/**
 * Who asked for which physical line. An input may be shared (one fire contact for all lanes); an output has one owner,
 * because two lanes pulling one relay could not keep the dead time between open and close.
 */
export class Claims<Input extends { readonly ref: LineRef }, Output> {
  readonly #inputs = new Map<string, Input>();
  readonly #outputs = new Map<string, Output>();
  #closed = false;

  get inputs(): readonly Input[] {
    return [...this.#inputs.values()];
  }

  get outputs(): readonly Output[] {
    return [...this.#outputs.values()];
  }

  /** After this (the device runs) claims are refused. */
  close(): void {
    this.#closed = true;
  }

  /**
   * @param key names the physical line, e.g. `pinctrl-rp1/17`
   * @throws GateError `DEVICE_LINE_INVALID`
   */
  input(key: string, ref: LineRef, make: () => Input): Input {
    this.#checkOpen(ref);
    if (this.#outputs.has(key)) throw taken(ref, 'it is an output already');
    const known = this.#inputs.get(key);
    if (known === undefined) {
      const input = make();
      this.#inputs.set(key, input);
      return input;
    }
    const same = (known.ref.activeLow ?? false) === (ref.activeLow ?? false) && known.ref.debounceMs === ref.debounceMs && known.ref.pull === ref.pull;
    if (!same) throw taken(ref, 'it is used elsewhere with another activeLow, debounceMs or pull');
    return known;
  }

  /** @throws GateError `DEVICE_LINE_INVALID` */
  output(key: string, ref: LineRef, make: () => Output): Output {
    this.#checkOpen(ref);
    if (this.#inputs.has(key)) throw taken(ref, 'it is an input already');
    if (this.#outputs.has(key)) throw taken(ref, 'it is an output of something else already');
    const output = make();
    this.#outputs.set(key, output);
    return output;
  }

  #checkOpen(ref: LineRef): void {
    if (this.#closed) throw taken(ref, 'the device runs already; claim lines before it is started');
  }
}

function taken(ref: LineRef, why: string): GateError {
  return new GateError('DEVICE_LINE_INVALID', `The ${describeLine(ref)} cannot be used: ${why}.`, { line: ref });
}
