import { mkdtemp, chmod, rename, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { dirname, join } from 'node:path';
import { GateError } from './error.js';

/** Longest path a Unix socket may have on Linux (`sun_path`, 108 bytes with the closing zero). */
const longestSocketPath = 107;

/**
 * Opens a socket for the user of this process alone, so that it never exists with a wider mode than 0600: it is bound
 * inside a private folder, restricted there, and moved to its name, which also replaces what a killed process left behind.
 * @param busy what to say where another process answers on it
 * @param listen binds a server to the path it is given
 * @returns the way to remove the socket
 * Rejects with `CONTROL_BUSY` where another process answers on it, `CONFIG_INVALID` where the path is too long.
 */
export async function openPrivateSocket(path: string, busy: string, listen: (path: string) => Promise<void>): Promise<() => Promise<void>> {
  const directory = dirname(path);
  const folder = await mkdtemp(join(directory, '.s-'));
  try {
    const bound = join(folder, 's');
    if (Buffer.byteLength(path) > longestSocketPath || Buffer.byteLength(bound) > longestSocketPath) {
      throw new GateError('CONFIG_INVALID', `The directory ${directory} has too long a path for a Unix socket; choose one of at most 90 bytes, e.g. /var/lib/laurel-gate.`, { directory });
    }
    if (await answers(path)) throw new GateError('CONTROL_BUSY', busy, { path });
    await listen(bound);
    await chmod(bound, 0o600);
    await rename(bound, path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return () => rm(path, { force: true });
}

/** True where somebody accepts connections on the socket. */
export function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    const end = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
