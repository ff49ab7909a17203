import type { LaneId } from '../base/index.js';
import type { ResolvedCamera } from '../camera/index.js';
import type { CameraState, Photograph, TrackReport } from './types.js';

/** A lane and the camera that looks at it. */
export interface LaneCamera {
  readonly lane: LaneId;
  readonly camera: ResolvedCamera;
}

export type ToVision =
  | { readonly type: 'start'; readonly cameras: readonly LaneCamera[]; readonly directories: readonly string[]; readonly lastGood?: string; readonly threads: number; readonly run: string }
  | { readonly type: 'photograph'; readonly id: number; readonly lane: LaneId }
  | { readonly type: 'stop' };

/** Times are CLOCK_MONOTONIC ms (`machineMs`), which every process of the machine shares; each process's own clock starts elsewhere. */
export type FromVision =
  | { readonly type: 'ready'; readonly directory: string; readonly version: string; readonly refused: readonly string[] }
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'track'; readonly report: TrackReport }
  | { readonly type: 'camera'; readonly lane: LaneId; readonly camera: string; readonly state: CameraState; readonly detail?: string }
  | { readonly type: 'beat'; readonly cameras: readonly CameraBeat[]; readonly memoryMB: number }
  | { readonly type: 'photograph'; readonly id: number; readonly photograph?: Photograph }
  | { readonly type: 'log'; readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly facts: object; readonly message: string };

export interface CameraBeat {
  readonly lane: LaneId;
  readonly camera: string;
  readonly state: CameraState;
  readonly framesPerSecond: number;
  readonly lastFrameAgeMs: number | null;
}

const toVision: readonly string[] = ['start', 'photograph', 'stop'] satisfies readonly ToVision['type'][];
const fromVision: readonly string[] = ['ready', 'refused', 'track', 'camera', 'beat', 'photograph', 'log'] satisfies readonly FromVision['type'][];

const hasType = (message: unknown, types: readonly string[]): boolean =>
  typeof message === 'object' && message !== null && 'type' in message && typeof message.type === 'string' && types.includes(message.type);

/** Both ends are of one build and the channel is private, so the type's name is all there is to check. */
export const isToVision = (message: unknown): message is ToVision => hasType(message, toVision);
export const isFromVision = (message: unknown): message is FromVision => hasType(message, fromVision);

/** CLOCK_MONOTONIC in ms: the same in every process of the machine, untouched by corrections of the wall clock. */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
