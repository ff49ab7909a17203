import { randomBytes } from 'node:crypto';
import { Agent, request, type IncomingMessage } from 'node:http';
import { systemClock } from '../../../src/base/system-clock.js';

const name = 'guard';
const password = 'a password for the bench';
const viewers = 6;
const picturesEveryMs = 500;
/** The gate takes five sign-ins a minute from one address, so the checks come from many. */
const addresses = 60;

/** People at the gate's page: live feeds that stay open, pictures asked for over and over, sign-ins that cost a password check. */
export class Viewers {
  readonly #url: URL;
  readonly #lanes: readonly string[];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #timers: NodeJS.Timeout[] = [];
  #cookie = '';
  #running = true;
  pictures = 0;
  passwordChecks = 0;
  liveBytes = 0;

  constructor(url: string, lanes: readonly string[]) {
    this.#url = new URL(url);
    this.#lanes = lanes;
  }

  get count(): number {
    return viewers;
  }

  /** @param code the sign-in code that the console printed */
  async start(code: string): Promise<void> {
    const { headers } = await this.#signIn({ name, password, code }, 1);
    this.#cookie = (headers['set-cookie']?.[0] ?? '').split(';')[0] ?? '';
    for (let viewer = 0; viewer < viewers; viewer += 1) {
      this.#follow();
      this.#timers.push(setInterval(() => this.#look(this.#lanes[viewer % this.#lanes.length] ?? ''), picturesEveryMs));
    }
    let check = 0;
    const beginMs = systemClock.monoMs();
    this.#timers.push(
      setInterval(() => {
        check += 1;
        // Every other one is wrong, which costs the same.
        this.#signIn({ name, password: check % 2 === 0 ? password : `wrong since ${String(beginMs)}` }, 2 + (check % addresses)).then(
          ({ statusCode }) => {
            if (statusCode === 200 || statusCode === 401) this.passwordChecks += 1;
          },
          () => undefined,
        );
      }, 250),
    );
  }

  stop(): void {
    this.#running = false;
    for (const timer of this.#timers) clearInterval(timer);
    this.#agent.destroy();
  }

  #look(lane: string): void {
    const asked = request(new URL(`/api/lanes/${lane}/photo.jpg`, this.#url), { agent: this.#agent, headers: { cookie: this.#cookie } }, (response) => {
      if (response.statusCode === 200) this.pictures += 1;
      response.resume();
    });
    asked.on('error', () => undefined);
    asked.end();
  }

  /** A live feed; pings go unanswered, so the gate cuts it after a while and it comes again, as telephones do. */
  #follow(): void {
    if (!this.#running) return;
    const asked = request(new URL('/api/live', this.#url), {
      headers: { cookie: this.#cookie, connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': randomBytes(16).toString('base64') },
    });
    const again = (): void => void systemClock.after(1_000, () => this.#follow());
    asked.on('upgrade', (_response, socket) => {
      socket.on('data', (bytes: Buffer) => (this.liveBytes += bytes.length));
      socket.on('error', () => undefined);
      socket.on('close', again);
    });
    asked.on('error', again);
    asked.end();
  }

  #signIn(body: object, from: number): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const asked = request(new URL('/api/sign-in', this.#url), { method: 'POST', localAddress: `127.0.0.${String(from)}`, headers: { 'content-type': 'application/json' } }, (response) => {
        response.resume();
        response.on('end', () => resolve(response));
      });
      asked.on('error', reject);
      asked.end(JSON.stringify(body));
    });
  }
}
