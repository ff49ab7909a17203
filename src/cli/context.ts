import type { Command } from 'commander';
import { GateError, isGateError } from '../base/index.js';
import { controlSocketPath } from '../web/view.js';
import { ControlClient } from './control-client.js';

/** Exit statuses of every command; scripts rely on them. */
export const exitStatus = {
  ok: 0,
  /** It was tried and did not succeed: refused, faulty, unreadable, broken. */
  failed: 1,
  /** The command line itself is wrong. */
  usage: 2,
  /** No gate answers on the control socket. */
  unreachable: 3,
} as const;

export const defaultConfigPath = '/etc/laurel-gate/gate.yaml';

export interface GlobalOptions {
  readonly data: string | undefined;
  readonly config: string | undefined;
}

function textOption(options: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** `--data` and `--config` of a command or of those above it. */
export function globalOptions(command: Command): GlobalOptions {
  const options: Readonly<Record<string, unknown>> = command.optsWithGlobals();
  return { data: textOption(options, 'data'), config: textOption(options, 'config') };
}

export function configPath({ config }: GlobalOptions): string {
  return config ?? process.env['LAUREL_GATE_CONFIG'] ?? defaultConfigPath;
}

/** The gate's data directory: `--data`, else what the configuration names. Rejects with `CONFIG_*`, `CONTROL_UNREACHABLE`. */
export async function dataDirectory(options: GlobalOptions): Promise<string> {
  if (options.data !== undefined) return options.data;
  const path = configPath(options);
  const { loadConfig } = await import('../config/index.js');
  try {
    return (await loadConfig(path)).gate.dataDirectory;
  } catch (cause) {
    if (isGateError(cause, 'CONFIG_UNREADABLE')) {
      throw new GateError('CONTROL_UNREACHABLE', `The configuration ${path} cannot be read, so the gate cannot be found. Give --config FILE or --data DIR, or set LAUREL_GATE_CONFIG.`, { path }, cause);
    }
    throw cause;
  }
}

export async function controlClient(options: GlobalOptions): Promise<ControlClient> {
  return new ControlClient(controlSocketPath(await dataDirectory(options)));
}

/** Exit status for an error that ended a command. */
export function statusOf(cause: unknown): number {
  if (isGateError(cause, 'CONTROL_UNREACHABLE')) return exitStatus.unreachable;
  if (isGateError(cause, 'CLI_USAGE')) return exitStatus.usage;
  return exitStatus.failed;
}
