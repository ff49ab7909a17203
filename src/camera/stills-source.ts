import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { GateError, errorText, type Clock, type Log, type Timer } from '../base/index.js';
import { decodeInto } from './decode-jpeg.js';
import { FramePool } from './frame-pool.js';
import { NewestFrame } from './newest-frame.js';
import type { Frame, FrameSource, ResolvedCamera, SourceChange, SourceState } from './types.js';

const pictureEndings = new Set(['.jpg', '.jpeg', '.png', '.webp']);

interface StillsOptions {
  readonly camera: ResolvedCamera;
  readonly clock: Clock;
  readonly log: Log;
}

/** The pictures of a directory in the order of their names, one each 1/framesPerSecond; then `ended`. */
export class DirectorySource implements FrameSource {
  readonly #options: StillsOptions;
  readonly #face: NewestFrame;
  readonly #pool = new FramePool();
  #running = false;
  #timer: Timer | undefined;
  #sequence = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: StillsOptions) {
    this.#options = options;
    this.#face = new NewestFrame(options.log);
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#face.change('connecting');
    this.#turn = this.#list();
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#timer?.cancel();
    await this.#turn;
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

  async #list(): Promise<void> {
    const { source } = this.#options.camera;
    const directory = source.kind === 'directory' ? source.path : '';
    try {
      const names = (await readdir(directory)).filter((name) => pictureEndings.has(extname(name).toLowerCase())).sort();
      if (names.length === 0) throw new GateError('CAMERA_SOURCE_INVALID', `The directory ${directory} holds no .jpg, .png or .webp pictures.`);
      this.#next(names.map((name) => join(directory, name)), 0, this.#options.clock.monoMs());
    } catch (error) {
      this.#face.change('lost', errorText(error));
    }
  }

  #next(files: readonly string[], index: number, dueMs: number): void {
    if (!this.#running) return;
    const { clock, camera } = this.#options;
    const file = files[index];
    if (file === undefined) {
      this.#face.change('ended');
      return;
    }
    this.#timer = clock.after(Math.max(0, dueMs - clock.monoMs()), () => {
      this.#turn = this.#show(file).then(() => this.#next(files, index + 1, dueMs + 1_000 / camera.framesPerSecond));
    });
  }

  async #show(file: string): Promise<void> {
    const { clock, log, camera } = this.#options;
    try {
      const bytes = await readFile(file);
      this.#sequence += 1;
      const frame = await decodeInto(this.#pool, bytes, clock.monoMs(), this.#sequence);
      if (frame === undefined) return;
      if (!this.#running) {
        frame.release();
        return;
      }
      this.#face.change('live');
      this.#face.put(frame);
    } catch (error) {
      log.warn({ camera: camera.id, file, error: errorText(error) }, 'camera: a picture cannot be read and is left out');
    }
  }
}
