import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { GateError, errorText } from '../base/index.js';
import { readConfig } from './check.js';
import { formatFaults } from './faults.js';
import { resolvePaths } from './paths.js';
import type { GateConfig } from './schema.js';

/** More than any real site; a wrong file (a video, a database) is refused before it is parsed. */
const MOST_BYTES = 32 * 1024 * 1024;

/**
 * Reads the text of a configuration file.
 * @throws GateError CONFIG_UNREADABLE
 */
export async function readConfigText(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    const why =
      code === 'ENOENT'
        ? 'there is no such file; copy one of the examples and adapt it'
        : code === 'EACCES'
          ? 'this user may not read it; check its owner and mode (ls -l)'
          : code === 'EISDIR'
            ? 'it is a folder; name the file in it'
            : errorText(cause);
    throw new GateError('CONFIG_UNREADABLE', `${path}: ${why}`, { path }, cause);
  }
  if (bytes.length > MOST_BYTES) throw new GateError('CONFIG_UNREADABLE', `${path}: ${bytes.length} bytes are too many for a configuration; is it the right file?`, { path });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new GateError('CONFIG_UNREADABLE', `${path}: not UTF-8 text; save it as UTF-8 (GBK is not understood)`, { path }, cause);
  }
}

/**
 * Loads a configuration: YAML, checked as a whole, defaults filled in, relative paths resolved against the file's folder.
 * @throws GateError CONFIG_UNREADABLE, or CONFIG_INVALID with every fault in the message and in `context.faults`
 */
export async function loadConfig(path: string): Promise<GateConfig> {
  const { config, faults } = readConfig(await readConfigText(path));
  if (config === undefined) throw new GateError('CONFIG_INVALID', formatFaults(faults, basename(path)), { path, faults });
  return resolvePaths(config, dirname(resolve(path)));
}
