export { openCamera, type OpenOptions } from './open.js';
export { FfmpegSource, type FfmpegSourceOptions } from './ffmpeg-source.js';
export { readVideoFile, type VideoFileOptions, type VideoFrame } from './video-file.js';
export { FramePool } from './frame-pool.js';
export { Listeners } from './listeners.js';
export { redact } from './ffmpeg-words.js';
export type { Frame, FrameSource, ResolvedCamera, ResolvedSource, SourceChange, SourceState } from './types.js';
