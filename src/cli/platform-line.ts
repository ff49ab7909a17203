import { readFile } from 'node:fs/promises';
import { GateError, errorText, type Log } from '../base/index.js';
import { systemClock } from '../base/system-clock.js';
import type { GateName, ReferencePlatformOptions } from '../uplink/index.js';
import { complain } from './output.js';

/** Options of every command that speaks to a broker; files by their paths. */
export interface LineOptions {
  readonly broker: string;
  readonly protocol: '5' | '3.1.1';
  readonly user?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

async function secret(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new GateError('SECRET_UNREADABLE', `${path} cannot be read: ${errorText(cause)}.`, { path }, cause);
  }
}

/** What goes wrong on the line, for whoever watches; stdout is for the answer. */
export const platformLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (facts, message) => complain(`${message}: ${JSON.stringify(facts)}`),
  error: (facts, message) => complain(`${message}: ${JSON.stringify(facts)}`),
};

/** How the platform connects; files are read here. Rejects with `SECRET_UNREADABLE`. */
export async function lineOptions({ broker, protocol, user, passwordFile, ca, cert, key }: LineOptions): Promise<Pick<ReferencePlatformOptions, 'url' | 'protocol' | 'username' | 'password' | 'ca' | 'certificate' | 'key' | 'log'>> {
  return {
    url: broker,
    protocol,
    log: platformLog,
    ...(user === undefined ? {} : { username: user }),
    ...(passwordFile === undefined ? {} : { password: (await secret(passwordFile)).toString('utf8').replace(/\r?\n$/u, '') }),
    ...(ca === undefined ? {} : { ca: await secret(ca) }),
    ...(cert === undefined ? {} : { certificate: await secret(cert) }),
    ...(key === undefined ? {} : { key: await secret(key) }),
  };
}

/** `SITE/GATE` as written on a command line. @throws GateError CLI_USAGE */
export function gateNamed(text: string | undefined): GateName {
  const [, site, gate] = /^([^/+#\s]+)\/([^/+#\s]+)$/u.exec(text ?? '') ?? [];
  if (site === undefined || gate === undefined) throw new GateError('CLI_USAGE', `"${text ?? ''}" is no gate; write SITE/GATE, the ids of its configuration, e.g. laurel/east.`);
  return { site, gate };
}

/**
 * Waits for what a gate says.
 * @param begin listens, and calls back with what was waited for; returns the way to stop
 * @throws GateError GATE_SILENT where nothing comes in time
 */
export function heard<Value>(name: GateName, what: string, limitMs: number, begin: (done: (value: Value) => void) => () => void): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = systemClock.after(limitMs, () => {
      stop();
      reject(new GateError('GATE_SILENT', `${name.site}/${name.gate} has not answered within ${Math.round(limitMs / 1_000)} s: no ${what}. Is it online at this broker, and are the ids right?`, { ...name }));
    });
    const stop = begin((value) => {
      timer.cancel();
      stop();
      resolve(value);
    });
  });
}
