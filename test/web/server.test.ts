import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod/mini';
import { ManualClock, silentLog } from '../../src/base/index.js';
import { WebServer, type WebServerOptions } from '../../src/web/index.js';
import { until } from '../support/until.js';
import { FakeGate } from './fake-gate.js';

const errorBody = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

let directory: string;
let gate: FakeGate;
let clock: ManualClock;
let codes: string[];
let server: WebServer;
let url: string;

async function startServer(more: Partial<WebServerOptions> = {}): Promise<void> {
  server = new WebServer({
    host: '127.0.0.1',
    port: 0,
    gate,
    clock,
    log: silentLog,
    dataDirectory: directory,
    printCode: (code) => codes.push(code),
    ...more,
  });
  ({ url } = await server.start());
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'laurel-web-'));
  gate = new FakeGate();
  clock = new ManualClock();
  codes = [];
  await startServer();
});

afterEach(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

function get(path: string, cookie?: string): Promise<Response> {
  return fetch(new URL(path, url), { headers: cookie === undefined ? {} : { cookie } });
}

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(new URL(path, url), { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
}

async function errorOf(response: Response): Promise<{ code: string; message: string }> {
  return errorBody.parse(await response.json()).error;
}

const password = 'seven sleepers';

async function signIn(name = 'guard'): Promise<string> {
  const response = await post('/api/sign-in', { name, password, code: codes.at(-1) ?? '' });
  expect(response.status).toBe(200);
  const cookie = response.headers.get('set-cookie') ?? '';
  return cookie.split(';')[0] ?? '';
}

/** One request over the control socket. */
function overSocket(method: string, path: string, body?: unknown, user = 'pi'): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { socketPath: join(directory, 'control.sock'), method, path, headers: { 'x-laurel-user': user, ...(body === undefined ? {} : { 'content-type': 'application/json' }) } },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    request.once('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

describe('signing in', () => {
  it('has no default password: the first account is made with the code on the console', async () => {
    expect(codes).toHaveLength(1);
    expect(codes[0]).toMatch(/^[2-9A-Z]{4}-[2-9A-Z]{4}$/u);
    const refused = await post('/api/sign-in', { name: 'admin', password: 'admin' });
    expect(refused.status).toBe(401);
    expect((await errorOf(refused)).message).toContain('one-time code');
    const cookie = await signIn();
    const session = await get('/api/session', cookie);
    expect(await session.json()).toEqual({ signedIn: true, name: 'guard', role: 'technician', firstSignIn: false, openView: false });
  });

  it('takes the code in any spelling, but only once', async () => {
    const code = codes[0] ?? '';
    const first = await post('/api/sign-in', { name: 'guard', password, code: code.toLowerCase().replace('-', ' ') });
    expect(first.status).toBe(200);
    const again = await post('/api/sign-in', { name: 'thief', password, code });
    expect(again.status).toBe(401);
  });

  it('keeps the code when the password was too short', async () => {
    const short = await post('/api/sign-in', { name: 'guard', password: 'short', code: codes[0] });
    expect(short.status).toBe(400);
    expect((await errorOf(short)).message).toContain('at least 8');
    await signIn();
  });

  it('stores only an argon2id hash, readable by the owner alone, and knows it after a restart', async () => {
    await signIn();
    const file = join(directory, 'web-accounts.json');
    const text = await readFile(file, 'utf8');
    expect(text).toContain('$argon2id$');
    expect(text).not.toContain(password);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await server.stop();
    await startServer();
    expect(codes).toHaveLength(1);
    expect((await post('/api/sign-in', { name: 'guard', password })).status).toBe(200);
    expect((await post('/api/sign-in', { name: 'guard', password: 'seven sleepersx' })).status).toBe(401);
  });

  it('sets a cookie that scripts and other sites cannot use', async () => {
    const response = await post('/api/sign-in', { name: 'guard', password, code: codes[0] });
    const cookie = response.headers.get('set-cookie') ?? '';
    expect(cookie).toContain('HttpOnly');
    expect(cookie).toContain('SameSite=Strict');
  });

  it('slows guessing down: the sixth try within a minute waits', async () => {
    await signIn();
    for (let attempt = 0; attempt < 4; attempt += 1) await post('/api/sign-in', { name: 'guard', password: 'wrong wrong' });
    const limited = await post('/api/sign-in', { name: 'guard', password });
    expect(limited.status).toBe(429);
    expect(await errorOf(limited)).toMatchObject({ code: 'HTTP_TOO_MANY_REQUESTS' });
  });

  it('ends a session on sign-out and after a shift without use', async () => {
    const cookie = await signIn();
    expect((await get('/api/status', cookie)).status).toBe(200);
    clock.advance(11 * 3_600_000);
    expect((await get('/api/status', cookie)).status).toBe(200);
    clock.advance(13 * 3_600_000);
    expect((await get('/api/status', cookie)).status).toBe(401);
    const fresh = await post('/api/sign-in', { name: 'guard', password });
    const token = (fresh.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    await post('/api/sign-out', {}, { cookie: token });
    expect((await get('/api/status', token)).status).toBe(401);
  });

  it('lets somebody with the box in hand back in, and ends the sessions of the old password', async () => {
    const old = await signIn();
    const issued = await overSocket('POST', '/api/sign-in-code', { role: 'guard' });
    const { code } = z.object({ code: z.string() }).parse(JSON.parse(issued.text));
    const response = await post('/api/sign-in', { name: 'guard', password: 'another one', code });
    expect(await response.json()).toMatchObject({ signedIn: true, role: 'guard' });
    expect((await get('/api/status', old)).status).toBe(401);
  });

  it('a damaged accounts file stops the start with words, instead of a gate without password', async () => {
    await server.stop();
    await writeFile(join(directory, 'web-accounts.json'), '{"version":1,"acc');
    await expect(startServer()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await rm(join(directory, 'web-accounts.json'));
    await startServer();
  });
});

describe('without signing in', () => {
  it.each(['/api/status', '/api/events', '/api/lanes/entry/photo.jpg', `/api/evidence/${'ab'.repeat(32)}.jpg`])('%s shows nothing', async (path) => {
    gate.picture = new Uint8Array([0xff, 0xd8]);
    const response = await get(path);
    expect(response.status).toBe(401);
    expect(await errorOf(response)).toMatchObject({ code: 'HTTP_UNAUTHENTICATED' });
  });

  it('orders are refused and nothing moves', async () => {
    const response = await post('/api/lanes/entry/command', { target: 'open', reason: 'let me in' });
    expect(response.status).toBe(401);
    expect(gate.orders).toHaveLength(0);
  });

  it('says that it is alive', async () => {
    expect((await get('/healthz')).status).toBe(200);
  });

  it('an open view shows but does not order', async () => {
    await server.stop();
    await startServer({ openView: true });
    expect((await get('/api/status')).status).toBe(200);
    const response = await post('/api/lanes/entry/command', { target: 'open', reason: 'let me in' });
    expect(response.status).toBe(401);
    expect(gate.orders).toHaveLength(0);
  });
});

describe('asking and ordering', () => {
  it('opens with a reason, on record with a name', async () => {
    const cookie = await signIn();
    const response = await post('/api/lanes/entry/command', { target: 'open', reason: ' delivery for 3-201 ' }, { cookie });
    expect(await response.json()).toMatchObject({ lane: 'entry', target: 'open', issuer: 'web:guard', result: { state: 'done' } });
    expect(gate.orders).toEqual([expect.objectContaining({ lane: 'entry', target: 'open', issuer: 'web:guard', reason: 'delivery for 3-201' })]);
  });

  it.each([
    [{ target: 'toggle', reason: 'x' }, 'target: one of open, close, hold, release, stop'],
    [{ target: 'open' }, 'reason: missing'],
    [{ target: 'open', reason: '   ' }, 'reason'],
    [{ target: 'open', reason: 'x', force: true }, 'unknown: force'],
    [{ target: 'open', reason: 'x'.repeat(201) }, 'at most 200'],
  ])('%j is refused in words', async (body, words) => {
    const cookie = await signIn();
    const response = await post('/api/lanes/entry/command', body, { cookie });
    expect(response.status).toBe(400);
    expect((await errorOf(response)).message).toContain(words);
    expect(gate.orders).toHaveLength(0);
  });

  it('a refusal by the lane arrives with its reason', async () => {
    const cookie = await signIn();
    gate.show('entry', { boom: 'open', boomPosition: 1, sensors: { closing: 'on' } });
    const response = await post('/api/lanes/entry/command', { target: 'close', reason: 'done' }, { cookie });
    expect(response.status).toBe(409);
    const { code, message } = await errorOf(response);
    expect(code).toBe('COMMAND_REFUSED');
    expect(message).toContain('closing loop is occupied');
    const unknown = await post('/api/lanes/north/command', { target: 'open', reason: 'x' }, { cookie });
    expect(unknown.status).toBe(404);
    expect((await errorOf(unknown)).message).toContain('entry, exit');
  });

  it('refuses an order another site made the browser send', async () => {
    const cookie = await signIn();
    const foreign = await post('/api/lanes/entry/command', { target: 'open', reason: 'x' }, { cookie, origin: 'https://evil.example' });
    expect(foreign.status).toBe(403);
    const form = await fetch(new URL('/api/lanes/entry/command', url), {
      method: 'POST',
      headers: { cookie, 'content-type': 'text/plain' },
      body: JSON.stringify({ target: 'open', reason: 'x' }),
    });
    expect(form.status).toBe(415);
    expect(gate.orders).toHaveLength(0);
    const own = await post('/api/lanes/entry/command', { target: 'open', reason: 'x' }, { cookie, origin: new URL(url).origin });
    expect(own.status).toBe(200);
  });

  it('pages through events and filters by lane', async () => {
    const cookie = await signIn();
    for (let index = 0; index < 7; index += 1) gate.record('passage.started', index % 2 === 0 ? 'entry' : 'exit', `p${index}`, {});
    const seqs = async (query: string): Promise<number[]> => {
      const response = await get(`/api/events${query}`, cookie);
      return z.object({ events: z.array(z.object({ seq: z.number() })) }).parse(await response.json()).events.map((event) => event.seq);
    };
    expect(await seqs('')).toEqual([7, 6, 5, 4, 3, 2, 1]);
    expect(await seqs('?lane=exit')).toEqual([6, 4, 2]);
    expect(await seqs('?after=5&order=oldest')).toEqual([6, 7]);
    expect(await seqs('?before=4&limit=2')).toEqual([3, 2]);
    const wrong = await get('/api/events?limit=many', cookie);
    expect((await errorOf(wrong)).message).toContain('limit');
  });

  it('shares one picture between many viewers', async () => {
    const cookie = await signIn();
    gate.picture = new Uint8Array([0xff, 0xd8, 0xff, 0xd9]);
    const pictures = await Promise.all(Array.from({ length: 8 }, () => get('/api/lanes/entry/photo.jpg', cookie)));
    expect(pictures.map((picture) => picture.status)).toEqual(Array.from({ length: 8 }, () => 200));
    expect(pictures[0]?.headers.get('content-type')).toBe('image/jpeg');
    expect(pictures[0]?.headers.get('cache-control')).toBe('no-store');
    expect(gate.photographsTaken).toBe(1);
    gate.picture = undefined;
    clock.advance(200);
    const gone = await get('/api/lanes/entry/photo.jpg', cookie);
    expect(gone.status).toBe(404);
    expect((await errorOf(gone)).message).toContain('no fresh picture');
  });

  it('serves evidence by its content and nothing by a path', async () => {
    const cookie = await signIn();
    gate.picture = new Uint8Array([0xff, 0xd8]);
    expect((await get(`/api/evidence/${'ab'.repeat(32)}.jpg`, cookie)).status).toBe(200);
    expect((await get(`/api/evidence/${'cd'.repeat(32)}.jpg`, cookie)).status).toBe(404);
    expect((await get('/api/evidence/..%2f..%2fetc%2fpasswd.jpg', cookie)).status).toBe(400);
  });

  it('answers what it does not know with a code and words', async () => {
    const nowhere = await get('/api/nowhere');
    expect(nowhere.status).toBe(404);
    expect(await errorOf(nowhere)).toMatchObject({ code: 'HTTP_NOT_FOUND' });
    const broken = await fetch(new URL('/api/sign-in', url), { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' });
    expect(broken.status).toBe(400);
    expect(await errorOf(broken)).toMatchObject({ code: 'HTTP_BAD_REQUEST' });
    const large = await post('/api/sign-in', { name: 'x', password: 'y'.repeat(40_000) });
    expect(large.status).toBe(413);
  });

  it('keeps its own faults out of the reply', async () => {
    const cookie = await signIn();
    gate.status = () => Promise.reject(new Error('secret path /root/x'));
    const response = await get('/api/status', cookie);
    expect(response.status).toBe(500);
    expect(JSON.stringify(await errorOf(response))).not.toContain('secret');
  });

  it('sends headers that keep other pages and scripts out', async () => {
    const { headers } = await get('/healthz');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('content-security-policy')).not.toContain('unsafe');
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });
});

describe('the live feed', () => {
  function connect(headers: Record<string, string>): Promise<{ messages: string[]; socket: WebSocketLike; closed: Promise<void> }> {
    return openWebSocket(new URL('/api/live', url), headers);
  }

  it('pushes lanes and events as they come', async () => {
    const cookie = await signIn();
    const { messages, socket } = await connect({ cookie, origin: new URL(url).origin });
    await until(() => server.liveClients === 1, { what: 'the client' });
    gate.show('entry', { boom: 'opening', boomPosition: 0.4 });
    gate.record('boom.opening', 'entry', 'p1', { cause: { kind: 'decision', detail: 'resident' } });
    await until(() => messages.length >= 2, { what: 'two messages' });
    expect(messages.map((text) => z.object({ kind: z.string() }).parse(JSON.parse(text)).kind)).toEqual(['lane', 'event']);
    socket.close();
    await until(() => server.liveClients === 0, { what: 'the client to be gone' });
  });

  it('is closed to strangers and to other sites', async () => {
    await expect(connect({})).rejects.toThrow('401');
    const cookie = await signIn();
    await expect(connect({ cookie, origin: 'https://evil.example' })).rejects.toThrow('403');
  });

  it('drops a client that does not read instead of keeping everything for it', async () => {
    const cookie = await signIn();
    const { hostname, port } = new URL(url);
    const socket = createConnection({ host: hostname, port: Number(port) });
    socket.on('error', () => undefined);
    socket.write(
      `GET /api/live HTTP/1.1\r\nHost: ${hostname}:${port}\r\nCookie: ${cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    await until(() => server.liveClients === 1, { what: 'the client' });
    socket.pause();
    const filler = 'x'.repeat(20_000);
    await until(
      () => {
        for (let index = 0; index < 20; index += 1) gate.record('passage.read', 'entry', 'p1', { filler });
        gate.stored.length = 0;
        return server.liveClients === 0;
      },
      { what: 'the slow client to be dropped' },
    );
    socket.destroy();
    expect((await get('/api/status', cookie)).status).toBe(200);
  });

  it('stops without waiting for its viewers', async () => {
    const cookie = await signIn();
    const { closed } = await connect({ cookie });
    await until(() => server.liveClients === 1, { what: 'the client' });
    await server.stop();
    await closed;
    expect(gate.listeners).toBe(0);
  });
});

describe('the control socket', () => {
  it('is for its owner alone and gone after the stop', async () => {
    const path = join(directory, 'control.sock');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await server.stop();
    await expect(stat(path)).rejects.toThrow();
    await startServer();
  });

  it('takes orders of the console and names who gave them', async () => {
    const status = await overSocket('GET', '/api/status');
    expect(status.status).toBe(200);
    await overSocket('POST', '/api/lanes/exit/command', { target: 'hold', reason: 'removal van' }, 'wang');
    expect(gate.orders).toEqual([expect.objectContaining({ lane: 'exit', target: 'hold', issuer: 'console:wang' })]);
    await overSocket('POST', '/api/lanes/exit/command', { target: 'release', reason: 'done' }, 'evil name; drop');
    expect(gate.orders[1]?.issuer).toBe('console:local');
  });

  it('replaces the socket a killed gate left behind', async () => {
    await server.stop();
    await writeFile(join(directory, 'control.sock'), '');
    await startServer();
    expect((await overSocket('GET', '/api/status')).status).toBe(200);
  });

  it('refuses a second gate on the same data, and leaves the first alone', async () => {
    const second = new WebServer({ host: '127.0.0.1', port: 0, gate, clock, log: silentLog, dataDirectory: directory, printCode: () => undefined });
    await expect(second.start()).rejects.toMatchObject({ code: 'CONTROL_BUSY' });
    expect((await overSocket('GET', '/api/status')).status).toBe(200);
  });

  it('says which port is taken', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'laurel-web-'));
    const second = new WebServer({ host: '127.0.0.1', port: Number(new URL(url).port), gate, clock, log: silentLog, dataDirectory: elsewhere, printCode: () => undefined });
    await expect(second.start()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await rm(elsewhere, { recursive: true, force: true });
  });
});

interface WebSocketLike {
  close(): void;
}

/** A WebSocket client with headers of choice (Node's own has none), enough to read text messages. */
async function openWebSocket(target: URL, headers: Record<string, string>): Promise<{ messages: string[]; socket: WebSocketLike; closed: Promise<void> }> {
  const { WebSocket } = await import('ws');
  const socket = new WebSocket(target.href.replace(/^http/u, 'ws'), { headers });
  const messages: string[] = [];
  socket.on('message', (data) => messages.push(Buffer.isBuffer(data) ? data.toString('utf8') : ''));
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve());
    socket.once('error', reject);
  });
  return { messages, socket, closed };
}
