import type { Clock, Log } from '../base/index.js';
import { FfmpegSource } from './ffmpeg-source.js';
import { DirectorySource } from './stills-source.js';
import type { FrameSource, ResolvedCamera } from './types.js';

export interface OpenOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
  readonly ffmpeg?: string;
}

/** The source for a camera of the configuration; nothing happens before its `start`. */
export function openCamera(camera: ResolvedCamera, options: OpenOptions): FrameSource {
  switch (camera.source.kind) {
    case 'rtsp':
    case 'http':
    case 'file':
      return new FfmpegSource({ camera, ...options });
    case 'directory':
      return new DirectorySource({ camera, clock: options.clock, log: options.log });
  }
}
