import type { Device, DeviceHealth } from '../device/index.js';
import type { NewEvent } from '../journal/index.js';

/** A device that does not answer, or one board of its bus. */
interface Part {
  readonly device: string;
  readonly unit?: number;
}

/**
 * Devices, and single boards of a bus, that do not answer. Each loss and each return is told once; while a whole device is
 * lost its boards are not told of one by one.
 */
export class LostDevices {
  readonly #lost = new Set<string>();

  /** As telemetry names them: `board`, or `board unit 3`. */
  names(): readonly string[] {
    return [...this.#lost];
  }

  /** @returns what has to go on record */
  note(device: Pick<Device, 'id' | 'units'>, health: DeviceHealth): readonly NewEvent[] {
    const whole: Part = { device: device.id };
    if (health.state === 'lost') return this.#lose(whole, health.detail);
    if (health.state !== 'ok') return [];
    const events = [...this.#recover(whole)];
    for (const { unit, state, detail } of device.units?.() ?? []) {
      if (state === 'lost') events.push(...this.#lose({ device: device.id, unit }, detail));
      else if (state === 'ok') events.push(...this.#recover({ device: device.id, unit }));
    }
    return events;
  }

  #lose(part: Part, detail = ''): readonly NewEvent[] {
    if (this.#lost.has(nameOf(part))) return [];
    this.#lost.add(nameOf(part));
    return [{ type: 'device.lost', payload: { ...part, detail } }];
  }

  #recover(part: Part): readonly NewEvent[] {
    return this.#lost.delete(nameOf(part)) ? [{ type: 'device.recovered', payload: { ...part } }] : [];
  }
}

function nameOf({ device, unit }: Part): string {
  return unit === undefined ? device : `${device} unit ${unit}`;
}
