import { ManualClock, silentLog } from '../../../src/base/index.js';
import type { Decision } from '../../../src/access/index.js';
import { configSchema } from '../../../src/config/index.js';
import { DiagnosisWatch, LaneRunner, diagnosisSettings, laneSettings, type FindingChange } from '../../../src/lane/index.js';
import { tryParsePlate, type PlateRead } from '../../../src/plate/index.js';
import { drawPlate, Estate, Random, SimDevice, World, simLaneSpec, type SimLane, type VehiclePlan } from '../../../src/sim/index.js';
import { plateRead } from '../plates.js';

const stepMs = 10;
const pictureMs = 150;
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

export interface DayOptions {
  readonly seed: number;
  /** Whether cameras look at the lanes. */
  readonly vision?: boolean;
  readonly beam?: boolean;
  readonly limits?: boolean;
  readonly closing?: 'gateway-closes' | 'barrier-closes';
}

/** Headway of each lane by the hour, ms; null: nobody comes. */
export type Timetable = (hour: number) => number | null;

/** A working day: two rush hours, a quiet night, nobody between two and four. */
export const workingDay: Timetable = (hour) => {
  if (hour < 1 || hour >= 23) return 20 * MINUTE;
  if (hour < 5) return hour >= 2 && hour < 4 ? null : HOUR;
  return (hour >= 7 && hour < 9) || (hour >= 17 && hour < 19) ? 9 * SECOND : 70 * SECOND;
};

/** An entry and an exit lane in a simulated street, the real lanes and the real diagnosis, faster than life. */
export class Day {
  readonly clock = new ManualClock(1_767_225_600_000, 0);
  readonly world: World;
  readonly device: SimDevice;
  readonly runners = new Map<string, LaneRunner>();
  readonly changes: (FindingChange & { readonly atMs: number })[] = [];
  readonly watch: DiagnosisWatch;
  readonly random: Random;
  /** Called every second. */
  readonly everySecond: ((nowMs: number) => void)[] = [];
  passages = 0;
  readonly #options: DayOptions;
  readonly #entitled = new Set<string>();
  readonly #tracks = new Map<string, { readonly lane: string; name: string; reads: number; readonly read: PlateRead | null; stillSinceMs: number }>();
  #busy = 0;
  #serial = 0;
  #estate: { readonly headwayMs: number; readonly estate: Estate } | undefined;
  readonly #estates = new Map<number, Estate>();

  constructor(options: DayOptions) {
    this.#options = options;
    this.random = new Random(options.seed, 'day');
    const { beam = true, limits = true, closing = 'gateway-closes' } = options;
    const lane = (id: string, direction: 'entry' | 'exit'): object => {
      const line = (name: string): object => ({ device: 'world', line: `${id}.${name}` });
      const inputs = ['approach', 'closing', 'fire', 'button', ...(beam ? ['beam'] : []), ...(limits ? ['openLimit', 'closedLimit'] : [])];
      return { id, name: id, direction, barrier: { closing, open: line('open'), close: line('close'), openTimeMs: 1_800, closeTimeMs: 2_200 }, inputs: Object.fromEntries(inputs.map((name) => [name, line(name)])) };
    };
    const config = configSchema.parse({
      site: { id: 'laurel', name: 'laurel' },
      gate: { id: 'day', name: 'day', dataDirectory: '/nowhere' },
      devices: [{ id: 'world', driver: 'sim' }],
      lanes: [lane('entry', 'entry'), lane('exit', 'exit')],
    });
    this.world = new World({ seed: options.seed, lanes: config.lanes.map((it) => ({ ...simLaneSpec(it), boardAutoCloseMs: 17_000 })) });
    this.device = new SimDevice({ id: 'world', world: this.world, clock: this.clock });
    const wirings = new Map(
      config.lanes.map((it) => {
        const settings = laneSettings(it);
        const line = (name: string): { device: string; line: string } => ({ device: 'world', line: `${it.id}.${name}` });
        return [
          it.id,
          {
            settings,
            inputs: Object.fromEntries(settings.sensors.map((sensor) => [sensor, this.device.input(line(sensor))])),
            outputs: Object.fromEntries(settings.outputs.map((output) => [output, this.device.output(line(output === 'stop' ? 'stopRelay' : output))])),
          },
        ];
      }),
    );
    this.watch = new DiagnosisWatch({
      clock: this.clock,
      lanes: config.lanes.map((it) => ({ settings: diagnosisSettings(laneSettings(it), it.diagnosis), inputs: wirings.get(it.id)?.inputs ?? {} })),
      onChange: (change) => this.changes.push({ ...change, atMs: this.clock.monoMs() }),
    });
    for (const [id, { settings, inputs, outputs }] of wirings) {
      const runner = new LaneRunner({
        settings,
        clock: this.clock,
        log: silentLog,
        ports: {
          inputs,
          outputs,
          diagnosis: this.watch.lane(id),
          journal: {
            append: () => {
              this.#busy = 3;
              return Promise.resolve();
            },
          },
          decide: ({ plate, direction }) => this.#decide(plate, direction),
          photograph: () => undefined,
          show: () => undefined,
          newPassageId: () => `p${String((this.#serial += 1))}`,
          onView: () => {
            this.#busy = 3;
          },
          onPassageEnd: () => (this.passages += 1),
        },
      });
      this.runners.set(id, runner);
    }
  }

  async start(): Promise<void> {
    await this.device.start();
    this.watch.start();
    for (const runner of this.runners.values()) {
      runner.start();
      runner.visionAvailable(this.#options.vision ?? true);
    }
  }

  async stop(): Promise<void> {
    this.watch.stop();
    for (const runner of this.runners.values()) await runner.stop();
  }

  /** Lets time pass, with traffic by the timetable. */
  async run(forMs: number, timetable: Timetable = () => null, startHour = 0): Promise<void> {
    const fromMs = this.world.nowMs;
    for (let ranMs = 0; ranMs < forMs; ranMs += stepMs) {
      if (ranMs % SECOND === 0) {
        this.#traffic(timetable((startHour + (this.world.nowMs - fromMs) / HOUR) % 24));
        for (const act of this.everySecond) act(this.world.nowMs);
      }
      this.clock.advance(stepMs);
      this.world.step(stepMs);
      if (this.world.nowMs % pictureMs === 0 && this.#options.vision !== false) for (const lane of this.world.lanes.values()) this.#look(lane);
      while (this.#busy > 0) {
        this.#busy -= 1;
        for (let turn = 0; turn < 4; turn += 1) await Promise.resolve();
      }
    }
    this.#traffic(null);
  }

  /** Pedestrians, motorcycles without plates, trailers, and drivers with ideas of their own, every few minutes. */
  trouble(): void {
    let nextMs = MINUTE;
    this.everySecond.push((nowMs) => {
      if (nowMs < nextMs) return;
      nextMs = nowMs + this.random.between(60, 600) * SECOND;
      const id = this.random.pick(['entry', 'exit']);
      const lane = this.world.lane(id);
      const empty = lane.vehicles.length === 0;
      if (!lane.hasRoom()) return;
      switch (this.random.integer(0, 6)) {
        case 0:
          this.world.walk(id, this.random.between(500, 20_000));
          break;
        case 1:
          this.arrive(id, { kind: 'motorcycle', tag: 'unplated' });
          break;
        case 2:
          if (empty) this.arrive(id, { tag: 'stranger', intention: { kind: 'cross', atM: -4.2, forMs: this.random.between(700, 2_500) } });
          break;
        case 3:
          if (empty && lane.hasRoom(true)) this.arrive(id, { tag: 'stranger', intention: { kind: 'wrong-way' } });
          break;
        case 4:
          this.arrive('exit', { plate: drawPlate(this.random, 'small-car'), intention: { kind: 'stop-under', forMs: this.random.chance(0.1) ? 20 * MINUTE : 90 * SECOND } });
          break;
        case 5:
          this.arrive(id, { kind: 'truck-trailer', plate: drawPlate(this.random, 'large-car', '京', 1) });
          break;
        default:
          this.arrive('exit', { plate: drawPlate(this.random, 'small-car'), intention: { kind: 'shunt', times: 3, backToM: -5.5, then: this.random.chance(0.3) ? 'back-out' : 'drive' } });
      }
    });
  }

  /** A vehicle that may pass comes by. */
  arrive(lane: string, plan: Partial<VehiclePlan> = {}): void {
    const plate = plan.plate;
    if (plate !== undefined) this.#entitled.add(plate.text);
    this.world.arrive(lane, { kind: 'car', tag: 'resident', intention: { kind: 'drive' }, patienceMs: 15_000, ...plan });
  }

  /** Codes raised, with their sensors and how long after the given time. */
  raised(sinceMs = 0): readonly string[] {
    return this.changes.filter(({ change, atMs }) => change === 'raised' && atMs >= sinceMs).map(({ lane, finding, atMs }) => `${lane} ${finding.code} ${finding.sensors.join('+')} ${JSON.stringify(finding.facts)} at ${((atMs - sinceMs) / SECOND).toFixed(0)} s`);
  }

  #traffic(headwayMs: number | null): void {
    if (this.#estate?.headwayMs === (headwayMs ?? undefined)) return;
    this.#estate?.estate.stop();
    this.#estate = undefined;
    if (headwayMs === null) return;
    const known = this.#estates.get(headwayMs);
    const estate = known ?? new Estate(this.world, { entry: 'entry', exit: 'exit', headwayMs, residents: 60 });
    this.#estates.set(headwayMs, estate);
    for (const { plate } of [...estate.residents(), ...estate.visitors()]) this.#entitled.add(plate.text);
    estate.start();
    this.#estate = { headwayMs, estate };
  }

  #decide(plate: PlateRead | null, direction: 'entry' | 'exit'): Decision {
    if (direction === 'exit') return { outcome: 'admit', rule: 'exit-free', visitorClass: 'outside' };
    if (plate === null) return { outcome: 'refuse', rule: 'no-plate', visitorClass: 'unplated' };
    if (plate.text.endsWith('应急') || this.#entitled.has(plate.text)) return { outcome: 'admit', rule: 'resident', visitorClass: 'resident' };
    return { outcome: 'refuse', rule: 'outside-refuse', visitorClass: 'outside' };
  }

  /** A camera before the boom and a recogniser that misses some pictures, some vehicles altogether, and breaks tracks. */
  #look(lane: SimLane): void {
    const nowMs = this.world.nowMs;
    const seen = new Set<string>();
    const runner = this.runners.get(lane.spec.id);
    for (const vehicle of lane.vehicles) {
      const { plate, intention } = vehicle.plan;
      if (plate === undefined || vehicle.heading < 0 || intention.kind === 'cross' || vehicle.front < -15 || vehicle.front > -0.5) continue;
      let track = this.#tracks.get(vehicle.id);
      if (track === undefined) {
        const text = this.random.chance(0.04) ? undefined : tryParsePlate(plate.text)?.text;
        track = { lane: lane.spec.id, name: vehicle.id, reads: 0, read: text === undefined ? null : plateRead(text), stillSinceMs: nowMs };
        this.#tracks.set(vehicle.id, track);
      }
      seen.add(vehicle.id);
      if (Math.abs(vehicle.velocity) > 0.1) track.stillSinceMs = nowMs;
      if (track.read === null || this.random.chance(0.15)) continue;
      if (this.random.chance(0.005)) {
        this.#report(track, true, 0, nowMs);
        track.name = `${vehicle.id}-${String(nowMs)}`;
        track.reads = 0;
      }
      track.reads += 1;
      this.#report(track, false, (0.44 * 1.114) / (1.5 - vehicle.front), nowMs);
    }
    for (const [id, track] of this.#tracks) {
      if (track.lane !== lane.spec.id || seen.has(id)) continue;
      this.#tracks.delete(id);
      if (track.reads > 0) this.#report(track, true, 0, nowMs);
    }
    // A parked car beside the lane, all day.
    if (lane.spec.direction === 'entry' && nowMs % 450 === 0) {
      runner?.track({ track: 'parked', vote: plateRead('京A00001'), reads: 99, decisive: true, stationary: true, ended: false, width: 0.12, seenAtMs: nowMs, readAtMs: nowMs });
    }
  }

  #report(track: { readonly lane: string; readonly name: string; readonly reads: number; readonly read: PlateRead | null; readonly stillSinceMs: number }, ended: boolean, width: number, nowMs: number): void {
    const { read, reads } = track;
    const runner = this.runners.get(track.lane);
    const stationary = nowMs - track.stillSinceMs > 300_000;
    runner?.track({ track: track.name, ...(read === null ? {} : { vote: read }), reads, decisive: reads >= 3, stationary, ended, seenAtMs: nowMs, readAtMs: nowMs, ...(ended ? {} : { width }) });
  }
}
