import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManualClock, silentLog, type Quad } from '../../src/base/index.js';
import type { Frame, FrameSource } from '../../src/camera/index.js';
import { parsePlate } from '../../src/plate/index.js';
import { loadModels, shippedModels, type Models } from '../../src/vision/index.js';
import { LaneWatch } from '../../src/vision/lane-watch.js';
import type { ReadDetection, Recognizer } from '../../src/vision/recognizer.js';
import type { TrackReport } from '../../src/vision/types.js';

const [width, height] = [320, 180];

/** Pictures handed in, each with a time at which it was taken. */
class HandedPictures implements FrameSource {
  #frame: Frame | undefined;
  #sequence = 0;

  hand(atMs: number): void {
    this.#sequence += 1;
    // every picture differs, so that each is searched
    const data = new Uint8Array(width * height * 3).fill((this.#sequence * 90) % 256);
    this.#frame = { data, width, height, atMs, sequence: this.#sequence, retain: () => undefined, release: () => undefined };
  }

  start(): void {
    return;
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }

  state(): 'live' {
    return 'live';
  }

  onState(): () => void {
    return () => undefined;
  }

  onFrame(): () => void {
    return () => undefined;
  }

  newest(): Frame | undefined {
    return this.#frame;
  }
}

function plateAt(text: string, x: number): ReadDetection {
  const corners: Quad = [
    [x, 100],
    [x + 60, 100],
    [x + 60, 120],
    [x, 120],
  ];
  const plate = parsePlate(text).text;
  const characters = Array.from(plate);
  const slots = characters.map((char) => [{ char, p: 0.999 }]);
  return { corners, score: 0.9, rows: 1, reading: { read: { text: plate, confidence: 0.99, characters: characters.map(() => 0.999), colour: 'blue', rows: 1 }, slots } };
}

let models: Models;

beforeAll(async () => {
  ({ models } = await loadModels({ directories: [shippedModels()], threads: 1, log: silentLog }));
});

afterAll(() => models.close());

describe('a recogniser that takes seconds for a picture', () => {
  it('tells when the pictures were taken, follows a plate all the same, and ends it when it is gone', async () => {
    const clock = new ManualClock();
    const source = new HandedPictures();
    const reports: TrackReport[] = [];
    const watch = new LaneWatch({ lane: 'entry', source, zone: undefined, prefix: 't', clock, onTrack: (report) => void reports.push(report) });
    let inView: readonly ReadDetection[] = [];
    const slow: Pick<Recognizer, 'recognize' | 'models'> = {
      models,
      recognize: () => {
        const plates = inView;
        // meanwhile the engine looks for tracks to end
        for (let at = 0; at < 5; at += 1) {
          clock.advance(500);
          watch.expire();
        }
        return Promise.resolve({ plates, times: { detectMs: 2_000, readMs: 500 } });
      },
    };
    const takenMs: number[] = [];
    const look = async (): Promise<void> => {
      source.hand(clock.monoMs() - 1_000);
      takenMs.push(clock.monoMs() - 1_000);
      expect(await watch.search(slow)).toBe(true);
    };
    inView = [plateAt('京QM86H8', 100)];
    for (let at = 0; at < 3; at += 1) await look();
    expect(reports.map(({ seenAtMs, readAtMs }) => [seenAtMs, readAtMs])).toEqual(takenMs.map((ms) => [ms, ms]));
    expect(new Set(reports.map(({ track }) => track)).size).toBe(1);
    expect(reports.at(-1)).toMatchObject({ decisive: true, ended: false });
    inView = [];
    await look();
    await look();
    expect(reports.at(-1)).toMatchObject({ vote: { text: '京QM86H8' }, ended: true, seenAtMs: takenMs[2] });
  });

  it('ends its tracks too where the camera gives no more pictures', async () => {
    const clock = new ManualClock();
    const source = new HandedPictures();
    const reports: TrackReport[] = [];
    const watch = new LaneWatch({ lane: 'entry', source, zone: undefined, prefix: 't', clock, onTrack: (report) => void reports.push(report) });
    source.hand(clock.monoMs());
    await watch.search({ models, recognize: () => Promise.resolve({ plates: [plateAt('京QM86H8', 100)], times: { detectMs: 0, readMs: 0 } }) });
    clock.advance(3_001);
    watch.expire();
    expect(reports.at(-1)?.ended).toBe(true);
  });
});
