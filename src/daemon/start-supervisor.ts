import { spawn } from 'node:child_process';
import type { Clock, Log } from '../base/index.js';
import { entryBeside } from '../base/entry.js';
import { answers } from '../base/private-socket.js';
import type { GateConfig } from '../config/index.js';
import { supervisorSocketPath } from '../supervisor/index.js';
import { realLanes } from './guard.js';

const comesUpMs = 10_000;
const lookMs = 50;

/**
 * Starts a supervisor for a gate that is run by hand, where none answers and there is hardware to answer for. It is no
 * child of this terminal: Ctrl+C and the end of the session leave it alone, and it ends by itself when nothing is left to
 * do. Never rejects: the gate says itself where it finds none.
 */
export async function startSupervisor(config: GateConfig, clock: Clock, log: Log): Promise<void> {
  if (realLanes(config).length === 0) return;
  const socketPath = supervisorSocketPath(config.gate.dataDirectory);
  if (await answers(socketPath)) return;
  const { path, execArgv } = entryBeside(import.meta.url, '../supervisor');
  const child = spawn(process.execPath, [...execArgv, path, '--socket', socketPath, '--once'], { detached: true, stdio: ['ignore', 'ignore', 'inherit'] });
  child.on('error', (error) => log.warn({ error: error.message }, 'no supervisor could be started'));
  child.unref();
  const untilMs = clock.monoMs() + comesUpMs;
  while (clock.monoMs() < untilMs && child.exitCode === null && !(await answers(socketPath))) await new Promise<void>((resolve) => void clock.after(lookMs, resolve));
}
