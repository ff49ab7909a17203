import { createServer, type ServerResponse } from 'node:http';
import { GateError } from '../../../src/base/index.js';
import { renderApproach, type SimPlate } from '../../../src/sim/index.js';

const framesPerSecond = 8;
/** Positions of the front at which the vehicle is seen, metres; it stands at the last. */
const fronts = [-9, -8.4, -7.8, -7.2, -6.6, -6, -5.4, -4.8, -4.2] as const;
const far = -400;

/**
 * Network cameras of the benches: motion JPEG over HTTP, one path a lane, eight pictures a second drawn beforehand, so that
 * no drawing takes processor time from the gate that is measured.
 */
export class BenchCameras {
  readonly #pictures = new Map<string, readonly Buffer[]>();
  readonly #viewers = new Map<string, Set<ServerResponse>>();
  readonly #shows = new Map<string, { readonly plate: string; at: number }>();
  #empty: Buffer = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;
  #url = '';
  readonly #server = createServer((request, response) => {
    const lane = (request.url ?? '/').slice(1);
    response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace; boundary=frame' });
    const viewers = this.#viewers.get(lane) ?? new Set();
    viewers.add(response);
    this.#viewers.set(lane, viewers);
    response.on('close', () => viewers.delete(response));
  });

  get url(): string {
    return this.#url;
  }

  async start(plates: readonly SimPlate[]): Promise<void> {
    const jpegs = async (plate: SimPlate, at: readonly number[]): Promise<Buffer[]> => (await renderApproach({ plate, fronts: at })).map(({ jpeg }) => jpeg);
    for (const plate of plates) this.#pictures.set(plate.text, await jpegs(plate, fronts));
    const [first] = plates;
    if (first !== undefined) this.#empty = (await jpegs(first, [far]))[0] ?? this.#empty;
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new GateError('CAMERA_SOURCE_INVALID', 'the bench camera got no port; try again');
    this.#url = `http://127.0.0.1:${String(address.port)}`;
    this.#timer = setInterval(() => this.#send(), 1_000 / framesPerSecond);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** A vehicle with this plate drives up; undefined empties the road. */
  show(lane: string, plate: string | undefined): void {
    if (plate === undefined) this.#shows.delete(lane);
    else this.#shows.set(lane, { plate, at: 0 });
  }

  #send(): void {
    for (const [lane, viewers] of this.#viewers) {
      const show = this.#shows.get(lane);
      const pictures = show === undefined ? undefined : this.#pictures.get(show.plate);
      const jpeg = show === undefined || pictures === undefined ? this.#empty : (pictures[Math.min(show.at++, pictures.length - 1)] ?? this.#empty);
      const head = `--frame\r\nContent-Type: image/jpeg\r\nContent-Length: ${String(jpeg.length)}\r\n\r\n`;
      for (const viewer of viewers) {
        if (viewer.writableLength > 2_000_000) continue;
        viewer.write(head);
        viewer.write(jpeg);
        viewer.write('\r\n');
      }
    }
  }
}
