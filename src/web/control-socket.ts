import { join } from 'node:path';
import { openPrivateSocket } from '../base/private-socket.js';

/** Where the command line finds the running gate. */
export function controlSocketPath(dataDirectory: string): string {
  return join(dataDirectory, 'control.sock');
}

/**
 * Opens the control socket of a gate.
 * @param listen binds a server to the path it is given
 * @returns the way to remove the socket
 * Rejects with `CONTROL_BUSY` where another gate answers on it, `CONFIG_INVALID` where the path is too long.
 */
export function openControlSocket(dataDirectory: string, listen: (path: string) => Promise<void>): Promise<() => Promise<void>> {
  const busy = `Another gate already runs on ${dataDirectory}; stop it first (systemctl stop laurel-gate), or give this one a data directory of its own.`;
  return openPrivateSocket(controlSocketPath(dataDirectory), busy, listen);
}
