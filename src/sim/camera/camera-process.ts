import { errorText } from '../../base/index.js';
import { systemClock } from '../../base/system-clock.js';
import { toCameraSchema, type FromCamera } from './messages.js';
import { MjpegServer } from './mjpeg-server.js';

// Entry of the camera process: scenes come in over IPC, pictures go out over HTTP. Ends with its parent.

const server = new MjpegServer(systemClock, Number(process.env['LAUREL_SIM_FPS'] ?? '8'));

function tell(message: FromCamera): void {
  process.send?.(message);
}

function end(code: number): void {
  void server.stop().finally(() => process.exit(code));
}

process.on('message', (raw) => {
  const message = toCameraSchema.safeParse(raw);
  if (!message.success) return;
  if (message.data.kind === 'scene') server.update(message.data.scene);
  else end(0);
});
process.on('disconnect', () => end(0));
// The parent decides when the camera ends; a Ctrl-C at the terminal reaches both.
process.on('SIGINT', () => undefined);

server.start().then(
  (port) => tell({ kind: 'listening', port }),
  (error: unknown) => {
    tell({ kind: 'failed', detail: errorText(error) });
    end(1);
  },
);
