import { configSchema, type GateConfig } from '../../../src/config/index.js';

export const siteId = 'bench';
export const gateId = 'bench';
export const pollMs = 20;
export const wireBaud = 9_600;

/** A lane that is measured: on which hardware, and whether a camera looks at it. */
export interface BenchLane {
  readonly id: string;
  readonly hardware: 'simulated' | 'modbus';
  /** Cold lanes are watched by a camera; in warm ones the read is there before the vehicle. */
  readonly kind: 'warm' | 'cold';
}

export const lanes: readonly BenchLane[] = [
  { id: 'sim-cold', hardware: 'simulated', kind: 'cold' },
  { id: 'bus-cold', hardware: 'modbus', kind: 'cold' },
  { id: 'sim-warm', hardware: 'simulated', kind: 'warm' },
  { id: 'sim-warm-2', hardware: 'simulated', kind: 'warm' },
  { id: 'bus-warm', hardware: 'modbus', kind: 'warm' },
  { id: 'bus-warm-2', hardware: 'modbus', kind: 'warm' },
];

/** Where a lane is wired on the relay board: relay, approach and closing input. */
export function boardLines(lane: BenchLane): { readonly relay: number; readonly approach: number; readonly closing: number } {
  const at = lanes.filter(({ hardware }) => hardware === 'modbus').indexOf(lane);
  return { relay: at, approach: 2 * at, closing: 2 * at + 1 };
}

export interface BenchSite {
  readonly dataDirectory: string;
  readonly port: string;
  readonly brokerUrl: string;
  readonly cameraUrl: string;
  readonly plates: readonly string[];
}

/** A gate of six lanes: three simulated, three on one relay board; one of each is watched by a camera. */
export function benchConfig(site: BenchSite): GateConfig {
  return configSchema.parse({
    site: { id: siteId, name: 'bench' },
    gate: { id: gateId, name: 'bench', dataDirectory: site.dataDirectory },
    devices: [
      { id: 'world', driver: 'sim' },
      { id: 'board', driver: 'modbus', path: site.port, baudRate: wireBaud, pollMs, units: [{ unit: 1, profile: 'waveshare-relay' }] },
    ],
    cameras: lanes.filter(({ kind }) => kind === 'cold').map(({ id }) => ({ id, source: { kind: 'http', url: `${site.cameraUrl}/${id}` } })),
    lanes: lanes.map((lane) => {
      const board = boardLines(lane);
      const onBoard = (line: number): object => ({ device: 'board', unit: 1, line });
      const simulated = (name: string): object => ({ device: 'world', line: `${lane.id}.${name}` });
      const bus = lane.hardware === 'modbus';
      return {
        id: lane.id,
        name: lane.id,
        direction: 'entry',
        ...(lane.kind === 'cold' ? { camera: lane.id } : {}),
        barrier: { closing: 'barrier-closes', open: bus ? onBoard(board.relay) : simulated('open'), openTimeMs: 500, closeTimeMs: 500, deadTimeMs: 0, pulseMs: 400 },
        inputs: { approach: bus ? onBoard(board.approach) : simulated('approach'), closing: bus ? onBoard(board.closing) : simulated('closing') },
        readTimeoutMs: 10_000,
      };
    }),
    access: { spaces: 100_000, households: site.plates.map((plate, at) => ({ id: `h${String(at)}`, spaces: 20, plates: [plate] })) },
    uplink: { broker: { url: site.brokerUrl } },
    web: { port: 0 },
  });
}
