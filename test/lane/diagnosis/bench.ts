import type { SignalState } from '../../../src/base/index.js';
import { diagnosisSchema } from '../../../src/config/schema.js';
import { diagnose, diagnosisSettings, initialDiagnosis, type BoomState, type DiagnosisState, type FindingChange, type LaneSign, type SensorName, type TrackInput } from '../../../src/lane/index.js';
import { site } from '../fixtures.js';
import { plateRead } from '../plates.js';

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

/** Lanes of a gate whose signs are given by hand, with time by hand. */
export class Bench {
  nowMs = 0;
  readonly changes: (FindingChange & { readonly atMs: number })[] = [];
  #state: DiagnosisState;

  constructor(sensors: readonly SensorName[] = ['beam', 'openLimit', 'closedLimit', 'button'], lanes: readonly string[] = ['entry']) {
    const thresholds = diagnosisSchema.parse({});
    this.#state = initialDiagnosis(
      lanes.map((lane) => ({ ...diagnosisSettings(site({ sensors }), thresholds), lane })),
      0,
    );
    for (const lane of lanes) {
      for (const sensor of ['approach', 'closing', ...sensors] as const) this.set(sensor, sensor === 'closedLimit' ? 'on' : 'off', lane);
      this.boom('closed', lane);
    }
    this.wait(10 * SECOND);
  }

  tell(sign: LaneSign, lane = 'entry'): void {
    this.#take(diagnose(this.#state, { kind: 'lane', lane, sign }, this.nowMs));
  }

  set(sensor: SensorName, state: SignalState, lane = 'entry'): void {
    this.tell({ kind: 'sensor', sensor, state, atMs: this.nowMs }, lane);
  }

  boom(boom: BoomState, lane = 'entry'): void {
    this.tell({ kind: 'boom', boom }, lane);
  }

  /** Time passes, second by second. */
  wait(forMs: number, everySecond: () => void = () => undefined): void {
    const endMs = this.nowMs + forMs;
    while (this.nowMs < endMs) {
      const toMs = Math.min(endMs, (Math.floor(this.nowMs / SECOND) + 1) * SECOND);
      this.nowMs = toMs;
      if (toMs % SECOND !== 0) continue;
      everySecond();
      this.#take(diagnose(this.#state, { kind: 'tick' }, this.nowMs));
    }
  }

  pulse(sensor: SensorName, forMs: number, lane = 'entry'): void {
    this.set(sensor, 'on', lane);
    this.wait(forMs);
    this.set(sensor, 'off', lane);
  }

  track(report: Partial<TrackInput> & { readonly track: string }, lane = 'entry'): void {
    this.tell({ kind: 'track', report: { reads: 5, decisive: true, stationary: false, ended: false, vote: plateRead('京A12345'), width: 0.14, seenAtMs: this.nowMs, readAtMs: this.nowMs, ...report } }, lane);
  }

  /** A car drives up, the boom rises, it passes, the boom falls; sensors named are dead, and `withVision` shows its plate. */
  pass(dead: readonly SensorName[] = [], withVision?: string): void {
    const feel = (sensor: SensorName, state: SignalState): void => {
      if (!dead.includes(sensor)) this.set(sensor, state);
    };
    const show = (): void => {
      if (withVision !== undefined) this.track({ track: withVision, vote: plateRead(withVision) });
    };
    if (withVision !== undefined) this.track({ track: withVision, vote: plateRead(withVision), width: 0.05 });
    feel('approach', 'on');
    this.wait(6 * SECOND, show);
    this.boom('opening');
    feel('closedLimit', 'off');
    this.wait(3 * SECOND, show);
    feel('openLimit', 'on');
    this.wait(500, show);
    this.boom('open');
    if (withVision !== undefined) this.track({ track: withVision, ended: true });
    feel('closing', 'on');
    this.wait(300);
    feel('beam', 'on');
    this.wait(700);
    feel('approach', 'off');
    this.wait(800);
    feel('beam', 'off');
    this.wait(300);
    feel('closing', 'off');
    this.wait(1_000);
    this.boom('closing');
    feel('openLimit', 'off');
    this.wait(3 * SECOND);
    feel('closedLimit', 'on');
    this.wait(500);
    this.boom('closed');
    this.wait(20 * SECOND);
  }

  /** What is wrong now. */
  get findings(): readonly string[] {
    return Object.entries(this.#state.lanes).flatMap(([lane, { findings }]) => findings.map(({ code, sensors }) => `${lane} ${code} ${sensors.join('+')}`));
  }

  /** Everything raised and cleared so far. */
  get history(): readonly string[] {
    return this.changes.map(({ change, finding }) => `${change} ${finding.code}`);
  }

  /** Size of all that is remembered. */
  get bytes(): number {
    return JSON.stringify(this.#state).length;
  }

  #take({ state, changes }: ReturnType<typeof diagnose>): void {
    this.#state = state;
    this.changes.push(...changes.map((change) => ({ ...change, atMs: this.nowMs })));
  }
}
