/**
 * The daemon: reads the configuration, wires the rooms, starts and stops them.
 *
 *   node dist/main.js --config FILE
 */
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { pino } from 'pino';
import { errorText, type Log } from './base/index.js';
import { machineBoot, systemClock } from './base/system-clock.js';
import { beginEffective, maskText, readConfigText } from './config/index.js';
import { Configuration, Gate, packageVersion, readSecrets } from './daemon/index.js';
import { Watchdog, prepareSystemPrograms } from './ops/index.js';
import { supervisorSocketPath } from './supervisor/index.js';

const defaultConfig = '/etc/laurel-gate/gate.yaml';
/** A stop that hangs (a dead bus, a full disk) must not keep the service manager waiting: outputs came first. */
const stopLimitMs = 10_000;

/** Exit status of a gate that ended in order and wants to be started again at once: a new configuration waits. */
export const restartStatus = 75;

/**
 * Runs the gate until SIGTERM or SIGINT, or until a new configuration wants a restart.
 * @returns the exit status: 0 after an ordered stop, `restartStatus`, 1 after a failure nobody handled
 * Rejects with `CONFIG_*` or `SECRET_UNREADABLE` before anything is started.
 */
export async function runDaemon(configPath: string, log: Log = pino({ level: process.env['LAUREL_GATE_LOG'] ?? 'info' })): Promise<number> {
  prepareSystemPrograms();
  const effective = await beginEffective(configPath, systemClock.wallMs(), log);
  const { config } = effective;
  const configText = maskText(await readConfigText(configPath));
  const secrets = await readSecrets(config);
  const configuration = new Configuration({ effective, clock: systemClock, log });
  let restart: (reason: string) => void = () => undefined;
  const gate = new Gate({
    config,
    configuration,
    restart: (reason) => restart(reason),
    secrets,
    clock: systemClock,
    boot: machineBoot(),
    log,
    version: packageVersion(),
    random: Math.random,
    configText,
    supervisorSocket: supervisorSocketPath(config.gate.dataDirectory),
    printCode: (code) => process.stderr.write(`\n  Sign-in code for the gate's page: ${code}\n\n`),
  });
  const watchdog = new Watchdog({ clock: systemClock, log, check: () => gate.stuck() });
  const forget: (() => void)[] = [];
  const ended = new Promise<{ reason: string; status: number }>((resolve) => {
    restart = (reason) => resolve({ reason, status: restartStatus });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const stop = (): void => resolve({ reason: signal, status: 0 });
      process.once(signal, stop);
      forget.push(() => process.off(signal, stop));
    }
    // A failure nobody handled leaves unknown state behind: last wills are carried out and the service manager starts afresh.
    for (const failure of ['uncaughtException', 'unhandledRejection'] as const) {
      const fail = (error: unknown): void => {
        log.error({ failure, error: errorText(error), stack: error instanceof Error ? error.stack : undefined }, 'stopping after a failure nobody handled');
        resolve({ reason: errorText(error), status: 1 });
      };
      // Not once: a second failure in the middle of the stop must not cut the last wills short.
      process.on(failure, fail);
      forget.push(() => process.off(failure, fail));
    }
  });
  await gate.start();
  log.info({ page: gate.webUrl, lanes: config.lanes.map(({ id }) => id) }, `gate ${config.gate.name} is up`);
  await watchdog.start();
  const { reason, status } = await ended;
  log.info({ reason }, 'stopping');
  await watchdog.stop();
  const stopped = async (): Promise<void> => {
    await configuration.stop(status !== 1).catch((error: unknown) => log.error({ error: errorText(error) }, 'the trial of the configuration could not be kept for the next start'));
    await gate.stop(reason);
  };
  await Promise.race([stopped(), new Promise<void>((resolve) => void systemClock.after(stopLimitMs, resolve))]);
  for (const run of forget) run();
  return status;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({ options: { config: { type: 'string', default: process.env['LAUREL_GATE_CONFIG'] ?? defaultConfig } } });
  try {
    process.exit(await runDaemon(values.config));
  } catch (error) {
    process.stderr.write(`${errorText(error)}\n`);
    process.exit(1);
  }
}
