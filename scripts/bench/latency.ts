import { lanes, type BenchLane } from './load/config.js';
import { FullLoad, type BenchPassage } from './load/full-load.js';
import { quantile, round } from './load/probe.js';
import type { BenchOptions } from './options.js';

interface Latencies {
  readonly warmP50Ms: number;
  readonly warmP99Ms: number;
  readonly coldP50Ms: number;
  readonly coldP99Ms: number;
}

const usualPassages = 140;
/** Cold passages take as long as a driver waits; a third as many are measured. */
const coldShare = 3;
/** More than drains meanwhile. */
const usualBacklog = 2_500_000;

type Passages = Readonly<Record<BenchLane['kind'], BenchPassage[]>>;

function latencies({ warm, cold }: Passages, of: (passage: BenchPassage) => number): Latencies {
  const [warmMs, coldMs] = [warm.map(of), cold.map(of)];
  return { warmP50Ms: round(quantile(warmMs, 0.5)), warmP99Ms: round(quantile(warmMs, 0.99)), coldP50Ms: round(quantile(coldMs, 0.5)), coldP99Ms: round(quantile(coldMs, 0.99)) };
}

const whole = ({ ms }: BenchPassage): number => ms;
/** Without what requests and answers took on the wire, those of other lanes on the same bus included. */
const beyondWire = ({ ms, wireMs }: BenchPassage): number => Math.max(0, ms - wireMs);

/**
 * From the loop's edge to the closed relay, as the world outside the gate sees both, under full load.
 * Warm: the plate was decided before the loop trips. Cold: the vehicle comes into the picture as it trips the loop, so the
 * camera, both networks and the vote are in it. `figures` is the worse of the two kinds of hardware, each passage over Modbus
 * without the time in which its bus was carrying something.
 */
export async function run(options: BenchOptions): Promise<object> {
  const passages = options.passages ?? usualPassages;
  const progress = (text: string): void => void process.stderr.write(`latency: ${text}\n`);
  const load = await FullLoad.start({ backlog: options.backlog ?? usualBacklog, progress });
  try {
    const values: Readonly<Record<BenchLane['hardware'], Passages>> = { simulated: { warm: [], cold: [] }, modbus: { warm: [], cold: [] } };
    const missed: Record<string, number> = {};
    const bare: BenchPassage[] = [];
    const wanted = { warm: passages, cold: Math.ceil(passages / coldShare) };
    const state = { measuring: true };
    await load.probe();
    const referenceRun = (async (): Promise<void> => {
      while (state.measuring) {
        const passage = await load.barePassage();
        if (passage !== undefined) bare.push(passage);
      }
    })();
    await Promise.all(
      lanes.map(async (lane) => {
        const own = values[lane.hardware][lane.kind];
        const most = 2 * wanted[lane.kind];
        for (let tries = 0; own.length < wanted[lane.kind] && tries < most; tries += 1) {
          const passage = await load.passage(lane);
          if (passage === undefined) missed[lane.id] = (missed[lane.id] ?? 0) + 1;
          else own.push(passage);
          if (lane.kind === 'cold' && own.length % 20 === 0) progress(`${lane.id} ${own.length}/${wanted.cold}`);
        }
      }),
    );
    state.measuring = false;
    await referenceRun;
    const { load: loaded, delay } = await load.figures();
    const simulated = latencies(values.simulated, whole);
    const modbus = latencies(values.modbus, whole);
    const modbusBeyondWire = latencies(values.modbus, beyondWire);
    const reference = (of: (passage: BenchPassage) => number): object => {
      const ms = bare.map(of);
      return { p50Ms: round(quantile(ms, 0.5)), p99Ms: round(quantile(ms, 0.99)) };
    };
    return {
      name: 'latency',
      figures: {
        warmP50Ms: Math.max(simulated.warmP50Ms, modbusBeyondWire.warmP50Ms),
        warmP99Ms: Math.max(simulated.warmP99Ms, modbusBeyondWire.warmP99Ms),
        coldP50Ms: Math.max(simulated.coldP50Ms, modbusBeyondWire.coldP50Ms),
        coldP99Ms: Math.max(simulated.coldP99Ms, modbusBeyondWire.coldP99Ms),
      },
      simulated: { ...simulated, warm: values.simulated.warm.length, cold: values.simulated.cold.length },
      modbus: { ...modbus, beyondWire: modbusBeyondWire, warm: values.modbus.warm.length, cold: values.modbus.cold.length },
      reference: { what: 'a bare modbus-serial client alone on a second bus in the same run: the same poll, the same pulse, 9600 baud', ...reference(whole), beyondWire: reference(beyondWire), n: bare.length },
      missed,
      eventLoop: delay,
      load: loaded,
    };
  } finally {
    await load.stop();
  }
}
