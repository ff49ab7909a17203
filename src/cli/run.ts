import { mkdir } from 'node:fs/promises';
import { pino } from 'pino';
import { systemClock } from '../base/system-clock.js';
import { loadConfig } from '../config/index.js';
import { startSupervisor } from '../daemon/index.js';
import { runDaemon } from '../main.js';

/** `gatectl run`: the gate in this terminal, with a supervisor beside it where there is hardware and none runs yet. */
export async function runByHand(configPath: string): Promise<number> {
  const log = pino({ level: process.env['LAUREL_GATE_LOG'] ?? 'info' });
  const config = await loadConfig(configPath);
  await mkdir(config.gate.dataDirectory, { recursive: true, mode: 0o700 });
  await startSupervisor(config, systemClock, log);
  return await runDaemon(configPath, log);
}
