import { spawn, type ChildProcess } from 'node:child_process';
import { Readable } from 'node:stream';
import { GateError, errorText, type Clock, type Log, type Timer } from '../base/index.js';
import { liveCommand, sizeChanged } from './ffmpeg-command.js';
import { explain, redact } from './ffmpeg-words.js';
import { exifTime } from './exif-time.js';
import { FramePool } from './frame-pool.js';
import { NewestFrame } from './newest-frame.js';
import { MotionJpeg } from './motion-jpeg.js';
import type { PicturePipe } from './picture-pipe.js';
import { PictureTimes } from './picture-times.js';
import { PpmParser } from './ppm-parser.js';
import { StreamLag } from './stream-lag.js';
import type { Frame, FrameSource, ResolvedCamera, SourceChange, SourceState } from './types.js';

/** No picture for this long: the camera counts as lost and ffmpeg is started anew. Exit codes tell nothing. */
const stallMs = 5_000;
/** The first picture may take longer: sign-in, and the wait for a key frame. */
const firstFrameMs = 12_000;
const firstBackOffMs = 500;
const longestBackOffMs = 30_000;
/** A connection that lived this long was good; the next one is tried without delay. */
const goodAfterMs = 10_000;
/** Pictures that are later than this show who has driven on meanwhile. */
const lateMs = 3_000;
/** A decoder that has not caught up after this does not: it is started anew, at the live picture. */
const catchUpMs = 3_000;

export interface FfmpegSourceOptions {
  readonly camera: ResolvedCamera;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 to 1, for the jitter of the back-off. */
  readonly random: () => number;
  /** Program to run, `ffmpeg` on the path where omitted. */
  readonly ffmpeg?: string;
}

/** A network camera or a video file, read through an ffmpeg that is watched and started anew whenever it must be. */
export class FfmpegSource implements FrameSource {
  readonly #options: FfmpegSourceOptions;
  readonly #face: NewestFrame;
  readonly #pictures: PicturePipe;
  #child: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();
  #running = false;
  #watch: Timer | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  #startedMs = 0;
  #lastFrameMs: number | undefined;
  #times = new PictureTimes();
  #lag = new StreamLag();
  /** PPM pictures since ffmpeg started, and how late the last picture was whose time is known. */
  #count = 0;
  #behindMs = 0;
  #lateSinceMs: number | undefined;
  #words: string[] = [];
  #because: string | undefined;

  constructor(options: FfmpegSourceOptions) {
    this.#options = options;
    this.#face = new NewestFrame(options.log);
    const { camera, clock, log } = options;
    const now = (): number => clock.monoMs();
    const onFrame = (frame: Frame): void => this.#take(frame);
    const onUnreadable = (reason: string): void => log.debug({ camera: camera.id, reason }, 'camera: a picture cannot be decoded and is left out');
    this.#pictures = camera.source.kind === 'http' ? new MotionJpeg({ framesPerSecond: camera.framesPerSecond, pool: new FramePool(), now, takenAt: (jpeg) => this.#takenAt(exifTime(jpeg)), onFrame, onUnreadable }) : new PpmParser(onFrame, () => this.#takenAt(this.#times.take(this.#count++)), new FramePool());
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#face.change('connecting');
    this.#launch();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#retry?.cancel();
    this.#watch?.cancel();
    this.#child?.kill('SIGKILL');
    await this.#gone;
    this.#pictures.reset();
    this.#face.drop();
  }

  state(): SourceState {
    return this.#face.state();
  }

  onState(listener: (change: SourceChange) => void): () => void {
    return this.#face.onState(listener);
  }

  onFrame(listener: () => void): () => void {
    return this.#face.onFrame(listener);
  }

  newest(): Frame | undefined {
    return this.#face.newest();
  }

  /** Process id of the running ffmpeg, for a diagnosis. */
  pid(): number | undefined {
    return this.#child?.pid;
  }

  #launch(): void {
    const { camera, clock, log, ffmpeg } = this.#options;
    const { args, stdin } = liveCommand(camera.source, camera.framesPerSecond);
    this.#words = [];
    this.#because = undefined;
    this.#lastFrameMs = undefined;
    this.#times = new PictureTimes();
    this.#lag = new StreamLag();
    this.#count = 0;
    this.#behindMs = 0;
    this.#lateSinceMs = undefined;
    this.#startedMs = clock.monoMs();
    const child = spawn(ffmpeg ?? 'ffmpeg', args, { stdio: ['pipe', 'pipe', 'pipe', 'pipe'] });
    this.#child = child;
    log.debug({ camera: camera.id, pid: child.pid }, 'camera: ffmpeg started');
    // an ffmpeg that dies before it has read its script must not take this process with it
    child.stdin.on('error', () => undefined);
    child.stdin.end(stdin ?? '');
    child.stdout.on('data', (chunk: Buffer) => this.#bytesArrived(child, chunk));
    const told = child.stdio[3];
    if (told instanceof Readable) {
      const times = this.#times;
      told.setEncoding('utf8');
      told.on('data', (text: string) => times.push(text));
      told.on('error', () => undefined);
    }
    let rest = '';
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text: string) => {
      const lines = (rest + text).split(/[\r\n]+/u);
      rest = lines.pop() ?? '';
      for (const line of lines) this.#said(line);
    });
    this.#gone = new Promise((resolve) => {
      let settled = false;
      const end = (code: number | null, error?: Error): void => {
        if (settled) return;
        settled = true;
        if (rest !== '') this.#said(rest);
        this.#ended(child, code, error);
        resolve();
      };
      child.once('error', (error) => end(null, error));
      // `close` and not `exit`: the last picture may still be in the pipe
      child.once('close', (code) => end(code));
    });
    this.#lookAgain();
  }

  #bytesArrived(child: ChildProcess, chunk: Buffer): void {
    if (child !== this.#child || !this.#running) return;
    try {
      this.#pictures.push(chunk);
    } catch (error) {
      this.#end(errorText(error));
    }
  }

  /**
   * When the picture was taken that has just arrived.
   * @param streamMs its own time, where it has one and that is known already
   */
  #takenAt(streamMs: number | undefined): number {
    const nowMs = this.#options.clock.monoMs();
    // a stream does not fall behind from one picture to the next
    if (streamMs !== undefined) this.#behindMs = this.#lag.take(nowMs, streamMs);
    const settled = this.#lag.settled(nowMs) || this.#options.camera.source.kind === 'file';
    this.#noteLateness(nowMs);
    // not before it was asked for, which is all that is known of the first ones
    return settled ? nowMs - this.#behindMs : this.#startedMs;
  }

  #noteLateness(nowMs: number): void {
    if (this.#behindMs < lateMs) this.#lateSinceMs = undefined;
    else this.#lateSinceMs ??= nowMs;
    // motion JPEG is never behind for lack of decoding
    if (this.#options.camera.source.kind !== 'rtsp' || this.#lateSinceMs === undefined || nowMs < this.#lateSinceMs + catchUpMs || this.#because !== undefined) return;
    this.#end(`its pictures come ${(this.#behindMs / 1_000).toFixed(1)} s late, because this box is too busy to decode them; choose a smaller stream of the camera, or relieve the box`);
  }

  #take(frame: Frame): void {
    this.#lastFrameMs = this.#options.clock.monoMs();
    this.#face.change('live');
    this.#face.put(frame);
  }

  #said(line: string): void {
    if (sizeChanged(line)) {
      if (this.#because === undefined) this.#end('the camera changed its picture size');
      return;
    }
    // repeated on every picture of a motion JPEG camera, and harmless
    if (line.trim() === '' || line.includes('deprecated pixel format')) return;
    this.#options.log.debug({ camera: this.#options.camera.id, ffmpeg: redact(line) }, 'camera: ffmpeg says');
    this.#words.push(line.trim());
    if (this.#words.length > 4) this.#words.shift();
  }

  /** Looks whether pictures still arrive, at the time at which they would be missed. */
  #lookAgain(): void {
    const { clock } = this.#options;
    const dueMs = this.#lastFrameMs === undefined ? this.#startedMs + firstFrameMs : this.#lastFrameMs + stallMs;
    this.#watch?.cancel();
    this.#watch = clock.after(Math.max(10, dueMs - clock.monoMs()), () => {
      const last = this.#lastFrameMs;
      const missing = last === undefined ? clock.monoMs() - this.#startedMs >= firstFrameMs : clock.monoMs() - last >= stallMs;
      if (missing) {
        this.#end(last === undefined ? 'the camera connects but sends no picture' : `no picture for ${stallMs / 1_000} s; check cable and power of the camera`);
      } else {
        this.#lookAgain();
      }
    });
  }

  /** Ends the running ffmpeg; what follows is decided when it is gone. */
  #end(because: string): void {
    this.#because = because;
    this.#child?.kill('SIGKILL');
  }

  #ended(child: ChildProcess, code: number | null, error?: Error): void {
    if (child !== this.#child) return;
    this.#child = undefined;
    this.#watch?.cancel();
    this.#pictures.reset();
    if (!this.#running) return;
    const { camera, clock, log, random } = this.#options;
    const hadFrames = this.#lastFrameMs !== undefined;
    if (camera.source.kind === 'file' && !camera.source.loop && code === 0 && hadFrames) {
      this.#face.change('ended');
      return;
    }
    if (hadFrames && clock.monoMs() - this.#startedMs >= goodAfterMs) this.#failures = 0;
    const detail = redact(this.#detail(code, error));
    const ceiling = Math.min(longestBackOffMs, firstBackOffMs * 2 ** this.#failures);
    const waitMs = Math.round(ceiling * (0.5 + 0.5 * random()));
    this.#failures = Math.min(this.#failures + 1, 10);
    log.warn({ camera: camera.id, detail, retryMs: waitMs }, 'camera: no pictures; trying again');
    this.#face.change('lost', detail);
    this.#retry = clock.after(waitMs, () => {
      if (this.#running) this.#launch();
    });
  }

  #detail(code: number | null, error: Error | undefined): string {
    if (error !== undefined && 'code' in error && error.code === 'ENOENT') {
      return new GateError('FFMPEG_MISSING', 'The program ffmpeg is not installed, so no camera can be read; install it (apt install ffmpeg).').message;
    }
    if (error !== undefined) return new GateError('CAMERA_LOST', `ffmpeg cannot be started: ${error.message}`).message;
    const words = explain(this.#words);
    const why = this.#because ?? words ?? (code === 0 ? 'the camera ended the stream' : `ffmpeg ended with status ${String(code)}`);
    return new GateError('CAMERA_LOST', why).message;
  }
}
