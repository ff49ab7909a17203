import { GateError } from '../base/index.js';
import { exitStatus } from './context.js';
import { print } from './output.js';

/** `gatectl config check FILE`: every fault with its place, what was expected and an example; then hints. */
export async function checkConfigFile(path: string, json: boolean): Promise<number> {
  const { checkConfig, configHints, formatFaults, formatHints, readConfigText } = await import('../config/index.js');
  const text = await readConfigText(path);
  const faults = checkConfig(text);
  const hints = configHints(text);
  if (json) print(JSON.stringify({ file: path, ok: faults.length === 0, faults, hints }));
  else print([formatFaults(faults, path), formatHints(hints, path)].filter((part) => part !== '').join('\n\n'));
  return faults.length === 0 ? exitStatus.ok : exitStatus.failed;
}

/** `gatectl config explain [KEY]`: what every key means. */
export async function explainConfigKeys(only: string | undefined, json: boolean): Promise<void> {
  const { configKeys, explainConfig } = await import('../config/index.js');
  if (json) {
    print(JSON.stringify(configKeys().filter((key) => JSON.stringify(key).includes(only ?? ''))));
    return;
  }
  const text = explainConfig(only).trimEnd();
  if (text === '') throw new GateError('CLI_USAGE', `No key of the configuration contains "${only ?? ''}". Leave it out to see all.`);
  print(text);
}
