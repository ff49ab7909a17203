import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Sends lines of the sd_notify(3) protocol to the service manager; rejects where that is impossible.
 *
 * The protocol wants a datagram on a unix socket, which Node cannot send, so `systemd-notify` of the system does it: once
 * every few seconds, all lines of that moment together. The unit needs `NotifyAccess=all` for it. Since systemd 246 the
 * program waits until the manager has read the message, so that it is not lost with the program's exit.
 */
export async function systemdNotify(lines: readonly string[], environment: NodeJS.ProcessEnv = process.env): Promise<void> {
  await run('systemd-notify', [...lines], { env: environment, timeout: 10_000 });
}
