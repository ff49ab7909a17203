import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import sharp from 'sharp';
import { z } from 'zod';
import { GateError, errorText, silentLog } from '../../base/index.js';
import { systemClock } from '../../base/system-clock.js';
import { openCamera, type FrameSource } from '../../camera/index.js';
import { readSecret } from '../../config/index.js';
import { recognizeFiles } from '../../vision/index.js';
import { sleep, type Dialogue } from '../dialogue.js';
import type { CliWords } from '../words/index.js';
import type { CameraDraft } from './draft.js';
import type { Memory } from './memory.js';

const pictureMs = 15_000;

/** Asks for the lane's camera, and shows that it gives a picture and what is read in it. */
export async function askCamera(lane: string, configPath: string, { dialogue, memory, words }: { readonly dialogue: Dialogue; readonly memory: Memory; readonly words: CliWords }): Promise<CameraDraft | undefined> {
  const say = words.commission;
  if (!(await memory.keep('camera', z.boolean(), () => dialogue.confirm('camera', say.camera, false)))) return undefined;
  const text = (id: string, question: string, fallback?: string, check?: (given: string) => string | undefined): Promise<string> => memory.keep(id, z.string(), () => dialogue.ask(id, question, { fallback, ...(check === undefined ? {} : { check }) }));
  const url = await text('camera.url', say.cameraUrl, undefined, (given) => (/^(?:rtsps?|https?):\/\/[^@\s]+$/u.test(given) ? undefined : say.cameraUrlFault));
  const rtsp = url.startsWith('rtsp');
  const username = rtsp ? await text('camera.username', say.cameraUser, '-') : '-';
  const password = username === '-' ? '-' : await text('camera.password', say.cameraPassword, `secrets/${lane}-camera`);
  const draft: CameraDraft = {
    id: `${lane}-camera`,
    source: { kind: rtsp ? 'rtsp' : 'http', url, ...(username === '-' ? {} : { username }), ...(password === '-' ? {} : { password: { file: password } }) },
  };
  if (await dialogue.confirm('camera.test', say.cameraTest, true)) {
    try {
      dialogue.say(await testPicture(draft, configPath, words, dialogue.signal));
    } catch (cause) {
      if (dialogue.signal.aborted) throw cause;
      // The camera may be wired later; the lane works without it.
      dialogue.say(say.cameraFailed(errorText(cause)));
    }
  }
  return draft;
}

async function testPicture({ id, source }: CameraDraft, configPath: string, words: CliWords, signal: AbortSignal): Promise<string> {
  const { password: reference, kind, url, ...rest } = source;
  const path = reference?.file;
  const password = path === undefined ? undefined : await readSecret({ file: isAbsolute(path) ? path : resolve(dirname(configPath), path) });
  const resolved = kind === 'http' ? { kind, url } : { kind, url, ...rest, password };
  const camera = openCamera({ id, framesPerSecond: 5, source: resolved }, { clock: systemClock, log: silentLog, random: Math.random });
  const folder = await mkdtemp(join(tmpdir(), 'laurel-picture-'));
  try {
    const file = join(folder, 'picture.jpg');
    const { width, height } = await takePicture(camera, file, signal);
    const plates: string[] = [];
    for await (const result of recognizeFiles([file])) {
      if ('plates' in result) plates.push(...result.plates.map((plate) => `${plate.text} (${(plate.confidence * 100).toFixed(0)} %)`));
    }
    return words.commission.cameraPicture(width, height, plates.join(', ') || words.commission.cameraNone);
  } finally {
    await camera.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function takePicture(camera: FrameSource, file: string, signal: AbortSignal): Promise<{ readonly width: number; readonly height: number }> {
  let trouble = '';
  camera.onState(({ detail }) => (trouble = detail ?? trouble));
  camera.start();
  const untilMs = systemClock.monoMs() + pictureMs;
  for (;;) {
    const frame = camera.newest();
    if (frame !== undefined) {
      const { width, height } = frame;
      try {
        await sharp(frame.data, { raw: { width, height, channels: 3 } }).jpeg({ quality: 92 }).toFile(file);
      } finally {
        frame.release();
      }
      return { width, height };
    }
    if (systemClock.monoMs() > untilMs || signal.aborted) throw new GateError('CAMERA_LOST', trouble === '' ? `nothing came within ${pictureMs / 1_000} s` : trouble);
    await sleep(50, signal);
  }
}
