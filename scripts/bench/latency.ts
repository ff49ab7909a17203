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
const usualBacklog = 400_000;

type Values = Readonly<Record<BenchLane['kind'], number[]>>;

function latencies({ warm, cold }: Values): Latencies {
  return { warmP50Ms: round(quantile(warm, 0.5)), warmP99Ms: round(quantile(warm, 0.99)), coldP50Ms: round(quantile(cold, 0.5)), coldP99Ms: round(quantile(cold, 0.99)) };
}

/**
 * From the loop's edge to the closed relay, as the world outside the gate sees both, under full load.
 * Warm: the plate was decided before the loop trips. Cold: the vehicle comes into the picture as it trips the loop, so the
 * camera, both networks and the vote are in it. `figures` is the worse of the two kinds of hardware, the bus's own time off.
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
    let measuring = true;
    load.probe();
    const reference = (async (): Promise<void> => {
      while (measuring) {
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
    measuring = false;
    await reference;
    const { load: loaded, delay } = await load.figures();
    const simulated = latencies(values.simulated);
    const modbus = latencies(values.modbus);
    const busP50Ms = round(quantile(bare, 0.5));
    const busP99Ms = round(quantile(bare, 0.99));
    const worse = (one: number, bus: number, busMs: number): number => round(Math.max(one, bus - busMs));
    return {
      name: 'latency',
      figures: {
        warmP50Ms: worse(simulated.warmP50Ms, modbus.warmP50Ms, busP50Ms),
        warmP99Ms: worse(simulated.warmP99Ms, modbus.warmP99Ms, busP99Ms),
        coldP50Ms: worse(simulated.coldP50Ms, modbus.coldP50Ms, busP50Ms),
        coldP99Ms: worse(simulated.coldP99Ms, modbus.coldP99Ms, busP99Ms),
      },
      simulated: { ...simulated, warm: values.simulated.warm.length, cold: values.simulated.cold.length },
      modbus: { ...modbus, warm: values.modbus.warm.length, cold: values.modbus.cold.length },
      reference: { what: 'a bare modbus-serial client alone on a second bus in the same run: the same poll, the same pulse, 9600 baud', p50Ms: busP50Ms, p99Ms: busP99Ms, n: bare.length },
      missed,
      eventLoop: delay,
      load: loaded,
    };
  } finally {
    await load.stop();
  }
}
