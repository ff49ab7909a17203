import { spawn } from 'node:child_process';
import { GateError } from '../base/index.js';
import { fileCommand } from './ffmpeg-command.js';
import { explain } from './ffmpeg-words.js';
import { FramePool } from './frame-pool.js';
import { PpmParser } from './ppm-parser.js';
import type { Frame } from './types.js';

export interface VideoFrame {
  readonly frame: Frame;
  /** Place in the video, ms, from the picture's number and the rate asked for. */
  readonly videoMs: number;
}

export interface VideoFileOptions {
  readonly framesPerSecond: number;
  readonly ffmpeg?: string;
}

/**
 * Every picture of a video file, thinned to `framesPerSecond` and scaled to at most 1280 on the long side, as fast as
 * the caller takes them: none is dropped. A frame is valid until the next is asked for.
 *
 * Throws `FFMPEG_MISSING`, and `PICTURE_UNREADABLE` where the file gives no picture at all.
 */
export async function* readVideoFile(path: string, options: VideoFileOptions): AsyncGenerator<VideoFrame> {
  const child = spawn(options.ffmpeg ?? 'ffmpeg', fileCommand(path, options.framesPerSecond).args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const words: string[] = [];
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text: string) => {
    words.push(...text.split(/[\r\n]+/u).filter((line) => line.trim() !== '' && !line.includes('deprecated pixel format')));
    words.splice(0, words.length - 4);
  });
  const gone = new Promise<{ code: number | null; error?: Error }>((resolve) => {
    child.once('error', (error) => resolve({ code: null, error }));
    child.once('close', (code) => resolve({ code }));
  });
  const ready: Frame[] = [];
  // a chunk of the pipe can hold several small pictures
  const parser = new PpmParser((frame) => void ready.push(frame), () => 0, new FramePool(1_000));
  let count = 0;
  try {
    for await (const chunk of child.stdout.iterator({ destroyOnReturn: true })) {
      if (!(chunk instanceof Uint8Array)) continue;
      parser.push(chunk);
      for (let frame = ready.shift(); frame !== undefined; frame = ready.shift()) {
        try {
          yield { frame, videoMs: (count * 1_000) / options.framesPerSecond };
        } finally {
          frame.release();
        }
        count += 1;
      }
    }
    const end = await gone;
    if (end.error !== undefined && 'code' in end.error && end.error.code === 'ENOENT') {
      throw new GateError('FFMPEG_MISSING', 'The program ffmpeg is not installed, so no video can be read; install it (apt install ffmpeg).');
    }
    if (count === 0) {
      throw new GateError('PICTURE_UNREADABLE', explain(words) ?? `the video gives no picture (ffmpeg status ${String(end.code)})`, { file: path });
    }
  } finally {
    child.kill('SIGKILL');
    await gone;
  }
}
