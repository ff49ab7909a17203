import { mkdir } from 'node:fs/promises';
import { pino } from 'pino';
import { systemClock } from '../base/system-clock.js';
import { loadEffective } from '../config/index.js';
import { startSupervisor } from '../daemon/index.js';
import { restartStatus, runDaemon } from '../main.js';

/** `gatectl run`: the gate in this terminal, with a supervisor beside it where there is hardware and none runs yet. */
export async function runByHand(configPath: string): Promise<number> {
  const log = pino({ level: process.env['LAUREL_GATE_LOG'] ?? 'info' });
  const { config } = await loadEffective(configPath);
  await mkdir(config.gate.dataDirectory, { recursive: true, mode: 0o700 });
  await startSupervisor(config, systemClock, log);
  for (;;) {
    const status = await runDaemon(configPath, log);
    if (status !== restartStatus) return status;
  }
}
