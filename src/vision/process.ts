import sharp from 'sharp';
import { errorText, isGateError, type Log } from '../base/index.js';
import { systemClock } from '../base/system-clock.js';
import { Engine } from './engine.js';
import { startNetworks } from './networks.js';
import { isToVision, machineMs, type FromVision, type ToVision } from './protocol.js';
import { Recognizer } from './recognizer.js';
import { onClock } from './types.js';

/** The vision process: started by `VisionClient`, ends with it. */

const beatEveryMs = 1_000;

process.title = 'laurel-vision';
sharp.concurrency(1);
sharp.cache(false);

function send(message: FromVision): void {
  if (process.connected) process.send?.(message);
}

const log: Log = {
  debug: (facts, message) => send({ type: 'log', level: 'debug', facts, message }),
  info: (facts, message) => send({ type: 'log', level: 'info', facts, message }),
  warn: (facts, message) => send({ type: 'log', level: 'warn', facts, message }),
  error: (facts, message) => send({ type: 'log', level: 'error', facts, message }),
};

/** This process's monotonic time as the machine's, which the main process can read. */
const toMachineMs = (ownMs: number): number => machineMs() - (systemClock.monoMs() - ownMs);

let engine: Engine | undefined;

async function start(message: Extract<ToVision, { type: 'start' }>): Promise<void> {
  const { directories, lastGood, threads } = message;
  const { models, refused } = await startNetworks({ directories, lastGood, threads, clock: systemClock, log, onLost: failed });
  engine = new Engine({
    cameras: message.cameras,
    recognizer: new Recognizer(models),
    run: message.run,
    clock: systemClock,
    log,
    random: () => Math.random(),
    onTrack: (report) => send({ type: 'track', report: onClock(report, toMachineMs) }),
    onCamera: (lane, camera, state, detail) => send({ type: 'camera', lane, camera, state, ...(detail === undefined ? {} : { detail }) }),
  });
  await engine.warmUp();
  send({ type: 'ready', directory: models.directory, version: String(models.manifest.version), refused: refused.map(({ reason }) => reason) });
  engine.start();
}

async function photograph(id: number, lane: string): Promise<void> {
  try {
    const taken = await engine?.photograph(lane);
    send(taken === undefined ? { type: 'photograph', id } : { type: 'photograph', id, photograph: { ...taken, takenAtMs: toMachineMs(taken.takenAtMs) } });
  } catch (error) {
    log.warn({ lane, error: errorText(error) }, 'vision: no photograph');
    send({ type: 'photograph', id });
  }
}

async function stop(): Promise<void> {
  await engine?.stop();
  process.exit(0);
}

function beat(): void {
  send({ type: 'beat', cameras: engine?.state() ?? [], memoryMB: Math.round(process.memoryUsage().rss / 1_048_576) });
  systemClock.after(beatEveryMs, beat);
}

function refuse(error: unknown): void {
  send({ type: 'refused', reason: errorText(error) });
  // let the message leave before the channel closes with this process
  systemClock.after(50, () => process.exit(3));
}

function failed(error: unknown): void {
  log.error({ error: errorText(error) }, 'vision: unexpected failure; the process is started anew');
  systemClock.after(50, () => process.exit(4));
}

process.on('message', (message: unknown) => {
  if (!isToVision(message)) return;
  switch (message.type) {
    case 'start':
      start(message).catch((error: unknown) => (isGateError(error) && error.code === 'VISION_DOWN' ? failed(error) : refuse(error)));
      return;
    case 'photograph':
      photograph(message.id, message.lane).catch(failed);
      return;
    case 'stop':
      stop().catch(failed);
      return;
  }
});
// the main process is gone, whatever the reason: its supervisor starts both anew
process.on('disconnect', () => void stop().catch(() => process.exit(1)));
// a terminal's Ctrl-C reaches every process; the main one stops this one in its own order
process.on('SIGINT', () => undefined);
process.on('uncaughtException', failed);
process.on('unhandledRejection', failed);
beat();
