import type { CameraConfig } from '../config/index.js';

type ConfiguredSource = CameraConfig['source'];
type RtspSource = Extract<ConfiguredSource, { kind: 'rtsp' }>;

/**
 * A camera's source with its password in hand: only ever kept in memory, never in an argument list or a log. A simulated
 * camera is given as the http address at which it is served.
 */
export type ResolvedSource = (Omit<RtspSource, 'password'> & { password?: string | undefined }) | Exclude<ConfiguredSource, { kind: 'rtsp' | 'sim' }>;

/** A camera of the configuration whose secrets have been read. */
export type ResolvedCamera = Omit<CameraConfig, 'source'> & { source: ResolvedSource };

/**
 * What a source is doing. `lost` covers the attempts to come back; `ended`: a file or directory was played to its end.
 */
export type SourceState = 'connecting' | 'live' | 'lost' | 'ended';

export interface SourceChange {
  readonly state: SourceState;
  /** For a technician: what is wrong and what to do. Never holds a password. */
  readonly detail?: string;
}

/** Pixels of one picture in a buffer that is used again: hold it with `retain`, give it back with `release`. */
export interface Frame {
  /** RGB, 8 bits each, rows from the top without padding; `width * height * 3` bytes. */
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  /** When it was taken, monotonic ms of this process's clock: when its last byte arrived, less what the stream's own times say that it came late. */
  readonly atMs: number;
  /** Counts the source's pictures from 1. */
  readonly sequence: number;
  retain(): void;
  release(): void;
}

/**
 * A source of pictures for live use: keeps the newest one only, so whoever is slow sees fewer pictures and never old
 * ones.
 */
export interface FrameSource {
  start(): void;
  /** Ends it and its ffmpeg; resolves when that is gone. */
  stop(): Promise<void>;
  state(): SourceState;
  onState(listener: (change: SourceChange) => void): () => void;
  /** Called when a picture arrived; it may be gone again by the time `newest` is called. */
  onFrame(listener: () => void): () => void;
  /** The newest picture, retained for the caller, who must release it; undefined before the first. */
  newest(): Frame | undefined;
}
