import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { configSchema } from '../../src/config/index.js';
import { Gate } from '../../src/daemon/index.js';
import type { StoredEvent } from '../../src/journal/index.js';
import { parsePlate } from '../../src/plate/index.js';
import { renderApproach } from '../../src/sim/index.js';
import { ReferencePlatform } from '../../src/uplink/index.js';

const framesPerSecond = 8;

export function freshDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'laurel-system-'));
}

/** A video, drawn by our own simulation: a car drives up, waits, and is gone; H.264 as a camera sends it. */
export async function drawnVideo(plate: string, directory: string): Promise<string> {
  const fronts = [
    ...Array.from({ length: 44 }, (_, at) => -17 + (14 * at) / 43),
    ...Array.from({ length: 16 }, () => -3),
    // Far beyond the horizon: an empty road, long enough for a refused car to back out of the lane before the next one comes.
    ...Array.from({ length: 120 }, () => -400),
  ];
  const pictures = join(directory, 'pictures');
  execFileSync('mkdir', ['-p', pictures]);
  const { text } = parsePlate(plate);
  for (const [at, { jpeg }] of (await renderApproach({ plate: { text, colour: 'blue', rows: 1, type: 'small-car' }, fronts })).entries()) {
    writeFileSync(join(pictures, `${String(at).padStart(4, '0')}.jpg`), jpeg);
  }
  const path = join(directory, 'approach.mp4');
  execFileSync('ffmpeg', ['-v', 'error', '-y', '-framerate', String(framesPerSecond), '-i', join(pictures, '%04d.jpg'), '-c:v', 'libx264', '-preset', 'veryfast', '-crf', '20', '-g', '8', '-bf', '0', '-pix_fmt', 'yuv420p', path]);
  rmSync(pictures, { recursive: true });
  return path;
}

export interface Estate {
  readonly gate: Gate;
  readonly platform: ReferencePlatform;
  /** Everything on record so far, oldest first. */
  events(): readonly StoredEvent[];
  stop(): Promise<void>;
}

/** One entry lane in a simulated street, watched by a real camera; the loops follow the vehicle that is seen. */
export async function videoEstate(options: { readonly source: object; readonly password?: string; readonly residents: readonly string[] }): Promise<Estate> {
  const dataDirectory = freshDirectory();
  const line = (name: string): object => ({ device: 'world', line: `entry.${name}` });
  const config = configSchema.parse({
    site: { id: 'laurel', name: 'laurel' },
    gate: { id: 'test', name: 'test', dataDirectory },
    devices: [{ id: 'world', driver: 'sim', scenario: 'video' }],
    cameras: [{ id: 'camera', source: options.source }],
    lanes: [
      {
        id: 'entry',
        name: 'entry',
        direction: 'entry',
        camera: 'camera',
        barrier: { closing: 'gateway-closes', open: line('open'), close: line('close'), openTimeMs: 1_400, closeTimeMs: 1_600 },
        inputs: Object.fromEntries(['approach', 'closing', 'beam', 'openLimit', 'closedLimit'].map((name) => [name, line(name)])),
      },
    ],
    access: { households: options.residents.length === 0 ? [] : [{ id: 'h1', name: '王家', spaces: 9, plates: options.residents }] },
    web: { port: 0 },
  });
  let platform: ReferencePlatform | undefined;
  const events: StoredEvent[] = [];
  const gate = new Gate({
    config,
    secrets: { cameraPasswords: new Map(options.password === undefined ? [] : [['camera', options.password]]), uplink: {} },
    clock: systemClock,
    log: silentLog,
    version: 'test',
    random: Math.random,
    printCode: () => undefined,
    hooks: {
      onBroker: async (url) => {
        platform = new ReferencePlatform({ url, log: silentLog, protocol: '3.1.1' });
        await platform.start();
      },
    },
  });
  gate.journal.onStored((stored) => events.push(...stored));
  await gate.start();
  if (platform === undefined) throw new Error('the embedded broker did not come up');
  const running = platform;
  return {
    gate,
    platform: running,
    events: () => events,
    stop: async () => {
      await running.stop();
      await gate.stop('test ended');
      rmSync(dataDirectory, { recursive: true, force: true });
    },
  };
}

/** The vision process of this test, found among the children of this process. */
export function visionPid(): number | undefined {
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/u.test(name)) continue;
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8');
      if (new RegExp(`^PPid:\\s+${process.pid}$`, 'mu').test(status) && /laurel-vision|vision\/process/u.test(command)) return Number(name);
    } catch {
      // gone while we looked
    }
  }
  return undefined;
}
