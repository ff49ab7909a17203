import { resolve } from 'node:path';
import { GateError } from '../base/index.js';
import type { ResolvedSource } from './types.js';

/** Longest side of a picture handed to recognition; a larger camera is scaled down by ffmpeg. */
export const longestSide = 1_280;

/** Silence on the network after which ffmpeg gives a connection up by itself, microseconds. */
const networkTimeoutUs = 10_000_000;

export interface FfmpegCommand {
  readonly args: readonly string[];
  /** Written to ffmpeg's standard input, then closed: this is how addresses with passwords travel. */
  readonly stdin?: string;
}

/** The stream's time of each selected picture goes to the fourth pipe; see `PictureTimes`. */
const timing = `metadata=mode=add:key=at:value=1,metadata=mode=print:file='pipe\\:3':direct=1`;

const scaling = `scale=w='min(${longestSide},iw)':h='min(${longestSide},ih)':force_original_aspect_ratio=decrease:force_divisible_by=2:flags=area`;

/**
 * One picture for each slot of 1/rate seconds of the stream's own time. Unlike the `fps` filter it never invents
 * pictures, so a camera whose clock leaps by hours does not set ffmpeg duplicating.
 */
const thinning = (framesPerSecond: number): string =>
  `select='isnan(prev_selected_t)+not(eq(floor(t*${framesPerSecond}),floor(prev_selected_t*${framesPerSecond})))'`;

function quoted(url: string): string {
  // the script's quoting (ffmpeg-utils, "Quoting and escaping"): a quote ends, is escaped, and begins again
  return `'${url.replaceAll("'", "'\\''")}'`;
}

/**
 * An address as a script for ffmpeg's concat demuxer on its standard input. Everybody on the box can read a process's
 * argument list, nobody else can read this pipe.
 */
function script(url: string, options: readonly string[]): string {
  if (/[\r\n]/u.test(url)) throw new GateError('CAMERA_SOURCE_INVALID', 'The camera address holds a line break; write it on one line.');
  return ['ffconcat version 1.0', `file ${quoted(url)}`, ...options.map((option) => `option ${option}`), ''].join('\n');
}

const fromScript = (protocols: string): string[] => ['-f', 'concat', '-safe', '0', '-protocol_whitelist', protocols, '-i', 'pipe:0'];

/** rtsp://host/path with user and password put in, percent-encoded. */
function withCredentials(source: Extract<ResolvedSource, { kind: 'rtsp' }>): string {
  if (source.username === undefined) return source.url;
  const secret = `${encodeURIComponent(source.username)}:${encodeURIComponent(source.password ?? '')}@`;
  return source.url.replace(/^(rtsps?:\/\/)/u, (scheme) => scheme + secret);
}

function input(source: ResolvedSource): { args: string[]; stdin?: string } {
  switch (source.kind) {
    case 'rtsp':
      return {
        args: fromScript('pipe,rtsp,rtsps,rtp,tcp,tls,crypto'),
        stdin: script(withCredentials(source), ['rtsp_transport tcp', `timeout ${networkTimeoutUs}`, 'analyzeduration 1000000', 'fpsprobesize 0', 'fflags nobuffer']),
      };
    case 'http':
      return {
        args: fromScript('pipe,http,https,tcp,tls,crypto'),
        // motion JPEG carries no time of its own
        stdin: script(source.url, ['use_wallclock_as_timestamps 1', `rw_timeout ${networkTimeoutUs}`]),
      };
    case 'file':
      return { args: ['-re', ...(source.loop ? ['-stream_loop', '-1'] : []), '-i', `file:${resolve(source.path)}`] };
    case 'directory':
      throw new GateError('CAMERA_SOURCE_INVALID', `A camera of kind ${source.kind} is not read through ffmpeg.`);
  }
}

/** ffmpeg that plays `source` in its own time and writes its pictures to standard output: JPEG from `http`, else PPM with the pictures' times on pipe 3. */
export function liveCommand(source: ResolvedSource, framesPerSecond: number): FfmpegCommand {
  const { args, stdin } = input(source);
  const selected = ['-map', '0:v:0', '-an', '-sn', '-dn', '-fps_mode', 'passthrough'];
  // Motion JPEG is only taken from the network here, see `MotionJpeg`.
  if (source.kind === 'http') return { args: ['-hide_banner', '-nostats', '-loglevel', 'warning', ...args, ...selected, '-c:v', 'copy', '-f', 'image2pipe', 'pipe:1'], ...(stdin === undefined ? {} : { stdin }) };
  return {
    args: [
      ...['-hide_banner', '-nostats', '-loglevel', 'warning'],
      // one thread decodes 1080p at camera rate and delays nothing; the size is kept for ffmpeg's life (see sizeChanged)
      ...['-threads', '1', '-reinit_filter', '0'],
      ...args,
      ...[...selected, '-vf', `${thinning(framesPerSecond)},${timing},${scaling}`],
      ...['-f', 'image2pipe', '-c:v', 'ppm', 'pipe:1'],
    ],
    ...(stdin === undefined ? {} : { stdin }),
  };
}

/** ffmpeg that decodes a file as fast as it is read. */
export function fileCommand(path: string, framesPerSecond: number): FfmpegCommand {
  return {
    args: [
      ...['-hide_banner', '-nostats', '-nostdin', '-loglevel', 'error', '-reinit_filter', '0', '-i', `file:${resolve(path)}`],
      ...['-map', '0:v:0', '-an', '-sn', '-dn', '-fps_mode', 'passthrough', '-vf', `${thinning(framesPerSecond)},${scaling}`],
      ...['-f', 'image2pipe', '-c:v', 'ppm', 'pipe:1'],
    ],
  };
}

/** ffmpeg's word for a stream that changed its size; it must then be started anew to learn the new one. */
export function sizeChanged(line: string): boolean {
  return line.includes('Changing video frame properties on the fly');
}
