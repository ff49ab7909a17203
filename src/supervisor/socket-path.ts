import { join } from 'node:path';

/**
 * Where supervisor and daemon meet: what the service units name in LAUREL_GATE_SUPERVISOR (a runtime directory), else in
 * the gate's data directory.
 */
export function supervisorSocketPath(dataDirectory: string, environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment['LAUREL_GATE_SUPERVISOR'];
  return named === undefined || named === '' ? join(dataDirectory, 'supervisor.sock') : named;
}
