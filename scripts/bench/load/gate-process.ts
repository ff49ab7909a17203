/**
 * The gate under measurement, in a process of its own as in production. Beside the gate it holds only the vehicles of the
 * simulated lanes and a probe of its event loop. Argument: the site as JSON.
 */
import { z } from 'zod';
import { silentLog } from '../../../src/base/index.js';
import { systemClock } from '../../../src/base/system-clock.js';
import { Gate, packageVersion } from '../../../src/daemon/index.js';
import { prepareSystemPrograms } from '../../../src/ops/index.js';
import type { Vehicle } from '../../../src/sim/vehicle.js';
import { parsePlate } from '../../../src/plate/index.js';
import { VisionClient, type TrackReport, type Vision, type VisionOptions } from '../../../src/vision/index.js';
import { benchConfig, lanes } from './config.js';
import { LoopProbe } from './probe.js';

const siteSchema = z.object({ dataDirectory: z.string(), port: z.string(), brokerUrl: z.string(), cameraUrl: z.string(), plates: z.array(z.string()) });
const orderSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('see'), lane: z.string(), plate: z.string(), ended: z.boolean() }),
  z.object({ kind: z.literal('place'), lane: z.string(), frontM: z.number().nullable() }),
  z.object({ kind: z.literal('probe') }),
  z.object({ kind: z.literal('report') }),
]);

/** The vision process, with reads of plates that no camera had to see added to what it says. */
class VisionWithGuests implements Vision {
  readonly #vision: VisionClient;
  readonly #listeners = new Set<(track: TrackReport) => void>();

  constructor(options: VisionOptions) {
    this.#vision = new VisionClient(options);
  }

  see(track: TrackReport): void {
    for (const listener of this.#listeners) listener(track);
  }

  start = (): Promise<void> => this.#vision.start();
  stop = (): Promise<void> => this.#vision.stop();
  onCamera: Vision['onCamera'] = (listener) => this.#vision.onCamera(listener);
  onHealth: Vision['onHealth'] = (listener) => this.#vision.onHealth(listener);
  health: Vision['health'] = () => this.#vision.health();
  photograph: Vision['photograph'] = (lane) => this.#vision.photograph(lane);

  onTrack(listener: (track: TrackReport) => void): () => void {
    this.#listeners.add(listener);
    const off = this.#vision.onTrack(listener);
    return () => {
      this.#listeners.delete(listener);
      off();
    };
  }
}

prepareSystemPrograms();
const tell = (message: object): void => void process.send?.(message);
let vision: VisionWithGuests | undefined;
let code = '';
let seen = 0;
const gate = new Gate({
  config: benchConfig(siteSchema.parse(JSON.parse(process.argv[2] ?? '{}'))),
  secrets: { cameraPasswords: new Map(), uplink: {} },
  clock: systemClock,
  log: silentLog,
  version: packageVersion(),
  random: Math.random,
  printCode: (text) => (code = text),
  createVision: (options) => (vision = new VisionWithGuests(options)),
});
gate.journal.onStored((events) => {
  for (const { type, lane } of events) if (type === 'passage.ended' && lane !== null) tell({ kind: 'ended', lane });
});

const world = gate.site?.world;
const vehicles = new Map<string, Vehicle>();
/** When the world moved last, before the step under way. */
let steppedMs = 0;
let stepsAtMs = 0;
world?.onStep(() => {
  const nowMs = systemClock.monoMs();
  // Steps that make up for a stall come in one breath and count as one.
  if (nowMs - stepsAtMs > 2) steppedMs = stepsAtMs;
  stepsAtMs = nowMs;
});
for (const { id, hardware } of lanes) {
  if (hardware !== 'simulated' || world === undefined) continue;
  const lane = world.lane(id);
  let edgeMs: number | undefined;
  let contactMs: number | undefined;
  // The gate may close the contact while it is told of the edge, before or after this probe is.
  const measure = (): void => {
    if (edgeMs === undefined || contactMs === undefined) return;
    tell({ kind: 'opened', lane: id, ms: Math.max(0, contactMs - edgeMs) });
    edgeMs = undefined;
    contactMs = undefined;
  };
  lane.sensors.approach.onReport((state) => {
    if (state !== 'on') {
      contactMs = undefined;
      return;
    }
    // The world shares this loop: where it stalls, the edge was due at the world's next step, not when it could be told.
    edgeMs = Math.min(systemClock.monoMs(), steppedMs + 10);
    measure();
  });
  lane.onContact((name, energised) => {
    if (name !== 'open' || !energised) return;
    contactMs = systemClock.monoMs();
    measure();
  });
}

function place(id: string, frontM: number | null): void {
  if (world === undefined) return;
  const known = vehicles.get(id);
  if (frontM === null) {
    if (known !== undefined) known.done = true;
    vehicles.delete(id);
    return;
  }
  const vehicle = known ?? world.arrive(id, { kind: 'car', tag: 'shadow', intention: { kind: 'shadow' } });
  vehicle.velocity = 0;
  vehicle.front = frontM;
  vehicles.set(id, vehicle);
}

function see(lane: string, plate: string, ended: boolean): void {
  if (!ended) seen += 1;
  const { text } = parsePlate(plate);
  vision?.see({
    lane,
    track: `${lane} ${String(seen)}`,
    vote: { text, confidence: 0.999, characters: Array.from(plate, () => 0.999), colour: 'blue', rows: 1 },
    reads: 6,
    decisive: true,
    stationary: false,
    motion: 'approaching',
    corners: [
      [0.4, 0.6],
      [0.6, 0.6],
      [0.6, 0.65],
      [0.4, 0.65],
    ],
    seenAtMs: systemClock.monoMs(),
    readAtMs: systemClock.monoMs(),
    ended,
  });
}

let probe: LoopProbe | undefined;
process.on('message', (message: unknown) => {
  const order = orderSchema.parse(message);
  switch (order.kind) {
    case 'see':
      see(order.lane, order.plate, order.ended);
      return;
    case 'place':
      place(order.lane, order.frontM);
      return;
    case 'probe':
      probe = new LoopProbe();
      probe.start();
      return;
    case 'report':
      void gate.status().then((status) => tell({ kind: 'report', delay: probe?.stop(), status }));
  }
});
process.once('disconnect', () => void gate.stop('bench ended').finally(() => process.exit(0)));
await gate.start();
tell({ kind: 'ready', url: gate.webUrl, code });
