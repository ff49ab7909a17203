import { errorText, type Log } from '../base/index.js';
import type { DeviceHealth } from './contract.js';

/** Holds a device's health and tells listeners when it changes, never twice the same. */
export class HealthSource {
  readonly #id: string;
  readonly #log: Log;
  readonly #listeners = new Set<(health: DeviceHealth) => void>();
  #health: DeviceHealth = { state: 'stopped' };

  constructor(id: string, log: Log) {
    this.#id = id;
    this.#log = log;
  }

  get(): DeviceHealth {
    return this.#health;
  }

  set(health: DeviceHealth): void {
    if (health.state === this.#health.state && health.detail === this.#health.detail) return;
    this.#health = health;
    const facts = { device: this.#id, state: health.state, detail: health.detail };
    if (health.state === 'lost') this.#log.warn(facts, 'device lost');
    else this.#log.info(facts, 'device health changed');
    for (const listener of [...this.#listeners]) {
      try {
        listener(health);
      } catch (error) {
        this.#log.error({ device: this.#id, error: errorText(error) }, 'a listener failed on a change of health');
      }
    }
  }

  onChange(listener: (health: DeviceHealth) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}
