import { lanes, type BenchLane } from './load/config.js';
import { FullLoad } from './load/full-load.js';
import { quantile, round } from './load/probe.js';
import type { BenchOptions } from './options.js';

interface Latencies {
  readonly warmP50Ms: number;
  readonly warmP99Ms: number;
  readonly coldP50Ms: number;
  readonly coldP99Ms: number;
}

const usualPassages = 300;
/** Cold passages take as long as a driver waits; a third as many are measured. */
const coldShare = 3;
const usualBacklog = 600_000;

type Values = Readonly<Record<BenchLane['kind'], number[]>>;

function latencies({ warm, cold }: Values): Latencies {
  return { warmP50Ms: round(quantile(warm, 0.5)), warmP99Ms: round(quantile(warm, 0.99)), coldP50Ms: round(quantile(cold, 0.5)), coldP99Ms: round(quantile(cold, 0.99)) };
}

/**
 * From the loop's edge to the closed relay, as the world outside the gate sees both, under full load.
 * Warm: the plate was decided before the loop trips. Cold: the vehicle comes into the picture as it trips the loop, so the
 * camera, both networks and the vote are in it. `figures` is the worse of the two kinds of hardware, the bus's own median time off each passage over Modbus.
 */
export async function run(options: BenchOptions): Promise<object> {
  const passages = options.passages ?? usualPassages;
  const progress = (text: string): void => void process.stderr.write(`latency: ${text}\n`);
  const load = await FullLoad.start({ backlog: options.backlog ?? usualBacklog, progress });
  try {
    const values: Readonly<Record<BenchLane['hardware'], Values>> = { simulated: { warm: [], cold: [] }, modbus: { warm: [], cold: [] } };
    const missed: Record<string, number> = {};
    const bare: number[] = [];
    const wanted = { warm: passages, cold: Math.ceil(passages / coldShare) };
    const state = { measuring: true };
    await load.probe();
    const reference = (async (): Promise<void> => {
      while (state.measuring) {
        const ms = await load.barePassage();
        if (ms !== undefined) bare.push(ms);
      }
    })();
    await Promise.all(
      lanes.map(async (lane) => {
        const own = values[lane.hardware][lane.kind];
        const most = 2 * wanted[lane.kind];
        for (let tries = 0; own.length < wanted[lane.kind] && tries < most; tries += 1) {
          const ms = await load.passage(lane);
          if (ms === undefined) missed[lane.id] = (missed[lane.id] ?? 0) + 1;
          else own.push(ms);
          if (lane.kind === 'cold' && own.length % 20 === 0) progress(`${lane.id} ${own.length}/${wanted.cold}`);
        }
      }),
    );
    state.measuring = false;
    await reference;
    const { load: loaded, delay } = await load.figures();
    const busMs = round(quantile(bare, 0.5));
    const simulated = latencies(values.simulated);
    const modbus = latencies(values.modbus);
    // The bus's own median off each passage: what is left is the gate's, and whatever made the bus slower than usual.
    const lessBus = (list: readonly number[]): number[] => list.map((ms) => Math.max(0, ms - busMs));
    const beyondBus = latencies({ warm: lessBus(values.modbus.warm), cold: lessBus(values.modbus.cold) });
    return {
      name: 'latency',
      figures: {
        warmP50Ms: Math.max(simulated.warmP50Ms, beyondBus.warmP50Ms),
        warmP99Ms: Math.max(simulated.warmP99Ms, beyondBus.warmP99Ms),
        coldP50Ms: Math.max(simulated.coldP50Ms, beyondBus.coldP50Ms),
        coldP99Ms: Math.max(simulated.coldP99Ms, beyondBus.coldP99Ms),
      },
      simulated: { ...simulated, warm: values.simulated.warm.length, cold: values.simulated.cold.length },
      modbus: { ...modbus, warm: values.modbus.warm.length, cold: values.modbus.cold.length },
      reference: { what: 'a bare modbus-serial client alone on a second bus in the same run: the same poll, the same pulse, 9600 baud', p50Ms: busMs, p99Ms: round(quantile(bare, 0.99)), n: bare.length },
      missed,
      eventLoop: delay,
      load: loaded,
    };
  } finally {
    await load.stop();
  }
}
