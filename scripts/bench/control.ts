import { z } from 'zod';
import { systemClock } from '../../src/base/system-clock.js';
import { BenchProcess } from './load/child.js';
import { lanes } from './load/config.js';
import { FullLoad } from './load/full-load.js';
import { asInstalled } from './load/gate-unit.js';
import type { BenchOptions } from './options.js';

const usualSeconds = 60;
/** More than drains meanwhile. */
const usualBacklog = 1_400_000;
const delaySchema = z.object({ kind: z.literal('delay'), delay: z.object({ p999Ms: z.number(), maxMs: z.number() }) });

/** How late the event loop of the gate's main process is under full load, beside an idle Node process of the same run. */
export async function run(options: BenchOptions): Promise<object> {
  const seconds = options.seconds ?? usualSeconds;
  const progress = (text: string): void => void process.stderr.write(`control: ${text}\n`);
  const load = await FullLoad.start({ backlog: options.backlog ?? usualBacklog, progress });
  const idle = new BenchProcess('idle-process', [], asInstalled);
  try {
    await idle.next(z.object({ kind: z.literal('ready') }));
    await load.probe();
    progress(`watching for ${seconds} s`);
    const endMs = systemClock.monoMs() + seconds * 1_000;
    let passages = 0;
    await Promise.all(
      lanes.map(async (lane) => {
        while (systemClock.monoMs() < endMs) {
          await load.passage(lane);
          passages += 1;
        }
      }),
    );
    const { load: loaded, delay } = await load.figures();
    const answer = idle.next(delaySchema);
    idle.send({ kind: 'stop' });
    const reference = (await answer).delay;
    return {
      name: 'control',
      figures: { eventLoopP999Ms: delay?.p999Ms, eventLoopMaxMs: delay?.maxMs },
      reference: { what: 'an idle Node process on the same machine in the same run, same probe', p999Ms: reference.p999Ms, maxMs: reference.maxMs },
      histogram: delay?.histogram,
      load: { seconds, passages, ...loaded },
    };
  } finally {
    await idle.stop();
    await load.stop();
  }
}
