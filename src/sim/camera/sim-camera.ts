import { fork, type ChildProcess } from 'node:child_process';
import { GateError, silentLog, type Clock, type LaneId, type Log, type Timer } from '../../base/index.js';
import { entryBeside } from '../../base/entry.js';
import { fromCameraSchema, type ToCamera } from './messages.js';
import type { Scene } from './scene.js';

export interface SimCameraOptions {
  readonly clock: Clock;
  readonly log?: Log;
  readonly framesPerSecond?: number;
}

const startTimeoutMs = 20_000;
const snapshotPeriodMs = 75;

/** The simulated cameras: a process of their own that draws, so that drawing never stalls the barrier. */
export class SimCamera {
  readonly #options: SimCameraOptions;
  #child: ChildProcess | undefined;
  #port: number | undefined;
  #feed: Timer | undefined;

  constructor(options: SimCameraOptions) {
    this.#options = options;
  }

  /** Process id while it runs, for those who measure. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the process. Rejects with `CAMERA_LOST` when it does not come up. */
  async start(): Promise<{ readonly url: (lane: LaneId) => string }> {
    const entry = entryBeside(import.meta.url, './camera-process');
    const child = fork(entry.path, [], {
      execArgv: [...entry.execArgv],
      env: { ...process.env, LAUREL_SIM_FPS: String(this.#options.framesPerSecond ?? 8), UV_THREADPOOL_SIZE: '2' },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child = child;
    const port = await new Promise<number>((resolve, reject) => {
      const failed = (detail: string): void => {
        timer.cancel();
        child.kill('SIGKILL');
        reject(new GateError('CAMERA_LOST', `the simulated camera did not start: ${detail}; run it again with more logging`, { detail }));
      };
      const timer = this.#options.clock.after(startTimeoutMs, () => failed(`no answer within ${String(startTimeoutMs / 1000)} s`));
      child.once('error', (error) => failed(error.message));
      child.once('exit', (code, signal) => failed(`it ended with ${signal ?? `status ${String(code)}`}`));
      child.on('message', (raw) => {
        const message = fromCameraSchema.safeParse(raw);
        if (!message.success) return;
        if (message.data.kind === 'failed') failed(message.data.detail);
        else {
          timer.cancel();
          child.removeAllListeners('exit');
          resolve(message.data.port);
        }
      });
    });
    this.#port = port;
    child.once('exit', (code, signal) => {
      this.#child = undefined;
      (this.#options.log ?? silentLog).info({ code, signal }, 'simulated camera ended');
    });
    return { url: (lane) => this.url(lane) };
  }

  /** Motion JPEG address of a lane's camera; a single picture has `.jpg` behind it. */
  url(lane: LaneId): string {
    if (this.#port === undefined) throw new GateError('CAMERA_LOST', 'the simulated camera is not running; start it first');
    return `http://127.0.0.1:${String(this.#port)}/${lane}`;
  }

  /** Shows the cameras what there is to see; a snapshot is skipped while the pipe is full. */
  update(scene: Scene): void {
    this.#send({ kind: 'scene', scene });
  }

  /** Shows the cameras the world about 13 times a second until `stop`. */
  follow(scene: () => Scene): void {
    const next = (): void => {
      this.update(scene());
      this.#feed = this.#options.clock.after(snapshotPeriodMs, next);
    };
    this.#feed?.cancel();
    next();
  }

  /** Ends the process and waits for it. */
  async stop(): Promise<void> {
    this.#feed?.cancel();
    this.#feed = undefined;
    this.#port = undefined;
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    await new Promise<void>((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) {
        resolve();
        return;
      }
      const timer = this.#options.clock.after(2_000, () => child.kill('SIGKILL'));
      child.once('exit', () => {
        timer.cancel();
        resolve();
      });
      const message: ToCamera = { kind: 'stop' };
      if (child.connected) child.send(message);
      else child.kill('SIGKILL');
    });
  }

  #send(message: ToCamera): void {
    const child = this.#child;
    if (child?.connected !== true) return;
    // The callback keeps a send to a dying child from becoming an error event.
    child.send(message, () => undefined);
  }
}
