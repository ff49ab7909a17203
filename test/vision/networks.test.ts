import { describe, expect, it } from 'vitest';
import { ManualClock, silentLog, type GateError } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { loadModels, shippedModels } from '../../src/vision/index.js';
import { startNetworks } from '../../src/vision/networks.js';

const side = 640;
const noise = (length: number): Float32Array => Float32Array.from({ length }, (_, at) => ((at * 7_919) % 256) / 255);

describe('networks in a thread of their own', () => {
  it('answer as they do without, and leave whoever asks free meanwhile', async () => {
    const options = { directories: [shippedModels()], threads: 1, log: silentLog };
    const [own, threaded] = await Promise.all([loadModels(options), startNetworks({ ...options, clock: systemClock, onLost: (error) => expect.unreachable(error.message) })]);
    expect(threaded.models.manifest).toEqual(own.models.manifest);
    const image = noise(3 * side * side);
    let turns = 0;
    let running = true;
    const turn = (): void => {
      turns += 1;
      if (running) setImmediate(turn);
    };
    setImmediate(turn);
    const answer = await threaded.models.detect(image, side, side);
    running = false;
    expect(turns).toBeGreaterThan(20);
    expect(answer).toEqual(await own.models.detect(image, side, side));
    const { input } = own.models.manifest.reader;
    const plates = noise(3 * input.width * input.height * 2);
    expect(await threaded.models.read(plates, 2)).toEqual(await own.models.read(plates, 2));
    await Promise.all([own.models.close(), threaded.models.close()]);
  });

  it('that do not fit are refused with the reason', async () => {
    const started = startNetworks({ directories: ['/nowhere'], threads: 1, log: silentLog, clock: systemClock, onLost: () => expect.unreachable() });
    await expect(started).rejects.toMatchObject({ code: 'MODEL_INVALID' });
  });

  it('that hang are given up, and told of once', async () => {
    const clock = new ManualClock();
    const lost: GateError[] = [];
    const { models } = await startNetworks({ directories: [shippedModels()], threads: 1, log: silentLog, clock, onLost: (error) => void lost.push(error) });
    const hanging = models.detect(noise(3 * side * side), side, side);
    clock.advance(10_001);
    await expect(hanging).rejects.toMatchObject({ code: 'VISION_DOWN' });
    await expect(models.detect(noise(3 * side * side), side, side)).rejects.toMatchObject({ code: 'VISION_DOWN' });
    expect(lost.map(({ code }) => code)).toEqual(['VISION_DOWN']);
  });
});
