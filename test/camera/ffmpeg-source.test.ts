import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { silentLog, type Clock, type Timer } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { FfmpegSource, openCamera, readVideoFile, type FrameSource, type ResolvedSource, type SourceChange } from '../../src/camera/index.js';
import { startRtspServer, type RtspServer } from '../support/rtsp-server.js';
import { until } from '../support/until.js';

const run = promisify(execFile);
/** Three times the machine's pace, so that stalls and back-offs of many seconds take a fraction. */
const hasty: Clock = {
  monoMs: () => systemClock.monoMs() * 3,
  wallMs: () => systemClock.wallMs(),
  after: (delayMs: number, callback: () => void): Timer => systemClock.after(delayMs / 3, callback),
};

let directory = '';
let video = '';
const sources: FrameSource[] = [];
const servers: RtspServer[] = [];

function open(source: ResolvedSource, clock: Clock = systemClock): { source: FrameSource; changes: SourceChange[] } {
  const opened = openCamera({ id: 'front', source, framesPerSecond: 8 }, { clock, log: silentLog, random: () => 0 });
  const changes: SourceChange[] = [];
  opened.onState((change) => void changes.push(change));
  sources.push(opened);
  return { source: opened, changes };
}

async function serve(options: Parameters<typeof startRtspServer>[0]): Promise<RtspServer> {
  const server = await startRtspServer(options);
  servers.push(server);
  return server;
}

function sizeOf(source: FrameSource): string {
  const frame = source.newest();
  frame?.release();
  return frame === undefined ? 'none' : `${frame.width}x${frame.height}`;
}

/** Every argument list of the machine, as `ps` shows them to everybody. */
function argumentLists(): string {
  const lists = readdirSync('/proc').filter((name) => /^\d+$/u.test(name)).map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    } catch {
      return '';
    }
  });
  return lists.join('\n') + execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'laurel-camera-'));
  video = join(directory, 'short.mp4');
  await run('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc=size=320x180:rate=30:duration=2', '-pix_fmt', 'yuv420p', '-preset', 'ultrafast', video]);
});

afterEach(async () => {
  await Promise.all(sources.splice(0).map((source) => source.stop()));
  await Promise.all(servers.splice(0).map((server) => server.kill()));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('a network camera', () => {
  it('with a digest password gives pictures, and the password shows in no argument list', async () => {
    const password = 'p@ss/w:örd %7';
    const server = await serve({ source: 'lavfi:testsrc=size=640x360:rate=15', user: 'gate', password });
    const { source, changes } = open({ kind: 'rtsp', url: server.url, username: 'gate', password });
    source.start();
    await until(() => source.state() === 'live', { timeoutMs: 20_000, what: 'the first picture' });
    expect(sizeOf(source)).toBe('640x360');
    const shown = argumentLists();
    expect(shown).toContain('image2pipe');
    expect(shown).not.toContain('p@ss');
    expect(shown).not.toContain(encodeURIComponent(password));
    expect(changes.map((change) => change.state)).toEqual(['live']);
  });

  it('with a wrong password is lost with a word a technician understands, without the password', async () => {
    const server = await serve({ source: 'lavfi:testsrc=size=320x180:rate=15', user: 'gate', password: 'right' });
    const { source, changes } = open({ kind: 'rtsp', url: server.url, username: 'gate', password: 'mistaken' });
    source.start();
    await until(() => changes.some((change) => change.state === 'lost'), { what: 'the refusal' });
    expect(changes[0]?.detail).toMatch(/refuses the user or password/u);
    expect(JSON.stringify(changes)).not.toContain('mistaken');
  });

  it('that is switched off and on again recovers by itself, at its new size, and says so', async () => {
    const first = await serve({ source: 'lavfi:testsrc=size=640x360:rate=15' });
    const { source, changes } = open({ kind: 'rtsp', url: first.url });
    source.start();
    await until(() => source.state() === 'live', { timeoutMs: 20_000, what: 'the first picture' });
    await first.kill();
    await until(() => source.state() === 'lost', { timeoutMs: 20_000, what: 'the loss' });
    await serve({ source: 'lavfi:testsrc=size=320x240:rate=15', port: first.port });
    await until(() => source.state() === 'live' && sizeOf(source) === '320x240', { timeoutMs: 30_000, what: 'the return' });
    expect(changes.map((change) => change.state)).toEqual(['live', 'lost', 'live']);
  });

  it('that hangs without a word is noticed by its missing pictures', async () => {
    const server = await serve({ source: 'lavfi:testsrc=size=320x180:rate=25' });
    const { source, changes } = open({ kind: 'rtsp', url: server.url }, hasty);
    source.start();
    await until(() => source.state() === 'live', { timeoutMs: 20_000, what: 'the first picture' });
    server.pause();
    await until(() => source.state() === 'lost', { timeoutMs: 20_000, what: 'the stall' });
    expect(changes.find((change) => change.state === 'lost')?.detail).toMatch(/no picture for 5 s/u);
  });

  it('whose ffmpeg is killed comes back', async () => {
    const server = await serve({ source: 'lavfi:testsrc=size=320x180:rate=15' });
    const source = new FfmpegSource({ camera: { id: 'front', source: { kind: 'rtsp', url: server.url }, framesPerSecond: 8 }, clock: systemClock, log: silentLog, random: () => 0 });
    sources.push(source);
    const states: string[] = [];
    source.onState((change) => void states.push(change.state));
    source.start();
    await until(() => source.state() === 'live', { timeoutMs: 20_000, what: 'the first picture' });
    process.kill(source.pid() ?? 0, 'SIGKILL');
    await until(() => states.length === 3, { timeoutMs: 30_000, what: 'the return' });
    expect(states).toEqual(['live', 'lost', 'live']);
  });

  it('whose ffmpeg gets no processor for a while gives pictures that say when they were taken, not when they came', async () => {
    const server = await serve({ source: 'lavfi:testsrc=size=320x180:rate=15' });
    const source = new FfmpegSource({ camera: { id: 'front', source: { kind: 'rtsp', url: server.url }, framesPerSecond: 8 }, clock: systemClock, log: silentLog, random: () => 0 });
    sources.push(source);
    const seen: { readonly takenMs: number; readonly cameMs: number }[] = [];
    source.onFrame(() => {
      const frame = source.newest();
      if (frame !== undefined) seen.push({ takenMs: frame.atMs, cameMs: systemClock.monoMs() });
      frame?.release();
    });
    source.start();
    await until(() => seen.length >= 30, { timeoutMs: 30_000, what: 'pictures' });
    const pid = source.pid() ?? 0;
    const stoppedMs = systemClock.monoMs();
    process.kill(pid, 'SIGSTOP');
    await until(() => systemClock.monoMs() > stoppedMs + 2_000, { what: 'the stop to be over' });
    const before = seen.length;
    process.kill(pid, 'SIGCONT');
    await until(() => seen.length >= before + 20, { timeoutMs: 20_000, what: 'the pictures that waited' });
    const resumedMs = stoppedMs + 2_000;
    const late = seen.slice(before).filter(({ cameMs, takenMs }) => cameMs > resumedMs && takenMs < resumedMs - 250);
    // taken at 8 a second in two seconds
    expect(late.length).toBeGreaterThan(8);
    const taken = seen.map(({ takenMs }) => takenMs);
    expect(taken).toEqual([...taken].sort((a, b) => a - b));
  });

  it('with motion JPEG over http gives pictures too', async () => {
    const still = join(directory, 'still.jpg');
    await run('ffmpeg', ['-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc=size=320x180', '-frames:v', '1', still]);
    const jpeg = readFileSync(still);
    const server: Server = createServer((request, response) => {
      if (request.headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="camera"' }).end();
        return;
      }
      response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace; boundary=frame' });
      const timer = setInterval(() => {
        response.write(`--frame\r\nContent-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\n\r\n`);
        response.write(jpeg);
        response.write('\r\n');
      }, 50);
      response.on('close', () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const { source } = open({ kind: 'http', url: `http://user:secret@127.0.0.1:${port}/stream.mjpeg` });
    source.start();
    await until(() => source.state() === 'live' && sizeOf(source) === '320x180', { what: 'the first picture' });
    await source.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('where ffmpeg is missing', () => {
  it('the camera is lost with a code and what to install, and nothing crashes', async () => {
    const source = new FfmpegSource({ camera: { id: 'front', source: { kind: 'file', path: video, loop: false }, framesPerSecond: 8 }, clock: systemClock, log: silentLog, random: () => 0, ffmpeg: '/nonexistent/ffmpeg' });
    sources.push(source);
    const changes: SourceChange[] = [];
    source.onState((change) => void changes.push(change));
    source.start();
    await until(() => changes.length > 0, { what: 'the report' });
    expect(changes[0]?.state).toBe('lost');
    expect(changes[0]?.detail).toMatch(/FFMPEG_MISSING/u);
  });
});

describe('a file as a camera', () => {
  it('ends where the video ends', async () => {
    const { source, changes } = open({ kind: 'file', path: video, loop: false });
    source.start();
    await until(() => source.state() === 'ended', { what: 'the end' });
    expect(changes.map((change) => change.state)).toEqual(['live', 'ended']);
  });

  it('plays over and over in its own time where it is looped', async () => {
    const { source } = open({ kind: 'file', path: video, loop: true });
    let frames = 0;
    source.onFrame(() => void (frames += 1));
    const startMs = performance.now();
    source.start();
    await until(() => frames >= 20, { what: 'pictures beyond the end of the video' });
    expect(performance.now() - startMs).toBeGreaterThan(1_500);
    expect(source.state()).toBe('live');
  });

  it('that holds no video is lost with a word on why', async () => {
    const broken = join(directory, 'broken.mp4');
    writeFileSync(broken, 'this is no video');
    const { source, changes } = open({ kind: 'file', path: broken, loop: false });
    source.start();
    await until(() => changes.length > 0, { what: 'the report' });
    expect(changes[0]?.state).toBe('lost');
    expect(changes[0]?.detail).toMatch(/no video that ffmpeg understands/u);
  });
});

describe('a directory as a camera', () => {
  it('shows its pictures in order and ends', async () => {
    const stills = mkdtempSync(join(directory, 'stills-'));
    await run('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc=size=320x180:rate=5', '-frames:v', '5', join(stills, '%02d.jpg')]);
    const { source, changes } = open({ kind: 'directory', path: stills }, hasty);
    let frames = 0;
    source.onFrame(() => void (frames += 1));
    source.start();
    await until(() => source.state() === 'ended', { what: 'the end' });
    expect(frames).toBe(5);
    expect(changes.map((change) => change.state)).toEqual(['live', 'ended']);
  });

  it('without pictures is lost and says which directory', async () => {
    const { source, changes } = open({ kind: 'directory', path: mkdtempSync(join(directory, 'empty-')) });
    source.start();
    await until(() => changes.length > 0, { what: 'the report' });
    expect(changes[0]?.detail).toMatch(/CAMERA_SOURCE_INVALID.*empty-/u);
  });
});

describe('a video read for recognition', () => {
  it('gives every picture at the rate asked for, as fast as they are taken', async () => {
    const times: number[] = [];
    for await (const { frame, videoMs } of readVideoFile(video, { framesPerSecond: 10 })) {
      expect(frame.data.length).toBe(320 * 180 * 3);
      times.push(videoMs);
    }
    expect(times).toHaveLength(20);
    expect(times.at(-1)).toBe(1_900);
  });

  it('may be left in the middle without leaving ffmpeg behind', async () => {
    const iterator = readVideoFile(video, { framesPerSecond: 30 });
    await iterator.next();
    await iterator.return(undefined);
    expect(argumentLists()).not.toContain(`file:${video}`);
  });

  it('that is none is refused with a word on why', async () => {
    const broken = join(directory, 'broken2.mp4');
    writeFileSync(broken, 'nothing');
    await expect(readVideoFile(broken, { framesPerSecond: 5 }).next()).rejects.toThrow(/PICTURE_UNREADABLE/u);
  });
});
