import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import type { ResolvedCamera } from '../../src/camera/index.js';
import { Engine } from '../../src/vision/engine.js';
import { Recognizer, loadModels, shippedModels, type Models } from '../../src/vision/index.js';
import { zoneRegion } from '../../src/vision/zone.js';

const recognizers: Recognizer[] = [];
afterEach(async () => {
  await Promise.all(recognizers.splice(0).map((each) => each.close()));
});

/** The shipped networks, and every shape they were run with. */
async function counted(): Promise<{ readonly recognizer: Recognizer; readonly shapes: string[] }> {
  const { models } = await loadModels({ directories: [shippedModels()], threads: 1, log: silentLog });
  const shapes: string[] = [];
  const watched: Models = {
    ...models,
    detect: (image, width, height) => {
      shapes.push(`detector ${width}x${height}`);
      return models.detect(image, width, height);
    },
    read: (plates, count) => {
      shapes.push(`reader ${count}`);
      return models.read(plates, count);
    },
  };
  const recognizer = new Recognizer(watched);
  recognizers.push(recognizer);
  return { recognizer, shapes };
}

const zone: [number, number][] = [[0.3, 0.5], [0.6, 0.5], [0.6, 0.8], [0.3, 0.8]];
const camera = (id: string, extra: Partial<ResolvedCamera> = {}): ResolvedCamera => ({ id, source: { kind: 'file', path: '/nowhere.mp4', loop: false }, framesPerSecond: 8, ...extra });

const engineOf = (recognizer: Recognizer, cameras: readonly { readonly lane: string; readonly camera: ResolvedCamera }[]): Engine =>
  new Engine({ cameras, recognizer, run: 'r', clock: systemClock, log: silentLog, random: () => 0, onTrack: () => undefined, onCamera: () => undefined });

describe('before the first picture', () => {
  it('both networks have run in every shape that the lanes’ cameras will ask for', async () => {
    const { recognizer, shapes } = await counted();
    await engineOf(recognizer, [{ lane: 'entry', camera: camera('one', { zone }) }, { lane: 'exit', camera: camera('two') }]).warmUp();
    const warm = new Set(shapes.splice(0));
    const picture = { data: new Uint8Array(1_280 * 720 * 3).fill(90), width: 1_280, height: 720 };
    const region = zoneRegion(zone, picture, recognizer.models.manifest.detector.input.longSide);
    if (region === undefined) throw new Error('the zone is the whole picture');
    await recognizer.recognize(picture);
    await recognizer.recognize(picture, { region });
    for (let plates = 1; plates <= 4; plates += 1) {
      await recognizer.read(picture, Array.from({ length: plates }, () => [[600, 340], [720, 340], [720, 380], [600, 380]]));
    }
    expect(new Set(shapes).size).toBe(6);
    for (const shape of shapes) expect(warm).toContain(shape);
  });

  it('of a gate without cameras they have run too', async () => {
    const { recognizer, shapes } = await counted();
    await engineOf(recognizer, []).warmUp();
    expect(shapes.some((shape) => shape.startsWith('detector'))).toBe(true);
    expect(shapes).toContain('reader 1');
  });
});
