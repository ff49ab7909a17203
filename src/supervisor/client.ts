import { createConnection, type Socket } from 'node:net';
import { GateError, errorText, type Clock, type Log, type Timer } from '../base/index.js';
import { onLines, parseLine, sendLine } from './lines.js';
import { protocolVersion, replySchema, type Hello, type LastWillReport, type Reply, type TakeOver } from './messages.js';

/** Whether somebody outlives this process. */
export interface GuardHealth {
  readonly supervisor: 'watching' | 'absent' | 'off';
  /** What is wrong and what to do; absent where all is well. */
  readonly detail?: string;
}

export interface SupervisorClientOptions {
  readonly socketPath: string;
  /** Everything of the hello but the wills' present state, which is kept here. */
  readonly estate: Pick<Hello, 'devices' | 'lanes' | 'silenceMs'>;
  readonly clock: Clock;
  readonly log: Log;
  /** What the supervisor did in place of the process before this one. */
  readonly onTakeOver?: (takeOver: TakeOver) => void;
}

const beatMs = 50;
const reconnectMs = 1_000;
/** A supervisor that finishes a raise for the last daemon takes its time; one that hangs is not waited for. */
const welcomeMs = 6_000;

/**
 * The daemon's end of the line to its supervisor: says hello before the devices are opened, tells every change of a last
 * will before it can come true, beats from the event loop, and says goodbye after an ordered stop. Without a supervisor
 * the gate works as well; it says so and goes on looking for one.
 */
export class SupervisorClient {
  readonly #options: SupervisorClientOptions;
  readonly #last: Map<string, LastWillReport>;
  #socket: Socket | undefined;
  #welcomed: (() => void) | undefined;
  #watching = false;
  #detail: string | undefined;
  #running = false;
  #timer: Timer | undefined;
  #beat: Timer | undefined;

  constructor(options: SupervisorClientOptions) {
    this.#options = options;
    this.#last = new Map(options.estate.lanes.map(({ lane, last }) => [lane, last]));
  }

  /** Resolves once the supervisor has let go of the devices, or there is none. Never rejects. */
  async start(): Promise<void> {
    this.#running = true;
    await new Promise<void>((resolve) => {
      const limit = this.#options.clock.after(welcomeMs, () => {
        this.#options.log.error({ waitedMs: welcomeMs }, 'the supervisor does not let go of the devices; going on without it');
        resolve();
      });
      this.#welcomed = () => {
        limit.cancel();
        resolve();
      };
      this.#connect();
    });
    this.#welcomed = undefined;
  }

  will(lane: string, last: LastWillReport): void {
    this.#last.set(lane, last);
    this.#send({ kind: 'will', lane, last });
  }

  health(): GuardHealth {
    if (this.#watching) return { supervisor: 'watching' };
    return { supervisor: 'absent', detail: `${this.#detail ?? 'no supervisor answers'}; if this program dies, nobody takes its movements back. Start it: systemctl start laurel-gate-supervisor` };
  }

  /**
   * The last thing this process does.
   * @param carriedOut the wills have been carried out and nothing is to be kept held: the supervisor has nothing to do.
   * Else it takes over when this process has ended
   */
  async stop(carriedOut: boolean): Promise<void> {
    this.#running = false;
    this.#timer?.cancel();
    this.#beat?.cancel();
    const socket = this.#socket;
    if (socket === undefined) return;
    if (!carriedOut) {
      // Left open until this process is gone: an end now would have it killed in the middle of its own stop.
      socket.unref();
      return;
    }
    sendLine(socket, { kind: 'goodbye' });
    await new Promise<void>((resolve) => {
      socket.once('close', resolve);
      // The far end closes when it has read everything; one that hangs is left behind.
      const limit = this.#options.clock.after(500, () => socket.destroy());
      socket.once('close', () => limit.cancel());
      socket.end();
    });
  }

  #connect(): void {
    const { socketPath } = this.#options;
    const socket = createConnection(socketPath);
    this.#socket = socket;
    socket.once('connect', () => {
      const { estate } = this.#options;
      const lanes = estate.lanes.map((ward) => ({ ...ward, last: this.#last.get(ward.lane) ?? ward.last }));
      const hello: Hello = { kind: 'hello', version: protocolVersion, pid: process.pid, ...estate, lanes };
      sendLine(socket, hello);
      this.#armBeat();
    });
    socket.on('error', (error) => (this.#detail = errorText(error)));
    socket.once('close', () => this.#lost(socket));
    onLines(socket, (line) => this.#take(socket, line), () => socket.destroy());
  }

  #take(socket: Socket, line: string): void {
    const parsed = replySchema.safeParse(parseLine(line));
    if (!parsed.success) {
      this.#options.log.error({}, 'the supervisor says what this version does not understand; restart both');
      socket.destroy();
      return;
    }
    const reply: Reply = parsed.data;
    if (reply.kind === 'error') {
      if (this.#detail === reply.message) return;
      this.#detail = reply.message;
      this.#options.log.error({ code: reply.code }, `the supervisor refuses: ${reply.message}`);
    } else if (reply.kind === 'welcome') {
      this.#watching = true;
      this.#detail = undefined;
      this.#options.log.info({}, 'a supervisor watches this gate');
      if (reply.takeOver !== undefined) this.#options.onTakeOver?.(reply.takeOver);
      this.#welcomed?.();
    }
  }

  #lost(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#beat?.cancel();
    const before = this.#watching;
    this.#watching = false;
    if (!this.#running) return;
    if (before || this.#welcomed !== undefined) this.#options.log.warn({ socketPath: this.#options.socketPath, detail: this.#detail }, `supervisor: absent. ${this.health().detail ?? ''}`);
    this.#welcomed?.();
    this.#timer = this.#options.clock.after(reconnectMs, () => this.#connect());
  }

  #armBeat(): void {
    this.#beat = this.#options.clock.after(beatMs, () => {
      this.#send({ kind: 'beat' });
      this.#armBeat();
    });
  }

  #send(message: object): void {
    const socket = this.#socket;
    if (socket !== undefined && !socket.connecting) sendLine(socket, message);
  }
}

/**
 * Asks a supervisor how it stands.
 * @param settled wait until nothing more is to be done
 * @returns undefined where none answers within the limit
 */
export async function askSupervisor(socketPath: string, settled: boolean, limitMs: number, clock: Clock): Promise<Extract<Reply, { kind: 'state' }> | undefined> {
  return await new Promise((resolve, reject) => {
    const socket = createConnection(socketPath);
    const limit = clock.after(limitMs, () => socket.destroy());
    socket.once('connect', () => sendLine(socket, { kind: 'ask', settled }));
    socket.on('error', () => undefined);
    socket.once('close', () => {
      limit.cancel();
      resolve(undefined);
    });
    onLines(
      socket,
      (line) => {
        const parsed = replySchema.safeParse(parseLine(line));
        if (parsed.success && parsed.data.kind === 'state') resolve(parsed.data);
        else reject(new GateError('MESSAGE_INVALID', 'The supervisor answers in a form this version does not know; restart it: systemctl restart laurel-gate-supervisor'));
        socket.destroy();
      },
      () => socket.destroy(),
    );
  });
}
