import { createServer, type Server, type Socket } from 'node:net';
import { GateError, errorText, type Clock, type Log, type Timer } from '../base/index.js';
import { openPrivateSocket } from '../base/private-socket.js';
import { createDevice, type Device } from '../device/index.js';
import { Executor, type Estate } from './executor.js';
import { onLines, parseLine, sendLine } from './lines.js';
import { requestSchema, type Hello, type LastWillReport, type Reply, type Request, type SupervisorState, type TakeOver, type Ward } from './messages.js';
import { toProcessMs } from './monotonic.js';
import { identify, killNow, runs, type OtherProcess } from './other-process.js';

export interface SupervisorOptions {
  readonly socketPath: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Called when there is nothing more to do: a goodbye, or every will carried out and nothing held. */
  onIdle?(): void;
}

/** A killed process gives its devices back within this; then they are tried anyway. */
const dyingMs = 1_000;
const dyingStepMs = 2;
/** A sign of life may lie unread where this process itself was not scheduled; it is looked for once more. */
const graceMs = 50;

/** The daemon being watched. */
interface Watched {
  readonly socket: Socket;
  readonly process: OtherProcess;
  readonly hello: Hello;
  readonly last: Map<string, LastWillReport>;
  heardMs: number;
  doubted: boolean;
  timer: Timer | undefined;
}

/**
 * Outlives the daemon: told all the time what is to be done if it dies, and does that when its connection ends without a
 * goodbye or when it falls silent. A silent process is killed first, so that its lines and ports are free. Knows neither
 * journal nor network nor recognition.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  #server: Server | undefined;
  #remove: (() => Promise<void>) | undefined;
  readonly #sockets = new Set<Socket>();
  #watched: Watched | undefined;
  #executor: Executor | undefined;
  /** Taking over or letting go under way; the next waits for it. */
  #turn: Promise<void> = Promise.resolve();
  #busy = 0;
  #takeOver: TakeOver | undefined;
  #goodbye = false;
  readonly #waiting = new Set<Socket>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Listens. Rejects with `CONTROL_BUSY` where another supervisor answers on the socket. */
  async start(): Promise<void> {
    const { socketPath } = this.#options;
    const server = createServer((socket) => this.#accept(socket));
    this.#server = server;
    this.#remove = await openPrivateSocket(socketPath, `Another supervisor already answers on ${socketPath}; one is enough.`, (path) => new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
    }));
    server.on('error', (error) => this.#options.log.error({ error: errorText(error) }, 'the socket of the supervisor failed'));
  }

  /** Stops watching. What is held stays energised; nothing else is left on. */
  async stop(): Promise<void> {
    this.#forget();
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    if (server !== undefined) await new Promise<void>((resolve) => void server.close(() => resolve()));
    await this.#remove?.();
    await this.#inTurn(() => this.#letGo());
  }

  state(): SupervisorState {
    const pid = this.#watched?.process.pid;
    return {
      kind: 'state',
      state: this.#watched !== undefined ? 'watching' : this.#busy > 0 || this.#unfinished() ? 'acting' : this.#executor !== undefined ? 'holding' : 'idle',
      goodbye: this.#goodbye,
      ...(pid === undefined ? {} : { pid }),
      ...(this.#takeOver === undefined ? {} : { takeOver: this.#takeOver }),
    };
  }

  // ---- connections

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', (error) => this.#options.log.debug({ error: errorText(error) }, 'a connection failed'));
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#waiting.delete(socket);
      if (this.#watched?.socket === socket) this.#lost('the connection ended');
    });
    onLines(
      socket,
      (line) => this.#take(socket, line),
      () => this.#refuse(socket, new GateError('MESSAGE_INVALID', 'A message is longer than 256 KiB; send one JSON object a line.')),
    );
  }

  #take(socket: Socket, line: string): void {
    const parsed = requestSchema.safeParse(parseLine(line));
    if (!parsed.success) {
      const { path, message } = parsed.error.issues[0] ?? { path: [], message: 'not understood' };
      const error = new GateError('MESSAGE_INVALID', `A message is not understood${path.length === 0 ? '' : ` at ${path.join('.')}`}: ${message}. Daemon and supervisor must be of one version; restart both.`);
      // The daemon that is watched keeps its supervisor: one word not understood is no reason to leave its lanes alone.
      if (this.#watched?.socket === socket) this.#reply(socket, { kind: 'error', code: error.code, message: error.message });
      else this.#refuse(socket, error);
      return;
    }
    this.#obey(socket, parsed.data);
  }

  #obey(socket: Socket, request: Request): void {
    const watched = this.#watched?.socket === socket ? this.#watched : undefined;
    if (watched !== undefined) {
      watched.heardMs = this.#options.clock.monoMs();
      watched.doubted = false;
    }
    switch (request.kind) {
      case 'hello':
        this.#greet(socket, request);
        return;
      case 'ask':
        if (request.settled && (this.#watched !== undefined || this.state().state === 'acting')) this.#waiting.add(socket);
        else this.#reply(socket, this.state());
        return;
      default:
        break;
    }
    if (watched === undefined) {
      this.#refuse(socket, new GateError('COMMAND_REFUSED', `Say hello before ${request.kind}.`));
      return;
    }
    if (request.kind === 'goodbye') {
      this.#forget();
      this.#goodbye = true;
      this.#options.log.info({ pid: watched.process.pid }, 'the gate stopped in order');
      this.#settled();
    } else if (request.kind === 'will') {
      watched.last.set(request.lane, request.last);
      this.#arm(watched);
    }
  }

  #greet(socket: Socket, hello: Hello): void {
    const before = this.#watched;
    if (before !== undefined && before.socket !== socket && runs(before.process) && before.process.pid !== hello.pid) {
      this.#refuse(socket, new GateError('CONTROL_BUSY', `The gate with process ${before.process.pid} is watched already; stop it first.`, { pid: before.process.pid }));
      return;
    }
    this.#forget();
    const watched: Watched = {
      socket,
      process: identify(hello.pid),
      hello,
      last: new Map(hello.lanes.map(({ lane, last }) => [lane, last])),
      heardMs: this.#options.clock.monoMs(),
      doubted: false,
      timer: undefined,
    };
    this.#watched = watched;
    this.#goodbye = false;
    this.#arm(watched);
    this.#options.log.info({ pid: hello.pid, lanes: hello.lanes.map(({ lane }) => lane) }, 'watching the gate');
    void this.#inTurn(async () => {
      await this.#letGo();
      const takeOver = this.#takeOver;
      this.#takeOver = undefined;
      this.#reply(socket, { kind: 'welcome', ...(takeOver === undefined ? {} : { takeOver }) });
    });
  }

  #reply(socket: Socket, reply: Reply): void {
    sendLine(socket, reply);
  }

  #refuse(socket: Socket, error: GateError): void {
    this.#options.log.warn({ code: error.code }, error.message);
    this.#reply(socket, { kind: 'error', code: error.code, message: error.message });
    socket.end();
  }

  // ---- signs of life

  #arm(watched: Watched): void {
    watched.timer?.cancel();
    const { clock } = this.#options;
    const limitMs = Math.min(...[...watched.last.values()].map((last) => silenceOf(last, watched.hello.silenceMs)));
    const dueMs = watched.heardMs + limitMs;
    watched.timer = clock.after(Math.max(0, dueMs - clock.monoMs()), () => {
      if (this.#watched !== watched) return;
      if (clock.monoMs() < watched.heardMs + limitMs) {
        this.#arm(watched);
      } else if (watched.doubted) {
        this.#lost(`no sign of life for ${Math.round(clock.monoMs() - watched.heardMs)} ms`);
      } else {
        watched.doubted = true;
        watched.timer = clock.after(graceMs, () => this.#arm(watched));
      }
    });
  }

  #forget(): void {
    this.#watched?.timer?.cancel();
    this.#watched = undefined;
  }

  // ---- in place of the dead

  #lost(reason: string): void {
    const watched = this.#watched;
    if (watched === undefined) return;
    const { clock, log } = this.#options;
    const noticedMs = clock.monoMs();
    this.#forget();
    log.error({ pid: watched.process.pid, reason, wills: Object.fromEntries([...watched.last].map(([lane, { will }]) => [lane, will])) }, 'the gate died; its last wills are carried out');
    this.#takeOver = { pid: watched.process.pid, reason, wallMs: clock.wallMs(), tookMs: null, acts: [] };
    void this.#inTurn(() => this.#act(watched, noticedMs));
  }

  async #act(watched: Watched, noticedMs: number): Promise<void> {
    const { clock, log } = this.#options;
    killNow(watched.process);
    watched.socket.destroy();
    while (runs(watched.process) && clock.monoMs() < noticedMs + dyingMs) await new Promise<void>((resolve) => void clock.after(dyingStepMs, resolve));
    await this.#letGo();
    const executor = new Executor(devicesOf(watched.hello, clock, log), watched.hello.lanes.map((ward) => estateOf(ward, watched.last.get(ward.lane) ?? ward.last)), clock, log);
    this.#executor = executor;
    const done = executor.run().then(() => {
      if (this.#executor !== executor) return;
      const tookMs = Math.round(clock.monoMs() - noticedMs);
      this.#noteActs(executor, this.#unfinished() ? null : tookMs);
      log.info({ tookMs, acts: executor.acts }, 'the last wills are carried out');
    });
    // The next turn (a new daemon) waits for what moves within the dead time and a pulse, not for a board that is gone.
    const limitMs = Math.max(...watched.hello.lanes.map(({ deadTimeMs, pulseMs }) => deadTimeMs + pulseMs)) + 1_000;
    await Promise.race([done, new Promise<void>((resolve) => void clock.after(limitMs, resolve))]);
    void done.then(() => {
      if (this.#executor !== executor || this.#watched !== undefined) return;
      if (executor.holds) this.#settled();
      else void this.#inTurn(() => this.#letGo()).then(() => this.#settled());
    });
  }

  async #letGo(): Promise<void> {
    const executor = this.#executor;
    if (executor === undefined) return;
    await executor.letGo();
    this.#noteActs(executor, this.#takeOver?.tookMs ?? null);
    this.#executor = undefined;
  }

  #noteActs(executor: Executor, tookMs: number | null): void {
    if (this.#takeOver !== undefined) this.#takeOver = { ...this.#takeOver, tookMs, acts: [...executor.acts] };
  }

  #unfinished(): boolean {
    return this.#executor?.acts.some(({ done }) => !done) ?? false;
  }

  /** Tells those who wait that nothing more is to be done. */
  #settled(): void {
    for (const socket of this.#waiting) this.#reply(socket, this.state());
    this.#waiting.clear();
    if (this.state().state === 'idle') this.#options.onIdle?.();
  }

  async #inTurn(run: () => Promise<void>): Promise<void> {
    this.#busy += 1;
    const turn = this.#turn.then(run).catch((error: unknown) => this.#options.log.error({ error: errorText(error) }, 'the supervisor failed at its work'));
    this.#turn = turn;
    await turn;
    this.#busy -= 1;
  }
}

function silenceOf({ will, watch }: LastWillReport, { lowering, urgent, idle }: Hello['silenceMs']): number {
  if (watch === 'lowering') return lowering;
  return watch === 'driven' || will !== 'release' ? urgent : idle;
}

function devicesOf(hello: Hello, clock: Clock, log: Log): readonly Device[] {
  return hello.devices.flatMap((device) => (device.driver === 'sim' ? [] : [createDevice(device, clock, log)]));
}

function estateOf({ lane, outputs, holds, pulseMs, deadTimeMs }: Ward, { will, closeOffMs }: LastWillReport): Estate {
  return { lane, outputs, holds, pulseMs, deadTimeMs, will, closeOffMs: closeOffMs === null ? null : toProcessMs(closeOffMs) };
}
