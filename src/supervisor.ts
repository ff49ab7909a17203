/**
 * The supervisor: a process of its own that outlives the daemon and carries out the lanes' last wills when it dies.
 *
 *   node dist/supervisor.js --socket FILE [--once]
 *
 * With `--once` it ends by itself when nothing is left to do; for a gate that is run by hand.
 */
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { errorText } from './base/index.js';
import { systemClock } from './base/system-clock.js';
import { Watchdog } from './ops/index.js';
import { Supervisor } from './supervisor/index.js';

/** A gate that was to be watched and never came. */
const neverCameMs = 60_000;

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { socket: { type: 'string', default: process.env['LAUREL_GATE_SUPERVISOR'] ?? '/run/laurel-gate/supervisor.sock' }, once: { type: 'boolean', default: false } } });
  const log = pino({ level: process.env['LAUREL_GATE_LOG'] ?? 'info', name: 'supervisor' });
  let end: (reason: string) => void = () => undefined;
  const ended = new Promise<string>((resolve) => (end = resolve));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => end(signal));
  const supervisor = new Supervisor({ socketPath: values.socket, clock: systemClock, log, ...(values.once ? { onIdle: () => end('nothing is left to do') } : {}) });
  await supervisor.start();
  if (values.once) {
    systemClock.after(neverCameMs, () => {
      if (supervisor.state().state === 'idle') end('no gate came');
    });
  }
  const watchdog = new Watchdog({ clock: systemClock, log, check: () => true });
  await watchdog.start();
  log.info({ reason: await ended }, 'stopping');
  await watchdog.stop();
  await supervisor.stop();
  return 0;
}

try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`${errorText(error)}\n`);
  process.exit(1);
}
