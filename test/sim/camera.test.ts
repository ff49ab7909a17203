import { spawn } from 'node:child_process';
import sharp from 'sharp';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/system-clock.js';
import { LaneRenderer, SimCamera, plateCorners, renderApproach, type Scene, type SceneVehicle, type SimPlate } from '../../src/sim/index.js';
import { until } from '../support/until.js';

const blue: SimPlate = { text: '京QM86H8', colour: 'blue', rows: 1, type: 'small-car' };

function car(front: number, plate: SimPlate = blue): SceneVehicle {
  return { id: 'a', kind: 'car', front, lengthM: 4.6, heading: 1, lateralM: 0, paint: '#e9eaec', plate, rearFirst: false };
}

function scene(front: number): Scene {
  return { wallMs: 1_767_225_600_000, light: 1, lanes: [{ lane: 'entry', name: '入口', boomPosition: 0, vehicles: [car(front)] }] };
}

/** Mean colour inside a small box of a picture. */
async function colourAt(jpeg: Buffer, x: number, y: number): Promise<readonly [number, number, number]> {
  const { data } = await sharp(jpeg).extract({ left: Math.round(x) - 1, top: Math.round(y) - 1, width: 3, height: 3 }).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const mean = (channel: number): number => data.filter((_, index) => index % 3 === channel).reduce((sum, value) => sum + value, 0) / 9;
  return [mean(0), mean(1), mean(2)];
}

describe('rendered approach', () => {
  it('shows the plate larger the nearer the car is, from about 70 to 180 pixels and more', async () => {
    const pictures = await renderApproach({ plate: blue, fronts: [-9, -5, -1] });
    const widths = pictures.map(({ corners }) => (corners[1]?.[0] ?? 0) - (corners[0]?.[0] ?? 0));
    expect(widths[0]).toBeGreaterThan(55);
    expect(widths[0]).toBeLessThan(85);
    expect(widths[2]).toBeGreaterThan(165);
    for (const { jpeg } of pictures) {
      const { width, height, format } = await sharp(jpeg).metadata();
      expect({ width, height, format }).toEqual({ width: 1280, height: 720, format: 'jpeg' });
    }
  });

  it('paints the plate where its corners are said to be', async () => {
    const [picture] = await renderApproach({ plate: blue, fronts: [-3] });
    expect(picture).toBeDefined();
    if (picture === undefined) return;
    const [topLeft, topRight, bottomRight, bottomLeft] = picture.corners;
    // Just inside the left edge there is blue ground, at about half of the height.
    const x = ((topLeft?.[0] ?? 0) + (bottomLeft?.[0] ?? 0)) / 2 + 3;
    const y = ((topLeft?.[1] ?? 0) + (bottomRight?.[1] ?? 0)) / 2;
    const [red, , bluePart] = await colourAt(picture.jpeg, x, y);
    expect(bluePart).toBeGreaterThan(red + 60);
    // Outside to the right there is none.
    const [outRed, , outBlue] = await colourAt(picture.jpeg, (topRight?.[0] ?? 0) + 12, (topRight?.[1] ?? 0) - 12);
    expect(outBlue).toBeLessThan(outRed + 40);
  });

  it('draws only anew when something has changed', async () => {
    const renderer = new LaneRenderer();
    const view = scene(-5);
    const [lane] = view.lanes;
    expect(lane).toBeDefined();
    if (lane === undefined) return;
    const first = await renderer.render(lane, 1, view.wallMs);
    expect(await renderer.render(lane, 1, view.wallMs)).toBe(first);
    expect(await renderer.render({ ...lane, vehicles: [car(-4.5)] }, 1, view.wallMs)).not.toBe(first);
  });

  it('leaves nothing of a car that has gone', async () => {
    const renderer = new LaneRenderer({ caption: false });
    const empty = { lane: 'entry', name: '', boomPosition: 0, vehicles: [] };
    const before = await renderer.render(empty, 1, 0);
    await renderer.render({ ...empty, vehicles: [car(-3)] }, 1, 0);
    const after = await renderer.render(empty, 1, 0);
    const [a, b] = await Promise.all([before, after].map((jpeg) => sharp(jpeg).greyscale().raw().toBuffer()));
    let worst = 0;
    for (let at = 0; at < (a?.length ?? 0); at += 1) worst = Math.max(worst, Math.abs((a?.[at] ?? 0) - (b?.[at] ?? 0)));
    expect(worst).toBeLessThan(40);
  });

  it('knows no corners of a vehicle without a plate', () => {
    expect(plateCorners({ ...car(-3), plate: undefined })).toEqual([]);
  });
});

describe('simulated camera process', () => {
  let camera: SimCamera | undefined;
  afterEach(async () => camera?.stop());

  it('is pulled by ffmpeg like any network camera', { timeout: 60_000 }, async () => {
    camera = new SimCamera({ clock: systemClock });
    const { url } = await camera.start();
    let front = -12;
    camera.follow(() => scene((front = front > -2 ? -12 : front + 0.2)));
    await until(async () => (await fetch(`${url('entry')}.jpg`)).ok, { timeoutMs: 20_000, what: 'the first picture' });
    const ffmpeg = spawn('ffmpeg', ['-loglevel', 'error', '-f', 'mpjpeg', '-i', url('entry'), '-frames:v', '6', '-f', 'rawvideo', '-pix_fmt', 'gray', 'pipe:1'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let bytes = 0;
    ffmpeg.stdout.on('data', (chunk: Buffer) => (bytes += chunk.length));
    await until(() => bytes >= 6 * 1280 * 720, { timeoutMs: 20_000, what: 'six pictures through ffmpeg' });
    ffmpeg.kill('SIGKILL');
    expect((await fetch(url('nowhere'))).status).toBe(404);
  });

  it('ends its process when stopped', async () => {
    camera = new SimCamera({ clock: systemClock });
    await camera.start();
    const { pid } = camera;
    expect(pid).toBeDefined();
    await camera.stop();
    expect(() => process.kill(pid ?? 0, 0)).toThrow();
    expect(() => camera?.url('entry')).toThrow(/CAMERA_LOST/u);
  });
});
