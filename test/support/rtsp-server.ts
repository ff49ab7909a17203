import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface RtspServerOptions {
  /** A video file, or `lavfi:` and a graph such as `testsrc=size=640x360:rate=15`. */
  readonly source: string;
  readonly loop?: boolean;
  /** 0 takes any free port. */
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  /** Encodes at this size instead of passing the file's own stream on, e.g. `640x360`. */
  readonly size?: string;
}

export interface RtspServer {
  readonly url: string;
  readonly port: number;
  /** Stops answering without a word, as a camera does that hangs; `resume` lets it go on. */
  pause(): void;
  resume(): void;
  kill(): Promise<void>;
}

function gone(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });
}

/** A real camera: H.264 over RTSP through TCP, with digest sign-in where a user is given. See rtsp-server.py. */
export async function startRtspServer(options: RtspServerOptions): Promise<RtspServer> {
  const script = fileURLToPath(new URL('rtsp-server.py', import.meta.url));
  const args = [script, '--source', options.source, '--port', String(options.port ?? 0)];
  if (options.loop === true) args.push('--loop');
  if (options.size !== undefined) args.push('--size', options.size);
  const env = { ...process.env, RTSP_USER: options.user ?? '', RTSP_PASSWORD: options.password ?? '' };
  const child = spawn('/usr/bin/python3', args, { stdio: ['ignore', 'pipe', 'inherit'], env });
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the RTSP server ended with status ${String(code)} before it listened`)));
  });
  const said: unknown = JSON.parse(line);
  if (typeof said !== 'object' || said === null || !('url' in said) || !('port' in said)) throw new Error(`unexpected line: ${line}`);
  return {
    url: String(said.url),
    port: Number(said.port),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    kill: async () => {
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      await gone(child);
    },
  };
}
