import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import staticFiles from '@fastify/static';
import websocket from '@fastify/websocket';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import * as z from 'zod/mini';
import { GateError, errorText, type Clock, type Log, type Timer } from '../base/index.js';
import { AccountStore, leastPasswordLength, type Account } from './accounts.js';
import { registerApi } from './api.js';
import { registerBackupApi } from './backup.js';
import { registerConfigurationApi } from './configuration.js';
import { openControlSocket } from './control-socket.js';
import { replyOf } from './errors.js';
import { LiveHub, type LiveSink } from './live.js';
import { Photographs } from './photographs.js';
import type { GatePort } from './port.js';
import { noStore, parse, type Caller } from './requests.js';
import { SessionStore, sessionIdleMs } from './sessions.js';
import { SignInCodes } from './sign-in-codes.js';
import { registerTechnicianFeeds } from './technician.js';

export interface WebServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly gate: GatePort;
  readonly clock: Clock;
  readonly log: Log;
  /** Holds the accounts (`web-accounts.json`) and the control socket (`control.sock`). */
  readonly dataDirectory: string;
  /** Shows a one-time sign-in code on the console and, where there is one, on the box's own screen. */
  readonly printCode: (code: string) => void;
  /** Looking needs no sign-in, ordering still does; for simulations only, since live pictures show plates. */
  readonly openView?: boolean;
  /** Folder of the built page; found by itself in a normal installation. */
  readonly pageDirectory?: string;
}

const cookieName = 'laurel_session';
const pingEveryMs = 20_000;
const largestBodyBytes = 16 * 1024;

const signInBody = z.strictObject({
  name: z.string().check(z.trim(), z.regex(/^[\p{L}\p{N}._-]{1,32}$/u, 'letters, digits, dot, hyphen or underscore, at most 32')),
  password: z.string().check(z.minLength(1, 'missing'), z.maxLength(256, 'at most 256 characters')),
  code: z.optional(z.string().check(z.maxLength(32, 'like K7QF-3MWP'))),
});
const codeBody = z.strictObject({ role: z._default(z.enum(['guard', 'technician']), 'technician') });

/**
 * The gate's own web server and its control socket. Both speak the same interface; the web port asks for a sign-in, the
 * socket trusts whoever may open it (mode 0600).
 */
export class WebServer {
  readonly #options: WebServerOptions;
  readonly #accounts: AccountStore;
  readonly #sessions: SessionStore;
  readonly #codes: SignInCodes;
  readonly #hub: LiveHub;
  readonly #photographs: Photographs;
  #web: FastifyInstance | undefined;
  #control: FastifyInstance | undefined;
  #removeSocket: (() => Promise<void>) | undefined;
  #pinger: Timer | undefined;

  constructor(options: WebServerOptions) {
    const { gate, clock, dataDirectory, log } = options;
    this.#options = options;
    this.#accounts = new AccountStore(join(dataDirectory, 'web-accounts.json'));
    this.#sessions = new SessionStore(clock);
    this.#codes = new SignInCodes(clock);
    this.#hub = new LiveHub((listener) => gate.onLive(listener), log);
    this.#photographs = new Photographs((lane) => gate.photograph(lane), clock);
  }

  /**
   * Listens on the web port and the control socket; prints a sign-in code where nobody has an account yet.
   * @returns the address to open in a browser
   * Rejects with `CONFIG_INVALID` (port taken, damaged accounts), `CONTROL_BUSY` (another gate runs here).
   */
  async start(): Promise<{ readonly url: string }> {
    const { dataDirectory } = this.#options;
    await mkdir(dataDirectory, { recursive: true });
    await this.#accounts.start();
    try {
      this.#hub.start();
      this.#control = await this.#buildControl();
      const control = this.#control;
      this.#removeSocket = await openControlSocket(dataDirectory, async (path) => {
        await control.listen({ path });
      });
      this.#web = await this.#buildWeb();
      const url = await this.#listen(this.#web);
      this.#offerFirstCode();
      return { url };
    } catch (cause) {
      await this.stop();
      throw cause;
    }
  }

  async stop(): Promise<void> {
    this.#pinger?.cancel();
    this.#pinger = undefined;
    this.#hub.stop();
    await this.#removeSocket?.();
    this.#removeSocket = undefined;
    await Promise.all([this.#web?.close(), this.#control?.close()]);
    this.#web = undefined;
    this.#control = undefined;
  }

  /** Connected live pages and followers. */
  get liveClients(): number {
    return this.#hub.size;
  }

  async #listen(app: FastifyInstance): Promise<string> {
    const { host, port } = this.#options;
    try {
      await app.listen({ host, port });
    } catch (cause) {
      throw new GateError('CONFIG_INVALID', `The web server cannot listen on ${host}:${port} (${errorText(cause)}); choose another web.host or web.port.`, { host, port }, cause);
    }
    const address = app.server.address();
    const bound = typeof address === 'object' && address !== null ? address.port : port;
    const shown = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
    return `http://${isIPv6(shown) ? `[${shown}]` : shown}:${bound}/`;
  }

  #offerFirstCode(): void {
    if (this.#accounts.empty && !this.#codes.open) this.#options.printCode(this.#codes.issue('technician'));
  }

  async #buildControl(): Promise<FastifyInstance> {
    const app = this.#bare();
    registerApi(app, { gate: this.#options.gate, photographs: this.#photographs, callerOf: consoleCaller });
    app.get('/api/live.jsonl', (_request, reply) => {
      reply.hijack();
      const { raw } = reply;
      raw.writeHead(200, { 'content-type': 'application/jsonl; charset=utf-8', 'cache-control': 'no-store' });
      raw.flushHeaders();
      const sink: LiveSink = {
        send: (text, done) => void raw.write(`${text}\n`, () => done()),
        buffered: () => raw.writableLength,
        drop: () => raw.destroy(),
      };
      const client = this.#hub.add(sink);
      if (client === undefined) raw.end();
      else raw.once('close', () => client.drop('closed'));
    });
    app.post('/api/journal/verify', async (_request, reply) => {
      noStore(reply);
      const { gate } = this.#options;
      if (gate.verifyJournal === undefined) throw new GateError('JOURNAL_CLOSED', 'This gate keeps no journal to verify.');
      return gate.verifyJournal();
    });
    app.post('/api/sign-in-code', (request, reply) => {
      const { role } = parse(codeBody, request.body ?? {}, 'request');
      noStore(reply);
      return { code: this.#codes.issue(role), role };
    });
    registerTechnicianFeeds(app, this.#options.gate);
    registerBackupApi(app, this.#options.gate);
    registerConfigurationApi(app, this.#options.gate, consoleCaller);
    await app.ready();
    return app;
  }

  async #buildWeb(): Promise<FastifyInstance> {
    const app = this.#bare();
    await app.register(helmet, helmetOptions);
    await app.register(cookie);
    await app.register(rateLimit, {
      global: false,
      errorResponseBuilder: (_request, context) =>
        new GateError('HTTP_TOO_MANY_REQUESTS', `Too many attempts. Wait ${context.after}, then try again.`),
    });
    await app.register(websocket, { options: { maxPayload: 4_096 } });
    app.addHook('onRequest', (request, _reply, done) => done(foreignOrigin(request)));

    const callerOf = (request: FastifyRequest): Caller => this.#webCaller(request);
    registerApi(app, { gate: this.#options.gate, photographs: this.#photographs, callerOf });
    this.#registerSignIn(app);
    app.get('/healthz', () => ({ ok: true }));
    app.get(
      '/api/live',
      {
        websocket: true,
        onRequest: (request, _reply, done) => {
          callerOf(request);
          done();
        },
      },
      (socket) => {
        const sink: LiveSink = {
          send: (text, done) => socket.send(text, () => done()),
          buffered: () => socket.bufferedAmount,
          drop: () => socket.terminate(),
        };
        const client = this.#hub.add(sink);
        if (client === undefined) {
          // 1013: try again later (RFC 6455 registry).
          socket.close(1013, 'too many viewers');
          return;
        }
        socket.on('close', () => client.drop('closed'));
        socket.on('error', () => client.drop('connection error'));
        // What a viewer sends means nothing; anything at all is a client gone wrong.
        socket.on('message', () => client.drop('unexpected message'));
      },
    );
    await this.#registerPage(app);
    await app.ready();
    this.#ping(app);
    return app;
  }

  /** A phone that walked out of the Wi-Fi says no good-bye; pings find it. */
  #ping(app: FastifyInstance): void {
    const heard = new WeakSet<object>();
    const known = new WeakSet<object>();
    const round = (): void => {
      for (const socket of app.websocketServer.clients) {
        if (known.has(socket) && !heard.has(socket)) {
          socket.terminate();
          continue;
        }
        if (!known.has(socket)) {
          known.add(socket);
          socket.on('pong', () => heard.add(socket));
        }
        heard.delete(socket);
        socket.ping();
      }
      this.#pinger = this.#options.clock.after(pingEveryMs, round);
    };
    this.#pinger = this.#options.clock.after(pingEveryMs, round);
  }

  #bare(): FastifyInstance {
    const app = Fastify({ logger: false, bodyLimit: largestBodyBytes, forceCloseConnections: true, requestTimeout: 15_000, trustProxy: false });
    // A form on a foreign page can send text/plain without asking; JSON it cannot.
    app.removeContentTypeParser('text/plain');
    app.setErrorHandler(async (cause, request, reply) => {
      const { status, body, unexpected } = replyOf(cause);
      if (unexpected) this.#options.log.error({ method: request.method, url: request.url, error: errorText(cause) }, 'a web request failed');
      noStore(reply);
      return reply.code(status).send(body);
    });
    app.setNotFoundHandler(async (request, reply) => {
      const { status, body } = replyOf(new GateError('HTTP_NOT_FOUND', `There is nothing at ${request.method} ${request.url.slice(0, 100)}; the page is at /, the interface under /api/.`));
      return reply.code(status).send(body);
    });
    return app;
  }

  async #registerPage(app: FastifyInstance): Promise<void> {
    const root = this.#options.pageDirectory ?? builtPageDirectory();
    if (!existsSync(join(root, 'index.html'))) {
      this.#options.log.warn({ root }, 'the page is not built; run npm run build');
      app.get('/', () => {
        throw new GateError('HTTP_NOT_FOUND', 'The page is not built on this gate; run npm run build. The interface under /api/ works.');
      });
      return;
    }
    await app.register(staticFiles, {
      root,
      cacheControl: false,
      setHeaders: (reply, path) => {
        void reply.header('cache-control', path.includes('/fonts/') ? 'public, max-age=31536000, immutable' : 'no-cache');
      },
    });
  }

  #account(request: FastifyRequest): Account | undefined {
    const token = request.cookies[cookieName];
    return token === undefined ? undefined : this.#sessions.find(token);
  }

  #webCaller(request: FastifyRequest): Caller {
    const account = this.#account(request);
    if (account !== undefined) return { issuer: `web:${account.name}`, role: account.role };
    if (this.#options.openView === true) return { role: 'viewer' };
    throw new GateError('HTTP_UNAUTHENTICATED', 'Sign in first.');
  }

  #registerSignIn(app: FastifyInstance): void {
    app.get('/api/session', (request, reply) => {
      noStore(reply);
      return this.#describeSession(this.#account(request));
    });

    // Five tries a minute from one address; a password check costs a core 30 ms, so the flood is stopped before it.
    app.post('/api/sign-in', { config: { rateLimit: { max: 5, timeWindow: 60_000 } } }, async (request, reply) => {
      const body = parse(signInBody, request.body, 'sign-in');
      const account = body.code === undefined ? await this.#signIn(body.name, body.password) : await this.#signInByCode(body.code, body.name, body.password);
      noStore(reply);
      void reply.setCookie(cookieName, this.#sessions.begin(account), {
        httpOnly: true,
        sameSite: 'strict',
        secure: request.protocol === 'https',
        path: '/',
        maxAge: sessionIdleMs / 1_000,
      });
      this.#options.log.info({ name: account.name, role: account.role, address: request.ip }, 'signed in');
      return this.#describeSession(account);
    });

    app.post('/api/sign-out', (request, reply) => {
      const token = request.cookies[cookieName];
      if (token !== undefined) this.#sessions.end(token);
      noStore(reply);
      void reply.clearCookie(cookieName, { path: '/' });
      return this.#describeSession(undefined);
    });
  }

  #describeSession(account: Account | undefined): { signedIn: boolean; name: string | null; role: string | null; firstSignIn: boolean; openView: boolean } {
    return {
      signedIn: account !== undefined,
      name: account?.name ?? null,
      role: account?.role ?? null,
      firstSignIn: this.#accounts.empty,
      openView: this.#options.openView === true,
    };
  }

  async #signIn(name: string, password: string): Promise<Account> {
    if (this.#accounts.empty) {
      this.#offerFirstCode();
      throw new GateError('HTTP_UNAUTHENTICATED', "Nobody has an account yet. Use the one-time code printed on the gate's console to set a password.");
    }
    const account = await this.#accounts.check(name, password);
    if (account === undefined) {
      this.#options.log.warn({ name }, 'sign-in refused');
      throw new GateError('HTTP_UNAUTHENTICATED', 'Name or password is wrong. Forgotten? Run gatectl sign-in-code on the box.');
    }
    return account;
  }

  async #signInByCode(code: string, name: string, password: string): Promise<Account> {
    const role = this.#codes.check(code);
    if (role === undefined) {
      this.#offerFirstCode();
      throw new GateError('HTTP_UNAUTHENTICATED', 'This code is wrong, used or expired. The console shows the one that counts; gatectl sign-in-code prints a new one.');
    }
    if (password.length < leastPasswordLength) {
      throw new GateError('HTTP_BAD_REQUEST', `Choose a password of at least ${leastPasswordLength} characters.`);
    }
    // Spent before anything is awaited, so that two requests cannot use it at once.
    this.#codes.spend(code);
    const account = await this.#accounts.set(name, role, password);
    this.#sessions.endAll(name);
    return account;
  }
}

const helmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'", 'blob:'],
      fontSrc: ["'self'"],
      connectSrc: ["'self'"],
      formAction: ["'self'"],
      baseUri: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
  // The box speaks plain HTTP inside the gate's network unless a proxy adds TLS; a browser told otherwise could not come back.
  strictTransportSecurity: false,
  referrerPolicy: { policy: 'no-referrer' as const },
  crossOriginResourcePolicy: { policy: 'same-origin' as const },
};

/** The page beside this module in dist/, also when the server runs from the sources. */
function builtPageDirectory(): string {
  const relative = import.meta.url.endsWith('.ts') ? '../../dist/web/page/' : './page/';
  return fileURLToPath(new URL(relative, import.meta.url));
}

/**
 * Refuses what another site makes a browser send. SameSite cookies already stay home; this also covers the WebSocket,
 * whose handshake carries cookies from anywhere, and the open view.
 */
function foreignOrigin(request: FastifyRequest): GateError | undefined {
  const writes = request.method !== 'GET' && request.method !== 'HEAD';
  const upgrades = request.headers.upgrade !== undefined;
  if (!writes && !upgrades) return undefined;
  const { origin, host } = request.headers;
  const site = request.headers['sec-fetch-site'];
  const foreign = origin === undefined ? site !== undefined && site !== 'same-origin' && site !== 'none' : hostOf(origin) !== host;
  return foreign ? new GateError('HTTP_FORBIDDEN', `This request comes from another site (${origin ?? 'unknown'}); open the gate's own page at its address.`) : undefined;
}

function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host;
  } catch {
    return undefined;
  }
}

/** On the control socket the file's mode has checked who may ask; the name is what they say, for the record. */
function consoleCaller(request: FastifyRequest): Caller {
  const name = request.headers['x-laurel-user'];
  const known = typeof name === 'string' && /^[\w.-]{1,32}$/u.test(name) ? name : 'local';
  return { issuer: `console:${known}`, role: 'technician' };
}
