import { errorText, type Clock, type Log, type Timer } from '../base/index.js';
import { systemdNotify } from './notify.js';

export interface WatchdogOptions {
  readonly clock: Clock;
  readonly log: Log;
  /**
   * Looks at the real work (lanes tick, the journal answers, frames arrive) and says whether all of it goes on: true, or
   * the names of what is stuck. A check that throws or takes longer than the interval counts as stuck.
   */
  check(): boolean | readonly string[] | Promise<boolean | readonly string[]>;
  /** The service manager's variables: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID. Those of this process where omitted. */
  readonly environment?: NodeJS.ProcessEnv;
  /** How lines reach the service manager; `systemd-notify` where omitted. */
  notify?(lines: readonly string[]): Promise<void>;
}

/** Without a service manager the check still runs, so that its findings are in the log. */
const unsupervisedIntervalMs = 10_000;

/**
 * Tells systemd that the gate is ready, alive and stopping. `WATCHDOG=1` is sent only after a check of the real work, three
 * times within the manager's limit; a gate whose lanes do not run any more is killed and started afresh by the manager.
 */
export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #notify: (lines: readonly string[]) => Promise<void>;
  readonly #intervalMs: number;
  readonly #supervised: boolean;
  readonly #watched: boolean;
  #timer: Timer | undefined;
  #running = false;
  #stuck = false;
  #notifyFails = false;

  constructor(options: WatchdogOptions) {
    const environment = options.environment ?? process.env;
    this.#options = options;
    this.#notify = options.notify?.bind(options) ?? ((lines) => systemdNotify(lines, environment));
    this.#supervised = (environment['NOTIFY_SOCKET'] ?? '') !== '';
    const limitMs = Number(environment['WATCHDOG_USEC'] ?? 0) / 1_000;
    const pid = environment['WATCHDOG_PID'];
    this.#watched = this.#supervised && limitMs > 0 && (pid === undefined || pid === String(process.pid));
    this.#intervalMs = this.#watched ? limitMs / 3 : unsupervisedIntervalMs;
  }

  /** Reports `READY=1` and begins to check. Never rejects: a manager that cannot be reached is no reason to stand still. */
  async start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    await this.#send(['READY=1', 'STATUS=All is well.', ...(this.#watched ? ['WATCHDOG=1'] : [])]);
    this.#arm();
  }

  /** Reports `STOPPING=1` and checks no more. */
  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#send(['STOPPING=1']);
  }

  #isRunning(): boolean {
    return this.#running;
  }

  #arm(): void {
    if (!this.#running) return;
    this.#timer = this.#options.clock.after(this.#intervalMs, () => {
      void this.#beat().then(() => this.#arm());
    });
  }

  async #beat(): Promise<void> {
    const stuck = await this.#checkInTime();
    if (!this.#isRunning()) return;
    if (stuck.length > 0) {
      this.#options.log.error({ stuck }, 'the watchdog is not fed: work stands still');
      // The manager shows this line to whoever asks why the gate was restarted.
      if (!this.#stuck) await this.#send([`STATUS=Stuck: ${stuck.join(', ')}`]);
      this.#stuck = true;
      return;
    }
    const lines = this.#watched ? ['WATCHDOG=1'] : [];
    if (this.#stuck) lines.push('STATUS=All is well.');
    this.#stuck = false;
    if (lines.length > 0) await this.#send(lines);
  }

  async #checkInTime(): Promise<readonly string[]> {
    return await new Promise<readonly string[]>((resolve) => {
      const timer = this.#options.clock.after(this.#intervalMs, () => resolve(['the check itself']));
      this.#check()
        .then(resolve, (error: unknown) => resolve([`the check itself (${errorText(error)})`]))
        .finally(() => timer.cancel())
        .catch(() => undefined);
    });
  }

  async #check(): Promise<readonly string[]> {
    const answer = await this.#options.check();
    if (typeof answer === 'boolean') return answer ? [] : ['the gate'];
    return answer;
  }

  async #send(lines: readonly string[]): Promise<void> {
    if (!this.#supervised) return;
    try {
      await this.#notify(lines);
      this.#notifyFails = false;
    } catch (error) {
      // Said once, not every few seconds.
      if (!this.#notifyFails) this.#options.log.warn({ lines, error: errorText(error) }, 'the service manager could not be told; is systemd-notify installed?');
      this.#notifyFails = true;
    }
  }
}
