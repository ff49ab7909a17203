import type { LaneId, Point, Quad } from '../base/index.js';
import type { PlateRead } from '../plate/index.js';

/** A plate found in one picture, in pixels of that picture. */
export interface FoundPlate {
  readonly read: PlateRead;
  readonly corners: Quad;
  /** Detector's own score, 0 to 1. */
  readonly score: number;
}

export type CameraState = 'connecting' | 'live' | 'lost' | 'ended';

/** What vision knows of one plate followed through the pictures of one lane's camera. */
export interface TrackReport {
  readonly lane: LaneId;
  /** Unique while the vision process lives; one vehicle, one track. */
  readonly track: string;
  /** The vote over all reads so far; undefined while nothing readable was seen. */
  readonly vote?: PlateRead;
  /** How many reads the vote rests on. */
  readonly reads: number;
  /** The vote would not change whatever the next pictures say: may be decided at once. */
  readonly decisive: boolean;
  /** The plate has stood still in the picture for long: a parked car, not a guest. */
  readonly stationary: boolean;
  /** Growing (towards the camera), shrinking or neither. */
  readonly motion: 'approaching' | 'leaving' | 'still';
  /** Corners in the newest picture, 0 to 1 of its width and height. */
  readonly corners: Quad;
  /** When the newest picture was taken, monotonic ms on the main process's clock. */
  readonly seenAtMs: number;
  /** The same of the newest picture in which the text of the vote itself was read; absent where none showed it whole. */
  readonly readAtMs?: number;
  /** True once: the plate left the picture. */
  readonly ended: boolean;
}

export interface Photograph {
  readonly lane: LaneId;
  readonly takenAtMs: number;
  readonly width: number;
  readonly height: number;
  readonly frameJpeg: Uint8Array;
  /** The straightened plate, where one was in the picture. */
  readonly plateJpeg?: Uint8Array;
  readonly plates: readonly { readonly text: string; readonly confidence: number; readonly corners: readonly Point[] }[];
}

export interface VisionHealth {
  readonly state: 'starting' | 'ok' | 'down' | 'stopped';
  readonly restarts: number;
  readonly cameras: readonly { readonly lane: LaneId; readonly camera: string; readonly state: CameraState; readonly framesPerSecond: number; readonly lastFrameAgeMs: number | null }[];
  readonly detail?: string;
}

/** A report with its times moved to another clock. */
export function onClock(report: TrackReport, toMs: (ms: number) => number): TrackReport {
  const { readAtMs } = report;
  return { ...report, seenAtMs: toMs(report.seenAtMs), ...(readAtMs === undefined ? {} : { readAtMs: toMs(readAtMs) }) };
}

/** What the main process sees of the vision process; the process behind it may die and come back. */
export interface Vision {
  start(): Promise<void>;
  stop(): Promise<void>;
  onTrack(listener: (track: TrackReport) => void): () => void;
  onCamera(listener: (camera: { readonly lane: LaneId; readonly camera: string; readonly state: CameraState; readonly detail?: string }) => void): () => void;
  onHealth(listener: (health: VisionHealth) => void): () => void;
  health(): VisionHealth;
  /** The newest picture of a lane; undefined when there is none fresh enough (2 s) or vision is down. */
  photograph(lane: LaneId): Promise<Photograph | undefined>;
}
