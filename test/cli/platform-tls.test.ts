import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { authority, signed } from '../uplink/certificates.js';
import { atEnd, freshDirectory, online, settings, startGate, startMosquitto } from '../uplink/support.js';
import type { Finished } from './run-cli.js';
import { runHere } from './run-here.js';

const send = (url: string, ...more: readonly string[]): Promise<Finished> => runHere(['platform', 'send', 'laurel/east', 'hold', 'entry', '--broker', url, ...more]);

/** A file with one line, as editors leave it. */
function secretFile(text: string): string {
  const path = join(freshDirectory(), 'secret');
  writeFileSync(path, `${text}\n`, { mode: 0o600 });
  return path;
}

/** Passwords as mosquitto keeps them. */
function passwords(users: Readonly<Record<string, string>>): string {
  const path = join(freshDirectory(), 'passwords');
  writeFileSync(path, '');
  for (const [user, password] of Object.entries(users)) execFileSync('mosquitto_passwd', ['-b', path, user, password], { stdio: 'ignore' });
  return path;
}

describe('gatectl platform over TLS', () => {
  it('signs in with a CA, a client certificate, a name and a password, and says by its options what is wrong with one of them', async () => {
    const own = authority();
    const server = signed(own, 'server');
    const broker = await startMosquitto(
      ['allow_anonymous false', `password_file ${passwords({ gate: 'of the gate', platform: 'of the platform' })}`, 'user root'],
      [`certfile ${server.certificate}`, `keyfile ${server.key}`, `cafile ${own.ca}`, 'require_certificate true'],
    );
    const url = `mqtts://127.0.0.1:${broker.port}`;
    const mine = signed(own, 'platform');
    const other = signed(own, 'other');
    const foreign = authority();
    const stranger = signed(foreign, 'stranger');
    const gates = signed(own, 'gate');
    const gate = await startGate(settings(url, {}, { ca: own.ca, certificate: gates.certificate, key: readFileSync(gates.key, 'utf8'), username: 'gate', password: 'of the gate' }));
    await online(gate);

    const user = ['--user', 'platform', '--password-file', secretFile('of the platform')];
    const identity = ['--cert', mine.certificate, '--key', mine.key];
    const all = ['--ca', own.ca, ...identity, ...user];
    for (const protocol of ['5', '3.1.1']) {
      const sent = await send(url, ...all, '--protocol', protocol);
      expect([sent.status, sent.err, sent.out]).toEqual([0, '', expect.stringContaining('done')]);
    }
    expect(gate.commands).toHaveLength(2);

    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [[...identity, ...user], /not signed by an authority this platform knows; write the broker's CA into --ca .*\[BROKER_TLS\]/u],
      [['--ca', foreign.ca, ...identity, ...user], /not signed by an authority this platform knows.*\[BROKER_TLS\]/u],
      [['--ca', own.ca, ...user], /wants a client certificate that it knows; set --cert and --key.*\[BROKER_TLS\]/u],
      [['--ca', own.ca, '--cert', stranger.certificate, '--key', stranger.key, ...user], /does not accept this platform's certificate.*\[BROKER_TLS\]/u],
      [['--ca', own.ca, '--cert', mine.certificate, '--key', other.key, ...user], /--key does not belong to --cert.*\[BROKER_TLS\]/u],
      [['--ca', own.ca, '--cert', secretFile('no certificate'), '--key', mine.key, ...user], /--ca, --cert or --key is no PEM file.*\[BROKER_TLS\]/u],
      [['--ca', own.ca, ...identity, '--user', 'platform', '--password-file', secretFile('of somebody')], /the broker says .*check --user, --password-file.*\[BROKER_REFUSED\]/u],
      [['--ca', own.ca, ...identity], /the broker says .*\[BROKER_REFUSED\]/u],
      [['--ca', join(foreign.directory, 'none.pem'), ...identity, ...user], /none\.pem cannot be read.*\[SECRET_UNREADABLE\]/u],
      [[...all.slice(0, -1), join(foreign.directory, 'none')], /none cannot be read.*\[SECRET_UNREADABLE\]/u],
    ];
    for (const [options, words] of wrong) {
      const ended = await send(url, ...options);
      expect([ended.status, ended.out, ended.err]).toEqual([1, '', expect.stringMatching(words)]);
      expect(ended.err.trim().split('\n')).toHaveLength(1);
      expect(ended.err).not.toMatch(/uplink\.broker|this gate|of somebody|of the platform/u);
    }
    expect(gate.commands).toHaveLength(2);
  });

  it('ends where TLS is missing at one end, or nobody speaks MQTT', async () => {
    const own = authority();
    const plain = await startMosquitto();
    const ended = await send(`mqtts://127.0.0.1:${plain.port}`, '--ca', own.ca);
    expect([ended.status, ended.err]).toEqual([1, expect.stringMatching(/\[BROKER_(?:TLS|UNREACHABLE)\]/u)]);
    const mute = createServer((socket) => void socket.end());
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
    atEnd(() => void mute.close());
    const address = mute.address();
    const hung = await send(`mqtt://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`);
    expect([hung.status, hung.err]).toEqual([1, expect.stringMatching(/is this the port of an MQTT broker\?.*\[BROKER_UNREACHABLE\]/u)]);
  });
});
