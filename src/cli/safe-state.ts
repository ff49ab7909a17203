import { silentLog } from '../base/index.js';
import { systemClock } from '../base/system-clock.js';
import { exitStatus } from './context.js';
import { print } from './output.js';

/** `gatectl safe-state`: releases every output the configuration names, without a running gate (S3). */
export async function safeState(configPath: string, json: boolean): Promise<number> {
  const [{ loadConfig }, { releaseOutputs }] = await Promise.all([import('../config/index.js'), import('../daemon/index.js')]);
  const reports = await releaseOutputs(await loadConfig(configPath), systemClock, silentLog);
  const failed = reports.filter((report) => !report.released);
  if (json) {
    print(JSON.stringify({ ok: failed.length === 0, outputs: reports }));
  } else {
    for (const { ref, released, error } of reports) {
      const place = [ref.device, ref.chip, ref.unit === undefined ? undefined : `unit ${ref.unit}`, `line ${ref.line}`].filter((part) => part !== undefined).join(' ');
      print(`${released ? 'released' : 'NOT RELEASED'}  ${place}${error === undefined ? '' : `  ${error}`}`);
    }
    if (failed.length > 0) print('Switch off the supply of what was not released, then look at its wiring and its device.');
  }
  return failed.length === 0 ? exitStatus.ok : exitStatus.failed;
}
