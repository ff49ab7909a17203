import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { GateError, errorText, type Clock, type LaneId, type Log, type Timer } from '../base/index.js';
import { entryBeside } from '../base/entry.js';
import { Listeners } from '../camera/index.js';
import { isFromVision, machineMs, type CameraBeat, type FromVision, type LaneCamera, type ToVision } from './protocol.js';
import { onClock, type CameraState, type Photograph, type TrackReport, type Vision, type VisionHealth } from './types.js';

export interface VisionOptions {
  /** Lanes with their cameras, secrets in hand: they travel over the private channel only. */
  readonly cameras: readonly LaneCamera[];
  /** A site's own models; the shipped ones stand by where these are refused. */
  readonly modelsDirectory?: string | undefined;
  /** Where a copy of the site's models is kept once they were found good; it stands by before the shipped ones. */
  readonly lastGoodDirectory?: string | undefined;
  /** Threads of one network run. */
  readonly threads: number;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 to 1, for the jitter of the back-off. */
  readonly random?: () => number;
}

interface CameraReport {
  readonly lane: LaneId;
  readonly camera: string;
  readonly state: CameraState;
  readonly detail?: string;
}

/** No sign of life for this long: hung. Loading models on a small box takes seconds, hence the longer first wait. */
const silenceMs = 10_000;
const firstSilenceMs = 30_000;
const firstBackOffMs = 500;
const longestBackOffMs = 30_000;
const goodAfterMs = 60_000;
const stopMs = 3_000;
const photographMs = 3_000;

/** Where the models of this repository lie, seen from the sources and from the build alike. */
export function shippedModels(): string {
  return fileURLToPath(new URL('../../models', import.meta.url));
}

const nicePath = '/usr/bin/nice';
const visionNiceness = 10;

/**
 * The main process's end of vision: starts the process, watches it, starts it anew when it dies or hangs, and passes on
 * what it sees. Nothing here computes or waits on the event loop.
 */
export class VisionClient implements Vision {
  readonly #options: VisionOptions;
  readonly #tracks: Listeners<TrackReport>;
  readonly #cameras: Listeners<CameraReport>;
  readonly #healths: Listeners<VisionHealth>;
  readonly #open = new Map<string, TrackReport>();
  readonly #cameraStates = new Map<LaneId, CameraReport>();
  readonly #photographs = new Map<number, (photograph: Photograph | undefined) => void>();
  #child: ChildProcess | undefined;
  #gone: Promise<void> = Promise.resolve();
  #running = false;
  #ready = false;
  #state: VisionHealth['state'] = 'stopped';
  #detail: string | undefined;
  #restarts = 0;
  #failures = 0;
  #launches = 0;
  #startedMs = 0;
  #heardMs = 0;
  #beat: readonly CameraBeat[] = [];
  #beatMs = 0;
  #watch: Timer | undefined;
  #retry: Timer | undefined;
  #nextPhotograph = 1;
  #settleStart: ((error?: GateError) => void) | undefined;

  constructor(options: VisionOptions) {
    this.#options = options;
    const failed = (error: unknown): void => options.log.error({ error: errorText(error) }, 'a listener of vision failed');
    this.#tracks = new Listeners<TrackReport>(failed);
    this.#cameras = new Listeners<CameraReport>(failed);
    this.#healths = new Listeners<VisionHealth>(failed);
  }

  /**
   * Resolves once the models are loaded and the cameras are being read. Rejects with `MODEL_INVALID` where neither the
   * site's models nor the shipped ones fit; a process that dies while starting is tried again instead.
   */
  start(): Promise<void> {
    if (this.#running) return Promise.resolve();
    this.#running = true;
    return new Promise((resolve, reject) => {
      this.#settleStart = (error) => {
        this.#settleStart = undefined;
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#launch();
    });
  }

  async stop(): Promise<void> {
    this.#running = false;
    this.#retry?.cancel();
    this.#watch?.cancel();
    this.#settleStart?.(new GateError('VISION_DOWN', 'Vision was stopped before it had started.'));
    const child = this.#child;
    if (child !== undefined) {
      const patience = this.#options.clock.after(stopMs, () => void child.kill('SIGKILL'));
      if (!this.#send({ type: 'stop' })) child.kill('SIGKILL');
      await this.#gone;
      patience.cancel();
    }
    this.#change('stopped');
  }

  onTrack(listener: (track: TrackReport) => void): () => void {
    return this.#tracks.add(listener);
  }

  onCamera(listener: (camera: CameraReport) => void): () => void {
    return this.#cameras.add(listener);
  }

  onHealth(listener: (health: VisionHealth) => void): () => void {
    return this.#healths.add(listener);
  }

  health(): VisionHealth {
    const sinceBeatMs = this.#options.clock.monoMs() - this.#beatMs;
    const cameras = this.#options.cameras.map(({ lane, camera }) => {
      const beat = this.#ready ? this.#beat.find((each) => each.lane === lane) : undefined;
      const state: CameraState = this.#ready ? (this.#cameraStates.get(lane)?.state ?? 'connecting') : 'connecting';
      const ageMs = beat?.lastFrameAgeMs ?? null;
      return { lane, camera: camera.id, state, framesPerSecond: beat?.framesPerSecond ?? 0, lastFrameAgeMs: ageMs === null ? null : Math.round(ageMs + sinceBeatMs) };
    });
    return { state: this.#state, restarts: this.#restarts, cameras, ...(this.#detail === undefined ? {} : { detail: this.#detail }) };
  }

  photograph(lane: LaneId): Promise<Photograph | undefined> {
    if (!this.#ready) return Promise.resolve(undefined);
    const id = this.#nextPhotograph++;
    return new Promise((resolve) => {
      const patience = this.#options.clock.after(photographMs, () => settle(undefined));
      const settle = (photograph: Photograph | undefined): void => {
        patience.cancel();
        this.#photographs.delete(id);
        resolve(photograph);
      };
      this.#photographs.set(id, settle);
      if (!this.#send({ type: 'photograph', id, lane })) settle(undefined);
    });
  }

  /** Process id of the running vision process, for a diagnosis. */
  pid(): number | undefined {
    return this.#child?.pid;
  }

  #send(message: ToVision): boolean {
    const child = this.#child;
    if (child?.connected !== true) return false;
    // an error here is told again, and handled, as the end of the process
    child.send(message, () => undefined);
    return true;
  }

  #launch(): void {
    const { clock, log, cameras, modelsDirectory, lastGoodDirectory, threads } = this.#options;
    const { path, execArgv } = entryBeside(import.meta.url, './process');
    this.#launches += 1;
    this.#ready = false;
    this.#startedMs = clock.monoMs();
    this.#heardMs = this.#startedMs;
    this.#change('starting', this.#detail);
    // Under `nice` from its first thread on: whoever waits at the barrier goes before whoever looks for plates.
    const child = fork(path, [], { execPath: nicePath, execArgv: ['-n', String(visionNiceness), process.execPath, ...execArgv], serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#child = child;
    log.info({ pid: child.pid }, 'vision: process started');
    child.on('message', (message: unknown) => {
      if (child === this.#child && isFromVision(message)) this.#heard(message);
    });
    this.#gone = new Promise((resolve) => {
      let settled = false;
      const end = (reason: string): void => {
        if (settled) return;
        settled = true;
        this.#ended(child, reason);
        resolve();
      };
      child.once('error', (error) => end(errorText(error)));
      child.once('exit', (code, signal) => end(signal === null ? `ended with status ${String(code)}` : `was killed by ${signal}`));
    });
    const directories = [...(modelsDirectory === undefined ? [] : [modelsDirectory]), shippedModels()];
    // the start of the process distinguishes its tracks from those of the one before
    const run = `${Math.round(machineMs()).toString(36)}${this.#launches.toString(36)}`;
    this.#send({ type: 'start', cameras, directories, ...(lastGoodDirectory === undefined ? {} : { lastGood: lastGoodDirectory }), threads, run });
    this.#listenForSilence();
  }

  #listenForSilence(): void {
    const { clock } = this.#options;
    this.#watch?.cancel();
    this.#watch = clock.after(1_000, () => {
      const limitMs = this.#ready ? silenceMs : firstSilenceMs;
      if (clock.monoMs() - this.#heardMs >= limitMs) {
        this.#detail = `the vision process gave no sign of life for ${limitMs / 1_000} s`;
        this.#child?.kill('SIGKILL');
        return;
      }
      this.#listenForSilence();
    });
  }

  #heard(message: FromVision): void {
    const { clock, log } = this.#options;
    this.#heardMs = clock.monoMs();
    switch (message.type) {
      case 'ready': {
        this.#ready = true;
        this.#change('ok', message.refused.length === 0 ? undefined : `the site's own models were refused, ${message.directory === shippedModels() ? 'the shipped ones' : 'the ones that last fitted'} are in use: ${message.refused.join(' ')}`);
        this.#settleStart?.();
        return;
      }
      case 'refused':
        this.#detail = message.reason;
        this.#settleStart?.(new GateError('MODEL_INVALID', message.reason.replace(/^MODEL_INVALID: /u, '')));
        return;
      case 'track': {
        const report = onClock(message.report, (ms) => this.#toOwnMs(ms));
        if (report.ended) this.#open.delete(report.track);
        else this.#open.set(report.track, report);
        this.#tracks.tell(report);
        return;
      }
      case 'camera': {
        const { lane, camera, state, detail } = message;
        const before = this.#cameraStates.get(lane);
        const report: CameraReport = { lane, camera, state, ...(detail === undefined ? {} : { detail }) };
        this.#cameraStates.set(lane, report);
        if (before?.state === state && before.detail === detail) return;
        this.#cameras.tell(report);
        return;
      }
      case 'beat':
        this.#beat = message.cameras;
        this.#beatMs = clock.monoMs();
        return;
      case 'photograph': {
        const { photograph } = message;
        this.#photographs.get(message.id)?.(photograph === undefined ? undefined : { ...photograph, takenAtMs: this.#toOwnMs(photograph.takenAtMs) });
        return;
      }
      case 'log':
        log[message.level](message.facts, message.message);
        return;
    }
  }

  #toOwnMs(theirMs: number): number {
    return this.#options.clock.monoMs() - (machineMs() - theirMs);
  }

  #ended(child: ChildProcess, reason: string): void {
    if (child !== this.#child) return;
    const { clock, log } = this.#options;
    this.#child = undefined;
    const wasReady = this.#ready;
    this.#ready = false;
    this.#watch?.cancel();
    for (const settle of [...this.#photographs.values()]) settle(undefined);
    // nobody follows these any more; the vehicles get new tracks when vision is back
    for (const report of [...this.#open.values()]) {
      this.#open.delete(report.track);
      this.#tracks.tell({ ...report, ended: true });
    }
    if (!this.#running) return;
    if (!wasReady && this.#settleStart === undefined && this.#restarts === 0 && this.#detail?.startsWith('MODEL_INVALID') === true) {
      // refused at the first start: trying again would only refuse again
      this.#running = false;
      this.#change('down', this.#detail);
      return;
    }
    if (wasReady && clock.monoMs() - this.#startedMs >= goodAfterMs) this.#failures = 0;
    const ceiling = Math.min(longestBackOffMs, firstBackOffMs * 2 ** this.#failures);
    const waitMs = Math.round(ceiling * (0.5 + 0.5 * (this.#options.random ?? Math.random)()));
    this.#failures = Math.min(this.#failures + 1, 10);
    this.#restarts += 1;
    const why = this.#detail ?? `the vision process ${reason}`;
    this.#detail = undefined;
    log.error({ reason: why, retryMs: waitMs }, 'vision: process lost; starting it again');
    this.#change('down', why);
    this.#retry = clock.after(waitMs, () => {
      if (this.#running) this.#launch();
    });
  }

  #change(state: VisionHealth['state'], detail?: string): void {
    const same = state === this.#state && detail === this.#detail;
    this.#state = state;
    this.#detail = detail;
    if (!same) this.#healths.tell(this.health());
  }
}
