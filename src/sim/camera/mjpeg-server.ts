import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { GateError, errorText, type Clock, type LaneId, type Timer } from '../../base/index.js';
import { withTime } from './exif.js';
import { LaneRenderer } from './renderer.js';
import type { Scene, SceneLane } from './scene.js';

interface Lane {
  readonly renderer: LaneRenderer;
  readonly viewers: Set<ServerResponse>;
  drawing: boolean;
}

const boundary = 'laurelframe';

/**
 * Serves what the simulated cameras see as motion JPEG over HTTP on 127.0.0.1, one path a lane (`/entry`), and a single
 * picture at `/entry.jpg`, like any network camera. Draws only for lanes that somebody watches.
 */
export class MjpegServer {
  readonly #clock: Clock;
  readonly #periodMs: number;
  readonly #lanes = new Map<LaneId, Lane>();
  #scene: Scene | undefined;
  #server: Server | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock, framesPerSecond: number) {
    this.#clock = clock;
    this.#periodMs = 1000 / framesPerSecond;
  }

  /** @returns the port. Rejects with `CAMERA_SOURCE_INVALID` where no port can be had. */
  async start(): Promise<number> {
    const server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        if (!response.headersSent) response.writeHead(500, { 'content-type': 'text/plain' });
        response.end(errorText(error));
      });
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(new GateError('CAMERA_SOURCE_INVALID', `the simulated camera cannot listen on 127.0.0.1: ${error.message}`, {}, error)));
      server.listen(0, '127.0.0.1', () => resolve());
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new GateError('CAMERA_SOURCE_INVALID', 'the simulated camera got no port; try again');
    this.#tick();
    return address.port;
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    for (const lane of this.#lanes.values()) for (const viewer of lane.viewers) viewer.destroy();
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }

  update(scene: Scene): void {
    this.#scene = scene;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const still = path.endsWith('.jpg');
    const id = path.slice(1, still ? -4 : undefined);
    const view = this.#view(id);
    if (view === undefined) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end(`no camera "${id}"; there are ${(this.#scene?.lanes ?? []).map((lane) => lane.lane).join(', ')}\n`);
      return;
    }
    const lane = this.#lane(id);
    if (still) {
      const jpeg = await this.#draw(lane, view);
      response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': String(jpeg.length), 'cache-control': 'no-store' }).end(jpeg);
      return;
    }
    response.writeHead(200, { 'content-type': `multipart/x-mixed-replace; boundary=${boundary}`, 'cache-control': 'no-store', connection: 'close' });
    response.socket?.setNoDelay(true);
    lane.viewers.add(response);
    response.on('close', () => lane.viewers.delete(response));
  }

  #view(id: LaneId): SceneLane | undefined {
    return this.#scene?.lanes.find((lane) => lane.lane === id);
  }

  #lane(id: LaneId): Lane {
    let lane = this.#lanes.get(id);
    if (lane === undefined) {
      lane = { renderer: new LaneRenderer({ seed: id.length * 31 + (id.codePointAt(0) ?? 0) }), viewers: new Set(), drawing: false };
      this.#lanes.set(id, lane);
    }
    return lane;
  }

  /** The picture says of which moment it is: a busy machine draws it late. */
  async #draw(lane: Lane, view: SceneLane): Promise<Buffer> {
    const scene = this.#scene;
    const wallMs = scene?.wallMs ?? 0;
    return withTime(await lane.renderer.render(view, scene?.light ?? 1, wallMs), wallMs);
  }

  #tick(): void {
    const startMs = this.#clock.monoMs();
    for (const [id, lane] of this.#lanes) {
      // A slow machine gets fewer pictures, never a queue of old ones.
      if (lane.viewers.size === 0 || lane.drawing) continue;
      const view = this.#view(id);
      if (view === undefined) continue;
      lane.drawing = true;
      this.#draw(lane, view)
        .then((jpeg) => this.#send(lane, jpeg))
        .catch(() => {
          // A picture that cannot be drawn is missed; the next one tells whether the camera is alive.
        })
        .finally(() => {
          lane.drawing = false;
        });
    }
    const spentMs = this.#clock.monoMs() - startMs;
    this.#timer = this.#clock.after(Math.max(1, this.#periodMs - spentMs), () => this.#tick());
  }

  #send(lane: Lane, jpeg: Buffer): void {
    const head = `--${boundary}\r\nContent-Type: image/jpeg\r\nContent-Length: ${String(jpeg.length)}\r\n\r\n`;
    for (const viewer of lane.viewers) {
      // Whoever reads too slowly misses pictures.
      if (viewer.writableLength > 2_000_000) continue;
      viewer.write(head);
      viewer.write(jpeg);
      viewer.write('\r\n');
    }
  }
}
