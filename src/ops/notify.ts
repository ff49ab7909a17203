import { runSystemProgram } from './system-program.js';

/**
 * Sends lines of the sd_notify(3) protocol to the service manager; rejects where that is impossible.
 *
 * The protocol wants a datagram on a unix socket, which Node cannot send, so `systemd-notify` of the system does it: once
 * every few seconds, all lines of that moment together. The unit needs `NotifyAccess=all` for it. Since systemd 246 the
 * program waits until the manager has read the message, so that it is not lost with the program's exit.
 */
export async function systemdNotify(lines: readonly string[], environment: NodeJS.ProcessEnv = process.env): Promise<void> {
  const own = Object.fromEntries(['PATH', 'NOTIFY_SOCKET'].flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])));
  await runSystemProgram({ program: 'systemd-notify', values: lines, environment: own, limitS: 10 });
}
