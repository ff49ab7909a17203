import type { Clock, Log } from '../../base/index.js';
import type { LineRef, LineReport } from '../contract.js';
import { describeLine } from '../pulse-limit.js';
import { SignalInput } from '../signal-input.js';
import type { Figure, InputMap } from './profiles.js';

/** An input with the bits or registers it is made of. */
export class ModbusInput extends SignalInput {
  readonly unit: number;
  readonly map: InputMap;
  readonly #figures = new Map<Figure['kind'], number>();
  #trouble: string | undefined;

  constructor(ref: LineRef, unit: number, map: InputMap, clock: Clock, log: Log) {
    super(ref, clock, log);
    this.unit = unit;
    this.map = map;
  }

  /** What the detector behind it complains of, and what to do. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /**
   * @param values in the order of the map's addresses
   * @param trusted false while it is not certain that the unit is what it should be: then it tells no level
   */
  take(values: readonly (number | undefined)[], trusted: boolean): void {
    const trouble = trusted ? this.map.trouble?.(values) : undefined;
    this.#trouble = trouble === undefined ? undefined : `The ${describeLine(this.ref)}: ${trouble}.`;
    this.report(trusted ? this.map.decode(values) : 'unknown', this.map.raw(values));
  }

  forget(): void {
    this.#trouble = undefined;
    this.report('unknown');
  }

  setFigure(kind: Figure['kind'], value: number | undefined): void {
    if (value === undefined) this.#figures.delete(kind);
    else this.#figures.set(kind, value);
  }

  frequencyHz(): number | undefined {
    return this.#figures.get('frequency');
  }

  override lineReport(): LineReport {
    const report = super.lineReport();
    const count = this.#figures.get('count');
    const frequencyHz = this.frequencyHz();
    return {
      ...report,
      raw: report.raw === null || count === undefined ? report.raw : `${report.raw}, count ${count}`,
      ...(frequencyHz === undefined ? {} : { frequencyHz }),
    };
  }
}
